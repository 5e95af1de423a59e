/**
 * The request meter: how many requests came to what, and how long they took.
 *
 * Owns the counts. They are of ticks that have ended: what a tick that is undone was about to answer is not counted, and its
 * second dispatch is. All requests of a tick have its duration, from when the first of them was taken up until the output of
 * all was handed to the sockets: to look at a clock for each would cost more than all the counting. What a request waited
 * before its dispatch, for its turn or at the write gate, is not in it; one that is answered in a later tick, as a flush is, has
 * the duration of that.
 *
 * Counting costs one addition for each request, and a few for each kind of outcome in a tick.
 */
import { ERROR_NAMES, type ErrorName } from "../../protocol/errno.js";
import { OPERATIONS, operationNamed } from "../../protocol/operation.js";
import type { EventFate } from "../connection/outbox.js";
import { DurationCounts, type DurationFigures } from "./duration-counts.js";

/** What operations are called that do not exist. */
const UNKNOWN_OPERATION = "unknown";

const OPERATION_NAMES: readonly string[] = [...OPERATIONS.map(({ name }) => name), UNKNOWN_OPERATION];
const OUTCOMES: readonly string[] = ["ok", ...ERROR_NAMES];
const FATES: readonly EventFate[] = ["sent", "collapsed", "dropped"];

const outcomeOf = new Map(OUTCOMES.map((name, index) => [name, index]));
const operationOf = new Map(OPERATION_NAMES.map((name, index) => [name, index]));
const UNKNOWN = OPERATION_NAMES.length - 1;
const indexOfType: readonly number[] = indexesOfTypes();
const { number: TRANSACTION_END } = operationNamed("TRANSACTION_END");

/** Where the counts of each kind begin: requests by operation and outcome, events by fate, conflicts by operation, aborts. */
const EVENTS = OPERATION_NAMES.length * OUTCOMES.length;
const CONFLICTS = EVENTS + FATES.length;
const ABORTS = CONFLICTS + OPERATION_NAMES.length;
const COUNTS = ABORTS + 1;

/** What was counted since the daemon began. Requests, durations and conflicts that never happened are left out. */
export interface RequestFigures {
  readonly requests: readonly { readonly operation: string; readonly outcome: string; readonly count: number }[];
  readonly durations: readonly { readonly operation: string; readonly duration: DurationFigures }[];
  readonly events: readonly { readonly fate: EventFate; readonly count: number }[];
  /** Transactions that ended in EAGAIN, by the operation of the first request whose answer was no longer the same. */
  readonly conflicts: readonly { readonly operation: string; readonly count: number }[];
  readonly transactionsEnded: readonly {
    readonly result: "committed" | "aborted" | "conflict" | "refused";
    readonly count: number;
  }[];
  /** Writing the commits of a tick to the journal, with the sync that its durability asks for. */
  readonly journalAppends: DurationFigures;
}

/** Counts requests. */
export class RequestMeter {
  readonly #counts = new Float64Array(COUNTS);
  /** Of the tick at hand. */
  readonly #tick = new Uint32Array(COUNTS);
  /** Which of those are not 0. */
  #touched: number[] = [];
  readonly #durations = OPERATION_NAMES.map(() => new DurationCounts());
  readonly #journalAppends = new DurationCounts();

  /** A request was answered. */
  answered({ type, payload }: { readonly type: number; readonly payload: string }, error: ErrorName | undefined): void {
    const outcome = error === undefined ? 0 : (outcomeOf.get(error) ?? 0);
    this.#add((indexOfType[type] ?? UNKNOWN) * OUTCOMES.length + outcome);
    if (type === TRANSACTION_END && error === undefined && payload.startsWith("F")) this.#add(ABORTS);
  }

  /** A watch event was sent, or was not. */
  event(fate: EventFate): void {
    this.#add(EVENTS + FATES.indexOf(fate));
  }

  /** A transaction is about to end in EAGAIN, for a request with this operation. */
  conflict(operation: string): void {
    this.#add(CONFLICTS + (operationOf.get(operation) ?? UNKNOWN));
  }

  /** The commits of a tick were written. */
  journaled(seconds: number): void {
    this.#journalAppends.add(seconds);
  }

  /** The tick has ended: what was counted in it stands. */
  settle(seconds: number): void {
    for (const index of this.#touched) {
      const times = this.#tick[index] as number;
      this.#tick[index] = 0;
      this.#counts[index] = (this.#counts[index] as number) + times;
      if (index < EVENTS) this.#durations[Math.floor(index / OUTCOMES.length)]?.add(seconds, times);
    }
    this.#touched = [];
  }

  /** The tick is undone. */
  discard(): void {
    for (const index of this.#touched) this.#tick[index] = 0;
    this.#touched = [];
  }

  figures(): RequestFigures {
    const count = (index: number): number => this.#counts[index] as number;
    const requests = OPERATION_NAMES.flatMap((operation, row) =>
      OUTCOMES.map((outcome, column) => ({ operation, outcome, count: count(row * OUTCOMES.length + column) })),
    ).filter(isThere);
    const ends = requests.filter(({ operation }) => operation === "TRANSACTION_END");
    const endsWith = (outcome: string): number => ends.find((each) => each.outcome === outcome)?.count ?? 0;
    const aborts = count(ABORTS);
    return {
      requests,
      durations: OPERATION_NAMES.map((operation, row) => ({
        operation,
        duration: (this.#durations[row] as DurationCounts).figures(),
      })).filter(({ duration }) => duration.counts.some((each) => each > 0)),
      events: FATES.map((fate, index) => ({ fate, count: count(EVENTS + index) })),
      conflicts: OPERATION_NAMES.map((operation, row) => ({ operation, count: count(CONFLICTS + row) })).filter(
        isThere,
      ),
      transactionsEnded: [
        { result: "committed", count: endsWith("ok") - aborts },
        { result: "aborted", count: aborts },
        { result: "conflict", count: endsWith("EAGAIN") },
        {
          result: "refused",
          count: ends.reduce((sum, { outcome, count }) => sum + (isRefusal(outcome) ? count : 0), 0),
        },
      ],
      journalAppends: this.#journalAppends.figures(),
    };
  }

  #add(index: number): void {
    const before = this.#tick[index] as number;
    if (before === 0) this.#touched.push(index);
    this.#tick[index] = before + 1;
  }
}

/** Whether a transaction ended in this, which is neither of its own making nor means that there was none. */
function isRefusal(outcome: string): boolean {
  return !["ok", "EAGAIN", "EINVAL", "ENOENT"].includes(outcome);
}

function isThere({ count }: { readonly count: number }): boolean {
  return count > 0;
}

/** The row of each message type; types above the last are unknown. */
function indexesOfTypes(): number[] {
  const indexes: number[] = [];
  for (const [row, { number }] of OPERATIONS.entries()) {
    while (indexes.length < number) indexes.push(UNKNOWN);
    indexes[number] = row;
  }
  return indexes;
}
