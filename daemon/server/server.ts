/**
 * The server: sockets on one side, the core and the journal on the other.
 *
 * Owns the tick loop, back-pressure and the domain sockets. Invariants:
 *
 * 1. No byte that a tick produced reaches a socket before the tick's commits are in the journal.
 * 2. If the journal refuses them, the tick is undone and its messages are dispatched again with commits refused.
 * 3. What waits for one client is bounded: past the limits its socket is not read and nothing of it is dispatched; a
 *    privileged client that leaves `UNREAD_BYTES_DROPPED` unread is closed. Others are not affected.
 * 4. A connection is dropped between ticks only, so that a tick that is undone cannot revive it; it may come at any time.
 * 5. With nothing to do there are no turns: a turn is scheduled by what arrives, by sessions that can go on, and by the
 *    write gate while sessions wait for it.
 * 6. While the history is behind, a client that committed is held as long as the write gate says; at the gate's limit a
 *    message that may commit waits, and what its client sent behind it. What only reads is dispatched as ever, and a client
 *    in a transaction is not held before the end of it that commits.
 * 7. While the gate refuses commits, each request that would commit is answered with its error, and all others as ever.
 * 8. Where there is room for some only, as at the gate's limit, those who wait have it in the order of their lines
 *    (`waiting-lines.ts`), and who comes later does not pass them: no connection, no guest and not all guests together take
 *    it for ever.
 * 9. The first commit of a store is that of `/tool/xenstored`, whenever the journal can first be written: no commit of a
 *    client is in the history before it.
 * 10. Where transactions keep making each other fail, a TRANSACTION_START of theirs waits for its turn (`turnstile.ts`), and
 *    what its client sent behind it: for a bounded time, and only where the client has no transaction open. When the turn
 *    comes it is dispatched in the same tick as the request that ended the one before, and its snapshot is that of then.
 *
 * One tick: chunks arrive → parse and dispatch, at most `MESSAGES_PER_TICK` for each connection (a guest's: its quota
 * `outstanding`) → (next turn) clients that have more waiting get their turn → journal → effects → one write for each
 * socket, all in one call where the listener has it.
 */
import { join } from "node:path";
import { flattenBytes } from "../../protocol/bytes.js";
import type { ErrorName } from "../../protocol/errno.js";
import { DOM0, type Domid, type Microseconds } from "../../protocol/identifiers.js";
import type { Message } from "../../protocol/message.js";
import { getOperation, operationNamed } from "../../protocol/operation.js";
import { MessageParser } from "../../protocol/parser.js";
import { REQUEST_CODECS } from "../../protocol/payload.js";
import type { Connection } from "../connection/connection.js";
import type { Core } from "../dispatch/core.js";
import type { RequestMeter } from "../dispatch/request-meter.js";
import type { Effect, WaitingRequest } from "../dispatch/state.js";
import type { Journal, JournalPosition } from "../journal/journal.js";
import type { Clock } from "../platform/clock.js";
import type { RateLimitedLog } from "../platform/log.js";
import type { Listener, ListeningSocket, Stream, StreamHandler } from "../platform/listener.js";
import type { Timer, Timers } from "../platform/timers.js";
import { messageOf } from "../platform/error-message.js";
import { CHECK_MILLISECONDS, type Contender } from "./turnstile.js";
import { Turns } from "./turns.js";
import { WaitingLines } from "./waiting-lines.js";
import type { WriteGate } from "./write-gate.js";

/** Most messages of one connection that one tick dispatches. */
export const MESSAGES_PER_TICK = 256;
/** Unread output of a privileged client above which it is not read. */
export const UNREAD_BYTES_PAUSED: number = 1024 * 1024;
/** Unread output above which a privileged client is closed. */
export const UNREAD_BYTES_DROPPED: number = 64 * 1024 * 1024;

/** Most connections of one guest; a guest of a hypervisor has one. */
export const GUEST_CONNECTIONS_MAX = 64;

/**
 * So much of what a client sent may lie here while it waits for its turn before it is not read. Most wait for their answer
 * and send nothing meanwhile, so that to stop reading at once would be two system calls for nothing.
 */
