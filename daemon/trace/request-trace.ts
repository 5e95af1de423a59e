/**
 * The request trace: what clients asked, were answered and were sent, as records on their way to the trace's thread.
 *
 * Owns the records that are not handed over yet. They are made while a request is dispatched, and count when the tick ends.
 * So what a tick that is undone was about to answer leaves none; the second dispatch's records stand there. The thread makes
 * lines of them and writes those (`trace-writer.ts`): on the main thread each would take a tenth of what the whole request
 * does (`npm run bench -- trace`).
 *
 * Invariants (tests cite them):
 *  1. Only records of ticks that have ended are handed over, which is after their commits are in the journal.
 *  2. A record stands for what entered an outbox, in that order: an event that was dropped or collapsed has none. Whether a
 *     client that is gone, or is closed for what it left unread, has read its last lines nobody knows. A request that waits
 *     has its record when it is answered, and none when its connection is closed before.
 *  3. At most `WAITING_BYTES_MAX` wait, here and for the thread: what comes beyond that is dropped and counted, and where it
 *     is missing stands a gap. Less than `FLUSH_BYTES` wait here between ticks, for at most `FLUSH_MILLISECONDS`; so much
 *     and what the thread has not written, and no reply, is lost when the daemon is killed.
 *  4. No call throws.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { Microseconds } from "../../protocol/identifiers.js";
import type { TracedReply } from "../../protocol/request-trace.js";
import type { Connection } from "../connection/connection.js";
import type { ObservedCircumstances, ObservedRequest, RequestObserver } from "../dispatch/observer.js";
import type { Clock } from "../platform/clock.js";
import type { RateLimitedLog } from "../platform/log.js";
import { SEGMENT_BYTES, TraceSegment } from "./trace-record.js";
import { redactExchange, type IsSecret, type TraceableExchange } from "./trace-redaction.js";

/** Records are handed over when there are so many bytes of them: to do it costs as much as a hundred of them. */
export const FLUSH_BYTES: number = 256 * 1024;
/** Or so long after the first of them. */
export const FLUSH_MILLISECONDS = 100;
/** Most bytes of segments that wait. */
export const WAITING_BYTES_MAX: number = 32 * 1024 * 1024;
/** Segments that are kept for later, to spare the system's work of making new memory. */
const SPARE_SEGMENTS_MAX = 4;

/** Whoever makes lines of records. */
export interface TraceSink {
  /** Takes records over; the segment is not changed until `onTaken` is called back for it. */
  take(segment: TraceSegment): void;
  /** Calls back when the oldest of the segments that were handed over is free again. */
  onTaken(callback: () => void): void;
  /** Goes on in a new file, after somebody renamed the one at hand. */
  reopen(): void;
  /** Resolves when all is written. @param dropped - how many records are missing at the end */
  close(dropped: number): Promise<void>;
}

/** What a request trace works with. */
export interface RequestTraceOptions {
  readonly sink: TraceSink;
  readonly clock: Clock;
  readonly log: RateLimitedLog;
  /** Which values are left out; none unless given. */
  readonly isSecret?: IsSecret | undefined;
}

/** What an undone tick goes back to. */
interface TickStart {
  readonly segments: number;
  readonly length: number;
  readonly dropped: number;
}

/** Traces requests. */
export class RequestTrace implements RequestObserver {
  readonly #sink: TraceSink;
  readonly #clock: Clock;
  readonly #log: RateLimitedLog;
  readonly #isSecret: IsSecret | undefined;
  /** With records that were not handed over; the last is being filled. */
  #segments: [TraceSegment, ...TraceSegment[]] = [new TraceSegment()];
  /** Handed over and not free yet, oldest first. */
  readonly #taken: TraceSegment[] = [];
  readonly #spare: TraceSegment[] = [];
  /** Records that are missing behind the last one. */
  #dropped = 0;
  /** Undefined between ticks. */
  #tick: TickStart | undefined;
  /** The time of the tick. */
  #now = 0 as Microseconds;
  /** Connections that were opened in this tick; that is not undone. */
  #openedInTick: Connection[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Whether the end of the tick is to hand over what waits. */
  #isFlushDue = false;
  #isReopenDue = false;
  #isClosed = false;

  constructor({ sink, clock, log, isSecret }: RequestTraceOptions) {
    this.#sink = sink;
    this.#clock = clock;
    this.#log = log;
    this.#isSecret = isSecret;
    sink.onTaken(() => {
      const segment = this.#taken.shift();
      if (segment !== undefined) this.#free(segment);
    });
  }

