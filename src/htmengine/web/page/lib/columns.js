/** Series as columns of numbers: what charts draw. */

/**
 * @typedef {object} Series
 * @property {number[]} time seconds, ascending
 * @property {Record<string, (number | null)[]>} columns by name, as long as `time`; null where there is nothing
 *
 * Reads the binary form: columns one after the other, little-endian float64, NaN for what is missing.
 *
 * @param {ArrayBuffer} buffer
 * @param {string[]} names the first is "time"
 * @returns {Series}
 */
export function decodeColumns(buffer, names) {
  const rows = names.length ? buffer.byteLength / 8 / names.length : 0;
  if (!Number.isInteger(rows)) throw new Error("The columns of the answer have no common length.");
  const view = new DataView(buffer);
  const column = (/** @type {number} */ i) =>
    Array.from({ length: rows }, (_, row) => {
      const value = view.getFloat64(8 * (i * rows + row), true);
      return Number.isNaN(value) ? null : value;
    });
  return { time: /** @type {number[]} */ (column(0)), columns: Object.fromEntries(names.slice(1).map((name, i) => [name, column(i + 1)])) };
}

/**
 * Returns the series with an empty row in each gap, so that no line is drawn across it.
 * @param {Series} series
 * @param {number} longest seconds between rows that are neighbours
 * @returns {Series}
 */
export function withGaps(series, longest) {
  const { time } = series;
  const before = time.flatMap((at, i) => (i && at - time[i - 1] > longest ? [i] : []));
  if (!before.length || !(longest > 0)) return series;
  /** @type {Series} */
  const broken = { time: [], columns: {} };
  const insert = (/** @type {any[]} */ column, /** @type {(i: number) => any} */ empty) => {
    const result = [];
    let from = 0;
    for (const at of before) {
      for (let i = from; i < at; i++) result.push(column[i]);
      result.push(empty(at));
      from = at;
    }
    for (let i = from; i < column.length; i++) result.push(column[i]);
    return result;
  };
  broken.time = insert(time, (i) => (time[i] + time[i - 1]) / 2);
  for (const [name, column] of Object.entries(series.columns)) broken.columns[name] = insert(column, () => null);
  return broken;
}

/**
 * Returns the usual distance of neighbours, in seconds; 0 for fewer than two rows.
 * @param {number[]} time
 */
export function usualStep(time) {
  const steps = time.slice(1).map((at, i) => at - time[i]).sort((a, b) => a - b);
  return steps.length ? steps[steps.length >> 1] : 0;
}
