/**
 * What the index of a work tree names.
 *
 * Owns the reading of ids, versions 2 to 4, and nothing else of an index: `git gc` counts them as needed, those of the entries
 * because what is staged is nowhere else, and those of the cached trees because it follows them. Source: gitformat-index(5).
 *
 *   "DIRC" version(4) entries(4) │ entry: 10 words (the 7th is the mode), oid (20), flags (2), more flags (2, if told), name
 *   extensions: name(4) bytes(4) … ; "TREE": path NUL, entries BLANK, subtrees NEWLINE, oid (20) unless entries is -1
 */
import { Buffer } from "node:buffer";
import { OID_BYTES, oidFromBytes, type Oid } from "../object/oid.js";

const SIGNATURE = "DIRC";
const HEADER_BYTES = 12;
const MODE_AT = 24;
const OID_AT = 40;
const FLAGS_AT = OID_AT + OID_BYTES;
const HAS_MORE_FLAGS = 0x4000;
const TYPE_MASK = 0o170000;
const DIRECTORY = 0o040000;
const GITLINK = 0o160000;
/** In versions 2 and 3 an entry is padded to a multiple of this, with at least one NUL. */
const PADDING = 8;

/** What an index names. */
export interface IndexedObjects {
  readonly blobs: Set<Oid>;
  /** Of a sparse index, and those that it remembers for the next commit. */
  readonly trees: Set<Oid>;
}

const EXTENSION_HEADER_BYTES = 8;
const CACHED_TREES = "TREE";
const CACHED_TREE = /^(-1|[0-9]+) [0-9]+$/;
const NEWLINE = 0x0a;

/**
 * The ids of the objects that an index names; undefined when this is no index whose entries can be read.
 */
export function indexedObjects(content: Uint8Array): IndexedObjects | undefined {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  if (bytes.length < HEADER_BYTES || bytes.toString("latin1", 0, 4) !== SIGNATURE) return undefined;
  const version = bytes.readUInt32BE(4);
  if (version < 2 || version > 4) return undefined;
  const found: IndexedObjects = { blobs: new Set(), trees: new Set() };
  let at = HEADER_BYTES;
  for (let left = bytes.readUInt32BE(8); left > 0; left--) {
    if (at + FLAGS_AT + 2 > bytes.length) return undefined;
    const type = bytes.readUInt32BE(at + MODE_AT) & TYPE_MASK;
    if (type !== GITLINK) (type === DIRECTORY ? found.trees : found.blobs).add(oidFromBytes(bytes, at + OID_AT));
    const hasMoreFlags = (bytes.readUInt16BE(at + FLAGS_AT) & HAS_MORE_FLAGS) !== 0;
    // Version 4 has a number before the rest of the name, whose last byte alone is below 0x80; its others are no NULs.
    const nameEnd = bytes.indexOf(0, endOfNumber(bytes, at + FLAGS_AT + (hasMoreFlags ? 4 : 2), version === 4));
    if (nameEnd < 0) return undefined;
    at = version === 4 ? nameEnd + 1 : at + Math.ceil((nameEnd - at + 1) / PADDING) * PADDING;
  }
  addCachedTrees(bytes, at, found.trees);
  return found;
}

function addCachedTrees(bytes: Buffer, start: number, trees: Set<Oid>): void {
  // The index's own checksum comes last.
  for (let at = start; at + EXTENSION_HEADER_BYTES + OID_BYTES <= bytes.length;) {
    const end = at + EXTENSION_HEADER_BYTES + bytes.readUInt32BE(at + 4);
    if (bytes.toString("latin1", at, at + 4) === CACHED_TREES) {
      for (let entry = at + EXTENSION_HEADER_BYTES; entry < end;) {
        const name = bytes.indexOf(0, entry);
        const line = bytes.indexOf(NEWLINE, name);
        const entries = CACHED_TREE.exec(bytes.toString("latin1", name + 1, line))?.[1];
        if (name < 0 || line < 0 || entries === undefined) return;
        entry = line + 1;
        if (entries === "-1") continue;
        trees.add(oidFromBytes(bytes, entry));
        entry += OID_BYTES;
      }
    }
    at = end;
  }
}

function endOfNumber(bytes: Buffer, start: number, hasNumber: boolean): number {
  if (!hasNumber) return start;
  let at = start;
  while ((bytes[at] ?? 0) >= 0x80) at++;
  return at + 1;
}
