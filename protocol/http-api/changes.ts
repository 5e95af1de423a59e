/**
 * What an operator may have the daemon do to its store and its history.
 *
 * Owns the routes with their bodies and answers. They need a running daemon. What makes no sense is refused with status 400,
 * what is in conflict with 409; nothing is done then.
 */
import type { ChangeJson, CommitSummaryJson } from "./commit.js";
import type { OnBranch } from "./on-branch.js";
import type { ValueJson } from "./value.js";

/** `POST /v1/rollback`: make the store, or a part of it, as it was. */
export interface RollbackRequest {
  /** The revision to go back to. */
  readonly revision: string;
  /** Only what is at or below this node; perms, quotas and domains too unless given. */
  readonly path?: string | undefined;
  /** Tell what would change, and change nothing. */
  readonly dryRun?: boolean | undefined;
  /** On which branch, which is at hand for the revision too; main unless given. */
  readonly branch?: string | undefined;
}

/** `POST /v1/revert`: undo one commit. */
export interface RevertRequest {
  readonly revision: string;
  readonly dryRun?: boolean | undefined;
  /** On which branch, which is at hand for the revision too; main unless given. */
  readonly branch?: string | undefined;
}

/** `POST /v1/load`: make the nodes of the store what a listing says. */
export interface LoadRequest {
  /** The text of the listing (`protocol/listing/`). */
  readonly listing: ValueJson;
  /** Only this node and what is below it; where an indented listing begins. `/` unless given. */
  readonly path?: string | undefined;
  /** Take the lines that make sense, and leave the others out; else one that makes none is a reason to do nothing. */
  readonly skipBadLines?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  /** On which branch; main unless given. */
  readonly branch?: string | undefined;
}

/** What became of a listing. */
export interface LoadAnswer extends Omit<ChangesAnswer, "target"> {
  /** How many nodes the listing has, at and below that one. */
  readonly nodeCount: number;
  /** In words with their line's number: what was taken otherwise than it stands there, or left out. */
  readonly remarks: readonly string[];
}

/** What became of such a request. */
export interface ChangesAnswer {
  /** `unchanged`: the store is as it was to become. `planned`: it was asked for without being done. */
  readonly outcome: "committed" | "unchanged" | "planned";
  /** The commit that did it, with `committed`. */
  readonly commit?: CommitSummaryJson | undefined;
  /** The commit that was gone back to, or undone. */
  readonly target: CommitSummaryJson;
  /** What changes, at most `CHANGES_LISTED_MAX` of it. */
  readonly changes: readonly ChangeJson[];
  readonly changeCount: number;
}

/** Most changes that an answer lists. */
export const CHANGES_LISTED_MAX = 1000;

/** `PUT /v1/tags/NAME`: give a commit a name. */
export interface TagRequest extends OnBranch {
  /** The commit; HEAD unless given. */
  readonly revision?: string | undefined;
}

/** Where each is asked for. */
export const CHANGE_ROUTES = {
  rollback: "/v1/rollback",
  revert: "/v1/revert",
  load: "/v1/load",
  /** With the tag's name behind it. */
  tags: "/v1/tags/",
} as const;
