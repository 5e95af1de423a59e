/**
 * Loads what is unfolded of a state.
 *
 * Owns what is kept of the answers: a commit's state never changes, so whoever goes back in time need not ask again.
 */
import type { CommitSummaryJson } from "../../../protocol/http-api/commit.js";
import { ask } from "../api/client.js";
import { pathsAbove, type LoadedChildren } from "./tree-rows.js";

/** What is shown of one state. */
export interface LoadedTree {
  readonly commit: CommitSummaryJson;
  readonly loaded: ReadonlyMap<string, LoadedChildren>;
}

/** So many answers are kept, the ones used last. */
const ANSWERS_MAX = 2000;

interface Kept extends LoadedChildren {
  /** Where the next page begins. */
  readonly next: string | undefined;
}

const kept = new Map<string, Kept>();

/** Loads the children of all paths that are unfolded, and whose parents are. @throws ApiError */
export async function loadTree(
  commit: CommitSummaryJson,
  unfolded: ReadonlySet<string>,
  ended: AbortSignal,
): Promise<LoadedTree> {
  const paths = [
    "/",
    ...[...unfolded].filter((path) => pathsAbove(path).every((above) => above === "/" || unfolded.has(above))),
  ];
  const loaded = await Promise.all(
    paths.map(async (path): Promise<[string, LoadedChildren]> => [path, await childrenOf(commit, path, ended)]),
  );
  return { commit, loaded: new Map(loaded) };
}

/** Loads another page of a node's children. @throws ApiError */
export async function loadMore(commit: CommitSummaryJson, path: string): Promise<void> {
  const key = keyOf(commit, path);
  const before = kept.get(key);
  if (before?.next === undefined) return;
  const { children = [], next } = await ask("children", { at: commit.oid, path, cursor: before.next });
  keep(key, { children: [...before.children, ...children], hasMore: next !== undefined, next });
}

async function childrenOf(commit: CommitSummaryJson, path: string, ended: AbortSignal): Promise<LoadedChildren> {
  const key = keyOf(commit, path);
  const known = kept.get(key);
  if (known !== undefined) {
    keep(key, known);
    return known;
  }
  const { children = [], next } = await ask("children", { at: commit.oid, path }, ended);
  return keep(key, { children, hasMore: next !== undefined, next });
}

function keep(key: string, answer: Kept): Kept {
  kept.delete(key);
  kept.set(key, answer);
  const [oldest] = kept.keys();
  if (kept.size > ANSWERS_MAX && oldest !== undefined) kept.delete(oldest);
  return answer;
}

function keyOf({ oid }: CommitSummaryJson, path: string): string {
  return `${oid} ${path}`;
}
