/**
 * The turnstile: who may start a transaction now, among those whose transactions keep making each other fail.
 *
 * Transactions by replay never wait, and where many connections change what all of them read, nearly all of that is wasted:
 * each commit makes all others fail. After the first failure the daemon knows who stands in whose way. From then on they
 * start one after the other, and each commits.
 *
 * Owns the groups of contenders and the order in which they have the turn. Pure: what happens and the time come from
 * outside; `turns.ts` joins it to the core, and `server.ts` does the holding. A group is about one path, that at which a
 * transaction turned out to be stale; a contender is in one group, that of its last failure: a retry asks the same again.
 * (Groups that overlap are not joined into one: who fails about two things would have everybody wait for everybody.)
 *
 * A contender:
 *
 *               ┌── mustWait, the turn is free ──────────────────┐
 *   free ───────┤                                                ├──► holding ──┬── release ──► free
 *    ▲          └── mustWait, it is not ──► waiting ── its turn ─┘              ├── check ────► free, and barred
 *    │                                         │                                │
 *    └──────── started ─────── passing ◄───────┴── check: it waited too long    │
 *                                 ▲                                             │
 *                                 └── its START could not be dispatched yet ────┘
 *
 * Invariants:
 * 1. In each group at most one holds the turn, from when its START may be dispatched until its transaction has ended,
 *    it is gone, or it has lost the turn. While nobody holds the turn, nobody waits.
 * 2. Who waits holds no turn and has no transaction open (the caller asks for such connections only). So nobody waits for
 *    somebody who waits.
 * 3. Nobody waits longer than `WAIT_MILLISECONDS_MAX` and a check: then it goes on without a turn, as if there were no
 *    turnstile.
 * 4. Who holds the turn while others wait and sends nothing for a while, or takes long in all, loses it: its transaction goes
 *    on, others start. It has no turn for `BARRED_MILLISECONDS`: it waits like others, so that it is not faster for it and
 *    disturbs few, but when it comes to its turn it goes on without one, and the next one has it. For a guest this counts for
 *    all of its connections, so that by opening and idling it takes a few hundredths of the time from others. A guest is given
 *    less time than dom0, whose clients may be slow processes on a busy machine. Nor is much won with turns that are just short
 *    enough: a guest that has had the turn for more than `GUEST_SHARE` of the time while dom0 waited, and for
 *    `GUEST_TURNS_MILLISECONDS` above that, goes on without one until it is within its share again.
 * 5. The order is that of `waiting-lines.ts`: before dom0 at most one turn of a guest, and each domain has turns as often as
 *    any other. Who held the turn and failed nevertheless, because of somebody who is no contender, is next in its domain.
 * 6. Contenders are those whose transactions have to do with the path. Who ended none such for `CONTENDER_MILLISECONDS` is
 *    none any more: two that were once in each other's way and now do something else do not go on waiting for each other.
 * 7. Nothing is kept but of contenders, one record each, and of who is barred and of guests that have had turns lately, a number
 *    or two each; a group goes with its last contender.
 *
 * Why `check` is to be called at a fixed pace, and not at the earliest bound: the bounds move with every message of whoever
 * holds a turn, there may be thousands of those a second, and 10 ms more or less mean nothing to anybody.
 */
import { DOM0, type Domid } from "../../protocol/identifiers.js";
import type { Connection } from "../connection/connection.js";
import type { TurnCounters } from "../connection/turn-counters.js";
import { WaitingLines } from "./waiting-lines.js";

/**
 * Longest that a START waits; up to a check longer. It is above what a thousand contenders take for a turn each: to go on
 * without one, at the head of a line that moves, is to fail and to make another one fail. A line that does not move is the
 * affair of the bounds on turns, which are short.
 */
export const WAIT_MILLISECONDS_MAX = 2000;
/** How often `check` is to be called while somebody waits. */
export const CHECK_MILLISECONDS = 10;
/** How long somebody is a contender after the last transaction that had to do with the path. */
export const CONTENDER_MILLISECONDS = 500;
/** How long somebody who has lost a turn is given none. */
export const BARRED_MILLISECONDS = 1000;

/** The part of the time that a guest may have turns for while dom0 waits. */
const GUEST_SHARE = 1 / 4;
/** What it may have in one go before that counts. */
const GUEST_TURNS_MILLISECONDS = 25;

/** How long somebody may hold the turn while others wait. */
interface Patience {
  /** Without sending anything. */
  readonly idleMilliseconds: number;
  /** In all. */
  readonly turnMilliseconds: number;
}

