/** The rules for what comes in: the file as text, with what each rule would do before it is saved, and which rules apply to a name. */
import { etagOf, get, post, put, url } from "../../lib/api.js";
import { count, plural } from "../../lib/format.js";
import { h, replace } from "../../lib/h.js";
import { newest } from "../../lib/newest.js";
import { setQuery } from "../../lib/router.js";
import { may } from "../../lib/session.js";
import { problemNote } from "../problem.js";
import { ruleWay } from "../rule_way.js";
import { dataTable } from "../table.js";
import { asCommand } from "./command.js";

/** @typedef {import("../../shapes").MonitorRule} MonitorRule */

const TYPING_MS = 250;
const EXAMPLES = 3;

/** @param {URLSearchParams} query */
export function monitorPart(query) {
  let params = query;
  const area = /** @type {HTMLTextAreaElement} */ (h("textarea.file-text", { id: "monitor-text", rows: "16", disabled: true, spellcheck: "false", autocomplete: "off", oninput: later }));
  const save = /** @type {HTMLButtonElement} */ (h("button.primary", { type: "submit" }, "Save rules"));
  const said = h("div");
  const faults = h("div", { role: "status" });
  const summary = h("p.preview-summary", { role: "status" });
  const body = h("tbody");
  const place = h("p.hint");
  const command = asCommand();
  const pattern = /** @type {HTMLInputElement} */ (h("input", { id: "new-pattern", placeholder: "web.*", spellcheck: "false", autocomplete: "off" }));
  const action = /** @type {HTMLSelectElement} */ (h("select", { "aria-label": "What is done with them" }, [["monitor", "are watched"], ["ignore", "are stored, not watched"], ["drop", "are not stored"]].map(([value, words]) => h("option", { value }, words))));
  const add = /** @type {HTMLButtonElement} */ (h("button", { type: "submit", disabled: true }, "Add as the first rule"));
  const adding = h("form.inline-form", { onsubmit: addRule }, h("label", { for: "new-pattern" }, "Metrics that fit"), pattern, action, add);
  const name = /** @type {HTMLInputElement} */ (h("input", { id: "tried-name", placeholder: "web.requests", spellcheck: "false", autocomplete: "off", value: params.get("name") ?? "" }));
  const way = h("div", { role: "status" });
  const trying = h("form.inline-form", { onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    setQuery({ name: name.value.trim() });
  } }, h("label", { for: "tried-name" }, "Of the metric"), name, h("button", { type: "submit" }, "Which rules apply"));
  const element = h(
    "div",
    null,
    h("p", null, "Samples go through the rules from the first to the last; the first that fits and has an action decides whether a metric is watched."),
    dataTable("Rules", ["Rule", "Fits", "Says", "Metrics", "For example"], body, "rules"),
    summary,
    h("form", { onsubmit: saveRules }, h("label", { for: "monitor-text" }, "monitor-rules.conf"), area, faults, h("div.actions", null, save), said, place),
    adding,
    h("h2", null, "Which rules apply, and why"),
    trying,
    way,
    command.element,
  );
  let timer = 0;
  const [beginPreview, beginWay] = [newest(), newest()];

  function later() {
    clearTimeout(timer);
    timer = window.setTimeout(preview, TYPING_MS);
  }

  /** @param {Event} event */
  function addRule(event) {
    event.preventDefault();
    const fits = pattern.value.trim();
    if (!fits) return pattern.focus();
    // Rules that change names stand before all others.
    const text = area.value;
    const names = new Set([...text.matchAll(/^\[(.*)\]/gm)].map((match) => match[1]));
    let section = fits.replace(/[[\]\n;#]/g, "");
    while (names.has(section)) section += " too";
    const sections = text.split(/^(?=\[)/m);
    const at = sections.findLastIndex((one) => /^(rename|keep_tags|drop_tags)\s*[=:]/m.test(one)) + 1 || (sections[0]?.startsWith("[") ? 0 : 1);
    sections.splice(at, 0, `[${section}]\npattern = ${fits}\naction = ${action.value}\n\n`);
    area.value = sections.join("").trim() + "\n";
    pattern.value = "";
    preview();
  }

  async function preview() {
    const isNewest = beginPreview();
    const text = area.value;
    command.show("PUT", url("/monitor-rules"), ["-H 'Content-Type: application/json'", "-H 'If-Match: …'", `-d '${JSON.stringify({ text }).replaceAll("'", `'\\''`)}'`]);
    try {
      const found = /** @type {import("../../shapes").RulesPreview} */ (await post("/monitor-rules/preview", { text }));
      if (!isNewest()) return;
      replace(faults);
      show(found.rules);
      const over = found.capacity !== null && found.would_monitor > found.capacity;
      replace(summary, h("strong", null, `${plural(found.would_monitor, "metric")} would be watched`), `, ${count(found.would_leave)} not; ${count(found.monitored)} are now.`, found.capacity === null ? "" : over ? ` This machine manages about ${count(found.capacity)}: too many.` : ` This machine manages about ${count(found.capacity)}.`);
    } catch (problem) {
      if (isNewest()) showFaults(problem);
    }
  }

  /** @param {MonitorRule[]} rules */
  function show(rules) {
    replace(body, rules.length ? rules.map((rule) => h("tr", null, h("td", null, h("button.quiet", { type: "button", title: `Line ${rule.line}`, onclick: () => goToLine(rule.line) }, rule.name)), h("td", null, h("code", null, rule.pattern)), h("td", null, rule.says), h("td.number", null, rule.action ? count(rule.matches ?? 0) : ""), h("td.examples.hint", null, (rule.examples ?? []).slice(0, EXAMPLES).join(", ")))) : h("tr", null, h("td", { colspan: "5" }, "There are no rules: nothing is watched by itself.")));
  }

  /** Shows every fault of the text, with the way to its line. @param {unknown} problem */
  function showFaults(problem) {
    const errors = /** @type {import("../../lib/api.js").Problem} */ (problem)?.errors ?? [];
    replace(faults, errors.length ? errors.map(({ detail }) => {
      const line = Number(/line (\d+)/.exec(detail)?.[1] ?? 0);
      return h("p.problem", null, detail.replace(/^.*?: (?=line )/, ""), line ? h("button.quiet", { type: "button", onclick: () => goToLine(line) }, "To the line") : null);
    }) : problemNote(problem));
  }

  /** @param {number} line from 1 */
  function goToLine(line) {
    const lines = area.value.split("\n");
    const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    area.focus();
    area.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
    area.scrollTop = (area.scrollHeight / lines.length) * Math.max(0, line - 4);
  }

  /** @param {Event} event */
  async function saveRules(event) {
    event.preventDefault();
    try {
      await put("/monitor-rules", { text: area.value }, etagOf("/monitor-rules"));
      await load();
      replace(said, h("p", { role: "status" }, "Saved. The engine goes by it within seconds; for the metrics that there are: ", h("code", null, "htmengine rules apply"), "."));
    } catch (problem) {
      if (/** @type {import("../../lib/api.js").Problem} */ (problem)?.errors?.length) showFaults(problem);
      else replace(said, problemNote(problem));
    }
  }

  async function showWay() {
    const wanted = params.get("name") ?? "";
    name.value = wanted;
    const isNewest = beginWay();
    if (!wanted) return replace(way);
    try {
      const found = await get("/monitor-rules/way", { name: wanted });
      if (isNewest()) replace(way, ruleWay(found));
    } catch (problem) {
      if (isNewest()) replace(way, problemNote(problem));
    }
  }

  async function load() {
    try {
      const kept = /** @type {import("../../shapes").MonitorRules} */ (await get("/monitor-rules"));
      const editable = kept.editable && may("admin");
      save.hidden = command.element.hidden = !editable;
      replace(place, kept.path && kept.editable ? ["The rules are kept in ", h("code", null, kept.path), editable ? "." : "; to save them needs a token with the scope “admin”."] : "This engine has no place for a file of rules: start it with a data folder or a configuration directory.");
      area.value = kept.text;
      area.disabled = add.disabled = false; // what is typed or added before would be lost
      replace(said);
      show(kept.rules);
      await preview();
    } catch (problem) {
      replace(said, problemNote(problem, load));
    }
  }

  load();
  showWay();
  return {
    element,
    /** @param {URLSearchParams} changed */
    update(changed) {
      params = changed;
      showWay();
    },
    close: () => clearTimeout(timer),
  };
}
