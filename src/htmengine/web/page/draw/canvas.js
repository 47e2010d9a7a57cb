import { whenColoursChange } from "./colours.js";

/**
 * Draws whenever the element's size or the colours change, and once at the beginning.
 * @param {Element} element
 * @param {() => void} draw
 * @returns {() => void} ends it
 */
export function keepDrawn(element, draw) {
  const observer = new ResizeObserver(draw);
  observer.observe(element);
  const forget = whenColoursChange(draw);
  return () => {
    observer.disconnect();
    forget();
  };
}

/**
 * Prepares a canvas at the screen's resolution and clears it.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width in CSS pixels
 * @param {number} height
 */
export function prepare(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}
