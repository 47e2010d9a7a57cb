/** The small picture of a row: values above, the highest score of each cell of the window below, on one time axis. */
import { prepare } from "./canvas.js";
import { colour, scoreColour } from "./colours.js";

const RIBBON = 9; // pixels for the scores
const GAP = 2;
const FAINTEST = 0.2; // lower scores are not drawn: a calm row looks calm

/**
 * @param {HTMLCanvasElement} canvas
 * @param {import("../shapes").Spark | undefined} spark values and scores as 0 to 255
 * @param {[number, number] | null} usual the usual band now
 * @param {number} width
 * @param {number} height
 * @param {number} [ribbon] height of the scores
 */
export function drawSpark(canvas, spark, usual, width, height, ribbon = RIBBON) {
  const context = prepare(canvas, width, height);
  if (!spark) return;
  const cells = spark.spark.length || 60;
  const step = width / cells;
  const top = height - ribbon - GAP;
  const y = (/** @type {number} */ level) => 1 + (top - 2) * (1 - level / 255);

  if (usual && spark.low !== null && spark.high !== null && spark.high > spark.low) {
    const level = (/** @type {number} */ value) =>
      Math.max(0, Math.min(255, (255 * (value - /** @type {number} */ (spark.low))) / (/** @type {number} */ (spark.high) - /** @type {number} */ (spark.low))));
    context.fillStyle = colour("band");
    const upper = y(level(usual[1]));
    context.fillRect(0, upper, width, Math.max(1, y(level(usual[0])) - upper));
  }

  context.strokeStyle = colour("value");
  context.lineWidth = 1.1;
  context.lineJoin = "round";
  context.beginPath();
  let before = -Infinity;
  spark.spark.forEach((level, i) => {
    if (level === null) return;
    const x = (i + 0.5) * step;
    const ends = spark.spark.slice(i + 1, i + 2 + spark.bridge).every((next) => next === null);
    if (i - before <= spark.bridge + 1) context.lineTo(x, y(level));
    else {
      context.moveTo(x, y(level));
      if (ends) context.lineTo(x + 1, y(level)); // alone
    }
    before = i;
  });
  context.stroke();

  context.fillStyle = colour("rule");
  context.fillRect(0, height - 1, width, 1);
  drawBars(context, spark.bars, 0, height - ribbon, width, ribbon);
}

/**
 * Draws scores as bars: height and shade are the score.
 * @param {CanvasRenderingContext2D} context
 * @param {(number | null)[]} bars 0 to 255
 * @param {number} left
 * @param {number} top
 * @param {number} width
 * @param {number} height
 */
export function drawBars(context, bars, left, top, width, height) {
  const step = width / bars.length;
  bars.forEach((level, i) => {
    const score = (level ?? 0) / 255;
    if (score < FAINTEST) return;
    const size = Math.max(1, Math.round(height * score));
    context.fillStyle = scoreColour(score);
    const x = Math.round(left + i * step);
    context.fillRect(x, top + height - size, Math.max(1, Math.round(left + (i + 1) * step) - x - (step > 3 ? 1 : 0)), size);
  });
}
