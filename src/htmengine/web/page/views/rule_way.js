/** Which rules for what comes in apply to a metric, and what becomes of its samples. */
import { h } from "../lib/h.js";

/** @param {import("../shapes").RuleWay} way */
export function ruleWay({ rules, outcome }) {
  return h(
    "div.rule-way",
    null,
    rules.length ? h("ol", null, rules.map((step) => h("li", null, h("strong", null, step.section), h("span.hint", null, ` line ${step.line}, fits `), h("code", null, step.fits), `: ${step.says}`))) : null,
    h("p", null, outcome),
  );
}
