/** Scoring a file that is no metric of this installation: what `htmengine detect` does, in the page. */
import { get, upload, url } from "../../lib/api.js";
import { h, replace } from "../../lib/h.js";
import { showDetection } from "../detection.js";
import { problemNote } from "../problem.js";
import { asCommand, quoted } from "./command.js";
import { fileDrop } from "./file_drop.js";
import { followJob } from "./job.js";

export function detectPart() {
  const start = /** @type {HTMLButtonElement} */ (h("button.primary", { type: "submit", disabled: true }, "Score"));
  const progress = h("div.job");
  const result = h("div.detect-result");
  const command = asCommand();
  const drop = fileDrop(changed);
  let forget = () => {};
  let stop = () => {};
  const element = h("form", { onsubmit: submit }, h("p", null, "A model of its own learns the file from its first row to its last. Nothing is stored as a metric."), drop.element, h("div.inline-form", null, start), progress, result, command.element);

  function changed() {
    const chosen = drop.chosen();
    start.disabled = !chosen;
    if (chosen) command.show("POST", url("/detect", { time: chosen.time, value: chosen.value }), ["-H 'Content-Type: text/csv'", `--data-binary ${quoted(`@${chosen.file.name}`)}`]);
  }

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    const chosen = drop.chosen();
    if (!chosen) return;
    stop();
    forget();
    replace(result);
    try {
      const job = await upload("/detect", chosen.file, { time: chosen.time, value: chosen.value });
      stop = followJob(progress, job, async (done) => {
        try {
          forget = showDetection(result, (await get(`/jobs/${done.id}/result`)).document);
          result.scrollIntoView({ block: "nearest" });
        } catch (problem) {
          replace(result, problemNote(problem));
        }
      });
    } catch (problem) {
      replace(progress, problemNote(problem));
    }
  }

  return {
    element,
    close() {
      stop();
      forget();
    },
  };
}
