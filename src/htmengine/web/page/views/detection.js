/** What was found in a file: the series with its scores, and the list of its incidents. It asks for nothing: all is there. */
import { clock, count, full, moment, plural, range, rarity, score, short, span } from "../lib/format.js";
import { h, replace, setText } from "../lib/h.js";
import { causeInShort, mark } from "../lib/words.js";
import { MetricChart } from "../draw/chart.js";
import { scoreStep } from "../draw/colours.js";
import { Minimap } from "../draw/minimap.js";

/** @typedef {import("../shapes").Detection} Detection */
/** @typedef {[number, number]} Span */

const SHORTEST_SHARE = 1e-5;
const MARGIN_SHARE = 50;

/**
 * Returns what shows a detection.
 * @param {Detection} told
 * @returns {{element: HTMLElement, close: () => void}}
 */
export function detectionView(told) {
  const { time, ...columns } = told.columns;
  const series = { time, columns };
  /** @type {Span} */
  const whole = [time[0], Math.max(time[time.length - 1], time[0] + 1)];
  /** @type {Span[]} what was seen before each zoom */
  const before = [];
  let shown = whole;
  /** @type {import("../shapes").Alarm[]} */
  const marks = told.anomalous ? told.incidents.map((one, i) => /** @type {any} */ ({ rowid: i, time: one.peak, value: one.value, log_score: one.log_score, direction: one.direction })) : [];
  const readout = h("output.readout", { "aria-live": "off" });
  const plot = h("div.chart-box");
  const caption = h("figcaption.hint", null, "Drag to zoom, double-click to go back, wheel to zoom where the pointer is.");
  const chart = new MetricChart(plot, {
    threshold: told.threshold,
    zoom: (to) => zoom(to, true),
    back: () => before.length && show(/** @type {Span} */ (before.pop())),
    choose: (alarm) => choose(alarm.rowid, false),
    point: pointed,
  });
  const minimap = new Minimap((to) => zoom(to, false));
  const figure = h(
    "figure.chart",
    { tabindex: "0", role: "group", "aria-label": "Chart. Left and right arrows move the cursor, with shift ten rows; f shows everything.", onkeydown: key },
    readout,
    plot,
    caption,
  );
  const rows = told.incidents.map((one, i) => incidentRow(one, i));
  const element = h(
    "div.detection",
    null,
    h("p.facts", null, told.summary),
    told.notes.map((note) => h("p.hint", null, note)),
    figure,
    minimap.element,
    told.incidents.length ? table() : null,
  );
  minimap.show(series, shown);
  show(whole);

  /** @param {Span} to */
  function show(to) {
    shown = to;
    chart.show(series, marks, to, null, told.anomalous ? told.incidents.map(({ start, end }) => /** @type {Span} */ ([start, end])) : []);
    minimap.place(to);
  }

  /**
   * @param {Span} to
   * @param {boolean} remember
   */
  function zoom([from, to], remember) {
    if (remember) before.push(shown);
    const length = Math.min(whole[1] - whole[0], Math.max(to - from, (whole[1] - whole[0]) * SHORTEST_SHARE));
    const start = Math.max(whole[0], Math.min(from, whole[1] - length));
    show([start, start + length]);
  }

  /**
   * @param {number} i
   * @param {boolean} go
   */
  function choose(i, go) {
    rows.forEach((row, at) => row.classList.toggle("chosen", at === i));
    if (go) {
      const { start, end, peak } = told.incidents[i];
      const margin = Math.max(3 * (end - start), (whole[1] - whole[0]) / MARGIN_SHARE);
      zoom([Math.min(start, peak) - margin, end + margin], true);
      figure.scrollIntoView({ block: "nearest" });
    } else rows[i].scrollIntoView({ block: "nearest" });
    chart.choose(marks[i] ?? null);
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    if (event.key === "f") return zoom(whole, true);
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    event.preventDefault();
    readout.setAttribute("aria-live", "polite");
    chart.step((event.key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 10 : 1));
  }

  /** @param {import("../draw/chart.js").Cursor | null} at */
  function pointed(at) {
    if (!at) return setText(readout, "");
    const { value, low, high, forecast, log_score: unusual } = at.values;
    const parts = [moment(at.time), value == null ? "no value" : `${told.value} ${short(value)}`];
    if (low != null && high != null) parts.push(`usual ${range([low, high])}`);
    if (forecast != null) parts.push(`forecast ${short(forecast)}`);
    if (unusual != null) parts.push(`score ${score(unusual)}`);
    setText(readout, parts.join(" · "));
  }

  /**
   * @param {Detection["incidents"][number]} one
   * @param {number} i
   */
  function incidentRow(one, i) {
    const peak = h("button.quiet", { type: "button", title: moment(one.peak), onclick: () => choose(i, true) }, moment(one.peak));
    return h(
      "tr",
      null,
      h("td.number", null, count(i + 1)),
      h("td", null, peak),
      h("td.number", { title: full(one.value) }, short(one.value)),
      h("td.number", null, one.usual ? range(one.usual) : "–"),
      h("td.score-of-row", null, h(`span.mark.step-${scoreStep(one.log_score)}`, { "aria-hidden": true }, mark(one.direction).glyph), ` ${score(one.log_score)}`),
      h("td.number", null, rarity(one.one_in) || "–"),
      h("td", { title: one.sentence ?? "" }, one.reason ?? causeInShort(one.cause)),
      told.anomalous ? [h("td", { title: moment(one.start) }, clock(one.start)), h("td.number", null, one.end > one.start ? span(one.end - one.start) : "–"), h("td.number", null, count(one.rows))] : [],
      h("td.number", null, count(one.line)),
    );
  }

  function table() {
    const titles = ["#", "Peak", "Value", "Usual", "Score", "How rare", "Why", ...(told.anomalous ? ["Start", "Lasts", "Rows"] : []), "Line"];
    const numbers = new Set(["#", "Value", "Usual", "How rare", "Lasts", "Rows", "Line"]);
    return h(
      "div.table-scroll.found",
      { tabindex: "0", role: "region", "aria-label": told.anomalous ? plural(told.incidents.length, "incident") : "The strongest rows" },
      h("table.data", null, h("thead", null, h("tr", null, titles.map((title) => h(numbers.has(title) ? "th.number" : "th", { scope: "col" }, title)))), h("tbody", null, rows)),
    );
  }

  return {
    element,
    close() {
      chart.close();
      minimap.close();
    },
  };
}

/**
 * Shows a detection in an element, in the place of what is there.
 * @param {HTMLElement} element
 * @param {Detection} told
 */
export function showDetection(element, told) {
  const box = h("section", { "aria-label": told.title });
  replace(element, box);
  const view = detectionView(told);
  replace(box, view.element);
  return view.close;
}
