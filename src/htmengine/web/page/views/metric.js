/** The page of a metric: is it real, and why? */
import { fetchFile, get, post, url } from "../lib/api.js";
import { addKeys } from "../lib/keys.js";
import { grafanaAddress } from "../lib/grafana.js";
import { ago, clock, count, iso, moment, plural, range, score, short, span as spanOf } from "../lib/format.js";
import { h, replace, setText } from "../lib/h.js";
import { go, link, query, setQuery } from "../lib/router.js";
import { may, session } from "../lib/session.js";
import { settings } from "../lib/settings.js";
import { listen } from "../lib/sse.js";
import { fittingWindow, readTime, windowOf } from "../lib/windows.js";
import { stateInShort } from "../lib/words.js";
import { MetricChart } from "../draw/chart.js";
import { Minimap } from "../draw/minimap.js";
import { dataTable } from "./metric/data_table.js";
import { loadData } from "./metric/load.js";
import { taughtPast } from "./metric/past.js";
import { showLabels, showRail } from "./metric/rail.js";
import { showWhy } from "./metric/why.js";
import { problemNote } from "./problem.js";
import { teachPanel } from "./teach.js";

const RANGES = ["1h", "3h", "12h", "24h", "7d", "30d", "all"];
const COMPARE = { "": "no overlay", "1d": "1 day before", "1w": "1 week before" };
const PARTS = ["sequence", "novelty", "raw"];
const SHIFTS = { "1d": 86_400, "1w": 604_800 };
const POINTS = 2000;
const MAP_POINTS = 700;
const MOST_ALARMS = 1000;
const MOST_LABELS = 200;
const MOST_EVENTS = 200;
const LISTED_EVENTS = 5;
const NEXT_ROWS = 10; // from one alarming row to the next of the same alarm
const ZOOM_SETTLE_MS = 140;
const REFRESH_MS = 60_000;
const SHORTEST_S = 60;
const ONE_ZOOM_MS = 800;
const SAVED_MS = 60_000; // a browser may ask where to, before it reads the file

/** @type {import("../lib/router.js").Open} */
export function metricByName() {
  const name = query().get("name") ?? "";
  const element = h("div.page", null, h("p", null, "Looking for the metric."));
  get("/metrics", { q: name, sort: "name", limit: 1000 }).then(
    ({ items }) => {
      const found = items.find((/** @type {import("../shapes").MetricRow} */ row) => row.name === name);
      if (found) go(link(`m/${found.uid}`), true);
      else replace(element, h("h1", null, "There is no such metric"), h("p", null, `No sample of “${name}” has ever arrived. The case of letters counts.`));
    },
    (problem) => replace(element, problemNote(problem)),
  );
  return { element };
}

/** @type {import("../lib/router.js").Open} */
export function metric({ params: [uid], query: first }) {
  return new MetricPage(uid, first).view();
}

