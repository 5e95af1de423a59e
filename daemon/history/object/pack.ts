/**
 * Packs: many objects in one buffer, and the index that finds them.
 *
 * Owns the encoding of pack entries, of deltas and of the index (gitformat-pack, version 2 of both; RFC 1950 and 1951 for
 * the zlib streams). Writing by hand pays because nothing is compressed: a stream is two bytes, one block that holds the
 * data as it is, and an Adler-32; `zlib.deflateSync` would take longer for one blob than everything here for a commit.
 *
 * Invariants
 *  1. No object occurs twice in a pack (`git verify-pack` and `index-pack --strict` refuse twins): `add…` of an oid that is
 *     there returns the entry that is there.
 *  2. The base of a delta stands before it in the same pack, and a chain has at most `DELTA_CHAIN_MAX` deltas.
 *  3. The builder writes what it is told: that the oid is the hash of the content is the caller's promise.
 */
import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import type { ByteString } from "../../../protocol/bytes.js";
import { hashBytes, hexFromOid, OID_BYTES, type Oid } from "./oid.js";
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

/** Most deltas between an object and the whole object that it is derived from. Reading cost against size. */
export const DELTA_CHAIN_MAX = 128;

const HEADER_BYTES = 12;
const OID_WORDS = OID_BYTES / 4;
const TYPE_NUMBERS = { commit: 1, tree: 2, blob: 3 } as const;
const OFFSET_DELTA = 6;
/** Most bytes in a stored block (RFC 1951, 3.2.4). */
const STORED_BLOCK_MAX = 0xffff;
/** zlib header and Adler-32 of a stream, and the header of each block in it. */
const STREAM_BYTES = 2 + 4;
const BLOCK_BYTES = 5;
/** Most bytes of an entry's header: a size of 53 bits, and a distance below 2³². */
const ENTRY_HEADER_MAX = 16;
const INITIAL_BYTES = 64 * 1024;
const INITIAL_ENTRIES = 1024;
/** A buffer over this is given up when the pack is done, so that a burst does not cost memory for good. */
const KEPT_BYTES_MAX = 1024 * 1024;
const KEPT_ENTRIES_MAX = 16 * 1024;

/** Builds one pack after the other. */
export class PackBuilder {
  #bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  #end = HEADER_BYTES;
  #count = 0;
  #offsets = new Uint32Array(INITIAL_ENTRIES);
  #depths = new Uint8Array(INITIAL_ENTRIES);
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
  addObject(type: "commit" | "tree" | "blob", oid: Oid, content: ByteString | Uint8Array): EntryIndex {
    const known = this.#claim(oid);
    if (known !== undefined) return known;
    return this.#addWhole(type, content);
  }

