/** A job that runs on the server: its progress, its end, and a way to cancel it. */
import { get, remove } from "../../lib/api.js";
import { count } from "../../lib/format.js";
import { h, replace } from "../../lib/h.js";
import { problemNote } from "../problem.js";

const POLL_MS = 500;

/** @typedef {import("../../shapes").Job} Job */

/**
 * Follows a job until it ends; returns the function that stops following.
 * @param {HTMLElement} element
 * @param {Job} job
 * @param {(job: Job) => void} done
 */
export function followJob(element, job, done) {
  let timer = 0;
  const cancel = h("button", { type: "button", onclick: () => remove(`/jobs/${job.id}`).catch(() => {}) }, "Cancel");

  /** @param {Job} now */
  function show(now) {
    const share = now.total ? h("progress", { value: now.done, max: now.total, "aria-label": "Progress" }) : null;
    const ended = ["done", "failed", "cancelled"].includes(now.state);
    replace(
      element,
      h("p", { role: "status" }, now.state === "failed" ? "" : `${{ queued: "Waiting", running: now.stage || "Running", done: "Done", cancelled: "Cancelled" }[now.state]}: ${count(now.done)}${now.total ? ` of ${count(now.total)}` : ""} rows.`),
      now.state === "failed" ? problemNote(now.error ?? "The job failed.") : null,
      ended ? null : [share, cancel].filter((part) => part !== null),
    );
    if (now.state === "done") done(now);
    return ended;
  }

  async function look() {
    try {
      if (show(await get(`/jobs/${job.id}`))) return;
    } catch (problem) {
      replace(element, problemNote(problem, look));
      return;
    }
    timer = window.setTimeout(look, POLL_MS);
  }

  if (!show(job)) timer = window.setTimeout(look, POLL_MS);
  return () => clearTimeout(timer);
}
