/** The live stream: one connection for each tab, which resumes where it broke off, and rests while nobody looks. */
import { url } from "./api.js";

const HIDDEN_MS = 60_000;
const AGAIN_MS = 5_000;

/**
 * @typedef {import("../shapes").Result} Result
 * @typedef {object} Listeners
 * @property {(results: Result[]) => void} [results]
 * @property {(incident: import("../shapes").Incident) => void} [incident]
 * @property {(overview: import("../shapes").Overview) => void} [health]
 * @property {() => void} [reset] what was missed cannot be told: read everything again
 * @property {(live: boolean) => void} [live] the connection stands, or is lost
 */

/**
 * Opens the stream; returns the function that closes it.
 * @param {import("./api.js").Params} params
 * @param {Listeners} listeners
 */
export function listen(params, listeners) {
  /** @type {EventSource | null} */
  let source = null;
  /** @type {string[]} */
  let columns = ["uid", "rowid", "time", "value", "log_score", "cause"];
  let wasOpen = false;
  let closed = false;
  let timer = 0;
  let hiding = 0;

  function open() {
    clearTimeout(timer);
    source = new EventSource(url("/stream", params));
    source.addEventListener("hello", (event) => {
      columns = parsed(event).columns ?? columns;
      if (wasOpen && !source) return;
      listeners.live?.(true);
      wasOpen = true;
    });
    source.addEventListener("results", (event) => {
      listeners.results?.(parsed(event).map((/** @type {any[]} */ row) => asResult(columns, row)));
    });
    source.addEventListener("incidents", (event) => {
      for (const incident of [parsed(event)].flat()) listeners.incident?.(incident);
    });
    source.addEventListener("health", (event) => listeners.health?.(parsed(event)));
    source.addEventListener("reset", () => listeners.reset?.());
    source.addEventListener("error", () => {
      if (closed || !source) return;
      listeners.live?.(false);
      if (source.readyState === EventSource.CLOSED) timer = window.setTimeout(reopen, AGAIN_MS);
    });
  }

  function reopen() {
    shut();
    open();
    // A new connection knows nothing of the old one's place.
    listeners.reset?.();
  }

  function shut() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function visibility() {
    clearTimeout(hiding);
    if (document.hidden) hiding = window.setTimeout(shut, HIDDEN_MS);
    else if (!source) reopen();
  }

  document.addEventListener("visibilitychange", visibility);
  addEventListener("pagehide", shut);
  open();
  return () => {
    closed = true;
    clearTimeout(hiding);
    document.removeEventListener("visibilitychange", visibility);
    removeEventListener("pagehide", shut);
    shut();
  };
}

/** @param {Event} event */
const parsed = (event) => JSON.parse(/** @type {MessageEvent} */ (event).data);

/**
 * @param {string[]} columns
 * @param {any[]} row
 * @returns {Result}
 */
function asResult(columns, row) {
  return /** @type {any} */ (Object.fromEntries(columns.map((column, i) => [column, row[i] ?? null])));
}
