/**
 * Replaying a plan: the connections of one copy of a trace, each moment after the one before.
 *
 * Owns the connections and their transactions. Invariants:
 *
 *  1. A moment begins when its time has come and all that was answered before it in the trace is answered.
 *  2. Requests of one connection are sent in their order, without waiting for each other within a moment.
 *  3. A transaction that ends in EAGAIN where the trace has a success is run again, as its client would have done: else all
 *     that follows would be asked of another store.
 *  4. Nothing that goes wrong ends a replay: it is compared and counted.
 *  5. A connection is closed when the watch events that it had in the trace have come, or do not come for a while.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { Domid } from "../../protocol/identifiers.js";
import { operationNamed } from "../../protocol/operation.js";
import { stringReply } from "../../protocol/payload.js";
import type { Transport } from "../../clients/xenstore/transport.js";
import { withTimeLimit } from "../time-limit.js";
import { compareAnswers, type Comparison } from "./compare.js";
import { EventBalance } from "./event-balance.js";
import type { Renaming, TraceIdentities } from "./identities.js";
import { openRawSession, type Answer, type RawSession } from "./raw-session.js";
import {
  mayRace,
  pathOf,
  type Moment,
  type PlannedConnection,
  type ReplayPlan,
  type RequestStep,
} from "./replay-plan.js";
import type { ReplayTally } from "./tally.js";

/** How often a transaction is tried again before its EAGAIN counts. */
const ATTEMPTS_MAX = 100;
/** The daemon sends an event behind the reply to what caused it, so it is on its way when that was answered. */
const EVENTS_MILLISECONDS_MAX = 1000;
/** An id that no daemon gives out soon: for requests whose transaction never was one. */
const STRAY_TRANSACTION_ID = 0xffff_ffff;

/** What a replay works with. */
export interface ReplayPorts {
  /** How to reach the daemon as a domain. */
  transport(domid: Domid): Transport;
  monotonicMilliseconds(): number;
  /** Rejects when the signal is aborted. */
  delay(milliseconds: number, signal: AbortSignal): Promise<void>;
  readonly signal: AbortSignal;
}

/** Which copy of a trace to replay, and how. */
export interface ReplayOptions {
  readonly plan: ReplayPlan;
  readonly identities: TraceIdentities;
  readonly renaming: Renaming;
  /** From 0. */
  readonly copy: number;
  readonly copies: number;
  /** How many times as fast as in the trace; Infinity for no waits. */
  readonly speed: number;
  /** Whether all connections are dom0's, guests' too. */
  readonly isPrivileged: boolean;
  readonly tally: ReplayTally;
}

interface LiveConnection {
  readonly opened: Promise<RawSession | undefined>;
  session: RawSession | undefined;
  /** Why there is none. */
  failure: string;
  /** The ids that the daemon gave, by the START of the trace. */
  readonly txIds: Map<RequestStep, number>;
  readonly events: EventBalance;
}

/** Replays a copy; rejects only when it is interrupted. */
export async function replay(options: ReplayOptions, ports: ReplayPorts): Promise<void> {
  const player = new CopyPlayer(options, ports);
  try {
    await player.play();
  } finally {
    player.close();
  }
}

class CopyPlayer {
  readonly #options: ReplayOptions;
  readonly #ports: ReplayPorts;
  readonly #inverse: Renaming;
  readonly #live = new Map<PlannedConnection, LiveConnection>();
  /** Requests that were sent and not compared yet. */
  readonly #underWay = new Map<RequestStep, Promise<void>>();

  constructor(options: ReplayOptions, ports: ReplayPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#inverse = options.renaming.inverse();
  }

