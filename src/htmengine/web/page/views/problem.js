/** How a page says that something could not be had. */
import { h } from "../lib/h.js";

/**
 * @param {unknown} problem
 * @param {() => void} [again]
 */
export function problemNote(problem, again) {
  const text = problem instanceof Error ? problem.message : String(problem);
  return h("p.problem", { role: "alert" }, text, again ? h("button.quiet", { type: "button", onclick: again }, "Try again") : null);
}
