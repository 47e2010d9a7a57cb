/** Deliveries: every notice to every target, what became of it, and sending it again. */
import { get, url } from "../../lib/api.js";
import { ago, clock, iso, moment } from "../../lib/format.js";
import { h, replace } from "../../lib/h.js";
import { newest } from "../../lib/newest.js";
import { link, setQuery } from "../../lib/router.js";
import { sendAgainButton } from "../delivery.js";
import { problemNote } from "../problem.js";
import { dataTable } from "../table.js";
import { asCommand } from "./command.js";

/** @typedef {import("../../shapes").Delivery} Delivery */

const POLL_MS = 5_000;
const PAGE = 100;
/** @type {Record<Delivery["state"], string>} */
const STATES = { delivered: "delivered", retrying: "to be tried again", pending: "waiting", dead: "given up", suppressed: "not sent" };

/** @param {URLSearchParams} query */
export function deliveriesPart(query) {
  let params = query;
  let limit = PAGE;
  const begin = newest();
  const state = /** @type {HTMLSelectElement} */ (h("select", { id: "delivery-state", onchange: () => setQuery({ state: state.value }) }, h("option", { value: "" }, "all"), Object.entries(STATES).map(([value, words]) => h("option", { value }, words))));
  const only = h("p.hint");
  const body = h("tbody");
  const said = h("div");
  const more = h("button", { type: "button", hidden: true, onclick: () => {
    limit += PAGE;
    load();
  } }, "Show more");
  const command = asCommand();
  const table = dataTable("Deliveries", ["When", "Told", "Notice", "State", "-Send again"], body, "deliveries");
  const element = h("div", null, h("div.inline-form", null, h("label", { for: "delivery-state" }, "State"), state), only, said, table, more, command.element);

  async function load() {
    const isNewest = begin();
    const asked = { state: params.get("state"), target: params.get("target"), incident: params.get("incident") };
    state.value = asked.state ?? "";
    command.show("GET", url("/deliveries", asked));
    replace(only, asked.target || asked.incident ? [`Only ${[asked.target ? `those to ${asked.target}` : "", asked.incident ? `those of ${asked.incident}` : ""].filter(Boolean).join(", ")}. `, h("a", { href: link("setup/deliveries", { state: asked.state }) }, "Show all")] : "");
    try {
      const { items, next } = await get("/deliveries", { ...asked, limit: Math.min(limit, 1000) });
      if (!isNewest()) return;
      more.hidden = next === null || limit >= 1000;
      replace(said);
      replace(body, items.length ? items.map(row) : h("tr", null, h("td", { colspan: "5" }, asked.state || asked.target || asked.incident ? "There is no such notice." : ["Nothing was told yet. Who is told of what: ", h("a", { href: link("setup/alerts") }, "rules"), ", ", h("a", { href: link("setup/targets") }, "targets"), "."])));
    } catch (problem) {
      if (isNewest()) replace(said, problemNote(problem, load));
    }
  }

  /** @param {Delivery} told */
  function row(told) {
    const { created: at, done } = told;
    return h(
      "tr",
      null,
      h("td", null, h("time", { datetime: iso(at), title: `${moment(at)}${done ? `, done ${moment(done)}` : ""}` }, clock(at))),
      h("td", null, told.target),
      h("td", null, told.incident ? h("a", { href: link(`i/${told.incident}`) }, told.title) : told.title, h("div.hint", null, `${told.kind}, ${told.rule}`)),
      h("td", null, h("span.state", { dataset: { state: told.state === "dead" ? "error" : "" } }, STATES[told.state]), h("span.hint", null, tries(told))),
      h("td", null, sendAgainButton(told, said, load)),
    );
  }

  const timer = setInterval(() => document.hidden || element.contains(document.activeElement) || load(), POLL_MS);
  load();
  return {
    element,
    /** @param {URLSearchParams} changed */
    update(changed) {
      params = changed;
      load();
    },
    close: () => clearInterval(timer),
  };
}

/** @param {Delivery} told */
function tries({ state, tries: count, due, reason }) {
  const next = state === "retrying" && due ? `next ${due * 1000 > Date.now() ? `at ${clock(due)}` : `due ${ago(due)}`}` : "";
  const parts = [count > 1 ? `after ${count} tries` : "", next, reason ?? ""].filter(Boolean);
  return parts.length ? ` ${parts.join("; ")}` : "";
}
