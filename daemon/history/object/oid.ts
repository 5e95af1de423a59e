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

/** The 40 lower-case hexadecimal digits of an oid. */
export function hexFromOid(oid: Oid): string {
  return Buffer.from(oid, "latin1").toString("hex");
}

/** The oid of 40 lower-case hexadecimal digits; throws a RangeError for anything else. */
export function oidFromHex(hex: string): Oid {
  if (!HEX.test(hex))
    throw new RangeError(`an object id is 40 lower-case hexadecimal digits, not ${JSON.stringify(hex)}`);
  return Buffer.from(hex, "hex").toString("latin1") as Oid;
}

/** The SHA-1 of bytes as they are: of an object with its header, of a pack, of an index. */
export function hashBytes(bytes: Uint8Array): Oid {
  return hash("sha1", bytes, "binary") as Oid;
}

let scratch = Buffer.allocUnsafe(16 * 1024);

/** The oid of an object: the SHA-1 of `TYPE SIZE NUL CONTENT`. */
export function hashObject(type: "commit" | "tree" | "blob" | "tag", content: ByteString | Uint8Array): Oid {
  const size = content.length;
  const header = `${type} ${String(size)}\0`;
  const start = header.length;
  if (start + size > scratch.length) scratch = Buffer.allocUnsafe((start + size) * 2);
  scratch.write(header, 0, start, "latin1");
  if (typeof content === "string") scratch.write(content, start, size, "latin1");
  else scratch.set(content, start);
  return hashBytes(scratch.subarray(0, start + size));
}

/** The blob without content: what a node without children and value is. */
export const EMPTY_BLOB: Oid = hashObject("blob", "");
