/**
 * The plan of a replay: which request is sent when, and what must have been answered before.
 *
 * Owns the order. A trace says in which tick of the daemon a request was dispatched and in which it was answered. Its client
 * had sent it with nothing more to go by than the replies and events of the ticks before, so a request waits for all that was
 * answered in earlier ticks, and for nothing in its own: what overlapped then may overlap again. Invariants:
 *
 *  1. Moments are in the order of the trace; requests of one connection are sent in the order of their lines.
 *  2. A request that is answered in a later tick than that in which it was asked is sent in the moment in which it was asked.
 *  3. Everything that stands in a trace's lines is in the plan, or counted as left out.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { Domid, Microseconds } from "../../protocol/identifiers.js";
import { operationNamed } from "../../protocol/operation.js";
import { isAtOrBelow } from "../../protocol/path.js";
import { stringReply } from "../../protocol/payload.js";
import type { TracedRequest } from "../../protocol/request-trace.js";
import type { TracedWatchEvent } from "./event-balance.js";
import type { Place, PlacedLine } from "./load-trace.js";

/** A connection of the trace. */
export interface PlannedConnection {
  /** From 0, in the order of appearance. */
  readonly index: number;
  readonly name: ByteString;
  readonly domid: Domid;
  /** The watch events that it had. */
  readonly events: readonly TracedWatchEvent[];
}

/** A transaction of the trace. */
export interface PlannedTransaction {
  readonly start: RequestStep;
  /** What ran in it until now, END left out. */
  readonly requests: RequestStep[];
}

/** A request to be sent. */
export interface RequestStep {
  readonly kind: "request";
  readonly place: Place;
  readonly connection: PlannedConnection;
  readonly request: TracedRequest;
  /** Of the request itself, or of its answer in the trace, whichever is left of it. */
  readonly payload: ByteString;
  /** The transaction that it runs in or ends; undefined outside of any, and for ids that nobody gave out. */
  readonly transaction: PlannedTransaction | undefined;
  /** Index of the moment in which it is sent. */
  readonly sentIn: number;
  /** Index of the moment in which it was answered. */
  readonly answeredIn: number;
}

/** A connection to be opened or closed. */
export interface ConnectionStep {
  readonly kind: "open" | "close";
  readonly connection: PlannedConnection;
}

/** What may happen in any order, after all that was answered in the moments before. */
export interface Moment {
  /** Since the first one. */
  readonly microseconds: Microseconds;
  readonly steps: (RequestStep | ConnectionStep)[];
  /** Requests that have their answers when the next moment begins. */
  readonly answers: RequestStep[];
  /** Requests whose effect may come about in it. */
  readonly mutations: RequestStep[];
}

/** A replay's plan. */
export interface ReplayPlan {
  readonly moments: readonly Moment[];
  readonly connections: readonly PlannedConnection[];
  readonly requests: number;
  /** Watch events in the trace. */
  readonly events: number;
  /** Requests that cannot be sent: what they asked was redacted, or their transaction began before the trace. */
  readonly leftOut: number;
}

/** Plans the replay of the lines of a life. */
export function planReplay(lines: readonly PlacedLine[]): ReplayPlan {
  const planner = new Planner();
  for (const line of lines) planner.add(line);
  return planner.plan();
}

interface ConnectionState {
  readonly connection: PlannedConnection;
  /** Of the connection. */
  readonly events: TracedWatchEvent[];
  isOpen: boolean;
  /** The moment of its last request. */
  lastSentIn: number;
  readonly transactions: Map<number, PlannedTransaction>;
}

class Planner {
  readonly #moments: Moment[] = [];
  readonly #states = new Map<ByteString, ConnectionState>();
  readonly #connections: PlannedConnection[] = [];
  #first: number | undefined;
  /** Of the last line, as the trace has it. */
  #time = -1;
  #requests = 0;
  #events = 0;
  #leftOut = 0;

  add({ place, line }: PlacedLine): void {
    switch (line.kind) {
      case "request":
        this.#beginMoment(line.time);
        this.#addRequest(place, line);
        break;
      case "event":
        this.#events++;
        this.#states.get(line.connection)?.events.push({ path: line.path, token: line.token });
        break;
      case "opened":
        this.#beginMoment(line.time);
        this.#open(line.connection, line.domid);
        break;
      case "closed":
        this.#beginMoment(line.time);
        this.#close(line.connection);
        break;
      case "header":
      case "gap":
        break;
    }
  }

