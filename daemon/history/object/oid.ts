/**
 * Object ids: the names of Git objects.
 *
 * Owns the representation: the 20 raw bytes of a SHA-1 as a byte string, which a map hashes and compares natively and
 * which stands in tree objects as it is. Hexadecimal is for people, refs, commit objects and file names.
 *
 * Hashing goes through one scratch buffer and `crypto.hash`: about 0.4 µs for a small object, where a hash object and
 * its Buffers take three times as long.
 */
import { Buffer } from "node:buffer";
import { hash } from "node:crypto";
import type { ByteString } from "../../../protocol/bytes.js";

/** The SHA-1 of a Git object, as a byte string of 20 characters. */
export type Oid = ByteString & { readonly __brand: "Oid" };

/** Bytes of an oid. */
export const OID_BYTES = 20;

const HEX = /^[0-9a-f]{40}$/;

const hexScratch = Buffer.allocUnsafe(OID_BYTES);

/** The 40 lower-case hexadecimal digits of an oid. */
export function hexFromOid(oid: Oid): string {
  for (let index = 0; index < OID_BYTES; index++) hexScratch[index] = oid.charCodeAt(index);
  return hexScratch.toString("hex");
}

/** The oid of 40 lower-case hexadecimal digits; throws a RangeError for anything else. */
export function oidFromHex(hex: string): Oid {
  if (!HEX.test(hex))
    throw new RangeError(`an object id is 40 lower-case hexadecimal digits, not ${JSON.stringify(hex)}`);
  return Buffer.from(hex, "hex").toString("latin1") as Oid;
}

/** The oid that stands at `at` of `bytes`. */
export function oidFromBytes(bytes: Buffer, at: number): Oid {
  return bytes.toString("latin1", at, at + OID_BYTES) as Oid;
}

/** Compares two oids as bytes; negative when the one at `leftAt` comes first. */
export function compareOids(left: Uint8Array, leftAt: number, right: Uint8Array, rightAt: number): number {
  for (let index = 0; index < OID_BYTES; index++) {
    const difference = (left[leftAt + index] as number) - (right[rightAt + index] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The SHA-1 of bytes as they are: of an object with its header, of a pack, of an index. */
export function hashBytes(bytes: Uint8Array): Oid {
  return hash("sha1", bytes, "binary") as Oid;
}

let scratch = Buffer.allocUnsafe(16 * 1024);
/** Views of the scratch buffer from its start, by length: making one takes as long as hashing a block. */
let views: Uint8Array[] = [];
const VIEW_BYTES_MAX = 1024;
/** Below this a loop beats the call into native code. */
const LOOP_BYTES_MAX = 64;

/** The oid of an object: the SHA-1 of `TYPE SIZE NUL CONTENT`. */
export function hashObject(type: "commit" | "tree" | "blob" | "tag", content: ByteString | Uint8Array): Oid {
  const size = content.length;
  const header = `${type} ${String(size)}\0`;
  const start = header.length;
  const end = start + size;
  if (end > scratch.length) {
    scratch = Buffer.allocUnsafe(end * 2);
    views = [];
  }
  for (let index = 0; index < start; index++) scratch[index] = header.charCodeAt(index);
  if (typeof content !== "string") scratch.set(content, start);
  else if (size > LOOP_BYTES_MAX) scratch.write(content, start, size, "latin1");
  else for (let index = 0; index < size; index++) scratch[start + index] = content.charCodeAt(index);
  return hashBytes(end < VIEW_BYTES_MAX ? (views[end] ??= scratch.subarray(0, end)) : scratch.subarray(0, end));
}

/** The blob without content: what a node without children and value is. */
export const EMPTY_BLOB: Oid = hashObject("blob", "");
