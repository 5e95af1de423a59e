/**
 * A connection on which anything can be asked: also operations that nobody has heard of, as traces hold.
 *
 * Owns request ids and the matching of replies. The client library's session is for those who mean what they send; this one
 * sends what a trace has, and answers with whatever comes, errors too. Each request settles once: answered, or lost.
 */
import { flattenBytes, type ByteString } from "../../protocol/bytes.js";
import { serializeHeader } from "../../protocol/message.js";
import { ERROR, WATCH_EVENT } from "../../protocol/operation.js";
import { ReplyParser } from "../../clients/xenstore/reply-parser.js";
import { withoutNul } from "../../clients/xenstore/session.js";
import type { Transport, TransportConnection } from "../../clients/xenstore/transport.js";

/** What came back: a payload, an error's name, or nothing before the connection ended. */
export type Answer = ByteString | { readonly error: string } | { readonly lost: string };

/** A request as it goes over the wire. */
export interface RawRequest {
  /** The `type` field of the header. */
  readonly type: number;
  readonly txId: number;
  readonly payload: ByteString;
}

/** Told of each watch event. */
export type EventHandler = (path: ByteString, token: ByteString) => void;

/** Opens a connection; rejects, in words for people, when that cannot be. */
export async function openRawSession(transport: Transport, onEvent: EventHandler): Promise<RawSession> {
  const session = new RawSession(onEvent);
  const connection = await transport.open({
    received: (chunk) => {
      session.receive(chunk);
    },
    closed: (error) => {
      session.end(error === undefined ? "the daemon closed the connection" : error.message);
    },
  });
  session.attach(connection);
  return session;
}

/** An open connection. Made by `openRawSession`. */
export class RawSession {
  readonly #onEvent: EventHandler;
  readonly #parser = new ReplyParser();
  readonly #pending = new Map<number, (answer: Answer) => void>();
  #connection: TransportConnection | undefined;
  #requestId = 0;
  #ended: string | undefined;

  constructor(onEvent: EventHandler) {
    this.#onEvent = onEvent;
  }

  /** Whether nothing can be sent any more. */
  get isEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** Takes the connection that the transport opened. */
  attach(connection: TransportConnection): void {
    this.#connection = connection;
    if (this.#ended !== undefined) connection.close();
  }

  /** Sends a request at once; never rejects. */
  send({ type, txId, payload }: RawRequest): Promise<Answer> {
    if (this.#ended !== undefined) return Promise.resolve({ lost: this.#ended });
    this.#requestId = (this.#requestId + 1) >>> 0;
    const requestId = this.#requestId;
    const answer = new Promise<Answer>((resolve) => this.#pending.set(requestId, resolve));
    this.#connection?.send(serializeHeader(type, requestId, txId, payload.length) + payload);
    return answer;
  }

  /** Takes bytes from the transport. */
  receive(chunk: ByteString): void {
    if (this.#ended !== undefined) return;
    this.#parser.push(chunk);
    for (let message = this.#parser.next(); message !== undefined; message = this.#parser.next()) {
      if (message.type === WATCH_EVENT) {
        const [path = "", token = ""] = flattenBytes(message.payload).split("\0");
        this.#onEvent(path, token);
        continue;
      }
      const settle = this.#pending.get(message.requestId);
      this.#pending.delete(message.requestId);
      // The chunk must not stay in memory for what is cut out of it.
      const payload = flattenBytes(message.payload);
      settle?.(message.type === ERROR ? { error: withoutNul(payload) } : payload);
    }
    if (this.#parser.brokenLength !== undefined) this.close("the daemon sent what is no message");
  }

  /** Closes it; what is under way is lost. */
  close(reason = "the replay closed the connection"): void {
    this.end(reason);
    this.#connection?.close();
  }

  /** Notices that it is gone. */
  end(reason: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const settle of pending) settle({ lost: reason });
  }
}
