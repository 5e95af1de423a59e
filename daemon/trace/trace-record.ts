/**
 * Records: what the main thread tells the request trace's thread, as bytes in memory that both see.
 *
 * Owns their layout. A line of JSON takes a microsecond to make, and the main thread has ten for a whole request, so it
 * leaves the raw strings here, which takes a fifth of one; `trace-writer.ts` makes the lines. Two threads of one process
 * read and write this, never a disk or another version.
 *
 *   offset  bytes  record, all integers in the machine's order
 *        0      4  kind | flags << 8 | length of the name << 16
 *        4      4  domid
 *        8      4  length of the first string: payload, or an event's path
 *       12      4  length of the second string: reply, error name, or an event's token
 *       16      4  type number of a request; how many lines are missing, of a gap
 *       20      4  transaction id
 *       24      8  time in microseconds, a float
 *       32      8  seq, a float; -1 for none
 *       40      8  when it was asked, a float; -1 for the time
 *       48         the connection's name, the first and the second string, up to a multiple of 8
 */
import { Buffer } from "node:buffer";
import type { ByteRange } from "../../protocol/ascii-buffer.js";
import type { ByteString } from "../../protocol/bytes.js";
import type { ErrorName } from "../../protocol/errno.js";
import type { Domid, Microseconds, Seq } from "../../protocol/identifiers.js";
import { getOperation } from "../../protocol/operation.js";
import type {
  TracedConnection,
  TracedEvent,
  TracedReply,
  TracedRequest,
  TraceText,
} from "../../protocol/request-trace.js";

/** Bytes of a segment, unless told. */
export const SEGMENT_BYTES: number = 512 * 1024;

const HEADER_BYTES = 48;
const ALIGNMENT = 8;
/** From here on a call into native code is faster than a loop. */
const NATIVE_LENGTH_MIN = 24;
const NAME_LENGTH_MAX = 0xffff;
const NONE = -1;

const KIND = { request: 1, event: 2, opened: 3, closed: 4, gap: 5 } as const;
const KIND_MASK = 0xff;
const NAME_SHIFT = 16;

/** Flags of a request; a reply without flag is left out. */
const FLAG = {
  payload: 1 << 8,
  /** `OK` and a NUL, which is not written down. */
  replyOk: 1 << 9,
  replyText: 1 << 10,
  replyError: 1 << 11,
  redacted: 1 << 12,
} as const;

const OK = "OK\0";

/** What a record says: a line but for what only its writer knows, or how many lines are missing there. */
export type TraceRecord<Text = TraceText> =
  TracedRequest<Text> | TracedEvent<Text> | TracedConnection<Text> | { readonly kind: "gap"; readonly dropped: number };

/** A request to be recorded. `undefined` is what was left out. */
export interface RecordedRequest {
  readonly time: Microseconds;
  readonly connection: ByteString;
  readonly domid: Domid;
  readonly type: number;
  readonly txId: number;
  readonly payload: ByteString | undefined;
  readonly reply: TracedReply | undefined;
  readonly seq: Seq | undefined;
  readonly asked: Microseconds | undefined;
  readonly redacted: boolean;
}

/** Memory for records, filled from its beginning. Each method that adds returns whether there was room. */
export class TraceSegment {
  readonly memory: SharedArrayBuffer;
  readonly #bytes: Buffer;
  readonly #words: Uint32Array;
  readonly #floats: Float64Array;
  #end = 0;

  constructor(size: number = SEGMENT_BYTES) {
    this.memory = new SharedArrayBuffer(size);
    this.#bytes = Buffer.from(this.memory);
    this.#words = new Uint32Array(this.memory);
    this.#floats = new Float64Array(this.memory);
  }

  /** Bytes of records in it. */
  get length(): number {
    return this.#end;
  }

  /** Takes back what was added behind the first `length` bytes. */
  truncate(length: number): void {
    this.#end = Math.min(this.#end, length);
  }

