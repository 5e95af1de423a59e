/**
 * One node out of a recorded root, without reading the root.
 *
 * Owns the way from a tree's oid and a path to what stands there, by the mapping in design.md ("Git mapping"). It reads a
 * tree object per level, and looks for one name in it without making a list of all: a directory of a thousand domains is
 * 30 KB, and a query asks for one.
 *
 * Like `root-decoder.ts` it believes nothing: whoever can write to the repository can write any tree.
 */
import { Buffer } from "node:buffer";
import type { ByteString } from "../../../protocol/bytes.js";
import type { Perms } from "../../../protocol/perms.js";
import { parsePermsFile, PERMS_FILE, VALUE_FILE } from "../object/dot-file.js";
import { hexFromOid, OID_BYTES, oidFromBytes, type Oid } from "../object/oid.js";
import type { ObjectReader } from "./object-reader.js";

/** A node as a commit has it. */
export interface RecordedNode {
  readonly value: ByteString;
  readonly perms: Perms;
  /** Of the tree object of a node with children, of the blob of another. Equal oids, and for a blob equal perms, are equal nodes. */
  readonly oid: Oid;
  readonly hasChildren: boolean;
}

/** A tree object that a root does not have there. */
export class ForeignDirectoryError extends Error {
  override readonly name = "ForeignDirectoryError";
  constructor(tree: Oid, reason: string) {
    super(`tree ${hexFromOid(tree)} is no directory of a XenStore: ${reason}`);
  }
}

/**
 * Reads the node at a path; undefined when there is none.
 *
 * @param tree - a root's tree object
 * @param path - absolute, such as `/local/domain/5/name`, or `/`
 * @throws ForeignDirectoryError, and what `ObjectReader.read` throws
 */
export function readPath(reader: ObjectReader, tree: Oid, path: string): RecordedNode | undefined {
  if (!path.startsWith("/")) throw new RangeError(`${JSON.stringify(path)} is no absolute path`);
  const names = path === "/" ? [] : path.slice(1).split("/");
  let directory = tree;
  for (const [level, name] of names.entries()) {
    // The dot files of a directory are none of its nodes.
    if (name === "" || name.startsWith(".")) return undefined;
    const content = readTree(reader, directory);
    const child = findEntry(content, { mode: DIRECTORY_MODE, name });
    if (child !== undefined) {
      directory = child;
      continue;
    }
    const blob = level < names.length - 1 ? undefined : findEntry(content, { mode: FILE_MODE, name });
    if (blob === undefined) return undefined;
    const { own, exceptions } = readPerms(reader, { tree: directory, content });
    return { value: readBlob(reader, blob), perms: exceptions.get(name) ?? own, oid: blob, hasChildren: false };
  }
  const content = readTree(reader, directory);
  const valueOid = findEntry(content, { mode: FILE_MODE, name: VALUE_FILE });
  return {
    value: valueOid === undefined ? "" : readBlob(reader, valueOid),
    perms: readPerms(reader, { tree: directory, content }).own,
    oid: directory,
    hasChildren: true,
  };
}

const FILE_MODE = "100644";
const DIRECTORY_MODE = "40000";

/**
 * The oid of the entry with this mode and name. Entries are passed over one by one, because their bytes tell nobody where
 * one begins: what looks like an entry may stand in the middle of an oid.
 */
function findEntry(content: Buffer, { mode, name }: { readonly mode: string; readonly name: string }): Oid | undefined {
  const wanted = Buffer.from(`${mode} ${name}\0`, "latin1");
  const length = content.length;
  for (let at = 0; at < length;) {
    let end = at;
    while (end < length && content[end] !== 0) end++;
    const next = end + 1 + OID_BYTES;
    if (next > length) return undefined;
    if (end + 1 - at === wanted.length && isAt(content, at, wanted)) {
      return oidFromBytes(content, end + 1);
    }
    at = next;
  }
  return undefined;
}

/** From the end, because names differ there and modes do not. */
function isAt(content: Buffer, at: number, wanted: Buffer): boolean {
  for (let index = wanted.length - 1; index >= 0; index--) if (content[at + index] !== wanted[index]) return false;
  return true;
}

function readTree(reader: ObjectReader, oid: Oid): Buffer {
  const { type, data } = reader.read(oid);
  if (type !== "tree") throw new ForeignDirectoryError(oid, `it is a ${type}`);
  return data;
}

/** The content of a file of a root. @throws ForeignDirectoryError, and what `ObjectReader.read` throws */
export function readBlob(reader: ObjectReader, oid: Oid): ByteString {
  const { type, data } = reader.read(oid);
  if (type !== "blob") throw new ForeignDirectoryError(oid, `a file of it is a ${type}`);
  return data.toString("latin1");
}

function readPerms(
  reader: ObjectReader,
  { tree, content }: { readonly tree: Oid; readonly content: Buffer },
): NonNullable<ReturnType<typeof parsePermsFile>> {
  const oid = findEntry(content, { mode: FILE_MODE, name: PERMS_FILE });
  const perms = oid === undefined ? undefined : parsePermsFile(readBlob(reader, oid));
  if (perms === undefined) throw new ForeignDirectoryError(tree, `it has no ${PERMS_FILE} that lists perms`);
  return perms;
}
