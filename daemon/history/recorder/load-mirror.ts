/**
 * The mirror of a recorded root, read from its tree objects.
 *
 * Owns the check that the recorder can go on from them. Only directories and dot files are read, no values and no leaves:
 * a third of the objects, and what is kept of a leaf is its entry. Loading the root first and encoding it again would cost
 * the recorder's thread several times the memory of the mirror, for nothing that is needed later.
 *
 * What is checked: every directory's bytes hash to the oid that its parent names, and every dot file is byte for byte
 * what we would write. Then a change of one node makes, of an equal root, an equal tree (recorder invariant 5).
 */
import { isNodeName } from "../../../protocol/path.js";
import type { QuotaName } from "../../store/quota.js";
import type { Root } from "../../store/root.js";
import {
  DOMAINS_DIRECTORY,
  parsePermsFile,
  parseQuotasFile,
  parseSpecialFile,
  PERMS_FILE,
  QUOTAS_FILE,
  serializePermsFile,
  serializeQuotasFile,
  serializeSpecialFile,
  SPECIAL_FILE,
  VALUE_FILE,
  type DirectoryPerms,
} from "../object/dot-file.js";
import { EMPTY_BLOB, hexFromOid, type Oid } from "../object/oid.js";
import type { GitObject } from "../object/pack-decode.js";
import { isDirectoryKey, parseTree, type TreeEntries } from "../object/tree-object.js";
import { Directory, isNodeKey, nameOfKey } from "./directory.js";
import { KeyPool } from "./key-pool.js";
import { NO_OID, type RecordedTree } from "./mirror.js";

/** A recorded tree that the recorder would have written otherwise: going on from it would show changes nobody made. */
export class MirrorMismatchError extends Error {
  override readonly name = "MirrorMismatchError";
  constructor(tree: Oid, where: string, reason: string) {
    super(
      `the recorded tree ${hexFromOid(tree)} is not what this version would have written, so nothing is recorded on top of it: ` +
        `${where}: ${reason}`,
    );
  }
}

interface Loading {
  readonly tree: Oid;
  readonly readObject: (oid: Oid) => GitObject;
  readonly keys: KeyPool;
  readonly permsFiles: Map<Oid, DirectoryPerms>;
}

/** What a mirror starts from before the first commit: of the root, which has no children yet, nothing is recorded. */
export function recordedNothing(root: Root): RecordedTree {
  if (root.node.names.length > 0 || root.node.value !== "" || root.quotas.size > 0 || root.domains.size > 0) {
    throw new Error("a history begins with an empty root");
  }
  const top = new Directory({ parent: undefined, key: "", perms: root.node.perms });
  return { top, oid: NO_OID, special: root.special, quotas: root.quotas, keys: new KeyPool() };
}

/**
 * Reads what a mirror starts from.
 *
 * @param readObject - throws when there is no such object
 * @throws MirrorMismatchError
 */
export function loadRecordedTree(readObject: (oid: Oid) => GitObject, tree: Oid): RecordedTree {
  const loading: Loading = { tree, readObject, keys: new KeyPool(), permsFiles: new Map() };
  const entries = readTree(loading, tree, "/");
  const special = parseSpecialFile(mustReadFile(loading, entries, SPECIAL_FILE));
  if (special === undefined || serializeSpecialFile(special) !== mustReadFile(loading, entries, SPECIAL_FILE)) {
    throw new MirrorMismatchError(tree, `/${SPECIAL_FILE}`, "unexpected content");
  }
  let quotas: ReadonlyMap<QuotaName, number> | undefined = new Map();
  if (entries.keys.includes(QUOTAS_FILE)) {
    const text = mustReadFile(loading, entries, QUOTAS_FILE);
    quotas = parseQuotasFile(text);
    if (quotas === undefined || serializeQuotasFile(quotas) !== text) {
      throw new MirrorMismatchError(tree, `/${QUOTAS_FILE}`, "unexpected content");
    }
  }
  return { top: loadDirectories(loading), oid: tree, special, quotas, keys: loading.keys };
}