export const DOM0_PATIENCE: Patience = { idleMilliseconds: 50, turnMilliseconds: 100 };
export const GUEST_PATIENCE: Patience = { idleMilliseconds: 10, turnMilliseconds: 25 };

/** A transaction, as far as the turnstile is asked to keep it for the caller. */
export type OpenTransaction = NonNullable<ReturnType<Connection["transactions"]["get"]>>;

/** Who may become a contender. */
export interface Contending<Session> {
  readonly connection: { readonly domid: Domid };
  /** Set by the turnstile alone; undefined for nearly everybody, and then there is nothing to ask. */
  contender: Contender<Session> | undefined;
}

/** What is known of somebody who contends. Others read it, and change nothing. */
export interface Contender<Session> {
  readonly session: Session;
  readonly connection: { readonly domid: Domid };
  state: "free" | "waiting" | "holding" | "passing";
  group: Group<Session>;
  /** The last moment at which it had to do with the group's path. */
  concernedAt: number;
  /** Since when it waits, or holds the turn. */
  since: number;
  /** When the holder of the turn last sent something. */
  sentAt: number;
  /** The transaction that has the turn, from when its START was dispatched. */
  transaction: OpenTransaction | undefined;
  /** Whether it held the turn and failed nevertheless. */
  isRetrying: boolean;
}

interface Group<Session> {
  readonly path: string;
  readonly members: Set<Contender<Session>>;
  readonly lines: WaitingLines<Contender<Session>>;
  holder: Contender<Session> | undefined;
  /** Since when somebody waits for the turn. */
  contestedAt: number;
  /** Since when somebody of dom0 does. */
  dom0WaitsSince: number;
}

/** Somebody's transaction was stale. */
export interface Failure<Session> {
  readonly session: Session;
  /** Whose transaction made it so, if that is known. */
  readonly culprit: Session | undefined;
  readonly path: string;
  /** Whether it had the turn. */
  readonly hadTurn: boolean;
}

/** Lets one contender at a time through. All times are milliseconds of one monotonic clock. */
export class Turnstile<Session extends Contending<Session>> {
  readonly #counters: TurnCounters;
  readonly #groups = new Map<string, Group<Session>>();
  /** In the order in which they began to wait. */
  readonly #waiting = new Set<Contender<Session>>();
  /** Until when somebody is given no turn: a guest by its domid, a client of dom0 by itself. */
  readonly #barred = new Map<Session | Domid, number>();
  /** How long a guest has had turns for while dom0 waited, less its share of the time since: in milliseconds, as of `at`. */
  readonly #turnTimes = new Map<Domid, { readonly milliseconds: number; readonly at: number }>();
  /** Who has stopped waiting, in order, until the caller takes them. */
  #admitted: Session[] = [];
  #sweptAt = -Infinity;
  /** The last check, or when somebody began to wait after it. */
  #checkedAt = 0;

  constructor(counters: TurnCounters) {
    this.#counters = counters;
  }

