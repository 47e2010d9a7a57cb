/** The open incidents, each with its first mover and how it spread. */
import { drawSpread } from "../../draw/spread.js";
import { ago, iso, plural } from "../../lib/format.js";
import { h } from "../../lib/h.js";
import { link } from "../../lib/router.js";
import { handlingInShort, mark, sentence } from "../../lib/words.js";

export const MOST_CARDS = 5;

/** @param {import("../../shapes").Incident} incident */
export function incidentCard(incident) {
  const others = incident.metric_count - 1;
  const mover = incident.metrics.find(({ uid }) => uid === incident.first_mover.uid) ?? incident.metrics[0];
  return h(
    "a.incident-card",
    { href: link(`i/${incident.id}`), dataset: { severity: incident.severity } },
    h(
      "span.card-head",
      null,
      h("span.mark", { "aria-hidden": true, dataset: { severity: incident.severity } }, mark(mover?.direction).glyph),
      h("strong.name", { title: incident.first_mover.name }, incident.first_mover.name),
      h("span.more", null, others > 0 ? `+${plural(others, "metric")}` : ""),
    ),
    h("span.sentence", null, sentence(incident.sentence, incident.first_mover.name)),
    drawSpread(incident),
    h(
      "span.card-foot",
      null,
      h("time", { datetime: iso(incident.opened) }, `began ${ago(incident.opened)}`),
      h("span", null, handlingInShort({ acknowledged_by: incident.ack?.by, snoozed_until: incident.snoozed_until })?.text ?? incident.severity),
    ),
  );
}
