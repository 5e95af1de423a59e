/**
 * Which commits changed something at or below given paths.
 *
 * Owns the port, and the answer: a walk from commit to commit that compares what stands at the paths.
 */
import type { Path } from "../../../protocol/identifiers.js";
import { OID_BYTES, type Oid } from "../object/oid.js";
import type { GitObject } from "../object/pack-decode.js";
import { findChild, permsFileOf, type ObjectSource } from "../repository/read-path.js";
import type { FoundCommit } from "../repository/find-commit.js";
import type { CommitLine } from "./commit-line.js";
import type { HistoryView } from "./history.js";
import { PathTouches } from "./indexed-past.js";

/** Commits of a line, by seqs. */
export interface SeqRange {
  /** The first that is in question. */
  readonly from: number;
  /** The last. */
  readonly to: number;
}

/**
 * Finds the commits of a range after which something at or below one of the paths is not as before; others may be among them.
 * It gives their seqs, newest first, and returns the seq from which on it looked: later than `from` where it gave up.
 */
export type CommitsTouching = (paths: ReadonlySet<Path>, range: SeqRange) => Generator<number, number>;

/**
 * Finds them by a walk, which passes over the commits of which the index of paths knows that they did not touch the paths.
 *
 * @param source - where objects come from
 * @param mayGoOn - asked for each commit that is looked at: without an index, a walk of a million takes a minute
 */
export function walkingCommitsTouching(
  view: HistoryView,
  line: CommitLine,
  { source, mayGoOn }: { readonly source: ObjectSource; readonly mayGoOn: () => boolean },
): CommitsTouching {
  const identities = new PathIdentities(source);
  return function* (paths, { from, to }) {
    const touches = [...paths].map((path) => new PathTouches(view, path));
    let at = line.find(to);
    if (at === undefined) return to + 1;
    let here = identities.of(at.commit.tree, paths);
    for (at = newestTouching(touches, at); ;) {
      const seq: number = at.commit.trailers.seq ?? 0;
      if (seq < from) return from;
      // Before the first commit nothing is known of what was, so it may have changed anything.
      const previous = view.previous(at);
      if (previous === undefined) {
        yield seq;
        return seq;
      }
      if (!mayGoOn()) return seq + 1;
      const before = at.commit.tree === previous.commit.tree ? here : identities.of(previous.commit.tree, paths);
      if (before !== here) yield seq;
      // The commits that are passed over from here leave that as it is.
      here = before;
      at = newestTouching(touches, previous);
    }
  };
}

/** The newest commit, this one or one before it, that may have touched one of the paths; none between the two has. */
function newestTouching(touches: readonly PathTouches[], at: FoundCommit): FoundCommit {
  let newest: FoundCommit | undefined;
  for (const each of touches) {
    const candidate = each.newestAtMost(at);
    if (candidate === at) return at;
    if ((candidate.commit.trailers.seq ?? 0) > (newest?.commit.trailers.seq ?? -1)) newest = candidate;
  }
  return newest ?? at;
}

/** What stands at no node. */
const NOTHING = "-";
/** More than the paths of a predicate have in one state; beyond that all is forgotten, and soon known again. */
const KNOWN_MAX = 20_000;

/**
 * What stands at paths, as words that are equal only where it is equal: the oid of a directory; that of the value and of the
 * perms file beside it. From one commit to the next nearly all directories stay, and what is known of them does.
 */
class PathIdentities {
  readonly #source: ObjectSource;
  /** By the oid of a directory and the rest of the path from there. */
  readonly #known = new Map<string, string>();

  constructor(source: ObjectSource) {
    this.#source = source;
  }

  of(tree: Oid, paths: ReadonlySet<Path>): string {
    if (this.#known.size > KNOWN_MAX) this.#known.clear();
    let all = "";
    for (const path of paths) all += `${this.#identity(tree, path === "/" ? "" : path)} `;
    return all;
  }

  #identity(tree: Oid, path: string): string {
    const passed: string[] = [];
    let found: string | undefined;
    let directory = tree;
    let rest = path;
    while (found === undefined) {
      const key = directory + rest;
      found = this.#known.get(key);
      if (found !== undefined) break;
      passed.push(key);
      if (rest === "") {
        found = directory;
        break;
      }
      const end = rest.indexOf("/", 1);
      const child = findChild(this.#source, directory, rest.slice(1, end < 0 ? undefined : end));
      if (child === undefined || (child.parent !== undefined && end >= 0)) found = NOTHING;
      else if (child.parent !== undefined) found = child.oid + permsFileOf(child.parent);
      directory = child?.oid ?? directory;
      rest = end < 0 ? "" : rest.slice(end);
    }
    for (const key of passed) this.#known.set(key, found);
    return found;
  }
}

/** Small enough to hold a few of, large enough for a directory of a thousand domains. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024;

/**
 * A source that keeps the objects that were read last: neighbouring states share most of their directories, and the tests of
 * a predicate look into the same ones.
 */
export function rememberingSource(source: ObjectSource): ObjectSource {
  const kept = new Map<Oid, GitObject>();
  let bytes = 0;
  return {
    read(oid) {
      const known = kept.get(oid);
      if (known !== undefined) return known;
      const object = source.read(oid);
      bytes += object.data.length + OID_BYTES;
      if (bytes > KEPT_BYTES_MAX) {
        kept.clear();
        bytes = object.data.length + OID_BYTES;
      }
      kept.set(oid, object);
      return object;
    },
  };
}
