/**
 * The request trace: what clients asked, were answered and were sent, as lines on their way to a file.
 *
 * Owns the lines that are not written yet. They are made while a request is dispatched, because a byte that stands where it
 * will be written costs less than an object that waits, and count when the tick ends. So what a tick that is undone was about
 * to answer leaves no line; the second dispatch's lines stand there. `protocol/request-trace.ts` is the format.
 *
 * Invariants (tests cite them):
 *  1. Only lines of ticks that have ended reach the file, which is after their commits are in the journal.
 *  2. A line stands for what entered an outbox, in that order: an event that was dropped or collapsed has none. Whether a
 *     client that is gone, or is closed for what it left unread, has read its last lines nobody knows. A request that waits
 *     has its line when it is answered, and none when its connection is closed before.
 *  3. Each part that the file is given has the seq of the last commit before it, so that headers tell the truth.
 *  4. At most `TICK_BYTES_MAX` wait: what a tick has beyond that is dropped and counted. Less than `FLUSH_BYTES` wait
 *     between ticks, for at most `FLUSH_MILLISECONDS`; so much, and no reply, is lost when the daemon is killed.
 *  5. No call throws.
 */
import type { ByteString } from "../../protocol/bytes.js";
import { AsciiBuffer } from "../../protocol/ascii-buffer.js";
import type { Microseconds, Seq } from "../../protocol/identifiers.js";
import { getOperation } from "../../protocol/operation.js";
import { writeTraceLine, type TracedReply, type TraceLine } from "../../protocol/request-trace.js";
import type { Connection } from "../connection/connection.js";
import type { ObservedCircumstances, ObservedRequest, RequestObserver } from "../dispatch/observer.js";
import type { Clock } from "../platform/clock.js";
import { messageOf } from "../platform/error-message.js";
import type { RateLimitedLog } from "../platform/log.js";
import type { TraceFile } from "./trace-file.js";
import { redactExchange, type IsSecret, type TraceableExchange } from "./trace-redaction.js";

/** Lines are written when there are so many bytes of them: one write costs as much as some dozen lines. */
export const FLUSH_BYTES: number = 64 * 1024;
/** Or so long after the first of them. */
export const FLUSH_MILLISECONDS = 100;
/** Most bytes of lines that wait for the end of a tick. */
export const TICK_BYTES_MAX: number = 32 * 1024 * 1024;

/** What a request trace works with. */
export interface RequestTraceOptions {
  readonly file: TraceFile;
  readonly clock: Clock;
  readonly log: RateLimitedLog;
  /** Of the last commit. */
  readonly seq: Seq;
  /** Which values are left out; none unless given. */
  readonly isSecret?: IsSecret | undefined;
}

/** Where a file is full, and the next one begins. */
interface Cut {
  readonly offset: number;
  readonly seq: Seq;
}

/** What an undone tick goes back to. */
interface TickStart {
  readonly length: number;
  readonly cuts: number;
  readonly partStart: number;
  readonly partBytesMax: number;
  readonly seq: Seq;
}

/** Traces requests into a file. */
export class RequestTrace implements RequestObserver {
  readonly #file: TraceFile;
  readonly #clock: Clock;
  readonly #log: RateLimitedLog;
  readonly #isSecret: IsSecret | undefined;
  readonly #lines = new AsciiBuffer();
  /** The last commit before the first of the lines. */
  #firstSeq: Seq;
  /** The last commit before the next line. */
  #seq: Seq;
  #cuts: Cut[] = [];
  /** Where the part of the lines begins that goes to the last file, and how long it may become. */
  #partStart = 0;
  #partBytesMax: number;
  /** Undefined between ticks. */
  #tick: TickStart | undefined;
  /** The time of the tick. */
  #now = 0 as Microseconds;
  /** Connections that were opened in this tick; that is not undone. */
  #openedInTick: Connection[] = [];
  /** Lines of this tick that were dropped. */
  #droppedInTick = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Whether the end of the tick is to write what waits. */
  #isFlushDue = false;
  #isReopenDue = false;
  #isClosed = false;

