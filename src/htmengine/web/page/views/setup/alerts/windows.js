/** Windows of time, in words: when alarms count, and when they do not. */
import { h } from "../../../lib/h.js";
import { link } from "../../../lib/router.js";
import { clockTime } from "../../clock_time.js";

/**
 * @param {import("../../../shapes").AlertRules} rules
 */
export function windowsSection({ windows, maintenance, rules }) {
  return h(
    "section.windows-of-time",
    null,
    h("h2", null, "Windows of time"),
    windows.length
      ? h("dl.fact-list.wide", null, windows.map((one) => h("div", null, h("dt", null, one.name), h("dd", null, `${one.words}.`, when(one.next), uses(one.name, maintenance, rules ?? []).map((use) => h("p.hint", null, use))))))
      : h("p", null, "There are none: rules hold at all times."),
    h("p", null, h("a", { href: link("setup/windows") }, windows.length ? "Change windows of time" : "Add a window of time")),
  );
}

/** @param {[number, number] | null} next */
export function when(next) {
  if (!next) return " It does not come again soon.";
  const [from, to] = next;
  const now = Date.now() / 1000;
  return [from <= now ? " It is now, until " : " Next ", clockTime(from <= now ? to : from), "."];
}

/**
 * @param {string} name
 * @param {string[]} everywhere
 * @param {import("../../../shapes").AlertRule[]} rules
 */
export function uses(name, everywhere, rules) {
  const active = rules.filter((rule) => rule.active?.includes(name)).map((rule) => rule.name);
  const held = rules.filter((rule) => rule.maintenance?.includes(name)).map((rule) => rule.name);
  return [
    everywhere.includes(name) ? "Maintenance: no rule tells of anything then." : "",
    active.length ? `Alarms count only then for ${active.join(", ")}.` : "",
    held.length ? `Maintenance for ${held.join(", ")}.` : "",
  ].filter(Boolean);
}
