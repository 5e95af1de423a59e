/**
 * Many oids without a string for each: those of all values of a state, to be looked for at once.
 *
 * Owns the bytes and the order. An oid is named by its index, which is its turn in the order of arrival.
 */
import { Buffer } from "node:buffer";
import { compareOids, OID_BYTES, oidFromBytes, type Oid } from "./oid.js";

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
    return oidFromBytes(this.bytes, index * OID_BYTES);
  }

  /** Whether two indexes have the same oid. */
  areEqual(left: number, right: number): boolean {
    return compareOids(this.bytes, left * OID_BYTES, this.bytes, right * OID_BYTES) === 0;
  }

  /** The indexes from `from` to `to` in the order of their oids; at most 2 million. */
  sorted(from: number, to: number): Uint32Array {
    const { bytes } = this;
    const sorted = sortedIndexes(to - from, (index) => bytes.readUInt32BE((from + index) * OID_BYTES));
    for (let place = 0; place < sorted.length; place++) sorted[place] = from + (sorted[place] as number);
    this.#sortAlike(sorted);
    return sorted;
  }

  /** Sorts what begins with the same four bytes: oids that are equal, and others only where somebody has made them so. */
  #sortAlike(sorted: Uint32Array): void {
    const { bytes } = this;
    const compare = (left: number, right: number): number =>
      compareOids(bytes, left * OID_BYTES, bytes, right * OID_BYTES);
    let start = 0;
    let isInOrder = true;
    for (let place = 1; place <= sorted.length; place++) {
      if (place < sorted.length) {
        const before = sorted[place - 1] as number;
        const index = sorted[place] as number;
        if (bytes.readUInt32BE(before * OID_BYTES) === bytes.readUInt32BE(index * OID_BYTES)) {
          if (isInOrder) isInOrder = compare(before, index) <= 0;
          continue;
        }
      }
      if (!isInOrder) sorted.subarray(start, place).sort(compare);
      start = place;
      isInOrder = true;
    }
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
