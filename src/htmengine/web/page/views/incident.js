/** The page of an incident: which metric moved first, which followed, and who knows of it. */
import { get, post } from "../lib/api.js";
import { addKeys } from "../lib/keys.js";
import { clock, iso, plural, score, span } from "../lib/format.js";
import { h, replace, setText } from "../lib/h.js";
import { newest } from "../lib/newest.js";
import { go, link, query } from "../lib/router.js";
import { may, session } from "../lib/session.js";
import { settings } from "../lib/settings.js";
import { listen } from "../lib/sse.js";
import { causeInShort, mark, sentence } from "../lib/words.js";
import { whenColoursChange, scoreStep } from "../draw/colours.js";
import { LaneAxis } from "../draw/lane_axis.js";
import { drawSpark } from "../draw/spark.js";
import { clockTime } from "./clock_time.js";
import { VERDICTS, actionKeys, incidentActions } from "./incident/actions.js";
import { showTimeline } from "./incident/timeline.js";
import { problemNote } from "./problem.js";
import { teachPanel } from "./teach.js";

/** @typedef {import("../shapes").Incident} Incident */

const MARGIN_STEPS = 15; // of the first mover's interval, before the first alarm
const MARGIN_SHARE = 0.2; // of the incident's length
const CELLS = 60;
const LANE_HEIGHT = 48;
const RIBBON = 14;
const MOST_LANES = 200;
/** What links of messages ask for by `do`: the control that does it. @type {Record<string, string>} */
const ASKED = { ack: "button.primary", snooze: "select[aria-label=Snooze]" };