  opened(connection: Connection): void {
    if (this.#tick !== undefined) this.#openedInTick.push(connection);
    this.#addConnection("opened", connection);
  }

  closed(connection: Connection): void {
    this.#addConnection("closed", connection);
  }

  tickBegan(now: Microseconds): void {
    this.#now = now;
    this.#tick = { segments: this.#segments.length, length: this.#last.length, dropped: this.#dropped };
  }

  answered(
    { name, domid }: Connection,
    { type, txId, payload }: ObservedRequest,
    reply: TracedReply,
    { seq, asked }: ObservedCircumstances,
  ): void {
    const isSecret = this.#isSecret;
    const exchange: TraceableExchange =
      isSecret === undefined
        ? { payload, reply, redacted: false }
        : redactExchange({ domid, type, payload, reply }, isSecret);
    const request = {
      time: this.#now,
      connection: name,
      domid,
      type,
      txId,
      payload: exchange.payload,
      reply: exchange.reply,
      seq,
      asked: asked === this.#now ? undefined : asked,
      redacted: exchange.redacted,
    };
    this.#add((segment) => segment.addRequest(request));
  }

  delivered({ name, domid }: Connection, path: ByteString, token: ByteString): void {
    const event = { time: this.#now, connection: name, domid, path, token };
    this.#add((segment) => segment.addEvent(event));
  }

  tickUndone(): void {
    const tick = this.#tick;
    if (tick === undefined) return;
    for (const segment of this.#segments.splice(tick.segments)) this.#free(segment);
    this.#last.truncate(tick.length);
    this.#dropped = tick.dropped;
    for (const connection of this.#openedInTick) this.#addConnection("opened", connection);
  }

  tickEnded(): void {
    const dropped = this.#dropped - (this.#tick?.dropped ?? 0);
    this.#tick = undefined;
    this.#openedInTick = [];
    if (dropped > 0) {
      const message = `${String(dropped)} lines of a tick did not fit into the request trace, whose writing is behind`;
      this.#log.log("warn", "trace dropped", message);
    }
    if (this.#isFlushDue || this.#segments.length > 1 || this.#last.length >= FLUSH_BYTES) this.flush();
    else this.#flushSoon();
    if (this.#isReopenDue) this.reopen();
  }

  /** Hands over the records that wait; within a tick it is done at its end. */
  flush(): void {
    if (this.#tick !== undefined || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isFlushDue = false;
    if (this.#last.length === 0) return;
    const segments = this.#segments;
    this.#segments = [this.#makeSegment()];
    for (const segment of segments) {
      this.#taken.push(segment);
      this.#sink.take(segment);
    }
  }

  /** Goes on in a new file, after somebody renamed the one at hand (SIGHUP); within a tick at its end. */
  reopen(): void {
    this.#isReopenDue = this.#tick !== undefined;
    if (this.#isReopenDue || this.#isClosed) return;
    this.#sink.reopen();
    this.flush();
  }

  /** Resolves when what waits is written and the file closed; what comes later is not traced. May be called again. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#tick = undefined;
    this.flush();
    this.#isClosed = true;
    await this.#sink.close(this.#dropped);
  }

  get #last(): TraceSegment {
    return this.#segments[this.#segments.length - 1] ?? this.#segments[0];
  }

  #addConnection(kind: "opened" | "closed", { name, domid }: Connection): void {
    const time = this.#tick === undefined ? (this.#clock.nowMicroseconds() as Microseconds) : this.#now;
    const connection = { time, connection: name, domid };
    this.#add((segment) => segment.addConnection(kind, connection));
    if (this.#tick === undefined) this.#flushSoon();
  }

  /** Adds a record; to another segment where the last has no room for it, or where some are missing before it. */
  #add(add: (segment: TraceSegment) => boolean): void {
    if (this.#dropped === 0 && add(this.#last)) return;
    if (this.#isClosed) return;
    const waiting = this.#segments.length + this.#taken.length;
    if ((waiting + 1) * SEGMENT_BYTES > WAITING_BYTES_MAX) {
      this.#dropped++;
      return;
    }
    const segment = this.#makeSegment();
    this.#segments.push(segment);
    if (this.#dropped > 0) segment.addGap(this.#dropped);
    // Requests and replies are far smaller than a segment.
    this.#dropped = add(segment) ? 0 : 1;
  }

  #makeSegment(): TraceSegment {
    return this.#spare.pop() ?? new TraceSegment();
  }

  #free(segment: TraceSegment): void {
    segment.truncate(0);
    if (this.#spare.length < SPARE_SEGMENTS_MAX) this.#spare.push(segment);
  }

  #flushSoon(): void {
    if (this.#timer !== undefined || this.#last.length === 0 || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#isFlushDue = true;
      this.flush();
    }, FLUSH_MILLISECONDS).unref();
  }
}
