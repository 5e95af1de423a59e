/**
 * Packs: many objects in one buffer, and the index that finds them.
 *
 * Owns which entries a pack has and where they stand (gitformat-pack, version 2). Writing them by hand (`pack-entry.ts`)
 * pays because nothing is compressed: a stream is two bytes, one block that holds the data as it is, and an Adler-32;
 * `zlib.deflateSync` would take longer for one blob than everything here for a commit.
 *
 * Invariants
 *  1. No object occurs twice in a pack (`git verify-pack` and `index-pack --strict` refuse twins): `add…` of an oid that is
 *     there returns the entry that is there.
 *  2. The base of a delta stands before it in the same pack, and reading an object costs at most `CHAIN_COST_MAX`, the sum
 *     of `chainStepCost` of every object on its chain: a count alone would let a chain of middling directories cost several
 *     times one of small ones. However large a directory is, `LARGE_CHAIN_OBJECTS` of it are a chain.
 *  3. The builder writes what it is told: that the oid is the hash of the content is the caller's promise.
 */
import { Buffer } from "node:buffer";
import type { ByteString } from "../../../protocol/bytes.js";
import { deltaScratch, encodeDelta } from "./delta.js";
import { hashBytes, hexFromOid, OID_BYTES, type Oid } from "./oid.js";
import {
  OFFSET_DELTA,
  putDistance,
  putEntryHeader,
  putStoredStream,
  storedStreamBytes,
  TYPE_NUMBERS,
} from "./pack-entry.js";
import { crc32Of } from "../../platform/crc32.js";
import { bigEndian, encodePackIndex } from "./pack-index-encoder.js";
import type { TreeEdit } from "./tree-edit.js";

/** The place of an object in the pack under construction: 0, 1, 2, … */
export type EntryIndex = number;

/** A finished pack. */
export interface FinishedPack {
  /** The file's content. A view of the builder's buffer: use it before the builder is used again. */
  readonly pack: Uint8Array;
  /** The content of the index, version 2. */
  readonly index: Uint8Array;
  /** The pack's checksum in hexadecimal, which names both files. */
  readonly name: string;
}

/**
 * What reading an object may cost, in bytes that are moved: thirty small directories of which each is a delta of the one
 * before, or fewer large ones. A value at depth 7 has seven of them above it, each on a chain of its own, so longer chains would
 * save a few bytes a commit and cost milliseconds a value. (Git itself follows chains of up to 4,095, and writes 50.)
 */
export const CHAIN_COST_MAX = 2 * 1024 * 1024;
/** What a step on a chain costs besides the bytes it makes: finding the entry, decoding it, and the window that it is in. */
const CHAIN_STEP_COST = 64 * 1024;
/**
 * So many objects are a chain however large they are, those over some 20 KB: were their bytes counted in full, a directory
 * of a megabyte would be stored whole in every commit, and 27,000 commits fill a disk. Reading one costs as much as copying so
 * many, a few times what reading it whole does; and two steps fewer would double what it takes (`skip-chain.ts`).
 */
const LARGE_CHAIN_OBJECTS = 24;

/** What an object of so many bytes adds to what reading those costs that are deltas of it, whole or a delta itself. */
export function chainStepCost(bytes: number): number {
  return Math.min(bytes + CHAIN_STEP_COST, Math.floor(CHAIN_COST_MAX / LARGE_CHAIN_OBJECTS));
}

const HEADER_BYTES = 12;
const OID_WORDS = OID_BYTES / 4;
/** Most bytes of an entry's header: a size of 53 bits, and a distance below 2³². */
const ENTRY_HEADER_MAX = 16;
const INITIAL_BYTES = 64 * 1024;
const INITIAL_ENTRIES = 1024;
/**
 * A buffer over this is given up when the pack is done and less than half of it was needed, so that a burst does not cost
 * memory for good, and a busy time does not fault in fresh memory for each pack.
 */
const KEPT_BYTES_MAX = 1024 * 1024;
const KEPT_ENTRIES_MAX = 16 * 1024;

