"use strict";
// Draws the page of `htmengine detect --plot`: values above, scores below, one time axis.

const data = JSON.parse(document.getElementById("data").textContent);
const [times, values, scores] = data.columns;
const alarms = values.map((value, i) => (scores[i] !== null && scores[i] >= data.threshold ? value : null));
const charts = [];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
const stroke = (name) => () => colour(name);
const tick = (time, from, to) => new Date(time * 1000).toISOString().slice(from, to).replace("T", " ");

/** Labels the ticks of the time axis, the larger unit below where it changes. */
function timeLabels(chart, splits, axisIndex, space, step) {
  const below = step >= 86400 ? [0, 4] : [0, 10];
  const above = step >= 86400 ? [5, 10] : step >= 60 ? [11, 16] : step >= 1 ? [11, 19] : [11, 23];
  let last = "";
  return splits.map((time) => {
    const unit = tick(time, ...below);
    const label = tick(time, ...above) + (unit === last ? "" : `\n${unit}`);
    last = unit;
    return label;
  });
}

const axis = () => ({
  stroke: stroke("--faint"),
  grid: { stroke: stroke("--rule"), width: 1 },
  ticks: { stroke: stroke("--rule"), width: 1 },
});

/** Shades the incidents behind the lines, never narrower than two pixels. */
function shadeIncidents(chart) {
  if (!data.anomalous) return;
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = colour("--alarm-fill");
  for (const { start, end } of data.incidents) {
    const left = chart.valToPos(start, "x", true);
    const width = chart.valToPos(end, "x", true) - left;
    ctx.fillRect(left - 1, bbox.top, Math.max(2, width + 2), bbox.height);
  }
  ctx.restore();
}

function drawThreshold(chart) {
  const { ctx, bbox } = chart;
  const y = chart.valToPos(data.threshold, "y", true);
  ctx.save();
  ctx.strokeStyle = colour("--alarm");
  ctx.setLineDash([6, 4]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

/** Zooms the other charts along. */
function shareZoom(chart, scale) {
  if (scale !== "x") return;
  const { min, max } = chart.scales.x;
  for (const other of charts) {
    if (other.scales.x.min !== min || other.scales.x.max !== max) other.setScale("x", { min, max });
  }
}

function addChart(id, height, columns, series, options) {
  const element = document.getElementById(id);
  const chart = new uPlot(
    {
      width: element.clientWidth,
      height,
      tzDate: (time) => uPlot.tzDate(new Date(time * 1000), "Etc/UTC"),
      cursor: { sync: { key: "series" }, points: { size: 7 } },
      axes: [{ ...axis(), values: timeLabels }, { ...axis(), size: 70 }],
      series: [{ label: "time", value: "{YYYY}-{MM}-{DD} {HH}:{mm}:{ss}" }, ...series],
      ...options.chart,
      hooks: { drawClear: [shadeIncidents], draw: options.draw ?? [], setScale: [shareZoom] },
    },
    [times, ...columns],
    element,
  );
  charts.push(chart);
  new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height })).observe(element);
}

// A value without neighbours is on no line: it is drawn as a point.
const alone = values.flatMap((value, i) =>
  value !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null ? [i] : [],
);
const points = (colour) => ({ show: true, size: 3, width: 0, fill: stroke(colour), filter: () => alone });

const plain = (chart, value) => (value === null ? "–" : String(value));
addChart("values", 340, [values, alarms], [
  { label: data.valueName, stroke: stroke("--value"), width: 1.2, points: points("--value"), value: plain },
  {
    label: "anomaly",
    stroke: stroke("--alarm"),
    paths: () => null,
    points: { show: true, size: 6, fill: stroke("--alarm") },
    value: plain,
  },
], {});
addChart("scores", 170, [scores], [
  { label: "log score", stroke: stroke("--score"), fill: stroke("--score-fill"), width: 1, points: points("--score"), value: plain },
], {
  chart: { scales: { y: { range: (chart, low, high) => [0, Math.max(1, high ?? 1) * 1.05] } } },
  draw: [drawThreshold],
});

function addCell(row, tag, column, text) {
  const cell = document.createElement(tag);
  cell.textContent = text;
  if (column.numeric) cell.className = "numeric";
  row.append(cell);
}

const [head, body] = document.querySelectorAll(".incidents thead tr, .incidents tbody");
for (const column of data.table) addCell(head, "th", column, column.name);
data.incidents.forEach(({ start, end, peak }, i) => {
  const row = body.insertRow();
  row.tabIndex = 0;
  for (const column of data.table) addCell(row, "td", column, column.cells[i]);
  const show = () => {
    const whole = times[times.length - 1] - times[0];
    const margin = Math.max(3 * (end - start), whole / 50);
    for (const chart of charts) chart.setScale("x", { min: Math.min(start, peak) - margin, max: end + margin });
    document.getElementById("values").scrollIntoView({ block: "nearest" });
  };
  row.addEventListener("click", show);
  row.addEventListener("keydown", (event) => event.key === "Enter" && show());
});

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach((chart) => chart.redraw()));
