/**
 * The metrics, ranked and live. What a row says is always current; where it stands changes only while nobody points
 * at the list: until then a chip says how many changes wait.
 */
import { get } from "../../lib/api.js";
import { clock, plural } from "../../lib/format.js";
import { h, replace, setText } from "../../lib/h.js";
import { go, link, setQuery } from "../../lib/router.js";
import { VirtualList } from "../../lib/vlist.js";
import { WINDOWS, USUAL_WINDOW, fittingWindow, historyOf, readTime, windowOf } from "../../lib/windows.js";
import { whenColoursChange } from "../../draw/colours.js";
import { settings } from "../../lib/settings.js";
import { problemNote } from "../problem.js";
import { Chosen } from "./chosen.js";
import { GroupTable } from "./group_table.js";
import { COLUMNS, drawRow, makeRow, rowHeight } from "./metric_row.js";
import { Preview } from "./preview.js";
import { Ranking } from "./ranking.js";
import { Sparks } from "./sparks.js";

const PAGE_SIZE = 500;
const RESORT_MS = 2_000;
const RELOAD_MS = 30_000;
const SOON_MS = 2_000;
const TYPING_MS = 150;
const UNFINISHED = /(^|\s)-?(?:(?:tag|state|score|cause):[<>=]*)?(?=\s|$)/g; // a word that is still being typed

const SORTS = { oddness: "most unusual", name: "name", last: "last change", lag: "lag", alarms: "alarms in 24 h", trouble: "trouble first" };
const STATES = { "": "any state", acknowledged: "acknowledged", snoozed: "snoozed", active: "active", learning: "learning", silent: "silent", no_model: "no model", error: "error", unmonitored: "not monitored" };
const STATE_WORD = /(?:^|\s)state:(\w+)(?=\s|$)/;
const SEARCH_HINT = "Part of a name or a glob; tag:dc=a  state:silent  score:>0.5  cause:jump  -without";

export class Fleet {
  /** @param {() => void} acted called when something was done about incidents */
  constructor(acted) {
    this.params = new URLSearchParams();
    this.wanted = "";
    this.ranking = new Ranking();
    this.sparks = new Sparks(() => this.list.refresh(() => true));
    this.total = 0;
    /** @type {string | null} */
    this.next = null;
    /** @type {AbortController | null} */
    this.loading = null;
    /** @type {AbortController | null} */
    this.loadingMore = null;
    this.inside = false;
    this.typing = 0;
    this.soon = 0;
    this.fitted = false;
    /** @type {HTMLElement | null} */
    this.extraNote = null;
    this.preview = new Preview();
    this.chosen = new Chosen({
      rows: () => this.list.items,
      active: () => (this.params.get("group") ? null : this.activeRow()),
      changed: () => this.list.refresh(() => true),
      acted: () => {
        acted();
        this.load(true);
      },
    });

    this.search = /** @type {HTMLInputElement} */ (
      h("input.search", {
        type: "search", placeholder: "Search metrics", "aria-label": "Search metrics", "aria-describedby": "search-hint", autocomplete: "off", spellcheck: "false",
        oninput: () => this.typed(), onkeydown: (/** @type {KeyboardEvent} */ event) => this.searchKey(event),
      })
    );
    this.sort = select("Sort by", SORTS, (value) => setQuery({ sort: value === "oddness" ? null : value }));
    this.state = select("State", STATES, (value) => setQuery({ q: [(this.params.get("q") ?? "").replace(STATE_WORD, " ").trim(), value ? `state:${value}` : ""].filter(Boolean).join(" ") }));
    this.group = select("Group", { "": "no groups", prefix: "by prefix" }, (value) => setQuery({ group: value, open: null }));
    this.windows = h("div.windows", { role: "group", "aria-label": "Window" });
    this.span = h("button.chip", { type: "button", hidden: true, onclick: () => setQuery({ from: null, to: null }) });
    this.waiting = h("button.chip.waiting", { type: "button", hidden: true, onclick: () => this.settle(true) });
    this.count = h("output.list-count");
    this.notes = h("div.list-notes");
    this.groups = new GroupTable();

    const headings = COLUMNS.map(({ name, title, sort }) =>
      h(`div.cell.${name}`, { role: "columnheader" }, sort ? h("button.heading", { type: "button", onclick: () => setQuery({ sort: sort === "oddness" ? null : sort }) }, title) : h("span", null, title)),
    );
    this.body = h("div.rows", { role: "rowgroup" });
    this.grid = h(
      "div.grid",
      { role: "grid", "aria-label": "Metrics", "aria-colcount": COLUMNS.length, "aria-multiselectable": "true" },
      h("div.headings", { role: "rowgroup" }, h("div.row", { role: "row", "aria-rowindex": "1" }, headings)),
      this.body,
    );
    this.list = new VirtualList(
      this.body,
      rowHeight,
      {
        make: () => {
          const row = makeRow();
          row.addEventListener("click", (event) => this.clicked(row, event));
          return row;
        },
        draw: (element, row) => {
          drawRow(element, row, this.sparks.of(row.uid));
          element.setAttribute("aria-selected", String(this.chosen.has(row.uid)));
        },
      },
      () => this.loadMore(),
    );
    this.main = h("div.list-main", null, this.grid, this.groups.element, this.notes);
    this.element = h(
      "section.metrics",
      { "aria-label": "Metrics" },
      h("div.list-bar", null, h("div.search-field", null, this.search, h("kbd", { "aria-hidden": true }, "/"), h("p.search-hint", { id: "search-hint" }, SEARCH_HINT)), this.span, this.waiting, this.count, h("div.spacer"), this.windows, this.state, this.group, this.sort),
      this.chosen.element,
      h("div.list-panes", null, this.main, this.preview.element),
    );

    for (const event of ["pointerenter", "pointerleave"]) this.element.addEventListener(event, () => this.hold());
    for (const event of ["focusin", "focusout"]) this.grid.addEventListener(event, () => queueMicrotask(() => this.hold()));
    this.changed = new Set();
    this.painting = false;
    this.timers = [setInterval(() => this.settle(false), RESORT_MS), setInterval(() => document.hidden || this.load(true), RELOAD_MS)];
    this.onScroll = () => this.wantSparks();
    addEventListener("scroll", this.onScroll, { passive: true });
    this.ends = [whenColoursChange(() => this.list.render(true)), settings.follow(() => this.list.render(true))];
  }