  /**
   * Adds a tree object as the edit of another, or whole where that is smaller or the chain is long; nothing when it is
   * there.
   *
   * @param base - the entry of the object that `edit` starts from
   */
  addEditedTree(oid: Oid, content: Uint8Array, base: EntryIndex, edit: TreeEdit): EntryIndex {
    const known = this.#claim(oid);
    if (known !== undefined) return known;
    const depth = (this.#depths[base] as number) + 1;
    if (depth > DELTA_CHAIN_MAX || edit.isWhole) return this.#addWhole("tree", content);
    const delta = encodeDelta(content, edit);
    if (delta.length + ENTRY_HEADER_MAX / 2 >= content.length) return this.#addWhole("tree", content);
    this.#reserveBytes(ENTRY_HEADER_MAX + streamBytes(delta.length));
    const offset = this.#end;
    this.#putEntryHeader(OFFSET_DELTA, delta.length);
    this.#putDistance(offset - (this.#offsets[base] as number));
    this.#putStream(delta);
    return this.#finishEntry(offset, depth);
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
    const index = encodeIndex(pack, this.#count, this.#offsets, this.#oidWords);
    this.#reset();
    return { pack, index, name: hexFromOid(checksum) };
  }

  #reset(): void {
    if (this.#bytes.length > KEPT_BYTES_MAX) this.#bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
    if (this.#offsets.length > KEPT_ENTRIES_MAX) this.#allocateEntries(INITIAL_ENTRIES);
    else this.#table.fill(0);
    this.#end = HEADER_BYTES;
    this.#count = 0;
    this.#generation++;
  }

  #allocateEntries(capacity: number): void {
    this.#offsets = new Uint32Array(capacity);
    this.#depths = new Uint8Array(capacity);
    this.#oidWords = new Int32Array(capacity * OID_WORDS);
    this.#oidBytes = new Uint8Array(this.#oidWords.buffer);
    this.#table = new Int32Array(capacity * 2);
  }

  /** Makes room for one more entry; its oid may be written before it is known whether it is new. */
  #reserveEntry(): void {
    const capacity = this.#offsets.length;
    if (this.#count < capacity) return;
    const [offsets, depths, words] = [this.#offsets, this.#depths, this.#oidWords];
    this.#allocateEntries(capacity * 2);
    this.#offsets.set(offsets);
    this.#depths.set(depths);
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

  #addWhole(type: "commit" | "tree" | "blob", content: ByteString | Uint8Array): EntryIndex {
    this.#reserveBytes(ENTRY_HEADER_MAX + streamBytes(content.length));
    const offset = this.#end;
    this.#putEntryHeader(TYPE_NUMBERS[type], content.length);
    this.#putStream(content);
    return this.#finishEntry(offset, 0);
  }

  #finishEntry(offset: number, depth: number): EntryIndex {
    const entry = this.#count++;
    this.#offsets[entry] = offset;
    this.#depths[entry] = depth;
    return entry;
  }

  /** Type and size: four bits of the size, then seven a byte, lowest first. */
  #putEntryHeader(type: number, size: number): void {
    const bytes = this.#bytes;
    let at = this.#end;
    let byte = (type << 4) | (size & 0x0f);
    for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
      bytes[at++] = byte | 0x80;
      byte = rest & 0x7f;
    }
    bytes[at++] = byte;
    this.#end = at;
  }

  /** How far back the base is: seven bits a byte, highest first, each byte but the last counting one more. */
  #putDistance(distance: number): void {
    let length = 1;
    for (let rest = Math.floor(distance / 128); rest > 0; rest = Math.floor((rest - 1) / 128)) length++;
    const end = this.#end + length;
    let rest = distance;
    this.#bytes[end - 1] = rest & 0x7f;
    for (let at = end - 2; at >= this.#end; at--) {
      rest = Math.floor(rest / 128) - 1;
      this.#bytes[at] = 0x80 | (rest & 0x7f);
    }
    this.#end = end;
  }

  /** A zlib stream of stored blocks. */
  #putStream(content: ByteString | Uint8Array): void {
    const bytes = this.#bytes;
    const size = content.length;
    let at = this.#end;
    bytes[at++] = 0x78;
    bytes[at++] = 0x01;
    let sum = 1;
    for (let from = 0; ;) {
      const length = Math.min(STORED_BLOCK_MAX, size - from);
      const isLast = from + length === size;
      bytes[at++] = isLast ? 1 : 0;
      bytes[at++] = length & 0xff;
      bytes[at++] = length >>> 8;
      bytes[at++] = ~length & 0xff;
      bytes[at++] = (~length >>> 8) & 0xff;
      putContent(bytes, at, content, from, length);
      sum = adler32(sum, bytes, at, at + length);
      at += length;
      from += length;
      if (isLast) break;
    }
    bytes[at++] = sum >>> 24;
    bytes[at++] = sum >>> 16;
    bytes[at++] = sum >>> 8;
    bytes[at++] = sum;
    this.#end = at;
  }
}

function sameWords(words: Int32Array, left: number, right: number): boolean {
  for (let index = 0; index < OID_WORDS; index++) if (words[left + index] !== words[right + index]) return false;
  return true;
}

/** Bytes that a stream of stored blocks takes. */
function streamBytes(size: number): number {
  return size + STREAM_BYTES + BLOCK_BYTES * Math.max(1, Math.ceil(size / STORED_BLOCK_MAX));
}

