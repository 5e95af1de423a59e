/**
 * Requests that failed: the part of a failed boot that is in no commit.
 *
 * Owns how many are remembered, and what of each: never a value. An equal failure right after another of the same connection is
 * counted, so that a loop which asks for a missing node leaves room for what matters.
 *
 * Invariants
 *  1. What a tick notes counts when the tick has ended (`settle`); of a tick that is undone nothing stays (`discard`).
 *  2. Of one domain at most `FAILURES_PER_DOMAIN_MAX` are kept, of all together at most `FAILURE_BYTES_MAX` by their reckoned
 *     size; then the domain with the most gives up its oldest.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { ErrorName } from "../../protocol/errno.js";
import type { Domid, Microseconds, Seq, TxId } from "../../protocol/identifiers.js";

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

/** A request that failed, perhaps more than once in a row. */
export interface FailedRequest {
  /** When it failed first, and when last. */
  readonly time: Microseconds;
  readonly lastTime: Microseconds;
  readonly count: number;
  readonly connection: string;
  readonly domid: Domid;
  readonly operation: string;
  /** Undefined outside a transaction. */
  readonly transaction: TxId | undefined;
  /** What it was about: a path, a domain; empty where that is not known. */
  readonly subject: ByteString;
  readonly error: ErrorName;
  /** The last commit when it failed last. */
  readonly seq: Seq;
  /** With EAGAIN. */
  readonly conflict: FailedTransaction | undefined;
}

/** Most failures of one domain that are remembered. */
export const FAILURES_PER_DOMAIN_MAX = 1000;
/** Most bytes that all together take, as `bytesOf` reckons. */
export const FAILURE_BYTES_MAX: number = 8 * 1024 * 1024;
/** Of a subject, so much is kept. */
export const SUBJECT_BYTES_MAX = 512;
const ENTRY_BYTES = 300;

/** What is remembered of a domain, oldest first, and how many of the last ones were not taken yet. */
interface Kept {
  readonly failures: FailedRequest[];
  fresh: number;
}

/** The last failures of each domain. */
export class FailureLog {
  readonly #byDomid = new Map<Domid, Kept>();
  #bytes = 0;
  #noted: FailedRequest[] = [];

  /** Notes a failure of this tick. */
  note(failure: FailedRequest): void {
    this.#noted.push(failure);
  }

  /** Invariant 1. */
  settle(): void {
    if (this.#noted.length === 0) return;
    for (const failure of this.#noted) this.#add(failure);
    this.#noted = [];
  }

  /** Invariant 1. */
  discard(): void {
    this.#noted = [];
  }

  /** Takes up what an earlier life of the daemon remembered, each domain's oldest first. */
  restore(failures: Iterable<FailedRequest>): void {
    for (const failure of failures) this.#add(failure);
    this.takeFresh();
  }

  /**
   * What is new since the last call and still remembered, each domain's oldest first. A failure that was counted again comes
   * again, with the new count.
   */
  takeFresh(): FailedRequest[] {
    const taken: FailedRequest[] = [];
    for (const kept of this.#byDomid.values()) {
      if (kept.fresh === 0) continue;
      for (const failure of kept.failures.slice(-kept.fresh)) taken.push(failure);
      kept.fresh = 0;
    }
    return taken;
  }

  /** What is remembered of a domain, or of all, in the order in which it failed last. */
  list(domid?: Domid): FailedRequest[] {
    if (domid !== undefined) return [...(this.#byDomid.get(domid)?.failures ?? [])];
    const all = [...this.#byDomid.values()].flatMap(({ failures }) => failures);
    return all.sort((left, right) => left.lastTime - right.lastTime);
  }

  #add(failure: FailedRequest): void {
    let kept = this.#byDomid.get(failure.domid);
    if (kept === undefined) this.#byDomid.set(failure.domid, (kept = { failures: [], fresh: 0 }));
    const { failures } = kept;
    const last = failures.at(-1);
    if (last !== undefined && isRepeated(last, failure)) {
      failures[failures.length - 1] = { ...failure, time: last.time, count: last.count + failure.count };
      kept.fresh = Math.max(1, kept.fresh);
      return;
    }
    failures.push(failure);
    kept.fresh++;
    this.#bytes += bytesOf(failure);
    if (failures.length > FAILURES_PER_DOMAIN_MAX) this.#dropOldest(kept);
    while (this.#bytes > FAILURE_BYTES_MAX) this.#dropOldest(this.#longest());
  }

  #longest(): Kept | undefined {
    let longest: Kept | undefined;
    for (const kept of this.#byDomid.values()) {
      if (kept.failures.length > (longest?.failures.length ?? 0)) longest = kept;
    }
    return longest;
  }

  #dropOldest(kept: Kept | undefined): void {
    const dropped = kept?.failures.shift();
    if (kept === undefined || dropped === undefined) throw new Error("there is no failure to drop");
    kept.fresh = Math.min(kept.fresh, kept.failures.length);
    this.#bytes -= bytesOf(dropped);
    if (kept.failures.length === 0) this.#byDomid.delete(dropped.domid);
  }
}

/** Whether a failure is the last one again: the same request, failed in the same way for the same reason. */
function isRepeated(last: FailedRequest, failure: FailedRequest): boolean {
  return (
    last.connection === failure.connection &&
    last.operation === failure.operation &&
    last.subject === failure.subject &&
    last.error === failure.error &&
    last.transaction === failure.transaction &&
    failure.conflict === undefined
  );
}

function bytesOf({ connection, subject, conflict }: FailedRequest): number {
  return ENTRY_BYTES + connection.length + subject.length + (conflict?.path.length ?? 0);
}
