/** Health: can this page be trusted? The path of a sample, stage by stage, and what was refused or put aside. */
import { get, post } from "../lib/api.js";
import { ago, clock, count, plural, short, span, timeOfSecond } from "../lib/format.js";
import { h, replace, svg } from "../lib/h.js";
import { link, setQuery } from "../lib/router.js";
import { may } from "../lib/session.js";
import { settings } from "../lib/settings.js";
import { followForm } from "./health/follow.js";
import { problemNote } from "./problem.js";

/** @typedef {import("../shapes").Health} Health */

const POLL_MS = 5_000;
const MOST_ROWS = 50;
const SHORTEST_S = 0.1;
const HOUR_S = 3600;
const MOST_NAMES = 50; // the server remembers so many
const GLYPHS = { well: "✓", trouble: "!", unknown: "?" };

/** @type {import("../lib/router.js").Open} */
export function health({ query }) {
  document.title = "Health · htmengine";
  let params = query;
  const headline = h("h1.sentence");
  const road = h("ol.road", { "aria-label": "The path of a sample" });
  const findings = h("div.findings");
  const sections = h("div.health-sections");
  const follow = followForm(query);
  const element = h("div.page.health", null, headline, road, findings, follow.element, sections);

  async function load() {
    const [now, refusals, dead] = await Promise.all([
      get("/health").catch((problem) => problem),
      get("/refusals").catch(() => null),
      get("/dead").catch(() => null),
    ]);
    if (now instanceof Error) return replace(findings, problemNote(now, load));
    showStages(now);
    const parts = [
      refusals?.items.length ? ["refused", refusedSection(refusals.items, params.get("door"))] : null,
      dead?.items.length ? ["dead", deadSection(dead, load)] : null,
      now.silent?.length ? ["silent", silentSection(now.silent)] : null,
      now.new_names?.length ? ["new", newSection(now.new_names)] : null,
      ["engine", engineSection(now)],
    ].filter((part) => part !== null);
    const only = params.get("show");
    replace(sections, parts.filter(([name]) => !only || name === only).map(([, section]) => /** @type {HTMLElement} */ (section)));
    if (only) sections.append(h("button.quiet", { type: "button", onclick: () => setQuery({ show: null, door: null }) }, "Show everything"));
  }

  /** @param {Health} now */
  function showStages(now) {
    const troubled = now.stages.filter(({ state }) => state === "trouble");
    headline.dataset.level = troubled.length ? "trouble" : "calm";
    const well = `A sample that arrives now is scored in ${now.latency === null ? "a moment" : now.latency.median_s < SHORTEST_S ? `less than ${span(SHORTEST_S)}` : span(now.latency.median_s)}`;
    replace(
      headline,
      h("span.icon", { "aria-hidden": true }, troubled.length ? "!" : "✓"),
      h("strong", null, troubled.length ? `${troubled.map(({ title }) => title).join(", ")}: in trouble` : well),
      now.latency ? `; 99 of 100 within ${span(now.latency.p99_s)}.` : ".",
    );
    replace(road, now.stages.filter((stage) => !idle(stage)).map(stageCard));
    // What a stage says of itself is not said twice.
    const said = new Set(now.stages.map(({ text }) => text));
    replace(
      findings,
      troubled.map((stage) => h("div.finding", null, h("strong", null, `${stage.title}: ${stage.text ?? "in trouble"}`), stage.do ? h("p", null, stage.do) : null)),
      now.findings.filter((finding) => !said.has(finding)).map((finding) => h("div.finding", null, finding)),
    );
  }

  const timer = setInterval(() => document.hidden || load(), POLL_MS);
  const ends = settings.follow(() => load());
  return {
    element,
    update(changed) {
      params = changed;
      follow.update(changed);
      load();
    },
    close() {
      clearInterval(timer);
      ends();
    },
  };
}

/** Whether a stage is well and beside the road: datagrams, where nobody sends any. @param {import("../shapes").Stage} stage */
function idle({ id, state, rate_in: rate, errors }) {
  return id === "udp_listener" && state === "well" && !rate && !errors;
}

/** @param {import("../shapes").Stage} stage */
function stageCard(stage) {
  /** @type {[string, string | null][]} */
  const facts = [
    ["in", stage.rate_in === null ? null : `${short(stage.rate_in)} /s`],
    ["out", stage.rate_out === null ? null : `${short(stage.rate_out)} /s`],
    ["waiting", stage.queued === null ? null : count(stage.queued)],
    ["lag", stage.lag_s === null ? null : span(stage.lag_s)],
    ["errors", stage.errors ? count(stage.errors) : null],
    ["restarts", stage.restarts ? count(stage.restarts) : null],
    ["up", stage.up_s === null ? null : span(stage.up_s)],
  ];
  return h(
    "li.stage",
    { dataset: { state: stage.state } },
    h("span.stage-icon", { "aria-hidden": true }, GLYPHS[stage.state]),
    h("h2", null, stage.title, h("span.hidden-text", null, `, ${stage.state}`)),
    rateLine(stage.rates ?? []),
    h("dl.fact-list", null, facts.filter(([, value]) => value !== null).map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value)))),
  );
}

