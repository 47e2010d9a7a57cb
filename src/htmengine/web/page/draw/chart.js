/**
 * The chart of a metric: values with their usual band and forecast, alarms as shapes; scores as bars on the same time axis.
 *
 * It asks for nothing: whoever owns it gives the data, and is told what a person does with it.
 *
 * @typedef {import("../lib/columns.js").Series} Series
 * @typedef {import("../shapes").Alarm} Alarm
 * @typedef {import("../shapes").SilencedRow} SilencedRow
 *
 * @typedef {object} Options
 * @property {boolean} [compact] low, without keys and wheel
 * @property {(span: [number, number]) => void} [zoom] a span was chosen
 * @property {() => void} [back] what was before the last zoom is wanted
 * @property {(row: {rowid: number}) => void} [choose] an alarm, or a row that was silenced, was chosen
 * @property {(at: Cursor | null) => void} [point] the cursor moved
 * @property {number} [threshold] score of an alarm
 *
 * @typedef {{time: number, values: Record<string, number | null>, alarm: Alarm | null, silenced: SilencedRow | null, events: import("../shapes").FleetEvent[]}} Cursor
 */
import { h } from "../lib/h.js";
import { settings } from "../lib/settings.js";
import { chartDate, timeAxis, valueAxis } from "./axes.js";
import { colour, scoreColour, whenColoursChange } from "./colours.js";
import { drawMark } from "./marks.js";

const ALARM = 0.5;
/** From one line of a hatching to the next, in pixels of the style sheet. */
const HATCH = 7;
const ZOOM_STEP = 1.25;
const NEAR_PX = 12;
const FLAG_PX = 10;
const APART_PX = 11; // marks closer than this to a worse one shrink to a dot

let charts = 0;

export class MetricChart {
  /**
   * @param {HTMLElement} element
   * @param {Options} [options]
   */
  constructor(element, options = {}) {
    this.element = element;
    this.options = options;
    this.threshold = options.threshold ?? ALARM;
    /** @type {Series} */
    this.series = { time: [], columns: {} };
    /** @type {Series | null} */
    this.before = null;
    /** @type {[number, number][]} stretches of time that are shaded */
    this.shaded = [];
    /** @type {Alarm[]} */
    this.alarms = [];
    /** @type {import("../shapes").Label[]} */
    this.labels = [];
    /** @type {import("../shapes").FleetEvent[]} */
    this.events = [];
    /** @type {SilencedRow[]} */
    this.silenced = [];
    /** @type {number | null} rowid of the alarm that is explained */
    this.chosen = null;
    /** @type {[number, number]} */
    this.span = [0, 1];
    this.index = -1;
    this.selecting = false;
    this.valueBox = h("div.plot.values");
    this.scoreBox = h("div.plot.scores");
    this.partBox = h("div.plot.parts-of-score");
    element.replaceChildren(this.valueBox, this.scoreBox, this.partBox);
    this.sync = uPlot.sync(`metric-${charts++}`);
    this.values = this.valueChart();
    this.scores = this.scoreChart();
    /** @type {any} the parts of the score, while they are wanted */
    this.parts = null;
    /** @type {string[]} */
    this.partNames = [];
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(element);
    if (!options.compact) {
      element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    }
    const redraw = () => [this.values, this.scores, this.parts].forEach((chart) => chart?.redraw(false, true));
    this.ends = [whenColoursChange(redraw), settings.follow(redraw)];
  }

  close() {
    this.observer.disconnect();
    this.ends.forEach((end) => end());
    this.values.destroy();
    this.scores.destroy();
    this.parts?.destroy();
  }

  /** Shows columns of the series as lines of their own, 0 to 1. @param {string[]} names */
  showParts(names) {
    if (names.join() === this.partNames.join()) return;
    this.partNames = names;
    this.parts?.destroy();
    this.parts = names.length ? this.partChart(names) : null;
  }

  /**
   * @param {Series} series
   * @param {Alarm[]} alarms
   * @param {[number, number]} span what the time axis shows
   * @param {Series | null} [before] another time of the same metric, moved to this one
   * @param {[number, number][]} [shaded] stretches of time that belong together
   * @param {import("../shapes").Label[]} [labels] what people say of stretches of time
   */
  show(series, alarms, span, before = null, shaded = [], labels = []) {
    this.shaded = shaded;
    this.labels = labels;
    this.series = series;
    this.alarms = alarms;
    this.span = span;
    this.before = before;
    this.draw();
  }