  async play(): Promise<void> {
    const { plan, speed } = this.#options;
    const { signal } = this.#ports;
    const start = this.#ports.monotonicMilliseconds();
    const interrupt = (): void => {
      // What is under way is lost with its connection, so the moment ends.
      this.close();
    };
    signal.addEventListener("abort", interrupt, { once: true });
    try {
      for (const moment of plan.moments) {
        const due = start + (speed === Infinity ? 0 : moment.microseconds / 1000 / speed);
        const wait = due - this.#ports.monotonicMilliseconds();
        if (wait > 0) await this.#ports.delay(wait, signal);
        await this.#playMoment(moment);
        signal.throwIfAborted();
      }
      await Promise.all([...this.#live.keys()].map((connection) => this.#close(connection)));
      signal.throwIfAborted();
    } finally {
      signal.removeEventListener("abort", interrupt);
    }
  }

  close(): void {
    for (const { session } of this.#live.values()) session?.close();
  }

  async #playMoment({ steps, answers }: Moment): Promise<void> {
    const changing: Promise<unknown>[] = [];
    for (const step of steps) {
      if (step.kind === "request") this.#underWay.set(step, this.#play(step));
      else if (step.kind === "open") changing.push(this.#open(step.connection));
      else changing.push(this.#close(step.connection));
    }
    await Promise.all(changing);
    for (const step of answers) {
      await this.#underWay.get(step);
      this.#underWay.delete(step);
    }
  }

  #open(connection: PlannedConnection): Promise<unknown> {
    const { tally, renaming, isPrivileged, identities, copies } = this.#options;
    const transport = this.#ports.transport(isPrivileged ? (0 as Domid) : renaming.domid(connection.domid));
    const shared = copies === 1 ? new Set<ByteString>() : identities.shared;
    const events = new EventBalance({ domid: connection.domid, events: connection.events, shared });
    const onEvent = (path: ByteString, token: ByteString): void => {
      tally.events++;
      events.came({ path: this.#inverse.text(path), token: this.#inverse.token(token) });
    };
    const live: LiveConnection = {
      session: undefined,
      failure: "",
      txIds: new Map(),
      events,
      opened: openRawSession(transport, onEvent).then(
        (session) => {
          tally.connections++;
          return (live.session = session);
        },
        (error: unknown) => {
          live.failure = error instanceof Error ? error.message : String(error);
          tally.unopened.push(live.failure);
          return undefined;
        },
      ),
    };
    this.#live.set(connection, live);
    return live.opened;
  }

  async #close(connection: PlannedConnection): Promise<void> {
    const live = this.#live.get(connection);
    if (live === undefined) return;
    this.#live.delete(connection);
    // What the trace has answered is answered; the daemon may have closed it by itself.
    const session = await live.opened;
    if (session?.isEnded === false) {
      const limit = {
        millisecondsMax: EVENTS_MILLISECONDS_MAX,
        clock: this.#ports,
        error: () => new Error("too late"),
      };
      await withTimeLimit(live.events.complete, limit).catch(() => undefined);
    }
    session?.close();
    const { tally, copies, copy } = this.#options;
    for (const difference of live.events.differences()) {
      // Each copy may be told of the others, and of what all of them share.
      if (difference.kind === "missing" || copies === 1) tally.eventsDiffer({ ...difference, connection, copy });
    }
  }

  async #play(step: RequestStep): Promise<void> {
    if (this.#removesShared(step)) {
      this.#options.tally.sharedRemovals++;
      return;
    }
    const live = this.#live.get(step.connection);
    if (live === undefined) return;
    let got = await this.#send(live, step);
    if (this.#mustRepeat(step, got)) got = await this.#repeat(live, step);
    else this.#note(live, step, got);
    this.#compare(step, got);
  }

  /** Whether it would take the nodes of other copies with it. */
  #removesShared(step: RequestStep): boolean {
    const { copies, identities } = this.#options;
    return copies > 1 && step.request.operation === "RM" && identities.shared.has(pathOf(step) ?? "");
  }

  async #send(live: LiveConnection, step: RequestStep): Promise<Answer> {
    // Asked only while it is being opened: else this request would be sent behind later ones.
    const session = live.session ?? (await live.opened);
    if (session === undefined) return { lost: live.failure };
    const { request, transaction } = step;
    const { operation } = request;
    const type = typeof operation === "string" ? operationNamed(operation).number : operation;
    const known = transaction === undefined ? undefined : live.txIds.get(transaction.start);
    const txId = known ?? (request.txId === 0 ? 0 : STRAY_TRANSACTION_ID);
    const sent = this.#ports.monotonicMilliseconds();
    const answer = await session.send({ type, txId, payload: this.#payload(step) });
    this.#options.tally.answered(this.#ports.monotonicMilliseconds() - sent);
    return answer;
  }

  #payload(step: RequestStep): ByteString {
    const { renaming, isPrivileged } = this.#options;
    const { operation, domid } = step.request;
    const payload = isPrivileged && domid !== 0 ? absolutePayload(step) : step.payload;
    return renaming.payload(operation, payload);
  }

  #note(live: LiveConnection, step: RequestStep, got: Answer): void {
    if (step.request.operation !== "TRANSACTION_START" || typeof got !== "string") return;
    const id = Number(stringReply.parse(got));
    if (Number.isInteger(id)) live.txIds.set(step, id);
  }

  #mustRepeat({ request, payload, transaction }: RequestStep, got: Answer): boolean {
    if (request.operation !== "TRANSACTION_END" || payload !== "T\0" || transaction === undefined) return false;
    return typeof request.reply === "string" && isConflict(got);
  }

  /** Runs the transaction again until it ends otherwise; the harmless conflict is counted, and what came of it returned. */
  async #repeat(live: LiveConnection, end: RequestStep): Promise<Answer> {
    const { tally, copy } = this.#options;
    const { transaction, request } = end;
    let got: Answer = { error: "EAGAIN" };
    if (transaction === undefined) return got;
    for (let attempt = 1; attempt <= ATTEMPTS_MAX && isConflict(got); attempt++) {
      tally.repeats++;
      this.#note(live, transaction.start, await this.#send(live, transaction.start));
      for (const step of transaction.requests) {
        if (!this.#removesShared(step)) await this.#send(live, step);
      }
      got = await this.#send(live, end);
    }
    if (!isConflict(got)) tally.compared("conflict", { step: end, copy, expected: request.reply, got });
    return got;
  }

  #compare(step: RequestStep, answer: Answer): void {
    const { tally, copy, isPrivileged } = this.#options;
    const { request, payload } = step;
    const got =
      typeof answer === "string"
        ? (this.#inverse.reply(request.operation, step.payload, answer) as ByteString)
        : answer;
    let comparison = compareAnswers(request, payload, { expected: request.reply, got });
    // That of a transaction which stayed in conflict.
    if (comparison === "conflict" && typeof request.reply === "string") comparison = "error";
    if (comparison === "error" || comparison === "data" || comparison === "lost") {
      if (isPrivileged && request.domid !== 0 && dependsOnPrivilege(step)) comparison = "privilege";
      else comparison = this.#excuse(step, comparison);
    }
    tally.compared(comparison, { step, copy, expected: request.reply, got });
  }

  #excuse(step: RequestStep, comparison: Comparison): Comparison {
    const { plan, identities, copies } = this.#options;
    if (copies > 1 && comparison !== "lost" && identities.shared.has(pathOf(step) ?? "")) return "shared";
    return step.request.operation !== "TRANSACTION_END" && mayRace(plan, step) ? "race" : comparison;
  }
}

function isConflict(answer: Answer): boolean {
  return typeof answer === "object" && "error" in answer && answer.error === "EAGAIN";
}

/** Whether a guest's request is answered otherwise when dom0 asks it: it may do all, and owns what it makes. */
function dependsOnPrivilege({ request: { operation, reply } }: RequestStep): boolean {
  if (operation === "GET_PERMS") return true;
  return typeof reply === "object" && ["EACCES", "EPERM", "ENOSPC", "E2BIG"].includes(reply.error);
}

/** A guest's payload with its relative path made absolute. */
function absolutePayload(step: RequestStep): ByteString {
  const { request, payload } = step;
  const { operation, domid } = request;
  const isWatch = operation === "WATCH" || operation === "UNWATCH";
  if (payload.startsWith("/") || payload.startsWith("@")) return payload;
  if (!isWatch && pathOf(step) === undefined) return payload;
  return `/local/domain/${String(domid)}/${payload}`;
}
