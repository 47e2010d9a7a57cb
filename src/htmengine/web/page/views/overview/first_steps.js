/** The overview before there is anything to see: how to send data, and whether it arrives. */
import { get, post } from "../../lib/api.js";
import { ago, plural } from "../../lib/format.js";
import { h, replace, setText } from "../../lib/h.js";
import { link } from "../../lib/router.js";
import { session } from "../../lib/session.js";
import { problemNote } from "../problem.js";

const POLL_MS = 2_000;

/**
 * Shows how to send a first sample; returns the element and the function that ends its polling.
 */
export function noMetricYet() {
  const light = h("p.light", { role: "status" }, h("span.lamp"), h("span", null, "Waiting for the first sample."));
  const said = /** @type {HTMLElement} */ (light.lastElementChild);
  const byHand = h("code");
  const commands = [
    ["This machine's own load, every 10 s", h("code", null, "htmengine up --self")],
    ["One sample, by hand", byHand],
    ["A file's history", h("code", null, "htmengine replay history.csv --metric test.metric")],
  ];
  const end = session.follow(({ hostname, graphite_port: port }) => setText(byHand, `echo "test.metric 42 $(date +%s)" | nc -q 1 ${hostname} ${port}`));
  const element = h(
    "section.first-steps",
    null,
    h("h2", null, "No metric yet"),
    h("p", null, "Send samples in any of these ways; they appear here by themselves."),
    h("ol", null, commands.map(([what, command]) => h("li", null, h("span", null, what), h("pre", { tabindex: "0" }, command)))),
    light,
    h("p", null, h("a", { href: link("setup/connect") }, "Connect an agent: collectd, StatsD and others")),
  );
  const timer = setInterval(look, POLL_MS);
  async function look() {
    try {
      const { items } = await get("/doors");
      const refused = items.map((/** @type {import("../../shapes").Door} */ door) => door.last_refusal).find(Boolean);
      setText(said, refused ? `Waiting for the first sample. Last refused line${(refused.time ?? refused.last) ? `, ${ago(refused.time ?? refused.last)}` : ""}: “${refused.sample}”, ${refused.reason}.` : "Waiting for the first sample.");
    } catch {
      // The notice above says that the server is away.
    }
  }
  look();
  return {
    element,
    close() {
      clearInterval(timer);
      end();
    },
  };
}

/**
 * Metrics are stored, but none has a model.
 * @param {number} metrics
 */
export function noModelYet(metrics) {
  const said = h("p", { role: "status" });
  const button = h("button.primary", { type: "button", onclick: monitorAll }, `Watch all ${metrics}`);
  async function monitorAll() {
    try {
      const { monitored } = await post("/metrics/monitor", { pattern: "*" });
      replace(said, `${plural(monitored, "metric")} watched from now on.`);
      button.remove();
    } catch (problem) {
      replace(said, problemNote(problem));
    }
  }
  return h(
    "section.first-steps",
    null,
    h("h2", null, `${plural(metrics, "metric")} stored, none watched`),
    h("p", null, "Samples arrive and are kept, but no metric has a model yet, so nothing can be unusual."),
    h("p", null, button, " or ", h("a", { href: link("setup/monitor") }, "choose by rules")),
    said,
  );
}
