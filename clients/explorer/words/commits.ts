/**
 * Commits, as they are called.
 */
import type { CommitSummaryJson } from "../../../protocol/http-api/commit.js";

/** So many digits of an object's name tell it. */
const OID_DIGITS = 12;

/** A commit's number; where the daemon did not make it, the beginning of its object's name. */
export function commitNumber({ seq, oid }: Pick<CommitSummaryJson, "seq" | "oid">): string {
  return seq === undefined ? oid.slice(0, OID_DIGITS) : String(seq);
}

/** The same in a sentence: `commit 17`. */
export function commitInWords(commit: Pick<CommitSummaryJson, "seq" | "oid">): string {
  return commit.seq === undefined ? commitNumber(commit) : `commit ${commitNumber(commit)}`;
}
