/**
 * Tree objects: their bytes and their order.
 *
 * Owns the format `MODE NAME NUL OID` and the *key* of an entry: its name, with `/` at the end when it is a directory.
 * Git sorts a directory as if its name ended so; the order of the keys by code unit is therefore Git's order (`device-model`
 * before the directory `device`), which is not the order of `Node.names`. It knows nothing of what the names mean.
 * Source: gitformat-tree (Git's `tree-walk.c`, `base_name_compare`).
 */
import { Buffer } from "node:buffer";
import type { ByteString } from "../../../protocol/bytes.js";
import { OID_BYTES, oidFromBytes, type Oid } from "./oid.js";

/** An entry's name; that of a directory ends in `/`, which no name contains. */
export type EntryKey = string;

const SLASH = 0x2f;
const BLOB_PREFIX = "100644 ";
const TREE_PREFIX = "40000 ";

/** Whether a key is that of a directory. */
export function isDirectoryKey(key: EntryKey): boolean {
  return key.charCodeAt(key.length - 1) === SLASH;
}

/** Bytes that stand before an entry's oid: mode, name and NUL. */
export function entryPrefixBytes(key: EntryKey): number {
  return isDirectoryKey(key) ? TREE_PREFIX.length + key.length : BLOB_PREFIX.length + key.length + 1;
}

/** Bytes of a whole entry. */
export function entryBytes(key: EntryKey): number {
  return entryPrefixBytes(key) + OID_BYTES;
}

/** The bytes that stand before an entry's oid. */
export function serializeEntryPrefix(key: EntryKey): ByteString {
  return isDirectoryKey(key) ? `${TREE_PREFIX}${key.slice(0, -1)}\0` : `${BLOB_PREFIX}${key}\0`;
}

/** Puts byte characters at `start` of `target`; returns where they end. */
export function putLatin1(target: Uint8Array, start: number, text: ByteString): number {
  for (let index = 0; index < text.length; index++) target[start + index] = text.charCodeAt(index);
  return start + text.length;
}

/** The content of a tree object; `keys` are sorted and `oids` run parallel to them. */
export function serializeTree(keys: readonly EntryKey[], oids: readonly Oid[]): ByteString {
  let content = "";
  for (const [index, key] of keys.entries()) content += serializeEntryPrefix(key) + (oids[index] as Oid);
  return content;
}

/** The entries of a tree object. */
export interface TreeEntries {
  /** In the object's order. */
  readonly keys: readonly EntryKey[];
  /** Parallel to `keys`. */
  readonly oids: readonly Oid[];
}

/** Reads a tree object; undefined when it is not one, or holds what this project never writes (a link, a submodule). */
export function parseTree(content: Uint8Array): TreeEntries | undefined {
  const data = Buffer.isBuffer(content) ? content : Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const keys: EntryKey[] = [];
  const oids: Oid[] = [];
  const isWhole = scanTree(data, (key, oidAt) => {
    keys.push(key);
    oids.push(oidFromBytes(data, oidAt));
  });
  return isWhole ? { keys, oids } : undefined;
}

/**
 * Gives each entry of a tree object to `visit`, with the place of its oid in `content`, until one is not as `parseTree`
 * wants it; says whether all were.
 */
export function scanTree(content: Buffer, visit: (key: EntryKey, oidAt: number) => void): boolean {
  for (let at = 0; at < content.length;) {
    const end = content.indexOf(0, at);
    if (end === -1 || end + 1 + OID_BYTES > content.length) return false;
    const key = keyOf(content.toString("latin1", at, end));
    if (key === undefined) return false;
    visit(key, end + 1);
    at = end + 1 + OID_BYTES;
  }
  return true;
}

function keyOf(modeAndName: ByteString): EntryKey | undefined {
  if (modeAndName.length > BLOB_PREFIX.length && modeAndName.startsWith(BLOB_PREFIX)) {
    return modeAndName.slice(BLOB_PREFIX.length);
  }
  if (modeAndName.length > TREE_PREFIX.length && modeAndName.startsWith(TREE_PREFIX)) {
    return `${modeAndName.slice(TREE_PREFIX.length)}/`;
  }
  return undefined;
}
