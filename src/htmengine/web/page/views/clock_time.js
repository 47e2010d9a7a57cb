import { clock, iso, moment } from "../lib/format.js";
import { h } from "../lib/h.js";

/** Returns a time as people read it, all of it in the tooltip. @param {number} at */
export const clockTime = (at) => h("time", { datetime: iso(at), title: moment(at) }, clock(at));
