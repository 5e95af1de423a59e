/**
 * Requests that failed: the part of a failed boot that is in no commit.
 *
 * Owns how many are remembered, and what of each: never a value, also not one that was sent in the place of a path. An equal failure right after another of the same connection,
 * among those with its error, is counted, so that a loop which asks for a missing node leaves room for what matters.
 *
 * Invariants
 *  1. What a tick notes counts when the tick has ended (`settle`); of a tick that is undone nothing stays (`discard`).
 *  2. Of one domain at most `FAILURES_PER_DOMAIN_MAX` are kept: then the oldest with the error of which it has most goes, so
 *     that what a toolstack looks for in vain does not push out the few transactions that failed.
 *  3. Of all together at most `FAILURE_BYTES_MAX` are kept by their reckoned size: then the domain with the most bytes gives
 *     one up in the same way, and dom0 only when no guest has any. So guests that flood lose their own.
 *  4. Numbers only grow, from one life of the daemon to the next. A record's `id` stays what it is, however often it is
 *     counted again; its `lastId` is that of the last time, and gives the order.
 */
import { flattenBytes, type ByteString } from "../../protocol/bytes.js";
import type { ErrorName } from "../../protocol/errno.js";
import { DOM0, type Domid, type Microseconds, type Path, type Seq, type TxId } from "../../protocol/identifiers.js";
import { OPERATIONS } from "../../protocol/operation.js";
import { isAtOrBelow, isPathText } from "../../protocol/path.js";
import { newestFirst } from "./newest-first.js";

/** Why a transaction ended in EAGAIN. */
export interface FailedTransaction {
  /** The last commit of the state that it began with. */
  readonly base: Seq;
  /** The first request whose answer was no longer the same. */
  readonly operation: string;
  readonly path: ByteString;
  /** A commit that changed the answer, if it is still remembered. */
  readonly commit: Seq | undefined;
}

/** A request that failed. */
export interface NotedFailure {
  /** When it failed first, and when last. */
  readonly time: Microseconds;
  readonly lastTime: Microseconds;
  readonly count: number;
  readonly connection: string;
  readonly domid: Domid;
  readonly operation: string;
  /** Undefined outside a transaction. */
  readonly transaction: TxId | undefined;
  /** What it was about: a path (`NO_PATH` where there is to be one and is none), a domain; empty where that is not known. */
  readonly subject: ByteString;
  readonly error: ErrorName;
  /** The last commit when it failed last. */
  readonly seq: Seq;
  /** With EAGAIN. */
  readonly conflict: FailedTransaction | undefined;
}

/** A request that failed, perhaps more than once in a row, as it is remembered. */
export interface FailedRequest extends NotedFailure {
  /** Of the first time, and of the last (invariant 4). */
  readonly id: number;
  readonly lastId: number;
}

/** Which failures are meant. */
export interface FailureFilter {
  readonly domid?: Domid | undefined;
  readonly error?: string | undefined;
  /** What was about this node or one below it. */
  readonly path?: Path | undefined;
  /** Only those with a smaller `lastId`. */
  readonly before?: number | undefined;
  /** At most so many, the last ones; all unless given. */
  readonly limit?: number | undefined;
}

/** Some failures, newest first. */
export interface FailurePage {
  readonly failures: readonly FailedRequest[];
  /** What the next page is before; undefined at the end. */
  readonly next: number | undefined;
}

/** Most failures of one domain that are remembered. */
export const FAILURES_PER_DOMAIN_MAX = 1000;
/** Most bytes that all together take, as `failureBytes` reckons. */
export const FAILURE_BYTES_MAX: number = 8 * 1024 * 1024;
/** Of a path, so much is kept. */
export const SUBJECT_BYTES_MAX = 512;
/** Of another subject, so much is kept: whoever sends it may fill it with what takes six bytes each in JSON. */
const OTHER_SUBJECT_BYTES_MAX = 64;
/** The subject of a request on a node that named none: what it sent instead may be a value. */
const NO_PATH: ByteString = "(no path)";
const ENTRY_BYTES = 300;

/** What is remembered of a domain. */
interface Kept {
  /** By error, in the order in which they failed last. */
  readonly byError: Map<ErrorName, FailedRequest[]>;
  count: number;
  bytes: number;
  /** By id, those that were not taken yet, or were counted again since. */
  readonly fresh: Map<number, FailedRequest>;
}

/** The last failures of each domain. */
export class FailureLog {
  readonly #byDomid = new Map<Domid, Kept>();
  #bytes = 0;
  #lastId = 0;
  #noted: NotedFailure[] = [];

  /** Notes a failure of this tick. */
  note(failure: NotedFailure): void {
    this.#noted.push(failure);
  }

