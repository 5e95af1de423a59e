/**
 * Deltas between two versions of a directory, found by comparing them, and the headers that stand before pack entries.
 *
 * Owns the search and the encoding (gitformat-pack(5), "Deltified representation"). While a commit is recorded a delta
 * comes from the edit itself (`tree-edit.ts`); this is for consolidation, which has both contents and no edit. It knows
 * that a directory's bytes are entries, nothing else of their meaning; any two byte strings give a right delta.
 */
import { Buffer } from "node:buffer";
import { OID_BYTES } from "./oid.js";

/** Most bytes that one instruction inserts, and copies. */
const INSERT_MAX = 127;
const COPY_MAX = 0xffffff;
/** A shorter stretch that is equal costs less inserted along with its neighbours. */
const COPY_BYTES_MIN = 8;
/** Two varints of 53 bits. */
const SIZES_BYTES_MAX = 16;
/** What one copy takes at most: a byte of flags, four of offset, three of size. */
const COPY_INSTRUCTION_BYTES_MAX = 8;

/** Collects instructions; copies that follow each other become one, and so do insertions. */
class DeltaInstructions {
  readonly #target: Buffer;
  #bytes = Buffer.allocUnsafe(1024);
  #end = 0;
  #copyFrom = 0;
  #copyLength = 0;
  #insertFrom = 0;
  #insertLength = 0;

  constructor(baseBytes: number, target: Buffer) {
    this.#target = target;
    this.#putVarint(baseBytes);
    this.#putVarint(target.length);
  }

  copy(from: number, length: number): void {
    if (length === 0) return;
    this.#flushInsert();
    if (this.#copyLength > 0 && this.#copyFrom + this.#copyLength === from) this.#copyLength += length;
    else {
      this.#flushCopy();
      this.#copyFrom = from;
      this.#copyLength = length;
    }
  }

  /** Inserts the target's bytes `from` on; insertions follow each other in the target. */
  insert(from: number, length: number): void {
    if (length === 0) return;
    this.#flushCopy();
    if (this.#insertLength === 0) this.#insertFrom = from;
    this.#insertLength += length;
  }

  finish(): Buffer {
    this.#flushCopy();
    this.#flushInsert();
    return this.#bytes.subarray(0, this.#end);
  }

  #reserve(more: number): void {
    if (this.#end + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe((this.#end + more) * 2);
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
  }

  #putVarint(value: number): void {
    this.#reserve(SIZES_BYTES_MAX);
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) this.#bytes[this.#end++] = (rest & 0x7f) | 0x80;
    this.#bytes[this.#end++] = rest;
  }

  #flushCopy(): void {
    for (; this.#copyLength > 0;) {
      const length = Math.min(COPY_MAX, this.#copyLength);
      this.#putCopy(this.#copyFrom, length);
      this.#copyFrom += length;
      this.#copyLength -= length;
    }
  }

