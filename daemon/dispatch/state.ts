/**
 * The mutable state of the core, and the few ways in which handlers change it.
 *
 * Owns what one branch of the store is at a moment: store, watches, connections, credits; and what the current tick has
 * produced: commits, effects, connections with output. Every change that a later request could notice pushes its inverse
 * to the undo log.
 */
import { flattenBytes, type ByteString } from "../../protocol/bytes.js";
import type { ErrorName } from "../../protocol/errno.js";
import { DOM0, type Domid, type Microseconds, type Seq, type TxId } from "../../protocol/identifiers.js";
import { XENSTORE_PAYLOAD_MAX } from "../../protocol/limits.js";
import { serializeWatchEvent, type Message } from "../../protocol/message.js";
import { getOperation } from "../../protocol/operation.js";
import { parsePath } from "../../protocol/path.js";
import { watchKey, type Connection } from "../connection/connection.js";
import { Fairness } from "../connection/fairness.js";
import type { EventFate } from "../connection/outbox.js";
import { noTurns } from "../connection/turn-counters.js";
import { UndoLog } from "../connection/undo-log.js";
import { causesOf, type DifferingAnswer } from "../store/answer-cause.js";
import type { Commit, RequestRecord } from "../store/commit.js";
import type { Draft } from "../store/draft.js";
import { DOM0_REQUESTER, requesterFor, type Requester } from "../store/permission.js";
import { quotaOf } from "../store/quota-limit.js";
import type { Root } from "../store/root.js";
import { Store, type RecentCommit } from "../store/store.js";
import type { Transaction } from "../store/transaction.js";
import type { RequestContext } from "../store/tree-request.js";
import { deliveriesOf, type Delivery } from "../watch/delivery.js";
import { WatchTable, type Watch } from "../watch/watch-table.js";
import type { Contention } from "./contention.js";
import { DeliveryLog } from "./delivery-log.js";
import { FailureLog, SUBJECT_BYTES_MAX, type FailedTransaction } from "./failure-log.js";
import type { RequestObserver } from "./observer.js";
import type { RequestMeter } from "./request-meter.js";

/** What the core asks its surroundings to do when the tick's commits are safe. */
export type Effect =
  | { readonly kind: "open-domain-socket"; readonly domid: Domid }
  | { readonly kind: "close-domain-socket"; readonly domid: Domid }
  | { readonly kind: "close-connection"; readonly connection: Connection }
  /** Seal the history, then call `Core.answer` with this request. */
  | { readonly kind: "flush-history"; readonly waiting: WaitingRequest }
  /** Drop the history before `revision`, then call `Core.answer` with this request. */
  | { readonly kind: "compact-history"; readonly revision: string; readonly waiting: WaitingRequest };

/** A request whose reply comes later. */
export interface WaitingRequest {
  readonly connection: Connection;
  readonly type: number;
  readonly requestId: number;
  readonly txId: number;
  readonly payload: ByteString;
  /** The time of the tick in which it was asked. */
  readonly asked: Microseconds;
}

/** Why a transaction ended in EAGAIN. */
export interface Conflict {
  readonly time: Microseconds;
  readonly connection: string;
  readonly domid: Domid;
  readonly transaction: TxId;
  readonly base: Seq;
  /** The first request whose answer was no longer the same. */
  readonly operation: string;
  readonly path: ByteString;
  /** The commit that changed the answer, if that can be told. */
  readonly commit: Seq | undefined;
  readonly culprit: Domid | undefined;
}

/** What the core asks of the daemon around it; all calls are quick and cannot fail. */
export interface CorePorts {
  /** Writes a line for the operator; lines with one key are limited in rate. */
  log(level: "error" | "warn" | "info", key: string, message: string): void;
  /** CONTROL `history`: tip, seq and lag, as lines of text. */
  describeHistory(): string;
  /** CONTROL `memreport`: the process's memory, as lines of text. */
  describeMemory(): string;
  /** CONTROL `log`: turns the access log on or off. */
  setAccessLog(enabled: boolean): void;
  /** Is told of every reply and event; nobody unless given. */
  readonly observer?: RequestObserver | undefined;
  /** Counts requests; nothing is counted unless given. */
  readonly meter?: RequestMeter | undefined;
}

