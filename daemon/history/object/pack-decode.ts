/**
 * Reading what stands in packs and loose files: entry headers, zlib streams, deltas, the fan-out of an index.
 *
 * Owns the formats, as pure functions over bytes. It never reads a file and never trusts a byte: whatever is wrong ends
 * in `PackDamage`, never in wrong data, an endless loop or a large allocation that the input does not pay for.
 * Source: gitformat-pack(5); RFC 1950 (zlib), RFC 1951 (deflate).
 *
 * Inflating by hand: our own packs hold *stored* streams, and Git compresses a short value into one block with the
 * fixed Huffman code. Both are decoded here, at 0.2 to 1 µs for a short value where `zlib.inflateSync` takes 5 to 8
 * (it sets up a native stream each time); a stream with any other block goes to zlib whole.
 */
import { Buffer } from "node:buffer";
import { inflateSync } from "node:zlib";
import { OID_BYTES, oidFromBytes, type Oid } from "./oid.js";

/** The four kinds of Git objects. */
export type ObjectType = "commit" | "tree" | "blob" | "tag";

/** An object as Git names it: the oid is the SHA-1 of type, size and data. */
export interface GitObject {
  readonly type: ObjectType;
  /** The content without header. May be shared with a cache: never write to it. */
  readonly data: Buffer;
}

/** The bytes contradict the format. */
export class PackDamage extends Error {
  override readonly name = "PackDamage";
  /** The place of the damage in the bytes that were given. */
  readonly at: number;
  constructor(at: number, reason: string) {
    super(reason);
    this.at = at;
  }
}

/** What stands before an entry's zlib stream in a pack. */
export type EntryHeader =
  | { readonly kind: "object"; readonly type: ObjectType; readonly size: number; readonly dataAt: number }
  /** `distance`: the base's entry begins so many bytes before this one. */
  | { readonly kind: "offset-delta"; readonly distance: number; readonly size: number; readonly dataAt: number }
  | { readonly kind: "oid-delta"; readonly base: Oid; readonly size: number; readonly dataAt: number };

/** Most bytes that an entry's header takes: size 8 × 7 + 4 bits, then an oid or a distance. */
export const ENTRY_HEADER_BYTES_MAX = 32;

const OBJECT_TYPES: readonly (ObjectType | undefined)[] = [undefined, "commit", "tree", "blob", "tag"];
const OFFSET_DELTA = 6;
const OID_DELTA = 7;

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new PackDamage(at, "it ends in the middle of a number");
  return byte;
}

/**
 * Decodes the header of the entry that begins at `at`; `size` is that of the inflated data (for a delta, of the delta).
 *
 * @param start - where `bytes` begins in the file, so that `dataAt` is a place in the file; 0 unless told
 */
export function decodeEntryHeader(bytes: Buffer, at: number, start = 0): EntryHeader {
  let next = at;
  let byte = byteAt(bytes, next++);
  const code = (byte >> 4) & 7;
  let size = byte & 0x0f;
  for (let scale = 16; byte >= 0x80; scale *= 128) {
    byte = byteAt(bytes, next++);
    size += (byte & 0x7f) * scale;
    if (size > Number.MAX_SAFE_INTEGER) throw new PackDamage(at, "the size of the object is beyond any file");
  }
  const type = OBJECT_TYPES[code];
  if (type !== undefined) return { kind: "object", type, size, dataAt: start + next };
  if (code === OFFSET_DELTA) {
    byte = byteAt(bytes, next++);
    let distance = byte & 0x7f;
    while (byte >= 0x80) {
      byte = byteAt(bytes, next++);
      distance = (distance + 1) * 128 + (byte & 0x7f);
      if (distance > Number.MAX_SAFE_INTEGER)
        throw new PackDamage(at, "the distance to the delta's base is beyond any file");
    }
    return { kind: "offset-delta", distance, size, dataAt: start + next };
  }
  if (code === OID_DELTA) {
    if (next + OID_BYTES > bytes.length) throw new PackDamage(next, "it ends in the middle of an object id");
    return {
      kind: "oid-delta",
      base: oidFromBytes(bytes, next),
      size,
      dataAt: start + next + OID_BYTES,
    };
  }
  throw new PackDamage(at, `${String(code)} is no type of a pack entry (1 to 4, 6 and 7 are)`);
}

/**
 * Most bytes that a zlib stream of `size` bytes takes when the usual libraries made it (zlib's `deflateBound`, and
 * stored blocks of 65,535 bytes); a stranger stream may be longer.
 */
