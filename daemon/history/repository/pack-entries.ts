/**
 * The entries of one pack in the order of the file: for whoever goes through a whole pack instead of looking things up.
 *
 * Owns two ways of reading: the index as tables (`readPackEntries`) and as a stream of oids (`OidCursor`), and the pack
 * from front to back (`PackStream`). It never holds a pack, and of an index only numbers: a pack may have millions of
 * entries, so there are no objects per entry. Nothing is trusted: damage ends in `DamagedObjectError`, which names the
 * file. Source: gitformat-pack(5), "Version 2 pack-*.idx files".
 *
 * Two numberings: an entry's *position* is its place in the index (by oid), its *rank* its place in the pack (by offset).
 */
import { Buffer } from "node:buffer";
import type { FileSystem, OpenFile } from "../../platform/file-system.js";
import { decodeFanOut, INDEX_HEADER_BYTES, PackDamage } from "../object/pack-decode.js";
import { compareOids, OID_BYTES } from "../object/oid.js";
import { isErrno } from "../../platform/errno.js";
import { DamagedObjectError } from "./errors.js";
import { FileVanishedError } from "./file-window.js";
import { packDirectory } from "./pack-file.js";

/** The entries of one pack. */
export interface PackEntries {
  readonly count: number;
  /** Where each entry begins in the pack, by rank; grows. */
  readonly offsets: Uint32Array;
  /** Where the last entry ends. */
  readonly end: number;
  /** The positions, by rank. */
  readonly positions: Uint32Array;
  /** The CRC-32 of each entry's bytes, by position. */
  readonly checksums: Uint32Array;
  /** The index's cumulated counts by first byte. */
  readonly fanOut: Uint32Array;
}

/** Where the entry of a rank ends. */
export function entryEnd(entries: PackEntries, rank: number): number {
  return rank + 1 < entries.count ? (entries.offsets[rank + 1] as number) : entries.end;
}

/** The rank of the entry that begins at `offset`; undefined when none does. */
export function rankOfOffset(entries: PackEntries, offset: number): number | undefined {
  const { offsets } = entries;
  let low = 0;
  let high = entries.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((offsets[middle] as number) < offset) low = middle + 1;
    else high = middle;
  }
  return low < entries.count && offsets[low] === offset ? low : undefined;
}

/** Which pack. */
export interface PackPlace {
  readonly repositoryDirectory: string;
  /** The pack's checksum in hexadecimal. */
  readonly name: string;
}

const PACK_HEADER_BYTES = 12;
const CHECKSUM_BYTES = 20;
/** A place with this bit is a number of a far place, which only packs over 2 GiB have. */
const FAR = 0x80000000;
/** Table entries that are handled between two yields: about a millisecond. */
const SLICE_ENTRIES = 64 * 1024;
const RADIX_BITS = 11;
const RADIX_PASSES = 3;
/** Up to so many entries the radix sort's tables would cost more than they save. */
const PLAIN_SORT_MAX = 1024;

/** The pack's file. */
export function packPath({ repositoryDirectory, name }: PackPlace): string {
  return `${packDirectory(repositoryDirectory)}/pack-${name}.pack`;
}

/** The pack's index. */
export function indexPath({ repositoryDirectory, name }: PackPlace): string {
  return `${packDirectory(repositoryDirectory)}/pack-${name}.idx`;
}

/**
 * Opens a file to read.
 *
 * @throws FileVanishedError when it is not there
 */
export function openToRead(fileSystem: FileSystem, path: string): OpenFile {
  try {
    return fileSystem.open(path, "read");
  } catch (error) {
    if (isErrno(error, "ENOENT")) throw new FileVanishedError(path);
    throw error;
  }
}

/** Fills `target` from `position` on; a file that ends before is damaged. */
export function readExactly(file: OpenFile, path: string, target: Uint8Array, position: number): void {
  for (let filled = 0; filled < target.length;) {
    const count = file.read(filled === 0 ? target : target.subarray(filled), position + filled);
    if (count <= 0) throw new DamagedObjectError(path, position + filled, "the file ends here and should be longer");
    filled += count;
  }
}

/**
 * Reads the index of a pack and sorts its entries by offset.
 *
 * Yields about every millisecond.
 *
 * @throws FileVanishedError, DamagedObjectError; the latter also for a pack over 2 GiB, which we never write
 */
