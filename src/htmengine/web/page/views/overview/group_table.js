/** The fleet in groups: by the segments of the names, or by a tag; a group opens into its parts. */
import { get } from "../../lib/api.js";
import { count, score } from "../../lib/format.js";
import { h, replace } from "../../lib/h.js";
import { link, setQuery } from "../../lib/router.js";
import { scoreStep } from "../../draw/colours.js";

/** @typedef {import("../../shapes").Group} Group */

export class GroupTable {
  constructor() {
    this.body = h("tbody");
    this.element = h(
      "table.groups",
      { role: "treegrid", hidden: true, "aria-label": "Groups of metrics" },
      h("thead", null, h("tr", null, h("th", { scope: "col" }, "Group"), h("th.number", { scope: "col" }, "Metrics"), h("th", { scope: "col" }, "Unusual"), h("th", { scope: "col" }, "Worst score"))),
      this.body,
    );
    /** @type {string[]} */
    this.tags = [];
  }

  /**
   * @param {HTMLSelectElement} choice
   * @param {string} chosen
   */
  offerTags(choice, chosen) {
    const tags = chosen.startsWith("tag:") ? [...new Set([...this.tags, chosen.slice(4)])] : this.tags;
    replace(
      choice,
      h("option", { value: "" }, "no groups"),
      h("option", { value: "prefix" }, "by prefix"),
      tags.map((tag) => h("option", { value: `tag:${tag}` }, `by ${tag}`)),
    );
    choice.value = chosen;
    this.choice = choice;
    if (!this.asked) {
      this.asked = true;
      get("/metrics/tree", { prefix: "" }).then(
        (answer) => {
          this.tags = answer.tags ?? [];
          if (this.choice) this.offerTags(this.choice, this.choice.value);
        },
        () => {},
      );
    }
  }

  /**
   * @param {URLSearchParams} params
   * @param {string | null} q
   * @param {AbortSignal} signal
   */
  async load(params, q, signal) {
    const group = params.get("group") ?? "prefix";
    const tag = group.startsWith("tag:") ? group.slice(4) : null;
    const open = new Set((params.get("open") ?? "").split(",").filter(Boolean));
    const ask = async (/** @type {string} */ prefix) => /** @type {Group[]} */ ((await get("/metrics/tree", tag ? { tag, q } : { prefix, q }, signal)).items);
    const rows = async (/** @type {string} */ prefix, /** @type {number} */ level) => {
      /** @type {HTMLElement[]} */
      const found = [];
      for (const item of await ask(prefix)) {
        found.push(this.row(item, level, open, tag));
        if (!tag && open.has(item.prefix)) found.push(...(await rows(item.prefix, level + 1)));
      }
      return found;
    };
    replace(this.body, await rows("", 1));
    const first = this.body.querySelector("tr");
    if (first) first.tabIndex = 0;
  }

  /**
   * @param {Group} group
   * @param {number} level
   * @param {Set<string>} open
   * @param {string | null} tag
   */
  row(group, level, open, tag) {
    const isOpen = open.has(group.prefix);
    const leaf = group.uid !== null;
    const toggle = () => {
      if (isOpen) open.delete(group.prefix);
      else open.add(group.prefix);
      setQuery({ open: [...open].join(",") });
    };
    const all = tag ? `tag:${tag}=${group.label}` : `${group.prefix}*`;
    const name = leaf
      ? h("a", { href: link(`m/${group.uid}`) }, group.label)
      : tag
        ? h("a", { href: link("", { q: all }) }, group.label)
        : h("button.quiet", { type: "button", "aria-expanded": String(isOpen), onclick: toggle }, h("span.twist", { "aria-hidden": true }, isOpen ? "▾" : "▸"), group.label);
    const share = group.count ? group.unusual / group.count : 0;
    const step = scoreStep(group.worst ?? 0);
    const element = h(
      `tr.level-${Math.min(level, 6)}`,
      { role: "row", "aria-level": level, "aria-expanded": leaf || tag ? null : String(isOpen), tabindex: "-1" },
      h("td", { role: "gridcell" }, name, leaf || tag ? null : h("a.group-list", { href: link("", { q: all }) }, "list")),
      h("td.number", { role: "gridcell" }, leaf ? "" : count(group.count)),
      h("td", { role: "gridcell" }, group.unusual ? h("span.share", null, meter(share, Math.max(step, 2)), `${count(group.unusual)}${leaf ? "" : ` of ${count(group.count)}`}`) : ""),
      h("td", { role: "gridcell" }, group.worst === null ? "" : h("span.share", null, meter(group.worst, step), score(group.worst))),
    );
    element.addEventListener("keydown", (event) => {
      if (event.target !== element) return;
      if ((event.key === "ArrowRight" && !isOpen) || (event.key === "ArrowLeft" && isOpen) || (event.key === "Enter" && !leaf && !tag)) {
        event.preventDefault();
        event.stopPropagation();
        toggle();
      } else if (event.key === "Enter") /** @type {HTMLElement} */ (element.querySelector("a")).click();
    });
    return element;
  }

  /** @param {number} by */
  move(by) {
    const rows = [...this.body.querySelectorAll("tr")];
    const now = rows.findIndex((row) => row.contains(document.activeElement));
    rows[now < 0 ? 0 : Math.max(0, Math.min(rows.length - 1, now + by))]?.focus();
  }
}

/**
 * @param {number} share
 * @param {number} step
 */
function meter(share, step) {
  const fill = h("span.fill");
  fill.style.width = `${Math.round(100 * share)}%`;
  return h(`span.meter.step-${step}`, { "aria-hidden": true }, fill);
}
