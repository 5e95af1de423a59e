/**
 * Many oids without a string for each: those of all values of a state, to be looked for at once.
 *
 * Owns the bytes and the order. An oid is named by its index, which is its turn in the order of arrival.
 */
import { Buffer } from "node:buffer";
import { compareOids, OID_BYTES, type Oid } from "./oid.js";

const INITIAL_OIDS = 64;
/** An index and 32 bits of a key fit into the 53 bits that a double holds exactly. */
const INDEXES_MAX = 2 ** 21;

/** A growing list of oids; the same one may be in it several times. */
export class OidList {
  /** Holds `length` oids one after the other, and room for more; another buffer after a `push`. */
  bytes: Buffer = Buffer.allocUnsafeSlow(INITIAL_OIDS * OID_BYTES);
  length = 0;

  /** A list of these. */
  static of(oids: readonly Oid[]): OidList {
    const list = new OidList();
    for (const oid of oids) list.push(Buffer.from(oid, "latin1"), 0);
    return list;
  }

  /** Appends the oid that stands at `at` of `source`; returns its index. */
  push(source: Uint8Array, at: number): number {
    const start = this.length * OID_BYTES;
    if (start === this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(2 * start);
      this.bytes.copy(grown);
      this.bytes = grown;
    }
    const { bytes } = this;
    for (let index = 0; index < OID_BYTES; index++) bytes[start + index] = source[at + index] as number;
    return this.length++;
  }

  /** The oid of an index. */
  at(index: number): Oid {
    return this.bytes.toString("latin1", index * OID_BYTES, (index + 1) * OID_BYTES) as Oid;
  }

  /** Whether two indexes have the same oid. */
  areEqual(left: number, right: number): boolean {
    return compareOids(this.bytes, left * OID_BYTES, this.bytes, right * OID_BYTES) === 0;
  }

  /** The indexes from `from` to `to` in the order of their oids; at most 2 million. */
  sorted(from: number, to: number): Uint32Array {
    const { bytes } = this;
    const sorted = sortedIndexes(to - from, (index) => bytes.readUInt32BE((from + index) * OID_BYTES));
    for (let place = 0; place < sorted.length; place++) {
      const index = from + (sorted[place] as number);
      // Only oids that begin with the same four bytes can still be in the wrong order, and there are next to none.
      let hole = place;
      for (; hole > 0; hole--) {
        const before = sorted[hole - 1] as number;
        if (compareOids(bytes, before * OID_BYTES, bytes, index * OID_BYTES) <= 0) break;
        sorted[hole] = before;
      }
      sorted[hole] = index;
    }
    return sorted;
  }
}

/** The indexes 0 to `count` - 1 by growing key, where equal keys stay in order; a key has 32 bits. */
export function sortedIndexes(count: number, keyOf: (index: number) => number): Uint32Array {
  if (count > INDEXES_MAX) throw new RangeError(`at most ${String(INDEXES_MAX)} are sorted, not ${String(count)}`);
  const combined = new Float64Array(count);
  for (let index = 0; index < count; index++) combined[index] = keyOf(index) * INDEXES_MAX + index;
  combined.sort();
  const sorted = new Uint32Array(count);
  for (let place = 0; place < count; place++) {
    const key = combined[place] as number;
    sorted[place] = key - Math.floor(key / INDEXES_MAX) * INDEXES_MAX;
  }
  return sorted;
}