class MetricPage {
  /**
   * @param {string} uid
   * @param {URLSearchParams} params
   */
  constructor(uid, params) {
    this.uid = uid;
    this.params = params;
    /** @type {import("../shapes").MetricDetail | null} */
    this.detail = null;
    /** @type {import("../shapes").Alarm[]} */
    this.alarms = [];
    /** @type {import("../shapes").Label[]} */
    this.labels = [];
    this.labelList = h("section", { "aria-label": "Labels" });
    this.past = taughtPast(uid);
    /** @type {import("../shapes").SilencedRow[]} */
    this.silenced = [];
    this.teach = teachPanel(() => this.toTeach(), () => this.taught());
    this.teach.hidden = true; // until it is known which alarms there are
    /** @type {import("../lib/columns.js").Series} */
    this.data = { time: [], columns: {} };
    /** @type {import("../lib/columns.js").Series | null} */
    this.before = null;
    /** @type {AbortController | null} */
    this.loading = null;
    this.loaded = "";
    this.isLoaded = false;
    this.chosenKey = "";
    this.zooms = 0;
    this.zoomedAt = -Infinity;
    this.timer = 0;
    /** @type {(() => void)[]} */
    this.closing = [];

    this.title = h("h1.metric-title");
    this.chips = h("div.chips");
    this.facts = h("p.facts");
    this.said = h("div.said");
    this.actions = h("div.actions");
    this.told = "";
    this.ranges = h("div.windows", { role: "group", "aria-label": "Range" });
    this.compare = h(
      "select",
      { "aria-label": "Overlay", onchange: (/** @type {Event} */ event) => setQuery({ compare: /** @type {HTMLSelectElement} */ (event.target).value }) },
      Object.entries(COMPARE).map(([value, title]) => h("option", { value }, title)),
    );
    this.tableButton = h("button", { type: "button", "aria-pressed": "false", onclick: () => setQuery({ table: query().has("table") ? null : "1" }) }, "Table");
    this.partButtons = PARTS.map((name) => h("button", { type: "button", "aria-pressed": "false", onclick: () => this.togglePart(name) }, name));
    this.readout = h("output.readout", { "aria-live": "off" });
    this.plot = h("div.chart-box");
    this.caption = h("figcaption.hint");
    this.eventList = h("ul.events", { hidden: true, "aria-label": "Events" });
    this.figure = h(
      "figure.chart",
      { tabindex: "0", role: "group", "aria-label": "Chart. Left and right arrows move the cursor, with shift ten rows.", onkeydown: (/** @type {KeyboardEvent} */ event) => this.chartKey(event) },
      this.readout,
      this.plot,
      this.caption,
      this.past.note,
      this.eventList,
    );
    this.table = h("div.table-box", { hidden: true });
    this.why = h("section.why-panel", { "aria-label": "Why" });
    this.rail = h("div.rail-rest");
    this.minimap = new Minimap((span) => this.zoom(span, false));
    this.element = h(
      "div.page.metric",
      null,
      h("header.metric-head", null, h("div", null, this.title, this.chips, this.facts), this.actions),
      this.said,
      h("div.metric-panes", null,
        h("div.metric-main", null, h("div.chart-bar", null, this.ranges, this.compare, h("details.more-series", null, h("summary", null, "Parts of the score"), h("div.windows", { role: "group", "aria-label": "Parts of the score" }, this.partButtons)), this.past.button, this.tableButton, h("span.spacer"), h("span.legend", { "aria-hidden": true }, legend())), this.figure, this.minimap.element, this.table),
        h("aside.rail", { "aria-label": "Explanation and facts" }, this.why, this.labelList, this.teach, this.rail)),
    );
    this.chart = new MetricChart(this.plot, {
      zoom: (span) => this.zoomByHand(span),
      back: () => this.unzoom(),
      choose: ({ rowid }) => setQuery({ row: rowid }, { push: true }),
      point: (at) => this.pointed(at),
    });
  }

  view() {
    this.closing.push(
      listen({ events: "results,incidents,health", uid: this.uid }, {
        results: (results) => this.take(results),
        health: (now) => session.set({ overview: now }),
        reset: () => this.load(true),
        live: (live) => session.set({ lostAt: live ? null : (session.get().lostAt ?? Date.now() / 1000) }),
      }),
      addKeys([
        { keys: "f", says: "fit all history", run: () => setQuery({ w: "all", from: null, to: null }, { push: true }) },
        { keys: "[", says: "zoom in", run: () => this.scale(0.5) },
        { keys: "]", says: "zoom out", run: () => this.scale(2) },
        { keys: "t", says: "up to now", run: () => setQuery({ from: null, to: null, w: null }, { push: true }) },
        { keys: "c", says: "overlay: 1 day, 1 week before, none", run: () => this.nextOverlay() },
        { keys: "j", says: "earlier alarm", run: () => this.nextAlarm(1) },
        { keys: "k", says: "later alarm", run: () => this.nextAlarm(-1) },
        { keys: "Escape", says: "to the overview", run: () => go(link("")) },
      ]),
      settings.follow(() => this.detail && this.showHead()),
      session.follow(() => this.sessionTold()),
    );
    const refresh = setInterval(() => document.hidden || (this.span().live && this.load(true)), REFRESH_MS);
    this.closing.push(() => clearInterval(refresh));
    this.loadDetail();
    this.past.offer();
    this.update(this.params);
    return {
      element: this.element,
      update: (/** @type {URLSearchParams} */ params) => this.update(params),
      close: () => {
        this.closing.forEach((close) => close());
        this.loading?.abort();
        clearTimeout(this.timer);
        this.chart.close();
        this.minimap.close();
      },
    };
  }

