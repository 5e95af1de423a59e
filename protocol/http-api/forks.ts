/**
 * Forks: other branches of a daemon's history, live and writable beside main.
 *
 * Owns the routes with their bodies and answers. They need a running daemon. What makes no sense is refused with status 400,
 * what is in conflict, or cannot be done now, with 409; nothing is done then.
 */
import type { ChangesAnswer } from "./changes.js";
import type { OnBranch } from "./on-branch.js";

/** A fork. */
export interface ForkJson {
  /** Without `refs/heads/`. */
  readonly name: string;
  /** Its privileged wire socket. Guests have theirs in the directory of the same name with `.domains` behind it. */
  readonly socket: string;
  /** The commit that it began with, 40 hexadecimal digits. */
  readonly base: string;
  readonly baseSeq: number;
  /** Where that one is not on main: the seq of main's newest commit before it. Left out where the history does not tell. */
  readonly leftMain?: number | undefined;
  readonly state: "starting" | "served" | "failed";
  /** Why it failed. */
  readonly reason?: string | undefined;
  /** Its last merge into main: the commit that was merged, and main's commit that did it. */
  readonly merge?: { readonly tip: string; readonly seq: number } | undefined;
  /** A merge that was begun when main was at `after`; whether it was made main's history tells. */
  readonly pending?: { readonly tip: string; readonly after: number } | undefined;
  /** Where it is deleted: its last commit, from which it can be made again as long as Git keeps that. */
  readonly tip?: string | undefined;
}

/** The answer to `GET /v1/forks`. */
export interface ForksAnswer {
  readonly forks: readonly ForkJson[];
}

/** `POST /v1/forks`: make a fork, and serve it. */
export interface ForkRequest extends OnBranch {
  readonly name: string;
  /** Its first state; HEAD unless given. */
  readonly revision?: string | undefined;
}

/** `POST /v1/forks/NAME/merge`: merge a fork into main. */
export interface MergeRequest {
  /** Whose change is taken where both have changed the same: main's or the fork's. Without it that is a conflict. */
  readonly prefer?: "ours" | "theirs" | undefined;
  readonly dryRun?: boolean | undefined;
}

/** What became of a merge; its `target` is the fork's commit that was merged. */
export interface MergeAnswer extends ChangesAnswer {
  /** In words, the conflicts that `prefer` settled. */
  readonly settled: readonly string[];
  /**
   * Where nothing was to be done because main has all of the fork's commits, though its nodes are others by now: main's commit
   * that merged the last of them, or with which the fork began, having none of its own.
   */
  readonly contained?: { readonly seq: number; readonly isMerge: boolean } | undefined;
}

/** Where all is asked for. */
export const FORKS_ROUTE = "/v1/forks";

/** Where a fork is deleted. */
export function forkRoute(name: string): string {
  return `${FORKS_ROUTE}/${encodeURIComponent(name)}`;
}

/** Where a fork is merged. */
export function mergeRoute(name: string): string {
  return `${forkRoute(name)}/merge`;
}
