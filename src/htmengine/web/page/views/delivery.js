/** A notice that is sent again. */
import { post } from "../lib/api.js";
import { h, replace } from "../lib/h.js";
import { may } from "../lib/session.js";
import { problemNote } from "./problem.js";

/**
 * Returns the button that sends a notice again; null where it need not be, or we may not.
 * @param {import("../shapes").Delivery} told
 * @param {HTMLElement} said
 * @param {() => void} again
 */
export function sendAgainButton(told, said, again) {
  if (!["dead", "retrying"].includes(told.state) || !may("admin")) return null;
  const send = async () => {
    try {
      await post(`/deliveries/${told.id}/send-again`);
      replace(said);
      again();
    } catch (problem) {
      replace(said, problemNote(problem));
    }
  };
  const words = told.state === "dead" ? "Send again" : "Send now";
  return h("button.quiet", { type: "button", "aria-label": `${words}: ${told.title}, to ${told.target}`, onclick: send }, words);
}
