/**
 * The SHA-1 of large bytes that change in one place at a time: what stands before the change is not hashed again.
 *
 * Owns the hash's states at a few places of the bytes. A directory of 1,000 domains has 33 KB, and nearly all that it costs
 * to record a change in it is its hash: from a state right before the change that is half of it on average, and copying a
 * state takes as long as hashing one kilobyte.
 *
 * Invariants
 *  1. Each state is that of the hash after exactly the first `at` bytes as they are now; `changed` drops those that are not.
 *  2. Their places ascend, are multiples of `STRIDE_BYTES`, and there are at most `STATES_MAX`.
 */
import { createHash, type Hash } from "node:crypto";
import type { Oid } from "./oid.js";

const STRIDE_BYTES = 2048;
/** A state is some hundred bytes; more would save next to nothing. */
const STATES_MAX = 16;

interface State {
  readonly at: number;
  readonly hash: Hash;
}

/** Hashes the same bytes again and again. */
export class PrefixHasher {
  #states: State[] = [];
  /** The lowest place that has changed since the last `hash`. */
  #changedAt = 0;

  /** Says that bytes from `position` on may be others now. */
  changed(position: number): void {
    this.#changedAt = Math.min(this.#changedAt, position);
    while ((this.#states.at(-1)?.at ?? 0) > position) this.#states.pop();
  }

  /** The SHA-1 of the bytes; all changes since the last call have been told to `changed`. */
  hash(bytes: Uint8Array): Oid {
    const last = this.#states.at(-1);
    const from = last?.at ?? 0;
    // The next change is likely to be near this one or after it.
    const next = this.#changedAt - (this.#changedAt % STRIDE_BYTES);
    this.#changedAt = bytes.length;
    const hash = last?.hash.copy() ?? createHash("sha1");
    if (next > from && next < bytes.length && this.#states.length < STATES_MAX) {
      hash.update(bytes.subarray(from, next));
      this.#states.push({ at: next, hash: hash.copy() });
      return hash.update(bytes.subarray(next)).digest("binary") as Oid;
    }
    return hash.update(bytes.subarray(from)).digest("binary") as Oid;
  }
}
