/**
 * What the HTTP API tells of requests that failed and of watch events. They need a running daemon: no commit tells of them.
 */
import type { CommitSummaryJson } from "./commit.js";
import type { ValueJson } from "./value.js";

/** `GET /v1/failures` */
export interface FailuresQuery {
  /** Only what was about this node or one below it. */
  readonly path?: string | undefined;
  readonly domain?: number | undefined;
  /** Only requests with this error, such as `EACCES`. */
  readonly error?: string | undefined;
  /** At most so many, the last ones; `FAILURES_PAGE_MAX` unless given. */
  readonly limit?: number | undefined;
  /** Where the page before this one ended: its `next`. */
  readonly cursor?: number | undefined;
  /** On which branch; main unless given. */
  readonly branch?: string | undefined;
}

/** Failures on a page when nobody says how many: so few that who asks again and again slows no client (`bench -- queries`). */
export const FAILURES_PAGE_MAX = 250;

/** A request that failed, perhaps more than once in a row. */
export interface FailureJson {
  /** When it failed last, and when first. */
  readonly time: string;
  readonly firstTime: string;
  readonly count: number;
  readonly connection: string;
  readonly domain: number;
  readonly operation: string;
  readonly transaction?: number | undefined;
  /** A path, `(no path)` where there was to be one and was none, a domain; empty where it is about nothing in particular. */
  readonly subject: string;
  readonly error: string;
  /** The last commit when it failed last. */
  readonly seq: number;
  /** With EAGAIN. */
  readonly conflict?: ConflictJson | undefined;
}

/** Why a transaction ended in EAGAIN. */
export interface ConflictJson {
  /** The last commit of the state that it began with. */
  readonly base: number;
  /** The first request whose answer was no longer the same. */
  readonly operation: string;
  readonly path: string;
  /** The commit that changed the answer, if the daemon knows it; the history may have it no more. */
  readonly commit?: number | undefined;
}

/** Newest first. */
export interface FailuresAnswer {
  readonly failures: readonly FailureJson[];
  /** The next page's `cursor`; left out at the end. */
  readonly next?: number | undefined;
}

/** `GET /v1/why`: why did a transaction end in EAGAIN? */
export interface WhyQuery {
  /** The transaction's id, as `TRANSACTION_START` gave it. Each connection counts its own. */
  readonly tx: number;
  readonly domain?: number | undefined;
  /** The connection that the transaction was on, such as `socket-17`. */
  readonly connection?: string | undefined;
  /** On which branch; main unless given. */
  readonly branch?: string | undefined;
}

/** The last transaction with that id that ended in EAGAIN. */
export interface WhyAnswer {
  readonly failure: FailureJson;
  /** The commit that changed the answer; left out when the history has it no more, or it could not be told. */
  readonly commit?: CommitSummaryJson | undefined;
  /** How many more of those that are remembered have the same id, on other connections or earlier. */
  readonly others: number;
  /** What the transactions that ended in EAGAIN had read, by path, the most frequent first. */
  readonly paths: readonly { readonly path: string; readonly count: number }[];
}

/** `GET /v1/why-not`: why was a domain not told of a node? */
export interface WhyNotQuery {
  /** Of a node; or `@releaseDomain` or `@introduceDomain`, with `/` and a domid for a single domain's. */
  readonly path: string;
  readonly domain: number;
  /** On which branch; main unless given. */
  readonly branch?: string | undefined;
}

/** What a domain is told of a node, by what is so now; and what others were told lately. */
export interface WhyNotAnswer {
  /** Whether there is such a node, or it is a special path. Where there is none, `watches` tell what would be if it were made. */
  readonly exists: boolean;
  readonly connections: number;
  /** The domain's watches at or above the path. */
  readonly watches: readonly {
    readonly connection: string;
    readonly path: string;
    readonly token: ValueJson;
    readonly depth?: number | undefined;
    /**
     * `depth`: it does not reach so far; `perms`: neither the node nor its parent may be read; `length`: the path and its token do not
     * fit a message. Left out where it fires.
     */
    readonly obstacle?: "depth" | "perms" | "length" | undefined;
  }[];
  readonly watchesElsewhere: number;
  /** The last events about the path, and those above and below it that `commits` caused; of all domains, newest first. */
  readonly events: readonly {
    /** The commit that caused it. */
    readonly seq: number;
    readonly connection: string;
    readonly domain: number;
    readonly watch: string;
    readonly token: ValueJson;
    /** What it told of. (A client whose watch is relative reads less of it.) */
    readonly path: string;
    /** `collapsed`: an equal one waited; `dropped`: too long, or too much was left unread; `refused`: it may not be known. */
    readonly fate: "sent" | "refused" | "collapsed" | "dropped";
  }[];
  /** The last commits that changed the node or something below it; of a special path, those that caused the events. */
  readonly commits: readonly CommitSummaryJson[];
}

/** Where each is asked. */
export const FAILURE_ROUTES = {
  failures: "/v1/failures",
  why: "/v1/why",
  whyNot: "/v1/why-not",
} as const;
