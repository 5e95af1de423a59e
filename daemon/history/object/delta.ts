/**
 * Deltas: a tree object as copies of stretches of an older one and new bytes between them.
 *
 * Owns the instructions (gitformat-pack(5), "Deltified representation"). It searches for nothing: what was copied and what
 * is new comes from the edit itself.
 */
import { Buffer } from "node:buffer";
import type { TreeEdit } from "./tree-edit.js";

/** Most bytes that one instruction inserts. */
export const INSERT_MAX = 127;
/** Most bytes that one instruction copies. */
export const COPY_MAX = 0xffffff;
/** Two varints of 53 bits. */
export const SIZES_BYTES_MAX = 16;

let scratch = Buffer.allocUnsafe(4096);

/** The bytes of deltas; valid until the next `encodeDelta`. */
export function deltaScratch(): Buffer {
  return scratch;
}

/**
 * Encodes the delta that makes new bytes by an edit of old ones, into `deltaScratch()`.
 *
 * @param bytes - hold the new content from `start` to their end
 * @returns how many bytes the delta has
 */
export function encodeDelta(bytes: Uint8Array, start: number, edit: TreeEdit): number {
  const size = bytes.length - start;
  const { replacedAt } = edit;
  if (replacedAt >= 0 && edit.replacedBytes <= INSERT_MAX) return encodeReplacement(bytes, start, edit);
  const pieces = edit.count;
  const most = deltaBytesMax(edit);
  if (most > scratch.length) scratch = Buffer.allocUnsafe(most * 2);
  let at = putDeltaVarint(scratch, 0, edit.oldBytes);
  at = putDeltaVarint(scratch, at, size);
  let from = start;
  for (let index = 0; index < pieces; index++) {
    const length = edit.lengthOf(index);
    const old = edit.startOf(index);
    at = old >= 0 ? putCopy(scratch, at, { from: old, length }) : putInsert(at, bytes, from, length);
    from += length;
  }
  return at;
}

/** Most bytes that the delta takes: for a large directory of which little is new far fewer than it has itself. */
function deltaBytesMax(edit: TreeEdit): number {
  let most = SIZES_BYTES_MAX;
  for (let index = 0; index < edit.count; index++) {
    const length = edit.lengthOf(index);
    most += edit.startOf(index) < 0 ? length + Math.ceil(length / INSERT_MAX) : 8 * Math.ceil(length / COPY_MAX);
  }
  return most;
}

/** The delta of one replaced stretch, which most are, without a list of pieces; `scratch` always has room for it. */
function encodeReplacement(bytes: Uint8Array, start: number, { replacedAt, replacedBytes }: TreeEdit): number {
  const size = bytes.length - start;
  let at = putDeltaVarint(scratch, putDeltaVarint(scratch, 0, size), size);
  at = putCopy(scratch, at, { from: 0, length: replacedAt });
  scratch[at++] = replacedBytes;
  const from = start + replacedAt;
  for (let index = 0; index < replacedBytes; index++) scratch[at + index] = bytes[from + index] as number;
  at += replacedBytes;
  const end = replacedAt + replacedBytes;
  return putCopy(scratch, at, { from: end, length: size - end });
}

/** Puts a number of a delta at `start` of `bytes`: seven bits a byte, the lowest first; returns where it ends. */
export function putDeltaVarint(bytes: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes[at++] = (rest & 0x7f) | 0x80;
  bytes[at++] = rest;
  return at;
}

/**
 * Puts copies of a stretch of the base at `start` of `bytes`, eight bytes at most for each 16 MiB: a byte of flags, then
 * those bytes of offset and size that are not zero; returns where they end.
 */
export function putCopy(
  bytes: Uint8Array,
  start: number,
  { from, length }: { readonly from: number; readonly length: number },
): number {
  let at = start;
  for (let copied = 0; copied < length;) {
    const size = Math.min(COPY_MAX, length - copied);
    const flagsAt = at++;
    let flags = 0x80;
    for (let flag = 1, rest = from + copied; rest !== 0; flag <<= 1, rest >>>= 8) {
      if ((rest & 0xff) === 0) continue;
      flags |= flag;
      bytes[at++] = rest;
    }
    for (let flag = 0x10, rest = size; rest !== 0; flag <<= 1, rest >>>= 8) {
      if ((rest & 0xff) === 0) continue;
      flags |= flag;
      bytes[at++] = rest;
    }
    bytes[flagsAt] = flags;
    copied += size;
  }
  return at;
}

function putInsert(position: number, bytes: Uint8Array, from: number, length: number): number {
  let at = position;
  for (let done = 0; done < length;) {
    const size = Math.min(INSERT_MAX, length - done);
    scratch[at++] = size;
    for (let index = 0; index < size; index++) scratch[at++] = bytes[from + done + index] as number;
    done += size;
  }
  return at;
}
