/** Choosing the least score of a rule by how often it would tell. */
import { plural } from "../../../lib/format.js";
import { h, setText } from "../../../lib/h.js";
import { BudgetChart } from "../../../draw/budget.js";

/**
 * @param {(score: number) => void} choose
 */
export function budgetCurve(choose) {
  const chart = new BudgetChart(pick);
  const slider = /** @type {HTMLInputElement} */ (h("input", { type: "range", id: "least-score", min: "0.5", max: "1", step: "0.01", value: "0.5", oninput: () => pick(Number(slider.value)) }));
  const said = h("output", { for: "least-score" });
  const element = h("figure.budget", { "aria-label": "Incidents a week by the least score" }, h("figcaption", null, "Incidents a week that this rule tells of, by its least score: press on the curve, or move the slider."), chart.element, h("div.inline-form", null, h("label", { for: "least-score" }, "Least score"), slider, said));
  /** @type {import("../../../shapes").BudgetCurve | null} */
  let curve = null;

  /** @param {number} score */
  function pick(score) {
    tell(score);
    choose(score);
  }

  /** @param {number} score */
  function tell(score) {
    if (!curve) return;
    slider.value = String(score);
    chart.show(curve.points, score);
    const at = [...curve.points].reverse().find(({ min_score: least }) => least <= score + 1e-9) ?? curve.points[0];
    setText(said, `from ${score.toFixed(2)} on ${at.per_week.toFixed(1)} a week, by the last ${plural(Math.round(curve.weeks), "week")}`);
  }

  return {
    element,
    /**
     * @param {import("../../../shapes").BudgetCurve} found
     * @param {number | null} own the score that the rule has
     */
    show(found, own) {
      curve = found;
      tell(own ?? found.min_score);
    },
    close: () => chart.close(),
  };
}
