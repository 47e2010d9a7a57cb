/** The file of rules as text: whatever it may say can be written here, but for programs and files of the machine. */
import { etagOf, put } from "../../../lib/api.js";
import { h, replace } from "../../../lib/h.js";
import { problemNote } from "../../problem.js";

/**
 * @param {() => void} saved
 */
export function asText(saved) {
  const area = /** @type {HTMLTextAreaElement} */ (h("textarea.file-text", { id: "alerts-text", rows: "18", spellcheck: "false", autocomplete: "off" }));
  const said = h("div");
  const element = h("details.command", null, h("summary", null, "The file as text"), h("form", { onsubmit: save }, h("label", { for: "alerts-text" }, "alerts.toml"), area, h("div.actions", null, h("button.primary", { type: "submit" }, "Save the file")), said));
  let before = "";

  /** @param {Event} event */
  async function save(event) {
    event.preventDefault();
    try {
      await put("/rules", { text: area.value }, etagOf("/rules"));
      before = area.value;
      replace(said, h("p", { role: "status" }, "Saved. The engine takes it within seconds."));
      saved();
    } catch (problem) {
      const faults = /** @type {import("../../../lib/api.js").Problem} */ (problem).errors ?? [];
      replace(said, faults.length ? h("div", { role: "alert" }, faults.map(({ detail }) => problemNote(detail))) : problemNote(problem));
    }
  }

  return {
    element,
    /** Shows the file as it is, unless somebody is changing it here. @param {string} text */
    show(text) {
      if (area.value === before) area.value = text;
      before = text;
    },
  };
}