  async loadDetail() {
    try {
      this.detail = await get(`/metrics/${this.uid}`);
      this.showHead();
      showRail(this.rail, /** @type {import("../shapes").MetricDetail} */ (this.detail));
      this.teach.hidden = !this.mayTeach();
      this.loadMap();
      this.fitWindow();
      if (this.span().name === "all") this.load(false);
    } catch (problem) {
      document.title = "Metric · htmengine";
      replace(this.element, problemNote(problem, () => location.reload()), h("p", null, h("a", { href: link("") }, "To the overview")));
    }
  }

  /** A metric of an hour is not shown at the end of an empty day. */
  fitWindow() {
    const { first } = /** @type {import("../shapes").MetricDetail} */ (this.detail);
    if (first === null || ["w", "from", "at", "row"].some((key) => this.params.has(key))) return;
    setQuery({ w: fittingWindow(Date.now() / 1000 - first) });
  }

  async loadMap() {
    const { first, last } = /** @type {import("../shapes").MetricDetail} */ (this.detail);
    if (first === null || !last) return;
    try {
      this.minimap.show(await loadData(this.uid, { from: Math.floor(first), to: Math.ceil(last.time), points: MAP_POINTS, series: "value,log_score" }), this.shown());
    } catch {
      // The chart says what is wrong; the buttons above it choose the window, too.
    }
  }

  /** Who we are, and where Grafana is, may be known a moment after the metric. */
  sessionTold() {
    const { known, scopes, grafana_url: grafana } = session.get();
    const told = `${known} ${scopes} ${grafana}`;
    if (told === this.told) return;
    this.told = told;
    if (this.detail) this.showHead();
  }

  showHead() {
    const detail = /** @type {import("../shapes").MetricDetail} */ (this.detail);
    const [base, ...tags] = detail.name.split(";");
    const at = base.lastIndexOf(".") + 1;
    replace(this.title, h("span.prefix", null, base.slice(0, at)), base.slice(at));
    document.title = `${detail.name} · htmengine`;
    const state = stateInShort(detail);
    replace(
      this.chips,
      tags.map((tag) => h("a.tag", { href: link("", { q: `tag:${tag}` }) }, tag.replace("=", " "))),
      state ? h("span.state", { dataset: { state: detail.state } }, state) : null,
      detail.incident ? h("a.state.in-incident", { href: link(`i/${detail.incident}`) }, `in incident ${detail.incident}`) : null,
    );
    replace(
      this.facts,
      [
        detail.last ? `now ${short(detail.last.value)}` : null,
        detail.usual ? `usual ${range(detail.usual)}` : null,
        detail.log_score !== null ? `score ${score(detail.log_score)}` : null,
        detail.last ? `last sample ${ago(detail.last.time)}` : "no sample yet",
        detail.interval ? `every ${spanOf(detail.interval)}` : null,
        plural(detail.rows, "row"),
      ]
        .filter(Boolean)
        .join(" · "),
    );
    this.facts.title = detail.last ? `last sample ${moment(detail.last.time)}` : "";
    const why = detail.why_no_score;
    replace(
      this.said,
      why || detail.needs_attention
        ? h(
            "p.no-score-note",
            { dataset: { attention: String(detail.needs_attention) } },
            h("strong", null, why?.code === "too_few_samples" ? "Learning: " : "No score: "),
            detail.doctor || why?.text || "",
            why?.eta ? ` At this rate there are ${count(why.need ?? 0)} in ${spanOf(why.eta)}.` : null,
            why?.have !== undefined && why.need ? progress(why.have, why.need) : null,
          )
        : null,
    );
    const monitored = detail.state !== "unmonitored" && detail.state !== "no_model";
    replace(
      this.actions,
      h("button", { type: "button", onclick: (/** @type {Event} */ event) => copyLink(/** @type {HTMLElement} */ (event.currentTarget)) }, "Copy link"),
      detail.rows ? h("a.button", { href: url(`/metrics/${this.uid}/rows`).href, download: "", title: "Values, scores, forecasts and usual bands, as CSV" }, "Export rows") : null,
      this.grafanaLink(),
      detail.model && may("admin") && !session.get().record ? h("button", { type: "button", title: "What the model has learned, for another installation", onclick: () => this.exportModel() }, "Export model") : null,
      may("admin") && !session.get().record ? h("button", { type: "button", onclick: () => this.monitor(!monitored) }, monitored ? "Stop watching" : "Watch") : null,
    );
  }

