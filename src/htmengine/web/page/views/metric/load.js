/** A metric's rows in a window, reduced on the server to what a screen can show. */
import { Problem, url } from "../../lib/api.js";
import { decodeColumns, usualStep, withGaps } from "../../lib/columns.js";

const COLUMNS = "value,log_score,low,high,forecast";
const GAP_STEPS = 3.5;

/**
 * @param {string} uid
 * @param {{from?: number, to?: number, points: number, series?: string, also?: string[], rescored?: boolean}} span without from and to: all there is
 * @param {AbortSignal} [signal]
 * @returns {Promise<import("../../lib/columns.js").Series>}
 */
export async function loadData(uid, { from, to, points, series = COLUMNS, also = [], rescored = false }, signal) {
  let response;
  try {
    response = await fetch(url(`/metrics/${uid}/data`, { from, to, points, series: [series, ...also].join(","), format: "bin", rescored: rescored ? "true" : null }), { signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, "The server does not answer");
  }
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new Problem(response.status, problem.title ?? response.statusText, problem.detail);
  }
  const names = (response.headers.get("X-Columns") ?? "").split(",").map((name) => name.trim()).filter(Boolean);
  const data = decodeColumns(await response.arrayBuffer(), names);
  return withGaps(data, GAP_STEPS * usualStep(data.time));
}