  constructor({ file, clock, log, seq, isSecret }: RequestTraceOptions) {
    this.#file = file;
    this.#clock = clock;
    this.#log = log;
    this.#isSecret = isSecret;
    this.#seq = this.#firstSeq = seq;
    file.append(new Uint8Array(0), seq);
    this.#partBytesMax = file.roomBytes;
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
    this.#tick = {
      length: this.#lines.length,
      cuts: this.#cuts.length,
      partStart: this.#partStart,
      partBytesMax: this.#partBytesMax,
      seq: this.#seq,
    };
  }

  answered(
    connection: Connection,
    { type, txId, payload }: ObservedRequest,
    reply: TracedReply,
    { seq, asked }: ObservedCircumstances,
  ): void {
    const { name, domid } = connection;
    const isSecret = this.#isSecret;
    const exchange: TraceableExchange =
      isSecret === undefined
        ? { payload, reply, redacted: false }
        : redactExchange({ domid, type, payload, reply }, isSecret);
    this.#add({
      kind: "request",
      time: this.#now,
      connection: name,
      domid,
      txId,
      operation: getOperation(type)?.name ?? type,
      payload: exchange.payload,
      reply: exchange.reply,
      seq,
      asked: asked === this.#now ? undefined : asked,
      redacted: exchange.redacted,
    });
    if (seq !== undefined) this.#seq = seq;
  }

  delivered({ name, domid }: Connection, path: ByteString, token: ByteString): void {
    this.#add({ kind: "event", time: this.#now, connection: name, domid, path, token });
  }

  tickUndone(): void {
    const tick = this.#tick;
    if (tick === undefined) return;
    this.#lines.truncate(tick.length);
    this.#cuts.length = tick.cuts;
    this.#partStart = tick.partStart;
    this.#partBytesMax = tick.partBytesMax;
    this.#seq = tick.seq;
    this.#droppedInTick = 0;
    for (const connection of this.#openedInTick) this.#addConnection("opened", connection);
  }

  tickEnded(): void {
    this.#tick = undefined;
    this.#openedInTick = [];
    if (this.#droppedInTick > 0) this.#tellDropped();
    else if (this.#lines.length >= FLUSH_BYTES || this.#isFlushDue) this.flush();
    else this.#flushSoon();
    if (this.#isReopenDue) this.reopen();
  }

  /** Writes the lines that wait; within a tick it is done at its end. */
  flush(): void {
    if (this.#tick !== undefined || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isFlushDue = false;
    const { bytes } = this.#lines;
    let start = 0;
    let seq = this.#firstSeq;
    for (const cut of this.#cuts) {
      this.#file.append(bytes.subarray(start, cut.offset), seq);
      start = cut.offset;
      seq = cut.seq;
    }
    this.#file.append(bytes.subarray(start), seq);
    this.#lines.clear();
    this.#cuts = [];
    this.#partStart = 0;
    this.#partBytesMax = this.#file.roomBytes;
    this.#firstSeq = this.#seq;
  }

  /** Goes on in a new file, after somebody renamed the one at hand (SIGHUP); within a tick at its end. */
  reopen(): void {
    this.#isReopenDue = this.#tick !== undefined;
    if (this.#isReopenDue || this.#isClosed) return;
    this.#file.reopen(this.#firstSeq);
    this.flush();
  }

  /** Writes what waits and closes the file; what comes later is not traced. */
  close(): void {
    this.#tick = undefined;
    this.flush();
    this.#isClosed = true;
    this.#file.close();
  }

  #addConnection(kind: "opened" | "closed", { name, domid }: Connection): void {
    const time = this.#tick === undefined ? (this.#clock.nowMicroseconds() as Microseconds) : this.#now;
    this.#add({ kind, time, connection: name, domid });
    if (this.#tick === undefined) this.#flushSoon();
  }

  #add(line: TraceLine): void {
    if (this.#isClosed) return;
    const lines = this.#lines;
    const { length: start } = lines;
    if (start >= TICK_BYTES_MAX) {
      this.#droppedInTick++;
      return;
    }
    try {
      writeTraceLine(lines, line);
    } catch (error) {
      lines.truncate(start);
      this.#droppedInTick++;
      this.#log.log("error", "trace line", `a line of the request trace could not be made: ${messageOf(error)}`);
      return;
    }
    if (lines.length - this.#partStart > this.#partBytesMax) this.#beginPart(start);
  }

  /** The line that begins at `start` goes to a new file; the file finds that out by itself where it is the first. */
  #beginPart(start: number): void {
    if (start > this.#partStart) this.#cuts.push({ offset: start, seq: this.#seq });
    this.#partStart = start;
    this.#partBytesMax = this.#file.newRoomBytes;
  }

  /** The dropped lines were the last of the tick, so the gap stands behind those that are written now. */
  #tellDropped(): void {
    const count = this.#droppedInTick;
    this.#droppedInTick = 0;
    this.flush();
    this.#file.noteDropped(count);
    this.#log.log("warn", "trace dropped", `${String(count)} lines of a tick did not fit into the request trace`);
  }

  #flushSoon(): void {
    if (this.#timer !== undefined || this.#lines.length === 0 || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#isFlushDue = true;
      this.flush();
    }, FLUSH_MILLISECONDS).unref();
  }
}
