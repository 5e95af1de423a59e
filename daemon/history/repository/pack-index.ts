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
import type { Oid } from "../object/oid.js";
import { DamagedObjectError } from "./errors.js";
import { WindowedFile, type WindowPool } from "./file-window.js";

/** Bytes read at a time: about 800 names, so that one guess by interpolation is nearly always in the right window. */
const WINDOW_BYTES = 16 * 1024;
const OID_BYTES = 20;
const CHECKSUM_BYTES = 20;
const FAR = 0x80000000;

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
   * The oid at a position: 0 is the smallest, `count - 1` the largest.
   *
   * @throws FileVanishedError, DamagedObjectError
   */
  oidAt(position: number): Oid {
    const file = this.#file;
    file.locate(INDEX_HEADER_BYTES + position * OID_BYTES, OID_BYTES);
    return file.bytes.toString("latin1", file.at, file.at + OID_BYTES) as Oid;
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
      const order = compareOid(oid, file.bytes, file.at);
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

/** Bytes 1 to 4 as a number. */
function leadingBytes(oid: Oid): number {
  return oid.charCodeAt(1) * 0x1000000 + (oid.charCodeAt(2) << 16) + (oid.charCodeAt(3) << 8) + oid.charCodeAt(4);
}

/** Negative when `oid` stands before the name at `at`. */
function compareOid(oid: Oid, bytes: Uint8Array, at: number): number {
  for (let index = 0; index < OID_BYTES; index++) {
    const difference = oid.charCodeAt(index) - (bytes[at + index] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
