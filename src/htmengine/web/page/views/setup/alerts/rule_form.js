/** The form of a rule: a field for each of its settings, with what is wrong shown at the field. */
import { h } from "../../../lib/h.js";
import { causeInShort } from "../../../lib/words.js";
import { fieldsOf, filled, linesIn, numberIn } from "../fields.js";

/**
 * @typedef {import("../../../shapes").AlertRule} AlertRule
 * @typedef {{windows: string[], targets: string[]}} Known what rules may name
 */

const CAUSES = ["sequence", "extreme", "jump", "distance", "error", "offset", "unrest", "silence"];
const MIN_SCORE = 0.5;

/**
 * Returns the fields of a rule.
 * @param {AlertRule} rule
 * @param {Known} known
 * @param {() => void} changed
 */
export function ruleFields(rule, known, changed) {
  const { field, choices, text, lines, number, select, show } = fieldsOf("rule", changed);
  const name = text(rule.name, "databases");
  const match = lines(rule.match, "db.*");
  const exclude = lines(rule.exclude, "db.test.*");
  const tags = lines(rule.tags, "dc=fra");
  const minScore = number(rule.min_score, { max: "1", step: "0.01", placeholder: String(MIN_SCORE) });
  const budget = number(rule.budget, { placeholder: "2" });
  const direction = select(rule.direction === "both" ? "" : rule.direction, [["", "up and down"], ["up", "up"], ["down", "down"]]);
  const absolute = number(rule.min_deviation?.absolute, {});
  const percent = number(rule.min_deviation?.percent, { placeholder: "20" });
  const rows = number(rule.at_least?.rows, { step: "1", min: "1" });
  const metrics = number(rule.at_least?.metrics, { step: "1", min: "1" });
  const severity = select(rule.severity, [["", "as the incident’s own"], ["info", "info"], ["warning", "warning"], ["critical", "critical"]]);
  const cooldown = text(rule.cooldown, "30min");
  const causes = choices("causes", "Only for these reasons", CAUSES, rule.causes ?? [], "None chosen: every reason.", (cause) => (cause === "silence" ? "sends nothing" : causeInShort(cause)));
  const active = choices("active", "Only during", known.windows, rule.active ?? [], known.windows.length ? "None chosen: at all times." : "There are no windows of time; see Windows of time.");
  const maintenance = choices("maintenance", "Never during", known.windows, rule.maintenance ?? [], known.windows.length ? "Maintenance: alarms of these times do not count." : "");
  const targets = choices("targets", "Who is told", known.targets, rule.targets ?? [], known.targets.length ? "None chosen: all targets." : "There is no target yet.");

  const element = h(
    "div.rule-fields",
    null,
    h("div.field-row", null, field("name", "Name", name), field("severity", "Severity", severity)),
    h("div.field-row", null, field("match", "Metrics", match, "Patterns with * and ?, one a line; none: all."), field("exclude", "But not", exclude), field("tags", "With the tags", tags, "dc=fra, host=~web.*, also != and !=~; all must hold.")),
    h("div.field-row", null, field("min_score", "Least score", minScore, "From 0.5 on; or else a budget:"), field("budget", "At most so many incidents a week", budget, "The score that this takes is found from the last four weeks, every hour anew.")),
    h("div.field-row", null, field("direction", "Direction", direction), field("min_deviation/absolute", "Off the forecast by at least", absolute, "In the metric’s own unit."), field("min_deviation/percent", "… by at least percent", percent)),
    h("div.field-row", null, field("at_least/rows", "At least so many alarms", rows, "Of an incident; or else so many metrics:"), field("at_least/metrics", "At least so many metrics", metrics), field("cooldown", "Cool-down", cooldown, "So long a metric that was told is not told again: 30min, 2h, 1d.")),
    causes.element,
    h("div.field-row", null, active.element, maintenance.element),
    targets.element,
  );

  return {
    element,
    name,
    minScore,
    budget,
    /** @returns {AlertRule} */
    value() {
      const deviation = filled({ absolute: numberIn(absolute), percent: numberIn(percent) });
      const least = filled({ rows: numberIn(rows), metrics: numberIn(metrics) });
      return /** @type {AlertRule} */ (
        filled({
          name: name.value.trim(),
          match: linesIn(match), exclude: linesIn(exclude), tags: linesIn(tags),
          min_score: numberIn(minScore), budget: numberIn(budget),
          direction: direction.value, min_deviation: deviation, causes: causes.value(), at_least: least,
          active: active.value(), maintenance: maintenance.value(),
          severity: severity.value, cooldown: cooldown.value.trim(), targets: targets.value(),
        }) ?? {}
      );
    },
    show,
  };
}
