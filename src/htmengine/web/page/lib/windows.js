/** The window of time that a page shows: the last so many hours, or a span that stays. */
import { readSpan } from "./format.js";
import { query, setQuery } from "./router.js";

export const WINDOWS = ["1h", "3h", "6h", "12h", "24h", "3d", "7d"];
export const USUAL_WINDOW = "24h";

/**
 * Returns the window of an address.
 * @param {URLSearchParams} params
 * @returns {{from: number, to: number, name: string, live: boolean}}
 */
export function windowOf(params) {
  const name = params.get("w") ?? USUAL_WINDOW;
  const at = readTime(params.get("at"));
  const to = at ?? Math.ceil(Date.now() / 1000);
  return { from: to - readSpan(name, 86400), to, name, live: at === null };
}

/**
 * Reads a time as addresses write it: ISO, or seconds.
 * @param {string | null} text
 */
export function readTime(text) {
  if (!text || text === "now") return null;
  const seconds = /^\d{9,11}$/.test(text) ? Number(text) : Date.parse(text) / 1000;
  return Number.isFinite(seconds) ? seconds : null;
}

/** Shows a shorter (-1) or a longer (+1) window. @param {-1 | 1} by */
export function changeWindow(by) {
  const now = WINDOWS.indexOf(query().get("w") ?? USUAL_WINDOW);
  const name = WINDOWS[Math.max(0, Math.min(WINDOWS.length - 1, (now < 0 ? 4 : now) + by))];
  setQuery({ w: name === USUAL_WINDOW ? null : name });
}

/**
 * Returns the shortest window that shows all there is; null where that is the usual one or a longer one.
 * @param {number} history seconds
 */
export function fittingWindow(history) {
  const name = WINDOWS.find((one) => readSpan(one, 0) >= history);
  return name && readSpan(name, 0) < readSpan(USUAL_WINDOW, 0) ? name : null;
}

/**
 * Returns how far the rows of a metric reach back, in seconds; Infinity where that is not known.
 * @param {Pick<import("../shapes").MetricRow, "stored" | "interval" | "last">} row
 * @param {number} now
 */
export function historyOf({ stored = 0, interval, last }, now) {
  if (stored < 2) return last?.time ? now - last.time : 0;
  return interval ? stored * interval : Infinity;
}
