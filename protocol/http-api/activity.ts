/**
 * The question what went on between two commits, and its answer: each commit with what was asked and what changed, oldest first.
 */
import type { CommitSummaryJson } from "./commit.js";
import type { OnBranch } from "./on-branch.js";

/** `GET /v1/activity` */
export interface ActivityQuery extends OnBranch {
  /** The oldest: a revision. The first of the branch unless given; a time before that leaves nothing out. */
  readonly from?: string | undefined;
  /** The newest: a revision. HEAD unless given. */
  readonly to?: string | undefined;
  /** At most so many commits, `ACTIVITY_PAGE_MAX` unless given. */
  readonly limit?: number | undefined;
  /** Where the page before this one ended: its `next`. The revisions no longer count. */
  readonly cursor?: string | undefined;
}

/** Most commits of a page. */
export const ACTIVITY_PAGE_MAX = 1000;

/** Most changes, and most requests, that are told of a commit. */
export const ACTIVITY_CHANGES_MAX = 200;

/** Most characters that are told of a value. */
export const ACTIVITY_VALUE_MAX = 80;

/** A page of commits. */
export interface ActivityPage {
  /** Oldest first. */
  readonly commits: readonly ActivityCommit[];
  /** Where to go on, also after a page without any commit: a page takes a bounded time. Left out at the end. */
  readonly next?: string | undefined;
}

/** A commit with what was asked and what became of it. */
export interface ActivityCommit extends CommitSummaryJson {
  /** The seq of the commit whose state a transaction began with, where that is not the one before. */
  readonly base?: number | undefined;
  /** As in the commit's message. */
  readonly requests: readonly string[];
  /** Nodes that came, went or have another value or other perms, in the order of `xs ls`. */
  readonly changes: readonly ActivityChange[];
  /** Whether changes were left out. Left out where not. */
  readonly hasMore?: true | undefined;
}

/** A node's value before and after a commit, as text and perhaps its beginning only; left out where there was no node. */
export interface ActivityChange {
  readonly path: string;
  readonly before?: string | undefined;
  readonly after?: string | undefined;
}
