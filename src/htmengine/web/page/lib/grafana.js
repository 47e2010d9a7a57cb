/** Where a metric stands in Grafana. */

/**
 * Fills in the address that the engine's configuration has.
 * @param {string} template
 * @param {string} metric
 * @param {{from: number, to: number}} span in seconds since 1970
 */
export function grafanaAddress(template, metric, { from, to }) {
  /** @type {Record<string, string>} */
  const values = { metric: encodeURIComponent(metric), from: String(Math.round(from * 1000)), to: String(Math.round(to * 1000)) };
  return template.replace(/\{(metric|from|to)\}/g, (_all, name) => values[name]);
}
