/** All history in one strip, and the window in it: drag it, drag its edges, or click where it should go. */
import { h } from "../lib/h.js";
import { keepDrawn, prepare } from "./canvas.js";
import { colour, scoreColour } from "./colours.js";

const HEIGHT = 46;
const EDGE = 7; // pixels in which an edge is taken hold of
const LEFT = 56; // as wide as the chart's value axis, so that both stand under each other
const RIGHT = 8;

export class Minimap {
  /** @param {(span: [number, number]) => void} choose */
  constructor(choose) {
    this.choose = choose;
    /** @type {import("../lib/columns.js").Series | null} */
    this.series = null;
    /** @type {[number, number]} */
    this.span = [0, 1];
    /** @type {{part: "from" | "to" | "both", at: number, span: [number, number]} | null} */
    this.held = null;
    this.canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { "aria-hidden": true }));
    this.element = h("div.minimap", null, this.canvas);
    this.canvas.addEventListener("pointerdown", (event) => this.down(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    this.canvas.addEventListener("pointerup", () => (this.held = null));
    this.close = keepDrawn(this.element, () => this.draw());
  }

  /**
   * @param {import("../lib/columns.js").Series} series
   * @param {[number, number]} span
   */
  show(series, span) {
    this.series = series;
    this.place(span);
  }

  /** @param {[number, number]} span */
  place(span) {
    this.span = span;
    this.draw();
  }

  /** @returns {[number, number]} */
  extent() {
    const time = this.series?.time ?? [];
    return time.length ? [Math.min(time[0], this.span[0]), Math.max(time[time.length - 1], this.span[1])] : this.span;
  }

  /** @param {number} at */
  x(at) {
    const [from, to] = this.extent();
    return LEFT + ((at - from) / (to - from || 1)) * (this.element.clientWidth - LEFT - RIGHT);
  }

  /** @param {PointerEvent} event */
  timeOf(event) {
    const [from, to] = this.extent();
    const width = this.element.clientWidth - LEFT - RIGHT;
    return from + ((event.clientX - this.canvas.getBoundingClientRect().left - LEFT) / width) * (to - from);
  }

  /** @param {PointerEvent} event */
  partAt(event) {
    const left = event.clientX - this.canvas.getBoundingClientRect().left;
    const [from, to] = this.span.map((at) => this.x(at));
    if (Math.abs(left - from) <= EDGE && to - from > 3 * EDGE) return "from";
    if (Math.abs(left - to) <= EDGE && to - from > 3 * EDGE) return "to";
    return left > from && left < to ? "both" : null;
  }

  /** @param {PointerEvent} event */
  down(event) {
    if (event.button || !this.series?.time.length) return;
    this.canvas.setPointerCapture(event.pointerId);
    const part = this.partAt(event);
    const at = this.timeOf(event);
    if (!part) {
      const half = (this.span[1] - this.span[0]) / 2;
      this.span = [at - half, at + half];
      this.choose(this.span);
    }
    this.held = { part: part ?? "both", at, span: this.span };
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (!this.held) {
      const part = this.partAt(event);
      this.canvas.style.cursor = part === "both" ? "grab" : part ? "ew-resize" : "pointer";
      return;
    }
    const by = this.timeOf(event) - this.held.at;
    const [from, to] = this.held.span;
    if (this.held.part === "both") this.span = [from + by, to + by];
    else if (this.held.part === "from") this.span = [Math.min(from + by, to - 60), to];
    else this.span = [from, Math.max(to + by, from + 60)];
    this.draw();
    this.choose(this.span);
  }

  draw() {
    const width = this.element.clientWidth;
    if (!width) return;
    const context = prepare(this.canvas, width, HEIGHT);
    if (!this.series?.time.length) return;
    const { time, columns } = this.series;
    const lows = columns.value_min ?? columns.value ?? [];
    const highs = columns.value_max ?? columns.value ?? [];
    const known = [...lows, ...highs].filter((value) => value !== null);
    const [least, most] = [Math.min(...known), Math.max(...known)];
    const y = (/** @type {number} */ value) => 3 + (HEIGHT - 16) * (1 - (value - least) / (most - least || 1));

    context.strokeStyle = colour("value");
    context.globalAlpha = 0.8;
    context.lineWidth = 1;
    context.beginPath();
    let drawing = false;
    time.forEach((at, i) => {
      const [low, high] = [lows[i], highs[i]];
      if (low === null || high === null) {
        drawing = false;
        return;
      }
      const x = this.x(at);
      if (drawing) context.lineTo(x, y(high));
      else context.moveTo(x, y(high));
      if (low !== high) context.lineTo(x, y(low));
      drawing = true;
    });
    context.stroke();
    context.globalAlpha = 1;
    (columns.log_score ?? []).forEach((score, i) => {
      if (score === null || score < 0.5) return;
      context.fillStyle = scoreColour(score);
      context.fillRect(Math.round(this.x(time[i])) - 1, HEIGHT - 9, 2, 8);
    });

    const [from, to] = this.span.map((at) => Math.max(LEFT, Math.min(width - RIGHT, this.x(at))));
    context.fillStyle = colour("select");
    context.fillRect(from, 0, Math.max(2, to - from), HEIGHT - 1);
    context.fillStyle = colour("soft");
    for (const edge of [from, Math.max(from + 2, to)]) context.fillRect(Math.round(edge) - 1, 0, 2, HEIGHT - 1);
    context.fillStyle = colour("rule");
    context.fillRect(LEFT, HEIGHT - 1, width - LEFT - RIGHT, 1);
  }
}
