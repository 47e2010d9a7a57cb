/** What the model's reasons are called. The engine writes whole sentences; these are the short forms for cells and marks. */

import { clock } from "./format.js";

/** @type {Record<string, string>} */
const CAUSES = {
  sequence: "unusual order",
  extreme: "beyond all before",
  jump: "unusual step",
  distance: "far from its level",
  error: "far from its forecast",
  offset: "stays off its level",
  unrest: "unrest",
};

/** @type {Record<string, {glyph: string, word: string}>} */
const DIRECTIONS = {
  up: { glyph: "▲", word: "up" },
  down: { glyph: "▼", word: "down" },
  pattern: { glyph: "◆", word: "pattern" },
};

/** @param {string | null | undefined} cause */
export function causeInShort(cause) {
  return cause ? (CAUSES[cause] ?? cause) : "";
}

/**
 * Returns a sentence with a capital, unless it begins with the name of a metric: in names the case counts.
 * @param {string} text
 * @param {string} [name]
 */
export function sentence(text, name) {
  return name && text.startsWith(name) ? text : text.charAt(0).toUpperCase() + text.slice(1);
}

/** @param {string | null | undefined} direction */
export function mark(direction) {
  return DIRECTIONS[direction ?? "pattern"] ?? DIRECTIONS.pattern;
}

/**
 * Returns what became of a notice to a target.
 * @param {import("../shapes").Delivery} told
 */
export function deliveryInWords({ target, kind, state, tries, reason }) {
  const why = reason ? `: ${reason}` : "";
  switch (state) {
    case "delivered":
      return `${target} was told (${kind})`;
    case "suppressed":
      return `${target} was not told (${kind})${why}`;
    case "dead":
      return `${target} could not be told (${kind}), given up after ${tries === 1 ? "one try" : `${tries} tries`}${why}`;
    case "retrying":
      return `${target} is told again soon (${kind}), ${tries === 1 ? "one try" : `${tries} tries`} so far${why}`;
    default:
      return `${target} is being told (${kind})`;
  }
}

/**
 * Returns what the first notices of an incident say: who was told by which rule, and why others were not.
 * @param {import("../shapes").Delivery[]} deliveries
 */
export function toldInWords(deliveries) {
  const first = deliveries.filter(({ target, id }) => !deliveries.some((other) => other.target === target && other.id < id));
  const told = first.filter(({ state }) => state === "delivered");
  const by = [...new Set(told.map(({ rule }) => rule))].map((rule) => {
    const targets = told.filter((one) => one.rule === rule).map(({ target }) => target);
    return `${targets.join(", ")} ${targets.length === 1 ? "was" : "were"} told by the rule ${rule}`;
  });
  const others = first.filter(({ state }) => state !== "delivered").map(deliveryInWords);
  return [...by, ...others].join("; ") || "nobody was told: no rule asked for it, or there is no target";
}

/** @type {Record<string, string>} */
export const SEVERITIES = { info: "info", warning: "warning", critical: "critical" };

/**
 * Returns what people said of the open incident of a metric, or of an incident; null where that is nothing.
 * @param {{acknowledged_by?: string | null, snoozed_until?: number | null}} one
 * @returns {{state: "snoozed" | "acknowledged", text: string} | null}
 */
export function handlingInShort({ acknowledged_by: by, snoozed_until: until }) {
  if (until && until > Date.now() / 1000) return { state: "snoozed", text: `snoozed until ${clock(until)}` };
  return by === null || by === undefined ? null : { state: "acknowledged", text: by ? `taken by ${by}` : "acknowledged" };
}

/**
 * Returns the state of a metric as a chip says it; empty for one that is as it should be.
 * @param {import("../shapes").MetricRow} metric
 */
export function stateInShort(metric) {
  const why = metric.why_no_score;
  if (metric.state === "active" && !why) return "";
  if (why?.code === "new") return "new";
  if (metric.state === "learning" && why?.have !== undefined) return `learning ${why.have} of ${why.need}`;
  return { active: "", learning: "learning", silent: "silent", no_model: "no model", error: "error", unmonitored: "not monitored" }[metric.state];
}