/** Below this a loop beats the call into native code. */
const LOOP_BYTES_MAX = 48;

function putContent(target: Buffer, at: number, content: ByteString | Uint8Array, from: number, length: number): void {
  if (typeof content === "string") {
    if (length <= LOOP_BYTES_MAX) {
      for (let index = 0; index < length; index++) target[at + index] = content.charCodeAt(from + index);
    } else {
      target.write(
        from === 0 && length === content.length ? content : content.slice(from, from + length),
        at,
        length,
        "latin1",
      );
    }
  } else if (length <= LOOP_BYTES_MAX) {
    for (let index = 0; index < length; index++) target[at + index] = content[from + index] as number;
  } else {
    target.set(content.subarray(from, from + length), at);
  }
}

const ADLER_MODULUS = 65521;
/** So many bytes can be added before the sums must be reduced, lest they leave 32 bits. */
const ADLER_STRETCH = 3800;

function adler32(seed: number, bytes: Uint8Array, start: number, end: number): number {
  let low = seed & 0xffff;
  let high = seed >>> 16;
  for (let at = start; at < end;) {
    const stop = Math.min(end, at + ADLER_STRETCH);
    for (; at < stop; at++) {
      low += bytes[at] as number;
      high += low;
    }
    low %= ADLER_MODULUS;
    high %= ADLER_MODULUS;
  }
  return ((high << 16) | low) >>> 0;
}

/** Most bytes that one instruction inserts, and copies. */
const INSERT_MAX = 127;
const COPY_MAX = 0xffffff;

let deltaBytes = Buffer.allocUnsafe(4096);

/** The delta that makes `content` by the edit; valid until the next call. */
function encodeDelta(content: Uint8Array, edit: TreeEdit): Uint8Array {
  const most = content.length + Math.ceil(content.length / INSERT_MAX) + 8 * (edit.count + 2) + 20;
  if (most > deltaBytes.length) deltaBytes = Buffer.allocUnsafe(most * 2);
  let at = putVarint(0, edit.oldBytes);
  at = putVarint(at, content.length);
  let from = 0;
  for (let index = 0; index < edit.count; index++) {
    const length = edit.lengthOf(index);
    const start = edit.startOf(index);
    at = start >= 0 ? putCopy(at, start, length) : putInsert(at, content, from, length);
    from += length;
  }
  return deltaBytes.subarray(0, at);
}

function putVarint(start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) deltaBytes[at++] = (rest & 0x7f) | 0x80;
  deltaBytes[at++] = rest;
  return at;
}

/** Copy: a byte of flags, then those bytes of offset and size that are not zero. */
function putCopy(position: number, start: number, length: number): number {
  let at = position;
  for (let copied = 0; copied < length;) {
    const size = Math.min(COPY_MAX, length - copied);
    const flagsAt = at++;
    let flags = 0x80;
    for (let index = 0, rest = start + copied; index < 4; index++, rest >>>= 8) {
      if ((rest & 0xff) !== 0) {
        flags |= 1 << index;
        deltaBytes[at++] = rest;
      }
    }
    for (let index = 0, rest = size; index < 3; index++, rest >>>= 8) {
      if ((rest & 0xff) !== 0) {
        flags |= 0x10 << index;
        deltaBytes[at++] = rest;
      }
    }
    deltaBytes[flagsAt] = flags;
    copied += size;
  }
  return at;
}

function putInsert(position: number, content: Uint8Array, from: number, length: number): number {
  let at = position;
  for (let done = 0; done < length;) {
    const size = Math.min(INSERT_MAX, length - done);
    deltaBytes[at++] = size;
    for (let index = 0; index < size; index++) deltaBytes[at++] = content[from + done + index] as number;
    done += size;
  }
  return at;
}

const FAN_OUT = 256;
const INDEX_MAGIC = 0xff744f63;

