/**
 * From Git objects back to a root: the inverse of `root-encoder.ts`.
 *
 * Owns the reading of the mapping and the words for what is wrong with a tree that is none of ours. It believes nothing
 * that it reads: whoever can write to the repository can write any tree. Iterates: a path may have over a thousand levels.
 */
import type { ByteString } from "../../../protocol/bytes.js";
import { parseDomid, type Domid, type Seq } from "../../../protocol/identifiers.js";
import { isNodeName, joinPath } from "../../../protocol/path.js";
import type { Perms } from "../../../protocol/perms.js";
import { leaf, type Node } from "../../store/node.js";
import type { DomainRecord, Root } from "../../store/root.js";
import {
  DOMAINS_DIRECTORY,
  parseDomainFile,
  parsePermsFile,
  parseQuotasFile,
  parseSpecialFile,
  PERMS_FILE,
  QUOTAS_FILE,
  SPECIAL_FILE,
  VALUE_FILE,
  type DirectoryPerms,
} from "./dot-file.js";
import { hexFromOid, type Oid } from "./oid.js";
import type { GitObject } from "./pack-decode.js";
import { isDirectoryKey, parseTree, type EntryKey, type TreeEntries } from "./tree-object.js";

/** A tree object that is not the image of a root. */
export class ForeignTreeError extends Error {
  override readonly name = "ForeignTreeError";
  constructor(oid: Oid, path: string, reason: string) {
    super(`tree ${hexFromOid(oid)} is no state of a XenStore: at ${path}: ${reason}`);
  }
}

interface Frame {
  readonly oid: Oid;
  readonly name: string;
  readonly entries: TreeEntries;
  readonly value: ByteString;
  readonly perms: DirectoryPerms;
  readonly names: string[];
  readonly children: Node[];
  exceptionsSeen: number;
  next: number;
}

/** One decoding: what was read so far, so that equal blobs and directories are read once and shared. */
interface Decoding {
  readonly readObject: (oid: Oid) => GitObject;
  readonly modified: Seq;
  readonly top: Oid;
  readonly blobs: Map<Oid, ByteString>;
  readonly permsFiles: Map<Oid, DirectoryPerms>;
  readonly directories: Map<Oid, Node>;
  readonly names: Map<string, string>;
  readonly frames: Frame[];
}

/**
 * Reads the root that a tree object is. Equal values and equal subtrees become one object in memory.
 *
 * @param readObject - throws when there is no such object
 * @param modified - becomes the `modified` of every node, because the tree does not tell it
 * @throws ForeignTreeError when the tree is not the image of a root
 */
export function decodeRoot(readObject: (oid: Oid) => GitObject, tree: Oid, modified: Seq): Root {
  const decoding: Decoding = {
    readObject,
    modified,
    top: tree,
    blobs: new Map(),
    permsFiles: new Map(),
    directories: new Map(),
    names: new Map(),
    frames: [],
  };
  const top = openFrame(decoding, tree, "");
  const node = decodeNode(decoding, top);
  const special = parseSpecialFile(mustReadTopFile(decoding, top, SPECIAL_FILE));
  if (special === undefined) throw damage(decoding, `/${SPECIAL_FILE} does not list the perms of both special paths`);
  const quotasText = readTopFile(decoding, top, QUOTAS_FILE);
  const quotas = quotasText === undefined ? new Map<never, number>() : parseQuotasFile(quotasText);
  if (quotas === undefined) throw damage(decoding, `/${QUOTAS_FILE} is not a list of quotas`);
  return { node, special, quotas, domains: readDomains(decoding, top) };
}

function damage(decoding: Decoding, reason: string): ForeignTreeError {
  return new ForeignTreeError(decoding.top, joinPath(decoding.frames.slice(1).map((frame) => frame.name)), reason);
}

function readTree(decoding: Decoding, oid: Oid): TreeEntries {
  const object = decoding.readObject(oid);
  const entries = object.type === "tree" ? parseTree(object.data) : undefined;
  if (entries === undefined) throw damage(decoding, `object ${hexFromOid(oid)} is not a tree of files and directories`);
  return entries;
}

function readBlob(decoding: Decoding, oid: Oid): ByteString {
  let value = decoding.blobs.get(oid);
  if (value === undefined) {
    const object = decoding.readObject(oid);
    if (object.type !== "blob") throw damage(decoding, `object ${hexFromOid(oid)} is a ${object.type}, not a blob`);
    value = object.data.toString("latin1");
    decoding.blobs.set(oid, value);
  }
  return value;
}

function oidOf(entries: TreeEntries, key: EntryKey): Oid | undefined {
  const index = entries.keys.indexOf(key);
  return index === -1 ? undefined : entries.oids[index];
}

function openFrame(decoding: Decoding, oid: Oid, name: string): Frame {
  const entries = readTree(decoding, oid);
  const valueOid = oidOf(entries, VALUE_FILE);
  const frame: Frame = {
    oid,
    name,
    entries,
    value: valueOid === undefined ? "" : readBlob(decoding, valueOid),
    perms: readPerms(decoding, entries, name),
    names: [],
    children: [],
    exceptionsSeen: 0,
    next: 0,
  };
  if (valueOid !== undefined && frame.value === "") {
    throw damage(decoding, `${name}/${VALUE_FILE} is empty; an empty value has no file`);
  }
  decoding.frames.push(frame);
  return frame;
}