  /** Leads to the time that is shown when it is followed. */
  grafanaLink() {
    const template = session.get().grafana_url;
    if (!template) return null;
    const fill = (/** @type {Event} */ event) => /** @type {HTMLElement} */ (event.currentTarget).setAttribute("href", grafanaAddress(template, /** @type {import("../shapes").MetricDetail} */ (this.detail).name, this.span()));
    return h("a.button", { href: grafanaAddress(template, /** @type {import("../shapes").MetricDetail} */ (this.detail).name, this.span()), rel: "noreferrer", onpointerdown: fill, onfocus: fill }, "Open in Grafana");
  }

  async exportModel() {
    try {
      const address = URL.createObjectURL(await fetchFile(`/models/${this.uid}/export`));
      const name = /** @type {import("../shapes").MetricDetail} */ (this.detail).name.replace(/[^\w.-]+/g, "_");
      h("a", { href: address, download: `${name}.model` }).click();
      setTimeout(() => URL.revokeObjectURL(address), SAVED_MS);
    } catch (problem) {
      replace(this.said, problemNote(problem));
    }
  }

  /** @param {boolean} on */
  async monitor(on) {
    if (!on && !confirm("Stop watching this metric? Its model and what it has learned are deleted; its samples stay.")) return;
    try {
      await post(`/metrics/${this.uid}/${on ? "monitor" : "unmonitor"}`);
      await this.loadDetail();
    } catch (problem) {
      replace(this.said, problemNote(problem));
    }
  }

  /** Returns the window of the address. */
  span() {
    const [from, to] = [readTime(this.params.get("from")), readTime(this.params.get("to"))];
    if (from !== null && to !== null && to > from) return { from, to, name: "", live: false };
    if (this.params.get("w") === "all") {
      const begin = this.detail?.first ?? Date.now() / 1000 - 86_400;
      const end = Math.max(this.detail?.last?.time ?? 0, begin + SHORTEST_S);
      return { from: begin, to: end, name: "all", live: false };
    }
    return windowOf(this.params);
  }

  /** @returns {[number, number]} */
  shown() {
    const { from, to } = this.span();
    return [from, to];
  }

