/**
 * Transactions by replay.
 *
 * Owns one open transaction: the snapshot that it reads, its draft, and the log of its requests with their replies.
 *
 * Invariants:
 * 1. START is O(1): it keeps the root. Nothing that others commit is visible inside.
 * 2. The log tells every request whose reply can depend on the state, with that reply, in order; a read that is
 *    repeated before anything else changed the draft is logged once.
 * 3. A transaction that changed and fired nothing ends OK: it serializes at its START.
 * 4. If nothing was committed since START, the draft is adopted. Otherwise the log is run again on the current root
 *    with the requester's rights of now; if every reply is the same, the new result is adopted; if one differs, nothing
 *    is (EAGAIN). So each applied transaction is explained by the state at its end: strict serializability.
 * 5. A request that exceeds a quota fails and poisons the transaction: its end answers ENOSPC and applies nothing.
 * 6. The log is bounded: past `LOG_BYTES_MAX` the request fails with ENOSPC and poisons the transaction.
 *
 * State: open → (end) → applied | unchanged | conflict | refused. The owner drops it at its end, whatever the outcome.
 *
 * Worked example. T reads /a = 1 and writes /b; meanwhile another writes /c. At the end the root has moved: READ /a is
 * run again, still answers 1, WRITE /b is done on top of the new /c, and that is committed. Had the other written
 * /a = 2, READ /a would now answer 2: EAGAIN, and the conflict names /a. Two transactions that create siblings do not
 * conflict unless one of them listed the parent.
 */
import type { ErrorName } from "../../protocol/errno.js";
import type { Path, Seq, TxId } from "../../protocol/identifiers.js";
import type { SpecialPath } from "../../protocol/path.js";
import type { DifferingAnswer } from "./answer-cause.js";
import { Draft, type DraftMark } from "./draft.js";
import { isUnprivileged, type Requester } from "./permission.js";
import { exceedsQuota } from "./quota-limit.js";
import type { Root } from "./root.js";
import {
  executeTreeRequest,
  isMutating,
  sameReply,
  type RequestContext,
  type TreeQuery,
  type TreeReply,
  type TreeRequest,
} from "./tree-request.js";

/** Most bytes that one transaction's log may hold. */
export const LOG_BYTES_MAX = 4 * 1024 * 1024;

/** What an entry costs besides its path and value: the objects that hold them. */
const ENTRY_BYTES = 256;

/** What a name in a list of children costs, if the log is what keeps that list. */
const LISTED_NAME_BYTES = 8;

/** One logged request. */
export interface LogEntry {
  readonly request: TreeRequest;
  readonly reply: TreeReply;
}

/** How a transaction ended. */
export type TransactionEnd =
  /** Nothing changed and nothing fired. */
  | { readonly outcome: "unchanged" }
  /** The draft is to be committed. */
  | { readonly outcome: "applied"; readonly draft: Draft }
  /** The first request whose reply is not what it was, and the state that it had been run on again. */
  | ({ readonly outcome: "conflict" } & Omit<DifferingAnswer, "domid">)
  /** Poisoned by a quota. */
  | { readonly outcome: "refused"; readonly error: ErrorName };

/** What a transaction was at some moment; see `Transaction.mark`. */
export interface TransactionMark {
  readonly draft: DraftMark;
  readonly logLength: number;
  readonly logBytes: number;
  readonly poison: ErrorName | undefined;
}

const READ_BITS = { READ: 1, DIRECTORY: 2, GET_PERMS: 4, DIRECTORY_PART: 8 } as const;

const ENOSPC: TreeReply = { kind: "error", error: "ENOSPC" };

/** One open transaction. */
export class Transaction {
  readonly id: TxId;
  readonly base: Root;
  /** The seq of the last commit that the snapshot holds. */
  readonly baseSeq: Seq;
  readonly #draft: Draft;
  readonly #nodesOwned: number;
  readonly #log: LogEntry[] = [];
  /** By `readKey`: the reads logged since the last change of the draft, so that a repeated one is not logged again. */
  #readsLogged: Map<string, number> | undefined;
  /** Distinct paths named so far, for the quota `transaction-nodes`. */
  readonly #paths = new Set<Path | SpecialPath>();
  #logBytes = 0;
  #lastListed: readonly string[] | undefined;
  #poison: ErrorName | undefined;

