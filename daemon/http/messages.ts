/**
 * What the console's thread and the main thread tell each other.
 *
 * Owns the messages. The console asks, the main thread answers each question once, in any order; what is asked about a fork it
 * hands on to the fork's thread. Everything is plain data, so
 * that it can be cloned; a root stays where it is, and is named by a pin.
 */
import type { ForkJson } from "../../protocol/http-api/forks.js";
import type { ConnectionJson, QuotaJson, TransactionJson } from "../../protocol/http-api/live.js";
import type { ByteString } from "../../protocol/bytes.js";
import type { Domid, Microseconds, Path, Seq, TxId } from "../../protocol/identifiers.js";
import type { ListingNode } from "../../protocol/listing/parse-listing.js";
import type { Perms } from "../../protocol/perms.js";
import type { Change, DaemonAct } from "../store/commit.js";
import type { DomainRecord } from "../store/root.js";
import type { HttpAddress } from "./http-address.js";
import type { DaemonFigures } from "./metrics/daemon-figures.js";

/** What a console is started with. */
export interface ConsoleWorkerData {
  /** Where its socket is to be. Absolute. */
  readonly socketPath: string;
  /** Absolute. */
  readonly repositoryDirectory: string;
  /** Where browsers reach it; nowhere unless given. */
  readonly http?: HttpConfig | undefined;
  /** FILE of the request trace, absolute; undefined where there is none. */
  readonly traceFile?: string | undefined;
}

/** How browsers reach the console. */
export interface HttpConfig {
  readonly address: HttpAddress;
  /** Paths of PEM files; undefined for plain HTTP. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** By which names it may be asked, where the address is not this machine's own. */
  readonly names: readonly string[];
  /** Where the token is kept. Absolute. */
  readonly tokenFile: string;
}

/** The state of a moment, kept by the main thread until it is released. */
export interface Pin {
  readonly id: number;
  readonly seq: Seq;
}

/** Changes that lead on from a pinned state. */
export interface ChangeRequest {
  readonly pin: number;
  readonly changes: readonly Change[];
  /** See `dispatch/apply-changes.ts`. */
  readonly way: "restore" | "merge";
  readonly path?: Path | undefined;
  /** With `merge`: whose change is taken where what came since is in conflict. */
  readonly prefer?: "ours" | "theirs" | undefined;
  /** Where it is a merge: the commit object that is merged, 40 hexadecimal digits. */
  readonly merged?: string | undefined;
  readonly act: { readonly operation: DaemonAct; readonly subject: string; readonly detail: string };
}

/** What became of changes. */
export type ChangeAnswer =
  | { readonly outcome: "committed"; readonly seq: Seq; readonly changes: number }
  | { readonly outcome: "unchanged" }
  | { readonly outcome: "conflict"; readonly conflicts: readonly string[] }
  | { readonly outcome: "refused"; readonly error: string };

/** What a store's nodes are to be. */
export interface LoadOrder {
  /** Parents before children. */
  readonly nodes: readonly ListingNode[];
  /** What is below this and not among the nodes goes. */
  readonly top: Path;
  /** Tell what would change, and change nothing. */
  readonly isDryRun: boolean;
  readonly act: ChangeRequest["act"];
}

/** What became of them. */
export interface LoadOutcome {
  /** Undefined with a dry run. */
  readonly made: ChangeAnswer | undefined;
  /** The first of the changes. */
  readonly changes: readonly Change[];
  readonly changeCount: number;
}

/** Requests on the tree, all or none, as `dispatch/apply-requests.ts` takes them. */
export interface RequestsOrder {
  /** How the history names who asks. */
  readonly client: string;
  /** What the nodes must be; undefined where there is to be none. */
  readonly expected: readonly { readonly path: Path; readonly value: ByteString | undefined }[];
  readonly requests: readonly TreeChange[];
}

/** A request that changes the tree. */
export type TreeChange =
  | { readonly operation: "WRITE"; readonly path: Path; readonly value: ByteString }
  | { readonly operation: "MKDIR" | "RM"; readonly path: Path }
  | { readonly operation: "SET_PERMS"; readonly path: Path; readonly perms: Perms };

