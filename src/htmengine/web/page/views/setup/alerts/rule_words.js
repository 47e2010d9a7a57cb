/** A rule in words: what it looks at, when, and who is told. */
import { causeInShort } from "../../../lib/words.js";

/** @typedef {import("../../../shapes").AlertRule} AlertRule */

/**
 * Returns what a rule says, in parts.
 * @param {AlertRule} rule
 * @param {string[]} targets all that there are
 * @returns {string[]}
 */
export function ruleInWords(rule, targets) {
  const { match = [], exclude = [], tags = [], causes = [], active = [], maintenance = [] } = rule;
  const { absolute = null, percent = null } = rule.min_deviation ?? {};
  const { rows = null, metrics = null } = rule.at_least ?? {};
  const deviation = [absolute === null ? "" : `${absolute}`, percent === null ? "" : `${percent} %`].filter(Boolean).join(" and ");
  const told = rule.targets?.length ? rule.targets : targets;
  return [
    `${match.length ? match.join(", ") : "all metrics"}${exclude.length ? `, but not ${exclude.join(", ")}` : ""}${tags.length ? ` with ${tags.join(" and ")}` : ""}`,
    rule.budget !== null && rule.budget !== undefined ? `at most ${rule.budget} a week` : rule.min_score ? `from score ${rule.min_score} on` : "",
    rule.direction && rule.direction !== "both" ? `${rule.direction} only` : "",
    deviation ? `at least ${deviation} off the forecast` : "",
    causes.length ? `for ${causes.map((cause) => (cause === "silence" ? "silence" : causeInShort(cause))).join(", ")}` : "",
    [rows === null ? "" : `at least ${rows} alarms`, metrics === null ? "" : `at least ${metrics} metrics`].filter(Boolean).join(" or "),
    active.length ? `only during ${active.join(", ")}` : "",
    maintenance.length ? `not during ${maintenance.join(", ")}` : "",
    rule.severity ? `as ${rule.severity}` : "",
    `tells ${told.length ? told.join(", ") : "nobody"}`,
  ].filter(Boolean);
}

/** Returns what a rule is made of that has a name alone. @param {string[]} names those that are taken @returns {AlertRule} */
export function newRule(names) {
  let number = names.length + 1;
  while (names.includes(`rule ${number}`)) number++;
  return { name: `rule ${number}`, at_least: { rows: 3, metrics: 2 } };
}
