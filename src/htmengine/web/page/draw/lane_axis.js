/** The time axis under the lanes of an incident, and the mark of each lane's first alarm. */
import { h } from "../lib/h.js";
import { clock, time, timeOfSecond } from "../lib/format.js";
import { prepare } from "./canvas.js";
import { colour } from "./colours.js";

const HEIGHT = 22;
const STEPS = [1, 5, 10, 15, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800];

export class LaneAxis {
  constructor() {
    this.canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { "aria-hidden": true }));
    this.element = h("div.lane.lane-axis", null, h("span"), h("span"), this.canvas, h("span"));
  }

  /**
   * @param {[number, number]} extent
   * @param {number} width
   */
  draw([from, to], width) {
    if (!width) return;
    const context = prepare(this.canvas, width, HEIGHT);
    const step = STEPS.find((one) => ((to - from) / one) * 76 < width) ?? 604_800;
    context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    context.fillStyle = colour("faint");
    context.textAlign = "center";
    const shift = new Date(from * 1000).getTimezoneOffset() * 60;
    for (let at = Math.ceil((from - shift) / step) * step + shift; at <= to; at += step) {
      const x = ((at - from) / (to - from)) * width;
      context.fillRect(Math.round(x), 0, 1, 4);
      if (x > 18 && x < width - 18) context.fillText(labelOf(at, step), x, 16);
    }
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} share of the width
   * @param {number} height
   */
  markFirst(canvas, share, height) {
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.fillStyle = colour("ink");
    context.fillRect(Math.round(share * canvas.clientWidth), 0, 1, height);
  }
}

/**
 * @param {number} at
 * @param {number} step from a label to the next, in seconds
 */
function labelOf(at, step) {
  if (step >= 86_400) return clock(at).replace(/ \d\d:\d\d$/, "");
  return step < 60 ? timeOfSecond(at) : time(at);
}
