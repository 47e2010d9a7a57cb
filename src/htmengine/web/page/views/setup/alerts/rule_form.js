/** The form of a rule: a field for each of its settings, with what is wrong shown at the field. */
import { h, replace } from "../../../lib/h.js";
import { causeInShort } from "../../../lib/words.js";

/**
 * @typedef {import("../../../shapes").AlertRule} AlertRule
 * @typedef {{windows: string[], targets: string[]}} Known what rules may name
 * @typedef {{detail: string, pointer: string}} Fault
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
  /** @type {Map<string, {field: HTMLElement, said: HTMLElement, control: HTMLElement}>} by the pointer within the rule */
  const places = new Map();

  /**
   * @param {string} pointer
   * @param {string} title
   * @param {HTMLElement} control
   * @param {string} [hint]
   */
  function field(pointer, title, control, hint = "") {
    const id = `rule-${pointer.replaceAll("/", "-")}`;
    control.id = id;
    const said = h("p.field-fault", { id: `${id}-fault` });
    const element = h("div.field", null, h("label", { for: id }, title), control, hint ? h("p.hint", { id: `${id}-hint` }, hint) : null, said);
    control.setAttribute("aria-describedby", `${hint ? `${id}-hint ` : ""}${id}-fault`);
    places.set(pointer, { field: element, said, control });
    return element;
  }

  /**
   * @param {string} pointer
   * @param {string} title
   * @param {string[]} choices
   * @param {string[]} chosen
   * @param {string} none what holds where nothing is chosen
   * @param {(choice: string) => string} [words]
   */
  function choices(pointer, title, choices, chosen, none, words = (choice) => choice) {
    const said = h("p.field-fault");
    // Those that are chosen come first: their order is as they are written.
    const boxes = [...new Set([...chosen, ...choices])].map((value) => ({ value, box: /** @type {HTMLInputElement} */ (h("input", { type: "checkbox", checked: chosen.includes(value), onchange: changed })) }));
    const element = h("fieldset.field", null, h("legend", null, title), h("div.boxes", null, boxes.map(({ value, box }) => h("label", null, box, ` ${words(value)}`))), h("p.hint", null, none), said);
    places.set(pointer, { field: element, said, control: element });
    return { element, value: () => boxes.filter(({ box }) => box.checked).map(({ value }) => value) };
  }

  const text = (/** @type {string | null | undefined} */ value, /** @type {string} */ placeholder) => /** @type {HTMLInputElement} */ (h("input", { value: value ?? "", placeholder, spellcheck: "false", autocomplete: "off", oninput: changed }));
  const lines = (/** @type {string[] | undefined} */ values, /** @type {string} */ placeholder) => /** @type {HTMLTextAreaElement} */ (h("textarea", { rows: "2", value: (values ?? []).join("\n"), placeholder, spellcheck: "false", oninput: changed }));
  const number = (/** @type {number | null | undefined} */ value, /** @type {object} */ more) => /** @type {HTMLInputElement} */ (h("input", { type: "number", value: value ?? "", min: "0", step: "any", oninput: changed, ...more }));
  const select = (/** @type {string | null | undefined} */ value, /** @type {[string, string][]} */ options) => /** @type {HTMLSelectElement} */ (h("select", { onchange: changed }, options.map(([one, words]) => h("option", { value: one, selected: one === (value ?? "") }, words))));

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
  const active = choices("active", "Only during", known.windows, rule.active ?? [], known.windows.length ? "None chosen: at all times." : "There are no windows of time; they are written in the file, see below.");
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

  const listed = (/** @type {HTMLTextAreaElement} */ area) => area.value.split("\n").map((line) => line.trim()).filter(Boolean);
  const given = (/** @type {HTMLInputElement} */ input) => (input.value === "" ? null : Number(input.value));

  return {
    element,
    name,
    minScore,
    budget,
    /** @returns {AlertRule} */
    value() {
      const deviation = filled({ absolute: given(absolute), percent: given(percent) });
      const least = filled({ rows: given(rows), metrics: given(metrics) });
      return /** @type {AlertRule} */ (
        filled({
          name: name.value.trim(),
          match: listed(match), exclude: listed(exclude), tags: listed(tags),
          min_score: given(minScore), budget: given(budget),
          direction: direction.value, min_deviation: deviation, causes: causes.value(), at_least: least,
          active: active.value(), maintenance: maintenance.value(),
          severity: severity.value, cooldown: cooldown.value.trim(), targets: targets.value(),
        }) ?? {}
      );
    },
    /**
     * Shows what is wrong, each at its field; returns what belongs to none.
     * @param {Fault[]} faults with pointers within the rule
     */
    show(faults) {
      for (const { said, control } of places.values()) {
        replace(said);
        control.removeAttribute("aria-invalid");
      }
      /** @type {Fault[]} */
      const rest = [];
      for (const fault of faults) {
        const place = places.get(fault.pointer) ?? places.get(fault.pointer.split("/")[0]);
        if (!place) {
          rest.push(fault);
          continue;
        }
        replace(place.said, fault.detail);
        place.control.setAttribute("aria-invalid", "true");
      }
      return rest;
    },
  };
}

/** Returns what has a value; null if nothing has. @param {Record<string, any>} values */
function filled(values) {
  const kept = Object.entries(values).filter(([, value]) => value !== null && value !== "" && !(Array.isArray(value) && !value.length));
  return kept.length ? Object.fromEntries(kept) : null;
}
