/** Numbers, spans and times as people read them. */
import { settings } from "./settings.js";

const NONE = "–";
const PREFIXES = /** @type {const} */ ([[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]]);

/**
 * Returns a number short enough for a cell: three digits or four, larger ones with a prefix.
 * @param {number | null | undefined} value
 */
export function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const size = Math.abs(value);
  for (const [unit, prefix] of PREFIXES) {
    if (size >= unit) return `${digits(value / (prefix === "k" ? 1e3 : unit))} ${prefix}`;
  }
  if (size !== 0 && size < 1e-3) return value.toExponential(1).replace("e-", "e−").replace(/^-/, "−");
  return digits(value);
}

/** @param {number} value */
function digits(value) {
  const size = Math.abs(value);
  const places = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  const text = value.toFixed(places);
  const bare = places ? text.replace(/\.?0+$/, "") : text;
  return (bare === "-0" ? "0" : bare).replace("-", "−");
}

/**
 * Returns all digits of a number.
 * @param {number | null | undefined} value
 */
export function full(value) {
  return value === null || value === undefined ? NONE : String(value).replace("-", "−");
}

/**
 * Returns a count with thin spaces: 4 812.
 * @param {number} value
 */
export function count(value) {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/**
 * @param {number} number
 * @param {string} one
 * @param {string} [many]
 */
export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/**
 * @param {[number, number] | null | undefined} range
 */
export function range(range) {
  return range ? `${short(range[0])} to ${short(range[1])}` : NONE;
}

/**
 * Returns a log score with two digits.
 * @param {number | null | undefined} score
 */
export function score(score) {
  return score === null || score === undefined || Number.isNaN(score) ? NONE : score.toFixed(2);
}

/**
 * Returns what a score means: one sample in how many is as unusual.
 * @param {number | null | undefined} oneIn
 */
export function rarity(oneIn) {
  if (oneIn === null || oneIn === undefined || Number.isNaN(oneIn)) return "";
  if (oneIn < 10) return "usual";
  const unit = 10 ** (Math.floor(Math.log10(oneIn)) - 1);
  return `1 in ${count(Math.round(oneIn / unit) * unit)}`;
}

/**
 * Returns a span of time in its two largest units: "3 h 12 min".
 * @param {number} seconds
 */
export function span(seconds) {
  const total = Math.max(0, seconds);
  if (total < 10) return `${total.toFixed(1).replace(/\.0$/, "")} s`;
  if (total < 90) return `${Math.round(total)} s`;
  if (total < 5400) return `${Math.round(total / 60)} min`;
  const [hours, days] = [Math.floor(total / 3600), Math.floor(total / 86400)];
  if (days >= 10) return `${days} d`;
  if (days >= 2) return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
  const minutes = Math.floor((total % 3600) / 60);
  return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
}

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/**
 * @param {number} seconds
 * @param {Intl.DateTimeFormatOptions} options
 */
function formatted(seconds, options) {
  const utc = settings.get().zone === "utc";
  const key = JSON.stringify([utc, options]);
  let format = formats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat("en-GB", { hourCycle: "h23", timeZone: utc ? "UTC" : undefined, ...options });
    formats.set(key, format);
  }
  return format.format(seconds * 1000);
}

/**
 * Returns hours and minutes, with the day where it is not today's.
 * @param {number} seconds
 */
export function clock(seconds) {
  const time = formatted(seconds, { hour: "2-digit", minute: "2-digit" });
  return day(seconds) === day(Date.now() / 1000) ? time : `${day(seconds)} ${time}`;
}

/** @param {number} seconds */
export function time(seconds) {
  return formatted(seconds, { hour: "2-digit", minute: "2-digit" });
}

/** @param {number} seconds */
export function timeOfSecond(seconds) {
  return formatted(seconds, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/** @param {number} seconds */
export function day(seconds) {
  return formatted(seconds, { day: "numeric", month: "short" });
}

/** @param {number} seconds */
export function year(seconds) {
  return formatted(seconds, { year: "numeric" });
}

/**
 * Returns day and time in full: for tooltips and tables.
 * @param {number} seconds
 */
export function moment(seconds) {
  return `${formatted(seconds, { day: "numeric", month: "short", year: "numeric" })} ${timeOfSecond(seconds)}`;
}

/** @param {number} seconds */
export function iso(seconds) {
  return new Date(seconds * 1000).toISOString().replace(".000", "");
}

/**
 * Returns how long ago a time was.
 * @param {number | null | undefined} seconds
 */
export function ago(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  const age = Date.now() / 1000 - seconds;
  return age < 5 ? "now" : `${span(age)} ago`;
}

/** Returns the name of the zone in which times are shown, with its offset. */
export function zoneName() {
  if (settings.get().zone === "utc") return "UTC";
  const minutes = -new Date().getTimezoneOffset();
  const size = Math.abs(minutes);
  const pad = (/** @type {number} */ part) => String(part).padStart(2, "0");
  return `UTC${minutes < 0 ? "−" : "+"}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

/**
 * Reads a span as addresses write it, "90m", "6h", "7d", in seconds; the fallback for anything else.
 * @param {string | null | undefined} text
 * @param {number} fallback
 */
export function readSpan(text, fallback) {
  const match = /^(\d+)(m|h|d|w)$/.exec(text ?? "");
  const units = { m: 60, h: 3600, d: 86400, w: 604800 };
  return match ? Number(match[1]) * units[/** @type {"m"} */ (match[2])] : fallback;
}