function readPerms(decoding: Decoding, entries: TreeEntries, name: string): DirectoryPerms {
  const oid = oidOf(entries, PERMS_FILE);
  if (oid === undefined) throw damage(decoding, `${name}/ has no ${PERMS_FILE}`);
  let perms = decoding.permsFiles.get(oid);
  if (perms === undefined) {
    perms = parsePermsFile(readBlob(decoding, oid));
    if (perms === undefined) throw damage(decoding, `${name}/${PERMS_FILE} is not a list of perms`);
    decoding.permsFiles.set(oid, perms);
  }
  return perms;
}

function decodeNode(decoding: Decoding, top: Frame): Node {
  for (;;) {
    const frame = decoding.frames.at(-1) as Frame;
    const key = frame.entries.keys[frame.next];
    const oid = frame.entries.oids[frame.next];
    if (key === undefined || oid === undefined) {
      const node = closeFrame(decoding, frame, frame === top);
      if (frame === top) return node;
      decoding.frames.pop();
      decoding.directories.set(frame.oid, node);
      const parent = decoding.frames.at(-1) as Frame;
      parent.children.push(node);
      parent.next++;
    } else if (key.startsWith(".")) {
      checkDotFile(decoding, key, frame === top);
      frame.next++;
    } else {
      decodeChild(decoding, frame, key, oid);
    }
  }
}

function checkDotFile(decoding: Decoding, key: EntryKey, atTop: boolean): void {
  const known = key === VALUE_FILE || key === PERMS_FILE;
  const knownAtTop = key === SPECIAL_FILE || key === QUOTAS_FILE || key === DOMAINS_DIRECTORY;
  if (!known && !(atTop && knownAtTop)) throw damage(decoding, `${JSON.stringify(key)} is no file of ours`);
}

/** Adds a leaf or a directory that was seen before, or opens a frame for a new one. */
function decodeChild(decoding: Decoding, frame: Frame, key: EntryKey, oid: Oid): void {
  const isDirectory = isDirectoryKey(key);
  const name = sharedName(decoding, isDirectory ? key.slice(0, -1) : key);
  if (!isNodeName(name)) throw damage(decoding, `${JSON.stringify(name)} cannot be the name of a node`);
  frame.names.push(name);
  if (!isDirectory) {
    const exception = frame.perms.exceptions.get(name);
    if (exception !== undefined) frame.exceptionsSeen++;
    const perms: Perms = exception ?? frame.perms.own;
    frame.children.push(leaf(readBlob(decoding, oid), perms, decoding.modified));
    frame.next++;
    return;
  }
  const known = decoding.directories.get(oid);
  if (known === undefined) {
    openFrame(decoding, oid, name);
  } else {
    frame.children.push(known);
    frame.next++;
  }
}

function sharedName(decoding: Decoding, name: string): string {
  const known = decoding.names.get(name);
  if (known !== undefined) return known;
  decoding.names.set(name, name);
  return name;
}

function closeFrame(decoding: Decoding, frame: Frame, atTop: boolean): Node {
  if (frame.exceptionsSeen !== frame.perms.exceptions.size) {
    throw damage(decoding, `${PERMS_FILE} names a node that is not a childless child`);
  }
  if (frame.names.length === 0) {
    if (!atTop) throw damage(decoding, "it is a directory without children; a childless node is a file");
    return leaf(frame.value, frame.perms.own, decoding.modified);
  }
  sortByName(frame.names, frame.children);
  for (let index = 1; index < frame.names.length; index++) {
    if (frame.names[index] === frame.names[index - 1]) throw damage(decoding, "two entries have one name");
  }
  const { value, names, children } = frame;
  return { value, perms: frame.perms.own, names, children, modified: decoding.modified };
}

/** Git's order is nearly that of names, so the usual case is the check alone. */
function sortByName(names: string[], children: Node[]): void {
  if (names.every((name, index) => index === 0 || (names[index - 1] as string) < name)) return;
  const pairs = names.map((name, index) => [name, children[index] as Node] as const);
  pairs.sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0));
  for (const [index, [name, child]] of pairs.entries()) {
    names[index] = name;
    children[index] = child;
  }
}

function readTopFile(decoding: Decoding, top: Frame, key: EntryKey): ByteString | undefined {
  const oid = oidOf(top.entries, key);
  return oid === undefined ? undefined : readBlob(decoding, oid);
}

function mustReadTopFile(decoding: Decoding, top: Frame, key: EntryKey): ByteString {
  const text = readTopFile(decoding, top, key);
  if (text === undefined) throw damage(decoding, `the top has no ${key}`);
  return text;
}

function readDomains(decoding: Decoding, top: Frame): Map<Domid, DomainRecord> {
  const domains = new Map<Domid, DomainRecord>();
  const directory = oidOf(top.entries, DOMAINS_DIRECTORY);
  if (directory === undefined) return domains;
  const { keys, oids } = readTree(decoding, directory);
  for (const [index, key] of keys.entries()) {
    const domid = parseDomid(key);
    const record = domid === undefined ? undefined : parseDomainFile(readBlob(decoding, oids[index] as Oid));
    if (domid === undefined || record === undefined) {
      throw damage(decoding, `${DOMAINS_DIRECTORY}${key} is not the record of a domain`);
    }
    domains.set(domid, record);
  }
  return domains;
}
