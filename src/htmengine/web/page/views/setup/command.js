/** Every form is one call of the API: here it is as a command. */
import { h, setText } from "../../lib/h.js";

/** Returns the folded command and the function that shows another one. */
export function asCommand() {
  const code = h("code");
  const element = h("details.command", null, h("summary", null, "As a command"), h("pre", { tabindex: "0" }, code));
  return {
    element,
    /**
     * @param {string} method
     * @param {URL} address
     * @param {string[]} [options]
     */
    show(method, address, options = []) {
      setText(code, ["curl", method === "GET" ? "" : `-X ${method}`, ...options, quoted(address.href)].filter(Boolean).join(" "));
    },
  };
}

/** Returns a word of a shell. @param {string} word */
export function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
