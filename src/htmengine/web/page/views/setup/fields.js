/** Fields of a form, with what is wrong shown at the field. */
import { h, replace } from "../../lib/h.js";

/** @typedef {{detail: string, pointer: string}} Fault */

/**
 * Returns what makes the fields of a form, and shows faults at them.
 * @param {string} form how the ids of its fields begin
 * @param {() => void} changed called with each change
 */
export function fieldsOf(form, changed) {
  /** @type {Map<string, {said: HTMLElement, control: HTMLElement}>} by the pointer within what is edited */
  const places = new Map();

  return {
    /**
     * @param {string} pointer
     * @param {string} title
     * @param {HTMLElement} control
     * @param {string} [hint]
     */
    field(pointer, title, control, hint = "") {
      const id = `${form}-${pointer.replaceAll("/", "-")}`;
      control.id = id;
      const said = h("p.field-fault", { id: `${id}-fault` });
      const element = h("div.field", null, h("label", { for: id }, title), control, hint ? h("p.hint", { id: `${id}-hint` }, hint) : null, said);
      control.setAttribute("aria-describedby", `${hint ? `${id}-hint ` : ""}${id}-fault`);
      places.set(pointer, { said, control });
      return element;
    },
    /**
     * @param {string} pointer
     * @param {string} title
     * @param {string[]} choices
     * @param {string[]} chosen
     * @param {string} none what holds where nothing is chosen
     * @param {(choice: string) => string} [words]
     */
    choices(pointer, title, choices, chosen, none, words = (choice) => choice) {
      const said = h("p.field-fault");
      // Those that are chosen come first: their order is as they are written.
      const boxes = [...new Set([...chosen, ...choices])].map((value) => ({ value, box: /** @type {HTMLInputElement} */ (h("input", { type: "checkbox", checked: chosen.includes(value), onchange: changed })) }));
      const element = h("fieldset.field", null, h("legend", null, title), h("div.boxes", null, boxes.map(({ value, box }) => h("label", null, box, ` ${words(value)}`))), h("p.hint", null, none), said);
      places.set(pointer, { said, control: element });
      return { element, value: () => boxes.filter(({ box }) => box.checked).map(({ value }) => value) };
    },
    text: (/** @type {string | null | undefined} */ value, /** @type {string} */ placeholder) => /** @type {HTMLInputElement} */ (h("input", { value: value ?? "", placeholder, spellcheck: "false", autocomplete: "off", oninput: changed })),
    lines: (/** @type {string[] | undefined} */ values, /** @type {string} */ placeholder) => /** @type {HTMLTextAreaElement} */ (h("textarea", { rows: "2", value: (values ?? []).join("\n"), placeholder, spellcheck: "false", oninput: changed })),
    number: (/** @type {number | null | undefined} */ value, /** @type {object} */ more) => /** @type {HTMLInputElement} */ (h("input", { type: "number", value: value ?? "", min: "0", step: "any", oninput: changed, ...more })),
    select: (/** @type {string | null | undefined} */ value, /** @type {[string, string][]} */ options) => /** @type {HTMLSelectElement} */ (h("select", { onchange: changed }, options.map(([one, words]) => h("option", { value: one, selected: one === (value ?? "") }, words)))),
    /**
     * Shows what is wrong, each at its field; returns what belongs to none.
     * @param {Fault[]} faults with pointers within what is edited
     */
    show(faults) {
      for (const { said, control } of places.values()) {
        replace(said);
        control.removeAttribute("aria-invalid");
      }
      /** @type {Fault[]} */
      const rest = [];
      for (const fault of faults) {
        const place = places.get(fault.pointer) ?? places.get(fault.pointer.split("/")[0]);
        if (!place) {
          rest.push(fault);
          continue;
        }
        replace(place.said, fault.detail);
        place.control.setAttribute("aria-invalid", "true");
      }
      return rest;
    },
  };
}

/**
 * Returns the faults of a problem that are below a pointer, with their pointers from there on, and the others.
 * @param {unknown} problem
 * @param {string} start
 */
export function faultsBelow(problem, start) {
  const errors = /** @type {import("../../lib/api.js").Problem} */ (problem)?.errors ?? [];
  const isOwn = (/** @type {Fault} */ { pointer }) => pointer === start || pointer.startsWith(`${start}/`);
  return {
    own: errors.filter(isOwn).map(({ pointer, detail }) => ({ pointer: pointer.slice(start.length + 1), detail })),
    others: errors.filter((fault) => !isOwn(fault)),
  };
}

/** Returns the lines of an area that say something. @param {HTMLTextAreaElement} area */
export const linesIn = (area) => area.value.split("\n").map((line) => line.trim()).filter(Boolean);
/** Returns the number of an input; null for none. @param {HTMLInputElement} input */
export const numberIn = (input) => (input.value === "" ? null : Number(input.value));

/** Returns what has a value; null if nothing has. @param {Record<string, any>} values */
export function filled(values) {
  const kept = Object.entries(values).filter(([, value]) => value !== null && value !== "" && !(Array.isArray(value) && !value.length));
  return kept.length ? Object.fromEntries(kept) : null;
}
