/**
 * A pack's index: from oid to the place in the pack.
 *
 * Owns the search in an index file of version 2. It never holds the whole index (a gigabyte of our small objects has
 * over a hundred megabytes of it), and trusts nothing in it: a place that it names may be wrong, which the pack's reader
 * finds out. Source: gitformat-pack(5), "Version 2 pack-*.idx files".
 *
 *   8 bytes magic and version │ 256 × 4 fan-out │ n × 20 names │ n × 4 CRC │ n × 4 places │ k × 8 far places │ 2 × 20 checksums
 */
import { decodeFanOut, INDEX_HEADER_BYTES, PackDamage } from "../object/pack-decode.js";
import { compareOids, hexFromOid, OID_BYTES, oidFromBytes, type Oid } from "../object/oid.js";
import { sortedIndexes, type OidList } from "../object/oid-list.js";
import { DamagedObjectError } from "./errors.js";
import { WindowedFile, type WindowPool } from "./file-window.js";

/** Bytes read at a time: about 200 names, so that one guess by interpolation is nearly always in the right window. */
const WINDOW_BYTES = 4 * 1024;
const CHECKSUM_BYTES = 20;
const FAR = 0x80000000;
/** `findEach` goes through names instead of searching when there are at most so many for each oid wanted; so many at a time. */
const NAMES_PER_SCANNED = 64;
const NAMES_SCANNED_AT_ONCE = 4096;
/** More with one first byte has a pack of 12 million objects, or a damaged index. */
const NAMES_SCANNED_MAX = 48 * 1024;

const ABSENT = -1;

/** Entries of one pack and the indexes under which somebody knows their oids. */
export class PlacedEntries {
  readonly #indexes: number[] = [];
  readonly #places: number[] = [];

  add(index: number, place: number): void {
    this.#indexes.push(index);
    this.#places.push(place);
  }

