/**
 * The fleet's day in one strip: how many metrics alarm in each step of time. A span of it can be chosen by dragging,
 * or with the keys: arrows move, shift and arrows widen, Escape clears.
 */
import { clock, plural, time } from "../lib/format.js";
import { h, setText } from "../lib/h.js";
import { keepDrawn, prepare } from "./canvas.js";
import { colour, scoreColour } from "./colours.js";

const HEIGHT = 56;
const AXIS = 15; // pixels for the times below

export class FleetStrip {
  /** @param {(span: [number, number] | null) => void} choose */
  constructor(choose) {
    this.choose = choose;
    /** @type {import("../shapes").Fleet | null} */
    this.fleet = null;
    /** @type {[number, number] | null} */
    this.span = null;
    this.canvas = h("canvas", { "aria-hidden": true });
    this.readout = h("output.readout", { "aria-live": "off" });
    this.element = h(
      "div.fleet",
      {
        role: "group",
        tabindex: "0",
        "aria-label": "Alarming metrics over time. Drag, or use shift and the arrow keys, to choose a span; Escape clears it.",
        onkeydown: (/** @type {KeyboardEvent} */ event) => this.key(event),
      },
      this.canvas,
      this.readout,
    );
    /** @type {number | null} */
    this.anchor = null;
    this.canvas.addEventListener("pointerdown", (event) => this.down(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    this.canvas.addEventListener("pointerup", (event) => this.up(event));
    this.canvas.addEventListener("pointerleave", () => setText(this.readout, this.says()));
    this.close = keepDrawn(this.element, () => this.draw());
  }

  /**
   * @param {import("../shapes").Fleet | null} fleet
   * @param {[number, number] | null} span
   */
  show(fleet, span) {
    this.fleet = fleet;
    this.span = span;
    setText(this.readout, this.says());
    this.draw();
  }

  says() {
    if (!this.fleet?.times.length) return "";
    if (this.span) return `${clock(this.span[0])} to ${clock(this.span[1])}`;
    const most = Math.max(...this.fleet.alarming);
    return most ? `at most ${plural(most, "metric")} alarmed at once, ${clock(this.fleet.times[this.fleet.alarming.indexOf(most)])}` : "no alarm";
  }

  /** @returns {[number, number]} */
  extent() {
    const { times, step } = /** @type {import("../shapes").Fleet} */ (this.fleet);
    return [times[0], times[times.length - 1] + step];
  }

  /** @param {PointerEvent} event */
  timeAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const [from, to] = this.extent();
    return from + Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * (to - from);
  }

  /** @param {PointerEvent} event */
  down(event) {
    if (!this.fleet?.times.length || event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.anchor = this.timeAt(event);
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (!this.fleet?.times.length) return;
    const at = this.timeAt(event);
    if (this.anchor === null) {
      const { times, step, alarming } = this.fleet;
      const i = Math.min(times.length - 1, Math.max(0, Math.floor((at - times[0]) / step)));
      setText(this.readout, `${clock(times[i])}: ${plural(alarming[i], "metric")} alarming`);
      return;
    }
    this.span = this.snapped(this.anchor, at);
    setText(this.readout, this.says());
    this.draw();
  }

  /** @param {PointerEvent} event */
  up(event) {
    if (this.anchor === null || !this.fleet) return;
    const moved = Math.abs(this.timeAt(event) - this.anchor) > this.fleet.step / 2;
    const span = moved ? this.snapped(this.anchor, this.timeAt(event)) : null;
    this.anchor = null;
    this.choose(span);
  }

  /**
   * @param {number} one
   * @param {number} other
   * @returns {[number, number]}
   */
  snapped(one, other) {
    const { step } = /** @type {import("../shapes").Fleet} */ (this.fleet);
    const [low, high] = [Math.min(one, other), Math.max(one, other)];
    return [Math.floor(low / step) * step, Math.ceil(high / step) * step];
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (!this.fleet?.times.length || !["ArrowLeft", "ArrowRight", "Escape"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") return this.choose(null);
    const [from, to] = this.extent();
    const by = (event.key === "ArrowLeft" ? -1 : 1) * this.fleet.step;
    const [low, high] = this.span ?? [to - 6 * this.fleet.step, to];
    const moved = /** @type {[number, number]} */ (event.shiftKey ? [low, high + by] : [low + by, high + by]);
    if (moved[0] >= from && moved[1] <= to && moved[1] > moved[0]) this.choose(moved);
  }

  draw() {
    const width = this.element.clientWidth;
    if (!width) return;
    const context = prepare(/** @type {HTMLCanvasElement} */ (this.canvas), width, HEIGHT);
    if (!this.fleet?.times.length) return;
    const { times, alarming, metrics, step } = this.fleet;
    const [from, to] = this.extent();
    const x = (/** @type {number} */ at) => ((at - from) / (to - from)) * width;
    const most = Math.max(4, ...alarming);
    const bottom = HEIGHT - AXIS;

    if (this.span) {
      context.fillStyle = colour("select");
      context.fillRect(x(this.span[0]), 0, x(this.span[1]) - x(this.span[0]), bottom);
    }
    context.fillStyle = colour("rule");
    context.fillRect(0, bottom - 1, width, 1);
    alarming.forEach((count, i) => {
      if (!count) return;
      const share = metrics[i] ? count / metrics[i] : 0;
      // Shade: the share of the fleet, so that a strip of one metric's alarms does not shout.
      context.fillStyle = scoreColour(0.5 + Math.min(0.4, 4 * share));
      const left = Math.round(x(times[i]));
      const size = Math.max(3, Math.round(((bottom - 6) * count) / most));
      context.fillRect(left, bottom - 1 - size, Math.max(1, Math.round(x(times[i] + step)) - left - 1), size);
    });
    this.drawTimes(context, x, width, bottom);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {(at: number) => number} x
   * @param {number} width
   * @param {number} bottom
   */
  drawTimes(context, x, width, bottom) {
    const [from, to] = this.extent();
    const every = [300, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800].find((one) => ((to - from) / one) * 64 < width) ?? 604800;
    context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    context.fillStyle = colour("faint");
    context.textBaseline = "alphabetic";
    const shift = new Date(from * 1000).getTimezoneOffset() * 60;
    for (let at = Math.ceil((from - shift) / every) * every + shift; at < to; at += every) {
      const left = x(at);
      context.fillRect(Math.round(left), bottom - 1, 1, 4);
      const label = every >= 86400 ? clock(at).split(" ").slice(0, 2).join(" ") : time(at);
      if (left > 14 && left < width - 18) {
        context.textAlign = "center";
        context.fillText(label, left, HEIGHT - 1);
      }
    }
    context.textAlign = "right";
  }
}
