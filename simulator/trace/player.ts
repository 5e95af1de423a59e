/**
 * Plays traces through real connections and compares what comes back with what the trace says.
 *
 * Owns the connections of the actors and the tally. Never invents traffic: one request after the other, in the trace's
 * order, each when the one before it is answered; only `finish` sends a request of its own.
 *
 * 1. An event that is due is waited for where the trace has it, and each that came counts once: order among the events
 *    of one actor does not matter, because daemons differ in it.
 * 2. A transaction that ends in EAGAIN is repeated at once, as libxl does, with the requests that ran in it.
 * 3. A difference never ends the play; a connection that ends does, because nothing after it would mean anything.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { ErrorName } from "../../protocol/errno.js";
import { DOM0, type Domid } from "../../protocol/identifiers.js";
import type { OperationName } from "../../protocol/operation.js";
import { REQUEST_CODECS, stringReply } from "../../protocol/payload.js";
import type { Actor, EventStep, Phase, RequestStep } from "./trace.js";

/** How often a transaction is tried before its EAGAIN counts as a difference. */
export const TRANSACTION_ATTEMPTS_MAX = 100;

/** What a request was answered. */
export type Reply = { readonly payload: ByteString } | { readonly error: ErrorName };

/** A watch event as it arrived. */
export interface ArrivedEvent {
  readonly path: ByteString;
  readonly token: ByteString;
}

/** A connection of an actor. */
export interface PlayerConnection {
  /** Sends a request and resolves to its reply; rejects when the connection ends before. */
  request(operation: OperationName, txId: number, payload: ByteString): Promise<Reply>;
  close(): void;
}

/** Connects to the daemon as a domain; every watch event of the connection goes to `onEvent`. */
export type Connect = (domid: Domid, onEvent: (event: ArrivedEvent) => void) => Promise<PlayerConnection>;

/** A reply other than the one that was due. */
export interface Difference {
  readonly step: RequestStep;
  /** The error that came; undefined for a success. */
  readonly got: ErrorName | undefined;
}

/** An event that was not due. */
export interface AdditionalEvent extends ArrivedEvent {
  readonly actor: Actor;
  readonly count: number;
}

/** What was played. Everything in it was counted as it happened. */
export interface Tally {
  /** Requests that were answered, those of repeated transactions too. */
  readonly requests: number;
  /** Transactions that were ended, applied or given up as the trace says. */
  readonly transactions: number;
  /** How often a transaction was repeated after EAGAIN. */
  readonly repeats: number;
  /** Requests that were answered with the error that was due. */
  readonly errors: number;
  /** Connections that were opened. */
  readonly connections: number;
  /** Events that were due and came. */
  readonly events: number;
  readonly differences: readonly Difference[];
  readonly missing: readonly EventStep[];
  readonly additional: readonly AdditionalEvent[];
}

/** Settings of a player. */
export interface PlayerOptions {
  readonly connect: Connect;
  /** How long an event that is due may take before it counts as missing. */
  readonly eventMillisecondsMax: number;
  /** Called after each step. */
  readonly onStep?: () => void;
}

/** An actor at work. */
interface Session {
  readonly connection: PlayerConnection;
  /** Events that came and were not due yet, by `eventKey`. */
  readonly unclaimed: Map<string, { readonly event: ArrivedEvent; count: number }>;
  /** Called when an event came. */
  wake: (() => void) | undefined;
  transaction: { id: number; readonly steps: RequestStep[] } | undefined;
}

type Counts = {
  -readonly [Key in "requests" | "transactions" | "repeats" | "errors" | "connections" | "events"]: number;
};

/** Plays phases, one after the other. Call `finish` after the last, and `close` in any case. */
export class TracePlayer {
  readonly #options: PlayerOptions;
  readonly #sessions = new Map<Actor, Session>();
  readonly #counts: Counts = { requests: 0, transactions: 0, repeats: 0, errors: 0, connections: 0, events: 0 };
  readonly #differences: Difference[] = [];
  readonly #missing: EventStep[] = [];

  constructor(options: PlayerOptions) {
    this.#options = options;
  }

