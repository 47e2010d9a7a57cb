/** Colours of the theme, for canvases: read from the style sheet, and again when the theme changes. */
import { settings } from "../lib/settings.js";

const NAMES = /** @type {const} */ ([
  "paper", "ink", "soft", "faint", "rule", "value", "band", "before", "select", "alarm-paper",
  "score-0", "score-1", "score-2", "score-3", "score-4",
]);

/** @type {Record<string, string>} */
let current = {};
/** @type {Set<() => void>} */
const followers = new Set();

function read() {
  const probe = document.createElement("i");
  document.documentElement.append(probe);
  current = Object.fromEntries(
    NAMES.map((name) => {
      probe.style.color = `var(--${name})`;
      return [name, getComputedStyle(probe).color];
    }),
  );
  probe.remove();
  for (const follower of [...followers]) follower();
}

/** @param {(typeof NAMES)[number]} name */
export function colour(name) {
  if (!current[name]) read();
  return current[name];
}

/** Returns the colour of a log score: grey where it is usual, orange to dark red from an alarm on. @param {number} score */
export function scoreColour(score) {
  return colour(/** @type {(typeof NAMES)[number]} */ (`score-${scoreStep(score)}`));
}

/** @param {number} score 0 to 1; the step from 0 (usual) to 4 */
export function scoreStep(score) {
  return score >= 0.8 ? 4 : score >= 0.65 ? 3 : score >= 0.5 ? 2 : score >= 0.3 ? 1 : 0;
}

/**
 * Calls the function when colours change; returns the function that ends it.
 * @param {() => void} follower
 */
export function whenColoursChange(follower) {
  followers.add(follower);
  return () => followers.delete(follower);
}

for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", read);
let first = true;
settings.follow(() => {
  if (!first) read();
  first = false;
});