export function zlibStreamBytesUsual(size: number): number {
  return size + Math.ceil(size / 32) + 64;
}

/** So many bytes can be summed before the sums could leave 32 bits (RFC 1950; zlib calls it NMAX). */
const ADLER_BYTES_BEFORE_MODULO = 5552;
const ADLER_MODULUS = 65521;

function adler32(bytes: Uint8Array): number {
  let low = 1;
  let high = 0;
  const length = bytes.length;
  for (let at = 0; at < length;) {
    const end = Math.min(at + ADLER_BYTES_BEFORE_MODULO, length);
    for (; at < end; at++) {
      low += bytes[at] as number;
      high += low;
    }
    low %= ADLER_MODULUS;
    high %= ADLER_MODULUS;
  }
  return high * 65536 + low;
}

/** What to inflate. */
export interface ZlibStream {
  /** Holds the stream and possibly more behind it. */
  readonly bytes: Buffer;
  /** Where the stream begins. */
  readonly at: number;
  /** Bytes that it must inflate to, no more and no fewer. */
  readonly size: number;
  /** The result will be kept: give it memory of its own instead of a piece of a pool, which it would keep alive. */
  readonly lasting: boolean;
}

/**
 * Inflates a zlib stream of known size; the checksum is verified.
 *
 * @returns a fresh buffer, or undefined when `bytes` ends before the stream does
 */
export function inflateStream(stream: ZlibStream): Buffer | undefined {
  const { bytes, at, size } = stream;
  if (at + 2 > bytes.length) return undefined;
  const method = bytes[at] as number;
  const flags = bytes[at + 1] as number;
  if ((method & 0x0f) !== 8 || method >> 4 > 7 || (method * 256 + flags) % 31 !== 0) {
    throw new PackDamage(at, "here should be a zlib stream, and its header is wrong");
  }
  if ((flags & 0x20) !== 0) throw new PackDamage(at, "the zlib stream asks for a dictionary, which Git never uses");
  const first = bytes[at + 2];
  if (first === undefined) return undefined;
  const kind = (first >> 1) & 3;
  // By hand the target is allocated first, so the input must be able to pay for it; zlib grows as it goes.
  const byHand = kind === STORED ? bytes.length - at >= size : kind === FIXED && size <= FIXED_BY_HAND_BYTES_MAX;
  if (!byHand) return inflateByZlib(stream);
  const target = allocate(stream);
  const end = inflateByHand(bytes, at + 2, target);
  if (end === NEEDS_ZLIB) return inflateByZlib(stream);
  if (end === NEEDS_MORE || end + 4 > bytes.length) return undefined;
  if (bytes.readUInt32BE(end) !== adler32(target)) throw new PackDamage(at, "the zlib stream's checksum is wrong");
  return target;
}

function allocate({ size, lasting }: ZlibStream): Buffer {
  return lasting ? Buffer.allocUnsafeSlow(size) : Buffer.allocUnsafe(size);
}

function inflateByZlib({ bytes, at, size, lasting }: ZlibStream): Buffer | undefined {
  let data: Buffer;
  try {
    data = inflateSync(at === 0 ? bytes : bytes.subarray(at), {
      maxOutputLength: Math.max(1, size),
      // One byte more than needed, so that zlib sees the end of the stream in its first call.
      chunkSize: Math.min(Math.max(64, size + 1), 1 << 16),
    });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "Z_BUF_ERROR") return undefined;
    if (code === "ERR_BUFFER_TOO_LARGE")
      throw new PackDamage(at, `the zlib stream holds more than the ${String(size)} bytes that it should`);
    throw new PackDamage(
      at,
      `the zlib stream is damaged (${error instanceof Error ? error.message : "unknown error"})`,
    );
  }
  if (data.length !== size) {
    throw new PackDamage(at, `the zlib stream holds ${String(data.length)} bytes and should hold ${String(size)}`);
  }
  // zlib's own result can be a piece of a larger chunk.
  return lasting && data.buffer.byteLength > size + 64 ? copyOf(data) : data;
}

function copyOf(data: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(data.length);
  data.copy(copy);
  return copy;
}

const STORED = 0;
const FIXED = 1;
/** Above this the native code wins. */
const FIXED_BY_HAND_BYTES_MAX = 4096;
const NEEDS_ZLIB = -1;
const NEEDS_MORE = -2;

