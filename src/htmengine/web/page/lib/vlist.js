/**
 * A list of any length in a grid: only the rows near the screen exist as elements, and they are used again.
 *
 * Rows have a fixed height and are moved by `transform`. Their order in the document is the order that is seen,
 * as screen readers follow the document: a row that leaves at one end is appended at the other.
 */
import { h } from "./h.js";

/**
 * @template T
 * @typedef {object} RowType
 * @property {() => HTMLElement} make an empty row
 * @property {(element: HTMLElement, item: T, index: number) => void} draw
 */

/** Screens that are kept ready above and below what is seen. */
const SPARE = 0.5;

/** @template T */
export class VirtualList {
  /**
   * @param {HTMLElement} body holds the rows (role=rowgroup)
   * @param {() => number} rowHeight in CSS pixels
   * @param {RowType<T>} type
   * @param {() => void} [nearEnd] called when the last rows come near
   */
  constructor(body, rowHeight, type, nearEnd) {
    this.body = body;
    this.rowHeight = rowHeight;
    this.type = type;
    this.nearEnd = nearEnd;
    /** @type {T[]} */
    this.items = [];
    /** @type {{element: HTMLElement, index: number}[]} in the order that is seen */
    this.rows = [];
    this.active = 0;
    this.dirty = false;
    this.place = () => this.schedule();
    addEventListener("scroll", this.place, { passive: true });
    addEventListener("resize", this.place);
  }

  close() {
    removeEventListener("scroll", this.place);
    removeEventListener("resize", this.place);
  }

  /** @param {T[]} items */
  show(items) {
    this.items = items;
    this.active = Math.max(0, Math.min(this.active, items.length - 1));
    this.body.style.height = `${items.length * this.rowHeight()}px`;
    this.render(true);
  }

  schedule() {
    if (this.dirty) return;
    this.dirty = true;
    requestAnimationFrame(() => {
      this.dirty = false;
      this.render(false);
    });
  }

  /** Returns the first and the last index that have an element. */
  window() {
    const height = this.rowHeight();
    const top = -this.body.getBoundingClientRect().top;
    const spare = innerHeight * SPARE;
    const first = Math.max(0, Math.floor((top - spare) / height));
    const last = Math.min(this.items.length - 1, Math.ceil((top + innerHeight + spare) / height));
    return [first, last];
  }

  /** @param {boolean} all draw rows that have not moved, too */
  render(all) {
    const [first, last] = this.window();
    const wanted = Math.max(0, last - first + 1);
    while (this.rows.length > wanted) this.rows.pop()?.element.remove();
    if (!all && this.rows.length && this.rows.length === wanted && this.rows[0].index === first) return;
    // Rows that leave at one end go to the other one.
    let moves = 0;
    while (this.rows.length && this.rows[0].index < first && moves++ < wanted) {
      const row = /** @type {{element: HTMLElement, index: number}} */ (this.rows.shift());
      this.rows.push(row);
      this.body.append(row.element);
      row.index = -1;
      if (this.rows[0].index === -1) break;
    }
    while (this.rows.length && this.rows[this.rows.length - 1].index > last && moves++ < wanted) {
      const row = /** @type {{element: HTMLElement, index: number}} */ (this.rows.pop());
      this.rows.unshift(row);
      this.body.prepend(row.element);
      row.index = -1;
    }
    while (this.rows.length < wanted) {
      const element = this.type.make();
      this.body.append(element);
      this.rows.push({ element, index: -1 });
    }
    const height = this.rowHeight();
    this.rows.forEach((row, i) => {
      const index = first + i;
      if (row.index === index && !all) return;
      row.index = index;
      row.element.style.transform = `translateY(${index * height}px)`;
      row.element.setAttribute("aria-rowindex", String(index + 2));
      row.element.tabIndex = index === this.active ? 0 : -1;
      this.type.draw(row.element, this.items[index], index);
    });
    if (last >= this.items.length - 30) this.nearEnd?.();
  }

  /** Draws rows again whose item is in the set. @param {(item: T) => boolean} changed */
  refresh(changed) {
    for (const { element, index } of this.rows) {
      const item = this.items[index];
      if (item !== undefined && changed(item)) this.type.draw(element, item, index);
    }
  }

  /** Returns the items whose rows exist. */
  visible() {
    return this.rows.map(({ index }) => this.items[index]).filter((item) => item !== undefined);
  }

  /**
   * Makes a row the one that keys act on, brings it into sight and gives it the focus.
   * @param {number} index
   * @param {number} [under] pixels at the top of the screen that something covers
   */
  focus(index, under = 0) {
    if (!this.items.length) return;
    this.active = Math.max(0, Math.min(index, this.items.length - 1));
    const height = this.rowHeight();
    const top = this.body.getBoundingClientRect().top + this.active * height;
    if (top < under) scrollBy(0, top - under);
    else if (top + height > innerHeight) scrollBy(0, top + height - innerHeight);
    this.render(false);
    for (const { element, index: place } of this.rows) element.tabIndex = place === this.active ? 0 : -1;
    this.rows.find((row) => row.index === this.active)?.element.focus({ preventScroll: true });
  }
}

/** Returns a cell of a row. @param {string} name @param {...import("./h.js").Child} children */
export function cell(name, ...children) {
  return h(`div.cell.${name}`, { role: "gridcell" }, ...children);
}