  /** @param {URLSearchParams} params */
  update(params) {
    this.params = params;
    const { name } = this.span();
    replace(
      this.ranges,
      RANGES.map((one) => h("button", { type: "button", "aria-pressed": String(one === name), onclick: () => setQuery({ w: one === "24h" ? null : one, from: null, to: null }, { push: true }) }, one)),
    );
    /** @type {HTMLSelectElement} */ (this.compare).value = params.get("compare") ?? "";
    this.tableButton.setAttribute("aria-pressed", String(params.has("table")));
    this.past.press(params.has("rescored"));
    this.minimap.place(this.shown());
    this.partButtons.forEach((button, i) => button.setAttribute("aria-pressed", String(this.shownParts().includes(PARTS[i]))));
    if (this.shownParts().length) /** @type {HTMLDetailsElement} */ (this.element.querySelector(".more-series")).open = true;
    this.chart.showParts(this.shownParts());
    const wanted = ["w", "from", "to", "at", "compare", "show", "rescored"].map((key) => params.get(key) ?? "").join(" ");
    if (wanted !== this.loaded) {
      this.loaded = wanted;
      // What is there already is moved at once; the rest follows.
      if (this.data.time.length) this.chart.show(this.data, this.alarms, this.shown(), this.before, [], this.labels);
      clearTimeout(this.timer);
      this.timer = window.setTimeout(() => this.load(false), this.data.time.length ? ZOOM_SETTLE_MS : 0);
    } else this.showChosen();
    this.showTable();
  }

  /** @param {boolean} quietly */
  async load(quietly) {
    if (quietly && this.loading) return;
    this.loading?.abort();
    const loading = (this.loading = new AbortController());
    const [from, to] = this.shown();
    const shift = SHIFTS[/** @type {"1d" | "1w"} */ (this.params.get("compare"))] ?? 0;
    const rescored = this.params.has("rescored");
    this.figure.setAttribute("aria-busy", "true");
    try {
      const [data, alarms, labels, silenced, past, before, events] = await Promise.all([
        loadData(this.uid, { from, to, points: POINTS, also: this.shownParts(), rescored }, loading.signal),
        get(`/metrics/${this.uid}/alarms`, { from, to, limit: MOST_ALARMS }, loading.signal),
        get("/labels", { uid: this.uid, from, to, limit: MOST_LABELS }, loading.signal),
        get(`/metrics/${this.uid}/silenced`, { from, to, limit: MOST_ALARMS }, loading.signal),
        rescored ? get(`/metrics/${this.uid}/taught-past`, {}, loading.signal) : null,
        shift ? loadData(this.uid, { from: from - shift, to: to - shift, points: POINTS / 2, series: "value" }, loading.signal) : null,
        session.get().record ? [] : get("/events", { from, to, limit: MOST_EVENTS }, loading.signal).then(({ items }) => items, () => []),
      ]);
      this.data = data;
      const gone = new Set(past?.gone.map((/** @type {import("../shapes").PreviewedAlarm} */ { rowid }) => rowid));
      this.alarms = alarms.items.filter((/** @type {import("../shapes").Alarm} */ { rowid }) => !gone.has(rowid));
      if (past) this.past.say(past);
      this.silenced = silenced.items;
      this.chart.showSilenced(this.silenced);
      this.labels = labels.items;
      this.before = before && { time: before.time.map((at) => at + shift), columns: before.columns };
      this.chart.show(this.data, this.alarms, [from, to], this.before, [], this.labels);
      showLabels(this.labelList, this.labels, this.mayTeach() ? () => this.taught() : null);
      this.isLoaded = true;
      this.teach.hidden = !this.mayTeach();
      this.showEvents(events);
      this.describe();
      this.showChosen();
      this.showTable();
    } catch (problem) {
      if (!loading.signal.aborted && !quietly) replace(this.caption, problemNote(problem, () => this.load(false)));
    } finally {
      if (this.loading === loading) {
        this.loading = null;
        this.figure.setAttribute("aria-busy", "false");
      }
    }
  }

  /** Something was taught, or taken back. */
  taught() {
    this.past.offer();
    this.load(true);
  }

  mayTeach() {
    return this.isLoaded && may("teach") && !session.get().record && Boolean(this.detail?.model);
  }

