/** Addresses: which page is shown, and its state in the query. Everything is relative to the site's root, wherever a proxy puts it. */

/** The site's root; this file lies at `static/HASH/lib/` below it. */
export const root = new URL("../../../", import.meta.url);

/**
 * @typedef {object} View
 * @property {HTMLElement} element
 * @property {(query: URLSearchParams) => void} [update] the same page with another query
 * @property {() => void} [close]
 *
 * @typedef {(place: {params: string[], query: URLSearchParams, path: string}) => View} Open
 * @typedef {{pattern: RegExp, name: string, open: Open}} Route
 */

/** Returns the path below the root, as it is encoded: "" for the overview. */
export function path() {
  return location.pathname.slice(root.pathname.length);
}

export function query() {
  return new URLSearchParams(location.search);
}

/**
 * Returns the address of a page of this site.
 * @param {string} place a path below the root
 * @param {Record<string, string | number | null | undefined>} [params]
 */
export function link(place, params = {}) {
  const result = new URL(place.split("/").map(encodeURIComponent).join("/"), root);
  for (const [key, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") result.searchParams.set(key, String(value));
  }
  return result.pathname + result.search;
}

/** @type {() => void} */
let changed = () => {};

/**
 * @param {string} address
 * @param {boolean} [replace] whether "back" skips the address that is left
 */
export function go(address, replace = false) {
  history[replace ? "replaceState" : "pushState"](null, "", address);
  changed();
}

/**
 * Changes parts of the query; empty ones go.
 * @param {Record<string, string | number | null | undefined>} patch
 * @param {{push?: boolean}} [options] push: "back" leads to what was before
 */
export function setQuery(patch, { push = false } = {}) {
  const params = query();
  for (const [key, value] of Object.entries(patch)) {
    if (value === null || value === undefined || value === "") params.delete(key);
    else params.set(key, String(value));
  }
  // Globs and ranges stay readable.
  const text = params.toString().replace(/%3A/g, ":").replace(/%2C/g, ",").replace(/%3E/g, ">");
  const address = location.pathname + (text ? `?${text}` : "");
  if (address !== location.pathname + location.search) go(address, !push);
}

/**
 * Shows the page of each address.
 * @param {Route[]} routes
 * @param {(route: Route, view: View) => void} show
 */
export function start(routes, show) {
  /** @type {View | null} */
  let view = null;
  let shown = "";
  changed = () => {
    const here = path();
    if (view && here === shown) {
      view.update?.(query());
      return;
    }
    for (const route of routes) {
      const match = route.pattern.exec(here);
      if (!match) continue;
      view?.close?.();
      shown = here;
      view = route.open({ params: match.slice(1).map((part) => decodeURIComponent(part ?? "")), query: query(), path: here });
      show(route, view);
      return;
    }
  };
  addEventListener("popstate", changed);
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const anchor = /** @type {Element} */ (event.target).closest?.("a[href]");
    if (!(anchor instanceof HTMLAnchorElement) || anchor.target || anchor.hasAttribute("download")) return;
    if (anchor.origin !== location.origin || !anchor.pathname.startsWith(root.pathname)) return;
    if (anchor.hash && anchor.pathname === location.pathname) return;
    event.preventDefault();
    go(anchor.pathname + anchor.search);
  });
  changed();
}
