/**
 * From a root to Git objects: the mapping of design.md, "Git mapping".
 *
 * Owns which objects a root consists of. Canonical: two roots with equal contents (leaving `modified` out) have one tree
 * oid, and roots that differ have different ones. A subtree's oid depends on that subtree alone, so comparing oids is
 * comparing subtrees. Iterates: a path may have over a thousand levels.
 *
 * Worked example. `/a` = "1" with the children `/a/b` = "" and `/a/c` = "2", all n0 but `/a/c` n5, is the tree
 *
 *     .perms      ". n0\n"
 *     .special    "@introduceDomain n0\n@releaseDomain r0\n"
 *     a/.perms    ". n0\nc n5\n"
 *     a/.value    "1"
 *     a/b         ""
 *     a/c         "2"
 */
import type { ByteString } from "../../../protocol/bytes.js";
import { samePerms, type Perms } from "../../../protocol/perms.js";
import type { Node } from "../../store/node.js";
import { isEmptyRecord, type Root } from "../../store/root.js";
import {
  DOMAINS_DIRECTORY,
  PERMS_FILE,
  QUOTAS_FILE,
  serializeDomainFile,
  serializePermsFile,
  serializeQuotasFile,
  serializeSpecialFile,
  SPECIAL_FILE,
  VALUE_FILE,
} from "./dot-file.js";
import { EMPTY_BLOB, hashObject, type Oid } from "./oid.js";
import { serializeTree, type EntryKey } from "./tree-object.js";

/** One directory of a root, all of whose entries have been encoded. */
export interface EncodedDirectory<T> {
  /** Sorted: Git's order. */
  readonly keys: EntryKey[];
  /** Parallel to `keys`. */
  readonly oids: Oid[];
  /** What the sink made of those entries that are directories; parallel to `keys`. */
  readonly directories: (T | undefined)[];
  /** The perms of the node; undefined for `.domains`, which is none. */
  readonly perms: Perms | undefined;
  /** Perms of the childless children that differ from `perms`, by name; undefined when there are none. */
  readonly exceptions: Map<string, Perms> | undefined;
}

/** Who receives the objects of a root, children before parents. */
export interface RootSink<T> {
  blob(content: ByteString): Oid;
  directory(directory: EncodedDirectory<T>): { readonly oid: Oid; readonly directory: T };
}

interface Frame<T> {
  readonly node: Node;
  readonly encoded: EncodedDirectory<T> & { exceptions: Map<string, Perms> | undefined };
  next: number;
}

/** Hands every object of a root to the sink; returns what the sink made of the top. */
export function encodeRoot<T>(root: Root, sink: RootSink<T>): { readonly oid: Oid; readonly directory: T } {
  const frames: Frame<T>[] = [openFrame(root.node, sink)];
  for (;;) {
    const frame = frames.at(-1) as Frame<T>;
    const child = frame.node.children[frame.next];
    if (child === undefined) {
      if (frames.length === 1) addTopFiles(root, frame.encoded, sink);
      const made = closeFrame(frame, sink);
      frames.pop();
      const parent = frames.at(-1);
      if (parent === undefined) return made;
      addEntry(parent.encoded, `${parent.node.names[parent.next++] as string}/`, made.oid, made.directory);
    } else if (child.children.length > 0) {
      frames.push(openFrame(child, sink));
    } else {
      addLeaf(frame, child, sink);
    }
  }
}

/** The oid of the tree object that a root is. */
export function treeOidOf(root: Root): Oid {
  return encodeRoot<undefined>(root, {
    blob: (content) => (content === "" ? EMPTY_BLOB : hashObject("blob", content)),
    directory: ({ keys, oids }) => ({ oid: hashObject("tree", serializeTree(keys, oids)), directory: undefined }),
  }).oid;
}

function emptyDirectory<T>(perms: Perms | undefined): Frame<T>["encoded"] {
  return { keys: [], oids: [], directories: [], perms, exceptions: undefined };
}

function addEntry<T>(encoded: EncodedDirectory<T>, key: EntryKey, oid: Oid, directory?: T): void {
  encoded.keys.push(key);
  encoded.oids.push(oid);
  encoded.directories.push(directory);
}

function openFrame<T>(node: Node, sink: RootSink<T>): Frame<T> {
  const encoded = emptyDirectory<T>(node.perms);
  if (node.value !== "") addEntry(encoded, VALUE_FILE, sink.blob(node.value));
  return { node, encoded, next: 0 };
}

function addLeaf<T>(frame: Frame<T>, child: Node, sink: RootSink<T>): void {
  const { node, encoded } = frame;
  const name = node.names[frame.next++] as string;
  addEntry(encoded, name, sink.blob(child.value));
  if (!samePerms(child.perms, node.perms)) {
    encoded.exceptions ??= new Map<string, Perms>();
    encoded.exceptions.set(name, child.perms);
  }
}

function closeFrame<T>(frame: Frame<T>, sink: RootSink<T>): { readonly oid: Oid; readonly directory: T } {
  const { encoded } = frame;
  addEntry(encoded, PERMS_FILE, sink.blob(serializePermsFile(frame.node.perms, encoded.exceptions)));
  sortEntries(encoded);
  return sink.directory(encoded);
}

function addTopFiles<T>(root: Root, encoded: EncodedDirectory<T>, sink: RootSink<T>): void {
  addEntry(encoded, SPECIAL_FILE, sink.blob(serializeSpecialFile(root.special)));
  const quotas = serializeQuotasFile(root.quotas);
  if (quotas !== "") addEntry(encoded, QUOTAS_FILE, sink.blob(quotas));
  const domains = emptyDirectory<T>(undefined);
  for (const [domid, record] of root.domains) {
    if (!isEmptyRecord(record)) addEntry(domains, String(domid), sink.blob(serializeDomainFile(record)));
  }
  if (domains.keys.length === 0) return;
  sortEntries(domains);
  const made = sink.directory(domains);
  addEntry(encoded, DOMAINS_DIRECTORY, made.oid, made.directory);
}

/** Puts the entries into Git's order; they were added in the order of `names`, dot files around them. */
function sortEntries<T>(encoded: EncodedDirectory<T>): void {
  const { keys, oids, directories } = encoded;
  const order = keys.map((_, index) => index);
  order.sort((left, right) => ((keys[left] as string) < (keys[right] as string) ? -1 : 1));
  const sorted = order.map((from) => [keys[from], oids[from], directories[from]] as const);
  for (const [index, [key, oid, directory]] of sorted.entries()) {
    keys[index] = key as EntryKey;
    oids[index] = oid as Oid;
    directories[index] = directory;
  }
}
