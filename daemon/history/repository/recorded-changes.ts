/**
 * What changed between two recorded roots, from their tree objects alone.
 *
 * Owns what a change of a root is there: of nodes (`recorded-walk.ts` finds them), and of what stands beside them. Neither
 * root is decoded: directories with one oid are equal, so that the cost is that of what differs, a tree object for each level
 * of it on either side. What it finds is what `diffRoots` finds between the decoded roots.
 */
import { parseDomid, type Domid, type Path } from "../../../protocol/identifiers.js";
import { ROOT_PATH, SPECIAL_PATHS, type SpecialPath } from "../../../protocol/path.js";
import { samePerms, type Perms } from "../../../protocol/perms.js";
import type { Change } from "../../store/commit.js";
import type { QuotaName } from "../../store/quota.js";
import { emptyRoot, type DomainRecord } from "../../store/root.js";
import {
  DOMAINS_DIRECTORY,
  parseDomainFile,
  parseQuotasFile,
  parseSpecialFile,
  QUOTAS_FILE,
  SPECIAL_FILE,
} from "../object/dot-file.js";
import type { Oid } from "../object/oid.js";
import type { ObjectReader } from "./object-reader.js";
import { ForeignDirectoryError, readBlob } from "./read-path.js";
import {
  EMPTY_VALUE,
  nodeOfDirectory,
  readDirectory,
  readEntries,
  readFile,
  type Directory,
  type UnreadNode,
} from "./recorded-directory.js";
import { differingNodes, walkDifferences, type NodeChange, type NodePair } from "./recorded-walk.js";

/** How changes are told. */
export interface ChangesOptions {
  /** Tell each node that went; else the top of what went alone, as a commit's own changes do. */
  readonly listsRemoved?: boolean;
}

/** What belongs to a root besides its nodes. */
type OtherChange = Exclude<Change, NodeChange>;

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
  options: ChangesOptions = {},
): Change[] {
  if (before === after) return [];
  const from = before === undefined ? undefined : readDirectory(reader, before);
  const to = readDirectory(reader, after);
  return [
    ...[...walkDifferences(reader, topsOf(from, to), options)].sort((left, right) => (left.path < right.path ? -1 : 1)),
    ...changesBesideNodes(reader, from, to),
  ];
}

/**
 * What changed between two recorded roots besides their nodes: perms of special paths, then quotas, then domains.
 *
 * @param from - the top of a root; undefined for the state before the first commit
 * @param to - the top of a root
 * @throws as `changesBetween`
 */
export function changesBesideNodes(reader: ObjectReader, from: Directory | undefined, to: Directory): OtherChange[] {
  return [...specialChanges(reader, from, to), ...quotaChanges(reader, from, to), ...domainChanges(reader, from, to)];
}

/** A node whose own state differs between two roots. */
export interface TouchedNode {
  readonly path: Path;
  /** Whether it went, with all below it, which is not told. */
  readonly isRemoval: boolean;
}

/**
 * The nodes that `changesBetween` tells, in the order of `xs ls`, without reading what they hold; lazily.
 *
 * @throws what `changesBetween` throws
 */
export function* touchedNodes(reader: ObjectReader, before: Oid | undefined, after: Oid): Generator<TouchedNode> {
  if (before === after) return;
  const from = before === undefined ? undefined : readDirectory(reader, before);
  for (const { path, after: node } of differingNodes(reader, topsOf(from, readDirectory(reader, after)))) {
    yield { path, isRemoval: node === undefined };
  }
}

/**
 * The nodes alone of what `changesBetween` tells, each one that went told, in the order of `xs ls`; lazily.
 *
 * @throws what `changesBetween` throws
 */
export function* nodeChanges(reader: ObjectReader, before: Oid | undefined, after: Oid): Generator<NodeChange> {
  if (before === after) return;
  const from = before === undefined ? undefined : readDirectory(reader, before);
  yield* walkDifferences(reader, topsOf(from, readDirectory(reader, after)), { listsRemoved: true });
}

function topsOf(from: Directory | undefined, to: Directory): NodePair {
  return { path: ROOT_PATH, before: from === undefined ? NOTHING_RECORDED : topOf(from), after: topOf(to) };
}

const NOTHING_RECORDED: UnreadNode = {
  directoryOid: undefined,
  node: () => ({ perms: emptyRoot().node.perms, value: EMPTY_VALUE, directory: undefined }),
};

function topOf(directory: Directory): UnreadNode {
  return { directoryOid: directory.oid, node: () => nodeOfDirectory(directory) };
}

function specialChanges(reader: ObjectReader, from: Directory | undefined, to: Directory): OtherChange[] {
  const before = from === undefined ? emptyRoot().special : specialOf(reader, from);
  const after = specialOf(reader, to);
  return SPECIAL_PATHS.flatMap((path): OtherChange[] => {
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

function quotaChanges(reader: ObjectReader, from: Directory | undefined, to: Directory): OtherChange[] {
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

function domainChanges(reader: ObjectReader, from: Directory | undefined, to: Directory): OtherChange[] {
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
