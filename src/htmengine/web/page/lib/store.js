/**
 * State that others can follow.
 * @template {object} T
 * @param {T} initial
 */
export function createStore(initial) {
  let state = initial;
  /** @type {Set<(state: T) => void>} */
  const followers = new Set();
  return {
    get: () => state,
    /** @param {Partial<T>} patch */
    set(patch) {
      state = { ...state, ...patch };
      for (const follower of [...followers]) follower(state);
    },
    /**
     * Calls the function now and at each change; returns the function that ends it.
     * @param {(state: T) => void} follower
     */
    follow(follower) {
      followers.add(follower);
      follower(state);
      return () => followers.delete(follower);
    },
  };
}