/** Base values and extra bits of RFC 1951, 3.2.5, for length codes 257.. and distance codes 0... */
const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
];

/** Fixed code (RFC 1951, 3.2.6) by its next nine bits, the first bit lowest: symbol × 16 + bits that the symbol takes. */
const FIXED_CODE = fixedCode();
/** Five bits in reverse order: distance codes stand with their highest bit first. */
const REVERSED_5 = Array.from({ length: 32 }, (_, value) => reverseBits(value, 5));

function reverseBits(value: number, count: number): number {
  let reversed = 0;
  for (let bit = 0; bit < count; bit++) if ((value & (1 << bit)) !== 0) reversed |= 1 << (count - 1 - bit);
  return reversed;
}

function fixedCode(): Uint16Array {
  const table = new Uint16Array(512);
  const enter = (symbol: number, code: number, bits: number): void => {
    const reversed = reverseBits(code, bits);
    for (let rest = 0; rest < 1 << (9 - bits); rest++) table[reversed | (rest << bits)] = symbol * 16 + bits;
  };
  for (let symbol = 0; symbol < 144; symbol++) enter(symbol, 0x30 + symbol, 8);
  for (let symbol = 144; symbol < 256; symbol++) enter(symbol, 0x190 + symbol - 144, 9);
  for (let symbol = 256; symbol < 280; symbol++) enter(symbol, symbol - 256, 7);
  for (let symbol = 280; symbol < 288; symbol++) enter(symbol, 0xc0 + symbol - 280, 8);
  return table;
}

/** Where decoding of a stream is: one object, reused, because a call per value would allocate one per value. */
const state = { at: 0, bits: 0, bitCount: 0, filled: 0 };

/**
 * Decodes blocks from `at` until the last one; fills `target` exactly.
 *
 * @returns where the checksum begins, `NEEDS_ZLIB` at a block with its own Huffman code, `NEEDS_MORE` at the end of `bytes`
 */
function inflateByHand(bytes: Buffer, at: number, target: Buffer): number {
  state.at = at;
  state.bits = 0;
  state.bitCount = 0;
  state.filled = 0;
  for (let last = false; !last;) {
    while (state.bitCount < 3) {
      if (state.at >= bytes.length) return NEEDS_MORE;
      state.bits |= (bytes[state.at++] as number) << state.bitCount;
      state.bitCount += 8;
    }
    last = (state.bits & 1) !== 0;
    const kind = (state.bits >> 1) & 3;
    state.bits >>>= 3;
    state.bitCount -= 3;
    if (kind === 3) throw new PackDamage(state.at - 1, "the zlib stream has a block of a kind that does not exist");
    if (kind !== STORED && kind !== FIXED) return NEEDS_ZLIB;
    if (!(kind === STORED ? copyStoredBlock(bytes, target) : inflateFixedBlock(bytes, target))) return NEEDS_MORE;
  }
  if (state.filled !== target.length) {
    throw new PackDamage(
      at,
      `the zlib stream holds ${String(state.filled)} bytes and should hold ${String(target.length)}`,
    );
  }
  // Whole bytes that were read ahead belong to the checksum.
  return state.at - (state.bitCount >> 3);
}

function tooLong(at: number, target: Buffer): PackDamage {
  return new PackDamage(at, `the zlib stream holds more than the ${String(target.length)} bytes that it should`);
}

/** Returns false when `bytes` ends first. */
function copyStoredBlock(bytes: Buffer, target: Buffer): boolean {
  const at = state.at - (state.bitCount >> 3);
  if (at + 4 > bytes.length) return false;
  const length = bytes.readUInt16LE(at);
  if ((length ^ bytes.readUInt16LE(at + 2)) !== 0xffff)
    throw new PackDamage(at, "a stored block's length contradicts its complement");
  if (state.filled + length > target.length) throw tooLong(at, target);
  if (at + 4 + length > bytes.length) return false;
  bytes.copy(target, state.filled, at + 4, at + 4 + length);
  state.filled += length;
  state.at = at + 4 + length;
  state.bits = 0;
  state.bitCount = 0;
  return true;
}

/**
 * Returns false when `bytes` ends first. Bits are fetched before each part of a code, so that at most 20 are held.
 */
