/**
 * Commits: what the store hands to the journal and the history.
 *
 * Owns their shape. A commit is one committed change: a transaction that changed or fired something, or one mutating
 * request outside a transaction. It carries *changes* (net, for journal and history); its *events* (for watches) are
 * delivered when it is made and are not part of it.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { Domid, Microseconds, Path, Seq, TxId } from "../../protocol/identifiers.js";
import type { OperationName } from "../../protocol/operation.js";
import type { SpecialPath } from "../../protocol/path.js";
import type { Perms } from "../../protocol/perms.js";
import type { QuotaName } from "./quota.js";
import type { DomainRecord } from "./root.js";

/** A node's own state, without its children. */
export interface NodeState {
  readonly value: ByteString;
  readonly perms: Perms;
}

/**
 * One net change of a root.
 *
 * A node change without `after` removes the node and all below it (nothing below it is listed). Parents come before
 * children. Worked example: from `/a=1 /a/b=2` to `/a=1 /a/c/d=3`, the changes are: /a/b gone, /a/c came (empty),
 * /a/c/d came.
 */
export type Change =
  | {
      readonly kind: "node";
      readonly path: Path;
      readonly before: NodeState | undefined;
      readonly after: NodeState | undefined;
    }
  | { readonly kind: "special"; readonly path: SpecialPath; readonly before: Perms; readonly after: Perms }
  | {
      readonly kind: "quota";
      readonly name: QuotaName;
      readonly before: number | undefined;
      readonly after: number | undefined;
    }
  | {
      readonly kind: "domain";
      readonly domid: Domid;
      readonly before: DomainRecord | undefined;
      readonly after: DomainRecord | undefined;
    };

/** What the daemon does to the store on its operator's behalf, beside the requests of the wire protocol. */
export const DAEMON_ACTS = ["ROLLBACK", "REVERT", "MERGE", "LOAD"] as const;

/** One of those. */
export type DaemonAct = (typeof DAEMON_ACTS)[number];

/** A mutating request as history tells it. */
export interface RequestRecord {
  readonly operation: OperationName | DaemonAct;
  /** The path or domid that it is about, absolute; empty where there is none. */
  readonly subject: ByteString;
  /** What was to become of it: the first `DETAIL_BYTES_MAX` bytes of a value, or perms; empty where there is none. */
  readonly detail: ByteString;
  /** Bytes of the whole detail. */
  readonly detailBytes: number;
}

/** Most bytes of a value that a request record keeps. */
export const DETAIL_BYTES_MAX = 64;

/** Most request records that a commit keeps; the number beyond is told by `requestsOmitted`. */
export const REQUEST_RECORDS_MAX = 200;

/** Who made a commit. */
export interface Origin {
  readonly domid: Domid;
  /** The connection, such as `socket-17` or `domain-5`, or the part of the daemon that acted. */
  readonly connection: string;
  /** The transaction, or undefined for a request outside one. */
  readonly transaction: TxId | undefined;
}

/** One committed change. */
export interface Commit {
  readonly seq: Seq;
  readonly time: Microseconds;
  readonly origin: Origin;
  /** Seq of the snapshot that the transaction read; `seq - 1` where it read the parent. */
  readonly base: Seq;
  /** The mutating requests that succeeded, in order, at most `REQUEST_RECORDS_MAX`. */
  readonly requests: readonly RequestRecord[];
  readonly requestsOmitted: number;
  /** Empty for a commit that only fired watches (a write of an equal value, an event without a path). */
  readonly changes: readonly Change[];
  /** Of a merge: the commit object of the branch that was merged, 40 hexadecimal digits. It is in the repository already. */
  readonly merged?: string | undefined;
}
