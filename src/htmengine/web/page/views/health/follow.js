/** Following one sample on its road: where it is, or where it stopped and why. */
import { get } from "../../lib/api.js";
import { moment, span, timeOfSecond } from "../../lib/format.js";
import { h, replace } from "../../lib/h.js";
import { newest } from "../../lib/newest.js";
import { setQuery } from "../../lib/router.js";
import { readTime } from "../../lib/windows.js";
import { problemNote } from "../problem.js";

const STATES = { done: "✓", waiting: "…", stopped: "!" };

/** @param {URLSearchParams} query */
export function followForm(query) {
  const name = /** @type {HTMLInputElement} */ (h("input", { id: "follow-name", placeholder: "web.requests", required: true, spellcheck: "false", autocomplete: "off" }));
  const time = /** @type {HTMLInputElement} */ (h("input", { id: "follow-time", placeholder: "seconds, or 2026-03-12T14:26:00Z", spellcheck: "false", autocomplete: "off" }));
  const steps = h("div.follow-steps", { role: "status" });
  const element = h(
    "section.follow",
    null,
    h("h2", null, "Follow one sample"),
    h(
      "form.inline-form",
      { onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        setQuery({ metric: name.value.trim(), time: time.value.trim() });
        show();
      } },
      h("label", { for: "follow-name" }, "Metric"), name,
      h("label", { for: "follow-time" }, "Time"), time,
      h("button", { type: "submit" }, "Follow"),
    ),
    steps,
  );

  const begin = newest();

  async function show() {
    const isNewest = begin();
    const metric = name.value.trim();
    if (!metric) return replace(steps);
    const at = readTime(time.value.trim());
    if (time.value.trim() && at === null) return replace(steps, problemNote("This is no time: give seconds since 1970, or a date like 2026-03-12T14:26:00Z."));
    try {
      const { steps: road } = await get("/follow", { metric, time: at ?? "" });
      if (!isNewest()) return;
      const since = road.find((/** @type {import("../../shapes").Step} */ step) => step.time !== null)?.time ?? null;
      replace(
        steps,
        h("p.hint", null, at === null ? "Its newest sample." : moment(at)),
        h("ol", null, road.map((/** @type {import("../../shapes").Step} */ step) => h("li", { dataset: { state: step.state } }, h("span.stage-icon", { "aria-hidden": true }, STATES[step.state]), h("strong", null, step.stage), h("span", { title: step.time === null ? "" : moment(step.time) }, step.time === null ? "–" : since === step.time ? timeOfSecond(step.time) : `+${span(step.time - (since ?? step.time))}`), h("span", null, step.text)))),
      );
    } catch (problem) {
      if (isNewest()) replace(steps, problemNote(problem));
    }
  }

  /** @param {URLSearchParams} params */
  function update(params) {
    const [metric, at] = [params.get("metric") ?? "", params.get("time") ?? ""];
    if (metric === name.value.trim() && at === time.value.trim()) return;
    name.value = metric;
    time.value = at;
    show();
  }

  update(query);
  return { element, update };
}
