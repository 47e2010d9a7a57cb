/** The rules that say which metrics are watched, with what each would do before it is saved. */
import { etagOf, get, post, put, url } from "../../lib/api.js";
import { count, plural } from "../../lib/format.js";
import { h, replace, setText } from "../../lib/h.js";
import { problemNote } from "../problem.js";
import { asCommand } from "./command.js";

/** @typedef {import("../../shapes").MonitorRule} MonitorRule */

const TYPING_MS = 250;

/**
 * Returns rules as the file has them.
 * @param {{name?: string, pattern: string, monitor: boolean, limit?: number}[]} rules
 */
export function asLines(rules) {
  return rules
    .map(({ name, pattern, monitor, limit }, i) => [`[${name ?? `rule-${i + 1}`}]`, `pattern = ${pattern}`, `action = ${monitor ? "monitor" : "ignore"}`, ...(limit ? [`limit = ${limit}`] : [])].join("\n"))
    .join("\n\n");
}

export function monitorPart() {
  const body = h("tbody");
  const summary = h("p.preview-summary", { role: "status" });
  const said = h("div");
  const place = h("p.hint");
  const text = h("code");
  const lines = h("pre", { tabindex: "0", "aria-label": "Lines for monitor-rules.conf" }, text);
  const command = asCommand();
  const save = /** @type {HTMLButtonElement} */ (h("button.primary", { type: "submit" }, "Save rules"));
  const add = h("button", { type: "button", onclick: () => addRule({ pattern: "", monitor: true }, true) }, "Add a rule");
  const form = h(
    "form",
    { onsubmit: saveRules },
    h("p", null, "A metric is watched by the first rule whose pattern fits its name. ", h("code", null, "web.*"), " fits every name that begins with “web.”."),
    h("div.table-scroll", { tabindex: "0", role: "region", "aria-label": "Rules" }, h("table.data.rules", null, h("thead", null, h("tr", null, ["Pattern", "Watched", "Metrics", "For example", ""].map((title) => h("th", { scope: "col" }, title || h("span.hidden-text", null, "Remove"))))), body)),
    h("div.actions", null, add, save),
    summary,
    said,
    place,
    lines,
    command.element,
  );
  let timer = 0;

  /** @type {{element: HTMLElement, pattern: HTMLInputElement, monitor: HTMLInputElement, matches: HTMLElement, examples: HTMLElement, rule: MonitorRule}[]} */
  let rows = [];

  /**
   * @param {MonitorRule} rule
   * @param {boolean} focus
   */
  function addRule(rule, focus) {
    const pattern = /** @type {HTMLInputElement} */ (h("input", { "aria-label": "Pattern", value: rule.pattern, required: true, spellcheck: "false", oninput: later }));
    const monitor = /** @type {HTMLInputElement} */ (h("input", { type: "checkbox", "aria-label": "Watched", checked: rule.monitor, onchange: later }));
    const matches = h("td.number", null, rule.matches === undefined ? "" : count(rule.matches));
    const examples = h("td.examples.hint");
    const row = { pattern, monitor, matches, examples, rule, element: h("tr") };
    const remove = h("button.quiet", { type: "button", onclick: () => {
      rows = rows.filter((one) => one !== row);
      row.element.remove();
      later();
    } }, "Remove");
    row.element.append(h("td", null, pattern), h("td", null, monitor), matches, examples, h("td", null, remove));
    rows.push(row);
    body.append(row.element);
    if (focus) pattern.focus();
  }

  const rules = () => rows.filter(({ pattern }) => pattern.value.trim()).map(({ pattern, monitor, rule }) => ({ ...(rule.name ? { name: rule.name } : {}), ...(rule.limit ? { limit: rule.limit } : {}), pattern: pattern.value.trim(), monitor: monitor.checked }));

  function later() {
    clearTimeout(timer);
    timer = window.setTimeout(preview, TYPING_MS);
  }

  async function preview() {
    const wanted = rules();
    setText(text, asLines(wanted));
    command.show("PUT", url("/monitor-rules"), ["-H 'Content-Type: application/json'", "-H 'If-Match: …'", `-d '${JSON.stringify({ rules: wanted }).replaceAll("'", `'\\''`)}'`]);
    try {
      const found = /** @type {import("../../shapes").RulesPreview} */ (await post("/monitor-rules/preview", { rules: wanted }));
      rows.filter(({ pattern }) => pattern.value.trim()).forEach((row, i) => {
        replace(row.matches, count(found.rules[i]?.matches ?? 0));
        replace(row.examples, (found.rules[i]?.examples ?? []).slice(0, 3).join(", "));
      });
      const over = found.capacity !== null && found.would_monitor > found.capacity;
      replace(summary, h("strong", null, `${plural(found.would_monitor, "metric")} would be watched`), `, ${count(found.would_leave)} not; ${count(found.monitored)} are now.`, found.capacity === null ? "" : over ? ` This machine manages about ${count(found.capacity)}: too many.` : ` This machine manages about ${count(found.capacity)}.`);
      replace(said);
    } catch (problem) {
      replace(said, problemNote(problem));
    }
  }

  /** @param {Event} event */
  async function saveRules(event) {
    event.preventDefault();
    try {
      await put("/monitor-rules", { rules: rules() }, etagOf("/monitor-rules"));
      await load();
      replace(said, h("p", { role: "status" }, "Saved. New metrics go by these rules at once."));
    } catch (problem) {
      replace(said, problemNote(problem));
    }
  }

  async function load() {
    try {
      const kept = /** @type {import("../../shapes").MonitorRules} */ (await get("/monitor-rules"));
      save.hidden = command.element.hidden = !kept.editable;
      lines.hidden = kept.editable;
      replace(place, kept.path ? ["The rules are kept in ", h("code", null, kept.path), kept.editable ? "." : ". What you try here becomes valid once it stands there:"] : "There are no rules: nothing is watched by itself. They belong into monitor-rules.conf, beside the engine's configuration:");
      if (kept.fault) place.append(" It cannot be used as it stands: ", kept.fault);
      rows = [];
      replace(body);
      kept.rules.forEach((rule) => addRule(rule, false));
      if (!kept.rules.length) addRule({ pattern: "*", monitor: true }, false);
      await preview();
    } catch (problem) {
      replace(said, problemNote(problem, load));
    }
  }

  load();
  return { element: form, close: () => clearTimeout(timer) };
}
