/** Back-test: what other models and rules would have told in a time that has passed, side by side with what was. */
import { get, post, url } from "../../lib/api.js";
import { count, moment, short, span } from "../../lib/format.js";
import { h, replace } from "../../lib/h.js";
import { query, setQuery } from "../../lib/router.js";
import { may } from "../../lib/session.js";
import { problemNote } from "../problem.js";
import { dataTable } from "../table.js";
import { asCommand } from "./command.js";
import { followJob } from "./job.js";

/** @typedef {import("../../shapes").Backtest} Backtest */

const DAY_S = 86_400;
const SPANS = [7, 14, 28, 90];
const MOST_RULES = 5;
/** @type {[string, string][]} */
const MODELS = [["default", "the default of today, new from the oldest row on"], ["nupic", "nupic"], ["nupic-tm", "nupic-tm"], ["nupic-0.3", "nupic-0.3"]];

export function backtestPart() {
  const match = /** @type {HTMLInputElement} */ (h("input", { id: "backtest-match", value: query().get("match") ?? "*", required: true, spellcheck: "false", autocomplete: "off", oninput: changed }));
  const days = /** @type {HTMLSelectElement} */ (h("select", { id: "backtest-days", onchange: changed }, SPANS.map((one) => h("option", { value: String(one), selected: String(one) === (query().get("days") ?? "28") }, `${one} days`))));
  const until = /** @type {HTMLInputElement} */ (h("input", { id: "backtest-until", type: "datetime-local", oninput: changed }));
  const models = MODELS.map(([name, words]) => ({ name, box: /** @type {HTMLInputElement} */ (h("input", { type: "checkbox", value: name, onchange: changed })), words }));
  const rules = h("div.tried-rules");
  const add = /** @type {HTMLButtonElement} */ (h("button", { type: "button", onclick: addRules }, "Try other rules beside them"));
  const start = /** @type {HTMLButtonElement} */ (h("button.primary", { type: "submit" }, "Start"));
  const progress = h("div.job");
  const result = h("div.backtest-result");
  const command = asCommand();
  const element = h(
    "form",
    { onsubmit: submit },
    h("p", null, "Nothing is stored or sent. Scores that are stored are taken as they are; new models learn the rows again from the oldest one on."),
    h("div.inline-form", null, h("label", { for: "backtest-match" }, "Metrics"), match, h("label", { for: "backtest-days" }, "over"), days, h("label", { for: "backtest-until" }, "until"), until, h("span.hint", null, "now, where it is empty")),
    h("fieldset", null, h("legend", null, "New models, beside those that there were"), models.map(({ box, name, words }) => h("label", null, box, ` ${name}`, words === name ? null : h("span.hint", null, ` ${words}`)))),
    h("h2", null, "Rules"),
    h("p", null, "Those in use."),
    rules,
    h("div.actions", null, add, start),
    progress,
    result,
    command.element,
  );
  /** @type {HTMLTextAreaElement[]} */
  let texts = [];
  let inUse = "";
  let stop = () => {};

  function wanted() {
    const end = until.value ? new Date(until.value).getTime() / 1000 : Date.now() / 1000;
    const tried = texts.map((area) => area.value);
    return {
      since: Math.round(end - Number(days.value) * DAY_S),
      ...(until.value ? { until: Math.round(end) } : {}),
      match: match.value.trim() || "*",
      models: models.filter(({ box }) => box.checked).map(({ name }) => name),
      rules: tried.length ? [...(inUse.trim() ? [inUse] : []), ...tried] : [],
    };
  }

  function changed() {
    add.disabled = texts.length >= MOST_RULES;
    command.show("POST", url("/backtest"), ["-H 'Content-Type: application/json'", `-d '${JSON.stringify(wanted()).replaceAll("'", `'\\''`)}'`]);
  }

  /** Offers the file as it is, to be changed. */
  async function addRules() {
    if (!inUse && may("admin")) {
      try {
        inUse = (await get("/rules")).text;
      } catch {
        // Without it they begin empty.
      }
    }
    const number = texts.length + 1;
    const area = /** @type {HTMLTextAreaElement} */ (h("textarea.file-text", { id: `tried-rules-${number}`, rows: "10", spellcheck: "false", value: inUse, oninput: changed }));
    const box = h("div.field", null, h("label", { for: area.id }, `Other rules, ${number}: as they stand in alerts.toml`), area, h("button.quiet", { type: "button", onclick: () => {
      texts = texts.filter((one) => one !== area);
      box.remove();
      changed();
    } }, "Leave these out"));
    texts.push(area);
    rules.append(box);
    area.focus();
    changed();
  }

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    stop();
    replace(result);
    setQuery({ match: match.value.trim() === "*" ? null : match.value.trim(), days: days.value === "28" ? null : days.value });
    start.disabled = true;
    try {
      const job = await post("/backtest", wanted());
      stop = followJob(progress, job, async (done) => {
        try {
          show((await get(`/jobs/${done.id}/result`)).document);
        } catch (problem) {
          replace(result, problemNote(problem));
        }
      });
    } catch (problem) {
      replace(progress, problemNote(problem));
    }
    start.disabled = false;
  }

  /** @param {Backtest} found */
  function show({ since, until: end, variants }) {
    const labelled = variants.some(({ labels }) => labels > 0);
    const titles = ["Variant", "Metrics", "Alarms", "Incidents", "Notices", "A week", ...(labelled ? ["Labels", "Alarmed", "Found", "Recall", "Precision", "Delay"] : [])];
    const share = (/** @type {number | null} */ part) => (part === null ? "–" : `${Math.round(100 * part)} %`);
    const cells = (/** @type {Backtest["variants"][number]} */ one) => [count(one.metrics), count(one.alarms), count(one.incidents), count(one.notices), short(one.notices_a_week), ...(labelled ? [count(one.labels), count(one.alarmed), count(one.found), share(one.recall), share(one.precision), one.delay_s === null ? "–" : span(one.delay_s)] : [])];
    const most = Math.max(...variants.map(({ notices_a_week: many }) => many), 1e-9);
    const body = h("tbody", null, variants.map((one) => h("tr", null, h("th", { scope: "row" }, words(one.variant), h("div.meter.wide", { "aria-hidden": true }, bar(one.notices_a_week / most))), cells(one).map((cell) => h("td.number", null, cell)))));
    replace(
      result,
      h("h2", null, "What would have been told"),
      h("p", null, `From ${moment(since)} to ${moment(end)}.`),
      dataTable("Variants", titles, body, "variants"),
      h("p.hint", null, labelled ? "Alarmed: labels with an alarm in them; found: those that were told of; recall: their share; precision: the share of notices about a label." : "No label is stored of this time: what of it was right is not known."),
    );
    result.scrollIntoView({ block: "nearest" });
  }

  /** Names a variant as the form does: what was typed under its number. @param {string} variant */
  function words(variant) {
    return variant.replace(/rules (\d+)/, (_all, number) => {
      const place = Number(number) - (inUse.trim() ? 1 : 0);
      return place === 0 ? "rules in use" : `other rules, ${place}`;
    });
  }

  changed();
  return { element, close: () => stop() };
}

/** @param {number} share */
function bar(share) {
  const fill = h("span.fill");
  fill.style.width = `${Math.round(100 * share)}%`;
  return fill;
}
