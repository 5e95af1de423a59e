/**
 * From Git objects back to a root: the inverse of `root-encoder.ts`.
 *
 * Owns the reading of the mapping and the words for what is wrong with a tree that is none of ours. It believes nothing
 * that it reads: whoever can write to the repository can write any tree. Iterates: a path may have over a thousand levels.
 */
import type { Buffer } from "node:buffer";
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
import { hexFromOid, oidFromBytes, type Oid } from "./oid.js";
import { OidList } from "./oid-list.js";
import type { GitObject } from "./pack-decode.js";
import { isDirectoryKey, scanTree, type EntryKey } from "./tree-object.js";

/** A tree object that is not the image of a root. */
export class ForeignTreeError extends Error {
  override readonly name = "ForeignTreeError";
  constructor(oid: Oid, path: string, reason: string) {
    super(`tree ${hexFromOid(oid)} is no state of a XenStore: at ${path}: ${reason}`);
  }
}

/** Where objects come from: an `ObjectReader`, or a map in a test. */
export interface ObjectSource {
  /** @throws when there is no such object */
  read(oid: Oid): GitObject;
  /** As `ObjectReader.readEach`; throws as `read` does. */
  readEach(oids: OidList, visit: (index: number, object: GitObject) => void): void;
}

/** A tree object. */
interface Listing {
  /** In the object's order. */
  readonly keys: readonly EntryKey[];
  /** Parallel to `keys`: the number of the file, or of the directory. */
  readonly numbers: readonly number[];
}

interface Frame {
  /** Of the directory. */
  readonly number: number;
  readonly name: string;
  readonly entries: Listing;
  readonly value: ByteString;
  readonly perms: DirectoryPerms;
  readonly names: string[];
  readonly children: Node[];
  exceptionsSeen: number;
  next: number;
}

/** One decoding: what was read so far, so that equal blobs and directories are read once and shared. */
interface Decoding {
  readonly source: ObjectSource;
  readonly modified: Seq;
  readonly top: Oid;
  readonly directories: Map<Oid, number>;
  readonly directoryOids: Oid[];
  /** By directory; undefined where it was not read yet. */
  readonly listings: (Listing | undefined)[];
  /** By directory; undefined where it is not built yet. */
  readonly nodes: (Node | undefined)[];
  readonly fileOids: OidList;
  /** By file; undefined where it was not read yet. */
  readonly contents: (ByteString | undefined)[];
  /** By content. */
  readonly permsFiles: Map<ByteString, DirectoryPerms>;
  readonly names: Map<string, string>;
  /** From the root to the directory that is being built. */
  readonly frames: Frame[];
  /** Their numbers. */
  readonly open: Set<number>;
}

/**
 * Reads the root that a tree object is. Equal values and equal subtrees become one object in memory.
 *
 * The objects are fetched first, a level of directories at a time and then the blobs, because a source finds many at once
 * much sooner than one by one; then the nodes are built, which is also where everything is checked.
 *
 * @param modified - becomes the `modified` of every node, because the tree does not tell it
 * @throws ForeignTreeError when the tree is not the image of a root
 */
export function decodeRoot(source: ObjectSource, tree: Oid, modified: Seq): Root {
  const decoding: Decoding = {
    source,
    modified,
    top: tree,
    directories: new Map(),
    directoryOids: [],
    listings: [],
    nodes: [],
    fileOids: new OidList(),
    contents: [],
    permsFiles: new Map(),
    names: new Map(),
    frames: [],
    open: new Set(),
  };
  const number = numberOfDirectory(decoding, tree);
  fetch(decoding);
  const top = openFrame(decoding, number, "");
  const node = decodeNode(decoding, top);
  const special = parseSpecialFile(mustReadTopFile(decoding, top, SPECIAL_FILE));
  if (special === undefined) throw damage(decoding, `/${SPECIAL_FILE} does not list the perms of both special paths`);
  const quotasText = readFile(decoding, top.entries, QUOTAS_FILE);
  const quotas = quotasText === undefined ? new Map<never, number>() : parseQuotasFile(quotasText);
  if (quotas === undefined) throw damage(decoding, `/${QUOTAS_FILE} is not a list of quotas`);
  return { node, special, quotas, domains: readDomains(decoding, top) };
}