  /** Shows what was done to the fleet as flags. @param {import("../shapes").FleetEvent[]} events */
  showEvents(events) {
    this.events = events;
    this.values.redraw(false, false);
  }

  /** Shows rows that would have alarmed as rings. @param {SilencedRow[]} silenced */
  showSilenced(silenced) {
    this.silenced = silenced;
    this.values.redraw(false, false);
  }

  /** Adds a row at the end. @param {{time: number, value: number, log_score: number | null}} row @param {[number, number]} span */
  append(row, span) {
    const { time, columns } = this.series;
    if (time.length && row.time <= time[time.length - 1]) return;
    time.push(row.time);
    for (const [name, column] of Object.entries(columns)) column.push(name === "value" || name === "value_min" || name === "value_max" ? row.value : name === "log_score" ? row.log_score : null);
    this.span = span;
    this.draw();
  }

  /** @param {{rowid: number} | null} row */
  choose(row) {
    this.chosen = row?.rowid ?? null;
    this.values.redraw(false, false);
  }

  /** Moves the cursor by rows. @param {number} by */
  step(by) {
    const { time } = this.series;
    if (!time.length) return;
    const start = this.index < 0 ? time.length - 1 : this.index + by;
    const index = Math.max(0, Math.min(time.length - 1, start));
    this.setCursor(index);
  }

  /** @param {number} index */
  setCursor(index) {
    const at = this.series.time[index];
    if (at === undefined) return;
    const value = this.series.columns.value?.[index] ?? this.values.scales.y.min;
    this.values.setCursor({ left: this.values.valToPos(at, "x"), top: this.values.valToPos(value, "y") });
  }

  draw() {
    const none = this.series.time.map(() => null);
    const column = (/** @type {string} */ name) => this.series.columns[name] ?? none;
    const joined = this.before ? uPlot.join([[this.series.time, column("value"), column("low"), column("high"), column("forecast"), column("value_min"), column("value_max")], [this.before.time, this.before.columns.value]]) : null;
    this.values.batch(() => {
      this.values.setData(joined ?? [this.series.time, column("value"), column("low"), column("high"), column("forecast"), column("value_min"), column("value_max"), none], false);
      this.values.setScale("x", { min: this.span[0], max: this.span[1] });
    });
    this.parts?.batch(() => {
      this.parts.setData([this.series.time, ...this.partNames.map(column)], false);
      this.parts.setScale("x", { min: this.span[0], max: this.span[1] });
    });
    this.scores.batch(() => {
      this.scores.setData([this.series.time, column("log_score")], false);
      this.scores.setScale("x", { min: this.span[0], max: this.span[1] });
    });
  }

  height() {
    return this.options.compact ? 150 : Math.max(240, Math.min(460, Math.round(innerHeight * 0.42)));
  }

  scoreHeight() {
    return this.options.compact ? 70 : 104;
  }

  resize() {
    const width = this.element.clientWidth;
    if (!width) return;
    this.values.setSize({ width, height: this.height() });
    this.scores.setSize({ width, height: this.scoreHeight() });
    this.parts?.setSize({ width, height: this.scoreHeight() });
  }

  shared() {
    return {
      width: Math.max(100, this.element.clientWidth),
      tzDate: chartDate,
      legend: { show: false },
      padding: [6, 8, 0, 0],
      cursor: {
        sync: { key: this.sync.key },
        drag: { x: true, y: false, setScale: false },
        points: { size: 7, fill: () => colour("paper"), stroke: () => colour("value") },
        bind: {
          dblclick: () => () => {
            this.options.back?.();
            return null;
          },
        },
      },
    };
  }

  /** What the axis of values shows: from zero where that is near, but with room for the marks of alarms. @param {number | null} low @param {number | null} high */
  room(low, high) {
    if (low === null || high === null) return [0, 1];
    if (low === high) return [low - (Math.abs(low) || 1) * 0.1, high + (Math.abs(high) || 1) * 0.1];
    const margin = (high - low) * 0.08;
    const below = low - margin;
    const marked = this.alarms.some(({ time, value, direction }) => direction !== "up" && value < margin && time >= this.span[0] && time <= this.span[1]);
    return [low >= 0 && below < 0 && !marked ? 0 : below, high + margin];
  }

