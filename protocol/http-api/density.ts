/**
 * The question how many commits there were when, and its answer: what a timeline is drawn from.
 */
import type { CommitSummaryJson } from "./commit.js";
import type { OnBranch } from "./on-branch.js";

/** `GET /v1/density` */
export interface DensityQuery extends OnBranch {
  /** The oldest: a revision. The first of the branch unless given. */
  readonly from?: string | undefined;
  /** The newest: a revision. HEAD unless given. */
  readonly to?: string | undefined;
  /** In so many equal parts of the time between the two; `DENSITY_PARTS_MAX` unless given. */
  readonly parts?: number | undefined;
}

/** Most parts of an answer. */
export const DENSITY_PARTS_MAX = 500;

/** How the commits of a branch lie in time. */
export interface DensityAnswer {
  readonly from: CommitSummaryJson;
  readonly to: CommitSummaryJson;
  /**
   * For each part, the seq of the last commit at its end: never smaller than the one before it, the last one that of `to`. So the first has
   * `ends[0] - from.seq + 1` commits, and part i `ends[i] - ends[i - 1]`.
   */
  readonly ends: readonly number[];
}