export function* readPackEntries(fileSystem: FileSystem, place: PackPlace): Generator<void, PackEntries> {
  const path = indexPath(place);
  const packBytes = packSize(fileSystem, packPath(place));
  const file = openToRead(fileSystem, path);
  try {
    const fanOut = readFanOut(file, path);
    const count = fanOut[255] as number;
    const checksumsAt = INDEX_HEADER_BYTES + count * OID_BYTES;
    const offsetsAt = checksumsAt + count * 4;
    const least = offsetsAt + count * 4 + 2 * CHECKSUM_BYTES;
    if (file.size() < least) {
      throw new DamagedObjectError(path, file.size(), `the index ends before its ${String(count)} entries do`);
    }
    const checksums = yield* readWords(file, path, checksumsAt, count);
    const unsorted = yield* readWords(file, path, offsetsAt, count);
    const end = packBytes - CHECKSUM_BYTES;
    for (let position = 0; position < count; position++) {
      if (position % SLICE_ENTRIES === SLICE_ENTRIES - 1) yield;
      const offset = unsorted[position] as number;
      if (offset >= PACK_HEADER_BYTES && offset < end && offset < FAR) continue;
      throw new DamagedObjectError(
        path,
        offsetsAt + position * 4,
        `entry ${String(position)} would begin at byte ${String(offset)} of a pack whose entries stand between ${String(PACK_HEADER_BYTES)} and ${String(end)} (packs over 2 GiB are not rewritten)`,
      );
    }
    const positions = yield* sortedByKey(unsorted);
    const offsets = new Uint32Array(count);
    for (let rank = 0; rank < count; rank++) {
      if (rank % SLICE_ENTRIES === SLICE_ENTRIES - 1) yield;
      const position = positions[rank] as number;
      const offset = unsorted[position] as number;
      offsets[rank] = offset;
      if (rank === 0 ? offset === PACK_HEADER_BYTES : offset > (offsets[rank - 1] as number)) continue;
      throw new DamagedObjectError(
        path,
        offsetsAt + position * 4,
        rank === 0
          ? `the pack's first entry would begin at byte ${String(offset)} instead of ${String(PACK_HEADER_BYTES)}`
          : `two entries would begin at byte ${String(offset)}`,
      );
    }
    return { count, offsets, end, positions, checksums, fanOut };
  } finally {
    file.close();
  }
}

function packSize(fileSystem: FileSystem, path: string): number {
  const file = openToRead(fileSystem, path);
  try {
    return file.size();
  } finally {
    file.close();
  }
}

/** Reads an index's fan-out table. */
export function readFanOut(file: OpenFile, path: string): Uint32Array {
  const bytes = Buffer.alloc(Math.min(INDEX_HEADER_BYTES, file.size()));
  readExactly(file, path, bytes, 0);
  try {
    return decodeFanOut(bytes);
  } catch (error) {
    if (error instanceof PackDamage) throw new DamagedObjectError(path, error.at, error.message);
    throw error;
  }
}

/** Reads a table of numbers of four bytes, the highest first. */
function* readWords(file: OpenFile, path: string, at: number, count: number): Generator<void, Uint32Array> {
  const words = new Uint32Array(count);
  for (let done = 0; done < count; done += SLICE_ENTRIES) {
    if (done > 0) yield;
    const part = Math.min(SLICE_ENTRIES, count - done);
    const bytes = Buffer.from(words.buffer, done * 4, part * 4);
    readExactly(file, path, bytes, at + done * 4);
    // The machines that Node runs on keep the lowest byte first.
    bytes.swap32();
  }
  return words;
}

/** The indexes of `keys`, by growing key: where there are many, a radix sort, because it can pause anywhere. */
function* sortedByKey(keys: Uint32Array): Generator<void, Uint32Array> {
  const count = keys.length;
  if (count <= PLAIN_SORT_MAX) {
    return Uint32Array.from(keys, (_, index) => index).sort(
      (left, right) => (keys[left] as number) - (keys[right] as number),
    );
  }
  const mask = (1 << RADIX_BITS) - 1;
  let from = new Uint32Array(count);
  let to = new Uint32Array(count);
  for (let index = 0; index < count; index++) from[index] = index;
  for (let pass = 0; pass < RADIX_PASSES; pass++) {
    const shift = pass * RADIX_BITS;
    const places = new Uint32Array(mask + 2);
    for (let index = 0; index < count; index++) {
      if (index % SLICE_ENTRIES === SLICE_ENTRIES - 1) yield;
      const after = (((keys[index] as number) >>> shift) & mask) + 1;
      places[after] = (places[after] as number) + 1;
    }
    for (let digit = 1; digit <= mask; digit++) {
      places[digit] = (places[digit] as number) + (places[digit - 1] as number);
    }
    for (let index = 0; index < count; index++) {
      if (index % SLICE_ENTRIES === SLICE_ENTRIES - 1) yield;
      const entry = from[index] as number;
      const digit = ((keys[entry] as number) >>> shift) & mask;
      const place = places[digit] as number;
      places[digit] = place + 1;
      to[place] = entry;
    }
    [from, to] = [to, from];
  }
  return from;
}

