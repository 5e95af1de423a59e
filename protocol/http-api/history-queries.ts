/**
 * What may be asked about the history.
 *
 * Owns the questions and their answers, which are the same whether a repository is read here or a daemon is asked over its
 * admin socket: each is a GET of its route with the question's members as the URL's parameters. Every answer is as of one
 * commit. A question that makes no sense (an unknown revision, path, predicate) is refused with words for people: status 400
 * over HTTP, with a problem document (RFC 9457).
 */
import type { ActivityPage, ActivityQuery } from "./activity.js";
import type { BisectAnswer, BisectQuery } from "./bisect.js";
import type { ChangeJson, CommitJson, CommitSummaryJson, NodeJson, NodeStateJson } from "./commit.js";
import type { DensityAnswer, DensityQuery } from "./density.js";
import type { OnBranch } from "./on-branch.js";

/** Which commits of the log, newest first. All that is given must hold. */
export interface LogQuery extends OnBranch {
  /** The newest: a revision. HEAD unless given. */
  readonly to?: string | undefined;
  /** The oldest: a revision. The first of the branch unless given; a time before that leaves nothing out. */
  readonly from?: string | undefined;
  /** Changed this node or one below it. */
  readonly path?: string | undefined;
  /** Made by this domain. */
  readonly domain?: number | undefined;
  /** Made by a transaction with this id. */
  readonly tx?: number | undefined;
  /** Has a message with a line that has a match of this regular expression, in RE2's syntax. */
  readonly grep?: string | undefined;
  /** At most so many, `LOG_PAGE_MAX` unless given. */
  readonly limit?: number | undefined;
  /** Where the page before this one ended: its `next`. The other members are to be the same. */
  readonly cursor?: string | undefined;
}

/** Most commits of one page of the log. */
export const LOG_PAGE_MAX = 1000;

/** A page of the log. */
export interface LogPage {
  readonly commits: readonly CommitSummaryJson[];
  /** Where to go on, also after a page without any commit: a page takes a bounded time. Left out at the end. */
  readonly next?: string | undefined;
}

/** Names one commit. */
export interface CommitQuery extends OnBranch {
  /** HEAD unless given. */
  readonly revision?: string | undefined;
}

/** Where the nodes of a state come from. */
export interface BlameQuery extends OnBranch {
  /** The nodes at and below this one. */
  readonly path: string;
  /** A revision. HEAD unless given. */
  readonly at?: string | undefined;
}

/** Each node, in the order of `xs ls`, with the last commit that changed it, or made it. */
export interface BlameAnswer {
  /** Whose state it is. */
  readonly commit: CommitSummaryJson;
  /** The commits that are named by their place in this list. */
  readonly commits: readonly CommitSummaryJson[];
  /** A node without a commit is as it was when the history was cut. */
  readonly nodes: readonly { readonly path: string; readonly commit?: number | undefined }[];
}

/** A branch or a tag. */
export interface RefJson extends CommitSummaryJson {
  /** Without `refs/heads/` or `refs/tags/`. */
  readonly name: string;
}

/** The names that commits have. */
export interface RefsJson {
  /** Each with the commit at its tip. */
  readonly branches: readonly RefJson[];
  readonly tags: readonly RefJson[];
}

/** The members of questions that are revisions. */
export const REVISION_MEMBERS = ["from", "to", "revision", "at", "good", "bad"] as const;

/** Most nodes or changes of one page. */
export const NODES_PAGE_MAX = 1000;

/** What leads from one state to another. */
export interface DiffQuery extends OnBranch {
  /** A revision. */
  readonly from: string;
  /** A revision; it need not be the newer one. */
  readonly to: string;
  /** Only this node and those below it; it is refused where neither has it. Everything unless given, or where it is `/`. */
  readonly path?: string | undefined;
  /** At most so many, `NODES_PAGE_MAX` unless given. */
  readonly limit?: number | undefined;
  /** Where the page before this one ended: its `next`. `path` is to be the same; the revisions no longer count. */
  readonly cursor?: string | undefined;
}

/**
 * A page of a difference. All pages together have every node that came, went (each of them, not the top alone) or is
 * another, in the order of `xs ls`; the last page has besides them, however many they are, special paths, quotas and domains.
 */
export interface DiffPage {
  readonly from: CommitSummaryJson;
  readonly to: CommitSummaryJson;
  readonly changes: readonly ChangeJson[];
  /** Where to go on; left out at the end. */
  readonly next?: string | undefined;
}