  /** Whether anybody waits: then `check` is to be called. */
  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** Whether nothing at all is remembered. */
  get isEmpty(): boolean {
    return [this.#groups, this.#barred, this.#turnTimes].every(({ size }) => size === 0) && this.#admitted.length === 0;
  }

  /** The next one that may go on, in the order in which they were admitted. Its START is to be dispatched now. */
  takeAdmitted(): Session | undefined {
    return this.#admitted.length === 0 ? undefined : this.#admitted.shift();
  }

  /** Both become contenders. Called when the turn of who failed, if it had it, has been released. */
  failed({ session, culprit, path, hadTurn }: Failure<Session>, now: number): void {
    this.#sweep(now);
    const contender = this.#enter(session, path, now);
    contender.isRetrying = hadTurn && contender.group.path === path;
    if (culprit !== undefined && culprit !== session) this.#enter(culprit, path, now);
  }

  /**
   * Asked before a START of a contender is dispatched whose connection has no transaction open: whether it has to wait. Then
   * it is not asked again, but comes by `takeAdmitted`.
   */
  mustWait(contender: Contender<Session>, now: number): boolean {
    if (contender.state !== "free") return contender.state === "waiting";
    if (now - contender.concernedAt > CONTENDER_MILLISECONDS) {
      this.#dismiss(contender);
      return false;
    }
    const { group } = contender;
    if (group.holder === undefined) {
      if (!this.#isBarred(contender, now)) this.#giveTurn(contender, now);
      return false;
    }
    if (this.#waiting.size === 0) this.#checkedAt = now;
    if (group.lines.isEmpty) group.contestedAt = now;
    if (contender.connection.domid === DOM0 && !group.lines.hasDomain(DOM0)) group.dom0WaitsSince = now;
    if (contender.isRetrying) group.lines.addFirst(contender);
    else group.lines.add(contender);
    contender.state = "waiting";
    contender.since = now;
    this.#waiting.add(contender);
    this.#counters.waits++;
    this.#counters.waiting = this.#waiting.size;
    return true;
  }

  /** The START of a contender was dispatched: who passes without a turn is free now. */
  started(contender: Contender<Session>, transaction: OpenTransaction): void {
    if (contender.state === "passing") contender.state = "free";
    else if (contender.state === "holding") contender.transaction = transaction;
  }

  /** Who holds the turn has sent something. */
  sent(contender: Contender<Session>, now: number): void {
    contender.sentAt = now;
  }

  /**
   * The transaction of who holds the turn has ended: the next one is admitted.
   *
   * @param isConcerned - whether it had to do with the group's path
   */
  release(contender: Contender<Session>, now: number, isConcerned: boolean): void {
    this.#sweep(now);
    // Who is alone in its group contends with nobody.
    if (isConcerned && contender.group.members.size > 1) contender.concernedAt = now;
    contender.state = "free";
    contender.transaction = undefined;
    this.#passTurn(contender.group, now);
  }

  /** Somebody cannot make use of its turn now: the next one is admitted, and its START will pass without a turn. */
  forfeit(contender: Contender<Session>, now: number): void {
    this.#takeTurn(contender, now, true);
  }

  /** Forgets somebody who is gone. */
  left(session: Session, now: number): void {
    this.#barred.delete(session);
    const { contender } = session;
    if (contender === undefined) return;
    if (contender.state === "waiting") this.#leaveLine(contender, now);
    const wasHolding = contender.state === "holding";
    this.#dismiss(contender);
    if (wasHolding) this.#passTurn(contender.group, now);
  }

  /**
   * Enforces the bounds.
   *
   * @param isExcused - whether somebody who holds the turn is slow through no fault of its own: it loses it, and is not barred
   */
  check(now: number, isExcused: (session: Session) => boolean): void {
    for (const contender of this.#waiting) {
      if (now - contender.since < WAIT_MILLISECONDS_MAX) break;
      this.#leaveLine(contender, now);
      this.#pass(contender);
      this.#counters.waitsEnded++;
    }
    // What a daemon that stood still has not read yet is not the holder's fault.
    const stalled = Math.max(0, now - this.#checkedAt - 2 * CHECK_MILLISECONDS);
    this.#checkedAt = now;
    for (const group of this.#groups.values()) {
      const { holder } = group;
      if (holder !== undefined && stalled > 0) excuse(holder, stalled);
      if (holder !== undefined && isTooSlow(holder, now)) this.#takeTurn(holder, now, isExcused(holder.session));
    }
    this.#sweep(now);
  }

  /** The contender that a session is in the group of a path; in its own where it waits or holds the turn. */
  #enter(session: Session, path: string, now: number): Contender<Session> {
    const { contender: old } = session;
    if (old !== undefined && (old.group.path === path || old.state === "waiting" || old.state === "holding")) {
      old.concernedAt = now;
      return old;
    }
    if (old !== undefined) this.#dismiss(old);
    const group = this.#groupOf(path);
    const { connection } = session;
    const state = old?.state ?? "free";
    const times = { concernedAt: now, since: now, sentAt: now };
    const rest = { transaction: undefined, isRetrying: false };
    const contender: Contender<Session> = { session, connection, state, group, ...times, ...rest };
    group.members.add(contender);
    session.contender = contender;
    return contender;
  }

  #groupOf(path: string): Group<Session> {
    let group = this.#groups.get(path);
    if (group === undefined) {
      group = {
        path,
        members: new Set(),
        lines: new WaitingLines(),
        holder: undefined,
        contestedAt: 0,
        dom0WaitsSince: 0,
      };
      this.#groups.set(path, group);
    }
    return group;
  }

  #dismiss(contender: Contender<Session>): void {
    const { group, session } = contender;
    session.contender = undefined;
    group.members.delete(contender);
    if (group.members.size === 0) this.#groups.delete(group.path);
  }

  #giveTurn(contender: Contender<Session>, now: number): void {
    contender.state = "holding";
    contender.isRetrying = false;
    contender.since = now;
    contender.sentAt = now;
    contender.group.holder = contender;
    this.#counters.turns++;
  }

