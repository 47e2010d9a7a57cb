/** Starts the page that `htmengine detect --plot` writes: one file with its data in it, and no server behind it. */
import { h, replace } from "./lib/h.js";
import { settings } from "./lib/settings.js";
import { detectionView } from "./views/detection.js";

/** @type {import("./shapes").Detection} */
const told = JSON.parse(/** @type {HTMLElement} */ (document.getElementById("data")).textContent ?? "");
settings.set({ zone: "utc", theme: "system" }); // a file's times are shown as it has them
replace(
  /** @type {HTMLElement} */ (document.getElementById("main")),
  h("div.page.record", null, h("h1.metric-title", null, told.title), detectionView(told).element, h("p.hint", null, "Times are UTC.")),
);
