/**
 * Pack entries: what stands before an object's data in a pack, and streams that hold the data as it is.
 *
 * Owns the encoding (gitformat-pack(5); RFC 1950 and 1951 for the streams), for the pack that is being recorded and for
 * those that are rewritten. It knows nothing of what the objects are.
 */
import { Buffer } from "node:buffer";
import type { ByteString } from "../../../protocol/bytes.js";

/** Most bytes in a stored block (RFC 1951, 3.2.4). */
const STORED_BLOCK_MAX = 0xffff;
/** zlib header and Adler-32 of a stream, and the header of each block in it. */
const STREAM_BYTES = 2 + 4;
const BLOCK_BYTES = 5;

/** Most bytes that `putEntryHeader` and `putDistance` write together. */
export const ENTRY_HEADER_ROOM = 24;
/** The type number of a delta that tells how far back its base is. */
export const OFFSET_DELTA = 6;
/** The type numbers of whole objects. */
export const TYPE_NUMBERS = { commit: 1, tree: 2, blob: 3, tag: 4 } as const;

/** Puts type and size of an entry at `start`: four bits of the size, then seven a byte, lowest first; returns where they end. */
export function putEntryHeader(
  bytes: Uint8Array,
  start: number,
  { type, size }: { readonly type: number; readonly size: number },
): number {
  let at = start;
  let byte = (type << 4) | (size & 0x0f);
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
    bytes[at++] = byte | 0x80;
    byte = rest & 0x7f;
  }
  bytes[at++] = byte;
  return at;
}

/**
 * Puts how far before a delta its base begins at `start`: seven bits a byte, highest first, each byte but the last counting
 * one more; returns where it ends.
 */
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

/**
 * Puts a zlib stream of stored blocks, of `size` bytes of `source` from `from` on, at `start`; returns where it ends.
 * `storedStreamBytes` tells how much room it takes.
 */
export function putStoredStream(
  bytes: Buffer,
  start: number,
  { source, from, size }: { readonly source: ByteString | Uint8Array; readonly from: number; readonly size: number },
): number {
  let at = start;
  bytes[at++] = 0x78;
  bytes[at++] = 0x01;
  let sum = 1;
  for (let done = 0; ;) {
    const length = Math.min(STORED_BLOCK_MAX, size - done);
    const isLast = done + length === size;
    bytes[at++] = isLast ? 1 : 0;
    bytes[at++] = length & 0xff;
    bytes[at++] = length >>> 8;
    bytes[at++] = ~length & 0xff;
    bytes[at++] = (~length >>> 8) & 0xff;
    putContent(bytes, at, source, from + done, length);
    sum = adler32(sum, bytes, at, at + length);
    at += length;
    done += length;
    if (isLast) break;
  }
  bytes[at++] = sum >>> 24;
  bytes[at++] = sum >>> 16;
  bytes[at++] = sum >>> 8;
  bytes[at++] = sum;
  return at;
}

/** A zlib stream that holds up to 65,535 bytes as they are: for short data the fastest to read. */
export function storedStream(data: Uint8Array): Buffer {
  const size = data.length;
  if (size > STORED_BLOCK_MAX) throw new RangeError(`${String(size)} bytes do not fit into one stored block`);
  const stream = Buffer.allocUnsafe(storedStreamBytes(size));
  putStoredStream(stream, 0, { source: data, from: 0, size });
  return stream;
}

/** Bytes that a stream of stored blocks takes. */
export function storedStreamBytes(size: number): number {
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