const WAITING_BYTES_MAX = 8192;

/** How often those who wait at the write gate's limit look whether it is to be refused or accepted now. */
const GATE_MICROSECONDS = 1_000_000;
/** How often the first commit is tried when nobody commits. */
const INITIALIZE_MILLISECONDS = 1000;

/** Who is told about a stream that was not taken up. */
const REFUSED: StreamHandler = {
  data: () => undefined,
  drain: () => undefined,
  ended: () => undefined,
  closed: () => undefined,
};

/** What the server works with. */
export interface ServerPorts {
  readonly core: Core;
  readonly journal: Pick<Journal, "append" | "lineBytesMax">;
  readonly listener: Listener;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: RateLimitedLog;
  /** How fast clients may commit. When its answers change, `askGateAgain` is to be called. */
  readonly writeGate: WriteGate;
  /** Counts what the core's ticks came to; the same that the core has. */
  readonly meter?: Pick<RequestMeter, "settle" | "journaled"> | undefined;
  /** Told how far the journal reaches, after each tick that committed. */
  readonly journalWritten: (position: JournalPosition) => void;
  /** CONTROL `flush`: settles when all that was committed before is sealed in the history. */
  readonly flushHistory: () => Promise<void>;
  /** CONTROL `compact`: settles when the history begins at `revision`; tells why it does not when that makes no sense. */
  readonly compactHistory: (revision: string) => Promise<{ readonly refusal: string | undefined }>;
  /** Told of every request while the access log is on; undefined while it is off. */
  readonly accessLog: () => ((connection: Connection, message: Message) => void) | undefined;
  /** Whether contended transactions take turns (invariant 10); they do unless told otherwise. */
  readonly takesTurns?: boolean | undefined;
}

/** Where the sockets are. */
export interface ServerPaths {
  /** The privileged wire socket. */
  readonly socket: string;
  /** The directory of the domains' sockets. */
  readonly domains: string;
}

/** Something that the daemon itself does, as a part of a tick. */
interface Deed {
  readonly perform: () => void;
  /** Called when what it did is safe. */
  readonly done: () => void;
}

/** What a tick did, in order, to be done again if it must be. */
type TickInput = { readonly connection: Connection; readonly message: Message } | Deed;

/** A connection and its stream. */
interface Session {
  readonly connection: Connection;
  readonly stream: Stream;
  readonly parser: MessageParser;
  /** Taken from the parser, and waiting at the write gate's limit or for its turn. */
  held: Message | undefined;
  /** What it has to do with turns. */
  contender: Contender<Session> | undefined;
  /** Nothing is dispatched before this moment of the monotonic clock, for what was committed. */
  heldUntil: number;
  /** The tick that `dispatched` counts messages of. */
  tick: number;
  dispatched: number;
  /** Whether the kernel takes no more, and `drain` is due. */
  draining: boolean;
  /** Whether it sent what cannot be framed: it is closed at the end of the tick, once its last replies are written. */
  broken: boolean;
  closed: boolean;
}

type LateOutcome = string | { readonly error: ErrorName };