  addRequest(request: RecordedRequest): boolean {
    const { connection, payload = "", reply, seq, asked } = request;
    let flags = request.payload === undefined ? 0 : FLAG.payload;
    let text = "";
    if (reply === OK) flags |= FLAG.replyOk;
    else if (typeof reply === "string") {
      flags |= FLAG.replyText;
      text = reply;
    } else if (reply !== undefined) {
      flags |= FLAG.replyError;
      text = reply.error;
    }
    if (request.redacted) flags |= FLAG.redacted;
    const start = this.#end;
    if (!this.#add(KIND.request | flags, request, connection, payload, text)) return false;
    const word = start >> 2;
    const float = start >> 3;
    this.#words[word + 4] = request.type;
    this.#words[word + 5] = request.txId;
    this.#floats[float + 4] = seq ?? NONE;
    this.#floats[float + 5] = asked ?? NONE;
    return true;
  }

  addEvent(event: Omit<TracedEvent, "kind">): boolean {
    return this.#add(KIND.event, event, event.connection, event.path, event.token);
  }

  addConnection(kind: "opened" | "closed", connection: Omit<TracedConnection, "kind">): boolean {
    return this.#add(KIND[kind], connection, connection.connection, "", "");
  }

  addGap(dropped: number): boolean {
    const start = this.#end;
    if (!this.#add(KIND.gap, NOBODY, "", "", "")) return false;
    this.#words[(start >> 2) + 4] = dropped;
    return true;
  }

  #add(
    kindAndFlags: number,
    { domid, time }: { readonly domid: Domid; readonly time: Microseconds },
    name: ByteString,
    first: ByteString,
    second: ByteString,
  ): boolean {
    const start = this.#end;
    const end = start + recordBytes(name.length, first.length, second.length);
    if (end > this.#bytes.length || name.length > NAME_LENGTH_MAX) return false;
    const word = start >> 2;
    this.#words[word] = kindAndFlags | (name.length << NAME_SHIFT);
    this.#words[word + 1] = domid;
    this.#words[word + 2] = first.length;
    this.#words[word + 3] = second.length;
    this.#floats[(start >> 3) + 3] = time;
    let at = this.#write(name, start + HEADER_BYTES);
    at = this.#write(first, at);
    this.#write(second, at);
    this.#end = end;
    return true;
  }

  #write(text: ByteString, start: number): number {
    const { length } = text;
    const bytes = this.#bytes;
    if (length >= NATIVE_LENGTH_MIN) bytes.write(text, start, "latin1");
    else for (let index = 0; index < length; index++) bytes[start + index] = text.charCodeAt(index);
    return start + length;
  }
}

const NOBODY = { domid: 0 as Domid, time: 0 as Microseconds };

/** Bytes of a record whose strings have these lengths. */
export function recordBytes(name: number, first: number, second: number): number {
  return (HEADER_BYTES + name + first + second + ALIGNMENT - 1) & -ALIGNMENT;
}

/**
 * Calls back for each record of a segment, in their order; their strings are where they stand in the memory.
 *
 * @param length - bytes of records in the segment
 */
export function readTraceRecords(
  memory: SharedArrayBuffer,
  length: number,
  onRecord: (record: TraceRecord) => void,
): void {
  const bytes = new Uint8Array(memory);
  const words = new Uint32Array(memory);
  const floats = new Float64Array(memory);
  for (let start = 0; start < length;) {
    const word = start >> 2;
    const float = start >> 3;
    const head = words[word] ?? 0;
    const firstLength = words[word + 2] ?? 0;
    const secondLength = words[word + 3] ?? 0;
    const number = words[word + 4] ?? 0;
    const nameLength = head >>> NAME_SHIFT;
    const seq = floats[float + 4] ?? NONE;
    const asked = floats[float + 5] ?? NONE;
    const nameEnd = start + HEADER_BYTES + nameLength;
    const firstEnd = nameEnd + firstLength;
    const connection = { bytes, start: start + HEADER_BYTES, end: nameEnd };
    const time = (floats[float + 3] ?? 0) as Microseconds;
    const domid = (words[word + 1] ?? 0) as Domid;
    const first = { bytes, start: nameEnd, end: firstEnd };
    const second = { bytes, start: firstEnd, end: firstEnd + secondLength };
    switch (head & KIND_MASK) {
      case KIND.request:
        onRecord({
          kind: "request",
          time,
          connection,
          domid,
          txId: words[word + 5] ?? 0,
          operation: getOperation(number)?.name ?? number,
          payload: (head & FLAG.payload) === 0 ? undefined : first,
          reply: replyOf(head, second),
          seq: seq === NONE ? undefined : (seq as Seq),
          asked: asked === NONE ? undefined : (asked as Microseconds),
          redacted: (head & FLAG.redacted) !== 0,
        });
        break;
      case KIND.event:
        onRecord({ kind: "event", time, connection, domid, path: first, token: second });
        break;
      case KIND.gap:
        onRecord({ kind: "gap", dropped: number });
        break;
      default:
        onRecord({ kind: (head & KIND_MASK) === KIND.opened ? "opened" : "closed", time, connection, domid });
    }
    start += recordBytes(nameLength, firstLength, secondLength);
  }
}

function replyOf(head: number, text: ByteRange): TracedReply<TraceText> | undefined {
  if ((head & FLAG.replyOk) !== 0) return OK;
  if ((head & FLAG.replyText) !== 0) return text;
  if ((head & FLAG.replyError) === 0) return undefined;
  const { bytes, start, end } = text;
  return { error: Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1") as ErrorName };
}
