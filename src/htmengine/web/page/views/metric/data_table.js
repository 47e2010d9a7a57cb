/** The rows of a chart as a table: at most so many that a person can read them. */
import { full, iso, moment, score, short } from "../../lib/format.js";
import { h } from "../../lib/h.js";

const MOST = 300;

/**
 * @param {import("../../lib/columns.js").Series} series
 * @param {import("../../shapes").Label[]} [labels] what people say of stretches of time
 */
export function dataTable(series, labels = []) {
  /** @param {number} at */
  const said = (at) => [...new Set(labels.filter(({ from, to }) => from <= at && at <= to).map(({ kind }) => kind))].join(", ");
  const { time, columns } = series;
  const step = Math.max(1, Math.ceil(time.length / MOST));
  const rows = time.flatMap((_at, i) => ((time.length - 1 - i) % step === 0 ? [i] : [])).reverse();
  return h(
    "div.table-scroll",
    { tabindex: "0", role: "region", "aria-label": "Rows of the chart" },
    h(
      "table.data",
      null,
      h("thead", null, h("tr", null, ["Time", "Value", "Usual from", "to", "Forecast", "Score", ...(labels.length ? ["Label"] : [])].map((title) => h("th", { scope: "col" }, title)))),
      h(
        "tbody",
        null,
        rows.map((i) =>
          h(
            "tr",
            { class: (columns.log_score?.[i] ?? 0) >= 0.5 ? "odd" : "" },
            h("td", null, h("time", { datetime: iso(Math.round(time[i])), title: iso(Math.round(time[i])) }, moment(time[i]))),
            h("td.number", { title: full(columns.value?.[i]) }, short(columns.value?.[i])),
            h("td.number", null, short(columns.low?.[i])),
            h("td.number", null, short(columns.high?.[i])),
            h("td.number", null, short(columns.forecast?.[i])),
            h("td.number", null, score(columns.log_score?.[i])),
            labels.length ? h("td", null, said(time[i])) : null,
          ),
        ),
      ),
    ),
    step > 1 ? h("p.hint", null, `Every ${step}th of ${time.length} rows.`) : null,
  );
}
