/** Starts the page: header, keys, addresses. */
import { get, whenUnauthorized } from "./lib/api.js";
import { addKeys } from "./lib/keys.js";
import { go, link, path, start } from "./lib/router.js";
import { nextChoice } from "./lib/settings.js";
import { session } from "./lib/session.js";
import { closeHelp, openHelp } from "./views/help.js";
import { showHeader } from "./views/header.js";
import { health } from "./views/health.js";
import { incident } from "./views/incident.js";
import { incidents } from "./views/incidents.js";
import { login } from "./views/login.js";
import { metric, metricByName } from "./views/metric.js";
import { missing } from "./views/missing.js";
import { overview } from "./views/overview.js";
import { setup } from "./views/setup.js";

const main = /** @type {HTMLElement} */ (document.getElementById("main"));

/** @type {import("./lib/router.js").Route[]} */
const ROUTES = [
  { pattern: /^$/, name: "overview", open: overview },
  { pattern: /^m\/([^/]+)$/, name: "metric", open: metric },
  { pattern: /^m$/, name: "metric", open: metricByName },
  { pattern: /^incidents$/, name: "incidents", open: incidents },
  { pattern: /^i\/([^/]+)$/, name: "incident", open: incident },
  { pattern: /^health$/, name: "health", open: health },
  { pattern: /^setup(?:\/([a-z]+))?$/, name: "setup", open: setup },
  { pattern: /^login$/, name: "login", open: login },
  { pattern: /^/, name: "missing", open: missing },
];

addKeys([
  { keys: "g o", says: "overview", run: () => go(link("")) },
  { keys: "g i", says: "incidents", run: () => go(link("incidents")) },
  { keys: "d", says: "theme: as the system, light, dark", run: () => nextChoice("theme") },
  { keys: "u", says: "times: local or UTC", run: () => nextChoice("zone") },
  { keys: "?", says: "this list", run: openHelp },
]);
const dropLiveKeys = addKeys([
  { keys: "g h", says: "health", run: () => go(link("health")) },
  { keys: "g s", says: "setup", run: () => go(link("setup/connect")) },
]);

whenUnauthorized(() => {
  if (path() !== "login") go(link("login", { to: location.pathname + location.search }), true);
});

showHeader(/** @type {HTMLElement} */ (document.getElementById("top")));

/** Pages ask for what they show themselves; who we are is asked beside them. */
get("/session").then(
  (answer) => {
    session.set({ ...answer, known: true });
    if (answer.record) dropLiveKeys();
  },
  () => {},
);

start(ROUTES, (route, view) => {
  closeHelp();
  document.body.dataset.page = route.name;
  session.set({ page: route.name });
  main.replaceChildren(view.element);
  scrollTo(0, 0);
});
