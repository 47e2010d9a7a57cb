/** Scoring a file that is no metric of this installation: what `htmengine detect` does, in the page. */
import { Problem, get, upload, url } from "../../lib/api.js";
import { clock, moment, score, span } from "../../lib/format.js";
import { usualStep, withGaps } from "../../lib/columns.js";
import { h, replace } from "../../lib/h.js";
import { causeInShort } from "../../lib/words.js";
import { MetricChart } from "../../draw/chart.js";
import { problemNote } from "../problem.js";
import { asCommand, quoted } from "./command.js";
import { fileDrop } from "./file_drop.js";
import { followJob } from "./job.js";

/** @typedef {{start: number, end: number, peak: number, score: number, cause: string | null, sentence: string | null}} Found */

export function detectPart() {
  const start = /** @type {HTMLButtonElement} */ (h("button.primary", { type: "submit", disabled: true }, "Score"));
  const progress = h("div.job");
  const result = h("div.detect-result");
  const command = asCommand();
  const drop = fileDrop(changed);
  /** @type {MetricChart | null} */
  let chart = null;
  let stop = () => {};
  const element = h("form", { onsubmit: submit }, h("p", null, "A model of its own learns the file from its first row to its last. Nothing is stored as a metric."), drop.element, h("div.inline-form", null, start), progress, result, command.element);

  function changed() {
    const chosen = drop.chosen();
    start.disabled = !chosen;
    if (chosen) command.show("POST", url("/detect", { time: chosen.time, value: chosen.value }), ["-H 'Content-Type: text/csv'", `--data-binary ${quoted(`@${chosen.file.name}`)}`]);
  }

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    const chosen = drop.chosen();
    if (!chosen) return;
    stop();
    replace(result);
    try {
      const job = await upload("/detect", chosen.file, { time: chosen.time, value: chosen.value });
      stop = followJob(progress, job, async (done) => {
        try {
          show(await get(new URL(done.result_url ?? "", url("/")).pathname.replace(/^.*\/api\/v1/, "")));
        } catch (problem) {
          replace(result, problemNote(problem));
        }
      });
    } catch (problem) {
      const missing = problem instanceof Problem && problem.status === 404;
      replace(progress, missing ? h("p", null, "This engine scores no files over HTTP. On the terminal: ", h("code", null, `htmengine detect ${quoted(chosen.file.name)} --value ${quoted(chosen.value)}`)) : problemNote(problem));
    }
  }

  /** @param {{summary: string, incidents: Found[], data: {columns: string[], rows: (number | null)[][]}}} told */
  function show({ summary, incidents, data }) {
    const column = (/** @type {string} */ name) => data.rows.map((row) => row[data.columns.indexOf(name)] ?? null);
    const time = /** @type {number[]} */ (column("time"));
    const series = withGaps({ time, columns: Object.fromEntries(data.columns.filter((name) => name !== "time").map((name) => [name, column(name)])) }, 10 * usualStep(time));
    const values = new Map(time.map((at, i) => [at, column("value")[i]]));
    /** @type {import("../../shapes").Alarm[]} */
    const alarms = incidents.map((one, i) => /** @type {any} */ ({ rowid: i, time: one.peak, value: values.get(one.peak) ?? 0, log_score: one.score, direction: "pattern" }));
    /** @type {[number, number]} */
    const whole = [time[0] ?? 0, time[time.length - 1] ?? 1];
    const box = h("div.chart-box");
    replace(
      result,
      h("h2", null, summary),
      h("figure.chart", null, box),
      incidents.length
        ? h("div.table-scroll", { tabindex: "0", role: "region", "aria-label": "Incidents" }, h("table.data", null, h("thead", null, h("tr", null, ["From", "Length", "Score", "Cause", "Why"].map((title) => h("th", { scope: "col" }, title)))), h("tbody", null, incidents.map((one) => h("tr", null, h("td", null, h("button.quiet", { type: "button", title: moment(one.start), onclick: () => around(one) }, clock(one.start))), h("td", null, span(one.end - one.start)), h("td.number", null, score(one.score)), h("td", null, causeInShort(one.cause)), h("td", null, one.sentence ?? ""))))))
        : null,
    );
    chart?.close();
    chart = new MetricChart(box, { zoom: (to) => chart?.show(series, alarms, to), back: () => chart?.show(series, alarms, whole) });
    chart.show(series, alarms, whole);

    /** @param {Found} one */
    function around(one) {
      const margin = Math.max(3 * (one.end - one.start), (whole[1] - whole[0]) / 50);
      chart?.show(series, alarms, [one.start - margin, one.end + margin]);
      box.scrollIntoView({ block: "nearest" });
    }
  }

  return {
    element,
    close() {
      stop();
      chart?.close();
    },
  };
}