/** Reads all directories, each after its parent. */
function loadDirectories(loading: Loading): Directory {
  let top: Directory | undefined;
  const pending: {
    readonly oid: Oid;
    readonly parent: Directory | undefined;
    readonly key: string;
    readonly slot: number;
  }[] = [{ oid: loading.tree, parent: undefined, key: "", slot: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { oid, parent, key, slot } = next;
    const entries = readTree(loading, oid, key);
    const perms = key === DOMAINS_DIRECTORY ? undefined : permsOf(loading, entries, key);
    const directory = new Directory({ parent, key, perms: perms?.own });
    if (perms !== undefined && perms.exceptions.size > 0) directory.exceptions = new Map(perms.exceptions);
    checkEntries(loading, entries, directory);
    const keys = entries.keys.map((name) => loading.keys.pooled(name));
    const hasDirectories = keys.some(isDirectoryKey);
    directory.load(
      entries.content,
      keys,
      hasDirectories ? new Array<Directory | undefined>(keys.length).fill(undefined) : undefined,
    );
    if (directory.hash() !== oid) throw new MirrorMismatchError(loading.tree, key, `${hexFromOid(oid)} is damaged`);
    parent?.adopt(slot, directory);
    top ??= directory;
    for (const [index, name] of keys.entries()) {
      if (isDirectoryKey(name))
        pending.push({ oid: entries.oids[index] as Oid, parent: directory, key: name, slot: index });
    }
  }
  return top as Directory;
}

function readTree(loading: Loading, oid: Oid, where: string): TreeEntries & { readonly content: Uint8Array } {
  const { type, data } = loading.readObject(oid);
  const entries = type === "tree" ? parseTree(data) : undefined;
  if (entries === undefined)
    throw new MirrorMismatchError(loading.tree, where, "it is not a tree of files and directories");
  return { ...entries, content: data };
}

function mustReadFile(loading: Loading, entries: TreeEntries, key: string): string {
  const oid = entries.oids[entries.keys.indexOf(key)];
  if (oid === undefined) throw new MirrorMismatchError(loading.tree, key, "it is missing");
  return loading.readObject(oid).data.toString("latin1");
}

function permsOf(loading: Loading, entries: TreeEntries, where: string): DirectoryPerms {
  const oid = entries.oids[entries.keys.indexOf(PERMS_FILE)];
  const known = oid === undefined ? undefined : loading.permsFiles.get(oid);
  if (known !== undefined) return known;
  const text = mustReadFile(loading, entries, PERMS_FILE);
  const perms = parsePermsFile(text);
  if (oid === undefined || perms === undefined || serializePermsFile(perms.own, perms.exceptions) !== text) {
    throw new MirrorMismatchError(loading.tree, where + PERMS_FILE, "unexpected content");
  }
  loading.permsFiles.set(oid, perms);
  return perms;
}

/** What the bytes alone do not tell: that the entries are those of a root. */
function checkEntries(loading: Loading, entries: TreeEntries, directory: Directory): void {
  const { keys, oids } = entries;
  const atTop = directory.parent === undefined;
  const isNode = directory.perms !== undefined;
  const refuse = (reason: string): never => {
    throw new MirrorMismatchError(loading.tree, directory.key === "" ? "/" : directory.key, reason);
  };
  let nodes = 0;
  let exceptions = 0;
  for (const [index, key] of keys.entries()) {
    if (isNodeKey(key)) {
      nodes++;
      if (!isNodeName(nameOfKey(key))) refuse(`${JSON.stringify(key)} cannot be the name of a node`);
      if (directory.exceptions?.has(key) === true) exceptions++;
    } else if (key === VALUE_FILE) {
      if (oids[index] === EMPTY_BLOB) refuse(`${VALUE_FILE} is empty`);
    } else if (key !== PERMS_FILE && !(atTop && [SPECIAL_FILE, QUOTAS_FILE, DOMAINS_DIRECTORY].includes(key))) {
      refuse(`${key} is no file of ours`);
    }
  }
  if (nodes === 0 && !atTop) refuse("it is a directory without entries");
  if (isNode && exceptions !== (directory.exceptions?.size ?? 0))
    refuse(`${PERMS_FILE} names a node that is not there`);
}
