/** The overview: one sentence, the open incidents, the fleet's day, and the metrics by how odd they are. */
import { get } from "../lib/api.js";
import { addKeys } from "../lib/keys.js";
import { h, replace } from "../lib/h.js";
import { newest } from "../lib/newest.js";
import { setQuery } from "../lib/router.js";
import { session } from "../lib/session.js";
import { listen } from "../lib/sse.js";
import { changeWindow, readTime, windowOf } from "../lib/windows.js";
import { FleetStrip } from "../draw/fleet.js";
import { announceIncident } from "./announce.js";
import { refreshOverview } from "./header.js";
import { noMetricYet, noModelYet } from "./overview/first_steps.js";
import { MOST_CARDS, incidentCard } from "./overview/incident_cards.js";
import { Fleet } from "./overview/fleet_list.js";
import { showSentence } from "./overview/sentence.js";
import { problemNote } from "./problem.js";

const STRIP_STEPS = 288;
const SHORTEST_STEP_S = 60;
const STRIP_MS = 60_000;

/** @type {import("../lib/router.js").Open} */
export function overview({ query }) {
  const sentence = h("h1.sentence", { "aria-live": "off" });
  const cards = h("section.incident-cards", { "aria-label": "Open incidents" });
  const strip = new FleetStrip((span) => setQuery({ from: span?.[0], to: span?.[1] }, { push: true }));
  const list = new Fleet(() => {
    showCards();
    refreshOverview();
  });
  const rest = h("div.below", null, strip.element, list.element);
  const element = h("div.page.overview", null, h("div.lede", null, sentence, cards), rest);
  /** @type {{element: HTMLElement, close: () => void} | null} */
  let steps = null;
  /** @type {import("../shapes").Fleet | null} */
  let fleet = null;
  let params = query;
  let stripFor = "";
  const [beginCards, beginStrip] = [newest(), newest()];
  let countedFor = "";

  /** @param {import("../shapes").Overview | null} now */
  function showState(now) {
    if (!now) return;
    const counted = `${now.metrics} ${now.monitored}`;
    if (countedFor && counted !== countedFor) list.reloadSoon();
    countedFor = counted;
    const empty = now.metrics === 0;
    if (empty !== Boolean(steps)) {
      steps?.close();
      steps = empty ? noMetricYet() : null;
      replace(element, ...(steps ? [steps.element] : [h("div.lede", null, sentence, cards), rest]));
      if (!empty) list.load(false);
    }
    list.note(now.monitored === 0 && !empty ? noModelYet(now.metrics) : null);
    showSentence(sentence, now);
    if (empty) document.title = "No metric yet · htmengine";
  }

  async function showCards() {
    const isNewest = beginCards();
    try {
      const { items, next } = await get("/incidents", { state: "open", severity: "warning", limit: MOST_CARDS });
      if (!isNewest()) return;
      if (items.length) return replace(cards, items.map(incidentCard), next ? h("a.more-incidents", { href: "incidents" }, "More open incidents") : null);
      const last = (await get("/incidents", { state: "all", severity: "warning", limit: 5 })).items;
      if (!isNewest()) return;
      replace(cards, last.length ? h("details.last", null, h("summary", null, "Last incidents"), h("div.incident-cards", null, last.map(incidentCard))) : null);
    } catch (problem) {
      if (isNewest()) replace(cards, problemNote(problem, showCards));
    }
  }

  async function showStrip(force = false) {
    const { from, to, name, live } = windowOf(params);
    /** @type {[number, number] | null} */
    const span = params.has("from") ? [readTime(params.get("from")) ?? from, readTime(params.get("to")) ?? to] : null;
    const wanted = `${name} ${live ? "" : to}`;
    if (force || wanted !== stripFor) {
      stripFor = wanted;
      const step = Math.max(SHORTEST_STEP_S, Math.round((to - from) / STRIP_STEPS / 60) * 60);
      const isNewest = beginStrip();
      // Without it the list below says what is wrong.
      const found = await get("/fleet", { from, to, step }).catch(() => null);
      if (!isNewest()) return;
      fleet = found;
    }
    strip.show(fleet, span);
  }

  const closing = [
    session.follow((state) => showState(state.overview)),
    listen(
      { events: "results,incidents,health" },
      {
        results: (results) => list.take(results),
        incident: (incident) => {
          announceIncident(incident);
          list.takeIncident(incident);
          showCards();
          refreshOverview();
        },
        health: (now) => session.set({ overview: now }),
        reset: () => list.reload(),
        live: (live) => session.set({ lostAt: live ? null : (session.get().lostAt ?? Date.now() / 1000) }),
      },
    ),
    addKeys([
      { keys: "j, ArrowDown", says: "next metric", run: () => list.move(1) },
      { keys: "k, ArrowUp", says: "previous metric", run: () => list.move(-1) },
      { keys: "Enter", says: "open the metric", run: (event) => list.openActive(event) },
      { keys: "x", says: "choose the metric, for the keys below", run: () => list.chosen.toggle(list.activeRow()) },
      { keys: "a", says: "acknowledge the incident of the metric, or of those chosen", run: () => void list.chosen.act("ack") },
      { keys: "s", says: "snooze it for 1 h: nothing is told of it", run: () => void list.chosen.act("snooze") },
      { keys: "n", says: "normal: note it as a false alarm", run: () => void list.chosen.act("verdict") },
      { keys: "o", says: "preview beside the list", run: () => list.togglePreview() },
      { keys: "/", says: "search", run: () => list.search.focus() },
      { keys: "[", says: "shorter window", run: () => changeWindow(-1) },
      { keys: "]", says: "longer window", run: () => changeWindow(1) },
      { keys: "t", says: "the window ends now, no span chosen", run: () => setQuery({ at: null, from: null, to: null }) },
      { keys: "Escape", says: "leave the search; clear the choice, then the span", run: () => list.escape() },
    ]),
  ];
  const timer = setInterval(() => {
    if (document.hidden || !windowOf(params).live) return;
    showStrip(true);
    showCards();
  }, STRIP_MS);

  list.update(query);
  showCards();
  showStrip();
  return {
    element,
    update(next) {
      params = next;
      list.update(next);
      showStrip();
    },
    close() {
      closing.forEach((close) => close());
      clearInterval(timer);
      steps?.close();
      strip.close();
      list.close();
    },
  };
}