  #putCopy(from: number, length: number): void {
    this.#reserve(COPY_INSTRUCTION_BYTES_MAX);
    const bytes = this.#bytes;
    const flagsAt = this.#end++;
    let flags = 0x80;
    for (let index = 0, rest = from; index < 4; index++, rest >>>= 8) {
      if ((rest & 0xff) === 0) continue;
      flags |= 1 << index;
      bytes[this.#end++] = rest & 0xff;
    }
    for (let index = 0, rest = length; index < 3; index++, rest >>>= 8) {
      if ((rest & 0xff) === 0) continue;
      flags |= 0x10 << index;
      bytes[this.#end++] = rest & 0xff;
    }
    bytes[flagsAt] = flags;
  }

  #flushInsert(): void {
    for (; this.#insertLength > 0;) {
      const length = Math.min(INSERT_MAX, this.#insertLength);
      this.#reserve(1 + length);
      this.#bytes[this.#end++] = length;
      this.#target.copy(this.#bytes, this.#end, this.#insertFrom, this.#insertFrom + length);
      this.#end += length;
      this.#insertFrom += length;
      this.#insertLength -= length;
    }
  }
}

/**
 * The delta that makes `target` from `base`; the caller asks whether it is short enough to be worth it.
 *
 * Worked example: in a directory of 1,000 entries one child changed. Both have the same length, all bytes are equal but the
 * child's 20: the delta is "copy, insert 20, copy", about 40 bytes for 30,000.
 */
export function encodeTreeDelta(base: Buffer, target: Buffer): Buffer {
  const instructions = new DeltaInstructions(base.length, target);
  if (base.length === target.length) compareInPlace(base, target, instructions);
  else {
    const least = Math.min(base.length, target.length);
    let prefix = 0;
    while (prefix < least && base[prefix] === target[prefix]) prefix++;
    let suffix = 0;
    while (suffix < least - prefix && base[base.length - 1 - suffix] === target[target.length - 1 - suffix]) suffix++;
    const middle = target.length - prefix - suffix;
    if (middle <= 4 * OID_BYTES) {
      instructions.copy(0, prefix);
      instructions.insert(prefix, middle);
      instructions.copy(base.length - suffix, suffix);
    } else compareEntries(base, target, instructions);
  }
  return instructions.finish();
}

/** For contents of one length: only oids differ, most likely. */
function compareInPlace(base: Buffer, target: Buffer, instructions: DeltaInstructions): void {
  const size = target.length;
  let insertFrom = 0;
  for (let at = 0; at < size;) {
    if (base[at] !== target[at]) {
      at++;
      continue;
    }
    const from = at;
    while (at < size && base[at] === target[at]) at++;
    if (at - from < COPY_BYTES_MIN) continue;
    instructions.insert(insertFrom, from - insertFrom);
    instructions.copy(from, at - from);
    insertFrom = at;
  }
  instructions.insert(insertFrom, size - insertFrom);
}

/** For entries that came and went in several places: each entry is looked up by mode and name. */
function compareEntries(base: Buffer, target: Buffer, instructions: DeltaInstructions): void {
  const known = new Map<string, number>();
  for (let at = 0; at < base.length;) {
    const nul = base.indexOf(0, at);
    if (nul === -1) break;
    known.set(base.toString("latin1", at, nul), at);
    at = nul + 1 + OID_BYTES;
  }
  for (let at = 0; at < target.length;) {
    const nul = target.indexOf(0, at);
    const end = nul === -1 ? target.length : Math.min(target.length, nul + 1 + OID_BYTES);
    const from = nul === -1 ? undefined : known.get(target.toString("latin1", at, nul));
    const length = end - at;
    if (from === undefined || from + length > base.length) instructions.insert(at, length);
    else if (base.compare(target, at, end, from, from + length) === 0) instructions.copy(from, length);
    else {
      const name = nul + 1 - at;
      if (name < COPY_BYTES_MIN) instructions.insert(at, length);
      else {
        instructions.copy(from, name);
        instructions.insert(nul + 1, end - nul - 1);
      }
    }
    at = end;
  }
}

/** Most bytes that `putEntryHeader` and `putDistance` write together. */
export const ENTRY_HEADER_ROOM = 24;
/** The type number of a delta that tells how far back its base is. */
export const OFFSET_DELTA = 6;
/** The type numbers of whole objects. */
export const TYPE_NUMBERS = { commit: 1, tree: 2, blob: 3, tag: 4 } as const;

/** Puts type and size of an entry at the beginning of `bytes`; returns where they end. */
export function putEntryHeader(bytes: Uint8Array, type: number, size: number): number {
  let at = 0;
  let byte = (type << 4) | (size & 0x0f);
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
    bytes[at++] = byte | 0x80;
    byte = rest & 0x7f;
  }
  bytes[at++] = byte;
  return at;
}

/** Puts how far before a delta its base begins at `start`; returns where it ends. */
export function putDistance(bytes: Uint8Array, start: number, distance: number): number {
  let length = 1;
  for (let rest = Math.floor(distance / 128); rest > 0; rest = Math.floor((rest - 1) / 128)) length++;
  let rest = distance;
  bytes[start + length - 1] = rest & 0x7f;
  for (let at = start + length - 2; at >= start; at--) {
    rest = Math.floor(rest / 128) - 1;
    bytes[at] = 0x80 | (rest & 0x7f);
  }
  return start + length;
}

const STORED_BLOCK_MAX = 0xffff;
const ADLER_MODULUS = 65521;

/** A zlib stream that holds up to 65,535 bytes as they are (RFC 1950, RFC 1951): for short data the fastest to read. */
export function storedStream(data: Uint8Array): Buffer {
  const size = data.length;
  if (size > STORED_BLOCK_MAX) throw new RangeError(`${String(size)} bytes do not fit into one stored block`);
  const stream = Buffer.allocUnsafe(size + 11);
  stream[0] = 0x78;
  stream[1] = 0x01;
  stream[2] = 1;
  stream.writeUInt16LE(size, 3);
  stream.writeUInt16LE(size ^ 0xffff, 5);
  stream.set(data, 7);
  let low = 1;
  let high = 0;
  for (const byte of data) {
    low = (low + byte) % ADLER_MODULUS;
    high = (high + low) % ADLER_MODULUS;
  }
  stream.writeUInt16BE(high, size + 7);
  stream.writeUInt16BE(low, size + 9);
  return stream;
}