/** @type {import("../lib/router.js").Open} */
export function incident({ params: [id] }) {
  document.title = "Incident · htmengine";
  const head = h("header.incident-head");
  const actions = h("div.actions");
  const lanes = h("div.lanes", { role: "list", "aria-label": "Metrics by their first alarm" });
  const axis = new LaneAxis();
  const timeline = h("section.timeline");
  const said = h("div");
  const teach = teachPanel(() => (now?.metrics ?? []).slice(0, MOST_LANES).map(({ uid, name, first, last }) => ({ uid, name, from: first, to: last })), () => {});
  teach.hidden = true;
  const element = h("div.page.incident", null, h("div.metric-head", null, head, actions), said, lanes, axis.element, teach, timeline);
  /** @type {Incident | null} */
  let now = null;
  /** @type {import("../shapes").Sparks | null} */
  let sparks = null;
  let interval = 60;
  const begin = newest();
  let asked = ASKED[query().get("do") ?? ""];

  /** What lanes show; that of their pictures once they are there. @returns {[number, number]} */
  function extent() {
    if (sparks) return [sparks.end - CELLS * sparks.step, sparks.end];
    const one = /** @type {Incident} */ (now);
    const open = one.resolved === null;
    const to = open ? Date.now() / 1000 : one.changed;
    const margin = Math.max(MARGIN_STEPS * interval, (to - one.opened) * MARGIN_SHARE);
    return [one.opened - margin, open ? to : to + margin];
  }

  async function load() {
    const isNewest = begin();
    try {
      const newer = await get(`/incidents/${id}`);
      if (!isNewest()) return;
      now = newer;
    } catch (problem) {
      if (!isNewest()) return;
      replace(element, problemNote(problem), h("p", null, h("a", { href: link("incidents") }, "To the incidents")));
      return;
    }
    const found = /** @type {Incident} */ (now);
    const merged = found.merged_into ?? found.id;
    if (merged !== id) return go(link(`i/${merged}`), true);
    show();
    if (asked) {
      // A link alone changes nothing: programs that look at messages follow it, too.
      /** @type {HTMLElement | null} */ (actions.querySelector(asked))?.focus();
      asked = "";
    }
    const uids = found.metrics.slice(0, MOST_LANES).map(({ uid }) => uid);
    try {
      const { items } = await get("/metrics", { uid: [found.first_mover.uid] });
      if (!isNewest()) return;
      interval = items[0]?.interval ?? interval;
      sparks = null;
      const [from, to] = extent();
      const drawn = await get("/metrics/sparks", { uid: uids, from: Math.floor(from), to: Math.ceil(to) });
      if (!isNewest()) return;
      sparks = drawn;
      drawLanes();
    } catch {
      // The lanes without pictures still tell who moved when.
    }
  }

  function show() {
    const one = /** @type {Incident} */ (now);
    const open = one.state === "open" || one.state === "acknowledged";
    document.title = `${open ? "● " : ""}${one.first_mover.name} · incident · htmengine`;
    replace(
      head,
      h("h1.incident-title", null, sentence(one.sentence, one.first_mover.name)),
      h(
        "p.facts",
        null,
        h("span.state", { dataset: { state: open ? "error" : "" } }, one.state),
        ` ${one.severity} · ${plural(one.metric_count, "metric")} · began `,
        clockTime(one.opened),
        open ? ` · for ${span(Date.now() / 1000 - one.opened)}` : ` · ${span(one.changed - one.opened)} long`,
        one.ack ? ` · taken by ${one.ack.by}, ${clock(one.ack.at)}` : "",
        (one.snoozed_until ?? 0) > Date.now() / 1000 ? ` · nothing is told of it until ${clock(/** @type {number} */ (one.snoozed_until))}` : "",
        one.verdict ? ` · ${VERDICTS[one.verdict.verdict]}, says ${one.verdict.by}` : "",
      ),
    );
    replace(
      actions,
      h("button", { type: "button", onclick: copyMarkdown }, "Copy as Markdown"),
      one.history && may("teach") ? incidentActions(one, act) : null,
    );
    teach.hidden = !one.history || !may("teach");
    const metrics = [...one.metrics].sort((a, b) => a.first - b.first || (a.name < b.name ? -1 : 1));
    replace(
      lanes,
      metrics.slice(0, MOST_LANES).map((metric, i) =>
        h(
          "div.lane",
          { role: "listitem" },
          h("span.lag", null, i === 0 ? "first" : metric.lag ? `+${span(metric.lag)}` : "same time"),
          h("span.lane-name", null, h("span.mark", { class: `step-${scoreStep(metric.max)}`, "aria-hidden": true }, mark(metric.direction).glyph), " ", h("a", { href: link(`m/${metric.uid}`, { from: Math.round(extent()[0]), to: Math.round(extent()[1]) }), title: metric.name }, metric.name), h("span.hint", null, causeInShort(metric.cause))),
          h("canvas", { dataset: { uid: metric.uid }, role: "img", "aria-label": `alarms from ${clock(metric.first)} to ${clock(metric.last)}` }),
          h("span.number", null, score(metric.max)),
        ),
      ),
      one.metric_count > MOST_LANES ? h("p.hint", null, `And ${plural(one.metric_count - Math.min(metrics.length, MOST_LANES), "metric")} more.`) : null,
    );
    drawLanes();
    showTimeline(timeline, one, { act, again: load });
  }

  function drawLanes() {
    if (!now) return;
    const [from, to] = extent();
    let width = 0;
    for (const canvas of lanes.querySelectorAll("canvas")) {
      width = canvas.clientWidth;
      if (!width) continue;
      const uid = canvas.dataset.uid ?? "";
      const metric = now.metrics.find((one) => one.uid === uid);
      drawSpark(canvas, sparks?.items[uid], null, width, LANE_HEIGHT, RIBBON);
      if (metric) axis.markFirst(canvas, (metric.first - from) / (to - from), LANE_HEIGHT);
    }
    axis.draw([from, to], width);
  }

  /**
   * @param {string} what
   * @param {object} [body]
   */
  async function act(what, body) {
    try {
      await post(`/incidents/${id}/${what}`, body);
      replace(said);
      load();
    } catch (problem) {
      replace(said, problemNote(problem));
    }
  }

  /** @param {Event} event */
  async function copyMarkdown(event) {
    const button = /** @type {HTMLElement} */ (event.currentTarget);
    const text = asMarkdown(/** @type {Incident} */ (now));
    try {
      await navigator.clipboard.writeText(text);
      setText(button, "Copied");
    } catch {
      prompt("The incident as Markdown:", text);
    }
  }

  /** @param {number} by goes to the next or the previous incident of the list */
  async function neighbour(by) {
    const { items } = await get("/incidents", { state: "all", limit: 1000 });
    const place = items.findIndex((/** @type {Incident} */ one) => one.id === id);
    const other = items[place + by];
    if (place >= 0 && other) go(link(`i/${other.id}`));
  }

  /** @param {number} by */
  function move(by) {
    const rows = /** @type {HTMLElement[]} */ ([...lanes.querySelectorAll("a")]);
    const at = rows.findIndex((row) => row === document.activeElement);
    rows[at < 0 ? 0 : Math.max(0, Math.min(rows.length - 1, at + by))]?.focus();
  }

  const observer = new ResizeObserver(drawLanes);
  observer.observe(lanes);
  const closing = [
    () => observer.disconnect(),
    whenColoursChange(drawLanes),
    settings.follow(() => now && show()),
    addKeys([
      { keys: "j, ArrowDown", says: "next metric", run: () => move(1) },
      { keys: "k, ArrowUp", says: "previous metric", run: () => move(-1) },
      { keys: "J", says: "next incident", run: () => void neighbour(1) },
      { keys: "K", says: "previous incident", run: () => void neighbour(-1) },
      ...actionKeys(() => (now?.history && may("teach") ? now : null), act, timeline),
      { keys: "Escape", says: "to the incidents", run: () => go(link("incidents")) },
    ]),
    listen({ events: "incidents,health" }, {
      incident: (changed) => {
        if (changed.id === id) load();
      },
      health: (overview) => session.set({ overview }),
      reset: load,
    }),
  ];
  load();
  return { element, close: () => closing.forEach((close) => close()) };
}

/** @param {Incident} one */
export function asMarkdown(one) {
  const escaped = (/** @type {string} */ text) => text.replace(/[\\`*_[\]<>|]/g, "\\$&");
  return [
    `**${escaped(one.sentence)}**`,
    "",
    `${one.state}, ${one.severity}, began ${iso(one.opened)}. ${location.href}`,
    "",
    "| Lag | Metric | Highest score | Cause |",
    "| --- | --- | --- | --- |",
    ...[...one.metrics].sort((a, b) => a.first - b.first).map((metric) => `| ${metric.lag ? `+${span(metric.lag)}` : "first"} | ${escaped(metric.name)} | ${score(metric.max)} | ${causeInShort(metric.cause)} |`),
  ].join("\n");
}
