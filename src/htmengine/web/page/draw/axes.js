/** What all charts share: axes, their labels, the zone of their times. */
import { day, short, time, timeOfSecond, year } from "../lib/format.js";
import { settings } from "../lib/settings.js";
import { colour } from "./colours.js";

const FONT = `11px ${getComputedStyle(document.body).fontFamily}`;

/** @param {number} seconds */
export function chartDate(seconds) {
  const date = new Date(seconds * 1000);
  return settings.get().zone === "utc" ? uPlot.tzDate(date, "Etc/UTC") : date;
}

/**
 * Labels ticks of time, the larger unit below where it changes.
 * @param {any} chart
 * @param {number[]} splits
 * @param {number} _axis
 * @param {number} _space
 * @param {number} step
 */
function timeLabels(chart, splits, _axis, _space, step) {
  let last = "";
  return splits.map((at) => {
    const unit = step >= 86400 ? year(at) : day(at);
    const label = step >= 86400 ? day(at) : step >= 60 ? time(at) : timeOfSecond(at);
    const text = unit === last ? label : `${label}\n${unit}`;
    last = unit;
    return text;
  });
}

const lines = () => ({
  stroke: () => colour("faint"),
  font: FONT,
  grid: { stroke: () => colour("rule"), width: 1 },
  ticks: { show: false },
});

/** @param {boolean} labelled */
export function timeAxis(labelled) {
  return { ...lines(), show: true, size: labelled ? 34 : 6, gap: 4, values: labelled ? timeLabels : () => [], space: 70 };
}

/** @param {number} [size] */
export function valueAxis(size = 56) {
  return { ...lines(), size, gap: 6, space: 30, values: (/** @type {any} */ _chart, /** @type {number[]} */ splits) => splits.map((value) => short(value)) };
}