/** The nodes of a state: all that are below one. */
export interface TreeQuery extends OnBranch {
  /** A revision. HEAD unless given. */
  readonly at?: string | undefined;
  /** `/` unless given. */
  readonly path?: string | undefined;
  /** Only nodes with this text in their path or value, in capitals or not. */
  readonly text?: string | undefined;
  /** At most so many, `NODES_PAGE_MAX` unless given. */
  readonly limit?: number | undefined;
  /** Where the page before this one ended: its `next`. `path` and `text` are to be the same; the revision no longer counts. */
  readonly cursor?: string | undefined;
}

/** A page of nodes. */
export interface TreePage {
  /** Whose state it is. */
  readonly commit: CommitSummaryJson;
  /**
   * In the order of `xs ls`, without the node itself; left out where there is no such node. With a text in question perhaps none,
   * and more to come: a page takes a bounded time.
   */
  readonly nodes?: readonly NodeJson[] | undefined;
  /** For people: which commit removed the node, or what there is instead of it. Left out where there is such a node. */
  readonly absence?: string | undefined;
  /** Where to go on; left out at the end. */
  readonly next?: string | undefined;
}

/** A node of a state, and those right below it. */
export interface ChildrenQuery extends OnBranch {
  /** A revision. HEAD unless given. */
  readonly at?: string | undefined;
  /** `/` unless given. */
  readonly path?: string | undefined;
  /** At most so many, `NODES_PAGE_MAX` unless given. */
  readonly limit?: number | undefined;
  /** Where the page before this one ended: its `next`. `path` is to be the same; the revision no longer counts. */
  readonly cursor?: string | undefined;
}

/** A page of a node's children. */
export interface ChildrenPage {
  /** Whose state it is. */
  readonly commit: CommitSummaryJson;
  /** Left out where there is no such node, with all that follows. */
  readonly node?: NodeJson | undefined;
  /** By name. */
  readonly children?: readonly ChildJson[] | undefined;
  /** Where to go on; left out at the end. */
  readonly next?: string | undefined;
}

/** A child. */
export type ChildJson = NodeStateJson & {
  readonly name: string;
  readonly hasChildren: boolean;
};

/** One node of a state. */
export interface NodeQuery extends OnBranch {
  /** A revision. HEAD unless given. */
  readonly at?: string | undefined;
  readonly path: string;
}

/** A node, if there is one. */
export interface NodeAnswer {
  /** Whose state it is. */
  readonly commit: CommitSummaryJson;
  /** Left out where there is no such node. */
  readonly node?: NodeJson | undefined;
  /** For people: which commit removed it, or what there is instead. Left out where there is such a node. */
  readonly absence?: string | undefined;
}

/** Each question with its answer. */
export interface HistoryAnswers {
  log: { readonly query: LogQuery; readonly answer: LogPage };
  commit: { readonly query: CommitQuery; readonly answer: CommitJson };
  blame: { readonly query: BlameQuery; readonly answer: BlameAnswer };
  refs: { readonly query: Readonly<Record<string, never>>; readonly answer: RefsJson };
  diff: { readonly query: DiffQuery; readonly answer: DiffPage };
  tree: { readonly query: TreeQuery; readonly answer: TreePage };
  children: { readonly query: ChildrenQuery; readonly answer: ChildrenPage };
  node: { readonly query: NodeQuery; readonly answer: NodeAnswer };
  bisect: { readonly query: BisectQuery; readonly answer: BisectAnswer };
  density: { readonly query: DensityQuery; readonly answer: DensityAnswer };
  activity: { readonly query: ActivityQuery; readonly answer: ActivityPage };
}

/** The name of a question. */
export type HistoryQuestion = keyof HistoryAnswers;

/** Answers questions about one history. */
export interface HistoryQueries {
  /** Answers one question. @throws QueryError when it makes no sense */
  ask<Question extends HistoryQuestion>(
    question: Question,
    query: HistoryAnswers[Question]["query"],
  ): Promise<HistoryAnswers[Question]["answer"]>;
}

/** Where each question is answered. */
export const HISTORY_ROUTES: Readonly<Record<HistoryQuestion, string>> = {
  log: "/v1/log",
  commit: "/v1/commit",
  blame: "/v1/blame",
  refs: "/v1/refs",
  diff: "/v1/diff",
  tree: "/v1/tree",
  children: "/v1/children",
  node: "/v1/node",
  bisect: "/v1/bisect",
  density: "/v1/density",
  activity: "/v1/activity",
};

/** The question makes no sense, or there is no such thing; the message says what would be right. */
export class QueryError extends Error {
  override readonly name = "QueryError";
}

/** It cannot be done as things are, because of the conflicts that are listed. Nothing was done. */
export class ConflictError extends Error {
  override readonly name = "ConflictError";
  /** Each in words, with the path that it is about. */
  readonly conflicts: readonly string[];

  constructor(message: string, conflicts: readonly string[], options?: ErrorOptions) {
    super(message, options);
    this.conflicts = conflicts;
  }
}
