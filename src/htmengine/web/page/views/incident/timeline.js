/** What happened to an incident, in order: what the engine saw, what people did, and who was told. */
import { clock } from "../../lib/format.js";
import { h, replace } from "../../lib/h.js";
import { may } from "../../lib/session.js";
import { deliveryInWords } from "../../lib/words.js";
import { clockTime } from "../clock_time.js";
import { sendAgainButton } from "../delivery.js";
import { VERDICTS } from "./actions.js";

/**
 * @typedef {import("../../shapes").Incident} Incident
 * @typedef {{at: number, text: import("../../lib/h.js").Child[]}} Event
 */

/**
 * @param {HTMLElement} element
 * @param {Incident} one
 * @param {{act: import("./actions.js").Act, again: () => void}} doing
 */
export function showTimeline(element, one, { act, again }) {
  const said = h("div");
  /** @type {Event[]} */
  const events = [{ at: one.opened, text: [`Opened with ${one.first_mover.name}`] }];
  for (const done of one.history ?? []) events.push({ at: done.at, text: action(done) });
  for (const told of one.deliveries ?? []) events.push({ at: told.done ?? told.created, text: delivery(told, said, again) });
  if (one.resolved !== null && !one.history?.some((done) => done.action === "resolve")) events.push({ at: one.resolved, text: ["Over: no metric of it alarmed any more"] });
  events.sort((a, b) => a.at - b.at);
  const text = /** @type {HTMLInputElement} */ (h("input", { "aria-label": "Comment", placeholder: "Comment", maxlength: "2000", required: true }));
  const draft = element.querySelector("input")?.value ?? "";
  const typing = document.activeElement === element.querySelector("input") && draft !== "";
  replace(
    element,
    h("h2", null, "Timeline"),
    h("ol", null, events.map(({ at, text: what }) => h("li", null, clockTime(at), h("span", null, what)))),
    said,
    one.history && may("teach")
      ? h("form", { onsubmit: (/** @type {SubmitEvent} */ event) => {
          event.preventDefault();
          const note = text.value.trim();
          if (!note) return;
          text.value = "";
          act("comment", { note });
        } }, text, h("button", { type: "submit" }, "Comment"))
      : null,
  );
  text.value = draft; // what is being typed outlives news of the incident
  if (typing) text.focus();
}

/** @param {import("../../shapes").IncidentAction} done @returns {import("../../lib/h.js").Child[]} */
function action(done) {
  const by = h("strong", null, done.by);
  const note = done.note ? `: ${done.note}` : "";
  switch (done.action) {
    case "ack":
      return [by, " looks after it", note];
    case "snooze":
      return [by, ` snoozed it until ${clock(done.until ?? done.at)}`, note];
    case "resolve":
      return [by, " resolved it", note];
    case "verdict":
      return [by, ` says: ${done.verdict ? VERDICTS[done.verdict] : "nothing"}`, note];
    default:
      return [by, ": ", done.note];
  }
}

/**
 * @param {import("../../shapes").Delivery} told
 * @param {HTMLElement} said
 * @param {() => void} again
 * @returns {import("../../lib/h.js").Child[]}
 */
function delivery(told, said, again) {
  return [deliveryInWords(told), sendAgainButton(told, said, again)];
}
