/**
 * What happened, from all that tells of it: each request and each event once, by time, and what became of each transaction.
 *
 * Owns which source is believed. The trace tells of every request and event, with the order. Commits that it does not tell of, because it
 * began later or there is none, tell their requests themselves, all at the time of the commit. Failures are added where there is no trace.
 *
 *     trace       TRANSACTION_START .. requests .. TRANSACTION_END     begin, requests and end at their times
 *     history     the commit of a transaction                          begin after the base's commit, all else at the end
 *     failures    EAGAIN with its conflict                             the same, without a commit
 */
import type { ActivityCommit } from "../../../protocol/http-api/activity.js";
import type { ConflictJson, FailureJson } from "../../../protocol/http-api/failures.js";
import type { TraceLineJson, TraceRequestJson } from "../../../protocol/http-api/trace.js";
import { microsecondsOf, timeOf } from "../words/times.js";
import type { Recording } from "./recording.js";
import { absolutePath, requestOfLine, requestOfTrace, type ToldRequest } from "./told-request.js";

/** A request or an event. Times are in microseconds since the epoch. */
export interface Happening extends ToldRequest {
  readonly kind: "request" | "event";
  readonly time: number;
  readonly connection: string;
  readonly domain: number;
  readonly tx: number | undefined;
  /** The commit that it made, or that its transaction made. */
  readonly seq: number | undefined;
  readonly error: string | undefined;
  /** How often in a row, where failures are told together. */
  readonly count: number;
}

/** How a transaction ended; `failed` is for another reason than others' changes. */
export type Outcome = "committed" | "EAGAIN" | "failed" | "aborted" | "open";

/** A transaction from its begin to its end. */
export interface Transaction {
  readonly connection: string;
  readonly domain: number;
  readonly id: number;
  readonly start: number;
  /** False where it is not known when it began: it was at `start` or later, or before what is shown. */
  readonly isStartKnown: boolean;
  /** Undefined while it is open. */
  readonly end: number | undefined;
  readonly outcome: Outcome;
  readonly error: string | undefined;
  /** The commit that it made; undefined where it made none. */
  readonly seq: number | undefined;
  /** The last commit of the state that it began with, and when that was made where it is known. */
  readonly base: number | undefined;
  readonly baseTime: number | undefined;
  /** Why it ended in EAGAIN. */
  readonly conflict: ConflictJson | undefined;
}

/** All that happened. */
export interface Course {
  /** By time. */
  readonly happenings: readonly Happening[];
  /** By the time of their begin. */
  readonly transactions: readonly Transaction[];
  /** Where lines of the trace are missing. */
  readonly gaps: readonly { readonly time: number; readonly dropped: number }[];
}

/** Makes the course of a recording. */
export function courseOf({ commits, lines = [], failures }: Recording): Course {
  const times = new Map<number, number>();
  for (const { seq, time } of commits)
    if (seq !== undefined && time !== undefined) times.set(seq, microsecondsOf(time));
  const trace = new TraceReading(commits, times, failures);
  for (const line of lines) trace.take(line);
  const { happenings, transactions, gaps, seqs } = trace.end();
  for (const commit of commits) {
    if (commit.seq !== undefined && seqs.has(commit.seq)) continue;
    happenings.push(...happeningsOfCommit(commit));
    const transaction = transactionOfCommit(commit, times);
    if (transaction !== undefined) transactions.push(transaction);
  }
  const tracedFrom = lines[0]?.time ?? Infinity;
  for (const failure of failures) {
    if (microsecondsOf(failure.time) >= tracedFrom) continue;
    happenings.push(happeningOfFailure(failure));
    const transaction = transactionOfFailure(failure, times);
    if (transaction !== undefined) transactions.push(transaction);
  }
  happenings.sort((left, right) => left.time - right.time);
  transactions.sort((left, right) => left.start - right.start);
  return { happenings, transactions, gaps };
}

type Draft = { -readonly [Member in keyof Transaction]: Transaction[Member] };

/** Reads a trace line after line. */
class TraceReading {
  readonly #baseOf: ReadonlyMap<number, number>;
  readonly #times: ReadonlyMap<number, number>;
  readonly #conflicts = new Map<string, readonly FailureJson[]>();
  readonly #open = new Map<string, Map<number, Draft>>();
  readonly #happenings: Happening[] = [];
  readonly #transactions: Draft[] = [];
  readonly #gaps: { readonly time: number; readonly dropped: number }[] = [];
  readonly #seqs = new Set<number>();
  #lastSeq: number | undefined;

  constructor(
    commits: readonly ActivityCommit[],
    times: ReadonlyMap<number, number>,
    failures: readonly FailureJson[],
  ) {
    this.#baseOf = new Map(commits.flatMap(({ seq, base }) => (seq === undefined ? [] : [[seq, base ?? seq - 1]])));
    this.#times = times;
    for (const failure of failures) {
      if (failure.conflict === undefined) continue;
      const key = `${failure.connection} ${String(failure.transaction)}`;
      this.#conflicts.set(key, [...(this.#conflicts.get(key) ?? []), failure]);
    }
  }

