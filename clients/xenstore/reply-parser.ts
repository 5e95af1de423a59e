/**
 * The incremental parser of what a daemon sends.
 *
 * Owns framing on the client's side. It differs from `protocol/parser.ts`, which reads what clients send, in one thing: a
 * payload may be longer than `XENSTORE_PAYLOAD_MAX`. oxenstored answers a long DIRECTORY on a socket with one message of
 * any length, and libxenstore takes it.
 */
import type { ByteString } from "../../protocol/bytes.js";
import { XENSTORE_HEADER_SIZE } from "../../protocol/limits.js";
import { parseUint32, type Message } from "../../protocol/message.js";

/** Most bytes of a payload: more than half a million names. What claims to be longer is no message. */
export const REPLY_PAYLOAD_MAX: number = 16 * 1024 * 1024;

/**
 * Parses one connection's replies and events. `push` each chunk in order, then call `next` until it returns undefined. The
 * payload of a message is a slice of its chunk: flatten what is to be kept.
 */
export class ReplyParser {
  #chunk: ByteString = "";
  #offset = 0;
  /** Bytes from `#offset` on without which there is no use in looking again: a long message is put together once. */
  #bytesDue = XENSTORE_HEADER_SIZE;
  #brokenLength: number | undefined;

  /** The length field that made no sense, after which nothing can be parsed; undefined while there is none. */
  get brokenLength(): number | undefined {
    return this.#brokenLength;
  }

  /** Takes the next bytes of the stream. */
  push(chunk: ByteString): void {
    this.#chunk = this.#offset === this.#chunk.length ? chunk : this.#chunk.slice(this.#offset) + chunk;
    this.#offset = 0;
  }

  /** Returns the next whole message, or undefined when more bytes are due or the stream is broken. */
  next(): Message | undefined {
    const chunk = this.#chunk;
    const offset = this.#offset;
    if (this.#brokenLength !== undefined || chunk.length - offset < this.#bytesDue) return undefined;
    const length = parseUint32(chunk, offset + 12);
    if (length > REPLY_PAYLOAD_MAX) {
      this.#brokenLength = length;
      return undefined;
    }
    const end = offset + XENSTORE_HEADER_SIZE + length;
    this.#bytesDue = end - offset;
    if (chunk.length < end) return undefined;
    this.#offset = end;
    this.#bytesDue = XENSTORE_HEADER_SIZE;
    return {
      type: parseUint32(chunk, offset),
      requestId: parseUint32(chunk, offset + 4),
      txId: parseUint32(chunk, offset + 8),
      payload: chunk.slice(offset + XENSTORE_HEADER_SIZE, end),
    };
  }
}
