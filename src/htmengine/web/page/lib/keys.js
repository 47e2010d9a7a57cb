/** Keys of the page. Single letters rest while somebody types, and can be switched off. */
import { settings } from "./settings.js";

/** @typedef {{keys: string, says: string, run: (event: KeyboardEvent) => void | false}} Binding keys: "j", "g o", "Enter" */

/** @type {Set<Binding[]>} */
const scopes = new Set();
let prefix = "";
let prefixAt = 0;
const SEQUENCE_MS = 1200;

/**
 * Adds keys; returns the function that takes them away again.
 * @param {Binding[]} bindings
 */
export function addKeys(bindings) {
  scopes.add(bindings);
  return () => scopes.delete(bindings);
}

/** Returns all keys that work now, the newest page's first. */
export function allKeys() {
  return [...scopes].reverse().flat();
}

/** @param {EventTarget | null} target */
function typing(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (document.querySelector("dialog[open]")) return;
  if (typing(event.target) && event.key !== "Escape") return;
  if (event.key.length === 1 && settings.get().keys === "off") return;
  const pressed = prefix && event.timeStamp - prefixAt < SEQUENCE_MS ? `${prefix} ${event.key}` : event.key;
  prefix = "";
  const bindings = allKeys();
  const binding = bindings.find((one) => one.keys.split(", ").includes(pressed));
  if (binding) {
    if (binding.run(event) !== false) event.preventDefault();
  } else if (bindings.some((one) => one.keys.startsWith(`${pressed} `))) {
    prefix = pressed;
    prefixAt = event.timeStamp;
  }
});