/** What a commit is told beside its draft. */
export interface CommitRequest {
  readonly connection: Connection;
  readonly transaction: TxId | undefined;
  readonly base: Seq;
  readonly requests: readonly RequestRecord[];
  readonly requestsOmitted: number;
  /** As in `Commit`. */
  readonly merged?: string | undefined;
  /** Who asked, where the connection is the daemon's own. */
  readonly client?: string | undefined;
}

/** How many nodes dom0 owns is of no account. */
const DOM0_CONTEXT: RequestContext = { requester: DOM0_REQUESTER, nodesOwned: 0 };

/** Most conflicts that are remembered. */
const CONFLICTS_MAX = 256;

/** The mutable state of the core. */
export class CoreState {
  readonly store: Store;
  readonly ports: CorePorts;
  readonly watches = new WatchTable<Connection>();
  readonly connections = new Set<Connection>();
  readonly fairness = new Fairness();
  readonly undo = new UndoLog();
  readonly conflicts: Conflict[] = [];
  readonly failures = new FailureLog();
  readonly deliveryLog = new DeliveryLog();
  readonly turnCounters = noTurns();
  /** The time of this tick. */
  now = 0 as Microseconds;
  /** Why commits are refused, or undefined while they are accepted. */
  refusal: ErrorName | undefined;
  /** Why the request at hand ends in EAGAIN. */
  conflict: FailedTransaction | undefined;
  /** Who was in whose way in the last request that ended in EAGAIN, until somebody takes it or the tick is over. */
  contention: Contention | undefined;
  /** This tick's commits. */
  commits: Commit[] = [];
  /** This tick's effects. */
  effects: Effect[] = [];
  /** Connections to which this tick added output. */
  dirty = new Set<Connection>();
  /** Events of the request at hand, sent behind its reply. */
  deliveries: Delivery<Connection>[] = [];
  readonly #byDomid = new Map<Domid, Set<Connection>>();
  readonly #byName = new Map<string, Connection>();
  #lastConnectionId = 0;
  #watchOrder = 0;

  constructor(root: Root, seq: Seq, ports: CorePorts) {
    this.store = new Store(root, seq);
    this.ports = ports;
  }

  nextConnectionId(): number {
    return ++this.#lastConnectionId;
  }

  nextWatchOrder(): number {
    return ++this.#watchOrder;
  }

  addConnection(connection: Connection): void {
    this.connections.add(connection);
    this.#byName.set(connection.name, connection);
    const peers = this.#byDomid.get(connection.domid);
    if (peers === undefined) this.#byDomid.set(connection.domid, new Set([connection]));
    else peers.add(connection);
  }

