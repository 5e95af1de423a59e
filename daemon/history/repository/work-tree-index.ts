/**
 * What the index of a work tree names.
 *
 * Owns the reading of the blobs' ids, versions 2 to 4, and nothing else of an index: `git gc` counts them as needed, because
 * what is staged is nowhere else. Source: gitformat-index(5).
 *
 *   "DIRC" version(4) entries(4) │ entry: 10 words (the 7th is the mode), oid (20), flags (2), more flags (2, if told), name
 */
import { Buffer } from "node:buffer";
import { OID_BYTES, type Oid } from "../object/oid.js";

const SIGNATURE = "DIRC";
const HEADER_BYTES = 12;
const MODE_AT = 24;
const OID_AT = 40;
const FLAGS_AT = OID_AT + OID_BYTES;
const HAS_MORE_FLAGS = 0x4000;
const TYPE_MASK = 0o170000;
const GITLINK = 0o160000;
/** In versions 2 and 3 an entry is padded to a multiple of this, with at least one NUL. */
const PADDING = 8;

/**
 * The ids of the blobs that an index names.
 *
 * @returns undefined when this is no index that can be read to its end
 */
export function indexedBlobs(content: Uint8Array): Set<Oid> | undefined {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  if (bytes.length < HEADER_BYTES || bytes.toString("latin1", 0, 4) !== SIGNATURE) return undefined;
  const version = bytes.readUInt32BE(4);
  if (version < 2 || version > 4) return undefined;
  const found = new Set<Oid>();
  let at = HEADER_BYTES;
  for (let left = bytes.readUInt32BE(8); left > 0; left--) {
    if (at + FLAGS_AT + 2 > bytes.length) return undefined;
    if ((bytes.readUInt32BE(at + MODE_AT) & TYPE_MASK) !== GITLINK) {
      found.add(bytes.toString("latin1", at + OID_AT, at + OID_AT + OID_BYTES) as Oid);
    }
    const hasMoreFlags = (bytes.readUInt16BE(at + FLAGS_AT) & HAS_MORE_FLAGS) !== 0;
    // Version 4 has a number before the rest of the name, whose last byte alone is below 0x80; its others are no NULs.
    const nameEnd = bytes.indexOf(0, endOfNumber(bytes, at + FLAGS_AT + (hasMoreFlags ? 4 : 2), version === 4));
    if (nameEnd < 0) return undefined;
    at = version === 4 ? nameEnd + 1 : at + Math.ceil((nameEnd - at + 1) / PADDING) * PADDING;
  }
  return found;
}

function endOfNumber(bytes: Buffer, start: number, hasNumber: boolean): number {
  if (!hasNumber) return start;
  let at = start;
  while ((bytes[at] ?? 0) >= 0x80) at++;
  return at + 1;
}
