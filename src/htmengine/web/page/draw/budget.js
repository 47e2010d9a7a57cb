/** How many incidents a week a rule tells of, by its least score: a falling curve, and the score that is chosen on it. */
import { valueAxis } from "./axes.js";
import { colour, whenColoursChange } from "./colours.js";

const HEIGHT = 170;

export class BudgetChart {
  /** @param {(score: number) => void} choose called with the score that was pressed on */
  constructor(choose) {
    this.element = document.createElement("div");
    this.element.className = "budget-chart";
    this.score = 0.5;
    this.chart = new uPlot(
      {
        width: 300,
        height: HEIGHT,
        legend: { show: false },
        padding: [8, 12, 0, 0],
        cursor: { y: false, drag: { x: false, y: false, setScale: false } },
        scales: { x: { time: false, range: [0.5, 1] }, y: { range: (/** @type {any} */ _chart, /** @type {number} */ _low, /** @type {number} */ high) => [0, Math.max(high * 1.1, 1)] } },
        axes: [{ ...valueAxis(30), space: 50 }, valueAxis(40)],
        series: [{}, { stroke: () => colour("value"), width: 1.5, fill: () => colour("band"), paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } }],
        hooks: {
          draw: [(/** @type {any} */ chart) => this.mark(chart)],
          ready: [(/** @type {any} */ chart) => chart.over.addEventListener("click", () => {
            const at = chart.cursor.left;
            if (at >= 0) choose(Math.round(chart.posToVal(at, "x") * 100) / 100);
          })],
        },
      },
      [[], []],
      this.element,
    );
    this.observer = new ResizeObserver(() => this.element.clientWidth && this.chart.setSize({ width: this.element.clientWidth, height: HEIGHT }));
    this.observer.observe(this.element);
    this.end = whenColoursChange(() => this.chart.redraw(false));
  }

  /**
   * @param {{min_score: number, per_week: number}[]} points
   * @param {number} score
   */
  show(points, score) {
    this.score = score;
    this.chart.setData([points.map(({ min_score: at }) => at), points.map(({ per_week: many }) => many)]);
  }

  /** @param {any} chart */
  mark(chart) {
    const { ctx, bbox } = chart;
    const x = Math.round(chart.valToPos(this.score, "x", true));
    ctx.save();
    ctx.strokeStyle = colour("score-3");
    ctx.lineWidth = 2 * devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.restore();
  }

  close() {
    this.end();
    this.observer.disconnect();
    this.chart.destroy();
  }
}