function inflateFixedBlock(bytes: Buffer, target: Buffer): boolean {
  let { at, bits, bitCount, filled } = state;
  const end = bytes.length;
  for (;;) {
    while (bitCount < 9 && at < end) {
      bits |= (bytes[at++] as number) << bitCount;
      bitCount += 8;
    }
    const entry = FIXED_CODE[bits & 0x1ff] as number;
    const codeBits = entry & 15;
    if (codeBits > bitCount) return false;
    bits >>>= codeBits;
    bitCount -= codeBits;
    const symbol = entry >> 4;
    if (symbol < 256) {
      if (filled >= target.length) throw tooLong(at, target);
      target[filled++] = symbol;
      continue;
    }
    if (symbol === 256) break;
    const lengthExtra = LENGTH_EXTRA[symbol - 257];
    if (lengthExtra === undefined) throw new PackDamage(at, "the zlib stream has a length code that does not exist");
    while (bitCount < lengthExtra + 5) {
      if (at >= end) return false;
      bits |= (bytes[at++] as number) << bitCount;
      bitCount += 8;
    }
    const length = (LENGTH_BASE[symbol - 257] as number) + (bits & ((1 << lengthExtra) - 1));
    bits >>>= lengthExtra;
    const code = REVERSED_5[bits & 31] as number;
    bits >>>= 5;
    bitCount -= lengthExtra + 5;
    const distanceBase = DISTANCE_BASE[code];
    if (distanceBase === undefined) throw new PackDamage(at, "the zlib stream has a distance code that does not exist");
    const distanceExtra = code < 2 ? 0 : (code >> 1) - 1;
    while (bitCount < distanceExtra) {
      if (at >= end) return false;
      bits |= (bytes[at++] as number) << bitCount;
      bitCount += 8;
    }
    const distance = distanceBase + (bits & ((1 << distanceExtra) - 1));
    bits >>>= distanceExtra;
    bitCount -= distanceExtra;
    if (distance > filled) throw new PackDamage(at, "the zlib stream refers to bytes before its beginning");
    if (filled + length > target.length) throw tooLong(at, target);
    for (const stop = filled + length; filled < stop; filled++) target[filled] = target[filled - distance] as number;
  }
  state.at = at;
  state.bits = bits;
  state.bitCount = bitCount;
  state.filled = filled;
  return true;
}

/** A number in a delta: seven bits a byte, the lowest first. */
function deltaNumber(delta: Buffer, from: number): { readonly value: number; readonly next: number } {
  let value = 0;
  let next = from;
  for (let scale = 1; ; scale *= 128) {
    const byte = byteAt(delta, next++);
    value += (byte & 0x7f) * scale;
    if (value > Number.MAX_SAFE_INTEGER) throw new PackDamage(from, "a size in the delta is beyond any file");
    if (byte < 0x80) return { value, next };
  }
}

/** Results up to this size are allocated on the delta's word. */
const DELTA_RESULT_UNCHECKED_BYTES = 1024 * 1024;

/** How many bytes a delta's instructions make, as far as they can be followed. */
function deltaResultBytes(delta: Buffer, from: number): number {
  let bytes = 0;
  for (let at = from; at < delta.length;) {
    const op = delta[at++] as number;
    if (op < 0x80) {
      bytes += op;
      at += op;
      continue;
    }
    for (let bit = 0; bit < 4; bit++) if ((op & (1 << bit)) !== 0) at++;
    let length = 0;
    for (let bit = 4, scale = 1; bit < 7; bit++, scale *= 256)
      if ((op & (1 << bit)) !== 0) length += (delta[at++] ?? 0) * scale;
    bytes += length === 0 ? 0x10000 : length;
  }
  return bytes;
}

/**
 * Applies a delta to its base (gitformat-pack(5), "Deltified representation").
 *
 * @param sizeMax - refuse a result larger than this many bytes
 * @param allocate - gives the memory of the result, which is not that of the base; fresh memory of its own unless told
 * @throws PackDamage with a place in the delta
 */
