/** Setup: connecting senders, choosing what is watched, files, access. */
import { addKeys } from "../lib/keys.js";
import { h } from "../lib/h.js";
import { go, link } from "../lib/router.js";
import { may } from "../lib/session.js";
import { accessPart } from "./setup/access.js";
import { alertsPart } from "./setup/alerts.js";
import { backfillPart } from "./setup/backfill.js";
import { backtestPart } from "./setup/backtest.js";
import { connectPart } from "./setup/connect.js";
import { deliveriesPart } from "./setup/deliveries.js";
import { detectPart } from "./setup/detect.js";
import { labelsPart } from "./setup/labels.js";
import { monitorPart } from "./setup/monitor.js";
import { targetsPart } from "./setup/targets.js";
import { windowsPart } from "./setup/windows.js";
import { missing } from "./missing.js";

/** @typedef {{element: HTMLElement, update?: (query: URLSearchParams) => void, close?: () => void}} Part */

/** @type {{id: string, title: string, scope: string, open: (query: URLSearchParams) => Part}[]} */
const PARTS = [
  { id: "connect", title: "Connect", scope: "read", open: connectPart },
  { id: "monitor", title: "What is watched", scope: "read", open: monitorPart },
  { id: "backfill", title: "Load history", scope: "write", open: backfillPart },
  { id: "detect", title: "Score a file", scope: "read", open: detectPart },
  { id: "alerts", title: "Alert rules", scope: "admin", open: alertsPart },
  { id: "targets", title: "Targets", scope: "read", open: targetsPart },
  { id: "windows", title: "Windows of time", scope: "admin", open: windowsPart },
  { id: "deliveries", title: "Deliveries", scope: "read", open: deliveriesPart },
  { id: "labels", title: "What was taught", scope: "read", open: labelsPart },
  { id: "backtest", title: "Back-test", scope: "read", open: backtestPart },
  { id: "access", title: "Access", scope: "admin", open: accessPart },
];

/** @type {import("../lib/router.js").Open} */
export function setup(place) {
  if (!place.params[0]) {
    queueMicrotask(() => go(link("setup/connect"), true));
    return { element: h("div.page") };
  }
  const chosen = PARTS.find(({ id }) => id === place.params[0]);
  if (!chosen) return missing(place);
  document.title = `${chosen.title} · setup · htmengine`;
  const part = chosen.open(place.query);
  const by = (/** @type {number} */ step) => {
    const next = PARTS[PARTS.indexOf(chosen) + step];
    if (next) go(link(`setup/${next.id}`));
  };
  const end = addKeys([
    { keys: "j", says: "next part of the setup", run: () => by(1) },
    { keys: "k", says: "previous part of the setup", run: () => by(-1) },
  ]);
  return {
    element: h(
      "div.page.setup",
      null,
      h("nav.parts", { "aria-label": "Setup" }, PARTS.map(({ id, title }) => h("a", { href: link(`setup/${id}`), "aria-current": id === chosen.id ? "page" : null }, title))),
      h("div.part", null, h("h1", null, chosen.title), may(chosen.scope) ? null : h("p.hint", null, `This needs a token with the scope “${chosen.scope}”.`), part.element),
    ),
    update: (query) => part.update?.(query),
    close() {
      end();
      part.close?.();
    },
  };
}
