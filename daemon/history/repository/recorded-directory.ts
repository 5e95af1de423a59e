/**
 * The directories of a recorded root: a tree object with the perms and the values of its nodes.
 *
 * Owns the reading of one directory at a time, for whoever walks a root without decoding it whole. Like `read-path.ts` it
 * believes nothing: whoever can write to the repository can write any tree.
 */
import type { ByteString } from "../../../protocol/bytes.js";
import type { Path } from "../../../protocol/identifiers.js";
import type { Perms } from "../../../protocol/perms.js";
import type { NodeState } from "../../store/commit.js";
import { parsePermsFile, PERMS_FILE, VALUE_FILE } from "../object/dot-file.js";
import { hashObject, type Oid } from "../object/oid.js";
import { isDirectoryKey, parseTree } from "../object/tree-object.js";
import type { ObjectReader } from "./object-reader.js";
import { ForeignDirectoryError, readBlob, readPath } from "./read-path.js";

/** The blob that no directory has for its value. */
export const EMPTY_VALUE: Oid = hashObject("blob", "");

/** A node as its tree has it. */
export interface DirectoryNode {
  readonly perms: Perms;
  /** Of the blob with the value. */
  readonly value: Oid;
  /** Undefined without children. */
  readonly directory: Directory | undefined;
}

/** A tree object, read. */
export interface Directory {
  readonly oid: Oid;
  /** By key; the dot files too. */
  readonly entries: ReadonlyMap<string, Oid>;
  readonly own: Perms;
  /** Perms of childless children that are not its own. */
  readonly exceptions: ReadonlyMap<string, Perms>;
}

/** A node that is not read unless it must be. */
export interface UnreadNode {
  /** Equal ones are equal nodes with all below them. Undefined without children. */
  readonly directoryOid: Oid | undefined;
  /** @throws ForeignDirectoryError, and what `ObjectReader.read` throws */
  node(): DirectoryNode;
}

/** Reads a directory. @throws ForeignDirectoryError, and what `ObjectReader.read` throws */
export function readDirectory(reader: ObjectReader, oid: Oid): Directory {
  const entries = readEntries(reader, oid);
  const file = entries.get(PERMS_FILE);
  const perms = file === undefined ? undefined : parsePermsFile(readBlob(reader, file));
  if (perms === undefined) throw new ForeignDirectoryError(oid, `it has no ${PERMS_FILE} that lists perms`);
  return { oid, entries, ...perms };
}

/** The entries of a tree object by key. @throws ForeignDirectoryError, and what `ObjectReader.read` throws */
export function readEntries(reader: ObjectReader, oid: Oid): ReadonlyMap<string, Oid> {
  const { type, data } = reader.read(oid);
  const listed = type === "tree" ? parseTree(data) : undefined;
  if (listed === undefined)
    throw new ForeignDirectoryError(oid, `it is ${type === "tree" ? "malformed" : `a ${type}`}`);
  return new Map(listed.keys.map((key, index) => [key, listed.oids[index] as Oid]));
}

/** The content of a file of a directory; undefined when it has none of that name. @throws as `readBlob` */
export function readFile(reader: ObjectReader, directory: Directory, name: string): ByteString | undefined {
  const oid = directory.entries.get(name);
  return oid === undefined ? undefined : readBlob(reader, oid);
}

/** The names of a directory's children, in no order. */
export function* namesOf(directory: Directory | undefined): Generator<string> {
  if (directory === undefined) return;
  for (const key of directory.entries.keys()) {
    if (!key.startsWith(".")) yield isDirectoryKey(key) ? key.slice(0, -1) : key;
  }
}

/** The child of this name; undefined when there is none. */
export function childOf(reader: ObjectReader, parent: Directory | undefined, name: string): UnreadNode | undefined {
  if (parent === undefined) return undefined;
  const directoryOid = parent.entries.get(`${name}/`);
  if (directoryOid !== undefined) return unreadDirectory(reader, directoryOid);
  const value = parent.entries.get(name);
  return value === undefined ? undefined : unreadLeaf(value, parent.exceptions.get(name) ?? parent.own);
}

/**
 * The node at a path; undefined when there is none. It goes straight there, a tree object for each level.
 *
 * @param tree - a root's tree object
 * @throws ForeignDirectoryError, and what `ObjectReader.read` throws
 */
export function nodeAt(reader: ObjectReader, tree: Oid, path: Path): UnreadNode | undefined {
  const found = readPath(reader, tree, path);
  if (found === undefined) return undefined;
  return found.hasChildren ? unreadDirectory(reader, found.oid) : unreadLeaf(found.oid, found.perms);
}

/** A directory that was read, as a node. */
export function nodeOfDirectory(directory: Directory): DirectoryNode {
  return { perms: directory.own, value: directory.entries.get(VALUE_FILE) ?? EMPTY_VALUE, directory };
}

/** A node's own state. @throws as `readBlob` */
export function readState(reader: ObjectReader, { value, perms }: DirectoryNode): NodeState {
  // The empty value of a directory has no file.
  return { value: value === EMPTY_VALUE ? "" : readBlob(reader, value), perms };
}

function unreadDirectory(reader: ObjectReader, oid: Oid): UnreadNode {
  return { directoryOid: oid, node: () => nodeOfDirectory(readDirectory(reader, oid)) };
}

function unreadLeaf(value: Oid, perms: Perms): UnreadNode {
  return { directoryOid: undefined, node: () => ({ perms, value, directory: undefined }) };
}
