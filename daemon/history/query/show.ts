/**
 * One commit, with all that the history knows of it.
 *
 * Owns what belongs to the answer: who asked for what and when, what changed, and what others had committed since the state
 * that the commit was made from.
 */
import type { Seq } from "../../../protocol/identifiers.js";
import type { Change } from "../../store/commit.js";
import { hexFromOid } from "../object/oid.js";
import type { FoundCommit } from "../repository/find-commit.js";
import { summarizeCommit, type CommitSummary } from "./commit-summary.js";
import type { HistoryView } from "./history.js";
import { changesBetween } from "../repository/recorded-changes.js";

/** A commit in full. */
export interface ShownCommit extends CommitSummary {
  /** In hexadecimal. */
  readonly parents: readonly string[];
  /** As the message has them: an operation, what it is about, and what was to become of that. */
  readonly requests: readonly string[];
  /** In the order of `changesBetween`, each node that went told; undefined where what was before it has been given up. */
  readonly changes: readonly Change[] | undefined;
  /** Undefined where the commit was made from the one before it. */
  readonly meanwhile: Meanwhile | undefined;
}

/** What others had committed when a transaction ended that began earlier. */
export interface Meanwhile {
  /** The commit whose state the transaction began with. */
  readonly base: Seq;
  /** How many came between that and this one. */
  readonly count: number;
  /** The last of them, at most `MEANWHILE_MAX`, newest first; fewer where the history was cut. */
  readonly commits: readonly CommitSummary[];
}

/** Most commits that are listed for one transaction: a long one may have slept through thousands. */
export const MEANWHILE_MAX = 100;

/** Tells all of a commit. @throws what `changesBetween` and `HistoryView.commit` throw */
export function showCommit(view: HistoryView, found: FoundCommit): ShownCommit {
  const { commit } = found;
  const previous = view.previous(found);
  return {
    ...summarizeCommit(found),
    parents: commit.parents.map(hexFromOid),
    requests: commit.body === "" ? [] : commit.body.split("\n"),
    changes: changesOf(view, found, previous),
    meanwhile: meanwhileOf(view, found, previous),
  };
}

function changesOf(view: HistoryView, found: FoundCommit, previous: FoundCommit | undefined): Change[] | undefined {
  if (previous === undefined && (found.commit.trailers.seq ?? 1) > 1) return undefined;
  return changesBetween(view.reader, previous?.commit.tree, found.commit.tree, { listsRemoved: true });
}

function meanwhileOf(view: HistoryView, found: FoundCommit, previous: FoundCommit | undefined): Meanwhile | undefined {
  const { seq, base } = found.commit.trailers;
  if (seq === undefined || base === undefined) return undefined;
  const count = seq - 1 - base;
  if (count <= 0) return undefined;
  const commits: CommitSummary[] = [];
  for (let at = previous; at !== undefined && commits.length < Math.min(count, MEANWHILE_MAX);) {
    commits.push(summarizeCommit(at));
    at = view.previous(at);
  }
  return { base, count, commits };
}
