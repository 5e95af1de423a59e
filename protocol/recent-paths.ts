/**
 * The paths that were named lately, split.
 *
 * Owns a bounded memory: most requests name a path that was named before, and splitting it takes longer than all else that
 * is done to find its node. Two generations: when the young one is full the old one is dropped, and whoever is named again
 * becomes young again.
 *
 * What is given out is flat: it keeps no socket chunk alive.
 */
import { flattenBytes } from "./bytes.js";
import type { Path } from "./identifiers.js";

/** A path with its names, from the root to the node. */
export interface SplitPath {
  readonly path: Path;
  /** Whoever finds a name in a list may put the list's own string in its place: the same object is seen to be equal at once. */
  readonly names: string[];
  /**
   * For each name, where whoever looked it up in a sorted list found it last, or -1: the first place to look. Nothing but speed
   * depends on it.
   */
  readonly hints: number[];
  /** Whether it was remembered. */
  isRemembered: boolean;
}

/** Paths of one generation. */
const GENERATION_MAX = 8192;
/** Longer and deeper paths are split each time: what guests can have us remember takes about 1 KiB a path at the most. */
const PATH_BYTES_MAX = 160;
const NAMES_MAX = 16;

let young = new Map<string, SplitPath>();
let old = new Map<string, SplitPath>();

/** What is remembered of a text, if it is a path that was named lately. */
export function recallPath(text: string): SplitPath | undefined {
  const recent = young.get(text);
  if (recent !== undefined) return recent;
  const older = old.get(text);
  if (older !== undefined) add(older);
  return older;
}

/** Splits a path. @param path - valid, and not `/` */
export function splitFlat(path: Path): SplitPath {
  const flat = flattenBytes(path) as Path;
  const names = flat.slice(1).split("/");
  return { path: flat, names, hints: names.map(() => -1), isRemembered: false };
}

/** Remembers a path, if it is short. Of a node that was found: what is only created would drive out what is used. */
export function rememberPath(split: SplitPath): void {
  if (split.isRemembered) return;
  if (split.path.length > PATH_BYTES_MAX || split.names.length > NAMES_MAX) return;
  split.isRemembered = true;
  add(split);
}

function add(split: SplitPath): void {
  if (young.size >= GENERATION_MAX) {
    old = young;
    young = new Map();
  }
  young.set(split.path, split);
}
