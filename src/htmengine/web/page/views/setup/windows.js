/** Windows of time: when alarms count, and when they do not; by cron, by a calendar, or once. */
import { post, url } from "../../lib/api.js";
import { h, replace } from "../../lib/h.js";
import { newest } from "../../lib/newest.js";
import { link } from "../../lib/router.js";
import { clockTime } from "../clock_time.js";
import { problemNote } from "../problem.js";
import { uses, when } from "./alerts/windows.js";
import { asCommand } from "./command.js";
import { fieldsOf, filled } from "./fields.js";
import { tableEditor } from "./table_editor.js";

/**
 * @typedef {import("../../shapes").AlertRules} AlertRules
 * @typedef {import("../../shapes").WrittenWindow} WrittenWindow
 */

const TYPING_MS = 300;
const KINDS = { cron: "again and again", from: "once", ical: "by a calendar" };

/** @param {URLSearchParams} query */
export function windowsPart(query) {
  /** @type {AlertRules | null} */
  let kept = null;
  const list = h("div");
  const command = asCommand();
  command.show("PUT", url("/rules"), ["-H 'Content-Type: application/json'", "-H 'If-Match: …'", `-d '{"windows": [{"name": "upgrades", "cron": "0 3 * * sun", "duration": "2h"}], "maintenance": ["upgrades"]}'`]);
  const editor = tableEditor({
    kind: "windows",
    key: "window",
    what: "window",
    tables: (/** @type {AlertRules} */ rules) => rules.written_windows,
    form: windowFields,
    loaded: showList,
  });

  /** @param {AlertRules} now */
  function showList(now) {
    kept = now;
    const { windows, maintenance, rules, path, fault, written_windows: written } = now;
    replace(
      list,
      path ? null : h("p", null, "This engine has no place for alerts.toml: start it with a data folder or a configuration directory."),
      fault ? problemNote(`The file cannot be used as it stands: ${fault}`) : null,
      written === null && !fault ? h("p", null, "The windows of this file are not written as tables of their own: change them in its text, under ", h("a", { href: link("setup/alerts") }, "Alert rules"), ".") : null,
      written?.length ? null : h("p", null, "There are none: rules hold at all times."),
      h(
        "ol.rule-list",
        null,
        (written ?? []).map((one) => {
          const found = windows.find(({ name }) => name === one.name);
          return h("li", { "aria-label": one.name }, h("div", null, h("strong", null, one.name), h("p", null, found ? [`${found.words}.`, ...[when(found.next)].flat()] : "It cannot be used."), uses(one.name, maintenance, rules ?? []).map((use) => h("p.hint", null, use))), h("div.actions", null, editor.buttons(one, () => ({ maintenance: maintenance.filter((name) => name !== one.name) }))));
        }),
      ),
      written === null || !path ? null : editor.add,
    );
  }

  /** @param {WrittenWindow | null} window */
  function windowFields(window) {
    let timer = 0;
    const begin = newest();
    const later = () => {
      clearTimeout(timer);
      timer = setTimeout(preview, TYPING_MS);
    };
    const { field, text, select, show } = fieldsOf("window", later);
    const name = text(window?.name, "upgrades");
    if (window) name.setAttribute("readonly", ""); // rules name it
    const kind = select(window?.from ? "from" : window?.ical ? "ical" : "cron", Object.entries(KINDS));
    const zone = text(window?.timezone, "UTC");
    zone.setAttribute("list", "window-zones");
    const zones = h("datalist", { id: "window-zones" }, Intl.supportedValuesOf("timeZone").map((one) => h("option", { value: one })));
    const given = { cron: text(window?.cron, "0 3 * * sun"), duration: text(window?.duration, "2h"), from: text(window?.from, "2030-12-24T18:00"), to: text(window?.to, "2030-12-27T06:00"), ical: text(window?.ical, "holidays.ics") };
    /** @type {Record<string, HTMLElement>} */
    const rows = {
      cron: h("div.field-row", null, field("cron", "Begins at", given.cron, "Cron: minute, hour, day, month, day of the week."), field("duration", "Goes on for", given.duration, "90s, 30min, 8h, 2d.")),
      from: h("div.field-row", null, field("from", "From", given.from), field("to", "To", given.to, "In the time zone below, or with an offset such as +01:00.")),
      ical: field("ical", "Calendar", given.ical, "A file *.ics beside alerts.toml, on the machine of the engine."),
    };
    const everywhere = /** @type {HTMLInputElement} */ (h("input", { type: "checkbox", checked: Boolean(window && kept?.maintenance.includes(window.name)) }));
    const next = h("div.next-times", { role: "status" });
    const shown = () => Object.entries(rows).forEach(([one, row]) => (row.hidden = one !== kind.value));
    kind.addEventListener("change", shown);
    shown();

    function value() {
      const own = kind.value === "cron" ? { cron: given.cron, duration: given.duration } : kind.value === "from" ? { from: given.from, to: given.to } : { ical: given.ical };
      const said = Object.fromEntries(Object.entries({ ...own, timezone: zone }).map(([key, input]) => [key, input.value.trim()]));
      return /** @type {WrittenWindow} */ ({ name: name.value.trim(), ...filled(said) });
    }

    async function preview() {
      const isNewest = begin();
      try {
        const found = /** @type {import("../../shapes").WindowPreview} */ (await post("/windows/preview", { ...value(), name: "window" }));
        if (!isNewest()) return;
        show([]);
        replace(next, h("p", null, `${found.words}.`), found.next.length ? h("ul", { "aria-label": "Next times" }, found.next.map(([from, to]) => h("li", null, clockTime(from), " to ", clockTime(to)))) : h("p.hint", null, "It does not come again soon."));
      } catch (problem) {
        if (!isNewest()) return;
        const errors = /** @type {import("../../lib/api.js").Problem} */ (problem).errors ?? [];
        const rest = show(errors.map(({ pointer, detail }) => ({ pointer: pointer.slice(1), detail })));
        replace(next, rest.length || !errors.length ? problemNote(rest[0]?.detail ?? problem) : null);
      }
    }

    if (window) preview();
    return {
      element: h("div.rule-fields", null, h("div.field-row", null, field("name", "Name", name), field("kind", "It comes", kind)), Object.values(rows), field("timezone", "Time zone", zone), zones, h("label", null, everywhere, " Maintenance: no rule tells of anything then"), next),
      first: window ? given.cron : name,
      value,
      show,
      more() {
        const own = value().name;
        const others = (kept?.maintenance ?? []).filter((one) => one !== own);
        return { maintenance: everywhere.checked ? [...others, own] : others };
      },
    };
  }

  editor.update(query);
  editor.load();
  return { element: h("div.alerts", null, editor.said, list, editor.place, command.element), update: editor.update };
}
