/** A table that scrolls by itself, by keys too. */
import { h } from "../lib/h.js";

/**
 * @param {string} label what it lists
 * @param {string[]} titles of the columns; one that begins with "-" is for screen readers alone
 * @param {HTMLElement} body
 * @param {string} [classes]
 */
export function dataTable(label, titles, body, classes = "") {
  const heads = titles.map((title) => h("th", { scope: "col" }, title.startsWith("-") ? h("span.hidden-text", null, title.slice(1)) : title));
  return h("div.table-scroll", { tabindex: "0", role: "region", "aria-label": label, class: classes }, h("table.data", null, h("thead", null, h("tr", null, heads)), body));
}