/** What became of them; places are those in the order's lists. */
export type RequestsAnswer =
  | { readonly outcome: "committed"; readonly seq: Seq }
  | { readonly outcome: "unchanged" }
  | { readonly outcome: "unexpected"; readonly places: readonly number[] }
  | { readonly outcome: "failed"; readonly place: number; readonly error: string }
  /** The journal holds so much that the history lacks that nobody may commit at this moment. */
  | { readonly outcome: "full" }
  | { readonly outcome: "refused"; readonly error: string };

/** What goes on: see `dispatch/live-state.ts`. */
export interface LiveLists {
  readonly connections: ConnectionJson;
  readonly transactions: TransactionJson;
  readonly domains: {
    readonly domid: Domid;
    readonly record: DomainRecord;
    readonly connections: number;
    readonly nodesOwned: number;
    readonly watches: number;
    readonly transactions: number;
    readonly unreadBytes: number;
    readonly heldMicroseconds: number;
  };
}

/** One of those. */
export type LiveListName = keyof LiveLists;

/** A page of a list. */
export interface LivePage<Name extends LiveListName = LiveListName> {
  readonly items: readonly LiveLists[Name][];
  /** What the next page is after; undefined at the end. */
  readonly next: number | undefined;
}

/** A request that failed, as `dispatch/failure-log.ts` remembers it. */
export interface RememberedFailure {
  readonly time: Microseconds;
  readonly lastTime: Microseconds;
  readonly count: number;
  readonly connection: string;
  readonly domid: Domid;
  readonly operation: string;
  readonly transaction: TxId | undefined;
  readonly subject: ByteString;
  readonly error: string;
  readonly seq: Seq;
  readonly conflict:
    | {
        readonly base: Seq;
        readonly operation: string;
        readonly path: ByteString;
        readonly commit: Seq | undefined;
      }
    | undefined;
}

/** Some failures, newest first: see `FailureLog.newest`. */
export interface FailurePage {
  readonly failures: readonly RememberedFailure[];
  readonly next: number | undefined;
}

/** What is remembered of a transaction that ended in EAGAIN: see `dispatch/failed-transactions.ts`. */
export interface FailedTransactionFacts {
  readonly failure: RememberedFailure | undefined;
  readonly others: number;
  readonly paths: readonly { readonly path: ByteString; readonly count: number }[];
  readonly instead: readonly Pick<RememberedFailure, "transaction" | "connection" | "domid">[];
  readonly insteadCount: number;
}

/** Of which node or special path, and of whom; and commits of which all events are wanted. */
export interface WatchQuestion {
  readonly path: ByteString;
  readonly domid: Domid;
  readonly seqs: readonly Seq[];
}

/** What a domain is told of a node: see `dispatch/explain-watch.ts`. */
export interface WatchFacts {
  readonly exists: boolean;
  readonly connections: number;
  readonly watches: readonly {
    readonly connection: string;
    readonly watchPath: ByteString;
    readonly token: ByteString;
    readonly depth: number | undefined;
    readonly obstacle: "depth" | "perms" | "length" | undefined;
  }[];
  readonly watchesElsewhere: number;
  readonly deliveries: readonly {
    readonly seq: Seq;
    readonly connection: string;
    readonly domid: Domid;
    readonly watchPath: ByteString;
    readonly token: ByteString;
    readonly absolutePath: ByteString;
    readonly fate: "sent" | "refused" | "collapsed" | "dropped";
  }[];
}

