/** Targets: who is told, how each took its last notice, and a test message; they are added, changed and removed. */
import { get, post, url } from "../../lib/api.js";
import { ago, moment } from "../../lib/format.js";
import { h, replace } from "../../lib/h.js";
import { link } from "../../lib/router.js";
import { may } from "../../lib/session.js";
import { deliveryInWords } from "../../lib/words.js";
import { problemNote } from "../problem.js";
import { asCommand } from "./command.js";
import { tableEditor } from "./table_editor.js";
import { hasForm, targetFields } from "./target_form.js";

/** @typedef {import("../../shapes").Target} Target */

/** @param {URLSearchParams} query */
export function targetsPart(query) {
  const list = h("div.targets");
  const place = h("div");
  const command = asCommand();
  const editor = tableEditor({
    kind: "targets",
    key: "target",
    what: "target",
    tables: (/** @type {import("../../shapes").AlertRules} */ rules) => rules.written_targets,
    form: targetFields,
    loaded: (/** @type {import("../../shapes").AlertRules} */ rules) => {
      const before = written;
      written = rules.written_targets;
      if (before) load(); // something was changed
      else showWays();
    },
  });
  /** @type {import("../../shapes").WrittenTarget[] | null} as the file has them, where we may change them */
  let written = null;
  const element = h("div", null, editor.said, list, editor.place, place, command.element);
  command.show("POST", url("/targets/NAME/test"));

  /** @type {{items: Target[], path: string | null} | null} */
  let found = null;
  /** @type {Map<string, HTMLElement>} where the buttons that change each target are, by its name */
  let places = new Map();

  async function load() {
    try {
      found = await get("/targets");
      show();
    } catch (problem) {
      replace(list, problemNote(problem, load));
    }
  }

  function show() {
    if (!found) return;
    const { items } = found;
    places = new Map(items.map(({ name }) => [name, h("span.actions")]));
    replace(list, items.length ? items.map(card) : h("p", null, "Nobody is told of incidents yet: there is no target."));
    command.element.hidden = !items.length;
    showWays();
  }

  /** Shows how targets are changed and added. The file may come later than the cards, which stay: a test message may be on its way. */
  function showWays() {
    if (!found) return;
    for (const [name, element] of places) replace(element, ...changes(name));
    replace(place, written && found.path ? h("p", null, editor.add) : null, whereTheyStand(found.path));
  }

  /** @param {Target} target */
  function card(target) {
    const said = h("p.test-result", { role: "status" });
    const test = /** @type {HTMLButtonElement} */ (h("button", { type: "button", "aria-label": `Send a test message to ${target.name}`, onclick: send }, "Send a test message"));
    async function send() {
      test.disabled = true;
      replace(said, "Sending.");
      try {
        const result = await post(`/targets/${encodeURIComponent(target.name)}/test`);
        replace(said, result.delivered ? `✓ Taken${result.reason ? `: ${result.reason}` : "."}` : `✗ Not taken: ${result.reason}`);
        said.dataset.state = result.delivered ? "well" : "trouble";
      } catch (problem) {
        replace(said, problemNote(problem));
      }
      test.disabled = false;
    }
    const facts = [["kind", target.kind], ...Object.entries(target.settings), ...Object.entries(target.secrets).map(([name, where]) => [name, `secret, in ${where}`])];
    const last = target.last;
    return h(
      "article.target",
      { "aria-label": target.name },
      h("h2", null, target.name, target.enabled ? null : h("span.state", { dataset: { state: "error" } }, "switched off")),
      h("dl.fact-list.wide", null, facts.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value)))),
      target.enabled ? null : h("p.problem", null, `Nothing is sent to it: ${target.disabled_reason}. A test message that it takes switches it on again.`),
      h("p", null, last ? [h("a", { href: link("setup/deliveries", { target: target.name }) }, `Last notice: ${deliveryInWords(last)}`), h("span.hint", { title: moment(last.done ?? last.created) }, `, ${ago(last.done ?? last.created)}`)] : "It was told of nothing yet."),
      may("admin") ? h("div.actions", null, test, places.get(target.name)) : null,
      said,
    );
  }

  /** @param {string} name */
  function changes(name) {
    const own = written?.find((one) => one.name === name);
    if (!own) return [];
    const [change, remove] = editor.buttons(own);
    return hasForm(own.kind) ? [change, remove] : [remove];
  }

  editor.update(query);
  load();
  if (may("admin")) editor.load();
  return { element, update: editor.update };
}

/**
 * Says what is changed in the file alone.
 * @param {string | null} path
 */
function whereTheyStand(path) {
  if (!path) return h("p", null, "This engine has no place for alerts.toml: start it with a data folder or a configuration directory.");
  return h("p.hint", null, "They stand in ", h("code", null, path), ". A target that runs a program, certificates, and secrets at other places are written there, on the machine of the engine; ", h("code", null, "htmengine alerts check"), " names every fault with its line.");
}