export function applyDelta(
  base: Buffer,
  delta: Buffer,
  sizeMax: number,
  allocate: (size: number) => Buffer = (size) => Buffer.allocUnsafeSlow(size),
): Buffer {
  const baseSize = deltaNumber(delta, 0);
  if (baseSize.value !== base.length) {
    throw new PackDamage(
      0,
      `the delta is for a base of ${String(baseSize.value)} bytes, and its base has ${String(base.length)}`,
    );
  }
  const resultSize = deltaNumber(delta, baseSize.next);
  const size = resultSize.value;
  if (size > sizeMax)
    throw new PackDamage(0, `the object would have ${String(size)} bytes; at most ${String(sizeMax)} are read`);
  // A few bytes can announce any size; what they make must be able to pay for it.
  if (size > DELTA_RESULT_UNCHECKED_BYTES && size > deltaResultBytes(delta, resultSize.next)) {
    throw new PackDamage(0, `the delta makes fewer bytes than the ${String(size)} that it announces`);
  }
  const result = allocate(size);
  let filled = 0;
  for (let at = resultSize.next; at < delta.length;) {
    const op = delta[at] as number;
    const opAt = at++;
    if (op === 0) throw new PackDamage(opAt, "the delta has the reserved instruction 0");
    if (op < 0x80) {
      if (at + op > delta.length) throw new PackDamage(opAt, "the delta ends within an insertion");
      if (filled + op > size) throw new PackDamage(opAt, "the delta makes more bytes than it announces");
      delta.copy(result, filled, at, at + op);
      at += op;
      filled += op;
      continue;
    }
    let from = 0;
    let length = 0;
    for (let bit = 0, scale = 1; bit < 4; bit++, scale *= 256)
      if ((op & (1 << bit)) !== 0) from += byteAt(delta, at++) * scale;
    for (let bit = 4, scale = 1; bit < 7; bit++, scale *= 256)
      if ((op & (1 << bit)) !== 0) length += byteAt(delta, at++) * scale;
    if (length === 0) length = 0x10000;
    if (from + length > base.length) throw new PackDamage(opAt, "the delta copies from beyond its base");
    if (filled + length > size) throw new PackDamage(opAt, "the delta makes more bytes than it announces");
    base.copy(result, filled, from, from + length);
    filled += length;
  }
  if (filled !== size)
    throw new PackDamage(delta.length, `the delta makes ${String(filled)} bytes and announces ${String(size)}`);
  return result;
}

/** The bytes before the names in a pack index: magic, version, 256 counts. */
export const INDEX_HEADER_BYTES = 8 + 256 * 4;
const INDEX_MAGIC = 0xff744f63;

/** Decodes the beginning of a pack index, version 2: how many objects have a name whose first byte is at most i. */
export function decodeFanOut(bytes: Buffer): Uint32Array {
  if (bytes.length < INDEX_HEADER_BYTES) throw new PackDamage(bytes.length, "the index ends within its fan-out table");
  if (bytes.readUInt32BE(0) !== INDEX_MAGIC) {
    throw new PackDamage(0, "this is no pack index of version 2 (one of version 1 is rewritten by `git index-pack`)");
  }
  const version = bytes.readUInt32BE(4);
  if (version !== 2) throw new PackDamage(4, `the index has version ${String(version)}; we know 2`);
  const counts = new Uint32Array(256);
  let before = 0;
  for (let first = 0; first < 256; first++) {
    const count = bytes.readUInt32BE(8 + first * 4);
    if (count < before) throw new PackDamage(8 + first * 4, "the fan-out table decreases");
    before = counts[first] = count;
  }
  return counts;
}

/** Most bytes of a loose object's header: type, size in decimal, NUL. */
const LOOSE_HEADER_BYTES_MAX = 32;
const LOOSE_HEADER = /^(commit|tree|blob|tag) (0|[1-9][0-9]{0,15})$/;

/**
 * Decodes a loose object's file.
 *
 * @param sizeMax - refuse an object larger than this many bytes
 */
export function decodeLooseObject(file: Buffer, sizeMax: number): GitObject {
  let inflated: Buffer;
  try {
    inflated = inflateSync(file, { maxOutputLength: sizeMax + LOOSE_HEADER_BYTES_MAX });
  } catch (error) {
    throw new PackDamage(0, `the zlib stream is damaged (${error instanceof Error ? error.message : "unknown error"})`);
  }
  const headerEnd = inflated.subarray(0, LOOSE_HEADER_BYTES_MAX).indexOf(0);
  const [, type, digits] = LOOSE_HEADER.exec(inflated.toString("latin1", 0, Math.max(0, headerEnd))) ?? [];
  if (type === undefined) throw new PackDamage(0, 'it does not begin with "TYPE SIZE" and NUL');
  const data = inflated.subarray(headerEnd + 1);
  if (data.length !== Number(digits)) {
    throw new PackDamage(0, `it holds ${String(data.length)} bytes and announces ${String(digits)}`);
  }
  return { type: type as ObjectType, data };
}
