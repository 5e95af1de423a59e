/**
 * The question which commit broke something, and its answer.
 *
 * A predicate (`protocol/predicate/README.md`) tells the bad states: it does not hold at the good commit and holds at the bad
 * one, and the answer is a commit at which it came to hold.
 */
import type { CommitJson, CommitSummaryJson } from "./commit.js";
import type { OnBranch } from "./on-branch.js";

/** Where to look, and for what. */
export interface BisectQuery extends OnBranch {
  /** An expression, or the name of a fault (`protocol/predicate/faults.ts`). */
  readonly predicate: string;
  /** What `$D` stands for in it. */
  readonly domain?: number | undefined;
  /** A revision at which it does not hold; the first commit unless given. */
  readonly good?: string | undefined;
  /** A later one at which it holds; unless given HEAD, or, where it does not hold any more, the newest at which it does. */
  readonly bad?: string | undefined;
  /**
   * Look for flips in so many commits, the newest; unless given, in as many as take a moment. A daemon takes
   * `BISECT_FLIPS_MAX` at most.
   */
  readonly flips?: number | undefined;
}

/** Most commits in which a daemon looks for flips for one question: others wait for about a second. */
export const BISECT_FLIPS_MAX = 10_000;

/** What was found. */
export interface BisectAnswer {
  /** The predicate in its canonical text. */
  readonly predicate: string;
  readonly good: CommitSummaryJson;
  readonly bad: CommitSummaryJson;
  /** HEAD, where no bad commit was named and the predicate does not hold there any more. */
  readonly tip?: CommitSummaryJson;
  /** The predicate holds here, and does not at the commit before. */
  readonly first: CommitJson;
  /** Commits between the two at which the predicate was evaluated. */
  readonly steps: number;
  /** Those commits, in the order in which they were looked at. */
  readonly tried: readonly { readonly seq: number; readonly isBad: boolean }[];
  readonly flips: FlipsJson;
}

/** How often the predicate turns over after the good commit, up to the bad one. Once is what a bisection supposes. */
export interface FlipsJson {
  readonly count: number;
  /** Flips were looked for in so many commits, the newest. */
  readonly looked: number;
  /** Commits in question. */
  readonly commits: number;
}
