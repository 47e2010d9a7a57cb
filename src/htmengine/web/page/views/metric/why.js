/** Why a row alarmed: in words, on a line of numbers, by channel; and what else moved at that time. */
import { get } from "../../lib/api.js";
import { clock, moment, rarity, score, span } from "../../lib/format.js";
import { h, replace } from "../../lib/h.js";
import { link } from "../../lib/router.js";
import { causeInShort, mark, sentence } from "../../lib/words.js";
import { scoreStep } from "../../draw/colours.js";
import { numberLine } from "../../draw/number_line.js";

const AROUND_S = 600;
const ALARM = 0.5;
const CHANNELS = ["sequence", "jump", "extreme", "deviation"];

/**
 * @param {HTMLElement} element
 * @param {string} uid
 * @param {import("../../shapes").Alarm | null} alarm
 */
export function showWhy(element, uid, alarm) {
  if (!alarm) {
    replace(element, h("h2", null, "Why"), h("p.hint", null, "This metric has not alarmed yet."));
    return;
  }
  const channels = h("div.channels");
  const around = h("div.around");
  const said = rarity(alarm.one_in);
  const calm = alarm.log_score < ALARM;
  const silenced = alarm.silenced_by ?? null;
  const before = alarm.alarms_before === 1 ? "once" : `${alarm.alarms_before} times`;
  replace(
    element,
    calm
      ? h("h2", null, `${clock(alarm.time)}, ${silenced ? "silenced" : "no alarm"}`)
      : h("h2", null, h("span.mark", { class: `step-${scoreStep(alarm.log_score)}`, "aria-hidden": true }, mark(alarm.direction).glyph), ` ${clock(alarm.time)}, ${causeInShort(alarm.cause)}`),
    h("p.why-score", { title: moment(alarm.time) }, `score ${score(alarm.log_score)}`, said ? `, ${said} of this metric's samples` : ""),
    silenced ? h("p.silenced", null, "It would have alarmed, but ", h("a", { href: link("setup/labels", { id: silenced }) }, silenced), " teaches the model that this is normal.") : null,
    h("p.why-sentence", null, sentence(alarm.sentence, alarm.name)),
    numberLine(alarm),
    channels,
    h("p.hint", null, alarm.alarms_before ? [`Alarmed ${before} before`, alarm.last_alarm ? [", last ", h("a", { href: link(`m/${uid}`, { from: Math.round(alarm.last_alarm - 3600), to: Math.round(alarm.last_alarm + 3600) }) }, clock(alarm.last_alarm))] : "", "."].flat() : calm ? "This metric had not alarmed before." : "The first alarm of this metric."),
    around,
  );
  showChannels(channels, uid, alarm);
  showAround(around, uid, alarm);
}

/**
 * @param {HTMLElement} element
 * @param {string} uid
 * @param {import("../../shapes").Alarm} alarm
 */
async function showChannels(element, uid, alarm) {
  let { channels } = alarm;
  if (!channels) {
    try {
      ({ channels } = await get(`/metrics/${uid}/explain/${alarm.rowid}`));
    } catch {
      return; // The row, or the model's past, is not kept any more.
    }
  }
  if (!channels) return;
  const known = channels;
  const names = [...CHANNELS.filter((name) => name in known), ...Object.keys(known).filter((name) => !CHANNELS.includes(name))];
  replace(
    element,
    names.map((name) => {
      const value = known[name] ?? 0;
      const fill = h("span.fill");
      fill.style.width = `${Math.round(100 * Math.min(1, value))}%`;
      return h("div.channel", { class: name === alarm.channel && alarm.log_score >= ALARM ? "deciding" : "" }, h("span", null, name), h(`span.meter.step-${scoreStep(value)}`, { "aria-hidden": true }, fill), h("span.number", null, score(known[name])));
    }),
  );
}

/**
 * @param {HTMLElement} element
 * @param {string} uid
 * @param {import("../../shapes").Alarm} alarm
 */
async function showAround(element, uid, alarm) {
  try {
    const { items } = await get("/anomalies", { from: alarm.time - AROUND_S, to: alarm.time + AROUND_S, rank: "window", limit: 12 });
    const others = /** @type {import("../../shapes").Ranked[]} */ (items).filter((one) => one.uid !== uid);
    if (!others.length) return;
    const lag = (/** @type {number | null} */ first) => (first === null ? "" : first - alarm.time < 60 - AROUND_S ? "earlier" : first === alarm.time ? "same time" : `${first < alarm.time ? "−" : "+"}${span(Math.abs(first - alarm.time))}`);
    replace(
      element,
      h("h3", null, "Moved within 10 min"),
      h("ul.moved", null, others.slice(0, 8).map((one) => h("li", null, h("a", { href: link(`m/${one.uid}`), title: one.name }, one.name), h("span.number", null, lag(one.first))))),
    );
  } catch {
    // The alarm is explained without its neighbours, too.
  }
}
