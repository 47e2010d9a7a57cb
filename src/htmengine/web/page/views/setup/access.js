/** Access tokens: made, shown once, revoked. */
import { get, post, remove, url } from "../../lib/api.js";
import { ago, moment } from "../../lib/format.js";
import { h, replace } from "../../lib/h.js";
import { problemNote } from "../problem.js";
import { asCommand } from "./command.js";

const SCOPES = /** @type {const} */ ([
  ["read", "see everything"],
  ["write", "send samples, load history"],
  ["teach", "acknowledge, comment, label"],
  ["admin", "watch, remove, make tokens"],
]);

export function accessPart() {
  const body = h("tbody");
  const fresh = h("div.fresh-token", { role: "status" });
  const said = h("div");
  const name = /** @type {HTMLInputElement} */ (h("input", { id: "token-name", required: true, maxlength: "60", placeholder: "grafana", autocomplete: "off", oninput: showCommand }));
  const boxes = SCOPES.map(([scope, does]) => ({ scope, box: /** @type {HTMLInputElement} */ (h("input", { type: "checkbox", id: `scope-${scope}`, checked: scope === "read", onchange: showCommand })), does }));
  const command = asCommand();
  const element = h(
    "div",
    null,
    h("div.table-scroll", { tabindex: "0", role: "region", "aria-label": "Tokens" }, h("table.data", null, h("thead", null, h("tr", null, ["Name", "May", "Made", "Last used", ""].map((title) => h("th", { scope: "col" }, title || h("span.hidden-text", null, "Revoke"))))), body)),
    h("h2", null, "New token"),
    h(
      "form",
      { onsubmit: create },
      h("div.inline-form", null, h("label", { for: "token-name" }, "For"), name),
      h("fieldset", null, h("legend", null, "May"), boxes.map(({ scope, box, does }) => h("label", { for: box.id }, box, ` ${scope} `, h("span.hint", null, does)))),
      h("button.primary", { type: "submit" }, "Make a token"),
    ),
    fresh,
    said,
    command.element,
  );

  const wanted = () => ({ name: name.value.trim(), scopes: boxes.filter(({ box }) => box.checked).map(({ scope }) => scope) });

  function showCommand() {
    command.show("POST", url("/tokens"), ["-H 'Content-Type: application/json'", `-d '${JSON.stringify(wanted()).replaceAll("'", `'\\''`)}'`]);
  }

  /** @param {Event} event */
  async function create(event) {
    event.preventDefault();
    try {
      const made = /** @type {import("../../shapes").Token} */ (await post("/tokens", wanted()));
      replace(fresh, h("p", null, h("strong", null, `The token of ${made.name}`), ": it is shown only now."), h("pre", { tabindex: "0" }, h("code", null, made.token ?? "")));
      name.value = "";
      replace(said);
      load();
    } catch (problem) {
      replace(said, problemNote(problem));
    }
  }

  /** @param {import("../../shapes").Token} token */
  async function revoke(token) {
    if (!confirm(`Revoke the token “${token.name}”? Whoever uses it is locked out at once.`)) return;
    try {
      await remove(`/tokens/${encodeURIComponent(token.id)}`);
      load();
    } catch (problem) {
      replace(said, problemNote(problem));
    }
  }

  async function load() {
    try {
      const { items } = await get("/tokens");
      replace(
        body,
        items.length
          ? items.map((/** @type {import("../../shapes").Token} */ token) => h("tr", null, h("td", null, token.name), h("td", null, token.scopes.join(", ")), h("td", { title: moment(token.created) }, ago(token.created)), h("td", null, token.last_used ? ago(token.last_used) : "never"), h("td", null, h("button.quiet", { type: "button", "aria-label": `Revoke ${token.name}`, onclick: () => revoke(token) }, "Revoke"))))
          : h("tr", null, h("td", { colspan: "5" }, "No token yet. On this machine the page needs none; from elsewhere it does.")),
      );
    } catch (problem) {
      replace(said, problemNote(problem, load));
    }
  }

  showCommand();
  load();
  return { element };
}
