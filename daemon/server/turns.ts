/**
 * Turns: joins the turnstile to the core.
 *
 * Owns what of a client's requests and their outcomes means something to `turnstile.ts`: a START that may have to wait, the
 * end of the transaction that has the turn, in whatever way, and who stood in whose way. For a session that does not
 * contend all of it is one look at a field.
 *
 * The turn depends on what the core has done, and that is undone and done again where the journal refuses a tick. Nothing is
 * undone here: turns are passed on in the first run, and the second one dispatches the same messages in the same order.
 */
import { operationNamed } from "../../protocol/operation.js";
import type { TxId } from "../../protocol/identifiers.js";
import type { Connection } from "../connection/connection.js";
import { isAbout } from "../dispatch/contention.js";
import type { Core } from "../dispatch/core.js";
import { Turnstile, type Contender, type Contending } from "./turnstile.js";

const TRANSACTION_START = operationNamed("TRANSACTION_START").number;
const TRANSACTION_END = operationNamed("TRANSACTION_END").number;

/** A session, as far as turns are concerned. */
export interface TurnTaker<Session> extends Contending<Session> {
  readonly connection: Connection;
}

/** Decides when the sessions of one server start their transactions. */
export class Turns<Session extends TurnTaker<Session>> {
  readonly #core: Core;
  readonly #sessions: ReadonlyMap<Connection, Session>;
  readonly #turnstile: Turnstile<Session>;
  readonly #isOn: boolean;

  /** @param isOn - whether anybody is ever held */
  constructor(core: Core, sessions: ReadonlyMap<Connection, Session>, isOn: boolean) {
    this.#core = core;
    this.#sessions = sessions;
    this.#turnstile = new Turnstile(core.turnCounters);
    this.#isOn = isOn;
  }

  /** Whether anybody waits: then `check` is to be called every `CHECK_MILLISECONDS`. */
  get isWaiting(): boolean {
    return this.#turnstile.isWaiting;
  }

  /** Whether this request waits for its turn, and with it all that its client sent behind it. */
  mustWait(session: Session, type: number, now: number): boolean {
    const { contender, connection } = session;
    if (contender === undefined || type !== TRANSACTION_START || connection.transactions.size > 0) return false;
    return this.#turnstile.mustWait(contender, now);
  }

  /**
   * A request was dispatched.
   *
   * @param firstCommit - index of its commit among those of the tick, if it made one
   */
  dispatched(session: Session, type: number, firstCommit: number, now: number): void {
    const { contender } = session;
    const hadTurn = contender !== undefined && this.#follow(contender, type, firstCommit, now);
    if (type !== TRANSACTION_END || !this.#isOn) return;
    const contention = this.#core.takeContention();
    if (contention?.connection !== session.connection) return;
    const { culprit, path } = contention;
    const culpritSession = culprit === undefined ? undefined : this.#sessions.get(culprit);
    this.#turnstile.failed({ session, culprit: culpritSession, path, hadTurn }, now);
  }

  /** The next session that may go on; its START, which waited, is to be dispatched now. */
  takeAdmitted(): Session | undefined {
    return this.#turnstile.takeAdmitted();
  }

  /** An admitted session has had its chance: if its START could not be dispatched even so, the turn is not kept waiting for it. */
  ran({ contender }: Session, now: number): void {
    if (contender?.state !== "holding" || contender.transaction !== undefined) return;
    this.#turnstile.forfeit(contender, now);
  }

  /** Forgets a session that is gone. */
  left(session: Session, now: number): void {
    this.#turnstile.left(session, now);
  }

  /** Ends what has lasted too long. @param isDelayed - whether it is the daemon that does not serve a session now */
  check(now: number, isDelayed: (session: Session) => boolean): void {
    this.#turnstile.check(now, (session) => isDelayed(session) || isReset(session));
  }

  /** What a contender's request means for its turn; returns whether it ended the transaction that had it. */
  #follow(contender: Contender<Session>, type: number, firstCommit: number, now: number): boolean {
    const { transactions, lastTxId } = contender.session.connection;
    if (type === TRANSACTION_START && contender.transaction === undefined) {
      const started = transactions.get(lastTxId as TxId);
      if (started !== undefined) this.#turnstile.started(contender, started);
    }
    if (contender.state !== "holding") return false;
    const { transaction, group } = contender;
    if (transaction !== undefined && transactions.has(transaction.id)) {
      this.#turnstile.sent(contender, now);
      return false;
    }
    const commit = this.#core.commits[firstCommit];
    const isConcerned = transaction !== undefined && isAbout(group.path, transaction, commit);
    this.#turnstile.release(contender, now, isConcerned);
    return true;
  }
}

/** Whether the transaction that had the turn was ended by somebody else: by another INTRODUCE of its domain, say. */
function isReset<Session extends TurnTaker<Session>>({ contender, connection }: Session): boolean {
  const transaction = contender?.transaction;
  return transaction !== undefined && !connection.transactions.has(transaction.id);
}
