/**
 * When a commit was made, for who searches by time.
 *
 * Owns the one time that all searches go by: the committer's date, which never decreases along a branch, and within that second what our
 * trailer says. Where the clock was set back, the trailer is of an earlier second; then it is the beginning of the committer's. So times are
 * in order but for those of one second, and a search that halves finds one of the commits around the moment.
 */
import type { Microseconds } from "../../../protocol/identifiers.js";
import type { FoundCommit } from "../repository/find-commit.js";

/** Of a second, in microseconds. */
const SECOND = 1_000_000;

/** The time of a commit. */
export function madeAt({ commit }: FoundCommit): Microseconds {
  const begin = commit.committer.seconds * SECOND;
  const exact = commit.trailers.time ?? begin;
  return Math.min(Math.max(exact, begin), begin + SECOND - 1) as Microseconds;
}