const CURSOR_OIDS = 2048;

/** The oids of an index, one after the other. Close it. */
export class OidCursor {
  /** The position of the oid that the cursor is at; `count` at the end. */
  position = 0;
  /** Holds the oid at `at`; valid until the cursor moves. */
  readonly bytes: Buffer;
  at = 0;
  readonly count: number;
  readonly #file: OpenFile;
  #isOpen = true;
  readonly #path: string;
  #loadedEnd = 0;

  /** @throws FileVanishedError */
  constructor(fileSystem: FileSystem, place: PackPlace, count: number) {
    this.#path = indexPath(place);
    this.#file = openToRead(fileSystem, this.#path);
    this.count = count;
    this.bytes = Buffer.allocUnsafeSlow(Math.min(CURSOR_OIDS, count + 1) * OID_BYTES);
    try {
      this.#load();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Goes to the next oid.
   *
   * @throws DamagedObjectError when it does not come after the one before
   */
  next(): void {
    const { bytes, at } = this;
    const position = ++this.position;
    if (position >= this.count) return;
    if (position === this.#loadedEnd) {
      const before = Buffer.from(bytes.subarray(at, at + OID_BYTES));
      this.#load();
      if (before.compare(bytes, 0, OID_BYTES) >= 0) this.#refuseOrder();
      return;
    }
    this.at = at + OID_BYTES;
    if (compareOids(bytes, at, bytes, this.at) >= 0) this.#refuseOrder();
  }

  /** May be called again. */
  close(): void {
    if (!this.#isOpen) return;
    // Before the call: a descriptor whose close fails is gone too, and its number may be somebody else's soon.
    this.#isOpen = false;
    this.#file.close();
  }

  #load(): void {
    const length = Math.min(CURSOR_OIDS, this.count - this.position) * OID_BYTES;
    readExactly(this.#file, this.#path, this.bytes.subarray(0, length), this.#oidAt());
    this.#loadedEnd = this.position + length / OID_BYTES;
    this.at = 0;
  }

  #oidAt(): number {
    return INDEX_HEADER_BYTES + this.position * OID_BYTES;
  }

  #refuseOrder(): never {
    throw new DamagedObjectError(this.#path, this.#oidAt(), "the object ids are not in growing order");
  }
}

/** Bytes read at a time. */
const STREAM_BYTES = 256 * 1024;

/** A pack read from front to back. Close it. */
export class PackStream {
  readonly path: string;
  /** Holds what `locate` found, at `at`; valid until the next `locate` that goes beyond it. Never write to it. */
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  readonly #file: OpenFile;
  #isOpen = true;
  readonly #end: number;
  #start = 0;

  /**
   * @param end - nothing is read from there on
   * @throws FileVanishedError
   */
  constructor(fileSystem: FileSystem, place: PackPlace, end: number) {
    this.path = packPath(place);
    this.#file = openToRead(fileSystem, this.path);
    this.#end = end;
  }

  /**
   * Sets `bytes` and `at` to the bytes from `from` to `to`. What is still needed is kept: everything from `needed` on. As long
   * as that stays where it is, twice as much is read each time, so that much which is needed is not read again and again.
   */
  locate({ from, to, needed }: { readonly from: number; readonly to: number; readonly needed: number }): void {
    if (from < this.#start || to > this.#start + this.bytes.length) {
      const grown = needed === this.#start ? 2 * this.bytes.length : 0;
      const size = Math.min(this.#end - needed, Math.max(to - needed + STREAM_BYTES, grown));
      const bytes = Buffer.allocUnsafeSlow(size);
      readExactly(this.#file, this.path, bytes, needed);
      this.bytes = bytes;
      this.#start = needed;
    }
    this.at = from - this.#start;
  }

  /** May be called again. */
  close(): void {
    if (!this.#isOpen) return;
    // Before the call: a descriptor whose close fails is gone too, and its number may be somebody else's soon.
    this.#isOpen = false;
    this.#file.close();
  }
}
