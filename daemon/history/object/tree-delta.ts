/**
 * Deltas between two versions of a directory, found by comparing them.
 *
 * Owns the search; the instructions are `delta.ts`'s. While a commit is recorded a delta
 * comes from the edit itself (`tree-edit.ts`); this is for consolidation, which has both contents and no edit. It knows
 * that a directory's bytes are entries, nothing else of their meaning; any two byte strings give a right delta.
 */
import { Buffer } from "node:buffer";
import { COPY_MAX, INSERT_MAX, putCopy, putDeltaVarint, SIZES_BYTES_MAX } from "./delta.js";
import { OID_BYTES } from "./oid.js";

/** A shorter stretch that is equal costs less inserted along with its neighbours. */
const COPY_BYTES_MIN = 8;
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
    this.#end = putDeltaVarint(this.#bytes, this.#end, value);
  }

  #flushCopy(): void {
    this.#reserve(COPY_INSTRUCTION_BYTES_MAX * Math.ceil(this.#copyLength / COPY_MAX));
    this.#end = putCopy(this.#bytes, this.#end, { from: this.#copyFrom, length: this.#copyLength });
    this.#copyLength = 0;
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
