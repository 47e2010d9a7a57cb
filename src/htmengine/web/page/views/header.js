/** The line above every page: where one is, whether the engine is well, how times are shown. */
import { get } from "../lib/api.js";
import { time, zoneName } from "../lib/format.js";
import { h, replace, setText } from "../lib/h.js";
import { link } from "../lib/router.js";
import { session } from "../lib/session.js";
import { nextChoice, settings } from "../lib/settings.js";
import { THEMES, openHelp } from "./help.js";

const POLL_MS = 10_000;
const PAGES = /** @type {const} */ ([
  ["overview", "", "Overview"],
  ["incidents", "incidents", "Incidents"],
  ["health", "health", "Health"],
  ["setup", "setup/connect", "Setup"],
]);
/** Of a record there is nothing to watch and nothing to set up. */
const LIVE = ["health", "setup"];

/** @param {HTMLElement} element */
export function showHeader(element) {
  const counts = Object.fromEntries(PAGES.map(([name]) => [name, h("span.count")]));
  const links = PAGES.map(([name, place, title]) => h("a", { href: link(place), dataset: { page: name } }, title, counts[name]));
  const shown = h("span.record-name", { title: "What is shown: a record, to which nothing is added" });
  const zone = h("button.quiet", { type: "button", title: "Local time or UTC (u)", onclick: () => nextChoice("zone") });
  const theme = h("button.quiet", { type: "button", title: "As the system, light or dark (d)", onclick: () => nextChoice("theme") });
  replace(
    element,
    h("a.brand", { href: link(""), "aria-label": "htmengine, overview" }, "htmengine"),
    h("nav", { "aria-label": "Pages" }, links),
    shown,
    h("div.tools", null, zone, theme, h("button.quiet", { type: "button", title: "Keys (?)", "aria-label": "Keys", onclick: openHelp }, "?")),
  );
  settings.follow((chosen) => {
    setText(zone, zoneName());
    setText(theme, THEMES[chosen.theme]);
  });
  session.follow(({ page, overview, record }) => {
    for (const anchor of links) anchor.hidden = record !== null && LIVE.includes(anchor.dataset.page ?? "");
    setText(shown, record ?? "");
    const current = page === "metric" ? "overview" : page === "incident" ? "incidents" : page;
    for (const anchor of links) {
      if (anchor.dataset.page === current) anchor.setAttribute("aria-current", "page");
      else anchor.removeAttribute("aria-current");
    }
    setText(counts.incidents, overview?.incidents_open ? String(overview.incidents_open) : "");
    counts.incidents.setAttribute("aria-label", overview?.incidents_open ? `${overview.incidents_open} open` : "");
    setText(counts.health, overview?.engine === "trouble" ? "!" : "");
  });
  showNotices();
  keepOverviewFresh();
}

/** The engine's own trouble stands above everything: a page must not look calm while the watcher is blind. */
function showNotices() {
  const element = /** @type {HTMLElement} */ (document.getElementById("notices"));
  let shown = "";
  session.follow(({ overview, lostAt, page }) => {
    const notices = page === "login" ? [] : (overview?.troubles ?? []).map((trouble) => ({ code: trouble.code, text: trouble.text, next: trouble.do }));
    if (lostAt !== null && page !== "login") {
      notices.unshift({ code: "lost", text: `The connection to the engine is lost. What you see is from ${time(lostAt)}.`, next: "Trying again; is `htmengine up` running?" });
    }
    const text = JSON.stringify(notices);
    if (text === shown) return;
    shown = text;
    replace(
      element,
      notices.map((notice) =>
        h("div.notice", { dataset: { code: notice.code } }, h("strong", null, notice.text), notice.next ? h("span", null, ` ${notice.next}`) : null),
      ),
    );
  });
}

function keepOverviewFresh() {
  const icon = /** @type {HTMLLinkElement} */ (document.querySelector("link[rel=icon]"));
  const plain = icon.href;
  icon.href = plain; // absolute: a relative one would lead elsewhere as soon as the address changes
  session.follow(({ overview, lostAt }) => {
    const open = overview?.incidents_open ?? 0;
    const wanted = lostAt !== null || overview?.engine === "trouble" ? alertIcon("!") : open ? alertIcon(open > 9 ? "9+" : String(open)) : plain;
    if (icon.href !== wanted) icon.href = wanted;
  });
  refreshOverview();
  setInterval(() => {
    if (!document.hidden) refreshOverview();
  }, POLL_MS);
}

export async function refreshOverview() {
  if (session.get().page === "login") return;
  try {
    session.set({ overview: await get("/overview"), lostAt: null });
  } catch (problem) {
    const { lostAt } = session.get();
    if (/** @type {any} */ (problem).status === 0 && lostAt === null) session.set({ lostAt: Date.now() / 1000 });
  }
}

/** @param {string} text */
function alertIcon(text) {
  const picture = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#b3401b"/><text x="16" y="23" text-anchor="middle" font-family="sans-serif" font-size="20" font-weight="700" fill="#fff">${text}</text></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(picture)}`;
}
