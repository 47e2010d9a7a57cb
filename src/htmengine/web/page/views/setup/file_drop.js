/** Taking a CSV file from a person: dropped or chosen, its head shown, its columns guessed. */
import { h, replace } from "../../lib/h.js";
import { problemNote } from "../problem.js";

const HEAD_BYTES = 65_536;
const SHOWN_ROWS = 20;
const TIME_NAMES = /^(time|timestamp|date|datetime|ts|at)$/i;
const VALUE_NAMES = /^(value|v|val|metric_value|y|count)$/i;

/**
 * @typedef {{file: File, time: string, value: string}} Chosen
 * @param {() => void} changed
 */
export function fileDrop(changed) {
  const input = /** @type {HTMLInputElement} */ (h("input", { type: "file", accept: ".csv,text/csv,text/plain", id: "file", class: "hidden-text", onchange: () => input.files?.[0] && take(input.files[0]) }));
  const zone = h("label.drop", { for: "file" }, h("strong", null, "Drop a CSV file here"), h("span.hint", null, "or press to choose one: a header line, a column of times, a column of values"));
  const shown = h("div.file-head");
  const time = /** @type {HTMLSelectElement} */ (h("select", { id: "time-column", onchange: changed }));
  const value = /** @type {HTMLSelectElement} */ (h("select", { id: "value-column", onchange: changed }));
  /** @type {File | null} */
  let file = null;

  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    const dropped = /** @type {DragEvent} */ (event).dataTransfer?.files[0];
    if (dropped) take(dropped);
  });

  /** @param {File} taken */
  async function take(taken) {
    file = null;
    const text = await taken.slice(0, HEAD_BYTES).text();
    const lines = text.split(/\r?\n/).filter((line) => line.trim());
    if (taken.size > HEAD_BYTES) lines.pop(); // The last line may be cut off.
    if (lines.length < 2) {
      replace(shown, problemNote("This file has no rows: a header line and at least one row are needed."));
      changed();
      return;
    }
    const separator = [",", ";", "\t"].sort((a, b) => lines[0].split(b).length - lines[0].split(a).length)[0];
    const rows = lines.slice(0, SHOWN_ROWS + 1).map((line) => line.split(separator).map((part) => part.trim().replace(/^"(.*)"$/, "$1")));
    const names = rows[0];
    fill(time, names, guess(names, TIME_NAMES, rows, (text) => Number.isFinite(Date.parse(text)) || /^\d{9,13}(\.\d+)?$/.test(text)));
    fill(value, names, guess(names.map((name) => (name === time.value ? "" : name)), VALUE_NAMES, rows, (text) => text !== "" && Number.isFinite(Number(text))));
    file = taken;
    replace(
      shown,
      h("p", null, h("strong", null, taken.name), h("span.hint", null, ` ${(taken.size / 1024).toFixed(0)} KiB`)),
      h("div.inline-form", null, h("label", { for: "time-column" }, "Times"), time, h("label", { for: "value-column" }, "Values"), value),
      h("div.table-scroll.small", { tabindex: "0", role: "region", "aria-label": "First rows of the file" }, h("table.data", null, h("thead", null, h("tr", null, names.map((name) => h("th", { scope: "col" }, name)))), h("tbody", null, rows.slice(1).map((row) => h("tr", null, row.map((part) => h("td", null, part))))))),
    );
    changed();
  }

  return {
    element: h("div.file-drop", null, input, zone, shown),
    /** @returns {Chosen | null} */
    chosen: () => file && { file, time: time.value, value: value.value },
  };
}

/**
 * @param {HTMLSelectElement} select
 * @param {string[]} names
 * @param {string} chosen
 */
function fill(select, names, chosen) {
  replace(select, names.filter(Boolean).map((name) => h("option", { value: name }, name)));
  select.value = chosen;
}

/**
 * Returns the column whose name says it, else the first whose every cell fits.
 * @param {string[]} names
 * @param {RegExp} usual
 * @param {string[][]} rows
 * @param {(text: string) => boolean} fits
 */
function guess(names, usual, rows, fits) {
  const named = names.find((name) => usual.test(name));
  return named ?? names.find((name, i) => name && rows.slice(1).every((row) => fits(row[i] ?? ""))) ?? names[0];
}