  plan(): ReplayPlan {
    const counts = { requests: this.#requests, events: this.#events, leftOut: this.#leftOut };
    return { moments: this.#moments, connections: this.#connections, ...counts };
  }

  /** The wall clock may step back; moments do not. */
  #beginMoment(time: number): void {
    if (time === this.#time) return;
    this.#time = time;
    this.#first ??= time;
    const last = this.#moments.at(-1)?.microseconds ?? 0;
    const microseconds = Math.max(last, time - this.#first) as Microseconds;
    this.#moments.push({ microseconds, steps: [], answers: [], mutations: [] });
  }

  #open(name: ByteString, domid: Domid): ConnectionState {
    const events: TracedWatchEvent[] = [];
    const connection: PlannedConnection = { index: this.#connections.length, name, domid, events };
    const state: ConnectionState = { connection, events, isOpen: true, lastSentIn: 0, transactions: new Map() };
    this.#connections.push(connection);
    this.#states.set(name, state);
    this.#moments.at(-1)?.steps.push({ kind: "open", connection });
    return state;
  }

  #close(name: ByteString): void {
    const state = this.#states.get(name);
    if (state === undefined) return;
    this.#states.delete(name);
    this.#moments.at(-1)?.steps.push({ kind: "close", connection: state.connection });
  }

  #addRequest(place: Place, request: TracedRequest): void {
    const state = this.#states.get(request.connection) ?? this.#open(request.connection, request.domid);
    const { payload, txId } = request;
    const transaction = state.transactions.get(txId);
    if (payload === undefined || (transaction === undefined && isOfEarlierTransaction(request))) {
      this.#leftOut++;
      return;
    }
    const answeredIn = this.#moments.length - 1;
    const sentIn = Math.max(state.lastSentIn, this.#sentIn(request, answeredIn));
    state.lastSentIn = sentIn;
    const step: RequestStep = {
      kind: "request",
      place,
      connection: state.connection,
      request,
      payload,
      transaction,
      sentIn,
      answeredIn,
    };
    this.#requests++;
    this.#moments[sentIn]?.steps.push(step);
    this.#moments[answeredIn]?.answers.push(step);
    if (mutates(step)) for (let at = sentIn; at <= answeredIn; at++) this.#moments[at]?.mutations.push(step);
    noteTransaction(state, step);
  }

  /** The first moment that is not before the request was asked. */
  #sentIn({ asked }: TracedRequest, answeredIn: number): number {
    if (asked === undefined || this.#first === undefined) return answeredIn;
    let at = answeredIn;
    while (at > 0 && (this.#moments[at - 1]?.microseconds ?? 0) >= asked - this.#first) at--;
    return at;
  }
}

/** Its transaction was opened before the trace began: the daemon at hand knows of none. */
function isOfEarlierTransaction({ txId, operation, reply }: TracedRequest): boolean {
  if (txId === 0 || typeof operation !== "string") return false;
  if (operationNamed(operation).transaction === "ignored") return false;
  return !(typeof reply === "object" && (reply.error === "ENOENT" || reply.error === "EINVAL"));
}

function noteTransaction(state: ConnectionState, step: RequestStep): void {
  const { operation, reply, txId } = step.request;
  if (operation === "TRANSACTION_START") {
    const id = typeof reply === "string" ? Number(stringReply.parse(reply)) : NaN;
    if (Number.isInteger(id)) state.transactions.set(id, { start: step, requests: [] });
  } else if (operation !== "TRANSACTION_END") {
    step.transaction?.requests.push(step);
  } else if (typeof reply !== "object" || reply.error === "EAGAIN") {
    state.transactions.delete(txId);
  }
}

/** Whether it can change the store at once, so that others may see the state before or behind it. */
function mutates({ request, transaction }: RequestStep): boolean {
  const { operation } = request;
  if (typeof operation !== "string") return false;
  const { mutates: isMutation, transaction: rule } = operationNamed(operation);
  return isMutation && !(transaction !== undefined && rule === "joins");
}

/** The absolute path that a request names; undefined where it names none. */
export function pathOf({ request, payload }: RequestStep): ByteString | undefined {
  const { operation, domid } = request;
  if (typeof operation !== "string") return undefined;
  const { transaction } = operationNamed(operation);
  if (transaction !== "joins") return undefined;
  const [path = ""] = payload.split("\0");
  return path.startsWith("/") || path.startsWith("@") ? path : `/local/domain/${String(domid)}/${path}`;
}

/**
 * Whether what a request was answered may depend on chance, in the trace as in a replay: another connection changed the same
 * place while it, or the transaction that it ran in, was under way.
 */
export function mayRace(plan: ReplayPlan, step: RequestStep): boolean {
  const path = pathOf(step);
  const from = step.transaction?.start.sentIn ?? step.sentIn;
  for (let at = from; at <= step.answeredIn; at++) {
    for (const other of plan.moments[at]?.mutations ?? []) {
      if (other.connection === step.connection) continue;
      if (changesNear(other, path)) return true;
    }
  }
  return false;
}

/** Whether a mutation may change what is to be seen at `path`. What domains' lives change may be anywhere. */
function changesNear(mutation: RequestStep, path: ByteString | undefined): boolean {
  const { operation } = mutation.request;
  const changed = operation === "TRANSACTION_END" ? (mutation.transaction?.requests ?? []) : [mutation];
  return changed.some((step) => {
    const other = pathOf(step);
    if (operation !== "TRANSACTION_END" && other === undefined) return true;
    if (other === undefined || path === undefined || typeof step.request.operation !== "string") return false;
    if (!operationNamed(step.request.operation).mutates) return false;
    return isAtOrBelow(other, path) || isAtOrBelow(path, other);
  });
}