  /** Gives a group's turn to the next in line; who is barred by now goes on without. */
  #passTurn(group: Group<Session>, now: number, isCharged = true): void {
    if (group.holder !== undefined && isCharged) this.#charge(group.holder, now);
    group.holder = undefined;
    for (let next = group.lines.first; next !== undefined; next = group.lines.first) {
      group.lines.served(next);
      this.#leaveLine(next, now);
      if (this.#isBarred(next, now)) {
        this.#pass(next);
        continue;
      }
      this.#giveTurn(next, now);
      this.#admitted.push(next.session);
      return;
    }
  }

  /** Takes the turn from who is too slow. */
  #takeTurn(contender: Contender<Session>, now: number, isExcused: boolean): void {
    const { session, connection, group } = contender;
    contender.state = contender.transaction === undefined ? "passing" : "free";
    contender.transaction = undefined;
    if (!isExcused) this.#barred.set(connection.domid === DOM0 ? session : connection.domid, now + BARRED_MILLISECONDS);
    this.#counters.turnsLost++;
    this.#passTurn(group, now, !isExcused);
  }

  #pass(contender: Contender<Session>): void {
    contender.state = "passing";
    this.#admitted.push(contender.session);
  }

  #leaveLine(contender: Contender<Session>, now: number): void {
    contender.group.lines.delete(contender);
    this.#waiting.delete(contender);
    const waited = now - contender.since;
    this.#counters.waiting = this.#waiting.size;
    this.#counters.waitedMilliseconds += waited;
    this.#counters.longestWaitMilliseconds = Math.max(this.#counters.longestWaitMilliseconds, waited);
  }

  /** Counts the time for which a guest has had a turn that dom0 waits for. */
  #charge({ connection: { domid }, group, since }: Contender<Session>, now: number): void {
    if (domid === DOM0 || !group.lines.hasDomain(DOM0)) return;
    const had = this.#turnTime(domid, now) + Math.max(0, now - Math.max(since, group.dom0WaitsSince));
    // With connections in many groups it may have many turns at a time.
    const milliseconds = Math.min(had, BARRED_MILLISECONDS * GUEST_SHARE);
    this.#turnTimes.set(domid, { milliseconds, at: now });
    if (milliseconds <= GUEST_TURNS_MILLISECONDS) return;
    const until = now + (milliseconds - GUEST_TURNS_MILLISECONDS) / GUEST_SHARE;
    this.#barred.set(domid, Math.max(until, this.#barred.get(domid) ?? until));
  }

  #turnTime(domid: Domid, now: number): number {
    const { milliseconds = 0, at = now } = this.#turnTimes.get(domid) ?? {};
    return Math.max(0, milliseconds - (now - at) * GUEST_SHARE);
  }

  #isBarred({ session, connection }: Contender<Session>, now: number): boolean {
    if (this.#barred.size === 0) return false;
    return (this.#barred.get(connection.domid === DOM0 ? session : connection.domid) ?? now) > now;
  }

  /** Forgets what is over, now and then. */
  #sweep(now: number): void {
    if (now - this.#sweptAt < CONTENDER_MILLISECONDS) return;
    this.#sweptAt = now;
    for (const [who, until] of this.#barred) if (until <= now) this.#barred.delete(who);
    for (const domid of this.#turnTimes.keys()) if (this.#turnTime(domid, now) === 0) this.#turnTimes.delete(domid);
    for (const { members } of this.#groups.values()) {
      for (const contender of members) {
        const { state, concernedAt } = contender;
        if (state === "free" && now - concernedAt > CONTENDER_MILLISECONDS) this.#dismiss(contender);
      }
    }
  }
}

/** Does not count some time against the holder of a turn. */
function excuse<Session>(holder: Contender<Session>, milliseconds: number): void {
  holder.since += milliseconds;
  holder.sentAt += milliseconds;
  holder.group.contestedAt += milliseconds;
  holder.group.dom0WaitsSince += milliseconds;
}

/** Whether the holder of a turn has had the time that it may have while others wait. */
function isTooSlow<Session>({ connection, group, since, sentAt }: Contender<Session>, now: number): boolean {
  if (group.lines.isEmpty) return false;
  const { idleMilliseconds, turnMilliseconds } = connection.domid === DOM0 ? DOM0_PATIENCE : GUEST_PATIENCE;
  const { contestedAt } = group;
  return (
    now - Math.max(sentAt, contestedAt) >= idleMilliseconds || now - Math.max(since, contestedAt) >= turnMilliseconds
  );
}
