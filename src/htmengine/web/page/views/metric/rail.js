/** What else is known of a metric: incidents, model, rows, refused samples. */
import { get } from "../../lib/api.js";
import { clock, count, moment, plural, span } from "../../lib/format.js";
import { h, replace } from "../../lib/h.js";
import { link } from "../../lib/router.js";
import { session } from "../../lib/session.js";
import { toldInWords } from "../../lib/words.js";
import { ruleWay } from "../rule_way.js";
import { effect, undoButton } from "../teach.js";

const KINDS = { anomaly: "an anomaly", normal: "normal", ignore: "to be ignored" };

/**
 * What people say of the time that is shown.
 * @param {HTMLElement} element
 * @param {import("../../shapes").Label[]} labels
 * @param {(() => void) | null} changed called when one was taken back; null where we may not
 */
export function showLabels(element, labels, changed) {
  replace(
    element,
    labels.length ? h("h3", null, "Labels") : null,
    labels.length
      ? h("ul.labels", null, labels.map((one) => h("li", null, `${clock(one.from)} to ${clock(one.to)}: ${KINDS[one.kind]}`, one.match ? ` (${one.match})` : "", one.note ? h("p.hint", null, one.note) : null, h("p.hint", null, one.by ? `by ${one.by}` : "", one.incident ? [" of ", h("a", { href: link(`i/${one.incident}`) }, one.incident)] : null), one.how ? h("p.hint", null, effect(one), " ", h("a", { href: link("setup/labels", { id: one.id }) }, one.id), " ", changed ? undoButton(one, changed) : null) : null)))
      : null,
  );
}

/**
 * @param {HTMLElement} element
 * @param {import("../../shapes").MetricDetail} detail
 */
export function showRail(element, detail) {
  const incidents = h("section");
  const rules = h("section");
  const told = h("p.hint.told");
  const { model } = detail;
  /** @type {[string, string][]} */
  const facts = [["Rows", count(detail.rows)]];
  if (detail.first !== null) facts.push(["First", moment(detail.first)]);
  if (detail.last) facts.push(["Last", moment(detail.last.time)]);
  if (model) {
    if (model.parameter_set) facts.push(["Model", model.parameter_set]);
    facts.push(["Learned from", plural(model.samples, "sample")]);
    if (model.checkpoint_age_s !== null) facts.push(["Checkpoint", `${span(model.checkpoint_age_s)} old`]);
  }
  replace(
    element,
    incidents,
    rules,
    detail.refused.length
      ? h("section", null, h("h3", null, "Refused samples"), detail.refused.map((one) => h("div.refused", null, h("p", null, `${one.reason}: ${count(one.count)}`), h("pre", { tabindex: "0" }, one.sample), one.cure ? h("p.hint", null, one.cure) : null)))
      : null,
    h("section", null, h("h3", null, "Data"), h("dl.fact-list", null, facts.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))))),
  );
  if (!session.get().record) showRules(rules, detail.name);
  get("/incidents", { state: "all", uid: detail.uid, limit: 6 }).then(
    ({ items: mine }) => {
      if (!mine.length) return;
      replace(
        incidents,
        h("h3", null, "Incidents"),
        h("ul.moved", null, mine.map((/** @type {import("../../shapes").Incident} */ one) => h("li", null, h("a", { href: link(`i/${one.id}`) }, clock(one.opened)), h("span", null, one.state === "open" ? "open" : plural(one.metric_count, "metric"))))),
        told,
      );
      if (!session.get().record) showTold(told, mine[0].id);
    },
    () => {},
  );
}

/** Which rules decide about samples of a metric. @param {HTMLElement} element @param {string} name */
function showRules(element, name) {
  get("/monitor-rules/way", { name, stored: "true" }).then(
    (way) => replace(element, h("h3", null, h("a", { href: link("setup/monitor", { name }) }, "Rules that apply")), ruleWay(way)),
    () => {},
  );
}

/** Who was told of an incident, and why others were not. @param {HTMLElement} element @param {string} id */
function showTold(element, id) {
  get(`/incidents/${id}`).then(
    ({ opened, deliveries }) => replace(element, `Of that from ${clock(opened)} `, toldInWords(deliveries ?? []), ". ", h("a", { href: link("setup/alerts") }, "Alert rules")),
    () => {},
  );
}
