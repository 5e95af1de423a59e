/**
 * Under which names the path index keeps what happened to a node.
 *
 * Owns the keys. A commit that changed `/a/b` stands under the node's own key `/a/b`, and under `/a/` and `/`: the keys of what
 * lies below `/a` and below the root. So the log of a subtree is that of two keys, however many nodes the subtree has, and a busy
 * directory costs a byte or two a commit, because the commits that stand under its key are near to each other. `/`, whose
 * name ends with a slash as it is, has the own key "".
 *
 * Worked example: the keys of the nodes `/`, `/a`, `/a/b` and `/a-b` in the order of a run are
 * "", `/`, `/a`, `/a-b`, `/a/`, `/a/b`.
 */
import type { Path } from "../../../protocol/identifiers.js";
import { ROOT_PATH } from "../../../protocol/path.js";

const SLASH = 0x2f;

/** The key of changes of the node itself, and of its removal. */
export function ownKey(path: Path): string {
  return path === ROOT_PATH ? "" : path;
}

/** The key of changes below the node. */
export function belowKey(path: Path): string {
  return path === ROOT_PATH ? path : `${path}/`;
}

/** The innermost key under which a change of what has this key stands besides; undefined for the root and what lies below it. */
export function enclosingKey(key: string): string | undefined {
  const end = key.lastIndexOf("/", key.length - 2);
  return end < 0 || key.length < 2 ? undefined : key.slice(0, end + 1);
}

/** Under how many keys a change of the node stands. */
export function keyCountOf(path: Path): number {
  let count = 1;
  if (path !== ROOT_PATH) for (let at = 0; at < path.length; at++) if (path.charCodeAt(at) === SLASH) count++;
  return count;
}

/** The own keys of the nodes above a node, but for the root, which cannot be removed. */
export function ownKeysAbove(path: Path): string[] {
  const keys: string[] = [];
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) keys.push(path.slice(0, end));
  return keys;
}