/** The index, version 2: fan-out, then oids, checksums and offsets in the order of the oids, then both files' hashes. */
function encodeIndex(pack: Buffer, count: number, offsets: Uint32Array, oidWords: Int32Array): Uint8Array {
  const order = sortedByOid(oidWords, count);
  const oidsAt = 8 + FAN_OUT * 4;
  const checksumsAt = oidsAt + count * OID_BYTES;
  const offsetsAt = checksumsAt + count * 4;
  const trailerAt = offsetsAt + count * 4;
  const index = Buffer.allocUnsafeSlow(trailerAt + 2 * OID_BYTES);
  const indexWords = new Int32Array(index.buffer, oidsAt, count * OID_WORDS);
  index.writeUInt32BE(INDEX_MAGIC, 0);
  index.writeUInt32BE(2, 4);
  const packEnd = pack.length - OID_BYTES;
  let byte = 0;
  for (let position = 0; position < count; position++) {
    const entry = order[position] as number;
    const oidAt = position * OID_WORDS;
    for (let word = 0; word < OID_WORDS; word++) {
      indexWords[oidAt + word] = oidWords[entry * OID_WORDS + word] as number;
    }
    const first = index[oidsAt + position * OID_BYTES] as number;
    for (; byte < first; byte++) index.writeUInt32BE(position, 8 + byte * 4);
    const start = offsets[entry] as number;
    const end = entry + 1 < count ? (offsets[entry + 1] as number) : packEnd;
    putUint32(index, checksumsAt + position * 4, checksumOf(pack, start, end));
    putUint32(index, offsetsAt + position * 4, start);
  }
  for (; byte < FAN_OUT; byte++) index.writeUInt32BE(count, 8 + byte * 4);
  pack.copy(index, trailerAt, packEnd);
  const indexChecksum = hashBytes(index.subarray(0, trailerAt + OID_BYTES));
  index.write(indexChecksum, trailerAt + OID_BYTES, OID_BYTES, "latin1");
  return index;
}

function putUint32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}

/** The CRC-32 of each byte, for the entries that are too short for a call into native code to pay. */
const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => crc32(Uint8Array.of(byte)) ^ crc32(Uint8Array.of(0)));
const CRC_LOOP_BYTES_MAX = 200;

function checksumOf(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > CRC_LOOP_BYTES_MAX) return crc32(bytes.subarray(start, end));
  let register = -1;
  for (let at = start; at < end; at++) {
    register = (CRC_TABLE[(register ^ (bytes[at] as number)) & 0xff] as number) ^ (register >>> 8);
  }
  return ~register;
}

const BUCKETS = 0x10000;

/** The entries sorted by oid: into buckets by the first two bytes, which nearly sorts them, then by insertion. */
function sortedByOid(oidWords: Int32Array, count: number): Uint32Array {
  const oids = new Uint8Array(oidWords.buffer);
  const bucketOf = (entry: number): number =>
    ((oids[entry * OID_BYTES] as number) << 8) | (oids[entry * OID_BYTES + 1] as number);
  const places = new Uint32Array(BUCKETS + 1);
  for (let entry = 0; entry < count; entry++) {
    const after = bucketOf(entry) + 1;
    places[after] = (places[after] as number) + 1;
  }
  for (let bucket = 1; bucket < BUCKETS; bucket++) {
    places[bucket] = (places[bucket] as number) + (places[bucket - 1] as number);
  }
  const order = new Uint32Array(count);
  for (let entry = 0; entry < count; entry++) {
    const bucket = bucketOf(entry);
    const place = places[bucket] as number;
    order[place] = entry;
    places[bucket] = place + 1;
  }
  for (let index = 1; index < count; index++) {
    const entry = order[index] as number;
    let place = index;
    while (place > 0 && compareOids(oids, order[place - 1] as number, entry) > 0) {
      order[place] = order[place - 1] as number;
      place--;
    }
    order[place] = entry;
  }
  return order;
}

function compareOids(oids: Uint8Array, left: EntryIndex, right: EntryIndex): number {
  for (let at = 0; at < OID_BYTES; at++) {
    const difference = (oids[left * OID_BYTES + at] as number) - (oids[right * OID_BYTES + at] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
