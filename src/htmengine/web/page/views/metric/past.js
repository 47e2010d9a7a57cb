/** The past as the model would have scored it, had all that it was taught counted from its span on: a button, and what is said of it. */
import { get } from "../../lib/api.js";
import { count, plural } from "../../lib/format.js";
import { h, replace } from "../../lib/h.js";
import { setQuery } from "../../lib/router.js";

/** @typedef {import("../../shapes").TaughtPast} TaughtPast */

/** @param {string} uid */
export function taughtPast(uid) {
  const button = h("button", { type: "button", hidden: true, "aria-pressed": "false", onclick: () => setQuery({ rescored: button.getAttribute("aria-pressed") === "true" ? null : "1" }) }, "As re-scored");
  const note = h("p.hint", { role: "status" });

  return {
    button,
    note,
    /** Offers it where the model was ever taught. */
    async offer() {
      /** @type {import("../../shapes").Label[]} */
      const taught = await get("/labels", { uid, taught: "true", undone: "true", limit: 1000 }).then(({ items }) => items, () => []);
      const rows = Math.max(0, ...taught.map(({ effective_rowid: from }) => (from ?? 1) - 1));
      button.hidden = !taught.length;
      button.title = `Scores as if all that the model was taught had counted from its span on: it takes ${plural(rows, "row")} again, and nothing is stored`;
    },
    /** @param {boolean} on */
    press(on) {
      button.setAttribute("aria-pressed", String(on));
      if (!on) replace(note);
    },
    /** @param {TaughtPast} past */
    say({ gone, added, rows, seconds }) {
      replace(note, `As re-scored: ${plural(gone.length, "alarm")} would not have been, ${count(added.length)} would have come. ${plural(rows, "row")} scored again in ${seconds.toFixed(1)} s; the scores that are stored stay as they are.`);
    },
  };
}
