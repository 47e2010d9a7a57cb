/** What all pages know: who we are to the server, how the engine is, whether the stream is live. */
import { createStore } from "./store.js";

/**
 * @typedef {object} State
 * @property {boolean} known whether the server told its version
 * @property {string} page
 * @property {string} version
 * @property {boolean} token_needed
 * @property {string[]} scopes
 * @property {string | null} public_url
 * @property {number | null} graphite_port
 * @property {number} http_port
 * @property {string} hostname
 * @property {string | null} grafana_url where a metric stands in Grafana, with places to fill in
 * @property {string | null} record what is shown, if it is no running engine but a record that nothing is added to
 * @property {import("../shapes").Overview | null} overview
 * @property {number | null} lostAt when the live stream broke off, if it has
 */

export const session = createStore(
  /** @type {State} */ ({
    known: false,
    page: "",
    version: "",
    token_needed: false,
    scopes: [],
    public_url: null,
    graphite_port: 2003,
    http_port: 2080,
    hostname: location.hostname,
    grafana_url: null,
    record: null,
    overview: null,
    lostAt: null,
  }),
);

/** Whether we may do what a scope allows. @param {string} scope */
export function may(scope) {
  const { token_needed, scopes } = session.get();
  return !token_needed || scopes.includes(scope) || scopes.includes("admin");
}
