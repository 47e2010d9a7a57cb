/** The list of incidents: what belongs together, open ones first. */
import { get } from "../lib/api.js";
import { addKeys } from "../lib/keys.js";
import { clock, iso, plural, span } from "../lib/format.js";
import { h, replace } from "../lib/h.js";
import { newest } from "../lib/newest.js";
import { go, link, setQuery } from "../lib/router.js";
import { session } from "../lib/session.js";
import { settings } from "../lib/settings.js";
import { listen } from "../lib/sse.js";
import { handlingInShort, mark, sentence } from "../lib/words.js";
import { scoreStep } from "../draw/colours.js";
import { drawSpread } from "../draw/spread.js";
import { announceIncident } from "./announce.js";
import { refreshOverview } from "./header.js";
import { problemNote } from "./problem.js";

/** @typedef {import("../shapes").Incident} Incident */

const PAGE_SIZE = 100;
const TYPING_MS = 150;
/** @type {Record<string, Record<string, string>>} by what is chosen, what is asked for */
const STATES = { all: {}, open: { state: "open" }, new: { state: "open", handling: "new" }, acknowledged: { state: "open", handling: "acknowledged" }, snoozed: { state: "open", handling: "snoozed" }, resolved: { state: "resolved" } };

/** @type {import("../lib/router.js").Open} */
export function incidents({ query }) {
  document.title = "Incidents · htmengine";
  let params = query;
  let typing = 0;
  const begin = newest();
  /** @type {Incident[]} */
  let shown = [];
  /** @type {string | null} */
  let next = null;

  const search = /** @type {HTMLInputElement} */ (
    h("input.search", { type: "search", placeholder: "Search metrics of incidents", "aria-label": "Search metrics of incidents", autocomplete: "off", spellcheck: "false", oninput: typed })
  );
  const states = h("div.windows", { role: "group", "aria-label": "State" });
  const lone = h("button", { type: "button", title: "Alarms of one row of one metric: some come by chance", onclick: () => setQuery({ lone: params.has("lone") ? null : "1" }) }, "lone alarms, too");
  const list = h("div.incident-list", { role: "list" });
  const more = h("button", { type: "button", hidden: true, onclick: () => load(true) }, "Earlier incidents");
  const element = h(
    "div.page.incidents",
    null,
    h("h1", null, "Incidents"),
    h("div.list-bar", null, h("div.search-field", null, search, h("kbd", { "aria-hidden": true }, "/")), states, h("div.windows", null, lone)),
    list,
    more,
  );

  function typed() {
    clearTimeout(typing);
    typing = window.setTimeout(() => setQuery({ q: search.value.trim() }), TYPING_MS);
  }

  function showFilters() {
    const chosen = params.get("state") ?? "all";
    if (document.activeElement !== search) search.value = params.get("q") ?? "";
    replace(states, Object.keys(STATES).map((one) => h("button", { type: "button", "aria-pressed": String(one === chosen), onclick: () => setQuery({ state: one === "all" ? null : one }) }, one)));
    lone.setAttribute("aria-pressed", String(params.has("lone")));
  }

  async function load(append = false) {
    const isNewest = begin();
    try {
      const answer = await get("/incidents", { state: "all", ...STATES[params.get("state") ?? "all"], severity: params.has("lone") ? "info" : "warning", q: params.get("q"), limit: PAGE_SIZE, after: append ? next : null });
      if (!isNewest()) return;
      shown = append ? [...shown, ...answer.items] : answer.items;
      next = answer.next;
      show();
    } catch (problem) {
      if (isNewest()) replace(list, problemNote(problem, () => load(append)));
    }
  }

  function show() {
    more.hidden = !next;
    const filtered = params.has("q") || params.has("state");
    if (shown.length) return replace(list, shown.map(incidentRow));
    replace(
      list,
      h("p.nothing", null, filtered ? "No incident fits. " : "No incident yet.", filtered ? h("button.quiet", { type: "button", onclick: () => setQuery({ q: null, state: null }) }, "Show all") : null),
      filtered ? null : h("p.hint", null, "Alarms that belong together by time and name become one incident here."),
    );
  }

  /** @param {number} by */
  function move(by) {
    const rows = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("a.incident-row")]);
    const now = rows.findIndex((row) => row === document.activeElement);
    rows[now < 0 ? 0 : Math.max(0, Math.min(rows.length - 1, now + by))]?.focus();
  }

  const closing = [
    addKeys([
      { keys: "j, ArrowDown", says: "next incident", run: () => move(1) },
      { keys: "k, ArrowUp", says: "previous incident", run: () => move(-1) },
      { keys: "/", says: "search", run: () => search.focus() },
      { keys: "Escape", says: "leave the search, to the overview", run: () => (document.activeElement === search ? search.blur() : go(link(""))) },
    ]),
    settings.follow(() => shown.length && show()),
    listen({ events: "incidents,health" }, {
      incident: (incident) => {
        announceIncident(incident);
        refreshOverview();
        load();
      },
      health: (now) => session.set({ overview: now }),
      reset: () => load(),
    }),
  ];
  showFilters();
  load();
  return {
    element,
    update(changed) {
      params = changed;
      showFilters();
      load();
    },
    close: () => closing.forEach((close) => close()),
  };
}

/** @param {Incident} incident */
export function incidentRow(incident) {
  const mover = incident.metrics.find(({ uid }) => uid === incident.first_mover.uid) ?? incident.metrics[0];
  const others = incident.metric_count - 1;
  const open = incident.state === "open" || incident.state === "acknowledged";
  const handling = handlingInShort({ acknowledged_by: incident.ack?.by, snoozed_until: incident.snoozed_until });
  const worst = Math.max(...incident.metrics.map(({ max }) => max));
  return h(
    "div",
    { role: "listitem" },
    h(
      "a.incident-row",
      { href: link(`i/${incident.id}`), dataset: { open: String(open) } },
      h("span.mark", { class: `step-${scoreStep(worst)}`, "aria-hidden": true }, mark(mover?.direction).glyph),
      h("span.what", null, h("strong.name", null, incident.first_mover.name), others > 0 ? h("span.more", null, ` +${plural(others, "metric")}`) : null, h("span.sentence", null, sentence(incident.sentence, incident.first_mover.name))),
      h("span.how", null, drawSpread(incident)),
      h("span.when", null, h("time", { datetime: iso(incident.opened) }, clock(incident.opened)), h("span.hint", null, open ? `for ${span(Date.now() / 1000 - incident.opened)}` : `${span(Math.max(60, incident.changed - incident.opened))} long`)),
      h("span.states", null, h("span.state", { dataset: { state: open ? "error" : "" } }, incident.state), h("span.hint", null, handling && open ? handling.text : incident.ack ? `taken by ${incident.ack.by}` : incident.severity)),
    ),
  );
}
