/**
 * The nodes in which two recorded roots differ, one after the other.
 *
 * Owns the walk and its order, which is that of `xs ls`: a node before those below it, siblings by name. It reads no more
 * than what was asked for so far, and it can begin behind a node, so that whoever tells page by page goes on where the page
 * before ended. Against nothing it is a walk over all nodes. Iterates: a path may have over a thousand levels.
 */
import type { Path } from "../../../protocol/identifiers.js";
import { childPath, isAtOrBelow } from "../../../protocol/path.js";
import { samePerms } from "../../../protocol/perms.js";
import type { Change } from "../../store/commit.js";
import type { ObjectReader } from "./object-reader.js";
import { childOf, namesOf, readState, type DirectoryNode, type UnreadNode } from "./recorded-directory.js";

/** A node that came, went, or is another. */
export type NodeChange = Extract<Change, { readonly kind: "node" }>;

/** A node on either side; undefined where there is none. */
export interface NodePair {
  readonly path: Path;
  readonly before: UnreadNode | undefined;
  readonly after: UnreadNode | undefined;
}

/** Where a walk goes. */
export interface WalkOptions {
  /** Tell each node that went; else the top of what went alone. */
  readonly listsRemoved?: boolean | undefined;
  /** Begin behind this node, which is at or below the top; with the top itself unless given. */
  readonly behind?: Path | undefined;
}

/** A node that differs, as its trees have it. */
interface DifferingNode {
  readonly path: Path;
  readonly before: DirectoryNode | undefined;
  readonly after: DirectoryNode | undefined;
}

/**
 * The differences at or below a node.
 *
 * @throws ForeignDirectoryError, and what `ObjectReader.read` throws
 */
export function* walkDifferences(
  reader: ObjectReader,
  top: NodePair,
  options: WalkOptions = {},
): Generator<NodeChange> {
  for (const { path, before, after } of differingNodes(reader, top, options)) {
    yield { kind: "node", path, before: before && readState(reader, before), after: after && readState(reader, after) };
  }
}

/**
 * The same without the nodes' values, which it does not read.
 *
 * @throws as `walkDifferences`
 */
export function* differingNodes(
  reader: ObjectReader,
  top: NodePair,
  { listsRemoved = false, behind }: WalkOptions = {},
): Generator<DifferingNode> {
  if (isSame(top)) return;
  const pending: NodePair[] = [top];
  for (let pair = pending.pop(); pair !== undefined; pair = pending.pop()) {
    const { path } = pair;
    const before = pair.before?.node();
    const after = pair.after?.node();
    const isPassed = behind !== undefined && isAtOrBelow(behind, path);
    if (!isPassed && (before === undefined || after === undefined || !isSameState(before, after))) {
      yield { path, before, after };
    }
    if (after === undefined && !listsRemoved) continue;
    const reached = isPassed ? nextOnTheWay(path, behind) : path;
    for (const child of differingChildren(reader, path, { before, after }).reverse()) {
      if (child.path >= reached) pending.push(child);
    }
  }
}

/** The path from `path` one level down to `goal`; `path` itself where that is the goal. */
function nextOnTheWay(path: Path, goal: Path): Path {
  const end = goal.indexOf("/", path.length + 1);
  return end === -1 ? goal : (goal.slice(0, end) as Path);
}

/** By name. */
function differingChildren(
  reader: ObjectReader,
  path: Path,
  { before, after }: { readonly before: DirectoryNode | undefined; readonly after: DirectoryNode | undefined },
): NodePair[] {
  const from = before?.directory;
  const to = after?.directory;
  const pairs: NodePair[] = [];
  for (const name of new Set([...namesOf(from), ...namesOf(to)])) {
    const pair = { path: childPath(path, name), before: childOf(reader, from, name), after: childOf(reader, to, name) };
    if (!isSame(pair)) pairs.push(pair);
  }
  return pairs.sort((left, right) => (left.path < right.path ? -1 : 1));
}

function isSame({ before, after }: NodePair): boolean {
  if (before === undefined || after === undefined) return before === after;
  if (before.directoryOid !== after.directoryOid) return false;
  return before.directoryOid !== undefined || isSameState(before.node(), after.node());
}

function isSameState(left: DirectoryNode, right: DirectoryNode): boolean {
  return left.value === right.value && samePerms(left.perms, right.perms);
}
