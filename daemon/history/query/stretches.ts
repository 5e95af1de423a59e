/**
 * A line of commits as a predicate sees it.
 *
 * Owns the stretches into which the line falls, at the commits that touch what the predicate reads: within one the states are the
 * same to it.
 */
import type { Path } from "../../../protocol/identifiers.js";
import { pathsRead } from "../../../protocol/predicate/paths-read.js";
import type { Predicate } from "../../../protocol/predicate/predicate.js";
import type { Oid } from "../object/oid.js";
import type { ObjectSource } from "../repository/read-path.js";
import type { CommitLine } from "./commit-line.js";
import { recordedState } from "./recorded-state.js";
import type { CommitsTouching } from "./touching-commits.js";

/** Where stretches are looked for. */
export interface StretchSearch {
  readonly line: CommitLine;
  readonly source: ObjectSource;
  readonly commitsTouching: CommitsTouching;
}

/** Commits whose states are the same to a predicate. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** A stretch and the root that one of its commits has. */
export interface SeenStretch extends Stretch {
  readonly tree: Oid;
}

/**
 * The stretches of a line, newest first, as far as the search comes. The last is the one commit before all that were looked at,
 * where there is one: what it touches itself is not known.
 *
 * @throws what `findPath` and `HistoryView.commit` throw
 */
export function* stretchesBack(
  predicate: Predicate,
  { line, source, commitsTouching }: StretchSearch,
  { from, to }: Stretch,
): Generator<SeenStretch> {
  let end = to;
  let at = line.find(end);
  let paths: ReadonlySet<Path> | undefined;
  let touching: ReturnType<CommitsTouching> | undefined;
  while (at !== undefined) {
    const { tree } = at.commit;
    const pathsNow = pathsRead(predicate, recordedState(source, tree));
    if (touching === undefined || !isSameSet(paths, pathsNow)) {
      paths = pathsNow;
      touching = commitsTouching(paths, { from, to: end });
    }
    const { done = false, value: begin } = touching.next();
    if (begin <= end) yield { from: begin, to: end, tree };
    end = begin - 1;
    at = line.find(end);
    if (!done && end >= from) continue;
    if (at !== undefined) yield { from: end, to: end, tree: at.commit.tree };
    return;
  }
}

function isSameSet(left: ReadonlySet<Path> | undefined, right: ReadonlySet<Path>): boolean {
  return left?.size === right.size && [...right].every((path) => left.has(path));
}