  close() {
    this.timers.forEach((timer) => clearInterval(timer));
    this.ends.forEach((end) => end());
    removeEventListener("scroll", this.onScroll);
    clearTimeout(this.soon);
    this.loading?.abort();
    this.loadingMore?.abort();
    this.list.close();
    this.preview.close();
  }

  /** @param {URLSearchParams} params the state of the page */
  update(params) {
    this.params = params;
    const { name, to, live } = windowOf(params);
    if (document.activeElement !== this.search) this.search.value = params.get("q") ?? "";
    this.sort.value = params.get("sort") ?? "oddness";
    this.state.value = STATE_WORD.exec(params.get("q") ?? "")?.[1] ?? "";
    this.groups.offerTags(this.group, params.get("group") ?? "");
    replace(
      this.windows,
      WINDOWS.map((one) => h("button", { type: "button", "aria-pressed": String(one === name), onclick: () => setQuery({ w: one === USUAL_WINDOW ? null : one }) }, one)),
      live ? null : h("button", { type: "button", onclick: () => setQuery({ at: null }) }, `to ${clock(to)} ×`),
    );
    const span = this.chosenSpan();
    this.span.hidden = !span;
    if (span) replace(this.span, `Ranked by ${clock(span[0])} to ${clock(span[1])}`, h("span", { "aria-hidden": true }, " ×"), h("span.hidden-text", null, ", clear"));
    const grouped = Boolean(params.get("group"));
    this.grid.hidden = grouped;
    this.groups.element.hidden = !grouped;
    this.preview.update(params.has("preview") && !grouped ? this.activeRow() : null, params);
    this.element.classList.toggle("with-preview", params.has("preview") && !grouped);
    this.sparks.window(windowOf(params));
    const wanted = ["q", "sort", "from", "to", "group", "open", "w", "at"].map((key) => params.get(key) ?? "").join("\n");
    if (wanted === this.wanted) return;
    const sameList = this.wanted && ["q", "sort", "from", "to", "group", "open"].every((key, i) => (params.get(key) ?? "") === this.wanted.split("\n")[i]);
    this.wanted = wanted;
    if (sameList) this.wantSparks();
    else this.load(false);
  }

  /** @returns {[number, number] | null} */
  chosenSpan() {
    const [from, to] = [readTime(this.params.get("from")), readTime(this.params.get("to"))];
    return from !== null && to !== null && to > from ? [from, to] : null;
  }

  /** Returns the search as the server is asked for it. */
  question() {
    return (this.params.get("q") ?? "").replace(UNFINISHED, "$1").trim() || null;
  }

  reload() {
    this.load(true);
  }