  /** Plays a phase to its end; rejects when a connection ends or cannot be made. */
  async play(phase: Phase): Promise<void> {
    for (const step of phase.steps) {
      try {
        if (step.kind === "event") await this.#awaitEvent(step);
        else await this.#playRequest(step);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new Error(`phase ${phase.name}, line ${String(step.line)} of the trace (${step.actor.name}): ${reason}`, {
          cause: error,
        });
      }
      this.#options.onStep?.();
    }
  }

  /** Waits until everything that the requests caused has arrived, so that the tally's additional events are complete. */
  async finish(): Promise<void> {
    // Replies and events of a connection come in one order, so one more reply means that all events are here. The
    // connections of a domain that was destroyed have ended; what they were to be told came before their end.
    const payload = REQUEST_CODECS.GET_DOMAIN_PATH.serialize({ domid: DOM0 });
    const fences = [...this.#sessions.values()].map(({ connection }) =>
      connection.request("GET_DOMAIN_PATH", 0, payload),
    );
    await Promise.allSettled(fences);
  }

  /** What was played until now. */
  tally(): Tally {
    const additional = [...this.#sessions].flatMap(([actor, { unclaimed }]) =>
      [...unclaimed.values()].map(({ event, count }) => ({ ...event, actor, count })),
    );
    return { ...this.#counts, differences: [...this.#differences], missing: [...this.#missing], additional };
  }

  /** Ends all connections. */
  close(): void {
    for (const { connection } of this.#sessions.values()) connection.close();
  }

  async #playRequest(step: RequestStep): Promise<void> {
    const { actor } = step;
    if (actor.connection === "each") {
      const session = await this.#connect(actor.domid);
      try {
        this.#compare(step, await this.#send(session, step));
      } finally {
        session.connection.close();
      }
      return;
    }
    let session = this.#sessions.get(actor);
    if (session === undefined) {
      session = await this.#connect(actor.domid);
      this.#sessions.set(actor, session);
    }
    if (step.operation === "TRANSACTION_START") await this.#start(session, step);
    else if (step.operation === "TRANSACTION_END") await this.#end(session, step);
    else {
      if (step.inTransaction) session.transaction?.steps.push(step);
      this.#compare(step, await this.#send(session, step));
    }
  }

  async #connect(domid: Domid): Promise<Session> {
    const unclaimed: Session["unclaimed"] = new Map();
    const connection = await this.#options.connect(domid, (event) => {
      const key = eventKey(event);
      const entry = unclaimed.get(key);
      if (entry === undefined) unclaimed.set(key, { event, count: 1 });
      else entry.count++;
      session.wake?.();
    });
    const session: Session = { connection, unclaimed, wake: undefined, transaction: undefined };
    this.#counts.connections++;
    return session;
  }

  async #start(session: Session, step: RequestStep): Promise<void> {
    const reply = await this.#send(session, step);
    const id = "payload" in reply ? Number(stringReply.parse(reply.payload) ?? NaN) : NaN;
    if (!Number.isInteger(id)) throw new Error(`no transaction was opened: ${describe(reply)}`);
    session.transaction = { id, steps: [] };
  }

  /** Ends a transaction; after EAGAIN from a new START on. */
  async #end(session: Session, step: RequestStep): Promise<void> {
    const steps = session.transaction?.steps ?? [];
    for (let attempt = 1; ; attempt++) {
      const reply = await this.#send(session, step);
      session.transaction = undefined;
      const conflicted = "error" in reply && reply.error === "EAGAIN" && step.error !== "EAGAIN";
      if (!conflicted || attempt === TRANSACTION_ATTEMPTS_MAX) {
        this.#compare(step, reply);
        this.#counts.transactions++;
        return;
      }
      this.#counts.repeats++;
      await this.#start(session, { ...step, operation: "TRANSACTION_START", payload: "\0" });
      for (const each of steps) await this.#send(session, each);
    }
  }

  async #send(session: Session, { operation, payload, inTransaction }: RequestStep): Promise<Reply> {
    const txId = inTransaction || operation === "TRANSACTION_END" ? (session.transaction?.id ?? 0) : 0;
    const reply = await session.connection.request(operation, txId, payload);
    this.#counts.requests++;
    return reply;
  }

  #compare(step: RequestStep, reply: Reply): void {
    const got = "error" in reply ? reply.error : undefined;
    if (got !== step.error) this.#differences.push({ step, got });
    else if (got !== undefined) this.#counts.errors++;
  }

  async #awaitEvent(step: EventStep): Promise<void> {
    const session = this.#sessions.get(step.actor);
    if (session !== undefined && (await claim(session, eventKey(step), this.#options.eventMillisecondsMax))) {
      this.#counts.events++;
    } else {
      this.#missing.push(step);
    }
  }
}

/** Paths and tokens hold no NUL. */
function eventKey({ path, token }: ArrivedEvent): string {
  return `${path}\0${token}`;
}

/** Takes an event out of those that came, waiting for it if need be; false when it does not come in time. */
async function claim(session: Session, key: string, millisecondsMax: number): Promise<boolean> {
  const take = (): boolean => {
    const entry = session.unclaimed.get(key);
    if (entry === undefined) return false;
    if (entry.count > 1) entry.count--;
    else session.unclaimed.delete(key);
    return true;
  };
  if (take()) return true;
  return await new Promise((resolve) => {
    const settle = (came: boolean): void => {
      clearTimeout(timer);
      session.wake = undefined;
      resolve(came);
    };
    const timer = setTimeout(() => {
      settle(false);
    }, millisecondsMax);
    session.wake = () => {
      if (take()) settle(true);
    };
  });
}

function describe(reply: Reply): string {
  return "error" in reply ? reply.error : `the reply was ${JSON.stringify(reply.payload)}`;
}
