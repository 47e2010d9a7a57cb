/** Metrics that were chosen in the list, and what is said of their open incidents; without a choice, of the metric that keys act on. */
import { post } from "../../lib/api.js";
import { plural } from "../../lib/format.js";
import { h, replace, setText } from "../../lib/h.js";
import { may, session } from "../../lib/session.js";

/** @typedef {import("../../shapes").MetricRow} MetricRow */

const HOUR_S = 3600;
const MOST_ASKED_FOR = 3; // more incidents at once are asked about first

const ACTS = /** @type {const} */ ({
  ack: { says: "Acknowledge", key: "a", done: "Acknowledged" },
  snooze: { says: "Snooze 1 h", key: "s", done: "Snoozed for 1 h:" },
  verdict: { says: "Normal", key: "n", done: "Noted as false alarms:" },
});

/** @typedef {keyof typeof ACTS} Act */

export class Chosen {
  /**
   * @param {{rows: () => MetricRow[], active: () => MetricRow | null, changed: () => void, acted: () => void}} list
   */
  constructor(list) {
    this.list = list;
    /** @type {Set<string>} */
    this.uids = new Set();
    this.count = h("span");
    this.said = h("output.acted", { "aria-live": "polite" });
    this.bar = h(
      "div.chosen-bar",
      { hidden: true, role: "group", "aria-label": "Chosen metrics" },
      this.count,
      may("teach") ? Object.entries(ACTS).map(([act, { says, key }]) => h("button", { type: "button", title: `What holds for their open incidents (${key})`, onclick: () => this.act(/** @type {Act} */ (act)) }, says)) : null,
      h("button.quiet", { type: "button", title: "Choose none (Esc)", onclick: () => this.clear() }, "Clear"),
    );
    this.element = h("div.chosen", null, this.bar, this.said);
  }

  /** @param {string} uid */
  has(uid) {
    return this.uids.has(uid);
  }

  /** @param {MetricRow | null} row */
  toggle(row) {
    if (!row) return;
    if (!this.uids.delete(row.uid)) this.uids.add(row.uid);
    setText(this.said, "");
    this.show();
  }

  /** Chooses none; returns whether some were. */
  clear() {
    const some = this.uids.size > 0;
    this.uids.clear();
    setText(this.said, "");
    this.show();
    return some;
  }

  show() {
    this.bar.hidden = !this.uids.size;
    setText(this.count, `${plural(this.uids.size, "metric")} chosen`);
    this.list.changed();
  }

  /** @param {Act} act */
  async act(act) {
    if (!may("teach") || session.get().record) return;
    const active = this.list.active();
    const rows = this.uids.size ? this.list.rows().filter(({ uid }) => this.uids.has(uid)) : active ? [active] : [];
    if (!rows.length) return setText(this.said, "Choose a metric first: j and k move, x chooses.");
    const incidents = [...new Set(rows.map(({ incident }) => incident))].filter((id) => id !== null);
    if (!incidents.length) return setText(this.said, rows.length === 1 ? `${rows[0].name} is in no open incident.` : "None of them is in an open incident.");
    if (incidents.length > MOST_ASKED_FOR && !confirm(`${ACTS[act].says}: ${plural(incidents.length, "incident")}?`)) return;
    const body = act === "snooze" ? { until: Math.round(Date.now() / 1000 + HOUR_S) } : act === "verdict" ? { verdict: "false" } : {};
    /** @type {string[]} */
    const failed = [];
    for (const id of incidents) {
      try {
        await post(`/incidents/${id}/${act}`, body);
      } catch (problem) {
        failed.push(`${id}: ${/** @type {Error} */ (problem).message}`);
      }
    }
    const done = incidents.length - failed.length;
    this.uids.clear();
    this.show();
    replace(this.said, [done ? `${ACTS[act].done} ${plural(done, "incident")}.` : "", ...failed].filter(Boolean).join(" "));
    this.list.acted();
  }
}