  valueChart() {
    const clear = { width: 0, points: { show: false } };
    return new uPlot(
      {
        ...this.shared(),
        height: this.height(),
        axes: [timeAxis(false), valueAxis()],
        scales: { y: { range: (/** @type {any} */ _chart, /** @type {number} */ low, /** @type {number} */ high) => this.room(low, high) } },
        series: [
          {},
          { label: "value", stroke: () => colour("value"), width: 1.5, points: { show: false } },
          { label: "usual low", ...clear },
          { label: "usual high", ...clear },
          { label: "forecast", stroke: () => colour("soft"), width: 1, dash: [2, 3], points: { show: false } },
          { label: "lowest", ...clear },
          { label: "highest", ...clear },
          { label: "before", stroke: () => colour("before"), width: 1.2, points: { show: false }, spanGaps: true },
        ],
        bands: [
          { series: [3, 2], fill: () => colour("band") },
          { series: [6, 5], fill: () => colour("value") },
        ],
        hooks: {
          drawClear: [() => (this.shade(this.values), this.hatch(this.values))],
          draw: [() => this.drawEvents(), () => this.drawSilenced(), () => this.drawAlarms(), () => this.drawAlone()],
          setSelect: [(/** @type {any} */ chart) => this.selected(chart)],
          setCursor: [(/** @type {any} */ chart) => this.pointed(chart)],
          ready: [(/** @type {any} */ chart) => chart.over.addEventListener("click", (/** @type {MouseEvent} */ event) => this.clicked(event))],
        },
      },
      [[], [], [], [], [], [], [], []],
      this.valueBox,
    );
  }

  scoreChart() {
    return new uPlot(
      {
        ...this.shared(),
        height: this.scoreHeight(),
        axes: [timeAxis(true), { ...valueAxis(), splits: () => [0, 0.5, 1], values: () => ["0", "0.5", "1"] }],
        scales: { y: { range: [0, 1] } },
        series: [{}, { label: "score", paths: () => null, points: { show: false } }],
        hooks: {
          drawClear: [() => this.shade(this.scores)],
          draw: [() => this.drawScores()],
          setSelect: [(/** @type {any} */ chart) => this.selected(chart)],
        },
      },
      [[], []],
      this.scoreBox,
    );
  }

  /** @param {string[]} names */
  partChart(names) {
    return new uPlot(
      {
        ...this.shared(),
        height: this.scoreHeight(),
        axes: [timeAxis(false), { ...valueAxis(), splits: () => [0, 0.5, 1], values: () => ["0", "0.5", "1"] }],
        scales: { y: { range: [0, 1] } },
        series: [{}, ...names.map((name, i) => ({ label: name, stroke: () => colour(i === 1 ? "before" : "soft"), width: 1.2, dash: [[], [5, 3], [2, 2]][i % 3], points: { show: false } }))],
        hooks: { setSelect: [(/** @type {any} */ chart) => this.selected(chart)] },
      },
      [[], ...names.map(() => [])],
      this.partBox,
    );
  }

  /** Shades stretches of time behind the lines, never narrower than two pixels. @param {any} chart */
  shade(chart) {
    if (!chart || !this.shaded.length) return;
    const { ctx, bbox } = chart;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = colour("alarm-paper");
    for (const [from, to] of this.shaded) {
      if (to < this.span[0] || from > this.span[1]) continue;
      const left = chart.valToPos(from, "x", true);
      ctx.fillRect(left - 1, bbox.top, Math.max(2, chart.valToPos(to, "x", true) - left + 2), bbox.height);
    }
    ctx.restore();
  }

  /** Hatches the stretches of time that have a label, an anomaly darker than what is normal. @param {any} chart */
  hatch(chart) {
    if (!chart) return;
    const { ctx, bbox } = chart;
    const ratio = devicePixelRatio || 1;
    for (const { from, to, kind } of this.labels) {
      if (to < this.span[0] || from > this.span[1]) continue;
      const left = Math.max(bbox.left, chart.valToPos(from, "x", true) - ratio);
      const right = Math.min(bbox.left + bbox.width, chart.valToPos(to, "x", true) + ratio);
      ctx.save();
      ctx.beginPath();
      ctx.rect(left, bbox.top, right - left, bbox.height);
      ctx.clip();
      ctx.strokeStyle = colour(kind === "anomaly" ? "score-2" : "rule");
      ctx.lineWidth = ratio;
      ctx.beginPath();
      for (let x = left - bbox.height; x < right; x += HATCH * ratio) {
        ctx.moveTo(x, bbox.top + bbox.height);
        ctx.lineTo(x + bbox.height, bbox.top);
      }
      ctx.stroke();
      ctx.restore();
    }
  }

