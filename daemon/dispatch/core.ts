/**
 * The core: messages go in; a new root, replies, events, commits and effects come out.
 *
 * Owns dispatch by the operation table and the life of a tick. Synchronous and pure: no clock, no I/O. The order of checks
 * is type → privilege → transaction → arguments, and every request gets exactly one reply.
 *
 * Invariants:
 * 1. Nothing that a tick produced leaves the core before `endTick`: output stays in the outboxes' tick part, commits in
 *    `commits`, effects in `effects`. So `abortTick` undoes a tick whose commits could not be made safe.
 * 2. A handler that throws leaves no trace but the EIO that answers its request.
 * 3. A request's reply precedes the events that it causes.
 *
 * Life of a tick: beginTick → dispatch… → (commits are written to the journal) → endTick,
 * or → abortTick(error) → dispatch the same messages again, commits refused → endTick.
 */
import type { ByteString } from "../../protocol/bytes.js";
import { serializeError, serializeHeader, type Message } from "../../protocol/message.js";
import type { ErrorName } from "../../protocol/errno.js";
import type { Domid, Microseconds, Seq, TxId } from "../../protocol/identifiers.js";
import { getOperation, type OperationName, type TableOperation } from "../../protocol/operation.js";
import { Connection } from "../connection/connection.js";
import type { TurnCounters } from "../connection/turn-counters.js";
import type { Commit } from "../store/commit.js";
import type { Root } from "../store/root.js";
import { quotaOf } from "../store/quota-limit.js";
import type { StoreMark } from "../store/store.js";
import type { Transaction } from "../store/transaction.js";
import { makeChanges, type ChangeOrder, type ChangeOutcome } from "./apply-changes.js";
import { applyRequests, type RequestsOrder, type RequestsOutcome } from "./apply-requests.js";
import type { Handler } from "./call.js";
import type { Contention } from "./contention.js";
import { handleControl } from "./control-handler.js";
import { coreFigures, type CoreFigures } from "./core-figures.js";
import {
  handleGetDomainPath,
  handleGetFeature,
  handleIntroduce,
  handleIsDomainIntroduced,
  handleRelease,
  handleResume,
  handleSetFeature,
  handleSetTarget,
} from "./domain-handlers.js";
import { explainWatch, type WatchExplanation, type WatchQuestion } from "./explain-watch.js";
import type { FailureLog } from "./failure-log.js";
import { LiveState } from "./live-state.js";
import { DEFERRED, fail, type Outcome } from "./outcome.js";
import { handleGetQuota, handleSetQuota } from "./quota-handlers.js";
import { CoreState, type CorePorts, type Effect, type WaitingRequest } from "./state.js";
import { handleTransactionEnd, handleTransactionStart } from "./transaction-handlers.js";
import { treeHandler } from "./tree-handlers.js";
import { handleResetWatches, handleUnwatch, handleWatch } from "./watch-handlers.js";

const HANDLERS: Readonly<Record<OperationName, Handler>> = {
  CONTROL: handleControl,
  DIRECTORY: treeHandler("DIRECTORY"),
  READ: treeHandler("READ"),
  GET_PERMS: treeHandler("GET_PERMS"),
  WATCH: handleWatch,
  UNWATCH: handleUnwatch,
  TRANSACTION_START: handleTransactionStart,
  TRANSACTION_END: handleTransactionEnd,
  INTRODUCE: handleIntroduce,
  RELEASE: handleRelease,
  GET_DOMAIN_PATH: handleGetDomainPath,
  WRITE: treeHandler("WRITE"),
  MKDIR: treeHandler("MKDIR"),
  RM: treeHandler("RM"),
  SET_PERMS: treeHandler("SET_PERMS"),
  IS_DOMAIN_INTRODUCED: handleIsDomainIntroduced,
  RESUME: handleResume,
  SET_TARGET: handleSetTarget,
  RESET_WATCHES: handleResetWatches,
  DIRECTORY_PART: treeHandler("DIRECTORY_PART"),
  GET_FEATURE: handleGetFeature,
  SET_FEATURE: handleSetFeature,
  GET_QUOTA: handleGetQuota,
  SET_QUOTA: handleSetQuota,
};

/** What a tick produced, handed over at its end. */
export interface TickOutput {
  /** To be carried out in this order. */
  readonly effects: readonly Effect[];
  /** Connections whose outbox has something for the socket. */
  readonly dirty: ReadonlySet<Connection>;
}

/** The core of one branch. */
export class Core {
  readonly #state: CoreState;
  #tickStart: StoreMark;

  constructor(root: Root, seq: Seq, ports: CorePorts) {
    this.#state = new CoreState(root, seq, ports);
    this.#tickStart = this.#state.store.mark();
  }

  /** The current root; during a tick, with that tick's commits. */
  get root(): Root {
    return this.#state.store.root;
  }

  /** The seq of the last commit; during a tick, of that tick's. */
  get seq(): Seq {
    return this.#state.store.seq;
  }

  /** The commits of this tick, to be made safe before `endTick`. */
  get commits(): readonly Commit[] {
    return this.#state.commits;
  }

