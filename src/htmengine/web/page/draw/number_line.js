/** A value against what was usual and what the memory had foreseen, on one line of numbers. */
import { h, svg } from "../lib/h.js";
import { range, short } from "../lib/format.js";
import { scoreStep } from "./colours.js";
import { mark } from "../lib/words.js";

const WIDTH = 320;
const HEIGHT = 64;
const MARGIN = 12;
const LINE = 34;

/** @param {import("../shapes").Alarm} alarm */
export function numberLine(alarm) {
  const numbers = [alarm.value, alarm.forecast, ...(alarm.usual ?? []), ...alarm.foreseen.flat()].filter((number) => number !== null);
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  const x = (/** @type {number} */ number) => MARGIN + ((number - low) / (high - low || 1)) * (WIDTH - 2 * MARGIN);
  const box = (/** @type {string} */ name, /** @type {[number, number]} */ [from, to], /** @type {number} */ top, /** @type {number} */ height) =>
    svg("rect", { class: name, x: x(from).toFixed(1), y: top, width: Math.max(2, x(to) - x(from)).toFixed(1), height });
  const text = (/** @type {number} */ at, /** @type {number} */ y, /** @type {string} */ label, /** @type {string} */ name) => {
    const anchor = x(at) < WIDTH * 0.2 ? "start" : x(at) > WIDTH * 0.8 ? "end" : "middle";
    return svg("text", { x: x(at).toFixed(1), y, class: name, "text-anchor": anchor }, label);
  };
  return h(
    "div.number-line",
    null,
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `Value ${short(alarm.value)}; usual ${range(alarm.usual)}; forecast ${short(alarm.forecast)}` },
      svg("line", { class: "base", x1: 0, x2: WIDTH, y1: LINE, y2: LINE }),
      alarm.usual ? box("usual", alarm.usual, LINE - 9, 18) : null,
      ...alarm.foreseen.map((one) => box("foreseen", one, LINE + 3, 5)),
      alarm.forecast !== null ? svg("line", { class: "forecast", x1: x(alarm.forecast).toFixed(1), x2: x(alarm.forecast).toFixed(1), y1: LINE - 9, y2: LINE + 9 }) : null,
      alarm.usual ? text(alarm.usual[0], HEIGHT - 6, short(alarm.usual[0]), "label") : null,
      alarm.usual && x(alarm.usual[1]) - x(alarm.usual[0]) > 44 ? text(alarm.usual[1], HEIGHT - 6, short(alarm.usual[1]), "label") : null,
      svg("text", { class: `value-mark step-${scoreStep(alarm.log_score)}`, x: x(alarm.value).toFixed(1), y: LINE + 5, "text-anchor": "middle" }, mark(alarm.direction).glyph),
      text(alarm.value, 16, short(alarm.value), "value"),
    ),
    h("p.hint", null, h("i.key-band"), "usual ", h("i.key-forecast"), "forecast ", alarm.foreseen.length ? [h("i.key-foreseen"), "foreseen by the memory"] : null),
  );
}
