/** Logging in with a token, where the server asks for one. */
import { get, post } from "../lib/api.js";
import { h, replace } from "../lib/h.js";
import { go, link, query, root } from "../lib/router.js";
import { session } from "../lib/session.js";
import { refreshOverview } from "./header.js";
import { problemNote } from "./problem.js";

/** @type {import("../lib/router.js").Open} */
export function login() {
  document.title = "Log in · htmengine";
  const token = /** @type {HTMLInputElement} */ (
    h("input", { id: "token", type: "password", autocomplete: "current-password", required: true, spellcheck: "false", "aria-describedby": "token-hint" })
  );
  const said = h("div");
  const form = h(
    "form.login",
    { onsubmit: submit },
    h("h1", null, "Log in"),
    h("label", { for: "token" }, "Access token"),
    token,
    h("p.hint", { id: "token-hint" }, "Make one on the engine's machine: ", h("code", null, "htmengine token create NAME --scope read")),
    h("button.primary", { type: "submit" }, "Log in"),
    said,
  );

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    try {
      await post("/session", { token: token.value.trim() });
      session.set({ ...(await get("/session")), known: true });
      go(destination(), true);
      refreshOverview();
    } catch (problem) {
      replace(said, problemNote(problem));
      token.select();
    }
  }

  requestAnimationFrame(() => token.focus());
  return { element: form };
}

/** Returns where one was on the way to: an address of this site only. */
function destination() {
  const to = query().get("to") ?? "";
  const wanted = new URL(to || root.pathname, location.origin);
  return wanted.origin === location.origin && wanted.pathname.startsWith(root.pathname) ? wanted.pathname + wanted.search : link("");
}