  /** What may be taught: the time of the alarm that is explained, with those next to it; without one, what is shown. */
  toTeach() {
    const name = this.detail?.name ?? "";
    const [from, to] = this.shown();
    const chosen = this.alarms.find(({ rowid }) => rowid === Number(this.params.get("row"))) ?? this.alarms[0];
    if (!chosen) return [{ uid: this.uid, name, from, to }];
    const run = [chosen];
    for (const alarm of [...this.alarms].sort((a, b) => a.rowid - b.rowid)) if (alarm.rowid > run[run.length - 1].rowid && alarm.rowid - run[run.length - 1].rowid <= NEXT_ROWS) run.push(alarm);
    for (const alarm of [...this.alarms].sort((a, b) => b.rowid - a.rowid)) if (alarm.rowid < run[0].rowid && run[0].rowid - alarm.rowid <= NEXT_ROWS) run.unshift(alarm);
    return [{ uid: this.uid, name, from: run[0].time, to: run[run.length - 1].time }];
  }

  /** @param {import("../shapes").FleetEvent[]} events */
  showEvents(events) {
    this.chart.showEvents(events);
    this.eventList.hidden = !events.length;
    const more = events.length - LISTED_EVENTS;
    replace(
      this.eventList,
      events.slice(0, LISTED_EVENTS).map(({ time, what, tags, data, by }) => h("li", { title: [moment(time), data, by ? `told by ${by}` : ""].filter(Boolean).join("\n") }, h("time", { datetime: iso(time) }, clock(time)), ` ${what}`, tags.length ? h("span.hint", null, ` ${tags.join(" ")}`) : null)),
      more > 0 ? h("li.hint", null, `and ${plural(more, "event")} before`) : null,
    );
  }

  describe() {
    const [from, to] = this.shown();
    const worst = this.alarms.reduce((/** @type {import("../shapes").Alarm | null} */ best, alarm) => (!best || alarm.log_score > best.log_score ? alarm : best), null);
    const rows = this.data.columns.value?.some((value) => value !== null) ?? false;
    const what = !rows ? "no sample" : worst ? `${plural(this.alarms.length, "alarm")}, the highest ${score(worst.log_score)} at ${clock(worst.time)}` : "no alarm";
    setText(this.caption, `${clock(from)} to ${clock(to)}: ${what}${this.silenced.length ? `; ${count(this.silenced.length)} silenced by what the model was taught` : ""}.`);
  }

  /** The alarm that is explained: the one of the address, else the newest in sight, else the newest of all. */
  async showChosen() {
    const row = Number(this.params.get("row"));
    let alarm = this.alarms.find(({ rowid }) => rowid === row) ?? (row ? null : this.alarms[0]) ?? null;
    const key = `${row} ${alarm?.rowid ?? ""} ${this.alarms.length}`;
    if (key === this.chosenKey) return this.chart.choose(alarm ?? { rowid: row });
    this.chosenKey = key;
    try {
      if (!alarm && row) alarm = await get(`/metrics/${this.uid}/explain/${row}`);
      else if (!alarm) alarm = (await get(`/metrics/${this.uid}/alarms`, { limit: 1 })).items[0] ?? null;
    } catch (problem) {
      replace(this.why, problemNote(problem));
      return;
    }
    if (key !== this.chosenKey) return;
    this.chart.choose(alarm);
    showWhy(this.why, this.uid, alarm);
  }

  showTable() {
    const wanted = this.params.has("table");
    this.table.hidden = !wanted;
    if (wanted) replace(this.table, dataTable(this.data, this.labels));
  }

  /**
   * @param {[number, number]} span
   * @param {boolean} push
   */
  zoom([from, to], push) {
    const length = Math.max(SHORTEST_S, to - from);
    const end = Math.min(to, Date.now() / 1000 + 60);
    setQuery({ from: Math.round(end - length), to: Math.round(end), w: null }, { push });
  }

  /** Zooms that follow each other at once, as a wheel makes them, are one step back. @param {[number, number]} span */
  zoomByHand(span) {
    const now = performance.now();
    const goesOn = now - this.zoomedAt < ONE_ZOOM_MS;
    this.zoomedAt = now;
    if (!goesOn) this.zooms++;
    this.zoom(span, !goesOn);
  }

