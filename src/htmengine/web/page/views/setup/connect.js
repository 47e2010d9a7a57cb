/** Connecting a sender, by any door that is open here: its configuration with this host and port filled in, and a light that shows whether samples come. */
import { get } from "../../lib/api.js";
import { ago, count, iso, moment, plural } from "../../lib/format.js";
import { h, replace, setText } from "../../lib/h.js";
import { link, root, setQuery } from "../../lib/router.js";
import { session } from "../../lib/session.js";
import { dataTable } from "../table.js";
import { AGENTS } from "./agents.js";

const POLL_MS = 2_000;

/** @param {URLSearchParams} query */
export function connectPart(query) {
  let params = query;
  /** @type {import("../../shapes").Door[]} */
  let doors = [];
  const tabs = h("div.tabs", { role: "tablist", "aria-label": "Senders", onkeydown: key });
  const panel = h("div.tab-panel", { role: "tabpanel", id: "agent", tabindex: "0" });
  const lamp = h("span.lamp", { "aria-hidden": true });
  const said = h("span");
  const refused = h("div.light-refused");
  const every = h("tbody");
  const element = h("div", null, tabs, panel, h("p.light", { role: "status" }, lamp, said), refused, h("h2", null, "Doors"), dataTable("Doors", ["Door", "Address", "Samples in 10 s", "Last sample", "Last refusal"], every, "small"));

  /** Senders whose door is open here; those of the first one until that is known. */
  const agents = () => AGENTS.filter(({ door }) => (doors.length ? doors.some(({ id }) => id === door) : door === AGENTS[0].door));
  const chosen = () => agents().find(({ id }) => id === params.get("agent")) ?? agents()[0] ?? AGENTS[0];

  /** @param {KeyboardEvent} event */
  function key(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const shown = agents();
    const next = shown[(shown.indexOf(chosen()) + by + shown.length) % shown.length];
    setQuery({ agent: next.id });
    /** @type {HTMLElement | null} */ (tabs.querySelector("[aria-selected=true]"))?.focus();
  }

  function show() {
    const agent = chosen();
    const door = doors.find(({ id }) => id === agent.door);
    const { hostname, graphite_port: port, public_url: address, token_needed: token } = session.get();
    const text = agent.lines({ host: door?.host ?? hostname, port: door?.port ?? port ?? 2003, base: address ? address.replace(/\/?$/, "/") : root.href, token });
    replace(
      tabs,
      agents().map(({ id, title }) => h("button", { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": "agent", "aria-selected": String(id === agent.id), tabindex: id === agent.id ? "0" : "-1", onclick: () => setQuery({ agent: id }) }, title)),
    );
    panel.setAttribute("aria-labelledby", `tab-${agent.id}`);
    replace(
      panel,
      h("p.hint", null, agent.file),
      h("pre", { tabindex: "0" }, h("code", null, text)),
      text.includes("TOKEN") ? h("p.hint", null, "TOKEN is one with the scope “write”: ", h("a", { href: link("setup/access") }, "make one"), ".") : null,
      h("div.actions", null, h("button", { type: "button", onclick: (/** @type {Event} */ event) => copy(/** @type {HTMLElement} */ (event.currentTarget), text) }, "Copy"), agent.then ? h("span.hint", null, agent.then) : null),
    );
    showLight(door);
  }

  /** All doors that are open here, each with its light: what comes in, by whichever. */
  function showDoors() {
    replace(
      every,
      doors.map((door) =>
        h(
          "tr",
          null,
          h("td", null, h("span.lamp", { class: isLive(door) ? "on" : "", "aria-hidden": true }), ` ${door.title}`),
          h("td", null, h("code", null, `${door.host}:${door.port}`)),
          h("td.number", null, door.samples_10s === null ? "–" : count(door.samples_10s)),
          h("td", null, door.last_sample ? h("time", { datetime: iso(door.last_sample), title: moment(door.last_sample) }, ago(door.last_sample)) : door.samples ? `${plural(door.samples, "sample")} before` : "none yet"),
          h("td", null, door.last_refusal ? h("a", { href: link("health", { show: "refused", door: door.id }) }, door.last_refusal.reason) : ""),
        ),
      ),
    );
  }

  /** @param {import("../../shapes").Door | undefined} door */
  function showLight(door) {
    const live = isLive(door);
    lamp.classList.toggle("on", live);
    setText(
      said,
      !door ? "Not known yet whether samples arrive." : live ? `${plural(door.samples_10s ?? 0, "sample")} in the last 10 s by ${door.title}.` : door.last_sample ? `No sample in the last 10 s by ${door.title}; the last one ${ago(door.last_sample)}.` : `Waiting for the first sample by ${door.title}.`,
    );
    const refusal = door?.last_refusal;
    replace(refused, refusal ? [h("p.hint", null, `Last refused line${refusal.last ? `, ${ago(refusal.last)}` : ""}${refusal.peer ? `, from ${refusal.peer}` : ""}: ${refusal.reason}`), refusal.sample === null ? null : h("pre", { tabindex: "0" }, refusal.sample)] : null);
  }

  let before = "";
  async function look() {
    try {
      doors = (await get("/doors")).items;
    } catch {
      return; // The notice above says that the server is away.
    }
    showDoors();
    const places = JSON.stringify(doors.map(({ host, port }) => [host, port]));
    if (places !== before) show();
    else showLight(doors.find(({ id }) => id === chosen().door));
    before = places;
  }

  const timer = setInterval(() => document.hidden || look(), POLL_MS);
  const end = session.follow(show);
  look();
  return {
    element,
    /** @param {URLSearchParams} changed */
    update(changed) {
      params = changed;
      show();
    },
    close() {
      clearInterval(timer);
      end();
    },
  };
}

/** @param {import("../../shapes").Door | undefined} door */
const isLive = (door) => (door?.samples_10s ?? 0) > 0;

/**
 * @param {HTMLElement} button
 * @param {string} text
 */
async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
    setText(button, "Copied");
  } catch {
    getSelection()?.selectAllChildren(/** @type {Element} */ (button.closest(".tab-panel")?.querySelector("code")));
    setText(button, "Selected: copy with the keyboard");
  }
}
