/** All that models were taught: by whom, until when, what each has silenced; taken back, or taught again. */
import { get, post, url } from "../../lib/api.js";
import { h, replace } from "../../lib/h.js";
import { newest } from "../../lib/newest.js";
import { link, setQuery } from "../../lib/router.js";
import { may } from "../../lib/session.js";
import { clockTime } from "../clock_time.js";
import { problemNote } from "../problem.js";
import { dataTable } from "../table.js";
import { lesson, silencedBy, undoButton } from "../teach.js";
import { asCommand } from "./command.js";

/** @typedef {import("../../shapes").Label} Label */

const PAGE = 1000;
const AROUND_S = 3600;

/** @param {URLSearchParams} query */
export function labelsPart(query) {
  let params = query;
  /** @type {Label[]} the newest first */
  let labels = [];
  const begin = newest();
  const search = /** @type {HTMLInputElement} */ (h("input", { id: "taught-metric", type: "search", placeholder: "Part of a metric’s name", oninput: () => setQuery({ q: search.value }) }));
  const all = /** @type {HTMLInputElement} */ (h("input", { type: "checkbox", onchange: () => setQuery({ all: all.checked ? "1" : null }) }));
  const said = h("div");
  const body = h("tbody");
  const command = asCommand();
  const table = dataTable("What models were taught", ["Metric", "Span", "Taught", "By", "Counts", "Effect", "-Change"], body, "taught");
  const element = h(
    "div",
    null,
    h("p.hint", null, "A model is taught on the page of a metric or of an incident: ", h("em", null, "Teach the model"), ". What has silenced nothing for weeks can be taken back."),
    h("div.inline-form", null, h("label", { for: "taught-metric" }, "Metric"), search, h("label", null, all, " also what was taken back")),
    said, table, command.element,
  );

  async function load() {
    const isNewest = begin();
    const undone = params.has("all") || params.has("id");
    const wanted = { taught: "true", undone: undone ? "true" : null, limit: PAGE };
    command.show("GET", url("/labels", wanted));
    try {
      /** @type {Label[]} */
      const found = [];
      for (let after = ""; after !== null; ) {
        const { items, next } = await get("/labels", { ...wanted, after });
        found.push(...items);
        after = next;
      }
      if (!isNewest()) return; // what is asked for is another by now
      labels = found.sort((a, b) => b.created - a.created);
      replace(said);
      show();
    } catch (problem) {
      if (isNewest()) replace(said, problemNote(problem, load));
    }
  }

  function show() {
    const [id, part] = [params.get("id"), (params.get("q") ?? "").toLowerCase()];
    const found = labels.filter((one) => (!id || one.id === id) && (one.name ?? "").toLowerCase().includes(part));
    search.value = params.get("q") ?? "";
    all.checked = params.has("all");
    replace(said, id ? h("p.hint", null, `Only ${id}. `, h("a", { href: link("setup/labels") }, "Show all")) : null);
    replace(body, found.length ? found.map(row) : h("tr", null, h("td", { colspan: "7" }, labels.length ? "Nothing that was taught is of such a metric." : "No model was taught anything yet.")));
  }

  /** @param {Label} one */
  function row(one) {
    const change = h("td");
    if (may("teach")) replace(change, one.counts ? undoButton(one, load) : againButton(one));
    return h(
      "tr",
      null,
      h("td", null, h("a", { href: link(`m/${one.uid}`) }, one.name ?? "(deleted)"), h("div.hint", null, one.id)),
      h("td", null, h("a", { href: link(`m/${one.uid}`, { from: Math.round(one.from - AROUND_S), to: Math.round(one.to + AROUND_S) }) }, clockTime(one.from), " to ", clockTime(one.to))),
      h("td", null, lesson(one), one.note ? h("div.hint", null, one.note) : null),
      h("td", null, one.by || "somebody", h("div.hint", null, clockTime(one.created))),
      h("td", null, h("span.state", { dataset: { state: one.counts ? "" : "unmonitored" } }, one.counts ? "counts" : one.undone ? "taken back" : "expired"), h("div.hint", null, one.undone ? clockTime(one.undone) : ["until ", clockTime(/** @type {number} */ (one.expires))])),
      h("td", null, silencedBy(one)),
      change,
    );
  }

  /** Teaches the same from now on. @param {Label} label */
  function againButton({ uid, from, to, kind, how, note, name }) {
    const button = h("button.quiet", { type: "button", "aria-label": `Teach ${name} again`, onclick: again }, "Teach again");
    async function again() {
      button.setAttribute("disabled", "");
      try {
        await post("/labels", { uid, from, to, kind, how, note });
        await load();
      } catch (problem) {
        button.after(problemNote(problem));
        button.removeAttribute("disabled");
      }
    }
    return button;
  }

  load();
  return {
    element,
    /** @param {URLSearchParams} changed */
    update(changed) {
      const again = changed.has("all") !== params.has("all") || changed.get("id") !== params.get("id");
      params = changed;
      if (again) load();
      else show();
    },
  };
}
