/**
 * What changed between two recorded roots, from their tree objects alone.
 *
 * Owns the comparison. Neither root is decoded: directories with one oid are equal, so that the cost is that of what differs,
 * a tree object for each level of it on either side. What it finds is what `diffRoots` finds between the decoded roots.
 *
 * Like `read-path.ts` it believes nothing: whoever can write to the repository can write any tree.
 */
import type { ByteString } from "../../../protocol/bytes.js";
import { parseDomid, type Domid, type Path } from "../../../protocol/identifiers.js";
import { childPath, ROOT_PATH, SPECIAL_PATHS, type SpecialPath } from "../../../protocol/path.js";
import { samePerms, type Perms } from "../../../protocol/perms.js";
import type { Change, NodeState } from "../../store/commit.js";
import type { QuotaName } from "../../store/quota.js";
import { emptyRoot, type DomainRecord } from "../../store/root.js";
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
} from "../object/dot-file.js";
import { hashObject, type Oid } from "../object/oid.js";
import { isDirectoryKey, parseTree } from "../object/tree-object.js";
import type { ObjectReader } from "../repository/object-reader.js";
import { ForeignDirectoryError, readBlob } from "../repository/read-path.js";

/** A node as its tree has it. */
interface RecordedNode {
  readonly perms: Perms;
  /** Of the blob with the value. */
  readonly value: Oid;
  /** Undefined without children. */
  readonly directory: Directory | undefined;
}

/** A tree object, read. */
interface Directory {
  readonly oid: Oid;
  /** By key; the dot files too. */
  readonly entries: ReadonlyMap<string, Oid>;
  readonly own: Perms;
  readonly exceptions: ReadonlyMap<string, Perms>;
}

/** A node that differs, or may. */
interface Pair {
  readonly path: Path;
  readonly before: RecordedNode | undefined;
  readonly after: RecordedNode | undefined;
}

const EMPTY_VALUE: Oid = hashObject("blob", "");

/** How changes are told. */
export interface ChangesOptions {
  /** Tell each node that went; else the top of what went alone, as a commit's own changes do. */
  readonly listsRemoved?: boolean;
}

/**
 * The net changes that lead from one recorded root to another: nodes in the order of their paths (so parents before
 * children), then special paths, quotas and domains.
 *
 * @param before - tree object of a root; undefined for the state before the first commit
 * @param after - tree object of a root
 * @throws ForeignDirectoryError, and what `ObjectReader.read` throws
 */
export function changesBetween(
  reader: ObjectReader,
  before: Oid | undefined,
  after: Oid,
  { listsRemoved = false }: ChangesOptions = {},
): Change[] {
  if (before === after) return [];
  const from = before === undefined ? undefined : readDirectory(reader, before);
  const to = readDirectory(reader, after);
  const top = from === undefined ? nothingRecorded() : nodeOfDirectory(from);
  return [
    ...nodeChanges(reader, { path: ROOT_PATH, before: top, after: nodeOfDirectory(to) }, listsRemoved),
    ...specialChanges(reader, from, to),
    ...quotaChanges(reader, from, to),
    ...domainChanges(reader, from, to),
  ];
}

function nothingRecorded(): RecordedNode {
  return { perms: emptyRoot().node.perms, value: EMPTY_VALUE, directory: undefined };
}

function nodeChanges(reader: ObjectReader, top: Pair, listsRemoved: boolean): Change[] {
  const changes: (Change & { readonly kind: "node" })[] = [];
  const pending: Pair[] = [top];
  for (let pair = pending.pop(); pair !== undefined; pair = pending.pop()) {
    const { path, before, after } = pair;
    if (before === undefined || after === undefined || !isSameState(before, after)) {
      changes.push({ kind: "node", path, before: stateOf(reader, before), after: stateOf(reader, after) });
    }
    if (after !== undefined || listsRemoved) pushChildren(reader, pair, pending);
  }
  return changes.sort((left, right) => (left.path < right.path ? -1 : 1));
}

function isSameState(left: RecordedNode, right: RecordedNode): boolean {
  return left.value === right.value && samePerms(left.perms, right.perms);
}

function stateOf(reader: ObjectReader, node: RecordedNode | undefined): NodeState | undefined {
  return node === undefined ? undefined : { value: readValue(reader, node.value), perms: node.perms };
}

function readValue(reader: ObjectReader, oid: Oid): ByteString {
  // The empty value of a directory has no file.
  return oid === EMPTY_VALUE ? "" : readBlob(reader, oid);
}

function pushChildren(reader: ObjectReader, { path, before, after }: Pair, pending: Pair[]): void {
  const from = before?.directory;
  const to = after?.directory;
  for (const name of new Set([...namesOf(from), ...namesOf(to)])) {
    const was = childOf(reader, from, name);
    const is = childOf(reader, to, name);
    const isSame =
      was !== undefined &&
      is !== undefined &&
      was.directoryOid === is.directoryOid &&
      (was.directoryOid !== undefined || isSameState(was.node(), is.node()));
    if (!isSame) pending.push({ path: childPath(path, name), before: was?.node(), after: is?.node() });
  }
}

function* namesOf(directory: Directory | undefined): Generator<string> {
  if (directory === undefined) return;
  for (const key of directory.entries.keys()) {
    if (!key.startsWith(".")) yield isDirectoryKey(key) ? key.slice(0, -1) : key;
  }
}

