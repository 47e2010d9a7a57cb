/** What a person chose for this browser: theme, time zone, single-letter keys. It is not part of an address. */
import { createStore } from "./store.js";

/**
 * @typedef {object} Settings
 * @property {"system" | "light" | "dark"} theme
 * @property {"local" | "utc"} zone
 * @property {"on" | "off"} keys
 */

/** @type {{[K in keyof Settings]: Settings[K][]}} */
const CHOICES = { theme: ["system", "light", "dark"], zone: ["local", "utc"], keys: ["on", "off"] };

/** @param {keyof Settings} name */
function stored(name) {
  try {
    const value = localStorage.getItem(`htmengine.${name}`);
    const choices = /** @type {string[]} */ (CHOICES[name]);
    return value !== null && choices.includes(value) ? value : choices[0];
  } catch {
    return CHOICES[name][0];
  }
}

export const settings = createStore(
  /** @type {Settings} */ ({ theme: stored("theme"), zone: stored("zone"), keys: stored("keys") }),
);

/**
 * Chooses the next value of a setting and keeps it.
 * @param {keyof Settings} name
 */
export function nextChoice(name) {
  const choices = /** @type {string[]} */ (CHOICES[name]);
  const value = choices[(choices.indexOf(settings.get()[name]) + 1) % choices.length];
  try {
    localStorage.setItem(`htmengine.${name}`, value);
  } catch {
    // It holds until the page is closed.
  }
  settings.set(/** @type {Partial<Settings>} */ ({ [name]: value }));
}

settings.follow(({ theme }) => {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
});