/** Each question with its answer. */
export interface CoreQuestions {
  /**
   * Seals what has been committed; with main also the forks on which the revisions that are asked with it may be, and all of
   * them where none are. The answer says why the history is behind, where it is.
   */
  flush: { readonly asked: readonly string[] | undefined; readonly answer: { readonly behind: string | undefined } };
  /** Keeps the state of now, and seals it. Fails where the history cannot be brought so far. */
  pin: { readonly asked: undefined; readonly answer: Pin };
  release: { readonly asked: number; readonly answer: undefined };
  change: { readonly asked: ChangeRequest; readonly answer: ChangeAnswer };
  load: { readonly asked: LoadOrder; readonly answer: LoadOutcome };
  /** A page of what is remembered: all that is remembered would take long to clone. */
  failures: {
    readonly asked: {
      readonly domid: Domid | undefined;
      readonly error: string | undefined;
      readonly path: Path | undefined;
      readonly before: number | undefined;
      readonly limit: number;
    };
    readonly answer: FailurePage;
  };
  why: {
    readonly asked: {
      readonly tx: number;
      readonly domid: Domid | undefined;
      readonly connection: string | undefined;
    };
    readonly answer: FailedTransactionFacts;
  };
  explainWatch: { readonly asked: WatchQuestion; readonly answer: WatchFacts };
  requests: { readonly asked: RequestsOrder; readonly answer: RequestsAnswer };
  live: {
    readonly asked: { readonly list: LiveListName; readonly after: number; readonly limit: number };
    readonly answer: LivePage;
  };
  /** Those of a domain; the defaults where none is given. */
  quotas: { readonly asked: Domid | undefined; readonly answer: readonly QuotaJson[] };
  /** The last commit that was acknowledged. */
  seq: { readonly asked: undefined; readonly answer: Seq };
  /** What the metrics are made of; undefined where nothing is counted. */
  figures: { readonly asked: undefined; readonly answer: DaemonFigures | undefined };
}

/** A fork that is to be made. */
export interface NewFork {
  readonly name: string;
  /** The commit that it begins with, 40 hexadecimal digits. */
  readonly base: string;
  readonly baseSeq: Seq;
}

/** What became of it. A mistake is that of the one who asked; a refusal says why it cannot be done now. Both are for people. */
export type ForkOutcome = { readonly fork: ForkJson } | { readonly mistake: string } | { readonly refusal: string };

/** A merge of a fork into main that is about to be made, or was made; then nothing is pending any more. */
export type NotedMerge = { readonly name: string } & Pick<ForkJson, "merge" | "pending">;

/** Each question about the forks, which the main thread answers. */
export interface ForkQuestions {
  forks: { readonly asked: undefined; readonly answer: readonly ForkJson[] };
  createFork: { readonly asked: NewFork; readonly answer: ForkOutcome };
  deleteFork: { readonly asked: string; readonly answer: ForkOutcome };
  /** Takes it down, durably. */
  noteMerge: { readonly asked: NotedMerge; readonly answer: undefined };
}

/** Asks who answers a table of questions. */
export interface Link<
  Questions extends Readonly<Record<keyof Questions, { readonly asked: unknown; readonly answer: unknown }>>,
> {
  ask<Name extends keyof Questions>(name: Name, asked: Questions[Name]["asked"]): Promise<Questions[Name]["answer"]>;
}

/** Asks the thread that serves a branch. */
export type CoreLink = Link<CoreQuestions>;

/** All who answer the console. */
export interface DaemonLink {
  /** Main, and with `flush` all forks too. */
  readonly core: CoreLink;
  /** The forks as such. */
  readonly forks: Link<ForkQuestions>;
  /** A branch by its name. Where it is not served its questions are refused, in words for people. */
  branch(name: string): CoreLink;
}

/** Who is asked: the forks as such, or a branch. */
export type Asked = { readonly about: "forks" } | { readonly about: "branch"; readonly branch: string };

/** From the console's thread. */
export type ConsoleReport =
  /** `url` is where browsers reach it; `problem` is why they do not, in words for people, though they were to. */
  | { readonly kind: "started"; readonly url: string | undefined; readonly problem: string | undefined }
  | {
      readonly kind: "ask";
      readonly id: number;
      readonly of: Asked;
      readonly name: string;
      readonly asked: unknown;
    }
  /** A request failed by a mistake of ours, as text for the log. */
  | { readonly kind: "failure"; readonly text: string };

/** To the console's thread. */
export type ConsoleOrder =
  | { readonly kind: "answer"; readonly id: number; readonly answer: unknown }
  /** `unknownFork` where somebody asked about a fork that there is not. */
  | {
      readonly kind: "refusal";
      readonly id: number;
      readonly reason: string;
      readonly unknownFork?: string | undefined;
    }
  | { readonly kind: "close" };