/** A child that is not read unless it must be. */
interface Child {
  /** Undefined without children. */
  readonly directoryOid: Oid | undefined;
  node(): RecordedNode;
}

function childOf(reader: ObjectReader, parent: Directory | undefined, name: string): Child | undefined {
  if (parent === undefined) return undefined;
  const directoryOid = parent.entries.get(`${name}/`);
  if (directoryOid !== undefined) {
    return { directoryOid, node: () => nodeOfDirectory(readDirectory(reader, directoryOid)) };
  }
  const value = parent.entries.get(name);
  if (value === undefined) return undefined;
  const perms = parent.exceptions.get(name) ?? parent.own;
  return { directoryOid: undefined, node: () => ({ perms, value, directory: undefined }) };
}

function nodeOfDirectory(directory: Directory): RecordedNode {
  return { perms: directory.own, value: directory.entries.get(VALUE_FILE) ?? EMPTY_VALUE, directory };
}

function specialChanges(reader: ObjectReader, from: Directory | undefined, to: Directory): Change[] {
  const before = from === undefined ? emptyRoot().special : specialOf(reader, from);
  const after = specialOf(reader, to);
  return SPECIAL_PATHS.flatMap((path): Change[] => {
    const was = before.get(path);
    const is = after.get(path);
    if (was === undefined || is === undefined || samePerms(was, is)) return [];
    return [{ kind: "special", path, before: was, after: is }];
  });
}

function specialOf(reader: ObjectReader, top: Directory): ReadonlyMap<SpecialPath, Perms> {
  const text = readFile(reader, top, SPECIAL_FILE);
  const special = text === undefined ? undefined : parseSpecialFile(text);
  if (special === undefined) throw new ForeignDirectoryError(top.oid, `it has no ${SPECIAL_FILE} that lists perms`);
  return special;
}

function quotaChanges(reader: ObjectReader, from: Directory | undefined, to: Directory): Change[] {
  const before = quotasOf(reader, from);
  const after = quotasOf(reader, to);
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  return names
    .filter((name) => before.get(name) !== after.get(name))
    .map((name) => ({ kind: "quota", name, before: before.get(name), after: after.get(name) }));
}

function quotasOf(reader: ObjectReader, top: Directory | undefined): ReadonlyMap<QuotaName, number> {
  const text = top === undefined ? undefined : readFile(reader, top, QUOTAS_FILE);
  if (top === undefined || text === undefined) return new Map();
  const quotas = parseQuotasFile(text);
  if (quotas === undefined) throw new ForeignDirectoryError(top.oid, `${QUOTAS_FILE} is no list of quotas`);
  return quotas;
}

function domainChanges(reader: ObjectReader, from: Directory | undefined, to: Directory): Change[] {
  const before = domainFilesOf(reader, from);
  const after = domainFilesOf(reader, to);
  const domids = [...new Set([...before.keys(), ...after.keys()])].sort((left, right) => left - right);
  return domids
    .filter((domid) => before.get(domid) !== after.get(domid))
    .map((domid) => ({
      kind: "domain",
      domid,
      before: domainOf(reader, before.get(domid)),
      after: domainOf(reader, after.get(domid)),
    }));
}

/** The files of the domains that have records. */
function domainFilesOf(reader: ObjectReader, top: Directory | undefined): ReadonlyMap<Domid, Oid> {
  const oid = top?.entries.get(DOMAINS_DIRECTORY);
  const files = new Map<Domid, Oid>();
  if (oid === undefined) return files;
  for (const [name, file] of readEntries(reader, oid)) {
    const domid = parseDomid(name);
    if (domid === undefined) throw new ForeignDirectoryError(oid, `${JSON.stringify(name)} is no domain's file`);
    files.set(domid, file);
  }
  return files;
}

function domainOf(reader: ObjectReader, file: Oid | undefined): DomainRecord | undefined {
  if (file === undefined) return undefined;
  const record = parseDomainFile(readBlob(reader, file));
  if (record === undefined) throw new ForeignDirectoryError(file, "it is no record of a domain");
  return record;
}

function readDirectory(reader: ObjectReader, oid: Oid): Directory {
  const entries = readEntries(reader, oid);
  const file = entries.get(PERMS_FILE);
  const perms = file === undefined ? undefined : parsePermsFile(readBlob(reader, file));
  if (perms === undefined) throw new ForeignDirectoryError(oid, `it has no ${PERMS_FILE} that lists perms`);
  return { oid, entries, ...perms };
}

function readEntries(reader: ObjectReader, oid: Oid): ReadonlyMap<string, Oid> {
  const { type, data } = reader.read(oid);
  const listed = type === "tree" ? parseTree(data) : undefined;
  if (listed === undefined)
    throw new ForeignDirectoryError(oid, `it is ${type === "tree" ? "malformed" : `a ${type}`}`);
  return new Map(listed.keys.map((key, index) => [key, listed.oids[index] as Oid]));
}

function readFile(reader: ObjectReader, directory: Directory, name: string): ByteString | undefined {
  const oid = directory.entries.get(name);
  return oid === undefined ? undefined : readBlob(reader, oid);
}
