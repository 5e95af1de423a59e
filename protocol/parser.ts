/**
 * The incremental message parser: chunks of a stream go in, whole messages come out.
 *
 * Owns framing, and no I/O. It never throws and never reads past a message; a length over `XENSTORE_PAYLOAD_MAX` makes
 * the parser *broken* for good, since there is no way to find the next header (the daemon then closes the connection:
 * XSA-420).
 */
import { flattenBytes, type ByteString } from "./bytes.js";
import { XENSTORE_HEADER_SIZE, XENSTORE_PAYLOAD_MAX } from "./limits.js";
import { parseUint32, type Message } from "./message.js";

/**
 * Parses one direction of one connection.
 *
 * Calling sequence: `push` each chunk in order, then call `next` until it returns undefined. The payload of a message
 * is a slice of its chunk: flatten what is to be kept.
 */
export class MessageParser {
  #chunk: ByteString = "";
  #offset = 0;
  #broken: number | undefined;
  /** Whether the chunk was copied by `release`. */
  #isOwn = true;

  /** The length field that broke the stream, or undefined while the stream is whole. */
  get brokenLength(): number | undefined {
    return this.#broken;
  }

  /** Bytes received and not yet returned as messages. */
  get pendingBytes(): number {
    return this.#chunk.length - this.#offset;
  }

  /** Takes the next bytes of the stream; those of a broken stream are dropped, for they will never be a message. */
  push(chunk: ByteString): void {
    if (this.#broken !== undefined) return;
    if (this.#offset === this.#chunk.length) this.#chunk = chunk;
    else this.#chunk = this.#chunk.slice(this.#offset) + chunk;
    this.#offset = 0;
    this.#isOwn = false;
  }

  /** Returns the next whole message, or undefined when more bytes are due or the stream is broken. */
  next(): Message | undefined {
    const chunk = this.#chunk;
    const offset = this.#offset;
    if (chunk.length - offset < XENSTORE_HEADER_SIZE) return this.#awaitMore();
    const length = parseUint32(chunk, offset + 12);
    if (length > XENSTORE_PAYLOAD_MAX) {
      this.#broken = length;
      this.#keep("");
      return undefined;
    }
    const end = offset + XENSTORE_HEADER_SIZE + length;
    if (chunk.length < end) return this.#awaitMore();
    if (end === chunk.length) this.#keep("");
    else this.#offset = end;
    return {
      type: parseUint32(chunk, offset),
      requestId: parseUint32(chunk, offset + 4),
      txId: parseUint32(chunk, offset + 8),
      payload: chunk.slice(offset + XENSTORE_HEADER_SIZE, end),
    };
  }

  /**
   * Lets go of the chunk, whatever of it is left: what waits for its turn may wait long, and keeps no more alive than itself.
   */
  release(): void {
    if (this.#isOwn) return;
    this.#keep(flattenBytes(this.#chunk.slice(this.#offset)));
    this.#isOwn = true;
  }

  /** Keeps the beginning of a message, without the chunk that it is the end of: an idle connection may wait long. */
  #awaitMore(): Message | undefined {
    if (this.#offset > 0) this.#keep(flattenBytes(this.#chunk.slice(this.#offset)));
    return undefined;
  }

  #keep(rest: ByteString): void {
    this.#chunk = rest;
    this.#offset = 0;
  }
}
