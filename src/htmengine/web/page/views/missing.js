/** The page of an address that leads nowhere. */
import { h } from "../lib/h.js";
import { link } from "../lib/router.js";

/** @type {import("../lib/router.js").Open} */
export function missing() {
  document.title = "Not found · htmengine";
  return {
    element: h("div.page", null, h("h1", null, "There is no such page"), h("p", null, h("a", { href: link("") }, "To the overview"))),
  };
}
