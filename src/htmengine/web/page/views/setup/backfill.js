/** Loading a file's history into a metric: its model learns from it before live samples go on. */
import { upload, url } from "../../lib/api.js";
import { h, replace } from "../../lib/h.js";
import { link } from "../../lib/router.js";
import { problemNote } from "../problem.js";
import { asCommand, quoted } from "./command.js";
import { fileDrop } from "./file_drop.js";
import { followJob } from "./job.js";

/** @param {URLSearchParams} query */
export function backfillPart(query) {
  const name = /** @type {HTMLInputElement} */ (h("input", { id: "metric-name", required: true, spellcheck: "false", autocomplete: "off", placeholder: "web.requests", value: query.get("metric") ?? "", oninput: changed }));
  const start = /** @type {HTMLButtonElement} */ (h("button.primary", { type: "submit", disabled: true }, "Load"));
  const progress = h("div.job");
  const command = asCommand();
  const drop = fileDrop(changed);
  let stop = () => {};
  const element = h(
    "form",
    { onsubmit: submit },
    h("p", null, "The model learns from the history first; live samples of the metric wait meanwhile and follow it."),
    drop.element,
    h("div.inline-form", null, h("label", { for: "metric-name" }, "Into the metric"), name, start),
    progress,
    command.element,
  );

  function changed() {
    const chosen = drop.chosen();
    const metric = name.value.trim();
    start.disabled = !chosen || !metric;
    if (chosen && metric) command.show("POST", url(`/backfill/${encodeURIComponent(metric)}`, { time: chosen.time, value: chosen.value }), ["-H 'Content-Type: text/csv'", `--data-binary ${quoted(`@${chosen.file.name}`)}`]);
  }

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    const chosen = drop.chosen();
    if (!chosen) return;
    const metric = name.value.trim();
    stop();
    replace(progress, h("p", { role: "status" }, "Sending the file."));
    try {
      const job = await upload(`/backfill/${encodeURIComponent(metric)}`, chosen.file, { time: chosen.time, value: chosen.value });
      stop = followJob(progress, job, () => progress.append(h("p", null, h("a", { href: link("m", { name: metric }) }, `To ${metric}`))));
    } catch (problem) {
      replace(progress, problemNote(problem));
    }
  }

  return { element, close: () => stop() };
}
