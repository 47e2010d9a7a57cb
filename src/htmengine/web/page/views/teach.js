/** Tells a model what is normal: what it would have done first, then for good, and how to take it back. */
import { post, remove } from "../lib/api.js";
import { clock, count, plural, score } from "../lib/format.js";
import { h, replace } from "../lib/h.js";
import { newest } from "../lib/newest.js";
import { link } from "../lib/router.js";
import { settings } from "../lib/settings.js";
import { problemNote } from "./problem.js";

/**
 * @typedef {{uid: string, name: string, from: number, to: number}} Span
 * @typedef {import("../shapes").Label} Label
 * @typedef {import("../shapes").LabelPreview} LabelPreview
 */

/** What can be taught: a name, what it is for, and what is sent. */
const LESSONS = [
  { kind: "normal", how: "values", says: "Such values are normal", means: "whenever they come: the usual band takes them in" },
  { kind: "normal", how: "times", says: "Normal at this time", means: "in these hours of the week an alarm needs twice as much" },
  { kind: "normal", how: "forget", says: "Forget it", means: "the model goes on as if the span had been missing" },
  { kind: "anomaly", how: "forget", says: "It was an anomaly", means: "forgotten, so that the model does not get used to it" },
];
const MOST_SHOWN = 8;

/** What a label says to its model; nothing for one that changes no score. @param {Label} label */
export function lesson({ kind, how }) {
  return LESSONS.find((one) => one.kind === kind && one.how === how)?.says ?? how ?? "";
}

/** What a label has silenced. @param {Label} label */
export function silencedBy({ silenced, last_silenced: last }) {
  return silenced ? `silenced ${plural(silenced, "alarm")}, last ${clock(/** @type {number} */ (last))}` : "silenced nothing yet";
}

/** What a label does to its model, in short; nothing for one that changes no score. @param {Label} label */
export function effect(label) {
  return label.how ? `${lesson(label)}: ${silencedBy(label)}${label.expires ? `, until ${clock(label.expires)}` : ""}` : "";
}

/**
 * Returns the button that takes a teaching back.
 * @param {Label} label
 * @param {() => void} done
 */
export function undoButton(label, done) {
  const button = h("button.quiet", { type: "button", title: "From the next sample on the model scores as if it had never been taught this", onclick: undo }, "Take back");
  async function undo() {
    button.setAttribute("disabled", "");
    try {
      await remove(`/labels/${label.id}`);
      done();
    } catch (problem) {
      button.after(problemNote(problem));
      button.removeAttribute("disabled");
    }
  }
  return button;
}

/**
 * Returns a panel that teaches, closed at first.
 * @param {() => Span[]} spans what may be taught now, the likeliest first
 * @param {() => void} done called when something was taught
 */