/** Builds one pack after the other. */
export class PackBuilder {
  #bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  #end = HEADER_BYTES;
  #count = 0;
  /** Where the entries begin, as words for the index; `#starts` has them as numbers. */
  #offsetWords = new Int32Array(INITIAL_ENTRIES);
  #starts = new Uint32Array(INITIAL_ENTRIES);
  /** CRC-32 of the entries, as words for the index: taken while an entry is in the cache. */
  #checksumWords = new Int32Array(INITIAL_ENTRIES);
  /** What it costs to read each entry (invariant 2). */
  #costs = new Uint32Array(INITIAL_ENTRIES);
  /** 1 for each entry that is no delta. */
  #wholes = new Uint8Array(INITIAL_ENTRIES);
  /** The oids one after the other, as words, so that comparing takes five steps. */
  #oidWords = new Int32Array(INITIAL_ENTRIES * OID_WORDS);
  #oidBytes = new Uint8Array(this.#oidWords.buffer);
  /** Open addressing by an oid's first word; holds entry + 1. Oids are uniform, so they are their own hash. */
  #table = new Int32Array(INITIAL_ENTRIES * 2);

  #generation = 0;

  /** Which of the builder's packs this is; an entry of another one means nothing. */
  get generation(): number {
    return this.#generation;
  }

  /** How many objects the pack has. */
  get objectCount(): number {
    return this.#count;
  }

  /** Bytes of the pack so far. */
  get byteLength(): number {
    return this.#end;
  }

  /** Adds an object whole, unless it is there. */
  addObject(type: "commit" | "tree" | "blob", oid: Oid, content: ByteString): EntryIndex {
    const known = this.#claim(oid);
    if (known !== undefined) return known;
    return this.#addWhole(type, content, 0);
  }

  /**
   * Adds a tree object whole, unless it is there.
   *
   * @param bytes - hold the content from `start` to their end
   */
  addTree(oid: Oid, bytes: Uint8Array, start: number): EntryIndex {
    const known = this.#claim(oid);
    if (known !== undefined) return known;
    return this.#addWhole("tree", bytes, start);
  }

