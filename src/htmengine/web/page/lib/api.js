/** Calls to the server: one function for each method, problems as errors that say what to do. */
import { root } from "./router.js";

/** A problem as RFC 9457 tells it, or a server that does not answer (status 0). */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} title
   * @param {string} [detail]
   * @param {{pointer: string, detail: string}[]} [errors] what is wrong with parts of the request
   */
  constructor(status, title, detail, errors = []) {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.errors = errors;
  }
}

/** @type {(problem: Problem) => void} */
let onUnauthorized = () => {};

/** @param {(problem: Problem) => void} listener called when the server asks for a token */
export function whenUnauthorized(listener) {
  onUnauthorized = listener;
}

/** @typedef {Record<string, string | number | null | undefined | (string | number)[]>} Params */

/**
 * Returns the address of a resource; parameters without value are left out.
 * @param {string} path below /api/v1
 * @param {Params} [params]
 */
export function url(path, params = {}) {
  const result = new URL(`api/v1${path}`, root);
  for (const [key, value] of Object.entries(params)) {
    if (value === null || value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) result.searchParams.append(key, String(one));
  }
  return result;
}

/** @type {Map<string, {etag: string, body: any}>} the answers that came with an ETag */
const known = new Map();
const MOST_KNOWN = 20;

/**
 * @param {string} method
 * @param {string} path
 * @param {{params?: Params, json?: unknown, body?: BodyInit, type?: string, ifMatch?: string, signal?: AbortSignal}} [options]
 * @returns {Promise<any>}
 */
async function call(method, path, { params, json, body, type, ifMatch, signal } = {}) {
  const address = url(path, params).href;
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (json !== undefined) headers["Content-Type"] = "application/json";
  if (type) headers["Content-Type"] = type;
  if (ifMatch) headers["If-Match"] = ifMatch;
  const before = method === "GET" ? known.get(address) : undefined;
  if (before) headers["If-None-Match"] = before.etag;
  let response;
  try {
    response = await fetch(address, { method, headers, signal, body: json === undefined ? body : JSON.stringify(json) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, "The server does not answer", "The server does not answer: is `htmengine up` running?");
  }
  if (response.status === 304 && before) return before.body;
  const answer = await content(response);
  if (!response.ok) {
    const problem = new Problem(response.status, answer?.title ?? response.statusText, answer?.detail, answer?.errors);
    if (response.status === 401) onUnauthorized(problem);
    throw problem;
  }
  const etag = response.headers.get("ETag");
  if (etag && (method === "GET" || method === "PUT")) remember(address, etag, answer); // a PUT answers what a GET would now
  return answer;
}

/** @param {Response} response */
async function content(response) {
  if (response.status === 204) return null;
  const kind = response.headers.get("Content-Type") ?? "";
  if (!kind.includes("json")) return null;
  try {
    return await response.json();
  } catch {
    throw new Problem(0, "The connection broke", "The connection broke before the answer was complete: did the server stop?");
  }
}

/**
 * @param {string} address
 * @param {string} etag
 * @param {any} body
 */
function remember(address, etag, body) {
  known.delete(address);
  known.set(address, { etag, body });
  if (known.size > MOST_KNOWN) known.delete(/** @type {string} */ (known.keys().next().value));
}

/**
 * @param {string} path
 * @param {Params} [params]
 * @param {AbortSignal} [signal]
 */
export const get = (path, params, signal) => call("GET", path, { params, signal });
/**
 * @param {string} path
 * @param {unknown} [json]
 */
export const post = (path, json = {}) => call("POST", path, { json });
/**
 * @param {string} path
 * @param {unknown} json
 * @param {string} [ifMatch]
 */
export const put = (path, json, ifMatch) => call("PUT", path, { json, ifMatch });
/** @param {string} path */
export const remove = (path) => call("DELETE", path);
/**
 * @param {string} path
 * @param {Blob} file
 * @param {Params} [params]
 */
export const upload = (path, file, params) => call("POST", path, { params, body: file, type: "text/csv" });

/**
 * Returns what a POST answers as a file.
 * @param {string} path
 * @returns {Promise<Blob>}
 */
export async function fetchFile(path) {
  const response = await fetch(url(path), { method: "POST" });
  if (response.ok) return response.blob();
  const answer = await content(response);
  throw new Problem(response.status, answer?.title ?? response.statusText, answer?.detail);
}

/** @param {string} path the ETag of the newest answer to a GET or a PUT, for If-Match */
export const etagOf = (path) => known.get(url(path).href)?.etag;