export function teachPanel(spans, done) {
  /** @type {Span[]} */
  let offered = [];
  const begin = newest();
  const metric = h("select", { "aria-label": "Metric", onchange: () => offer() });
  const from = moment("From");
  const to = moment("To");
  const note = /** @type {HTMLInputElement} */ (h("input", { "aria-label": "Why", placeholder: "Why (optional)", maxlength: "2000" }));
  const found = h("div.found", { "aria-live": "polite" });
  const form = h(
    "form",
    { onsubmit: (/** @type {Event} */ event) => event.preventDefault(), onchange: () => replace(found) },
    metric,
    h("div.span", null, from, to),
    h("fieldset", null, h("legend", null, "How"), LESSONS.map((one, i) => h("label", null, h("input", { type: "radio", name: "lesson", value: String(i), checked: i === 0 }), h("span", null, one.says, h("span.hint", null, ` ${one.means}`))))),
    note,
    h("div.actions", null, h("button", { type: "button", onclick: preview }, "What would it do?")),
    found,
  );
  note.addEventListener("change", (event) => event.stopPropagation()); // what it would do does not depend on the reason
  const panel = h("details.teach", { ontoggle: opened }, h("summary", null, "Teach the model"), form);

  function opened() {
    if (!(/** @type {HTMLDetailsElement} */ (panel).open)) return;
    offered = spans();
    replace(metric, offered.map((one, i) => h("option", { value: String(i) }, one.name)));
    metric.hidden = offered.length < 2;
    offer();
  }

  function offer() {
    const one = offered[Number(/** @type {HTMLSelectElement} */ (metric).value)];
    if (!one) return;
    from.value = local(one.from);
    to.value = local(one.to);
    begin(); // a preview that is on its way is of another
    replace(found);
  }

  function wanted() {
    const { kind, how } = LESSONS[Number(new FormData(/** @type {HTMLFormElement} */ (form)).get("lesson"))];
    const { uid } = offered[Number(/** @type {HTMLSelectElement} */ (metric).value)];
    return { uid, from: seconds(from.value), to: seconds(to.value), kind, how, note: note.value };
  }

  async function preview() {
    if (!from.value || !to.value || !offered.length) return;
    const body = wanted();
    replace(found, h("p.hint", { role: "status" }, "The model takes its rows again …"));
    const isNewest = begin();
    try {
      const preview = await post("/labels/preview", body);
      if (isNewest()) show(body.uid, preview);
    } catch (problem) {
      if (!isNewest()) return;
      replace(found, problemNote(problem), h("div.actions", null, h("button", { type: "button", onclick: save }, "Teach it all the same")));
    }
  }

  /**
   * @param {string} uid
   * @param {LabelPreview} preview
   */
  function show(uid, preview) {
    const { would_silence: silenced, would_add: added, of_these_called_real: real } = preview;
    replace(
      found,
      h("p", null, preview.from ? [`Since ${clock(preview.from)} it would have silenced `, h("strong", null, plural(silenced.length, "alarm")), real ? h("strong.bad", null, `, ${real} of them called real`) : "", added.length ? `, and added ${plural(added.length, "alarm")}` : "", "."] : "No sample came behind the span yet."),
      alarms(uid, "Silenced", silenced),
      alarms(uid, "Added", added),
      preview.reaches_span ? null : h("p.hint", null, "Earlier rows were removed: what it would have done to them is not known."),
      h("p.hint", null, `${count(preview.rows_replayed)} rows were scored again in ${preview.seconds.toFixed(1)} s. It counts from the next sample on, until ${clock(preview.expires)}.`),
      h("div.actions", null, h("button.primary", { type: "button", onclick: save }, "Teach it")),
    );
  }

  async function save() {
    try {
      await post("/labels", wanted());
      replace(found, h("p", { role: "status" }, "Taught. It stands among the labels, and can be taken back there."));
      done();
    } catch (problem) {
      replace(found, problemNote(problem));
    }
  }

  return panel;
}

/**
 * @param {string} uid
 * @param {string} title
 * @param {import("../shapes").PreviewedAlarm[]} some
 */
function alarms(uid, title, some) {
  if (!some.length) return null;
  const more = some.length - MOST_SHOWN;
  return h(
    "ul.moved",
    { "aria-label": title },
    some.slice(-MOST_SHOWN).map((one) => h("li", null, h("a", { href: link(`m/${uid}`, { row: one.rowid, from: Math.round(one.time - 21_600), to: Math.round(one.time + 7200) }) }, `${title} ${clock(one.time)}`), h("span", null, one.real ? "called real" : score(one.log_score)))),
    more > 0 ? h("li.hint", null, `and ${plural(more, "alarm")} before`) : null,
  );
}

/** @param {string} title @returns {HTMLInputElement} */
function moment(title) {
  return /** @type {HTMLInputElement} */ (h("input", { type: "datetime-local", step: "1", "aria-label": title, required: true }));
}

/** The time as an input has it, in the zone in which times are shown. @param {number} at seconds since the epoch */
function local(at) {
  const offset = isUtc() ? 0 : new Date(at * 1000).getTimezoneOffset() * 60;
  return new Date((at - offset) * 1000).toISOString().slice(0, 19);
}

/** @param {string} text */
const seconds = (text) => Math.round(new Date(isUtc() ? `${text}Z` : text).getTime() / 1000);

const isUtc = () => settings.get().zone === "utc";
