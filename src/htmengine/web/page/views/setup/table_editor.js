/** One of several tables of alerts.toml in a form: added, changed and removed, with what is wrong at its field. */
import { etagOf, get, put } from "../../lib/api.js";
import { h, replace } from "../../lib/h.js";
import { setQuery } from "../../lib/router.js";
import { problemNote } from "../problem.js";
import { faultsBelow } from "./fields.js";

/**
 * @typedef {import("../../shapes").AlertRules} AlertRules
 * @typedef {{name: string}} Named
 * @typedef {import("./fields.js").Fault} Fault
 */

export const NEW = "new";

/**
 * Returns what edits tables of one kind. The address names the one whose form is open.
 * @template {Named} Table
 * @param {object} options
 * @param {"targets" | "windows"} options.kind the field of the request
 * @param {string} options.key of the address
 * @param {string} options.what such as "target"
 * @param {(rules: AlertRules) => Table[] | null} options.tables
 * @param {(table: Table | null) => {element: HTMLElement, first: HTMLElement, value: () => Table, show: (faults: Fault[]) => Fault[], more?: () => object}} options.form
 *   its fields; `more` is sent, too
 * @param {(rules: AlertRules) => void} options.loaded
 */
export function tableEditor({ kind, key, what, tables, form, loaded }) {
  const said = h("div");
  const place = h("div");
  /** @type {AlertRules | null} */
  let kept = null;
  let open = "";
  let params = new URLSearchParams();

  /**
   * @param {object} changes
   * @param {string} done
   * @param {(problem: unknown) => boolean} shown tells whether what is wrong is shown already
   */
  async function save(changes, done, shown) {
    try {
      kept = await put("/rules", changes, etagOf("/rules"));
      replace(said, h("p", { role: "status" }, `${done} The engine goes by it within seconds.`));
      setQuery({ [key]: null });
      await load();
    } catch (problem) {
      if (shown(problem)) return;
      const { errors = [] } = /** @type {import("../../lib/api.js").Problem} */ (problem);
      replace(said, errors.length ? errors.map(({ detail }) => problemNote(detail)) : problemNote(problem));
    }
  }

  function showForm() {
    const name = params.get(key) ?? "";
    const all = kept && tables(kept);
    const own = all?.find((one) => one.name === name) ?? null;
    open = all && (own || name === NEW) ? name : "";
    if (!all || !open) return replace(place);
    const at = own ? all.indexOf(own) : all.length;
    const fields = form(own);
    const others = h("div");
    const title = own ? `Change ${own.name}` : `New ${what}`;
    const faults = (/** @type {unknown} */ problem) => {
      const { own: mine, others: foreign } = faultsBelow(problem, `/${kind}/${at}`);
      const rest = [...fields.show(mine), ...foreign];
      replace(others, rest.map(({ detail }) => problemNote(detail)));
      return mine.length + foreign.length > 0;
    };
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      const changed = all.map((one) => (one === own ? fields.value() : one));
      save({ [kind]: own ? changed : [...all, fields.value()], ...fields.more?.() }, "Saved.", faults);
    };
    replace(place, h("form.rule-form", { "aria-label": title, novalidate: true, onsubmit: submit }, h("h2", null, title), fields.element, others, h("div.actions", null, h("button.primary", { type: "submit" }, `Save the ${what}`), h("button", { type: "button", onclick: () => setQuery({ [key]: null }) }, "Cancel"))));
    fields.first.focus();
  }

  async function load() {
    try {
      kept = await get("/rules");
      loaded(/** @type {AlertRules} */ (kept));
      showForm();
    } catch (problem) {
      replace(said, problemNote(problem, load));
    }
  }

  return {
    said,
    place,
    load,
    add: h("button", { type: "button", onclick: () => setQuery({ [key]: NEW }, { push: true }) }, `Add a ${what}`),
    /** Returns the buttons that change and remove one. @param {Table} table @param {() => object} [more] what is sent, too, when it goes */
    buttons(table, more = () => ({})) {
      const rest = () => ((kept && tables(kept)) ?? []).filter(({ name }) => name !== table.name);
      return [
        h("button.quiet", { type: "button", "aria-label": `Change ${table.name}`, onclick: () => setQuery({ [key]: table.name }, { push: true }) }, "Change"),
        h("button.quiet", { type: "button", "aria-label": `Remove ${table.name}`, onclick: () => confirm(`Remove the ${what} “${table.name}”?`) && save({ [kind]: rest(), ...more() }, "Removed.", () => false) }, "Remove"),
      ];
    },
    /** @param {URLSearchParams} changed */
    update(changed) {
      params = changed;
      if ((params.get(key) ?? "") !== open) showForm();
    },
  };
}