  drawScores() {
    const chart = this.scores;
    const { ctx, bbox } = chart;
    const { time, columns } = this.series;
    const scores = columns.log_score ?? [];
    const ratio = devicePixelRatio || 1;
    const bottom = bbox.top + bbox.height;
    // The highest score of each pixel column: what is seen is never an average.
    /** @type {Map<number, number>} */
    const highest = new Map();
    const width = Math.max(ratio, Math.min(3 * ratio, (0.7 * bbox.width) / Math.max(1, time.length)));
    for (let i = 0; i < time.length; i++) {
      const score = scores[i];
      if (score === null || score === undefined || time[i] < this.span[0] || time[i] > this.span[1]) continue;
      const x = Math.round(chart.valToPos(time[i], "x", true) / width);
      if (score > (highest.get(x) ?? 0)) highest.set(x, score);
    }
    ctx.save();
    for (const [x, score] of highest) {
      if (score < 0.02) continue;
      const top = chart.valToPos(score, "y", true);
      ctx.fillStyle = scoreColour(score);
      ctx.fillRect(Math.round(x * width - width / 2), top, Math.max(1, Math.round(width)), bottom - top);
    }
    const y = Math.round(chart.valToPos(this.threshold, "y", true)) + 0.5;
    ctx.strokeStyle = colour("score-3");
    ctx.lineWidth = ratio;
    ctx.setLineDash([4 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }

  /** A pole through the chart and a flag at its top, where something was done to the fleet. */
  drawEvents() {
    const { ctx, bbox } = this.values;
    const ratio = devicePixelRatio || 1;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour("soft");
    ctx.lineWidth = ratio;
    for (const { time } of this.events) {
      if (time < this.span[0] || time > this.span[1]) continue;
      const x = Math.round(this.values.valToPos(time, "x", true)) + 0.5;
      ctx.setLineDash([2 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const side = x + FLAG_PX * ratio > bbox.left + bbox.width ? -1 : 1;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x + side * FLAG_PX * ratio, bbox.top + 0.45 * FLAG_PX * ratio);
      ctx.lineTo(x, bbox.top + 0.9 * FLAG_PX * ratio);
      ctx.fill();
    }
    ctx.restore();
  }

  drawAlarms() {
    const chart = this.values;
    const { ctx, bbox } = chart;
    const ratio = devicePixelRatio || 1;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left - 8 * ratio, bbox.top, bbox.width + 16 * ratio, bbox.height);
    ctx.clip();
    /** @type {number[]} where marks stand: the worst of those that fall together is drawn, the others are dots */
    const taken = [];
    const inSight = this.alarms.filter(({ time }) => time >= this.span[0] && time <= this.span[1]);
    const whole = [...inSight]
      .sort((a, b) => Number(b.rowid === this.chosen) - Number(a.rowid === this.chosen) || b.log_score - a.log_score || a.rowid - b.rowid)
      .filter((alarm) => {
        const x = chart.valToPos(alarm.time, "x", true);
        const free = taken.every((other) => Math.abs(other - x) >= APART_PX * ratio);
        if (free) taken.push(x);
        return free;
      });
    for (const alarm of inSight) {
      if (whole.includes(alarm)) continue;
      ctx.fillStyle = scoreColour(alarm.log_score);
      ctx.beginPath();
      ctx.arc(chart.valToPos(alarm.time, "x", true), chart.valToPos(alarm.value, "y", true), 2 * ratio, 0, 7);
      ctx.fill();
    }
    for (const alarm of whole.reverse()) {
      const chosen = alarm.rowid === this.chosen;
      drawMark(ctx, chart.valToPos(alarm.time, "x", true), chart.valToPos(alarm.value, "y", true), alarm.direction, alarm.log_score, (chosen ? 6.5 : 5) * ratio, chosen);
    }
    ctx.restore();
  }

  /** A ring around each value that would have alarmed, had nobody taught that it is normal. */
  drawSilenced() {
    const { ctx } = this.values;
    const ratio = devicePixelRatio || 1;
    ctx.save();
    for (const { rowid, time, value } of this.silenced) {
      if (value === null || time < this.span[0] || time > this.span[1]) continue;
      ctx.strokeStyle = colour(rowid === this.chosen ? "ink" : "soft");
      ctx.lineWidth = (rowid === this.chosen ? 2.5 : 1.5) * ratio;
      ctx.beginPath();
      ctx.arc(this.values.valToPos(time, "x", true), this.values.valToPos(value, "y", true), 5 * ratio, 0, 7);
      ctx.stroke();
    }
    ctx.restore();
  }

  /** A value without neighbours is on no line: it is drawn as a point. */
  drawAlone() {
    const { time, columns } = this.series;
    const values = columns.value ?? [];
    const { ctx } = this.values;
    const ratio = devicePixelRatio || 1;
    ctx.fillStyle = colour("value");
    for (let i = 0; i < time.length; i++) {
      if (values[i] === null || (values[i - 1] ?? null) !== null || (values[i + 1] ?? null) !== null) continue;
      if (time[i] < this.span[0] || time[i] > this.span[1]) continue;
      ctx.beginPath();
      ctx.arc(this.values.valToPos(time[i], "x", true), this.values.valToPos(/** @type {number} */ (values[i]), "y", true), 1.6 * ratio, 0, 7);
      ctx.fill();
    }
  }

  /** @param {any} chart */
  selected(chart) {
    const { left, width } = chart.select;
    if (width < 4 || this.selecting) return;
    // The other chart takes part in the selection, and must not choose it again on a scale that has changed meanwhile.
    this.selecting = true;
    setTimeout(() => (this.selecting = false));
    const span = /** @type {[number, number]} */ ([chart.posToVal(left, "x"), chart.posToVal(left + width, "x")]);
    chart.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.options.zoom?.(span);
  }

  /** @param {any} chart */
  pointed(chart) {
    const { left } = chart.cursor;
    const { time, columns } = this.series;
    if (left === undefined || left < 0 || !time.length) {
      this.index = -1;
      this.options.point?.(null);
      return;
    }
    this.index = nearest(time, chart.posToVal(left, "x"));
    this.options.point?.({
      time: time[this.index],
      values: Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, column[this.index]])),
      alarm: this.nearby(this.alarms, left),
      silenced: this.nearby(this.silenced, left),
      events: this.events.filter(({ time }) => Math.abs(this.values.valToPos(time, "x") - left) < FLAG_PX),
    });
  }

  /**
   * Returns what lies nearest to a place, of those equally near the worst.
   * @template {{time: number, log_score: number | null}} Row
   * @param {Row[]} rows
   * @param {number} left
   */
  nearby(rows, left) {
    let [best, distance] = [/** @type {Row | null} */ (null), NEAR_PX];
    for (const row of rows) {
      const away = Math.abs(this.values.valToPos(row.time, "x") - left);
      if (away < distance || (away === distance && best && (row.log_score ?? 0) > (best.log_score ?? 0))) [best, distance] = [row, away];
    }
    return best;
  }

  /** @param {MouseEvent} event */
  clicked(event) {
    const row = this.nearby(this.alarms, event.offsetX) ?? this.nearby(this.silenced, event.offsetX);
    if (row) this.options.choose?.(row);
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    if (!this.options.zoom || !event.deltaY) return;
    event.preventDefault();
    const [from, to] = this.span;
    const length = to - from;
    if (event.shiftKey) {
      const by = (Math.sign(event.deltaY) * length) / 10;
      this.options.zoom([from + by, to + by]);
      return;
    }
    const box = this.values.over.getBoundingClientRect();
    const share = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
    const next = length * (event.deltaY < 0 ? 1 / ZOOM_STEP : ZOOM_STEP);
    const middle = from + share * length;
    this.options.zoom([middle - share * next, middle + (1 - share) * next]);
  }
}

/**
 * Returns the index of the time that is nearest.
 * @param {number[]} times ascending, not empty
 * @param {number} at
 */
function nearest(times, at) {
  let [low, high] = [0, times.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (times[middle] <= at) low = middle;
    else high = middle;
  }
  return at - times[low] <= times[high] - at ? low : high;
}
