/**
 * Which nodes of a state a path pattern matches.
 *
 * Owns the walk. A pattern without wildcards is one look-up. Otherwise the walk begins at the prefix, lists the children only
 * where a wildcard asks for it, and comes to each node at most once, however many ways there are to match it: it keeps, for
 * each node, the *set* of places in the pattern that the node can stand at. So it takes at most nodes × wild names steps, and
 * the nodes still to be looked at are a list and not a recursion, for a path may have over a thousand levels.
 *
 * Worked example, `/a` + `** b` on `/a/b/b`: at `/a` the places are {0, 1} (`**` may be nothing); at `/a/b` {0, 1} by `**`
 * and {2}, the end, by `b`: it matches; so does `/a/b/b`.
 */
import type { ByteString } from "../bytes.js";
import { DOM0, type Path } from "../identifiers.js";
import { XENSTORE_ABS_PATH_MAX } from "../limits.js";
import { childPath, parsePath, ROOT_PATH } from "../path.js";
import { ANY_NAMES } from "./path-pattern.js";
import type { PathPattern } from "./predicate.js";
import type { StateView, ViewedNode } from "./state-view.js";

/** Places in the wild names of a pattern, ascending; their number is the end. */
type Places = readonly number[];
const NO_PLACES: Places = [];

/** The nodes that a pattern matches, each once, in no particular order. */
export function* matchingNodes(pattern: PathPattern, view: StateView): Generator<ViewedNode, undefined> {
  const begin = pathOf(pattern, view);
  if (begin === undefined) return;
  const { wild } = pattern;
  const toVisit: { readonly path: Path; readonly places: Places }[] = [{ path: begin, places: withSkips([0], wild) }];
  for (let visit = toVisit.pop(); visit !== undefined; visit = toVisit.pop()) {
    const { path, places } = visit;
    const matches = places.at(-1) === wild.length;
    const expected = matches ? places.slice(0, -1) : places;
    const plain = expected.every((place) => !isWildName(wild[place]));
    // Where only plain names are expected, they are looked up and this node need not be.
    const node = matches || !plain ? view.node(path) : undefined;
    if (node === undefined && (matches || !plain)) continue;
    if (matches && node !== undefined) yield node;
    const names = plain ? new Set(expected.map((place) => wild[place] as ByteString)) : (node?.names ?? []);
    for (const name of names) {
      const next = placesAfter(name, expected, wild);
      const child = childPath(path, name);
      if (next.length > 0 && child.length <= XENSTORE_ABS_PATH_MAX) toVisit.push({ path: child, places: next });
    }
  }
}

/** The node of a pattern without wild names, or undefined. */
export function getMatchingNode(pattern: PathPattern, view: StateView): ViewedNode | undefined {
  const path = pathOf(pattern, view);
  return path === undefined ? undefined : view.node(path);
}

/**
 * The paths that decide what a pattern matches: those of the nodes in braces, and the one at or below which it looks for
 * nodes. While the nodes there and all below the last are as they are, it matches what it does.
 */
export function pathsOfPattern(pattern: PathPattern, view: StateView): readonly Path[] {
  const paths: Path[] = [];
  const begin = pathOf(pattern, view, (path) => paths.push(path));
  return begin === undefined ? paths : [...paths, begin];
}

/**
 * Where a pattern's wild names begin; undefined when its base is missing or has a value that is no absolute path.
 *
 * @param readBase - told of each path whose value is the beginning of another
 */
function pathOf(
  pattern: PathPattern,
  view: StateView,
  readBase: (path: Path) => void = () => undefined,
): Path | undefined {
  // What a pattern without a base begins with was checked when it was parsed.
  if (pattern.base === undefined) return pattern.prefix === "" ? ROOT_PATH : (pattern.prefix as Path);
  /** The pattern and its base, the base's base, …: the last begins at the root. */
  const chain: PathPattern[] = [];
  for (let link: PathPattern | undefined = pattern; link !== undefined; link = link.base) chain.push(link);
  let path: Path | undefined = ROOT_PATH;
  for (let link = chain.pop(); link !== undefined; link = chain.pop()) {
    if (path === undefined) return undefined;
    const begin: ByteString = path;
    const text = begin === ROOT_PATH && link.prefix !== "" ? link.prefix : begin + link.prefix;
    path = absolutePath(text);
    if (chain.length === 0 || path === undefined) continue;
    readBase(path);
    path = absolutePath(view.node(path)?.value ?? "");
  }
  return path;
}

function absolutePath(text: ByteString): Path | undefined {
  return text.startsWith("/") ? parsePath(text, DOM0) : undefined;
}

/** The places of a child called `name` whose parent is at `places`. */
function placesAfter(name: ByteString, places: Places, wild: readonly ByteString[]): Places {
  const [only = 0] = places;
  // Nearly always there is one place, and one after it.
  if (places.length === 1 && wild[only] !== ANY_NAMES && wild[only + 1] !== ANY_NAMES) {
    return matchesName(wild[only] as ByteString, name) ? [only + 1] : NO_PLACES;
  }
  const after = new Set<number>();
  for (const place of places) {
    const expected = wild[place] as ByteString;
    if (expected === ANY_NAMES) after.add(place);
    else if (matchesName(expected, name)) after.add(place + 1);
  }
  return withSkips(after, wild);
}

/** The places, and those that are reached from them when `**` stands for nothing. */
function withSkips(places: Iterable<number>, wild: readonly ByteString[]): Places {
  const all = new Set<number>();
  for (let place of places) {
    while (!all.has(place)) {
      all.add(place);
      if (wild[place] === ANY_NAMES) place++;
    }
  }
  return [...all].sort((left, right) => left - right);
}

function isWildName(name: ByteString | undefined): boolean {
  return name?.includes("*") === true;
}

/** Whether a name matches a wild name that is not `**`. Takes at most the product of their lengths. */
function matchesName(wild: ByteString, name: ByteString): boolean {
  if (wild === "*" || wild === name) return true;
  let at = 0;
  /** The last `*`, and the first character that it does not stand for yet. */
  let star = -1;
  let resume = 0;
  for (let index = 0; index < name.length;) {
    if (wild[at] === "*") {
      star = at++;
      resume = index;
    } else if (wild[at] === name[index]) {
      at++;
      index++;
    } else if (star >= 0) {
      at = star + 1;
      index = ++resume;
    } else return false;
  }
  while (wild[at] === "*") at++;
  return at === wild.length;
}
