/** One row of the list: made once, drawn for whichever metric stands there. */
import { drawSpark } from "../../draw/spark.js";
import { scoreStep } from "../../draw/colours.js";
import { ago, full, moment, range, rarity, score, short, span } from "../../lib/format.js";
import { h, setText } from "../../lib/h.js";
import { link } from "../../lib/router.js";
import { cell } from "../../lib/vlist.js";
import { causeInShort, handlingInShort, mark, stateInShort } from "../../lib/words.js";

/** @typedef {import("../../shapes").MetricRow} MetricRow */

export const COLUMNS = [
  { name: "mark-cell", title: "", sort: null },
  { name: "name-cell", title: "Metric", sort: "name" },
  { name: "spark-cell", title: "Values, scores", sort: null },
  { name: "value-cell", title: "Now", sort: null },
  { name: "usual-cell", title: "Usual", sort: null },
  { name: "score-cell", title: "Score", sort: "oddness" },
  { name: "rarity-cell", title: "Rarity", sort: null },
  { name: "since-cell", title: "Since", sort: "last" },
];

const NARROW = matchMedia("(max-width: 699px)");
const SPARK_WIDTH = matchMedia("(max-width: 1199px)");

export const rowHeight = () => (NARROW.matches ? 58 : 38);

/** @type {WeakMap<HTMLElement, Parts>} */
const parts = new WeakMap();

/**
 * @typedef {object} Parts
 * @property {HTMLElement} mark
 * @property {HTMLAnchorElement} link
 * @property {HTMLElement} prefix
 * @property {HTMLElement} leaf
 * @property {HTMLElement} tags
 * @property {HTMLElement} chip
 * @property {HTMLCanvasElement} canvas
 * @property {HTMLElement} value
 * @property {HTMLElement} usual
 * @property {HTMLElement} meter
 * @property {HTMLElement} score
 * @property {HTMLElement} rarity
 * @property {HTMLElement} since
 * @property {HTMLElement} why
 */

export function makeRow() {
  const part = /** @type {Parts} */ ({
    mark: h("span.mark"),
    prefix: h("span.prefix"),
    leaf: h("span.leaf"),
    tags: h("span.tags"),
    chip: h("span.state"),
    canvas: h("canvas", { "aria-hidden": true }),
    value: h("span"),
    usual: h("span"),
    meter: h("span.meter", { "aria-hidden": true }, h("span.fill")),
    score: h("span.number"),
    rarity: h("span"),
    since: h("span"),
    why: h("span.why"),
  });
  part.link = /** @type {HTMLAnchorElement} */ (h("a.metric-name", { tabindex: "-1" }, part.prefix, part.leaf, part.tags));
  const row = h(
    "div.row.metric-row",
    { role: "row", tabindex: "-1" },
    cell("mark-cell", part.mark),
    cell("name-cell", part.link, part.chip),
    cell("spark-cell", part.canvas),
    cell("value-cell", part.value),
    cell("usual-cell", part.usual, part.why),
    cell("score-cell", part.meter, part.score),
    cell("rarity-cell", part.rarity),
    cell("since-cell", part.since),
  );
  parts.set(row, part);
  return row;
}

/**
 * @param {HTMLElement} element
 * @param {MetricRow} row
 * @param {import("../../shapes").Spark | undefined} spark
 */
export function drawRow(element, row, spark) {
  const part = /** @type {Parts} */ (parts.get(element));
  const now = row.log_score ?? 0;
  const recent = Math.max(now, row.max_1h ?? 0);
  const odd = now >= 0.5 || row.incident !== null;
  element.classList.toggle("odd", odd);
  element.classList.toggle("alarming", now >= 0.5);
  element.classList.toggle("stale", row.state !== "active" && row.state !== "learning");

  const { glyph, word } = mark(row.direction);
  const marked = odd || recent >= 0.5;
  setText(part.mark, marked ? glyph : "");
  part.mark.className = `mark step-${scoreStep(Math.max(recent, odd ? 0.5 : 0))}${odd ? "" : " past"}`;
  if (marked) part.mark.setAttribute("aria-label", odd ? `unusual, ${word}` : `was unusual, ${word}`);
  else part.mark.removeAttribute("aria-label");

  const [base, ...tags] = row.name.split(";");
  const at = base.lastIndexOf(".") + 1;
  setText(part.prefix, base.slice(0, at));
  setText(part.leaf, base.slice(at));
  setText(part.tags, tags.length ? ` ${tags.join(" ")}` : "");
  part.link.title = row.name;
  part.link.href = link(`m/${row.uid}`);

  const state = stateInShort(row);
  const handling = handlingInShort(row);
  const chip = state || (handling ? handling.text : odd && row.cause ? causeInShort(row.cause) : "");
  setText(part.chip, chip);
  part.chip.dataset.state = state ? row.state : handling ? handling.state : chip ? "cause" : "";

  drawSpark(part.canvas, spark, row.usual, NARROW.matches ? 96 : SPARK_WIDTH.matches ? 180 : 280, 32);

  setText(part.value, row.last ? short(row.last.value) : "–");
  part.value.title = row.last ? `${full(row.last.value)} at ${moment(row.last.time)}` : "";

  const why = row.why_no_score;
  element.classList.toggle("no-score", Boolean(why));
  setText(part.why, why ? (why.eta ? `${why.text}, ready in about ${span(why.eta)}` : why.text) : "");
  part.why.title = why?.text ?? "";
  setText(part.usual, why ? "" : range(row.usual));
  setText(part.score, why ? "" : score(row.log_score));
  part.meter.className = `meter step-${scoreStep(now)}`;
  part.meter.hidden = Boolean(why);
  /** @type {HTMLElement} */ (part.meter.firstElementChild).style.width = `${Math.round(100 * now)}%`;
  setText(part.rarity, why ? "" : rarity(row.one_in));
  setText(part.since, row.since && marked ? span(Date.now() / 1000 - row.since) : row.state === "silent" && row.since ? span(Date.now() / 1000 - row.since) : "");
}
