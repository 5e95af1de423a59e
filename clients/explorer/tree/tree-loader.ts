/**
 * Loads what is unfolded of a state.
 *
 * Owns what is kept of the answers, up to a bound: a commit's state never changes, so whoever goes back in time need not ask again. Of
 * a long list of children as many pages are loaded as were asked for, whatever the commit.
 */
import type { CommitSummaryJson } from "../../../protocol/http-api/commit.js";
import type { ChildJson } from "../../../protocol/http-api/history-queries.js";
import { ask, ApiError } from "../api/client.js";
import { parentOf, pathsAbove, type LoadedChildren } from "./tree-rows.js";

/** What is shown of one state. */
export interface LoadedTree {
  readonly commit: CommitSummaryJson;
  readonly loaded: ReadonlyMap<string, LoadedChildren>;
}

/** What is wanted of it. */
export interface WantedTree {
  readonly unfolded: ReadonlySet<string>;
  /** A node that is to be there, however far down its siblings. */
  readonly chosen: string;
}

/** So many characters of answers are kept, the ones used last. */
const KEPT_CHARACTERS_MAX = 8_000_000;
/** What a child takes besides its name and value. */
const CHILD_CHARACTERS = 200;
/** So far down its siblings a node is looked for. */
const PAGES_MAX = 100;
const BAD_REQUEST = 400;

interface Kept extends LoadedChildren {
  /** Where the next page begins. */
  readonly next: string | undefined;
  readonly pages: number;
  readonly characters: number;
}

const kept = new Map<string, Kept>();
let keptCharacters = 0;
/** By path. */
const pagesWanted = new Map<string, number>();

/** Loads the children of all paths that are unfolded, and whose parents are. @throws ApiError */
export async function loadTree(
  commit: CommitSummaryJson,
  { unfolded, chosen }: WantedTree,
  ended: AbortSignal,
): Promise<LoadedTree> {
  const isSeen = (path: string): boolean => pathsAbove(path).every((above) => above === "/" || unfolded.has(above));
  const paths = ["/", ...[...unfolded].filter(isSeen)];
  const parent = parentOf(chosen);
  const loaded = await Promise.all(
    paths.map(async (path): Promise<[string, LoadedChildren]> => {
      const name = path === parent ? chosen.slice(chosen.lastIndexOf("/") + 1) : "";
      return [path, await childrenOf({ commit, path, name }, ended)];
    }),
  );
  return { commit, loaded: new Map(loaded) };
}

/** Has another page of a node's children loaded from now on. */
export function wantMore(path: string): void {
  pagesWanted.set(path, (pagesWanted.get(path) ?? 1) + 1);
}

interface WantedChildren {
  readonly commit: CommitSummaryJson;
  readonly path: string;
  /** One that is to be among them; empty for none. */
  readonly name: string;
}

async function childrenOf({ commit, path, name }: WantedChildren, ended: AbortSignal): Promise<LoadedChildren> {
  const key = `${commit.oid} ${path}`;
  let known = kept.get(key) ?? NOTHING;
  try {
    for (let isFirst = known.pages === 0; isFirst || isMoreWanted(known, path, name); isFirst = false) {
      const { children = [], next } = await ask("children", { at: commit.oid, path, cursor: known.next }, ended);
      known = withPage(known, children, next);
    }
  } catch (error) {
    // What is no path is nowhere: the others' children are shown.
    if (!(error instanceof ApiError && error.status === BAD_REQUEST && path !== "/")) throw error;
    return NOTHING;
  }
  keep(key, known);
  return known;
}

const NOTHING: Kept = { children: [], hasMore: false, next: undefined, pages: 0, characters: 0 };

function isMoreWanted({ children, hasMore, pages }: Kept, path: string, name: string): boolean {
  if (!hasMore || pages >= PAGES_MAX) return false;
  return pages < (pagesWanted.get(path) ?? 1) || (name !== "" && !children.some((child) => child.name === name));
}

function withPage(before: Kept, page: readonly ChildJson[], next: string | undefined): Kept {
  const characters = page.reduce(
    (sum, child) =>
      sum + child.name.length + ("value" in child ? child.value : child.valueBase64).length + CHILD_CHARACTERS,
    before.characters,
  );
  return {
    children: [...before.children, ...page],
    hasMore: next !== undefined,
    next,
    pages: before.pages + 1,
    characters,
  };
}

function keep(key: string, answer: Kept): void {
  forget(key);
  kept.set(key, answer);
  keptCharacters += answer.characters;
  for (const oldest of kept.keys()) {
    if (keptCharacters <= KEPT_CHARACTERS_MAX || oldest === key) return;
    forget(oldest);
  }
}

function forget(key: string): void {
  keptCharacters -= kept.get(key)?.characters ?? 0;
  kept.delete(key);
}