  dropConnection(connection: Connection): void {
    this.connections.delete(connection);
    if (this.#byName.get(connection.name) === connection) this.#byName.delete(connection.name);
    const peers = this.#byDomid.get(connection.domid);
    peers?.delete(connection);
    if (peers?.size === 0) this.#byDomid.delete(connection.domid);
  }

  connectionCount(domid: Domid): number {
    return this.#byDomid.get(domid)?.size ?? 0;
  }

  /** The connections that speak for a domain. */
  *connectionsOf(domid: Domid): Iterable<Connection> {
    for (const connection of this.#byDomid.get(domid) ?? []) if (!connection.closing) yield connection;
  }

  requesterOf(connection: Connection): Requester {
    return requesterFor(this.store.root, connection.domid);
  }

  contextFor(connection: Connection): RequestContext {
    if (connection.domid === DOM0) return DOM0_CONTEXT;
    const nodesOwned = this.store.accounts.nodesOwned(connection.domid);
    return { requester: this.requesterOf(connection), nodesOwned };
  }

  /**
   * Commits a draft and prepares the events. An empty draft is no commit, but for a merge.
   *
   * @returns the error to answer when commits are refused, else undefined
   */
  commit(draft: Draft, request: CommitRequest): ErrorName | undefined {
    const { connection, transaction, base, requests, requestsOmitted, merged, client } = request;
    if (draft.isEmpty && merged === undefined) return undefined;
    if (this.refusal !== undefined) return this.refusal;
    const before = this.store.root;
    const origin = { domid: connection.domid, connection: client ?? connection.name, transaction };
    const commit = this.store.commit(draft, { time: this.now, origin, base, requests, requestsOmitted, merged });
    this.commits.push(commit);
    if (this.watches.count === 0) return undefined;
    const transition = { before, after: this.store.root };
    const deliveries = deliveriesOf(
      this.watches,
      draft.events,
      transition,
      (owner) => this.requesterOf(owner),
      (watch, path) => {
        this.deliveryLog.note(watch, path, { seq: commit.seq, fate: "refused" });
      },
    );
    for (const delivery of deliveries) this.deliveries.push(delivery);
    return undefined;
  }

  /** Notes that a request failed. */
  noteFailure(connection: Connection, { type, txId, payload }: Message, error: ErrorName): void {
    const operation = getOperation(type);
    const end = payload.indexOf("\0");
    // A payload in which no string ends may be all value.
    const text = end === -1 ? "" : payload.slice(0, Math.min(end, SUBJECT_BYTES_MAX));
    const path = operation?.transaction === "joins" ? parsePath(text, connection.domid) : undefined;
    const conflict = error === "EAGAIN" ? this.conflict : undefined;
    this.conflict = undefined;
    this.failures.note({
      time: this.now,
      lastTime: this.now,
      count: 1,
      connection: connection.name,
      domid: connection.domid,
      operation: operation?.name ?? `type ${String(type)}`,
      transaction: txId === 0 ? undefined : (txId as TxId),
      subject: operation?.transaction === "ends" ? "" : flattenBytes(path ?? text),
      error,
      seq: this.store.seq,
      conflict,
    });
  }

  /** Sends an event; one that does not fit a message is dropped (XSA-324). */
  sendEvent({ watch, path, special, isFirst = false }: Delivery<Connection>): void {
    if (watch.owner.closing) return;
    const fate = this.#send(watch, path, special);
    this.ports.meter?.event(fate);
    if (!isFirst) this.deliveryLog.note(watch, path, { seq: this.store.seq, fate });
  }

  #send({ owner: connection, token }: Watch<Connection>, path: ByteString, special: boolean): EventFate {
    if (path.length + token.length + 2 > XENSTORE_PAYLOAD_MAX) return "dropped";
    const quota = connection.domid === 0 ? 0 : quotaOf(this.store.root, connection.domid, "memory");
    const { outbox, domid } = connection;
    // The quota is the domain's: what its other connections have left unread counts too.
    const bytesMax = quota === 0 ? Infinity : quota - (this.unreadOf(domid).bytes - outbox.unreadBytes);
    const fate = outbox.addEvent(serializeWatchEvent(path, token), { collapsible: !special, bytesMax });
    if (fate === "sent") this.ports.observer?.delivered(connection, path, token);
    this.dirty.add(connection);
    return fate;
  }

  /** Bytes that a domain's clients have left unread, and replies that wait for their sockets. */
  unreadOf(domid: Domid): { readonly bytes: number; readonly replies: number } {
    let bytes = 0;
    let replies = 0;
    for (const { outbox } of this.connectionsOf(domid)) {
      bytes += outbox.unreadBytes;
      replies += outbox.unsentReplies;
    }
    return { bytes, replies };
  }

  addWatch(connection: Connection, watch: Watch<Connection>): void {
    const key = watchKey(watch);
    connection.watches.set(key, watch);
    this.watches.add(watch);
    this.undo.push(() => {
      connection.watches.delete(key);
      this.watches.remove(watch);
    });
  }

  removeWatch(connection: Connection, watch: Watch<Connection>): void {
    const key = watchKey(watch);
    connection.watches.delete(key);
    this.watches.remove(watch);
    this.undo.push(() => {
      connection.watches.set(key, watch);
      this.watches.add(watch);
    });
  }

  /** An unused transaction id of a connection. */
  nextTxId(connection: Connection): TxId {
    const { lastTxId } = connection;
    this.undo.push(() => {
      connection.lastTxId = lastTxId;
    });
    return connection.nextTxId();
  }

  addTransaction(connection: Connection, transaction: Transaction): void {
    connection.transactions.set(transaction.id, transaction);
    this.undo.push(() => connection.transactions.delete(transaction.id));
  }

  removeTransaction(connection: Connection, transaction: Transaction): void {
    connection.transactions.delete(transaction.id);
    this.undo.push(() => connection.transactions.set(transaction.id, transaction));
  }

  /** Ends all transactions and removes all watches of a connection (RESET_WATCHES, repeated INTRODUCE, disconnect). */
  resetConnection(connection: Connection): void {
    for (const watch of [...connection.watches.values()]) this.removeWatch(connection, watch);
    for (const transaction of [...connection.transactions.values()]) this.removeTransaction(connection, transaction);
  }

  /** Has the connections of a domain that is about to go closed; from here on it is told nothing, not of its own end either. */
  closeConnectionsOf(domid: Domid): void {
    for (const connection of [...this.connectionsOf(domid)]) {
      this.resetConnection(connection);
      connection.closing = true;
      this.undo.push(() => {
        connection.closing = false;
      });
      this.effects.push({ kind: "close-connection", connection });
    }
  }

  /** Remembers why a transaction failed, and takes a point from the guest that made it fail; from nobody where that is not known. */
  recordConflict(connection: Connection, transaction: Transaction, answer: Omit<DifferingAnswer, "domid">): void {
    const { operation, path } = answer.request;
    const causes = causesOf({ ...answer, domid: connection.domid });
    const commit = this.store.findCause(causes, transaction.baseSeq);
    const culprit = commit?.origin.domid;
    const { eagainStreak: streak } = connection;
    connection.eagainStreak = streak + 1;
    this.undo.push(() => {
      connection.eagainStreak = streak;
    });
    if (culprit !== undefined && culprit !== connection.domid) {
      this.undo.push(this.fairness.charge(culprit, this.now));
      if (connection.domid === 0) this.undo.push(this.fairness.holdForStreak(culprit, streak + 1, this.now));
    }
    this.ports.meter?.conflict(operation);
    this.conflict = { base: transaction.baseSeq, operation, path: flattenBytes(path), commit: commit?.seq };
    this.contention = { connection, culprit: this.#transactorOf(commit), path: flattenBytes(path) };
    this.conflicts.push({
      time: this.now,
      connection: connection.name,
      domid: connection.domid,
      transaction: transaction.id,
      base: transaction.baseSeq,
      operation,
      path: flattenBytes(path),
      commit: commit?.seq,
      culprit,
    });
    const oldest = this.conflicts.length > CONFLICTS_MAX ? this.conflicts.shift() : undefined;
    this.undo.push(() => {
      this.conflicts.pop();
      if (oldest !== undefined) this.conflicts.unshift(oldest);
    });
  }

  /** The connection that made a commit, if it did so by a transaction: it is there still, and has not merely the same name. */
  #transactorOf(commit: RecentCommit | undefined): Connection | undefined {
    return commit?.origin.transaction === undefined ? undefined : this.#byName.get(commit.origin.connection);
  }
}