  /** Invariant 1. */
  settle(): void {
    if (this.#noted.length === 0) return;
    for (const failure of this.#noted) this.#count({ ...failure, subject: keptSubject(failure) });
    this.#noted = [];
  }

  /** Invariant 1. */
  discard(): void {
    this.#noted = [];
  }

  /** Takes up what an earlier life of the daemon remembered, in the order in which it failed last. */
  restore(failures: Iterable<FailedRequest>): void {
    for (const failure of failures) {
      this.#lastId = Math.max(this.#lastId, failure.lastId);
      this.#add({ ...failure, subject: keptSubject(failure) });
    }
    this.takeFresh();
  }

  /**
   * What was not taken yet and is still remembered, each domain's oldest first. A failure that was counted again comes again,
   * with the new count.
   *
   * @param bytesMax - about so many, as `failureBytes` reckons; the domains take turns, so that one that floods does not have
   *   the others wait
   */
  takeFresh(bytesMax = Infinity): FailedRequest[] {
    const taken: FailedRequest[] = [];
    let bytes = 0;
    let queues = [...this.#byDomid.values()].map(({ fresh }) => ({ fresh, entries: fresh.entries() }));
    while (bytes < bytesMax && (queues = queues.filter(({ fresh }) => fresh.size > 0)).length > 0) {
      for (const { fresh, entries } of queues) {
        const { value: entry } = entries.next();
        if (entry === undefined) throw new Error("what is still to be taken is not there");
        const [id, failure] = entry;
        fresh.delete(id);
        taken.push(failure);
        bytes += failureBytes(failure);
        if (bytes >= bytesMax) break;
      }
    }
    return taken;
  }

  /** All that is remembered, in no particular order. */
  all(): FailedRequest[] {
    return this.#lists({}).flat();
  }

  /** A page of those that are meant. One that fails again is among the newest then, on no later page. */
  newest({ before = Infinity, limit = Infinity, path, ...which }: FailureFilter = {}): FailurePage {
    const failures: FailedRequest[] = [];
    for (const failure of limit === 0 ? [] : newestFirst(this.#lists(which), before)) {
      if (path !== undefined && !isAtOrBelow(failure.conflict?.path ?? failure.subject, path)) continue;
      if (failures.length === limit) return { failures, next: failures.at(-1)?.lastId };
      failures.push(failure);
    }
    return { failures, next: undefined };
  }

  /** Those of one error of one domain each, in the order in which they failed last. */
  #lists({ domid, error }: Pick<FailureFilter, "domid" | "error">): FailedRequest[][] {
    const lists: FailedRequest[][] = [];
    for (const [of, { byError }] of this.#byDomid) {
      if (domid !== undefined && of !== domid) continue;
      for (const [name, failures] of byError) if (error === undefined || name === error) lists.push(failures);
    }
    return lists;
  }

  #count(failure: NotedFailure): void {
    const id = ++this.#lastId;
    const kept = this.#byDomid.get(failure.domid);
    const failures = kept?.byError.get(failure.error);
    const last = failures?.at(-1);
    if (kept === undefined || failures === undefined || last === undefined || !isRepeated(last, failure)) {
      this.#add({ ...failure, id, lastId: id });
      return;
    }
    const again = { ...failure, id: last.id, lastId: id, time: last.time, count: last.count + failure.count };
    failures[failures.length - 1] = again;
    kept.fresh.set(last.id, again);
  }

  #add(failure: FailedRequest): void {
    const { domid, error, id } = failure;
    let kept = this.#byDomid.get(domid);
    if (kept === undefined)
      this.#byDomid.set(domid, (kept = { byError: new Map(), count: 0, bytes: 0, fresh: new Map() }));
    const failures = kept.byError.get(error);
    if (failures === undefined) kept.byError.set(error, [failure]);
    else failures.push(failure);
    const bytes = failureBytes(failure);
    kept.count++;
    kept.bytes += bytes;
    kept.fresh.set(id, failure);
    this.#bytes += bytes;
    if (kept.count > FAILURES_PER_DOMAIN_MAX) this.#dropOldest(kept);
    while (this.#bytes > FAILURE_BYTES_MAX) this.#dropOldest(this.#heaviest());
  }

  /** Invariant 3. */
  #heaviest(): Kept | undefined {
    let heaviest: Kept | undefined;
    for (const [domid, kept] of this.#byDomid) {
      if (domid !== DOM0 && kept.bytes > (heaviest?.bytes ?? 0)) heaviest = kept;
    }
    return heaviest ?? this.#byDomid.get(DOM0);
  }

  /** Invariant 2. */
  #dropOldest(kept: Kept | undefined): void {
    let longest: FailedRequest[] = [];
    for (const failures of kept?.byError.values() ?? []) if (failures.length > longest.length) longest = failures;
    const dropped = longest.shift();
    if (kept === undefined || dropped === undefined) throw new Error("there is no failure to drop");
    const bytes = failureBytes(dropped);
    kept.count--;
    kept.bytes -= bytes;
    kept.fresh.delete(dropped.id);
    this.#bytes -= bytes;
    if (kept.count === 0) this.#byDomid.delete(dropped.domid);
    else if (longest.length === 0) kept.byError.delete(dropped.error);
  }
}

/** The names of the requests whose first argument is a path. */
const PATH_REQUESTS: ReadonlySet<string> = new Set(
  OPERATIONS.filter(({ request }) => /^<w?path>/.test(request)).map(({ name }) => name),
);

function keptSubject({ operation, subject }: NotedFailure): ByteString {
  if (!PATH_REQUESTS.has(operation)) {
    const { length } = subject;
    return length <= OTHER_SUBJECT_BYTES_MAX ? subject : flattenBytes(subject.slice(0, OTHER_SUBJECT_BYTES_MAX));
  }
  // A long path may have been cut behind a slash.
  const path = subject.length >= SUBJECT_BYTES_MAX && subject.endsWith("/") ? subject.slice(0, -1) : subject;
  return isPathText(path) ? path : NO_PATH;
}

/** Whether a failure is the last one again: the same request, failed in the same way for the same reason. */
function isRepeated(last: FailedRequest, failure: NotedFailure): boolean {
  return (
    last.connection === failure.connection &&
    last.operation === failure.operation &&
    last.subject === failure.subject &&
    last.error === failure.error &&
    last.transaction === failure.transaction &&
    last.conflict === undefined &&
    failure.conflict === undefined
  );
}

/** The size of a failure as it is reckoned, in memory as on the disk. */
export function failureBytes({ connection, subject, conflict }: FailedRequest): number {
  return ENTRY_BYTES + connection.length + subject.length + (conflict?.path.length ?? 0);
}
