/**
 * The rows of a tree that is partly unfolded.
 *
 * Owns their order and what each says; without a browser, so that it can be tested.
 */
import type { ChangeJson, NodeStateJson } from "../../../protocol/http-api/commit.js";
import type { ChildJson } from "../../../protocol/http-api/history-queries.js";

/** The nodes right below one, as far as they were loaded. */
export interface LoadedChildren {
  readonly children: readonly ChildJson[];
  /** Whether there are more. */
  readonly hasMore: boolean;
}

/** How a node is another than it was before the moment's commit; `below`: something below it is. */
export type Touch = "came" | "changed" | "below";

/** A row: a node, or what stands for the rest of a long list of children. */
export type TreeRow =
  | {
      readonly kind: "node";
      readonly path: string;
      readonly name: string;
      /** Of nodes right below the root it is 1. */
      readonly level: number;
      readonly node: NodeStateJson;
      readonly isFolder: boolean;
      readonly isUnfolded: boolean;
      readonly touch: Touch | undefined;
      /** Its place among its siblings, from 1, and how many there are; -1 where that is not known. */
      readonly position: number;
      readonly siblings: number;
    }
  | { readonly kind: "more"; readonly path: string; readonly level: number };

/** What rows are made of. */
export interface TreeState {
  readonly loaded: ReadonlyMap<string, LoadedChildren>;
  readonly unfolded: ReadonlySet<string>;
  readonly touched: ReadonlyMap<string, Touch>;
}

const ROOT = "/";

/** The rows, from top to bottom, without the root. */
export function treeRows({ loaded, unfolded, touched }: TreeState): readonly TreeRow[] {
  const rows: TreeRow[] = [];
  // What is still to come, the next one last: a tree may be deeper than a stack.
  const open: { readonly parent: string; readonly level: number; at: number }[] = [{ parent: ROOT, level: 1, at: 0 }];
  for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
    const { parent, level } = last;
    const { children = [], hasMore = false } = loaded.get(parent) ?? {};
    const child = children[last.at++];
    if (child === undefined) {
      if (hasMore) rows.push({ kind: "more", path: parent, level });
      open.pop();
      continue;
    }
    const { name, hasChildren: isFolder, ...node } = child;
    const path = childOf(parent, name);
    const isUnfolded = isFolder && unfolded.has(path);
    const siblings = hasMore ? -1 : children.length;
    rows.push({
      kind: "node",
      ...{ path, name, level, node, isFolder, isUnfolded, siblings },
      touch: touched.get(path),
      position: last.at,
    });
    if (isUnfolded) open.push({ parent: path, level: level + 1, at: 0 });
  }
  return rows;
}

/** The path of a child. */
function childOf(parent: string, name: string): string {
  return parent === ROOT ? `/${name}` : `${parent}/${name}`;
}

/** The path above one; the root's is the root, as is that of what is no path. */
export function parentOf(path: string): string {
  const parent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
  return parent === "" ? ROOT : parent;
}

/** All paths above one, the root first, without itself; none above what is no path. */
export function pathsAbove(path: string): readonly string[] {
  const above: string[] = [];
  if (!PATH.test(path)) return above;
  for (let at = path; at !== ROOT; at = parentOf(at)) above.unshift(parentOf(at));
  return above;
}

const PATH = /^\/(?:[^/]+(?:\/[^/]+)*)?$/;

/** Which nodes a commit touched, and what is above them. */
export function touchedBy(changes: readonly ChangeJson[]): ReadonlyMap<string, Touch> {
  const touched = new Map<string, Touch>();
  for (const change of changes) {
    if (change.kind !== "node") continue;
    if (change.after !== undefined) touched.set(change.path, change.before === undefined ? "came" : "changed");
    for (const above of pathsAbove(change.path)) if (!touched.has(above)) touched.set(above, "below");
  }
  return touched;
}