  /**
   * Adds a tree object as the edit of another, or whole where that is smaller or the chain is costly; nothing when it is
   * there.
   *
   * @param bytes - hold the content from `start` to their end
   * @param from - the edit, and the entry of the object that it starts from
   */
  addEditedTree(
    oid: Oid,
    bytes: Uint8Array,
    start: number,
    from: { readonly base: EntryIndex; readonly edit: TreeEdit },
  ): EntryIndex {
    const { base, edit } = from;
    const known = this.#claim(oid);
    if (known !== undefined) return known;
    const size = bytes.length - start;
    const cost = (this.#costs[base] as number) + chainStepCost(size);
    if (cost > CHAIN_COST_MAX || edit.isWhole) return this.#addWhole("tree", bytes, start);
    const length = encodeDelta(bytes, start, edit);
    if (length + ENTRY_HEADER_MAX / 2 >= size) return this.#addWhole("tree", bytes, start);
    this.#reserveBytes(ENTRY_HEADER_MAX + storedStreamBytes(length));
    const offset = this.#end;
    const headerEnd = putEntryHeader(this.#bytes, offset, { type: OFFSET_DELTA, size: length });
    const streamAt = putDistance(this.#bytes, headerEnd, offset - (this.#starts[base] as number));
    this.#end = putStoredStream(this.#bytes, streamAt, { source: deltaScratch(), from: 0, size: length });
    return this.#finishEntry(offset, cost, 0);
  }

  /** Whether an entry of this pack is no delta. */
  isWhole(entry: EntryIndex): boolean {
    return this.#wholes[entry] === 1;
  }

  /** Closes the pack and starts an empty one; a pack without objects is not worth a file, and is refused. */
  finish(): FinishedPack {
    if (this.#count === 0) throw new Error("a pack without objects");
    this.#reserveBytes(OID_BYTES);
    const bytes = this.#bytes;
    bytes.write("PACK", 0, "latin1");
    bytes.writeUInt32BE(2, 4);
    bytes.writeUInt32BE(this.#count, 8);
    const checksum = hashBytes(bytes.subarray(0, this.#end));
    bytes.write(checksum, this.#end, OID_BYTES, "latin1");
    const pack = bytes.subarray(0, this.#end + OID_BYTES);
    const index = encodePackIndex(
      { count: this.#count, oidWords: this.#oidWords, checksums: this.#checksumWords, offsets: this.#offsetWords },
      pack.subarray(this.#end),
    );
    this.#reset();
    return { pack, index, name: hexFromOid(checksum) };
  }

  #reset(): void {
    const { length } = this.#bytes;
    if (length > KEPT_BYTES_MAX && this.#end < length / 2) this.#bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
    const entries = this.#starts.length;
    if (entries > KEPT_ENTRIES_MAX && this.#count < entries / 2) this.#allocateEntries(INITIAL_ENTRIES);
    else this.#table.fill(0);
    this.#end = HEADER_BYTES;
    this.#count = 0;
    this.#generation++;
  }

  #allocateEntries(capacity: number): void {
    this.#offsetWords = new Int32Array(capacity);
    this.#starts = new Uint32Array(capacity);
    this.#checksumWords = new Int32Array(capacity);
    this.#costs = new Uint32Array(capacity);
    this.#wholes = new Uint8Array(capacity);
    this.#oidWords = new Int32Array(capacity * OID_WORDS);
    this.#oidBytes = new Uint8Array(this.#oidWords.buffer);
    this.#table = new Int32Array(capacity * 2);
  }

  /** Makes room for one more entry; its oid may be written before it is known whether it is new. */
  #reserveEntry(): void {
    const capacity = this.#starts.length;
    if (this.#count < capacity) return;
    const [offsets, starts, checksums] = [this.#offsetWords, this.#starts, this.#checksumWords];
    const [costs, wholes, words] = [this.#costs, this.#wholes, this.#oidWords];
    this.#allocateEntries(capacity * 2);
    this.#offsetWords.set(offsets);
    this.#starts.set(starts);
    this.#checksumWords.set(checksums);
    this.#costs.set(costs);
    this.#wholes.set(wholes);
    this.#oidWords.set(words);
    const count = this.#count;
    for (let entry = 0; entry < count; entry++) this.#table[this.#slotOf(entry)] = entry + 1;
  }

  #reserveBytes(more: number): void {
    const needed = this.#end + more;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, needed));
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = larger;
  }

  #writeOid(oid: Oid): void {
    const bytes = this.#oidBytes;
    const at = this.#count * OID_BYTES;
    for (let index = 0; index < OID_BYTES; index++) bytes[at + index] = oid.charCodeAt(index);
  }

  /** The slot that holds an entry with the same oid as the one written for `entry`, or the free one where it belongs. */
  #slotOf(entry: EntryIndex): number {
    const words = this.#oidWords;
    const table = this.#table;
    const mask = table.length - 1;
    const at = entry * OID_WORDS;
    let slot = (words[at] as number) & mask;
    for (let other = table[slot] as number; other !== 0; other = table[slot] as number) {
      if (sameWords(words, at, (other - 1) * OID_WORDS)) return slot;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  /** The entry of an oid that is there; else takes the next entry for it and returns undefined. */
  #claim(oid: Oid): EntryIndex | undefined {
    this.#reserveEntry();
    this.#writeOid(oid);
    const slot = this.#slotOf(this.#count);
    const entry = this.#table[slot] as number;
    if (entry !== 0) return entry - 1;
    this.#table[slot] = this.#count + 1;
    return undefined;
  }

  /** Adds the content that `source` holds from `start` to its end. */
  #addWhole(type: "commit" | "tree" | "blob", source: ByteString | Uint8Array, start: number): EntryIndex {
    const size = source.length - start;
    this.#reserveBytes(ENTRY_HEADER_MAX + storedStreamBytes(size));
    const offset = this.#end;
    const streamAt = putEntryHeader(this.#bytes, offset, { type: TYPE_NUMBERS[type], size });
    this.#end = putStoredStream(this.#bytes, streamAt, { source, from: start, size });
    return this.#finishEntry(offset, chainStepCost(size), 1);
  }

  #finishEntry(offset: number, cost: number, whole: 0 | 1): EntryIndex {
    const entry = this.#count++;
    this.#starts[entry] = offset;
    this.#offsetWords[entry] = bigEndian(offset);
    this.#checksumWords[entry] = bigEndian(crc32Of(this.#bytes, offset, this.#end));
    this.#costs[entry] = cost;
    this.#wholes[entry] = whole;
    return entry;
  }
}

function sameWords(words: Int32Array, left: number, right: number): boolean {
  for (let index = 0; index < OID_WORDS; index++) if (words[left + index] !== words[right + index]) return false;
  return true;
}