  /** Goes back to what was seen before the last zoom, but never off this page. */
  unzoom() {
    if (!this.zooms) return;
    this.zooms--;
    history.back();
  }

  /** @param {number} factor */
  scale(factor) {
    const [from, to] = this.shown();
    const anchor = this.span().live ? to : (from + to) / 2;
    this.zoom([anchor - (anchor - from) * factor, anchor + (to - anchor) * factor], true);
  }

  shownParts() {
    const wanted = (this.params.get("show") ?? "").split(",");
    return PARTS.filter((name) => wanted.includes(name));
  }

  /** @param {string} name */
  togglePart(name) {
    const shown = this.shownParts();
    setQuery({ show: (shown.includes(name) ? shown.filter((one) => one !== name) : PARTS.filter((one) => one === name || shown.includes(one))).join(",") });
  }

  nextOverlay() {
    const choices = Object.keys(COMPARE);
    setQuery({ compare: choices[(choices.indexOf(this.params.get("compare") ?? "") + 1) % choices.length] });
  }

  /** @param {number} by */
  nextAlarm(by) {
    if (!this.alarms.length) return;
    const now = this.alarms.findIndex(({ rowid }) => rowid === this.chart.chosen);
    const next = this.alarms[Math.max(0, Math.min(this.alarms.length - 1, now < 0 ? 0 : now + by))];
    setQuery({ row: next.rowid });
  }

  /** @param {KeyboardEvent} event */
  chartKey(event) {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    event.preventDefault();
    this.readout.setAttribute("aria-live", "polite");
    this.chart.step((event.key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 10 : 1));
  }

  /** @param {import("../draw/chart.js").Cursor | null} at */
  pointed(at) {
    if (!at) return setText(this.readout, "");
    const { value, low, high, forecast, log_score: unusual } = at.values;
    const parts = [clock(at.time), value === null || value === undefined ? "no value" : short(value)];
    if (low != null && high != null) parts.push(`usual ${range([low, high])}`);
    if (forecast != null) parts.push(`forecast ${short(forecast)}`);
    if (unusual != null) parts.push(`score ${score(unusual)}`);
    for (const name of this.shownParts()) if (at.values[name] != null) parts.push(`${name} ${score(at.values[name])}`);
    if (at.silenced) parts.push(`silenced by ${at.silenced.label}`);
    for (const { what } of at.events) parts.push(`⚑ ${what}`);
    setText(this.readout, parts.join(" · "));
  }

  /** @param {import("../lib/sse.js").Result[]} results */
  take(results) {
    const mine = results.filter((result) => result.uid === this.uid);
    if (!mine.length || !this.detail) return;
    const last = mine[mine.length - 1];
    this.detail.last = { rowid: last.rowid, time: last.time, value: last.value };
    this.detail.log_score = last.log_score;
    this.detail.rows = Math.max(this.detail.rows, last.rowid);
    this.showHead();
    if (!this.span().live) return;
    for (const result of mine) this.chart.append(result, this.shown());
    this.minimap.place(this.shown());
    if (mine.some((result) => (result.log_score ?? 0) >= 0.5)) this.load(true);
  }
}

/**
 * @param {number} have
 * @param {number} need
 */
function progress(have, need) {
  return h("progress", { value: have, max: need, "aria-label": `${count(have)} of ${count(need)} samples` });
}

function legend() {
  return [
    h("i.key-value"), "value ", h("i.key-band"), "usual ", h("i.key-forecast"), "forecast ", h("i.key-alarm", null, "▲▼◆"), "alarm",
  ];
}

/** @param {HTMLElement} button */
async function copyLink(button) {
  try {
    await navigator.clipboard.writeText(location.href);
    setText(button, "Copied");
  } catch {
    // Plain http to another machine has no clipboard.
    prompt("The address of this page:", location.href);
  }
}