  /** @param {import("../../shapes").Incident} incident */
  takeIncident(incident) {
    if (this.ranking.takeIncident(incident)) this.list.refresh(() => true);
  }

  /** Reads the list again, but not for each of many reasons. */
  reloadSoon() {
    if (this.soon || document.hidden) return;
    this.soon = window.setTimeout(() => {
      this.soon = 0;
      this.load(true);
    }, SOON_MS);
  }

  /** @param {boolean} quietly keep the place, and say nothing of a failure: the notice above does */
  async load(quietly) {
    if (quietly && this.loading) return;
    this.loading?.abort();
    this.loadingMore?.abort(); // the list is another from now on
    const loading = (this.loading = new AbortController());
    this.element.setAttribute("aria-busy", String(!quietly));
    try {
      if (this.params.get("group")) await this.groups.load(this.params, this.question(), loading.signal);
      else await this.loadRows(loading.signal, quietly);
      this.showCount();
    } catch (problem) {
      if (!loading.signal.aborted && !quietly) replace(this.notes, problemNote(problem, () => this.load(false)));
    } finally {
      if (this.loading === loading) {
        this.loading = null;
        this.element.setAttribute("aria-busy", "false");
      }
    }
    if (quietly) this.list.refresh(() => true);
    else if (!loading.signal.aborted) this.settle(true);
    this.wantSparks();
  }

  /**
   * @param {AbortSignal} signal
   * @param {boolean} again the same list as before: rows further down, which were read page by page, stay
   */
  async loadRows(signal, again) {
    const span = this.chosenSpan();
    if (span) {
      const { items } = await get("/anomalies", { from: span[0], to: span[1], rank: "window", limit: 200, q: this.question() }, signal);
      const ranks = /** @type {import("../../shapes").Ranked[]} */ (items);
      const rows = ranks.length ? (await get("/metrics", { uid: ranks.map(({ uid }) => uid), limit: 200 }, signal)).items : [];
      const byUid = new Map(rows.map((/** @type {import("../../shapes").MetricRow} */ row) => [row.uid, row]));
      this.ranking.replace(ranks.map(({ uid }) => byUid.get(uid)).filter(Boolean), "given", false);
      [this.total, this.next] = [ranks.length, null];
    } else {
      const sort = this.params.get("sort") ?? "oddness";
      const answer = await get("/metrics", { q: this.question(), sort, limit: PAGE_SIZE }, signal);
      const deeper = again && this.ranking.size > PAGE_SIZE;
      this.ranking.replace(answer.items, sort === "oddness" ? "oddness" : "given", deeper);
      if (!deeper) this.next = answer.next;
      this.total = answer.total ?? answer.items.length;
      this.fitWindow(answer.items);
    }
  }

  /**
   * A fleet of an hour is not shown at the end of an empty day. Only at first: what a person chooses stays.
   * @param {import("../../shapes").MetricRow[]} rows
   */
  fitWindow(rows) {
    if (this.fitted || !rows.length) return;
    this.fitted = true;
    const now = Date.now() / 1000;
    const longest = Math.max(...rows.map((row) => historyOf(row, now)));
    const { name } = windowOf(this.params);
    if (!this.params.has("w") && !this.params.has("at") && name === USUAL_WINDOW) setQuery({ w: fittingWindow(longest) });
  }

  async loadMore() {
    if (!this.next || this.loadingMore || this.loading) return;
    const loading = (this.loadingMore = new AbortController());
    try {
      const answer = await get("/metrics", { q: this.question(), sort: this.params.get("sort") ?? "oddness", limit: PAGE_SIZE, after: this.next }, loading.signal);
      this.ranking.append(answer.items);
      this.next = answer.next;
      this.showRows();
    } catch {
      // Scrolling on tries again.
    } finally {
      this.loadingMore = null;
    }
  }

  /** Puts rows where they belong, if nobody points at the list. @param {boolean} now even then */
  settle(now) {
    if (this.params.get("group")) return;
    const waits = this.ranking.changes();
    const held = this.inside && !now;
    this.waiting.hidden = !(held && waits);
    if (held && waits) setText(this.waiting, `${plural(waits, "change")} waiting`);
    if (!held && (now || waits)) {
      this.ranking.settle();
      this.showRows();
    }
  }

  showRows() {
    const rows = this.ranking.rows();
    this.grid.setAttribute("aria-rowcount", String(Math.max(this.total, rows.length) + 1));
    this.list.show(rows);
    this.showNotes(rows.length);
    this.wantSparks();
  }

  showCount() {
    setText(this.count, this.params.get("group") ? "" : plural(this.total, "metric"));
  }