/** The server of one branch. */
export class Server {
  readonly #ports: ServerPorts;
  readonly #paths: ServerPaths;
  readonly #sessions = new Map<Connection, Session>();
  readonly #domainSockets = new Map<Domid, ListeningSocket>();
  #socket: ListeningSocket | undefined;
  /** Sessions with whole messages waiting. */
  readonly #ready = new WaitingLines<Session>();
  /** Whether somebody waits at the gate's limit: who has just sent waits for the turn then, and passes nobody. */
  #isLineAtGate = false;
  /** Sessions that are not read. */
  readonly #paused = new Set<Session>();
  /** What was dispatched in this tick, to be dispatched again if it must be. */
  #inputs: TickInput[] = [];
  /** The deeds among them. */
  #deeds: Deed[] = [];
  #inTick = false;
  /** Counts the ticks. */
  #tick = 0;
  /** The monotonic time of this tick, or of the last one, in milliseconds. */
  #now = 0;
  /** Why commits are refused in this tick, by the write gate. */
  #refusal: ErrorName | undefined;
  /** The most bytes that the commits of this tick take in the journal. */
  #unwrittenBytes = 0;
  /** Sessions that committed in this tick, while that costs time, and how many of those bytes. */
  readonly #committed = new Map<Session, number>();
  #scheduled = false;
  #stopped = false;
  /** What was answered late in this tick, to be answered again if the tick is undone. */
  #lateAnswers: { readonly waiting: WaitingRequest; readonly outcome: LateOutcome }[] = [];
  /** Sessions that closed during the tick. */
  #gone: Session[] = [];
  /** Sessions whose clients send no more: each is closed when it is answered. */
  readonly #endedSessions = new Set<Session>();
  /** Sessions to be closed at the end of the tick. */
  #brokenSessions: Session[] = [];
  #holdTimer: Timer | undefined;
  readonly #turns: Turns<Session>;
  /** There while somebody waits for a turn. */
  #turnTimer: Timer | undefined;
  /** Makes the first commit; undefined once there is one. */
  #initializer: Connection | undefined;
  #initializeTimer: Timer | undefined;

  constructor(ports: ServerPorts, paths: ServerPaths) {
    this.#ports = ports;
    this.#paths = paths;
    this.#turns = new Turns(ports.core, this.#sessions, ports.takesTurns !== false);
  }

  /** Binds the privileged socket and the sockets of the domains that are introduced. */
  async start(): Promise<void> {
    this.#initialize();
    this.#socket = this.#ports.listener.listen(this.#paths.socket, (stream) => this.#accept(stream, DOM0));
    for (const [domid, record] of this.#ports.core.root.domains) {
      if (record.introduction !== undefined) this.#openDomainSocket(domid);
    }
    await this.#socket.listening;
  }

  /** Ends the tick at hand and closes every socket; what clients sent after it is not answered. */
  stop(): void {
    if (this.#stopped) return;
    if (this.#inTick) this.#endTick();
    this.#stopped = true;
    this.#holdTimer?.cancel();
    this.#turnTimer?.cancel();
    this.#initializeTimer?.cancel();
    this.#socket?.close();
    for (const socket of this.#domainSockets.values()) socket.close();
    this.#domainSockets.clear();
  }

  /** How many clients are connected. */
  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Gives a new store what C xenstored starts with, as the first commit (invariant 9). */
  #initialize(): void {
    const { core, log } = this.#ports;
    if (core.seq !== 0) return;
    this.#initializer = core.connect(DOM0, "daemon");
    this.#beginTick();
    this.#dispatchFirst(this.#initializer);
    this.#endTick();
    if (core.seq !== 0) return;
    const text = "the new store lacks /tool/xenstored until the journal can be written: this is tried again";
    log.log("error", "initialize", text);
    this.#initializeLater();
  }

  /** Tries the first commit again, also when nobody sends anything. */
  #initializeLater(): void {
    const { core, timers } = this.#ports;
    this.#initializeTimer = timers.after(INITIALIZE_MILLISECONDS, () => {
      if (this.#initializer === undefined) return;
      if (!this.#inTick) this.#beginTick();
      if (core.seq === 0) this.#dispatchFirst(this.#initializer);
      this.#schedule();
      this.#initializeLater();
    });
  }

  #dispatchFirst(initializer: Connection): void {
    const payload = REQUEST_CODECS.MKDIR.serialize({ path: "/tool/xenstored" });
    const message = { type: operationNamed("MKDIR").number, requestId: 0, txId: 0, payload };
    this.#ports.core.dispatch(initializer, message);
  }

