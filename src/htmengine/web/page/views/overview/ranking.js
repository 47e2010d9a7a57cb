/**
 * The order of the metrics. Scores arrive all the time; a row moves only when its oddness has changed by more than 0.02,
 * and only when `settle` is called.
 *
 * @typedef {import("../../shapes").MetricRow} MetricRow
 */

const NOTICEABLE = 0.02;
const FIRST_ROWS = 100; // a metric with more of them was there before: the search leaves it out, or the page of the list

export class Ranking {
  constructor() {
    /** @type {Map<string, {row: MetricRow, key: number, live: number}>} */
    this.entries = new Map();
    /** @type {string[]} */
    this.order = [];
    /** @type {"oddness" | "given"} */
    this.by = "oddness";
    /** @type {string[] | null} what the server said, until it is shown */
    this.given = null;
    this.stirred = false; // whether the order may be another one
  }

  get size() {
    return this.entries.size;
  }

  /**
   * Takes the server's newest answer.
   * @param {MetricRow[]} rows in the server's order
   * @param {"oddness" | "given"} by
   * @param {boolean} keep rows that are not among them stay, behind them
   */
  replace(rows, by, keep) {
    const before = this.entries;
    this.by = by;
    this.entries = new Map(rows.map((row) => {
      const known = before.get(row.uid);
      const live = oddness(row);
      // Between the answer's making and its arrival the stream may have told more.
      const newer = known && (known.row.last?.rowid ?? 0) > (row.last?.rowid ?? 0) ? { ...row, last: known.row.last, log_score: known.row.log_score } : row;
      // A row that is known is changed in place: the list holds it, wherever it stands.
      return [row.uid, { row: known ? Object.assign(known.row, newer) : newer, key: known?.key ?? live, live }];
    }));
    this.given = rows.map(({ uid }) => uid);
    if (keep) {
      for (const uid of this.order) {
        const entry = before.get(uid);
        if (!entry || this.entries.has(uid)) continue;
        this.entries.set(uid, entry);
        this.given.push(uid);
      }
    }
    this.stirred = true;
  }

  /** @param {MetricRow[]} rows */
  append(rows) {
    for (const row of rows) {
      if (this.entries.has(row.uid)) continue;
      const key = oddness(row);
      this.entries.set(row.uid, { row, key, live: key });
      this.order.push(row.uid);
    }
  }

  /** Returns whether the list lacks something: a metric that has its first scores, or a row that says it has none. @param {import("../../lib/sse.js").Result} result */
  isNews(result) {
    const entry = this.entries.get(result.uid);
    return entry ? entry.row.state === "unmonitored" || entry.row.state === "no_model" || entry.row.why_no_score?.code === "new" : result.rowid <= FIRST_ROWS;
  }

  /** Returns whether the metric is in the list. @param {import("../../lib/sse.js").Result} result */
  take(result) {
    const entry = this.entries.get(result.uid);
    if (!entry || (entry.row.last && entry.row.last.rowid >= result.rowid)) return false;
    const { row } = entry; // changed in place: the list holds it
    const score = result.log_score;
    row.last = { rowid: result.rowid, time: result.time, value: result.value };
    row.log_score = score;
    row.one_in = result.one_in ?? null;
    if (score !== null) {
      row.max_1h = Math.max(score, row.max_1h ?? 0);
      if (entry.live >= 0) entry.live = Math.max(entry.live, (row.incident ? 1 : 0) + score);
      this.stirred ||= entry.live - entry.key > NOTICEABLE;
      if (score >= 0.5) Object.assign(row, { cause: result.cause, direction: result.direction ?? row.direction, since: row.since ?? result.time });
    }
    return true;
  }

  /**
   * Takes what people said of an incident; returns whether a metric of the list is in it.
   * @param {import("../../shapes").Incident} incident
   */
  takeIncident(incident) {
    const rows = [...this.entries.values()].filter(({ row }) => row.incident === incident.id);
    for (const entry of rows) {
      Object.assign(entry.row, { acknowledged_by: incident.ack?.by ?? null, snoozed_until: incident.snoozed_until ?? null, incident: incident.state === "open" ? incident.id : null });
      entry.live = oddness(entry.row);
      this.stirred = true;
    }
    return rows.length > 0;
  }

  /** Returns how many rows would move or come in. */
  changes() {
    if (!this.stirred) return 0;
    const order = this.sorted();
    if (order.length !== this.order.length) return Math.max(1, Math.abs(order.length - this.order.length));
    const places = new Map(this.order.map((uid, i) => [uid, i]));
    return order.filter((uid, i) => {
      const before = places.get(uid);
      return before === undefined || (before !== i && (this.by === "given" || this.moves(uid)));
    }).length;
  }

  /** @param {string} uid */
  moves(uid) {
    const entry = this.entries.get(uid);
    return entry !== undefined && Math.abs(entry.live - entry.key) > NOTICEABLE;
  }

  settle() {
    this.order = this.sorted();
    for (const entry of this.entries.values()) {
      if (Math.abs(entry.live - entry.key) > NOTICEABLE) entry.key = entry.live;
    }
    this.given = null;
    this.stirred = false;
  }

  /** @returns {string[]} the order as it would be now */
  sorted() {
    if (this.by === "given") return this.given ?? this.order;
    const shown = new Map([...this.entries].map(([uid, { key, live }]) => [uid, Math.abs(live - key) > NOTICEABLE ? live : key]));
    const name = (/** @type {string} */ uid) => /** @type {any} */ (this.entries.get(uid)).row.name;
    return [...this.entries.keys()].sort((a, b) => /** @type {number} */ (shown.get(b)) - /** @type {number} */ (shown.get(a)) || (name(a) < name(b) ? -1 : 1));
  }

  /** @returns {MetricRow[]} */
  rows() {
    return this.order.map((uid) => this.entries.get(uid)?.row).filter((row) => row !== undefined);
  }
}

/** Metrics of open incidents come before all others, and those that are snoozed behind them. @param {MetricRow} row */
function oddness(row) {
  if ((row.snoozed_until ?? 0) > Date.now() / 1000) return -1;
  return (row.incident ? 1 : 0) + (row.oddness ?? Math.max(row.log_score ?? 0, 0.8 * (row.max_1h ?? 0), 0.4 * (row.max_24h ?? 0)));
}
