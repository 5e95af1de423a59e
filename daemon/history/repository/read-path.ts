/**
 * One node out of a recorded root, without reading the root.
 *
 * Owns the way from a tree's oid and a path to what stands there, and what of that is read, by the mapping in design.md ("Git mapping"). It reads a
 * tree object per level, and looks for one name in it without making a list of all: a directory of a thousand domains is
 * 30 KB, and a query asks for one.
 *
 * Like `root-decoder.ts` it believes nothing: whoever can write to the repository can write any tree.
 */
import { Buffer } from "node:buffer";
import type { ByteString } from "../../../protocol/bytes.js";
import type { Path } from "../../../protocol/identifiers.js";
import { childPath } from "../../../protocol/path.js";
import type { Perms } from "../../../protocol/perms.js";
import { parsePermsFile, PERMS_FILE, VALUE_FILE } from "../object/dot-file.js";
import { hexFromOid, OID_BYTES, oidFromBytes, type Oid } from "../object/oid.js";
import { isDirectoryKey, scanTree } from "../object/tree-object.js";
import type { ObjectReader } from "./object-reader.js";

/** Where objects come from: an `ObjectReader`, or one that remembers some. */
export type ObjectSource = Pick<ObjectReader, "read">;

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
export function readPath(reader: ObjectSource, tree: Oid, path: string): RecordedNode | undefined {
  const place = findPath(reader, tree, path);
  if (place === undefined) return undefined;
  const directory = directoryOf(reader, place);
  const { oid, parent } = place;
  const value = parent === undefined ? readValueFile(reader, directory.content) : readBlob(reader, oid);
  return { value, perms: permsIn(reader, directory, parent?.name), oid, hasChildren: parent === undefined };
}

/** Where a node stands in a recorded root; what it holds is not read yet. */
export interface NodePlace {
  /** Of the tree object of a node with children, of the blob of another. */
  readonly oid: Oid;
  /** The directory that a node without children is an entry of; undefined for one with children. */
  readonly parent: (OpenDirectory & { readonly name: string }) | undefined;
}

/**
 * Finds the node at a path; undefined when there is none.
 *
 * @param tree - a root's tree object
 * @param path - absolute, or `/`
 * @throws ForeignDirectoryError, and what `ObjectReader.read` throws
 */
function findPath(reader: ObjectSource, tree: Oid, path: string): NodePlace | undefined {
  if (!path.startsWith("/")) throw new RangeError(`${JSON.stringify(path)} is no absolute path`);
  const names = path === "/" ? [] : path.slice(1).split("/");
  let directory: NodePlace = { oid: tree, parent: undefined };
  for (const [level, name] of names.entries()) {
    const child = findChild(reader, directory.oid, name);
    if (child === undefined) return undefined;
    // What a node without children is asked for is not there.
    if (child.parent !== undefined) return level === names.length - 1 ? child : undefined;
    directory = child;
  }
  return directory;
}

/**
 * Finds a node among those of a directory; undefined when there is none of this name.
 *
 * @param tree - the directory's tree object
 * @throws what `findPath` throws
 */
export function findChild(reader: ObjectSource, tree: Oid, name: string): NodePlace | undefined {
  // The dot files of a directory are none of its nodes.
  if (name === "" || name.startsWith(".")) return undefined;
  const content = readTree(reader, tree);
  const directory = findEntry(content, { mode: DIRECTORY_MODE, name });
  if (directory !== undefined) return { oid: directory, parent: undefined };
  const blob = findEntry(content, { mode: FILE_MODE, name });
  return blob === undefined ? undefined : { oid: blob, parent: { tree, content, name } };
}

/** The value of a node. @throws what `findPath` throws */
export function readValue(reader: ObjectSource, { oid, parent }: NodePlace): ByteString {
  return parent === undefined ? readValueFile(reader, readTree(reader, oid)) : readBlob(reader, oid);
}

function readValueFile(reader: ObjectSource, content: Buffer): ByteString {
  const oid = findEntry(content, { mode: FILE_MODE, name: VALUE_FILE });
  return oid === undefined ? "" : readBlob(reader, oid);
}

/** The perms of a node. @throws what `findPath` throws */
export function readPerms(reader: ObjectSource, place: NodePlace): Perms {
  return permsIn(reader, directoryOf(reader, place), place.parent?.name);
}

/** The tree object whose perms file tells of a node. */
export interface OpenDirectory {
  readonly tree: Oid;
  readonly content: Buffer;
}

function directoryOf(reader: ObjectSource, { oid, parent }: NodePlace): OpenDirectory {
  return parent ?? { tree: oid, content: readTree(reader, oid) };
}

/** @param name - of the childless node there; undefined for the directory itself */
function permsIn(reader: ObjectSource, directory: OpenDirectory, name: string | undefined): Perms {
  const { own, exceptions } = readPermsFile(reader, directory);
  return (name === undefined ? undefined : exceptions.get(name)) ?? own;
}

/** The children of a node by their names, in the order of the tree object. @throws what `findPath` throws */
export function readChildren(reader: ObjectSource, { oid, parent }: NodePlace): ReadonlyMap<ByteString, NodePlace> {
  const children = new Map<ByteString, NodePlace>();
  if (parent !== undefined) return children;
  const content = readTree(reader, oid);
  const isOurs = scanTree(content, (key, at) => {
    if (key.startsWith(".")) return;
    const child = oidFromBytes(content, at);
    if (isDirectoryKey(key)) children.set(key.slice(0, -1), { oid: child, parent: undefined });
    else children.set(key, { oid: child, parent: { tree: oid, content, name: key } });
  });
  if (!isOurs) throw new ForeignDirectoryError(oid, "it has more than files and directories");
  return children;
}

/** The oid of a directory's perms file: while it stays, so do the perms of all its childless nodes. Empty where it is missing. */
export function permsFileOf({ content }: OpenDirectory): string {
  return findEntry(content, { mode: FILE_MODE, name: PERMS_FILE }) ?? "";
}

/**
 * The paths of the node at a path and of all below it, in any order; none where there is no node. Nothing but directories is read.
 *
 * @throws as `readPath`
 */
export function* pathsAtOrBelow(reader: ObjectSource, tree: Oid, path: Path): Generator<Path> {
  const top = findPath(reader, tree, path);
  if (top === undefined) return;
  const pending = [{ path, place: top }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    yield next.path;
    for (const [name, place] of readChildren(reader, next.place)) {
      pending.push({ path: childPath(next.path, name), place });
    }
  }
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

function readTree(reader: ObjectSource, oid: Oid): Buffer {
  const { type, data } = reader.read(oid);
  if (type !== "tree") throw new ForeignDirectoryError(oid, `it is a ${type}`);
  return data;
}

/** The content of a file of a root. @throws ForeignDirectoryError, and what `ObjectReader.read` throws */
export function readBlob(reader: ObjectSource, oid: Oid): ByteString {
  const { type, data } = reader.read(oid);
  if (type !== "blob") throw new ForeignDirectoryError(oid, `a file of it is a ${type}`);
  return data.toString("latin1");
}

function readPermsFile(
  reader: ObjectSource,
  { tree, content }: OpenDirectory,
): NonNullable<ReturnType<typeof parsePermsFile>> {
  const oid = findEntry(content, { mode: FILE_MODE, name: PERMS_FILE });
  const perms = oid === undefined ? undefined : parsePermsFile(readBlob(reader, oid));
  if (perms === undefined) throw new ForeignDirectoryError(tree, `it has no ${PERMS_FILE} that lists perms`);
  return perms;
}