  /** @param nodesOwned - how many nodes the requester owns in the snapshot: what others commit must not show here either */
  constructor(id: TxId, base: Root, baseSeq: Seq, nodesOwned: number) {
    this.#nodesOwned = nodesOwned;
    this.id = id;
    this.base = base;
    this.baseSeq = baseSeq;
    this.#draft = new Draft(base, (baseSeq + 1) as Seq);
  }

  /** The logged requests, in order. */
  get log(): readonly LogEntry[] {
    return this.#log;
  }

  /** Bytes that the log is reckoned to hold. */
  get logBytes(): number {
    return this.#logBytes;
  }

  /** Whether it has changed and fired nothing so far: then its end commits nothing. */
  get isEmpty(): boolean {
    return this.#draft.isEmpty;
  }

  /** Runs a request on the snapshot and what the transaction did to it. */
  execute(request: TreeRequest, requester: Requester): TreeReply {
    const distinct = this.#paths.size + (this.#paths.has(request.path) ? 0 : 1);
    if (isUnprivileged(requester) && exceedsQuota(this.base, requester.domid, "transaction-nodes", distinct)) {
      return this.#refuse();
    }
    const mutating = isMutating(request);
    const repeated = !mutating && this.#isLogged(request);
    const entryBytes = ENTRY_BYTES + request.path.length + (request.operation === "WRITE" ? request.value.length : 0);
    if (!repeated && this.#logBytes + entryBytes > LOG_BYTES_MAX) return this.#refuse();
    const reply = executeTreeRequest(this.#draft, request, { requester, nodesOwned: this.#nodesOwned });
    if (reply.kind === "error" && reply.error === "ENOSPC") this.#poison = "ENOSPC";
    if (repeated) return reply;
    this.#paths.add(request.path);
    this.#log.push({ request, reply });
    this.#logBytes += entryBytes + this.#listBytes(reply);
    if (mutating) this.#readsLogged = undefined;
    else {
      const reads = (this.#readsLogged ??= new Map<string, number>());
      const key = readKey(request);
      reads.set(key, (reads.get(key) ?? 0) | READ_BITS[request.operation]);
    }
    return reply;
  }

  #isLogged(query: TreeQuery): boolean {
    if (this.#readsLogged === undefined) return false;
    return ((this.#readsLogged.get(readKey(query)) ?? 0) & READ_BITS[query.operation]) !== 0;
  }

  /** Decides what becomes of the transaction; `context` carries the requester's rights of now. */
  end(current: Root, currentSeq: Seq, context: RequestContext): TransactionEnd {
    if (this.#poison !== undefined) return { outcome: "refused", error: this.#poison };
    if (this.#draft.isEmpty) return { outcome: "unchanged" };
    if (currentSeq === this.baseSeq) return { outcome: "applied", draft: this.#draft };
    const draft = new Draft(current, (currentSeq + 1) as Seq);
    for (const { request, reply } of this.#log) {
      // What the request itself changes, now that it may, is no cause of that.
      const { root } = draft;
      const now = executeTreeRequest(draft, request, context);
      if (!sameReply(reply, now)) return { outcome: "conflict", request, was: reply, is: now, root };
    }
    return { outcome: "applied", draft };
  }

  /** Remembers this moment for `rewind`. */
  mark(): TransactionMark {
    return {
      draft: this.#draft.mark(),
      logLength: this.#log.length,
      logBytes: this.#logBytes,
      poison: this.#poison,
    };
  }

  /** Undoes all that happened since the mark. */
  rewind(mark: TransactionMark): void {
    this.#draft.rewind(mark.draft);
    this.#log.length = mark.logLength;
    this.#logBytes = mark.logBytes;
    this.#poison = mark.poison;
    this.#lastListed = undefined;
    this.#readsLogged = undefined;
    this.#paths.clear();
    for (const { request } of this.#log) this.#paths.add(request.path);
  }

  /** Every list of children that a reply tells is kept as it was then; the same one again costs nothing. */
  #listBytes(reply: TreeReply): number {
    if ((reply.kind !== "names" && reply.kind !== "part") || reply.names === this.#lastListed) return 0;
    this.#lastListed = reply.names;
    return LISTED_NAME_BYTES * reply.names.length;
  }

  #refuse(): TreeReply {
    this.#poison = "ENOSPC";
    return ENOSPC;
  }
}

function readKey(query: TreeQuery): string {
  return query.operation === "DIRECTORY_PART" ? `${String(query.offset)} ${query.path}` : query.path;
}
