/** The list of keys, and what a person can choose. */
import { zoneName } from "../lib/format.js";
import { h, setText } from "../lib/h.js";
import { allKeys } from "../lib/keys.js";
import { nextChoice, settings } from "../lib/settings.js";

/** @type {HTMLDialogElement | null} */
let dialog = null;
let ends = () => {};

export const THEMES = { system: "Theme: system", light: "Theme: light", dark: "Theme: dark" };

export function openHelp() {
  closeHelp();
  const letters = h("input", { type: "checkbox", checked: settings.get().keys === "on", onchange: () => nextChoice("keys") });
  const zone = h("button", { type: "button", onclick: () => nextChoice("zone") });
  const theme = h("button", { type: "button", onclick: () => nextChoice("theme") });
  ends = settings.follow((chosen) => {
    setText(zone, `Times: ${zoneName()}`);
    setText(theme, THEMES[chosen.theme]);
  });
  dialog = /** @type {HTMLDialogElement} */ (
    h(
      "dialog.help",
      { "aria-labelledby": "help-title", onclose: closeHelp },
      h("h2", { id: "help-title" }, "Keys"),
      h(
        "dl.keys",
        null,
        allKeys().map(({ keys, says }) => h("div", null, h("dt", null, keysOf(keys)), h("dd", null, says))),
      ),
      h("div.choices", null, zone, theme, h("label", null, letters, " Single-letter keys")),
      h("form", { method: "dialog" }, h("button", null, "Close")),
    )
  );
  document.body.append(dialog);
  dialog.showModal();
}

export function closeHelp() {
  ends();
  dialog?.remove();
  dialog = null;
}

/** @param {string} keys */
function keysOf(keys) {
  return keys.split(", ").flatMap((one, i) => [i ? " or " : "", ...one.split(" ").map((key) => h("kbd", null, NAMES[key] ?? key))]);
}

/** @type {Record<string, string>} */
const NAMES = { ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→", Enter: "Enter", Escape: "Esc" };