  take(line: TraceLineJson): void {
    switch (line.kind) {
      case "request":
        this.#takeRequest(line);
        break;
      case "event":
        this.#happenings.push({
          ...line,
          operation: "WATCH_EVENT",
          subject: absolutePath(line.path, line.domain),
          detail: line.token,
          ...NEITHER,
        });
        break;
      case "closed":
        for (const draft of this.#open.get(line.connection)?.values() ?? []) {
          draft.end = line.time;
          draft.outcome = "aborted";
        }
        this.#open.delete(line.connection);
        break;
      case "gap":
        this.#gaps.push(line);
        break;
      case "opened":
        break;
    }
  }

  end(): { happenings: Happening[]; transactions: Transaction[]; gaps: Course["gaps"]; seqs: ReadonlySet<number> } {
    return { happenings: this.#happenings, transactions: this.#transactions, gaps: this.#gaps, seqs: this.#seqs };
  }

  #takeRequest(line: TraceRequestJson): void {
    const { time, connection, domain, tx, seq, error } = line;
    const told = requestOfTrace(line);
    this.#happenings.push({ kind: "request", time, connection, domain, tx, seq, error, count: 1, ...told });
    if (told.operation === "TRANSACTION_START" && error === undefined) {
      const id = Number.parseInt(line.reply ?? "", 10);
      if (!Number.isNaN(id)) this.#begin(line, id, true);
    } else if (tx !== undefined) {
      const draft = this.#open.get(connection)?.get(tx) ?? this.#begin(line, tx, false);
      if (told.operation === "TRANSACTION_END") this.#endTransaction(draft, line, told.detail);
    }
    if (seq === undefined) return;
    this.#seqs.add(seq);
    this.#lastSeq = seq;
  }

  #begin({ time, asked, connection, domain }: TraceRequestJson, id: number, isStartKnown: boolean): Draft {
    const base = isStartKnown ? this.#lastSeq : undefined;
    const draft: Draft = {
      ...{ connection, domain, id, start: isStartKnown ? time : (asked ?? time), isStartKnown },
      ...{ end: undefined, error: undefined, seq: undefined, conflict: undefined },
      outcome: "open",
      ...{ base, baseTime: this.#timeOf(base) },
    };
    const ofConnection = this.#open.get(connection) ?? new Map<number, Draft>();
    this.#open.set(connection, ofConnection.set(id, draft));
    this.#transactions.push(draft);
    return draft;
  }

  #endTransaction(draft: Draft, { time, seq, error }: TraceRequestJson, detail: string): void {
    draft.end = time;
    draft.error = error;
    draft.seq = seq;
    draft.outcome = outcomeOf(error, detail);
    if (error === "EAGAIN") draft.conflict = this.#conflictOf(draft, time);
    const base = (seq === undefined ? draft.conflict?.base : this.#baseOf.get(seq)) ?? draft.base;
    draft.base = base;
    draft.baseTime = this.#timeOf(base);
    this.#open.get(draft.connection)?.delete(draft.id);
  }

  /** Ids come again: it is the failure that is nearest in time. */
  #conflictOf({ connection, id }: Draft, end: number): ConflictJson | undefined {
    const distance = ({ time }: FailureJson): number => Math.abs(microsecondsOf(time) - end);
    const [nearest] = [...(this.#conflicts.get(`${connection} ${String(id)}`) ?? [])].sort(
      (left, right) => distance(left) - distance(right),
    );
    return nearest !== undefined && distance(nearest) < SAME_MICROSECONDS ? nearest.conflict : undefined;
  }

  #timeOf(seq: number | undefined): number | undefined {
    return seq === undefined ? undefined : this.#times.get(seq);
  }
}

/** Two clocks' readings of one moment are at most so far apart. */
const SAME_MICROSECONDS = 1_000_000;

const NEITHER = { tx: undefined, seq: undefined, error: undefined, count: 1 } as const;

function outcomeOf(error: string | undefined, detail: string): Outcome {
  if (error === "EAGAIN") return "EAGAIN";
  if (error !== undefined) return "failed";
  return detail === "F" ? "aborted" : "committed";
}

function happeningsOfCommit(commit: ActivityCommit): readonly Happening[] {
  const { seq, time, connection = "", domain = 0, transaction: tx } = commit;
  const origin = {
    kind: "request" as const,
    time: timeOf({ time }),
    connection,
    domain,
    tx,
    seq,
    error: undefined,
    count: 1,
  };
  const told = commit.requests.map(requestOfLine).filter((request) => request !== undefined);
  return told.map((request) => ({ ...origin, ...request }));
}

function transactionOfCommit(commit: ActivityCommit, times: ReadonlyMap<number, number>): Transaction | undefined {
  const { seq, time, connection = "", domain = 0, transaction: id } = commit;
  if (id === undefined || seq === undefined) return undefined;
  const { base = seq - 1 } = commit;
  const end = timeOf({ time });
  return {
    ...{ connection, domain, id, end, seq, base, baseTime: times.get(base), start: times.get(base) ?? end },
    ...{ isStartKnown: false, error: undefined, conflict: undefined },
    outcome: "committed",
  };
}

function happeningOfFailure(failure: FailureJson): Happening {
  const { time, connection, domain, operation, transaction: tx, error, count } = failure;
  const told = { operation, subject: absoluteSubject(failure), detail: "" };
  return { kind: "request", time: timeOf({ time }), connection, domain, tx, seq: undefined, error, count, ...told };
}

function transactionOfFailure(failure: FailureJson, times: ReadonlyMap<number, number>): Transaction | undefined {
  const { time, connection, domain, transaction: id, operation, error, conflict } = failure;
  if (id === undefined || operation !== "TRANSACTION_END") return undefined;
  const end = timeOf({ time });
  const base = conflict?.base;
  const baseTime = base === undefined ? undefined : times.get(base);
  return {
    ...{ connection, domain, id, end, seq: undefined, base, baseTime, start: baseTime ?? end, isStartKnown: false },
    outcome: outcomeOf(error, ""),
    ...{ error, conflict },
  };
}

function absoluteSubject({ subject, domain }: FailureJson): string {
  return /^\d/.test(subject) ? subject : absolutePath(subject, domain);
}
