/**
 * One string for equal names.
 *
 * Owns a bounded pool. A tree of 100,000 nodes has a few hundred different names; each comes out of a journal line as a
 * string of its own, which would keep that line alive or cost a copy per node.
 */
import { flattenBytes } from "../../../protocol/bytes.js";

/** What guests can make us remember must have a bound; past it the pool starts anew. */
const POOLED_MAX = 16 * 1024;

/** A pool of names and keys. */
export class KeyPool {
  readonly #pool = new Map<string, string>();

  /** A string equal to `key` that keeps no other alive, the same one for equal keys as far as memory allows. */
  pooled(key: string): string {
    const known = this.#pool.get(key);
    if (known !== undefined) return known;
    if (this.#pool.size >= POOLED_MAX) this.#pool.clear();
    const flat = flattenBytes(key);
    this.#pool.set(flat, flat);
    return flat;
  }
}
