/** Alert rules: of which incidents who is told, and what that would have been. */
import { etagOf, get, post, put, url } from "../../lib/api.js";
import { plural } from "../../lib/format.js";
import { h, replace } from "../../lib/h.js";
import { newest } from "../../lib/newest.js";
import { setQuery } from "../../lib/router.js";
import { problemNote } from "../problem.js";
import { asText } from "./alerts/as_text.js";
import { budgetCurve } from "./alerts/budget.js";
import { messagesByRule, showPreview } from "./alerts/preview.js";
import { ruleFields } from "./alerts/rule_form.js";
import { newRule, ruleInWords } from "./alerts/rule_words.js";
import { windowsSection } from "./alerts/windows.js";
import { asCommand } from "./command.js";
import { faultsBelow } from "./fields.js";

/**
 * @typedef {import("../../shapes").AlertRule} AlertRule
 * @typedef {import("../../shapes").AlertRules} AlertRules
 */

const TYPING_MS = 300;
const NEW = "new";
const SPANS = [7, 30, 90];

/** @param {URLSearchParams} query */
export function alertsPart(query) {
  let params = query;
  /** @type {AlertRules | null} */
  let kept = null;
  /** @type {ReturnType<typeof editor> | null} */
  let editing = null;
  /** What the form is open for. */
  let open = "";
  let timer = 0;
  const begin = newest();
  /** Of the preview that was asked for last. */
  let isNewest = begin();
  const said = h("div");
  const list = h("div");
  const form = h("div");
  const days = /** @type {HTMLSelectElement} */ (h("select", { id: "preview-days", onchange: () => preview() }, SPANS.map((span) => h("option", { value: String(span), selected: span === 30 }, `${span} days`))));
  const would = h("div.would-tell");
  const windows = h("div");
  const text = asText(load);
  const command = asCommand();
  const element = h("div.alerts", null, said, list, form, h("section", null, h("h2", null, "What would have been told"), h("div.inline-form", null, h("label", { for: "preview-days" }, "Of the last"), days), would), windows, text.element, command.element);

  /** What stands in the form is part of it. @returns {AlertRule[]} */
  function wanted() {
    const rules = kept?.rules ?? [];
    if (!editing) return rules;
    const changed = editing.fields.value();
    return open === NEW ? [...rules, changed] : rules.map((rule) => (rule.name === open ? changed : rule));
  }

  /**
   * @param {AlertRule[]} rules
   * @param {string} done
   */
  async function save(rules, done) {
    const isUnchanged = isNewest;
    try {
      await put("/rules", { rules }, etagOf("/rules"));
      replace(said, h("p", { role: "status" }, `${done} The engine goes by it within seconds.`));
      if (open) setQuery({ rule: null });
      await load();
    } catch (problem) {
      if (!editing || !editing.faults(problem, place())) replace(said, problemNote(problem));
      if (!isUnchanged()) preview(); // The form was changed meanwhile: these are the faults of what stood there.
    }
  }

  /** The place of the rule in the form among those that are sent. */
  const place = () => (open === NEW ? (kept?.rules?.length ?? 0) : (kept?.rules ?? []).findIndex(({ name }) => name === open));

  /**
   * @param {AlertRule} rule
   */
  function editor(rule) {
    const fields = ruleFields(rule, { windows: (kept?.windows ?? []).map(({ name }) => name), targets: kept?.targets ?? [] }, later);
    const others = h("div");
    const curve = budgetCurve((score) => {
      fields.minScore.value = score <= 0.5 ? "" : String(score);
      fields.budget.value = "";
      later();
    });
    const element = h("form.rule-form", { "aria-label": open === NEW ? "New rule" : `Rule ${rule.name}`, novalidate: true, onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      save(wanted(), "Saved.");
    } }, h("h2", null, open === NEW ? "New rule" : `Rule ${rule.name}`), fields.element, curve.element, others, h("div.actions", null, h("button.primary", { type: "submit" }, "Save the rule"), h("button", { type: "button", onclick: () => setQuery({ rule: null }) }, "Cancel")));
    return {
      element,
      fields,
      curve,
      /**
       * Shows what is wrong, each at its field; tells whether anything is.
       * @param {unknown} problem
       * @param {number} at
       */
      faults(problem, at) {
        const { own, others: foreign } = faultsBelow(problem, `/rules/${at}`);
        const rest = [...fields.show(own), ...foreign];
        replace(others, rest.map(({ detail }) => problemNote(detail)));
        return own.length + foreign.length > 0;
      },
    };
  }

  function later() {
    clearTimeout(timer);
    timer = window.setTimeout(preview, TYPING_MS);
  }

  async function preview() {
    if (!kept) return;
    const isLast = begin();
    isNewest = isLast;
    const rules = wanted();
    const name = editing?.fields.value().name;
    const own = kept.rules === null ? {} : { rules };
    command.show("PUT", url("/rules"), ["-H 'Content-Type: application/json'", "-H 'If-Match: …'", `-d '${JSON.stringify(own).replaceAll("'", `'\\''`)}'`]);
    try {
      const found = /** @type {import("../../shapes").AlertsPreview} */ (await post("/rules/preview", { ...own, days: Number(days.value), ...(editing && name ? { curve_of: name } : {}) }));
      if (!isLast()) return;
      showPreview(would, found, Number(days.value));
      showCounts(messagesByRule(found));
      if (editing) {
        editing.faults(null, 0);
        const { minScore, budget } = editing.fields;
        if (found.curve) editing.curve.show(found.curve, budget.value === "" ? Number(minScore.value || 0.5) : null);
      }
    } catch (problem) {
      if (!isLast()) return;
      if (!editing || !editing.faults(problem, place())) replace(would, problemNote(problem));
    }
  }

  /** @param {Map<string, number>} counts */
  function showCounts(counts) {
    for (const item of list.querySelectorAll("li")) {
      const count = item.querySelector(".rule-count");
      if (count) replace(count, `${plural(counts.get(item.dataset.rule ?? "") ?? 0, "message")} in ${days.value} days`);
    }
  }

  /** @param {AlertRules} now */
  function showList(now) {
    const rules = now.rules ?? [];
    const move = (/** @type {number} */ at, /** @type {number} */ by) => {
      const moved = [...rules];
      [moved[at], moved[at + by]] = [moved[at + by], moved[at]];
      save(moved, "Moved.");
    };
    replace(
      list,
      now.fault ? problemNote(`The file cannot be used as it stands, and the engine goes by what it said before: ${now.fault}`) : null,
      now.rules === null && !now.fault ? h("p", null, "The rules of this file are not written as tables of their own: change them in its text, below.") : null,
      h("p", null, rules.length ? (now.mode === "all" ? "Every rule that an incident fulfils is followed." : "The first rule that an incident fulfils decides.") : now.targets.length ? `Without a rule all targets (${now.targets.join(", ")}) are told of every incident but lone alarms.` : "Nobody is told of anything: there is no target. The file names them; see Targets."),
      h(
        "ol.rule-list",
        null,
        rules.map((rule, i) =>
          h(
            "li",
            { dataset: { rule: rule.name ?? "" } },
            h("div", null, h("strong", null, rule.name), h("span.hint.rule-count"), h("p", null, ruleInWords(rule, now.targets).join("; "), ".")),
            h(
              "div.actions",
              null,
              h("button.quiet", { type: "button", "aria-label": `Edit ${rule.name}`, onclick: () => setQuery({ rule: rule.name }, { push: true }) }, "Edit"),
              h("button.quiet", { type: "button", "aria-label": `Move ${rule.name} up`, disabled: i === 0, onclick: () => move(i, -1) }, "↑"),
              h("button.quiet", { type: "button", "aria-label": `Move ${rule.name} down`, disabled: i === rules.length - 1, onclick: () => move(i, 1) }, "↓"),
              h("button.quiet", { type: "button", "aria-label": `Delete ${rule.name}`, onclick: () => confirm(`Delete the rule “${rule.name}”?`) && save(rules.filter((one) => one !== rule), "Deleted.") }, "Delete"),
            ),
          ),
        ),
      ),
      now.rules === null || !now.targets.length ? null : h("button", { type: "button", onclick: () => setQuery({ rule: NEW }, { push: true }) }, "Add a rule"),
    );
  }

  /** Opens the form of the rule that the address names. */
  function showForm() {
    const name = params.get("rule") ?? "";
    const rules = kept?.rules ?? [];
    const rule = name === NEW ? newRule(rules.map((one) => one.name ?? "")) : rules.find((one) => one.name === name);
    editing?.curve.close();
    editing = null;
    open = rule ? name : "";
    if (rule) editing = editor(rule);
    replace(form, editing?.element);
    if (editing) editing.fields.name.focus();
  }

  async function load() {
    try {
      kept = await get("/rules");
    } catch (problem) {
      replace(list, problemNote(problem, load));
      return;
    }
    const now = /** @type {AlertRules} */ (kept);
    showList(now);
    showForm();
    replace(windows, windowsSection(now));
    text.show(now.text);
    preview();
  }

  load();
  return {
    element,
    /** @param {URLSearchParams} changed */
    update(changed) {
      params = changed;
      if ((params.get("rule") ?? "") === open) return;
      showForm();
      preview();
    },
    close() {
      clearTimeout(timer);
      editing?.curve.close();
    },
  };
}
