/**
 * Of several requests for one place the newest counts: an answer that comes late would replace what was asked for since.
 *
 * Returns what is called when a request begins; that returns what tells whether none has begun since.
 * @returns {() => () => boolean}
 */
export function newest() {
  let begun = 0;
  return () => {
    const mine = ++begun;
    return () => mine === begun;
  };
}
