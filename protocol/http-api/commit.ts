/**
 * Commits as the HTTP API tells them, and `xs --json` prints them.
 *
 * Owns the shape of the answers; what is undefined is left out. Times are ISO 8601 with microseconds, UTC; oids are in
 * hexadecimal; perms are as on the wire (`n0`, `r5`).
 */
import type { ValueJson } from "./value.js";

/** A commit without its changes. What its trailers do not say, as those of a foreign commit, is left out. */
export interface CommitSummaryJson {
  readonly oid: string;
  readonly seq?: number | undefined;
  readonly time?: string | undefined;
  readonly domain?: number | undefined;
  readonly connection?: string | undefined;
  readonly transaction?: number | undefined;
  readonly subject: string;
  /** In a log: what was before this commit has been given up, so that it stands there for whatever its state has. */
  readonly historyBegins?: boolean | undefined;
}

/** A commit in full. */
export interface CommitJson extends CommitSummaryJson {
  readonly parents: readonly string[];
  /** One line for each: the operation, what it was about, and what was to become of that. */
  readonly requests: readonly string[];
  /** Left out where what was before the commit has been given up. */
  readonly changes?: readonly ChangeJson[] | undefined;
  /** Left out where the commit was made from the one before it. */
  readonly meanwhile?: MeanwhileJson | undefined;
}

/** What others had committed when a transaction ended that began earlier. */
export interface MeanwhileJson {
  /** The seq of the commit whose state the transaction began with. */
  readonly base: number;
  readonly count: number;
  /** The last of them, newest first; perhaps not all. */
  readonly commits: readonly CommitSummaryJson[];
}

/** A node's own state. */
export type NodeStateJson = ValueJson & { readonly perms: readonly string[] };

/** A node of a state. */
export type NodeJson = NodeStateJson & { readonly path: string };

/** What came where `before` is left out, went where `after` is, and is another where both stand. */
export type ChangeJson =
  | {
      readonly kind: "node";
      readonly path: string;
      readonly before?: NodeStateJson | undefined;
      readonly after?: NodeStateJson | undefined;
    }
  | {
      readonly kind: "special";
      readonly path: string;
      readonly before: readonly string[];
      readonly after: readonly string[];
    }
  /** Without a limit it is the built-in default; 0 is unlimited. */
  | {
      readonly kind: "quota";
      readonly name: string;
      readonly before?: number | undefined;
      readonly after?: number | undefined;
    }
  | {
      readonly kind: "domain";
      readonly domid: number;
      readonly before?: DomainRecordJson | undefined;
      readonly after?: DomainRecordJson | undefined;
    };

/** What the daemon knows of a domain besides its nodes. */
export interface DomainRecordJson {
  /**
   * Left out where it is not introduced. `seq` is the number of the commit that introduced it, which tells it from another one
   * of the same domid; not known of those that 0.1.0 introduced.
   */
  readonly introduction?:
    { readonly gfn: number; readonly port: number; readonly seq?: number | undefined } | undefined;
  readonly target?: number | undefined;
  readonly features?: number | undefined;
  readonly shutdown: boolean;
  /** By name. */
  readonly quotas: Readonly<Record<string, number>>;
}