  /** Two lists, parallel, by growing place (beyond 4 GiB in the order of arrival). */
  inOrder(): { readonly indexes: readonly number[]; readonly places: readonly number[] } {
    const order = sortedIndexes(this.#places.length, (index) => Math.min(this.#places[index] as number, 0xffffffff));
    const indexes: number[] = [];
    const places: number[] = [];
    for (const entry of order) {
      indexes.push(this.#indexes[entry] as number);
      places.push(this.#places[entry] as number);
    }
    return { indexes, places };
  }
}

/** The index of one pack. */
export class PackIndex {
  /** Objects in the pack. */
  readonly count: number;
  /** The pack's own checksum as its index states it, to be compared with the pack's end. */
  readonly packChecksum: string;
  readonly #file: WindowedFile;
  readonly #fanOut: Uint32Array;

  /** @throws FileVanishedError, DamagedObjectError */
  constructor(pool: WindowPool, path: string) {
    const file = new WindowedFile(pool, path, WINDOW_BYTES);
    this.#file = file;
    try {
      file.locate(0, INDEX_HEADER_BYTES);
      this.#fanOut = decodeFanOut(file.bytes.subarray(file.at));
      this.count = this.#fanOut[255] as number;
      const least = INDEX_HEADER_BYTES + this.count * (OID_BYTES + 4 + 4) + 2 * CHECKSUM_BYTES;
      const excess = file.size - least;
      if (excess < 0 || excess % 8 !== 0 || excess > this.count * 8) {
        throw new PackDamage(
          file.size,
          `the index has ${String(file.size)} bytes; with ${String(this.count)} objects it would have ${String(least)} and 8 for each far place`,
        );
      }
      file.locate(file.size - 2 * CHECKSUM_BYTES, CHECKSUM_BYTES);
      this.packChecksum = file.bytes.toString("latin1", file.at, file.at + CHECKSUM_BYTES);
    } catch (error) {
      file.close();
      if (error instanceof PackDamage) throw new DamagedObjectError(path, error.at, error.message);
      throw error;
    }
  }

  /**
   * Where in the pack the object's entry begins, or undefined when the pack does not have it.
   *
   * @throws FileVanishedError, DamagedObjectError
   */
  find(oid: Oid): number | undefined {
    const position = this.#search(oid);
    return position === undefined ? undefined : this.placeAt(position);
  }

  /**
   * Looks for many oids. Where they are many among few names, as those of a whole state are, both are gone through side by
   * side instead of searching for each. With an index whose names are in no order, or whose fan-out is wrong, it may find
   * others than `find` does.
   *
   * @param wanted - indexes of `oids` in the order of the oids
   * @param found - gets those that the pack has
   * @returns the others
   * @throws FileVanishedError, DamagedObjectError
   */
  findEach(oids: OidList, wanted: Uint32Array, found: PlacedEntries): Uint32Array {
    const missing = new Uint32Array(wanted.length);
    let missed = 0;
    for (let start = 0, end = 0; start < wanted.length; start = end) {
      const first = firstByte(oids, wanted[start]);
      const low = first === 0 ? 0 : (this.#fanOut[first - 1] as number);
      // All that begin with the first byte, and with as many of the next ones as have few names.
      let high = this.#fanOut[first] as number;
      for (end = start + 1; end < wanted.length; end++) {
        const next = this.#fanOut[firstByte(oids, wanted[end])] as number;
        if (next > high && next > low + NAMES_SCANNED_AT_ONCE) break;
        high = next;
      }
      const names = high - low;
      const group = wanted.subarray(start, end);
      const positions =
        names <= Math.min(group.length * NAMES_PER_SCANNED, NAMES_SCANNED_MAX)
          ? this.#scan(oids, group, { low, names })
          : Array.from(group, (index) => this.#search(oids.at(index)) ?? ABSENT);
      for (const [turn, position] of positions.entries()) {
        const index = group[turn] as number;
        if (position === ABSENT) missing[missed++] = index;
        else found.add(index, this.placeAt(position));
      }
    }
    return missing.subarray(0, missed);
  }

  /** The positions of oids that stand, if anywhere, among the `names` names from `low` on; ABSENT for one that is not there. */
  #scan(oids: OidList, group: Uint32Array, { low, names }: { readonly low: number; readonly names: number }): number[] {
    const file = this.#file;
    const namesAt = INDEX_HEADER_BYTES + low * OID_BYTES;
    if (names > 0) {
      file.readAhead(namesAt, names * OID_BYTES);
      file.locate(namesAt, names * OID_BYTES);
    }
    const { bytes, at } = file;
    const { bytes: wanted } = oids;
    const end = at + names * OID_BYTES;
    const positions: number[] = [];
    let name = at;
    for (const index of group) {
      const oidAt = index * OID_BYTES;
      const key = firstThree(wanted, oidAt);
      while (name < end && firstThree(bytes, name) < key) name += OID_BYTES;
      while (name < end && compareOids(bytes, name, wanted, oidAt) < 0) name += OID_BYTES;
      const isFound = name < end && compareOids(bytes, name, wanted, oidAt) === 0;
      positions.push(isFound ? low + (name - at) / OID_BYTES : ABSENT);
    }
    return positions;
  }

  /**
   * The oid at a position: 0 is the smallest, `count - 1` the largest.
   *
   * @throws FileVanishedError, DamagedObjectError
   */
  oidAt(position: number): Oid {
    const file = this.#file;
    file.locate(INDEX_HEADER_BYTES + position * OID_BYTES, OID_BYTES);
    return oidFromBytes(file.bytes, file.at);
  }

  /**
   * The oids that begin with these digits, in their order.
   *
   * @param prefix - at least two hexadecimal digits in lower case
   * @throws FileVanishedError, DamagedObjectError
   */
  *withPrefix(prefix: string): Generator<Oid, undefined> {
    const first = parseInt(prefix.slice(0, 2), 16);
    const end = this.#fanOut[first] as number;
    let low = first === 0 ? 0 : (this.#fanOut[first - 1] as number);
    for (let high = end; low < high;) {
      const middle = (low + high) >>> 1;
      if (hexFromOid(this.oidAt(middle)) < prefix) low = middle + 1;
      else high = middle;
    }
    for (; low < end; low++) {
      const oid = this.oidAt(low);
      if (!hexFromOid(oid).startsWith(prefix)) return undefined;
      yield oid;
    }
    return undefined;
  }

  /**
   * Where in the pack the entry of the oid at a position begins.
   *
   * @throws FileVanishedError, DamagedObjectError
   */
  placeAt(position: number): number {
    const file = this.#file;
    const placesAt = INDEX_HEADER_BYTES + this.count * (OID_BYTES + 4);
    const placeAt = placesAt + position * 4;
    file.locate(placeAt, 4);
    const place = file.bytes.readUInt32BE(file.at);
    if (place < FAR) return place;
    const farAt = placesAt + this.count * 4 + (place - FAR) * 8;
    if (farAt + 8 > file.size - 2 * CHECKSUM_BYTES) {
      throw new DamagedObjectError(
        file.path,
        placeAt,
        `it refers to far place ${String(place - FAR)}, which the index does not have`,
      );
    }
    file.locate(farAt, 8);
    return file.bytes.readUInt32BE(file.at) * 0x100000000 + file.bytes.readUInt32BE(file.at + 4);
  }

  close(): void {
    this.#file.close();
  }

  /**
   * The position of the object's name in the index (0 is the smallest), or undefined when the pack does not have it.
   *
   * @throws FileVanishedError, DamagedObjectError
   */
  positionOf(oid: Oid): number | undefined {
    return this.#search(oid);
  }

  /**
   * Searches among the names with the same first byte. Oids are evenly spread, so the next four bytes tell about where
   * to look; every second step halves the range instead, so that a damaged or adversarial index costs no more than
   * twice a binary search.
   */
  #search(oid: Oid): number | undefined {
    const file = this.#file;
    const first = oid.charCodeAt(0);
    let low = first === 0 ? 0 : (this.#fanOut[first - 1] as number);
    let high = this.#fanOut[first] as number;
    const wanted = leadingBytes(oid);
    let lowKey = 0;
    let highKey = 0x100000000;
    for (let interpolate = true; low < high; interpolate = !interpolate) {
      const guess =
        interpolate && highKey > lowKey
          ? Math.floor(((wanted - lowKey) / (highKey - lowKey)) * (high - low))
          : (high - low) >>> 1;
      const middle = low + Math.min(high - low - 1, Math.max(0, guess));
      file.locate(INDEX_HEADER_BYTES + middle * OID_BYTES, OID_BYTES);
      const order = compareWithName(oid, file.bytes, file.at);
      if (order === 0) return middle;
      const key = file.bytes.readUInt32BE(file.at + 1);
      if (order < 0) {
        high = middle;
        highKey = key;
      } else {
        low = middle + 1;
        lowKey = key;
      }
    }
    return undefined;
  }
}

function firstByte(oids: OidList, index: number | undefined): number {
  return oids.bytes[(index as number) * OID_BYTES] as number;
}

/** Bytes 0 to 2 of an oid as a number: small enough for the fast kind of integers. */
function firstThree(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
}

/** Bytes 1 to 4 as a number. */
function leadingBytes(oid: Oid): number {
  return oid.charCodeAt(1) * 0x1000000 + (oid.charCodeAt(2) << 16) + (oid.charCodeAt(3) << 8) + oid.charCodeAt(4);
}

/** Negative when `oid` stands before the name at `at`. */
function compareWithName(oid: Oid, bytes: Uint8Array, at: number): number {
  for (let index = 0; index < OID_BYTES; index++) {
    const difference = oid.charCodeAt(index) - (bytes[at + index] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