  /** @param {number} shown */
  showNotes(shown) {
    const query = this.params.get("q");
    const span = this.chosenSpan();
    if (shown) return replace(this.notes, this.extraNote ?? null);
    const text = span ? `No metric was unusual from ${clock(span[0])} to ${clock(span[1])}` : query ? `No metric matches “${query}”` : "No metric";
    replace(
      this.notes,
      h("p.nothing", null, text, query && span ? ` and matches “${query}”` : "", ". ", query || span ? h("button.quiet", { type: "button", onclick: () => setQuery({ q: null, from: null, to: null }) }, "Show all metrics") : null),
      query ? h("p.hint", null, SEARCH_HINT) : null,
    );
  }

  /** Shows a note below the list. @param {HTMLElement | null} note */
  note(note) {
    if (Boolean(note) === Boolean(this.extraNote)) return;
    this.extraNote = note;
    this.showNotes(this.ranking.size);
  }

  /** Rows stay where they are while somebody points at the list or its bar, or has the focus in it. */
  hold() {
    this.inside = this.element.matches(":hover") || this.grid.contains(document.activeElement);
    if (!this.inside) this.settle(false);
  }

  wantSparks() {
    this.sparks.want(this.list.visible().map(({ uid }) => uid));
  }

  /** @param {import("../../lib/sse.js").Result[]} results */
  take(results) {
    for (const result of results) {
      if (this.ranking.isNews(result)) this.reloadSoon();
      if (!this.ranking.take(result)) continue;
      this.sparks.take(result);
      this.changed.add(result.uid);
    }
    if (this.painting || !this.changed.size) return;
    this.painting = true;
    requestAnimationFrame(() => {
      this.painting = false;
      this.list.refresh(({ uid }) => this.changed.has(uid));
      this.changed.clear();
    });
  }

  typed() {
    clearTimeout(this.typing);
    this.typing = window.setTimeout(() => setQuery({ q: this.search.value.trim() }), TYPING_MS);
  }

  /** @param {KeyboardEvent} event */
  searchKey(event) {
    if (event.key === "Escape") {
      if (this.search.value) setQuery({ q: null });
      this.search.value = "";
      this.search.blur();
      event.preventDefault();
    } else if (event.key === "Enter" || event.key === "ArrowDown") {
      event.preventDefault();
      this.focusRow(0);
    }
  }

  escape() {
    if (this.chosen.clear()) return;
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    setQuery({ from: null, to: null });
  }

  activeRow() {
    return this.list.items[this.list.active] ?? null;
  }

  /** @param {number} index */
  focusRow(index) {
    const bar = /** @type {HTMLElement} */ (this.element.querySelector(".list-bar"));
    const covered = bar.offsetHeight + /** @type {HTMLElement} */ (this.grid.firstElementChild).offsetHeight;
    this.list.focus(index, covered);
    if (this.params.has("preview")) this.preview.update(this.activeRow(), this.params);
  }

  /** @param {number} by */
  move(by) {
    if (this.params.get("group")) return this.groups.move(by);
    const started = this.grid.contains(document.activeElement);
    this.focusRow(started ? this.list.active + by : this.list.active);
  }

  /** @param {KeyboardEvent} event */
  openActive(event) {
    if (!(event.target instanceof Element) || event.target.closest("a, button, summary")) return false;
    const row = this.activeRow();
    if (!row || !this.grid.contains(document.activeElement)) return false;
    go(link(`m/${row.uid}`));
  }

  togglePreview() {
    setQuery({ preview: this.params.has("preview") ? null : "1" });
  }

  /**
   * @param {HTMLElement} element
   * @param {MouseEvent} event
   */
  clicked(element, event) {
    const place = this.list.rows.find((row) => row.element === element);
    if (!place) return;
    this.list.active = place.index;
    if (event.target instanceof Element && event.target.closest("a")) return;
    if (event.ctrlKey || event.metaKey) return this.chosen.toggle(this.activeRow());
    if (this.params.has("preview")) this.focusRow(place.index);
    else go(link(`m/${this.list.items[place.index].uid}`));
  }
}

/**
 * @param {string} label
 * @param {Record<string, string>} options
 * @param {(value: string) => void} choose
 */
function select(label, options, choose) {
  return /** @type {HTMLSelectElement} */ (
    h("select", { "aria-label": label, onchange: (/** @type {Event} */ event) => choose(/** @type {HTMLSelectElement} */ (event.target).value) }, Object.entries(options).map(([value, title]) => h("option", { value }, title)))
  );
}
