/** The pane beside the list: the metric that keys act on, without leaving the list. */
import { get } from "../../lib/api.js";
import { rarity, score, short, range } from "../../lib/format.js";
import { h, replace } from "../../lib/h.js";
import { link } from "../../lib/router.js";
import { windowOf } from "../../lib/windows.js";
import { MetricChart } from "../../draw/chart.js";
import { loadData } from "../metric/load.js";
import { problemNote } from "../problem.js";

const SETTLE_MS = 120;

export class Preview {
  constructor() {
    this.element = h("aside.preview", { "aria-label": "Preview", hidden: true });
    this.uid = "";
    this.timer = 0;
    /** @type {MetricChart | null} */
    this.chart = null;
  }

  close() {
    clearTimeout(this.timer);
    this.chart?.close();
    this.chart = null;
  }

  /**
   * @param {import("../../shapes").MetricRow | null} row
   * @param {URLSearchParams} params
   */
  update(row, params) {
    this.element.hidden = !params.has("preview");
    const key = row ? `${row.uid} ${params.get("w")} ${params.get("at")}` : "";
    if (key === this.uid) return;
    this.uid = key;
    clearTimeout(this.timer);
    if (row) this.timer = window.setTimeout(() => this.show(row, windowOf(params)), SETTLE_MS);
    else if (params.has("preview")) replace(this.element, h("p.hint", null, "Move with j and k."));
  }

  /**
   * @param {import("../../shapes").MetricRow} row
   * @param {{from: number, to: number}} span
   */
  async show(row, { from, to }) {
    this.close();
    const figure = h("div.chart-box");
    const said = h("p.sentence-small");
    replace(
      this.element,
      h("h2", null, h("a", { href: link(`m/${row.uid}`) }, row.name)),
      h("p.facts", null, row.last ? `now ${short(row.last.value)}` : "", row.usual ? `, usual ${range(row.usual)}` : "", row.log_score !== null ? `, score ${score(row.log_score)}` : "", row.one_in ? `, ${rarity(row.one_in)}` : ""),
      figure,
      said,
    );
    const shown = this.uid;
    try {
      const [data, alarms] = await Promise.all([loadData(row.uid, { from, to, points: 600 }), get(`/metrics/${row.uid}/alarms`, { from, to, limit: 50 })]);
      if (shown !== this.uid) return;
      this.chart = new MetricChart(figure, { compact: true });
      this.chart.show(data, alarms.items, [from, to]);
      replace(said, alarms.items[0]?.sentence ?? row.why_no_score?.text ?? "No alarm in this window.");
    } catch (problem) {
      if (shown === this.uid) replace(said, problemNote(problem));
    }
  }
}
