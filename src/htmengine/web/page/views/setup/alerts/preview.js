/** What rules would have told of the incidents that are stored. */
import { count, plural, score } from "../../../lib/format.js";
import { h, replace } from "../../../lib/h.js";
import { link } from "../../../lib/router.js";
import { clockTime } from "../../clock_time.js";
import { dataTable } from "../../table.js";

/** @typedef {import("../../../shapes").AlertsPreview} AlertsPreview */

const MOST = 200;
const WEEK_D = 7;

/**
 * @param {HTMLElement} element
 * @param {AlertsPreview} would
 * @param {number} days
 */
export function showPreview(element, would, days) {
  const { messages, silenced, incidents, first } = would;
  /** @type {Map<string, number>} */
  const told = new Map();
  for (const { targets } of messages) for (const target of targets) told.set(target, (told.get(target) ?? 0) + 1);
  const stored = first === null ? 0 : Math.min(days, (Date.now() / 1000 - first) / 86_400);
  const each = [...told].sort((a, b) => b[1] - a[1]).map(([target, many]) => `${target} ${count(many)}`);
  const held = Object.entries(silenced).map(([why, many]) => `${count(many)} (${why})`);
  const body = h("tbody", null, [...messages].sort((a, b) => b.time - a.time).slice(0, MOST).map((message) => h("tr", null, h("td", null, clockTime(message.time)), h("td", null, h("a", { href: link(`i/${message.incident}`) }, message.incident), h("div.hint", null, `${plural(message.metrics, "metric")}, ${plural(message.alarms, "alarm")}`)), h("td.number", null, score(message.max)), h("td", null, message.rule), h("td", null, message.severity), h("td", null, message.targets.join(", ")))));
  replace(
    element,
    h(
      "p.preview-summary",
      { role: "status" },
      incidents === 0
        ? "No incident is stored of this time: what the rules do is seen once there is one."
        : [
            h("strong", null, `${count(messages.length)} of ${plural(incidents, "incident")} would have been told`),
            stored >= WEEK_D ? `, ${((messages.length / stored) * WEEK_D).toFixed(1)} a week` : "",
            each.length ? `: ${each.join(", ")}.` : ".",
            held.length ? ` Held back: ${held.join(", ")}.` : "",
          ],
    ),
    messages.length ? dataTable("What would have been told", ["When", "Incident", "Highest score", "Rule", "Severity", "Who"], body, "small") : null,
    messages.length > MOST ? h("p.hint", null, `The newest ${count(MOST)} of them.`) : null,
  );
}

/**
 * Returns how many messages each rule would have sent.
 * @param {AlertsPreview} would
 */
export function messagesByRule(would) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { rule } of would.messages) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  return counts;
}