/** Draws what went through a stage in the last minutes. @param {number[]} rates */
function rateLine(rates) {
  if (rates.length < 2) return null;
  const most = Math.max(...rates, 1e-9);
  const points = rates.map((rate, i) => `${((100 * i) / (rates.length - 1)).toFixed(1)},${(19 - (18 * rate) / most).toFixed(1)}`).join(" ");
  return svg("svg", { class: "rate-line", viewBox: "0 0 100 20", preserveAspectRatio: "none", role: "img", "aria-label": `Rate of the last minutes, at most ${short(most)} each second` }, svg("polyline", { points }));
}

/**
 * @param {import("../shapes").Refusal[]} items
 * @param {string | null} door
 */
function refusedSection(items, door) {
  const shown = items.filter((one) => !door || one.door === door).sort((a, b) => b.count - a.count);
  return h(
    "section",
    null,
    h("h2", null, "Refused samples"),
    h(
      "div.refusals",
      null,
      shown.map((one) =>
        h(
          "article.refusal",
          null,
          h("p", null, h("strong", null, `${count(one.count)} × ${one.reason}`), h("span.hint", null, ` ${one.door}${one.peer ? `, from ${one.peer}` : ""}${one.last ? `, last ${ago(one.last)}` : ""}`)),
          h("pre", { tabindex: "0", "aria-label": "Newest refused sample" }, one.sample),
          one.cure ? h("p.cure", null, one.cure) : null,
        ),
      ),
    ),
  );
}

/**
 * @param {{items: import("../shapes").DeadLetter[], total: number}} dead
 * @param {() => void} reload
 */
function deadSection(dead, reload) {
  const said = h("div");
  const requeue = async () => {
    try {
      await post("/dead/requeue", { ids: null });
      reload();
    } catch (problem) {
      replace(said, problemNote(problem));
    }
  };
  return h(
    "section",
    null,
    h("h2", null, `Dead letters: ${count(dead.total)}`),
    h("div.table-scroll", { tabindex: "0", role: "region", "aria-label": "Dead letters" }, h("table.data", null, head(["Queue", "Reason", "Since", "Bytes"]), h("tbody", null, dead.items.slice(0, MOST_ROWS).map((one) => h("tr", null, h("td", null, one.queue), h("td", null, one.reason), h("td", null, one.time ? clock(one.time) : "–"), h("td.number", null, count(one.size))))))),
    may("admin") ? h("p", null, h("button", { type: "button", onclick: requeue }, "Send them again"), " once the cause is fixed.") : null,
    said,
  );
}

/** @param {NonNullable<Health["silent"]>} silent */
function silentSection(silent) {
  return h(
    "section",
    null,
    h("h2", null, `Silent metrics: ${count(silent.length)}`),
    h("div.table-scroll", { tabindex: "0", role: "region", "aria-label": "Silent metrics" }, h("table.data", null, head(["Metric", "Silent for", "Expected every"]), h("tbody", null, silent.slice(0, MOST_ROWS).map((one) => h("tr", null, h("td", null, h("a", { href: link(`m/${one.uid}`) }, one.name)), h("td", null, span(one.silent_s)), h("td", null, span(one.expected_s))))))),
    silent.length > MOST_ROWS ? h("p", null, h("a", { href: link("", { q: "state:silent" }) }, `All ${count(silent.length)} in the list`)) : null,
    h("p.cure", null, "Check whether the sender still runs. A metric that nobody sends any more needs nothing."),
  );
}

/** Says how many names came lately, and where most of them belong: a name that holds a time or an id breeds metrics. @param {NonNullable<Health["new_names"]>} names */
function growth(names) {
  const lately = names.filter(({ time }) => Date.now() / 1000 - time < HOUR_S);
  if (!lately.length) return "None in the last hour.";
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { name } of lately) {
    const prefix = name.split(/[.;]/, 1)[0];
    counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
  }
  const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 3);
  return `${names.length === lately.length && lately.length >= MOST_NAMES ? "At least " : ""}${plural(lately.length, "name")} in the last hour: ${most.map(([prefix, many]) => `${count(many)} of ${prefix}`).join(", ")}.`;
}

/** @param {NonNullable<Health["new_names"]>} names */
function newSection(names) {
  return h("section", null, h("h2", null, `New names: ${count(names.length)}`), h("p", null, growth(names)), h("ul.moved", null, names.slice(0, 12).map((one) => h("li", null, h("a", { href: link("m", { name: one.name }) }, one.name), h("span", null, ago(one.time))))));
}

/** @param {Health} now */
function engineSection(now) {
  /** @type {[string, string][]} */
  const facts = [];
  if (now.capacity) facts.push(["Capacity", `${count(now.capacity.metrics)} of about ${count(now.capacity.possible)} metrics at this rate; first limit: ${now.capacity.limit}`]);
  if (now.checkpoints) facts.push(["Checkpoints", now.checkpoints.last_age_s === null ? "none yet" : `the last one ${span(now.checkpoints.last_age_s)} ago; ${count(now.checkpoints.saved)} since the start`]);
  if (now.disk) facts.push(["Disk", `${short(now.disk.free_bytes)}B of ${short(now.disk.total_bytes)}B free`]);
  for (const [name, version] of Object.entries(now.versions ?? {})) facts.push([name, version]);
  for (const path of now.config ?? []) facts.push(["Configuration", path]);
  facts.push(["Read", timeOfSecond(Date.now() / 1000)]);
  return h("section", null, h("h2", null, "Engine"), h("dl.fact-list.wide", null, facts.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value)))));
}

/** @param {string[]} titles */
function head(titles) {
  return h("thead", null, h("tr", null, titles.map((title) => h("th", { scope: "col" }, title))));
}

