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

/** Receives the objects of a root, each before the one that names it; returns the oid. */
export type PutObject = (type: "blob" | "tree", content: ByteString) => Oid;

interface Frame {
  readonly node: Node;
  readonly keys: EntryKey[];
  readonly oids: Oid[];
  /** Perms of the childless children that differ from the node's own. */
  exceptions: Map<string, Perms> | undefined;
  next: number;
}

/** Hands over every object of a root, some of them several times; returns the oid of its tree object. */
export function encodeRoot(root: Root, put: PutObject): Oid {
  const frames: Frame[] = [openFrame(root.node, put)];
  for (;;) {
    const frame = frames.at(-1) as Frame;
    const child = frame.node.children[frame.next];
    if (child === undefined) {
      if (frames.length === 1) addTopFiles(root, frame, put);
      addEntry(frame, PERMS_FILE, put("blob", serializePermsFile(frame.node.perms, frame.exceptions)));
      const oid = putTree(frame, put);
      frames.pop();
      const parent = frames.at(-1);
      if (parent === undefined) return oid;
      addEntry(parent, `${parent.node.names[parent.next++] as string}/`, oid);
    } else if (child.children.length > 0) {
      frames.push(openFrame(child, put));
    } else {
      addLeaf(frame, child, put);
    }
  }
}

/** The oid of the tree object that a root is. */
export function treeOidOf(root: Root): Oid {
  return encodeRoot(root, (type, content) => (content === "" ? EMPTY_BLOB : hashObject(type, content)));
}

interface Entries {
  readonly keys: EntryKey[];
  readonly oids: Oid[];
}

function addEntry({ keys, oids }: Entries, key: EntryKey, oid: Oid): void {
  keys.push(key);
  oids.push(oid);
}

function openFrame(node: Node, put: PutObject): Frame {
  const frame: Frame = { node, keys: [], oids: [], exceptions: undefined, next: 0 };
  if (node.value !== "") addEntry(frame, VALUE_FILE, put("blob", node.value));
  return frame;
}

function addLeaf(frame: Frame, child: Node, put: PutObject): void {
  const { node } = frame;
  const name = node.names[frame.next++] as string;
  addEntry(frame, name, put("blob", child.value));
  if (!samePerms(child.perms, node.perms)) {
    frame.exceptions ??= new Map<string, Perms>();
    frame.exceptions.set(name, child.perms);
  }
}

function addTopFiles(root: Root, top: Entries, put: PutObject): void {
  addEntry(top, SPECIAL_FILE, put("blob", serializeSpecialFile(root.special)));
  const quotas = serializeQuotasFile(root.quotas);
  if (quotas !== "") addEntry(top, QUOTAS_FILE, put("blob", quotas));
  const domains: Entries = { keys: [], oids: [] };
  for (const [domid, record] of root.domains) {
    if (!isEmptyRecord(record)) addEntry(domains, String(domid), put("blob", serializeDomainFile(record)));
  }
  if (domains.keys.length > 0) addEntry(top, DOMAINS_DIRECTORY, putTree(domains, put));
}

/** Puts the entries, which came in the order of `names` and dot files around them, into Git's order. */
function putTree({ keys, oids }: Entries, put: PutObject): Oid {
  if (keys.every((key, index) => index === 0 || (keys[index - 1] as EntryKey) < key)) {
    return put("tree", serializeTree(keys, oids));
  }
  const order = keys.map((_, index) => index);
  order.sort((left, right) => ((keys[left] as EntryKey) < (keys[right] as EntryKey) ? -1 : 1));
  const sortedKeys = order.map((from) => keys[from] as EntryKey);
  const sortedOids = order.map((from) => oids[from] as Oid);
  return put("tree", serializeTree(sortedKeys, sortedOids));
}
