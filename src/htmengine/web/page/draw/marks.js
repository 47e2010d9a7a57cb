/** Alarms as shapes: a triangle up or down, a diamond for a pattern; filled by the score, outlined so that they stand out. */
import { colour, scoreColour } from "./colours.js";

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x in canvas pixels
 * @param {number} y
 * @param {import("../shapes").Direction} direction
 * @param {number} score
 * @param {number} size
 * @param {boolean} chosen
 */
export function drawMark(context, x, y, direction, score, size, chosen) {
  context.beginPath();
  if (direction === "up") points(context, x, y - size, [[0, -size], [size, size * 0.8], [-size, size * 0.8]]);
  else if (direction === "down") points(context, x, y + size, [[0, size], [size, -size * 0.8], [-size, -size * 0.8]]);
  else points(context, x, y, [[0, -size * 1.15], [size * 1.15, 0], [0, size * 1.15], [-size * 1.15, 0]]);
  context.fillStyle = scoreColour(score);
  context.strokeStyle = colour("paper");
  context.lineWidth = size / 3;
  context.stroke();
  context.fill();
  if (!chosen) return;
  context.strokeStyle = colour("ink");
  context.lineWidth = size / 3.5;
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {[number, number][]} shape
 */
function points(context, x, y, shape) {
  shape.forEach(([dx, dy], i) => (i ? context.lineTo(x + dx, y + dy) : context.moveTo(x + dx, y + dy)));
  context.closePath();
}
