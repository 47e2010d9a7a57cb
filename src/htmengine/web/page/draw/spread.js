/** How an incident spread: a bar for each metric from its first to its last alarm, the first mover on top. */
import { svg } from "../lib/h.js";
import { scoreStep } from "./colours.js";

const WIDTH = 240;
const MOST_ROWS = 7;
const ROW = 5;

/** @param {import("../shapes").Incident} incident */
export function drawSpread(incident) {
  const rows = [...incident.metrics].sort((a, b) => a.first - b.first).slice(0, MOST_ROWS);
  const from = incident.opened;
  const to = Math.max(incident.changed, from + 60, ...rows.map(({ last }) => last));
  const x = (/** @type {number} */ at) => (WIDTH * (at - from)) / (to - from);
  return svg(
    "svg",
    { class: "spread", viewBox: `0 0 ${WIDTH} ${rows.length * ROW}`, height: rows.length * ROW, preserveAspectRatio: "none", "aria-hidden": true },
    ...rows.map((metric, i) =>
      svg("rect", {
        x: x(metric.first).toFixed(1),
        y: i * ROW + 1,
        width: Math.max(3, x(metric.last) - x(metric.first)).toFixed(1),
        height: ROW - 2,
        class: `step-${scoreStep(metric.max)}`,
      }),
    ),
  );
}