  get connections(): ReadonlySet<Connection> {
    return this.#state.connections;
  }

  /** Why a domain is told of a node, or is not. */
  explainWatch(question: WatchQuestion): WatchExplanation {
    return explainWatch(this.#state, question);
  }

  /** The requests that failed. */
  get failures(): FailureLog {
    return this.#state.failures;
  }

  /** What is going on. */
  get live(): LiveState {
    return new LiveState(this.#state);
  }

  /** How much of everything there is. */
  figures(): CoreFigures {
    return coreFigures(this.#state);
  }

  /** Bytes that a domain's clients have left unread, and replies that wait for their sockets. */
  unreadOf(domid: Domid): { readonly bytes: number; readonly replies: number } {
    return this.#state.unreadOf(domid);
  }

  /** What the scheduling of contended transactions has done; whoever schedules them counts. */
  get turnCounters(): TurnCounters {
    return this.#state.turnCounters;
  }

  /** Who was in whose way, where a request of this tick ended in EAGAIN that was not asked about yet: the last one. */
  takeContention(): Contention | undefined {
    const { contention } = this.#state;
    this.#state.contention = undefined;
    return contention;
  }

  /** How many connections a domain has. */
  connectionCount(domid: Domid): number {
    return this.#state.connectionCount(domid);
  }

  /** How much output and how many requests a guest may have under way; 0 is unlimited. */
  guestLimits(domid: Domid): { readonly memoryBytes: number; readonly outstanding: number } {
    const { root } = this.#state.store;
    return { memoryBytes: quotaOf(root, domid, "memory"), outstanding: quotaOf(root, domid, "outstanding") };
  }

  /**
   * Takes up a connection. Nothing that a tick undoes depends on it, so it may come at any time.
   *
   * @param name - how history names it, where a numbered one would say too little
   */
  connect(domid: Domid, name?: string): Connection {
    const id = this.#state.nextConnectionId();
    const numbered = domid === 0 ? `socket-${String(id)}` : `domain-${String(domid)}-${String(id)}`;
    const connection = new Connection(id, name ?? numbered, domid);
    this.#state.addConnection(connection);
    this.#state.ports.observer?.opened(connection);
    return connection;
  }

  /** Drops a connection with its watches and transactions; between ticks, so that an aborted tick cannot revive it. */
  disconnect(connection: Connection): void {
    this.#state.resetConnection(connection);
    this.#state.undo.clear();
    connection.closing = true;
    this.#state.dropConnection(connection);
    this.#state.ports.observer?.closed(connection);
  }

  /** Starts a tick; all of its commits carry this time. */
  beginTick(now: Microseconds): void {
    this.#state.now = now;
    this.#tickStart = this.#state.store.mark();
    this.#state.ports.observer?.tickBegan(now);
  }

  /** How long nothing of this domain should be dispatched, in microseconds; 0 when it may go on. */
  holdMicroseconds(domid: Domid): number {
    return this.#state.fairness.holdMicroseconds(domid, this.#state.now);
  }

  /**
   * Whether dispatching this message now could make a commit. CONTROL never counts as such, though some of its commands
   * commit: it is how an operator finds out why others wait.
   */
  mayCommit(connection: Connection, message: Message): boolean {
    const operation: TableOperation | undefined = getOperation(message.type);
    if (operation === undefined || !operation.mutates || operation.name === "CONTROL") return false;
    if (operation.transaction === "joins") return message.txId === 0;
    if (operation.transaction !== "ends") return true;
    const transaction = connection.transactions.get(message.txId as TxId);
    return transaction !== undefined && !transaction.isEmpty && message.payload.startsWith("T");
  }

  /** Carries out one request and queues its reply, then the events that it caused. */
  dispatch(connection: Connection, message: Message): void {
    if (connection.closing) return;
    const state = this.#state;
    const undoMark = state.undo.mark();
    const { root, seq: seqBefore } = state.store;
    const { length: commitCount } = state.commits;
    const { length: effectCount } = state.effects;
    let outcome: Outcome;
    try {
      outcome = this.#execute(connection, message);
    } catch (error) {
      this.#rewind(undoMark, { root, seq: seqBefore }, { commitCount, effectCount });
      state.ports.log("error", connection.name, describeFailure(connection, message, error));
      outcome = fail("EIO");
    }
    if (outcome !== DEFERRED) {
      this.#reply(connection, message, outcome);
      state.ports.meter?.answered(message, typeof outcome === "string" ? undefined : outcome.error);
      if (typeof outcome !== "string") state.noteFailure(connection, message, outcome.error);
      if (state.ports.observer !== undefined) {
        const seq = state.commits.length > commitCount ? state.store.seq : undefined;
        state.ports.observer.answered(connection, message, outcome, { seq, asked: undefined });
      }
    }
    if (state.deliveries.length > 0) this.#sendDeliveries();
  }

  /**
   * Makes changes that were worked out elsewhere, on behalf of a privileged connection; within a tick, which the caller ends
   * as usual. What it throws it has undone.
   */
  makeChanges(connection: Connection, order: ChangeOrder): ChangeOutcome {
    return this.#undoing(() => makeChanges(this.#state, connection, order));
  }

  /** Carries out requests on the tree that did not come over the wire, all or none; else as `makeChanges`. */
  applyRequests(connection: Connection, order: RequestsOrder): RequestsOutcome {
    return this.#undoing(() => applyRequests(this.#state, connection, order));
  }

  /** Answers a request that was deferred; within a tick, which the caller ends as usual. */
  answer(waiting: WaitingRequest, outcome: ByteString | { readonly error: ErrorName }): void {
    waiting.connection.waiting = false;
    if (waiting.connection.closing) return;
    const { connection, asked } = waiting;
    this.#reply(connection, waiting, outcome);
    this.#state.ports.meter?.answered(waiting, typeof outcome === "string" ? undefined : outcome.error);
    if (typeof outcome !== "string") this.#state.noteFailure(connection, waiting, outcome.error);
    this.#state.ports.observer?.answered(connection, waiting, outcome, { seq: undefined, asked });
  }

  /** Undoes the tick, because its commits could not be made safe, and refuses commits from now on with this error. */
  abortTick(error: ErrorName): void {
    const state = this.#state;
    state.undo.rewind(0);
    state.store.rewind(this.#tickStart);
    for (const connection of state.dirty) connection.outbox.discardTick();
    this.#forgetTick();
    state.failures.discard();
    state.deliveryLog.discard();
    state.refusal = error;
    state.ports.meter?.discard();
    state.ports.observer?.tickUndone();
  }

  /** Refuses commits from now on with this error; between ticks, or before the first message of one. */
  refuseCommits(error: ErrorName): void {
    this.#state.refusal = error;
  }

  /** Accepts commits again after `abortTick` or `refuseCommits`. */
  acceptCommits(): void {
    this.#state.refusal = undefined;
  }

  /** Ends the tick: what it did stands. */
  endTick(): TickOutput {
    const { effects, dirty } = this.#state;
    this.#state.undo.clear();
    this.#state.store.settle();
    this.#state.failures.settle();
    this.#state.deliveryLog.settle();
    this.#forgetTick();
    this.#tickStart = this.#state.store.mark();
    this.#state.ports.observer?.tickEnded();
    return { effects, dirty };
  }

  /** Acts, and sends the events; what it throws it has undone. */
  #undoing<Outcome>(act: () => Outcome): Outcome {
    const { undo, store, commits, effects } = this.#state;
    const undoMark = undo.mark();
    const storeMark = store.mark();
    const counts = { commitCount: commits.length, effectCount: effects.length };
    try {
      const outcome = act();
      this.#sendDeliveries();
      return outcome;
    } catch (error) {
      this.#rewind(undoMark, storeMark, counts);
      throw error;
    }
  }

  /** Goes back to a moment of this tick. */
  #rewind(
    undoMark: number,
    storeMark: StoreMark,
    { commitCount, effectCount }: { readonly commitCount: number; readonly effectCount: number },
  ): void {
    const state = this.#state;
    state.undo.rewind(undoMark);
    state.store.rewind(storeMark);
    state.commits.length = commitCount;
    state.effects.length = effectCount;
    state.deliveries = [];
  }

  #forgetTick(): void {
    this.#state.commits = [];
    this.#state.effects = [];
    this.#state.dirty = new Set();
    this.#state.contention = undefined;
  }

  #execute(connection: Connection, message: Message): Outcome {
    const operation: TableOperation | undefined = getOperation(message.type);
    if (operation === undefined) return fail("ENOSYS");
    if (operation.privilege === "dom0" && connection.domid !== 0) return fail("EACCES");
    let transaction: Transaction | undefined;
    if (message.txId !== 0 && operation.transaction !== "ignored") {
      transaction = connection.transactions.get(message.txId as TxId);
      if (transaction === undefined) return fail("ENOENT");
    }
    const handler = HANDLERS[operation.name];
    return handler({ state: this.#state, connection, message, payload: message.payload, transaction });
  }

  #reply(connection: Connection, message: Message, outcome: ByteString | { readonly error: ErrorName }): void {
    const { type, requestId, txId } = message;
    if (typeof outcome === "string") {
      connection.outbox.addReply(serializeHeader(type, requestId, txId, outcome.length) + outcome);
    } else {
      connection.outbox.addReply(serializeError(requestId, txId, outcome.error));
    }
    this.#state.dirty.add(connection);
  }

  #sendDeliveries(): void {
    const { deliveries } = this.#state;
    this.#state.deliveries = [];
    for (const delivery of deliveries) this.#state.sendEvent(delivery);
  }
}

/** Names the request by its first argument alone, a path in most: the others may be a secret. */
function describeFailure(connection: Connection, message: Message, error: unknown): string {
  const { type, payload } = message;
  const name = getOperation(type)?.name ?? String(type);
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const end = payload.indexOf("\0");
  const request = `${JSON.stringify(payload.slice(0, end < 0 ? 0 : Math.min(end, 200)))} (${String(payload.length)} bytes)`;
  return `${connection.name}: ${name} ${request} failed in the daemon and was answered EIO: ${detail}`;
}
