/** The form of a target: the settings of its kind. Secrets are named by where they are kept, and shown nowhere. */
import { h, replace } from "../../lib/h.js";
import { fieldsOf, filled, linesIn, numberIn } from "./fields.js";

/**
 * @typedef {import("../../shapes").WrittenTarget} WrittenTarget
 * @typedef {{key: string, title: string, is: "text" | "secret" | "lines" | "number" | "pairs" | string[], example?: string, hint?: string}} Setting
 */

const KEPT = "secrets/NAME, a file in that folder beside alerts.toml; or HTMENGINE_SECRET_…, an environment variable of the engine.";
/** @type {Setting[]} */
const LOGIN = [
  { key: "token", title: "Bearer token is kept in", is: "secret", hint: KEPT },
  { key: "user", title: "or user", is: "text" },
  { key: "password", title: "whose password is kept in", is: "secret" },
];
/** @type {Record<string, {title: string, settings: Setting[]}>} */
const KINDS = {
  webhook: {
    title: "Webhook",
    settings: [
      { key: "url", title: "Address", is: "text", example: "https://hooks.example.com/htmengine" },
      { key: "secret", title: "Signing secret is kept in", is: "secret", hint: `${KEPT} Without it nothing is signed.` },
      { key: "format", title: "Format", is: ["htmengine", "alertmanager"] },
      ...LOGIN,
    ],
  },
  slack: { title: "Slack", settings: [{ key: "url", title: "The address of the webhook is kept in", is: "secret", example: "secrets/slack", hint: KEPT }] },
  mail: {
    title: "Mail",
    settings: [
      { key: "host", title: "Mail server", is: "text", example: "smtp.example.com" },
      { key: "port", title: "Port", is: "number", hint: "That of the security where none is given." },
      { key: "security", title: "Security", is: ["starttls", "tls", "none"] },
      { key: "from", title: "From", is: "text", example: "htmengine@example.com" },
      { key: "to", title: "To", is: "lines", example: "ops@example.com", hint: "One a line." },
      { key: "user", title: "User", is: "text" },
      { key: "password", title: "Password is kept in", is: "secret", hint: KEPT },
    ],
  },
  pagerduty: {
    title: "PagerDuty",
    settings: [
      { key: "routing_key", title: "Integration key is kept in", is: "secret", example: "secrets/pagerduty", hint: KEPT },
      { key: "url", title: "Address", is: "text", example: "https://events.pagerduty.com/v2/enqueue", hint: "In Europe https://events.eu.pagerduty.com/v2/enqueue." },
    ],
  },
  alertmanager: {
    title: "Alertmanager",
    settings: [
      { key: "url", title: "Addresses", is: "lines", example: "http://alertmanager:9093", hint: "Each member of a cluster, one a line." },
      { key: "labels", title: "Labels of each alert", is: "pairs", example: "team=platform" },
      ...LOGIN,
    ],
  },
  apprise: { title: "Another service, by Apprise", settings: [{ key: "url", title: "The address is kept in", is: "secret", example: "secrets/ntfy", hint: KEPT }] },
  terminal: { title: "The engine’s terminal", settings: [] },
};
const VARIABLE = /^[A-Z][A-Z0-9_]*$/;

/**
 * @param {WrittenTarget | null} target null for a new one
 */
export function targetFields(target) {
  const before = target?.settings ?? {};
  const named = fieldsOf("target", () => {});
  const name = named.text(target?.name, "ops");
  if (target) name.setAttribute("readonly", ""); // rules and notices name it
  const kind = named.select(target?.kind ?? "webhook", Object.entries(KINDS).map(([id, { title }]) => [id, title]));
  if (target) kind.setAttribute("disabled", "");
  const rest = h("div.rule-fields");
  /** @type {ReturnType<typeof fieldsOf>} */
  let fields;
  /** @type {[Setting, HTMLElement][]} */
  let controls = [];

  function showSettings() {
    fields = fieldsOf("target", () => {});
    controls = KINDS[kind.value].settings.map((setting) => [setting, control(setting)]);
    replace(rest, controls.map(([{ key, title, hint }, one]) => fields.field(key, title, one, hint)));
  }

  /** @param {Setting} setting */
  function control({ key, is, example = "" }) {
    const value = before[key];
    if (Array.isArray(is)) return fields.select(value ?? is[0], is.map((one) => [one, one]));
    if (is === "number") return fields.number(value, { step: "1", min: "1" });
    if (is === "lines") return fields.lines(typeof value === "string" ? [value] : value, example);
    if (is === "pairs") return fields.lines(Object.entries(value ?? {}).map(([one, said]) => `${one}=${said}`), example);
    return fields.text(is === "secret" ? (before[`${key}_file`] ?? before[`${key}_env`]) : value, example || (is === "secret" ? "secrets/…" : ""));
  }

  /** What a setting says, under the names that it has in the file. @param {Setting} setting @param {any} input */
  function said({ key, is }, input) {
    const text = input.value.trim();
    if (Array.isArray(is)) return { [key]: text === is[0] && !(key in before) ? "" : text };
    if (is === "number") return { [key]: numberIn(input) };
    if (is === "lines") return { [key]: linesIn(input).length === 1 ? linesIn(input)[0] : linesIn(input) };
    if (is === "pairs") return { [key]: filled(Object.fromEntries(linesIn(input).map((line) => line.split(/=(.*)/s).slice(0, 2).map((part) => part.trim())))) };
    return is === "secret" ? { [VARIABLE.test(text) ? `${key}_env` : `${key}_file`]: text } : { [key]: text };
  }

  kind.addEventListener("change", showSettings);
  showSettings();
  return {
    element: h("div.rule-fields", null, h("div.field-row", null, named.field("name", "Name", name), named.field("kind", "Kind", kind)), rest),
    first: target ? /** @type {HTMLElement} */ (controls[0]?.[1] ?? name) : name,
    /** @returns {WrittenTarget} */
    value() {
      const known = controls.flatMap(([{ key }]) => [key, `${key}_file`, `${key}_env`]);
      const kept = Object.entries(before).filter(([key]) => !known.includes(key)); // such as certificates, which the form has not
      return { name: name.value.trim(), kind: kind.value, settings: { ...Object.fromEntries(kept), ...filled(Object.assign({}, ...controls.map(([setting, input]) => said(setting, input)))) } };
    },
    /** @param {import("./fields.js").Fault[]} faults */
    show(faults) {
      const of = (/** @type {string} */ pointer) => pointer.replace(/^settings\//, "");
      const plain = faults.map(({ pointer, detail }) => ({ pointer: of(pointer), detail }));
      const known = new Set(controls.map(([{ key }]) => key));
      const mended = plain.map(({ pointer, detail }) => ({ pointer: known.has(pointer) ? pointer : pointer.replace(/_(file|env)$/, ""), detail }));
      return fields.show(named.show(mended));
    },
  };
}

/** Whether a target of this kind has a form: one that runs a program has none. @param {string} kind */
export const hasForm = (kind) => kind in KINDS;
