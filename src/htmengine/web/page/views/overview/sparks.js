/** The small pictures of the rows that are seen: asked for in bulk, kept while their window holds. */
import { get } from "../../lib/api.js";

/** @typedef {import("../../shapes").Spark} Spark */

const MOST = 200;
const FRESH_MS = 60_000;
const SOON_MS = 60;

export class Sparks {
  /** @param {() => void} arrived */
  constructor(arrived) {
    this.arrived = arrived;
    /** @type {Map<string, {spark: Spark, at: number}>} */
    this.known = new Map();
    /** @type {Set<string>} */
    this.asked = new Set();
    /** @type {{from: number, to: number, live: boolean, name: string} | null} */
    this.span = null;
    this.timer = 0;
  }

  /** @param {{from: number, to: number, live: boolean, name: string}} span */
  window(span) {
    const key = (/** @type {typeof span | null} */ one) => one && `${one.name} ${one.live ? "" : one.to}`;
    if (key(span) !== key(this.span)) this.known.clear();
    this.span = span;
  }

  /** @param {string} uid */
  of(uid) {
    return this.known.get(uid)?.spark;
  }

  /** @param {string[]} uids the rows that are seen */
  want(uids) {
    const now = performance.now();
    const stale = (/** @type {string} */ uid) => now - (this.known.get(uid)?.at ?? -Infinity) > FRESH_MS;
    const missing = uids.filter((uid) => !this.asked.has(uid) && stale(uid));
    if (!missing.length || this.timer) return;
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      this.ask(missing.slice(0, MOST));
    }, SOON_MS);
  }

  /** @param {string[]} uids */
  async ask(uids) {
    const span = this.span;
    uids.forEach((uid) => this.asked.add(uid));
    try {
      const now = Math.ceil(Date.now() / 1000);
      const shift = span?.live ? now - span.to : 0;
      const { items } = await get("/metrics/sparks", { uid: uids, from: span && span.from + shift, to: span && span.to + shift });
      if (span !== this.span && span?.name !== this.span?.name) return;
      for (const [uid, spark] of Object.entries(items)) this.known.set(uid, { spark: /** @type {Spark} */ (spark), at: performance.now() });
      this.arrived();
    } catch {
      // Rows without a picture are still rows; the next scroll asks again.
    } finally {
      uids.forEach((uid) => this.asked.delete(uid));
    }
  }

  /** Puts a new sample into the last cell. @param {import("../../lib/sse.js").Result} result */
  take(result) {
    const spark = this.known.get(result.uid)?.spark;
    if (!spark || !this.span?.live) return;
    const last = spark.bars.length - 1;
    if (result.log_score !== null) spark.bars[last] = Math.max(spark.bars[last] ?? 0, Math.round(255 * result.log_score));
    if (spark.low !== null && spark.high !== null && spark.high > spark.low) {
      spark.spark[spark.spark.length - 1] = Math.max(0, Math.min(255, Math.round((255 * (result.value - spark.low)) / (spark.high - spark.low))));
    }
  }
}