/**
 * Fills `listings` and `contents`. What is of the wrong kind is left out, and from the first directory on that is none of
 * ours everything is: then what is wrong, and where, is found while the nodes are built, and nothing is read for no use.
 */
function fetch(decoding: Decoding): void {
  const { source, directoryOids, listings, fileOids, contents } = decoding;
  const seen = { isOurs: true };
  for (let done = 0; done < directoryOids.length && seen.isOurs;) {
    const from = done;
    done = directoryOids.length;
    source.readEach(OidList.of(directoryOids.slice(from)), (index, object) => {
      if (!seen.isOurs) return;
      const listing = listingOf(decoding, object);
      listings[from + index] = listing;
      seen.isOurs = listing !== undefined && hasPerms(decoding, from + index);
    });
  }
  if (!seen.isOurs) return;
  let before: { readonly object: GitObject; readonly content: ByteString } | undefined;
  source.readEach(fileOids, (index, object) => {
    if (object.type !== "blob") return;
    if (before?.object !== object) before = { object, content: object.data.toString("latin1") };
    contents[index] = before.content;
  });
}

/** Whether a directory has perms, as every one of a node has. */
function hasPerms({ listings }: Decoding, directory: number): boolean {
  if (listings[directory]?.keys.includes(PERMS_FILE) === true) return true;
  const top = listings[0];
  return top?.numbers[top.keys.indexOf(DOMAINS_DIRECTORY)] === directory;
}

/** The number of a directory, which it gets when it is first named. */
function numberOfDirectory({ directories, directoryOids, listings, nodes }: Decoding, oid: Oid): number {
  let number = directories.get(oid);
  if (number === undefined) {
    number = directoryOids.push(oid) - 1;
    listings.push(undefined);
    nodes.push(undefined);
    directories.set(oid, number);
  }
  return number;
}

/** What a tree object lists; undefined when it is none. */
function listingOf(decoding: Decoding, { type, data }: GitObject): Listing | undefined {
  const entries = type === "tree" ? placesOf(data) : undefined;
  if (entries === undefined) return undefined;
  const { fileOids, contents } = decoding;
  const numbers = entries.keys.map((key, entry) => {
    const at = entries.oidsAt[entry] as number;
    if (!isDirectoryKey(key)) {
      contents.push(undefined);
      return fileOids.push(data, at);
    }
    return numberOfDirectory(decoding, oidFromBytes(data, at));
  });
  return { keys: entries.keys, numbers };
}

/** The entries of a tree object, and where in it their oids stand. */
function placesOf(
  data: Buffer,
): { readonly keys: readonly EntryKey[]; readonly oidsAt: readonly number[] } | undefined {
  const keys: EntryKey[] = [];
  const oidsAt: number[] = [];
  const isWhole = scanTree(data, (key, oidAt) => {
    keys.push(key);
    oidsAt.push(oidAt);
  });
  return isWhole ? { keys, oidsAt } : undefined;
}

function damage(decoding: Decoding, reason: string): ForeignTreeError {
  return new ForeignTreeError(decoding.top, joinPath(decoding.frames.slice(1).map((frame) => frame.name)), reason);
}

function readDirectory(decoding: Decoding, directory: number): Listing {
  const known = decoding.listings[directory];
  if (known !== undefined) return known;
  const oid = decoding.directoryOids[directory] as Oid;
  const listing = listingOf(decoding, decoding.source.read(oid));
  if (listing === undefined) {
    throw damage(decoding, `object ${hexFromOid(oid)} is not a tree of files and directories`);
  }
  decoding.listings[directory] = listing;
  return listing;
}

function readContent(decoding: Decoding, file: number): ByteString {
  const known = decoding.contents[file];
  if (known !== undefined) return known;
  const oid = decoding.fileOids.at(file);
  const { type, data } = decoding.source.read(oid);
  if (type !== "blob") throw damage(decoding, `object ${hexFromOid(oid)} is a ${type}, not a blob`);
  const content = data.toString("latin1");
  decoding.contents[file] = content;
  return content;
}

/** The content of a file of a directory; undefined when it has none of that name. */
function readFile(decoding: Decoding, { keys, numbers }: Listing, key: EntryKey): ByteString | undefined {
  const entry = keys.indexOf(key);
  return entry === -1 ? undefined : readContent(decoding, numbers[entry] as number);
}