  /** Between ticks, when there is a commit. */
  #dropInitializer(initializer: Connection): void {
    this.#ports.core.disconnect(initializer);
    this.#initializer = undefined;
    this.#initializeTimer?.cancel();
  }

  #accept(stream: Stream, domid: Domid): StreamHandler {
    if (domid !== 0 && this.#ports.core.connectionCount(domid) >= GUEST_CONNECTIONS_MAX) {
      const most = String(GUEST_CONNECTIONS_MAX);
      this.#ports.log.log(
        "warn",
        `connections of ${String(domid)}`,
        `domain ${String(domid)} may have ${most} connections`,
      );
      stream.close();
      return REFUSED;
    }
    // A connection may be accepted during a tick; taking it up changes nothing that a tick can undo.
    const connection = this.#ports.core.connect(domid);
    const parser = new MessageParser();
    const session: Session = {
      connection,
      stream,
      parser,
      held: undefined,
      contender: undefined,
      heldUntil: 0,
      tick: this.#tick,
      dispatched: 0,
      draining: false,
      broken: false,
      closed: false,
    };
    this.#sessions.set(connection, session);
    connection.owner = session;
    return {
      data: (chunk) => {
        this.#receive(session, chunk);
      },
      drain: () => {
        this.#drained(session);
      },
      ended: () => {
        this.#endedSessions.add(session);
        if (!this.#inTick) this.#finishIfAnswered(session);
      },
      closed: () => {
        session.closed = true;
        this.#ready.delete(session);
        this.#endedSessions.delete(session);
        this.#gone.push(session);
        this.#paused.delete(session);
        this.#turns.left(session, this.#ports.clock.monotonicMilliseconds());
        if (!this.#inTick) this.#dropGone();
        this.#runAdmitted();
        if (!this.#inTick) this.#revive();
      },
    };
  }

  #receive(session: Session, chunk: string): void {
    if (session.closed || session.broken || this.#stopped) return;
    session.parser.push(chunk);
    if (!this.#inTick) this.#beginTick();
    this.#schedule();
    this.#run(session);
    this.#runAdmitted();
  }

  /** Lets those go on whose turn has come. */
  #runAdmitted(): void {
    // The connections that close then leave the line, too, and nobody would end the tick.
    if (this.#stopped) return;
    for (let next = this.#turns.takeAdmitted(); next !== undefined; next = this.#turns.takeAdmitted()) {
      if (!this.#inTick) this.#beginTick();
      this.#schedule();
      this.#run(next);
      this.#turns.ran(next, this.#now);
    }
    if (this.#turns.isWaiting && this.#turnTimer === undefined) this.#checkTurnsLater();
  }

  #checkTurnsLater(): void {
    const { timers, clock } = this.#ports;
    this.#turnTimer = timers.after(CHECK_MILLISECONDS, () => {
      this.#turnTimer = undefined;
      const now = clock.monotonicMilliseconds();
      this.#turns.check(now, (session) => this.#isDelayed(session, now));
      this.#runAdmitted();
    });
  }

  /** Whether it is not the client that a session waits for. */
  #isDelayed(session: Session, now: number): boolean {
    return (session.held !== undefined || session.heldUntil > now) && !this.#isFull(session);
  }

  /** Dispatches what has arrived, up to the session's share of the tick. */
  #run(session: Session): void {
    const { connection, parser } = session;
    let waiting = false;
    let isServed = false;
    while (!session.closed) {
      if (session.contender?.state === "waiting") break;
      if (!this.#mayDispatch(session)) {
        waiting = parser.pendingBytes > 0 || session.held !== undefined;
        break;
      }
      const message = session.held ?? parser.next();
      if (message === undefined) break;
      if (this.#mustWait(connection, message)) {
        this.#isLineAtGate = true;
        // It may wait long, and must not keep the chunk alive that it came in.
        session.held ??= { ...message, payload: flattenBytes(message.payload) };
        waiting = true;
        break;
      }
      session.held = this.#turns.mustWait(session, message.type, this.#now) ? message : undefined;
      if (session.held !== undefined) {
        parser.release();
        break;
      }
      session.dispatched++;
      isServed = true;
      this.#ports.accessLog()?.(connection, message);
      this.#inputs.push({ connection, message });
      this.#dispatch(session, message);
    }
    if (isServed) this.#ready.served(session);
    else if (!waiting) this.#ready.delete(session);
    if (parser.brokenLength !== undefined) this.#closeBroken(session, parser.brokenLength);
    else if (waiting) {
      parser.release();
      this.#ready.add(session);
    }
    this.#adjustReading(session);
  }

  #dispatch(session: Session, message: Message): void {
    const { core, writeGate } = this.#ports;
    const { length: before } = core.commits;
    if (this.#initializer !== undefined && core.seq === 0 && getOperation(message.type)?.mutates === true) {
      this.#dispatchFirst(this.#initializer);
    }
    core.dispatch(session.connection, message);
    this.#turns.dispatched(session, message.type, before, this.#now);
    const bytes = this.#journalBytesMax(before);
    if (bytes === 0) return;
    this.#unwrittenBytes += bytes;
    if (writeGate.isSlowing) this.#committed.set(session, (this.#committed.get(session) ?? 0) + bytes);
  }

  /** The most bytes that the commits of this tick from this one on take in the journal. */
  #journalBytesMax(first: number): number {
    const { core, journal } = this.#ports;
    let bytes = 0;
    for (let index = first; index < core.commits.length; index++) {
      const commit = core.commits[index];
      if (commit !== undefined) bytes += journal.lineBytesMax(commit);
    }
    return bytes;
  }

  /** Whether a message must wait until the history has caught up a little. */
  #mustWait(connection: Connection, message: Message): boolean {
    if (this.#refusal !== undefined) return false;
    const { core, writeGate } = this.#ports;
    return (this.#isLineAtGate || writeGate.isFull(this.#unwrittenBytes)) && core.mayCommit(connection, message);
  }

  /** A guest has at most as many requests under way as its quota of outstanding requests allows. */
  #share(connection: Connection): number {
    if (connection.domid === 0) return MESSAGES_PER_TICK;
    const { outstanding } = this.#ports.core.guestLimits(connection.domid);
    return outstanding === 0 ? MESSAGES_PER_TICK : Math.min(MESSAGES_PER_TICK, outstanding);
  }

  #mayDispatch(session: Session): boolean {
    const { connection } = session;
    if (session.tick !== this.#tick) {
      session.tick = this.#tick;
      session.dispatched = 0;
    }
    if (session.dispatched >= this.#share(connection) || session.heldUntil > this.#now) return false;
    if (connection.closing || connection.waiting || this.#isFull(session)) return false;
    return connection.domid === 0 || this.#ports.core.holdMicroseconds(connection.domid) === 0;
  }

  /** Whether the client has left so much unread that nothing more is done for it. */
  #isFull(session: Session): boolean {
    const { connection, draining } = session;
    const { core } = this.#ports;
    if (connection.domid === 0) return connection.outbox.unreadBytes > UNREAD_BYTES_PAUSED;
    const { memoryBytes, outstanding } = core.guestLimits(connection.domid);
    const unread = core.unreadOf(connection.domid);
    if (memoryBytes !== 0 && unread.bytes > memoryBytes) return true;
    return draining && outstanding !== 0 && unread.replies >= outstanding;
  }

  /** Stops reading from a client that has messages waiting or output unread, and goes on when it has not. */
  #adjustReading(session: Session): void {
    const pause = this.#ready.has(session) || this.#isFull(session) || session.parser.pendingBytes > WAITING_BYTES_MAX;
    if (session.closed || pause === this.#paused.has(session)) return;
    if (pause) {
      this.#paused.add(session);
      session.stream.pause();
    } else {
      this.#paused.delete(session);
      session.stream.resume();
    }
  }

  /** Asks the write gate again for those who wait, when more is sealed or the recorder has failed. May come at any time. */
  askGateAgain(): void {
    if (!this.#ready.isEmpty) this.#schedule();
  }

  /**
   * Lets go on whoever can, after something made room: one connection's unread output holds back all of its domain, since
   * the quota is the domain's, and quotas change.
   */
  #revive(): void {
    for (const session of this.#paused) if (!this.#ready.has(session)) this.#adjustReading(session);
    this.#scheduleWaiting();
  }

  #beginTick(): void {
    const { core, clock } = this.#ports;
    this.#inTick = true;
    this.#tick++;
    this.#now = clock.monotonicMilliseconds();
    core.beginTick(clock.nowMicroseconds() as Microseconds);
    this.#askGate();
  }

  /** Asks whether commits are refused, and tells the operator when that changes. */
  #askGate(): void {
    const { core, log, writeGate } = this.#ports;
    const refusal = writeGate.refusal(this.#now);
    if (refusal?.error === this.#refusal) return;
    this.#refusal = refusal?.error;
    if (refusal === undefined) {
      core.acceptCommits();
      log.log("info", "commits accepted", "commits are accepted again");
    } else {
      core.refuseCommits(refusal.error);
      log.log("error", "commits refused", `commits are refused with ${refusal.error}: ${refusal.reason}`);
    }
  }

  #schedule(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    this.#ports.timers.inNextTurn(() => {
      this.#scheduled = false;
      if (this.#stopped) return;
      this.#turn();
    });
  }

  /** Gives the waiting sessions their turn and ends the tick. */
  #turn(): void {
    if (!this.#inTick) {
      if (this.#ready.isEmpty) return;
      this.#beginTick();
    }
    this.#isLineAtGate = false;
    for (const session of this.#ready.inTurn()) {
      this.#run(session);
      this.#runAdmitted();
    }
    this.#endTick();
    this.#revive();
  }

  /** Another turn for sessions that can go on now; a timer for those that are held for fairness or by the write gate. */
  #scheduleWaiting(): void {
    if (this.#ready.isEmpty) return;
    const now = this.#ports.clock.monotonicMilliseconds();
    let soonest = Infinity;
    for (const session of this.#ready) {
      const { connection } = session;
      if (connection.closing || connection.waiting || this.#isFull(session)) continue;
      const fairness = connection.domid === 0 ? 0 : this.#ports.core.holdMicroseconds(connection.domid);
      soonest = Math.min(soonest, Math.max(fairness, this.#gateMicroseconds(session, now)));
    }
    if (soonest === 0) this.#schedule();
    else if (soonest !== Infinity) {
      this.#holdTimer?.cancel();
      this.#holdTimer = this.#ports.timers.after(Math.ceil(soonest / 1000), () => {
        this.#schedule();
      });
    }
  }

  /** How long the write gate holds a session; at its limit, how long until that is looked at again. */
  #gateMicroseconds(session: Session, now: number): number {
    const isAtLimit = session.held !== undefined && this.#refusal === undefined && this.#ports.writeGate.isFull(0);
    return isAtLimit ? GATE_MICROSECONDS : Math.max(0, session.heldUntil - now) * 1000;
  }

  /** Makes the tick's commits safe, then lets its effects and output go. */
  #endTick(): void {
    const { core } = this.#ports;
    this.#writeJournal();
    this.#unwrittenBytes = 0;
    const output = core.endTick();
    const deeds = this.#deeds;
    this.#inputs = [];
    this.#deeds = [];
    this.#lateAnswers = [];
    this.#inTick = false;
    this.#holdCommitters();
    for (const effect of output.effects) this.#carryOut(effect);
    this.#sendAll(output.dirty);
    this.#ports.meter?.settle((this.#ports.clock.monotonicMilliseconds() - this.#now) / 1000);
    for (const { done } of deeds) done();
    for (const session of this.#endedSessions) this.#finishIfAnswered(session);
    for (const session of this.#brokenSessions) session.stream.close();
    this.#brokenSessions = [];
    this.#dropGone();
    if (this.#initializer !== undefined && core.seq !== 0) this.#dropInitializer(this.#initializer);
  }

  #writeJournal(): void {
    const { core, journal, clock, meter } = this.#ports;
    if (core.commits.length === 0) return;
    const start = meter === undefined ? 0 : clock.monotonicMilliseconds();
    let position: JournalPosition;
    try {
      position = journal.append(core.commits);
    } catch (error) {
      this.#refuseCommits(error);
      return;
    }
    meter?.journaled((clock.monotonicMilliseconds() - start) / 1000);
    this.#ports.journalWritten(position);
  }

  /** Has the sessions that committed wait for it. */
  #holdCommitters(): void {
    if (this.#committed.size === 0) return;
    const nowMilliseconds = this.#ports.clock.monotonicMilliseconds();
    const sessions = [...this.#committed.keys()];
    const committed = [...this.#committed].map(([{ connection }, bytes]) => ({ domid: connection.domid, bytes }));
    for (const [index, until] of this.#ports.writeGate.holdUntil(committed, nowMilliseconds).entries()) {
      const session = sessions[index];
      if (session !== undefined) session.heldUntil = until;
    }
    this.#committed.clear();
  }

  /** Undoes the tick and dispatches its messages again, this time without commits. */
  #refuseCommits(error: unknown): void {
    const { core, log } = this.#ports;
    const name = errorNameOf(error);
    const count = String(core.commits.length);
    const reason = messageOf(error);
    log.log("error", "journal", `${count} commits refused with ${name}: ${reason}`);
    core.abortTick(name);
    for (const { waiting, outcome } of this.#lateAnswers) core.answer(waiting, outcome);
    for (const input of this.#inputs) {
      if ("perform" in input) input.perform();
      else core.dispatch(input.connection, input.message);
    }
    core.acceptCommits();
    this.#committed.clear();
  }

  #carryOut(effect: Effect): void {
    switch (effect.kind) {
      case "open-domain-socket":
        this.#openDomainSocket(effect.domid);
        break;
      case "close-domain-socket":
        this.#domainSockets.get(effect.domid)?.close();
        this.#domainSockets.delete(effect.domid);
        break;
      case "close-connection":
        this.#sessions.get(effect.connection)?.stream.close();
        break;
      case "flush-history":
        void this.#ports.flushHistory().then(
          () => {
            this.#answer(effect.waiting, "OK\0");
          },
          (error: unknown) => {
            this.#ports.log.log("error", "flush", `flush failed: ${String(error)}`);
            this.#answer(effect.waiting, { error: "EIO" });
          },
        );
        break;
      case "compact-history":
        void this.#ports.compactHistory(effect.revision).then(
          ({ refusal }) => {
            if (refusal !== undefined) this.#ports.log.log("warn", "compact", `compact refused: ${refusal}`);
            this.#answer(effect.waiting, refusal === undefined ? "OK\0" : { error: "EINVAL" });
          },
          (error: unknown) => {
            this.#ports.log.log("error", "compact", `compact failed: ${messageOf(error)}`);
            this.#answer(effect.waiting, { error: "EIO" });
          },
        );
        break;
    }
  }

  /**
   * Does something with the core as a part of a tick; resolves to what it came to when that is safe. Where the journal refuses
   * the tick's commits it is done once more, with commits refused, and that result counts. Rejects with what `act` throws, and
   * when the server has stopped. Such a deed does not wait at the write gate, as CONTROL does not.
   */
  perform<T>(act: (core: Core) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#stopped) {
        reject(new Error("the daemon is stopping"));
        return;
      }
      let settle: () => void = () => undefined;
      const perform = (): void => {
        try {
          const result = act(this.#ports.core);
          settle = () => {
            resolve(result);
          };
        } catch (error) {
          settle = () => {
            reject(error instanceof Error ? error : new Error(String(error)));
          };
        }
      };
      if (!this.#inTick) this.#beginTick();
      const { length: before } = this.#ports.core.commits;
      // Invariant 9: it may commit.
      if (this.#initializer !== undefined && this.#ports.core.seq === 0) this.#dispatchFirst(this.#initializer);
      perform();
      this.#unwrittenBytes += this.#journalBytesMax(before);
      const deed: Deed = {
        perform,
        done: () => {
          settle();
        },
      };
      this.#inputs.push(deed);
      this.#deeds.push(deed);
      this.#schedule();
    });
  }

  #answer(waiting: WaitingRequest, outcome: LateOutcome): void {
    if (this.#stopped) return;
    if (!this.#inTick) this.#beginTick();
    this.#lateAnswers.push({ waiting, outcome });
    this.#ports.core.answer(waiting, outcome);
    this.#schedule();
  }

  /** A domain whose socket cannot be bound is told to the operator; everything else about it works. */
  #openDomainSocket(domid: Domid): void {
    const path = join(this.#paths.domains, String(domid));
    const report = (error: unknown): void => {
      const reason = messageOf(error);
      this.#ports.log.log("error", `socket of ${String(domid)}`, `domain ${String(domid)} has no socket: ${reason}`);
    };
    try {
      const socket = this.#ports.listener.listen(path, (stream) => this.#accept(stream, domid));
      this.#domainSockets.set(domid, socket);
      socket.listening.catch(report);
    } catch (error) {
      report(error);
    }
  }

  /** Hands output to the sockets, and keeps it where a socket takes no more. */
  #sendAll(dirty: Iterable<Connection>): void {
    const sessions: Session[] = [];
    const streams: Stream[] = [];
    const outputs: string[] = [];
    for (const connection of dirty) {
      const session = connection.owner as Session | undefined;
      const { outbox } = connection;
      if (session === undefined || session.closed) {
        outbox.discardTick();
        continue;
      }
      sessions.push(session);
      if (session.draining) {
        outbox.settleTick();
        continue;
      }
      const output = outbox.takeTick();
      if (output === "") continue;
      streams.push(session.stream);
      outputs.push(output);
    }
    const { listener } = this.#ports;
    if (listener.writeAll === undefined)
      for (const [index, stream] of streams.entries()) stream.write(outputs[index] ?? "");
    else if (streams.length > 0) listener.writeAll(streams, outputs);
    for (const session of sessions) this.#sent(session);
  }

  /** Looks what a session's socket holds of its output, and what it has left unread. */
  #sent(session: Session): void {
    const { connection, stream } = session;
    const { outbox } = connection;
    if (!session.draining) this.#lookAtSocket(session);
    if (connection.domid === 0 && outbox.unreadBytes > UNREAD_BYTES_DROPPED) {
      const unread = String(outbox.unreadBytes);
      this.#ports.log.log("warn", "unread", `${connection.name} closed: it left ${unread} bytes unread`);
      stream.close();
      return;
    }
    this.#adjustReading(session);
  }

  #lookAtSocket(session: Session): void {
    const pending = session.stream.pendingBytes();
    session.draining = pending > 0;
    session.connection.outbox.socketBytes = pending;
  }

  #drained(session: Session): void {
    if (session.closed || this.#stopped) return;
    session.draining = false;
    const { outbox } = session.connection;
    outbox.socketBytes = 0;
    if (outbox.hasBacklog) {
      session.stream.write(outbox.takeBacklog());
      this.#lookAtSocket(session);
    }
    if (!this.#inTick) this.#revive();
    if (!this.#inTick && this.#endedSessions.has(session)) this.#finishIfAnswered(session);
  }

  /** Closes a session whose client sends no more, once nothing of it waits. */
  #finishIfAnswered(session: Session): void {
    const { connection, stream } = session;
    if (session.closed || this.#ready.has(session) || session.contender?.state === "waiting") return;
    if (connection.waiting || connection.outbox.hasBacklog) return;
    this.#endedSessions.delete(session);
    stream.finish();
  }

  #closeBroken(session: Session, length: number): void {
    const { name } = session.connection;
    const text = `${name} closed: it sent a payload length of ${String(length)}, above 4096`;
    this.#ports.log.log("warn", "broken", text);
    session.broken = true;
    this.#ready.delete(session);
    this.#brokenSessions.push(session);
  }

  #dropGone(): void {
    const gone = this.#gone;
    this.#gone = [];
    for (const session of gone) {
      this.#sessions.delete(session.connection);
      session.connection.owner = undefined;
      this.#ports.core.disconnect(session.connection);
    }
  }
}

/** What clients are told when the journal cannot be written. */
function errorNameOf(error: unknown): ErrorName {
  const code = codeOf(error) ?? codeOf(error instanceof Error ? error.cause : undefined);
  return code === "ENOSPC" || code === "EROFS" ? code : "EIO";
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
