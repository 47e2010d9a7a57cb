/** Targets: who is told, how each took its last notice, and a test message. They are written in a file, on the machine itself. */
import { get, post, url } from "../../lib/api.js";
import { ago, moment } from "../../lib/format.js";
import { h, replace } from "../../lib/h.js";
import { link } from "../../lib/router.js";
import { may } from "../../lib/session.js";
import { deliveryInWords } from "../../lib/words.js";
import { problemNote } from "../problem.js";
import { asCommand } from "./command.js";

/** @typedef {import("../../shapes").Target} Target */

const EXAMPLE = `[targets.ops]
kind = "webhook"
url = "https://hooks.example.com/htmengine"
secret_file = "secrets/ops-webhook"`;

export function targetsPart() {
  const list = h("div.targets");
  const place = h("div");
  const command = asCommand();
  const element = h("div", null, list, place, command.element);
  command.show("POST", url("/targets/NAME/test"));

  async function load() {
    try {
      const { items, path } = await get("/targets");
      replace(list, items.length ? items.map(card) : h("p", null, "Nobody is told of incidents yet: there is no target."));
      command.element.hidden = !items.length;
      replace(place, whereTheyStand(path, items.length > 0));
    } catch (problem) {
      replace(list, problemNote(problem, load));
    }
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
      may("admin") ? h("div.actions", null, test) : null,
      said,
    );
  }

  load();
  return { element };
}

/**
 * Says where targets are changed. Over HTTP they are not: a target names programs, files with secrets and addresses.
 * @param {string | null} path
 * @param {boolean} some
 */
function whereTheyStand(path, some) {
  return [
    h("h2", null, some ? "To change them" : "To add one"),
    h("p", null, path ? ["Edit ", h("code", null, path), " on the machine of the engine, which takes each change within seconds; "] : "This engine has no place for alerts.toml: start it with a data folder or a configuration directory. ", "targets name programs, files with secrets and addresses, so that they cannot be changed from here."),
    some ? null : h("pre", { tabindex: "0" }, h("code", null, EXAMPLE)),
    h("p", null, h("code", null, "htmengine alerts check"), " names every fault of the file with its line."),
  ];
}