function openFrame(decoding: Decoding, directory: number, name: string): Frame {
  const entries = readDirectory(decoding, directory);
  const value = readFile(decoding, entries, VALUE_FILE);
  const frame: Frame = {
    number: directory,
    name,
    entries,
    value: value ?? "",
    perms: readPerms(decoding, entries, name),
    names: [],
    children: [],
    exceptionsSeen: 0,
    next: 0,
  };
  if (value === "") throw damage(decoding, `${name}/${VALUE_FILE} is empty; an empty value has no file`);
  decoding.frames.push(frame);
  decoding.open.add(directory);
  return frame;
}

function readPerms(decoding: Decoding, entries: Listing, name: string): DirectoryPerms {
  const content = readFile(decoding, entries, PERMS_FILE);
  if (content === undefined) throw damage(decoding, `${name}/ has no ${PERMS_FILE}`);
  let perms = decoding.permsFiles.get(content);
  if (perms === undefined) {
    perms = parsePermsFile(content);
    if (perms === undefined) throw damage(decoding, `${name}/${PERMS_FILE} is not a list of perms`);
    decoding.permsFiles.set(content, perms);
  }
  return perms;
}

function decodeNode(decoding: Decoding, top: Frame): Node {
  for (;;) {
    const frame = decoding.frames.at(-1) as Frame;
    const key = frame.entries.keys[frame.next];
    const number = frame.entries.numbers[frame.next];
    if (key === undefined || number === undefined) {
      const node = closeFrame(decoding, frame, frame === top);
      if (frame === top) return node;
      decoding.frames.pop();
      decoding.open.delete(frame.number);
      decoding.nodes[frame.number] = node;
      const parent = decoding.frames.at(-1) as Frame;
      parent.children.push(node);
      parent.next++;
    } else if (key.startsWith(".")) {
      checkDotFile(decoding, key, frame === top);
      frame.next++;
    } else {
      decodeChild(decoding, frame, key, number);
    }
  }
}

function checkDotFile(decoding: Decoding, key: EntryKey, atTop: boolean): void {
  const known = key === VALUE_FILE || key === PERMS_FILE;
  const knownAtTop = key === SPECIAL_FILE || key === QUOTAS_FILE || key === DOMAINS_DIRECTORY;
  if (!known && !(atTop && knownAtTop)) throw damage(decoding, `${JSON.stringify(key)} is no file of ours`);
}

/** Adds a leaf or a directory that was seen before, or opens a frame for a new one. */
function decodeChild(decoding: Decoding, frame: Frame, key: EntryKey, number: number): void {
  const isDirectory = isDirectoryKey(key);
  const name = sharedName(decoding, isDirectory ? key.slice(0, -1) : key);
  if (!isNodeName(name)) throw damage(decoding, `${JSON.stringify(name)} cannot be the name of a node`);
  frame.names.push(name);
  if (!isDirectory) {
    const exception = frame.perms.exceptions.get(name);
    if (exception !== undefined) frame.exceptionsSeen++;
    const perms: Perms = exception ?? frame.perms.own;
    frame.children.push(leaf(readContent(decoding, number), perms, decoding.modified));
    frame.next++;
    return;
  }
  const known = decoding.nodes[number];
  if (decoding.open.has(number)) throw damage(decoding, `${name}/ contains itself`);
  if (known === undefined) {
    openFrame(decoding, number, name);
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

function mustReadTopFile(decoding: Decoding, top: Frame, key: EntryKey): ByteString {
  const text = readFile(decoding, top.entries, key);
  if (text === undefined) throw damage(decoding, `the top has no ${key}`);
  return text;
}

function readDomains(decoding: Decoding, top: Frame): Map<Domid, DomainRecord> {
  const domains = new Map<Domid, DomainRecord>();
  const entry = top.entries.keys.indexOf(DOMAINS_DIRECTORY);
  if (entry === -1) return domains;
  const { keys, numbers } = readDirectory(decoding, top.entries.numbers[entry] as number);
  for (const [index, key] of keys.entries()) {
    const domid = parseDomid(key);
    const record = domid === undefined ? undefined : parseDomainFile(readContent(decoding, numbers[index] as number));
    if (domid === undefined || record === undefined) {
      throw damage(decoding, `${DOMAINS_DIRECTORY}${key} is not the record of a domain`);
    }
    domains.set(domid, record);
  }
  return domains;
}
