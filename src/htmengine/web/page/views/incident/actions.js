/** What a person can say of an incident: mine, not now, over, and whether it was one. */
import { h } from "../../lib/h.js";
import { clock } from "../../lib/format.js";

/**
 * @typedef {import("../../shapes").Incident} Incident
 * @typedef {(what: string, body?: object) => Promise<void>} Act
 */

/** @type {Record<import("../../shapes").Verdict, string>} */
export const VERDICTS = { true: "it was real", false: "it was a false alarm", not_mine: "others look after it" };
const HOUR_S = 3600;
const MORNING = 8;

/** Returns the choices of how long nothing is told: words, and the moment. @returns {[string, number][]} */
function snoozes() {
  const now = Date.now() / 1000;
  const morning = new Date();
  morning.setHours(MORNING, 0, 0, 0);
  if (morning.getTime() / 1000 <= now) morning.setDate(morning.getDate() + 1);
  const at = morning.getTime() / 1000;
  return [["for 1 h", now + HOUR_S], ["for 4 h", now + 4 * HOUR_S], [`until ${clock(at)}`, at], ["for a week", now + 168 * HOUR_S]];
}

/**
 * Returns the controls that an incident has now.
 * @param {Incident} one
 * @param {Act} act
 */
export function incidentActions(one, act) {
  const open = one.state === "open" || one.state === "acknowledged";
  const snoozed = (one.snoozed_until ?? 0) > Date.now() / 1000;
  const times = snoozes();
  const snooze = h(
    "select",
    { "aria-label": "Snooze", title: "Tell nothing more of it for a time (s: 1 h)", onchange: (/** @type {Event} */ event) => act("snooze", { until: Math.round(times[Number(/** @type {HTMLSelectElement} */ (event.target).value)][1]) }) },
    h("option", { value: "", disabled: true, selected: true }, snoozed ? "Snoozed" : "Snooze"),
    times.map(([words], i) => h("option", { value: String(i) }, words)),
  );
  const verdict = h(
    "select",
    { "aria-label": "Was it real?", title: "Counted, by metric and rule; it changes no score", onchange: (/** @type {Event} */ event) => act("verdict", { verdict: /** @type {HTMLSelectElement} */ (event.target).value }) },
    h("option", { value: "", disabled: true, selected: !one.verdict }, "Was it real?"),
    Object.entries(VERDICTS).map(([value, words]) => h("option", { value, selected: one.verdict?.verdict === value }, words)),
  );
  return h(
    "div.actions",
    { role: "group", "aria-label": "What to do about it" },
    open && !one.ack ? h("button.primary", { type: "button", title: "I look after it (a)", onclick: () => act("ack") }, "Acknowledge") : null,
    open ? snooze : null,
    open ? h("button", { type: "button", title: "It is over (r)", onclick: () => act("resolve") }, "Resolve") : null,
    verdict,
  );
}

/**
 * @param {() => Incident | null} current the incident, if anything can be done about it
 * @param {Act} act
 * @param {HTMLElement} timeline
 * @returns {import("../../lib/keys.js").Binding[]}
 */
export function actionKeys(current, act, timeline) {
  const ifOpen = (/** @type {(one: Incident) => void} */ run) => () => {
    const one = current();
    if (one && one.state !== "resolved" && one.state !== "expired") run(one);
  };
  return [
    { keys: "a", says: "acknowledge", run: ifOpen((one) => void (one.ack || act("ack"))) },
    { keys: "s", says: "snooze for 1 h", run: ifOpen(() => void act("snooze", { until: Math.round(Date.now() / 1000 + HOUR_S) })) },
    { keys: "r", says: "resolve", run: ifOpen(() => void act("resolve")) },
    { keys: "c", says: "comment", run: () => timeline.querySelector("input")?.focus() },
  ];
}
