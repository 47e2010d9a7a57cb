/** The answer to the first question, in one sentence: is anything wrong now, and is the watcher well? */
import { count, plural, span } from "../../lib/format.js";
import { h, replace } from "../../lib/h.js";
import { session } from "../../lib/session.js";

const UP_TO_DATE_S = 0.5;

/**
 * @param {import("../../shapes").Overview} overview
 * @param {boolean} [recorded] what is shown is a record: nobody watches
 */
export function parts(overview, recorded = false) {
  const { incidents_open: open, unusual, metrics, lag_s: lag, engine, calm_since: calm } = overview;
  const behind = lag === null ? "" : lag < UP_TO_DATE_S ? ", up to date" : `, ${span(lag)} behind`;
  const watcher = recorded ? "" : engine === "well" ? `; engine well${behind}` : `; engine in trouble${behind}`;
  if (!open && !unusual) {
    const since = calm ? ` for ${span(Date.now() / 1000 - calm)}` : "";
    return { level: engine === "well" ? "calm" : "trouble", strong: `Nothing unusual${since}`, rest: `${plural(metrics, "metric")} watched${watcher}.` };
  }
  return {
    level: open ? "open" : "unusual",
    strong: open ? `${plural(open, "incident")} open` : "No incident open",
    rest: `${count(unusual)} of ${plural(metrics, "metric")} unusual${recorded ? "" : " now"}${watcher}.`,
  };
}

const ICONS = { calm: "✓", open: "▲", unusual: "◆", trouble: "!" };

/**
 * @param {HTMLElement} element
 * @param {import("../../shapes").Overview | null} overview
 */
export function showSentence(element, overview) {
  if (!overview) return;
  const { level, strong, rest } = parts(overview, session.get().record !== null);
  element.dataset.level = level;
  replace(element, h("span.icon", { "aria-hidden": true }, ICONS[/** @type {keyof typeof ICONS} */ (level)]), h("strong", null, strong), level === "calm" ? ". " : ", ", rest);
  document.title = `${overview.incidents_open ? `(${overview.incidents_open}) ` : ""}${strong} · htmengine`;
}
