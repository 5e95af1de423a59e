/**
 * A session: one open connection, its requests under way, and its watch events as they arrive.
 *
 * Owns request ids and the matching of replies; knows nothing of reconnecting, which makes a new session. Invariants:
 *
 * 1. Every request settles exactly once: with its reply, or with an error when the session ends. Replies are matched by
 *    req_id alone, so they may come in any order.
 * 2. No request id is used twice at a time, also when the ids wrap at 2^32.
 * 3. Nothing that the daemon would close the connection for is sent: a payload over the limit is refused here.
 * 4. After the end, nothing is sent and the handler is not called.
 *
 * Requests made in one turn of the event loop leave in one write.
 */
import { flattenBytes, type ByteString } from "../../protocol/bytes.js";
import { XENSTORE_PAYLOAD_MAX } from "../../protocol/limits.js";
import { serializeHeader, type Message } from "../../protocol/message.js";
import { ERROR, operationNamed, WATCH_EVENT, type OperationName } from "../../protocol/operation.js";
import { watchEvent } from "../../protocol/payload.js";
import { ConnectionLostError, ProtocolError, XenstoreError } from "./errors.js";
import { ReplyParser } from "./reply-parser.js";
import type { Transport, TransportConnection } from "./transport.js";

/** What a session tells its owner. */
export interface SessionHandler {
  /** A watch event arrived. */
  event(path: ByteString, token: ByteString): void;
  /** The session ended by itself; nothing follows. Not called after `end`. */
  ended(cause: Error | undefined): void;
}

/** A request as it goes over the wire. */
export interface SessionRequest {
  readonly operation: OperationName;
  /** Transaction id; 0 for none. */
  readonly txId: number;
  readonly payload: ByteString;
  /** What it is about, for messages to people; a byte string. */
  readonly subject: ByteString;
}

interface Pending extends SessionRequest {
  readonly resolve: (payload: ByteString) => void;
  readonly reject: (error: Error) => void;
}

/** Opens a connection and a session on it. */
export async function openSession(transport: Transport, handler: SessionHandler): Promise<Session> {
  const session = new Session(transport.name, handler);
  const connection = await transport.open({
    received: (chunk) => {
      session.receive(chunk);
    },
    closed: (error) => {
      session.lose(error);
    },
  });
  session.attach(connection);
  return session;
}

/** One open connection. Made by `openSession`. */
export class Session {
  readonly #name: string;
  readonly #handler: SessionHandler;
  readonly #parser = new ReplyParser();
  readonly #pending = new Map<number, Pending>();
  #connection: TransportConnection | undefined;
  /** The id of the next request, unless that id is under way. Open to tests, which cannot wait for 2^32 requests. */
  nextRequestId = 1;
  /** Requests of this turn, not sent yet. */
  #outgoing: ByteString = "";
  #endedWith: Error | undefined;

  constructor(name: string, handler: SessionHandler) {
    this.#name = name;
    this.#handler = handler;
  }

  /** Takes the connection that the transport opened. */
  attach(connection: TransportConnection): void {
    this.#connection = connection;
    if (this.#endedWith !== undefined) connection.close();
  }

  /** Why the session has ended; undefined while it is open. */
  get endedWith(): Error | undefined {
    return this.#endedWith;
  }

  /** Sends a request; resolves to the reply's payload. */
  async request(request: SessionRequest): Promise<ByteString> {
    const { operation, txId, payload, subject } = request;
    if (this.#endedWith !== undefined) {
      throw new ConnectionLostError(`${operation}: ${this.#endedWith.message}`, { cause: this.#endedWith });
    }
    if (payload.length > XENSTORE_PAYLOAD_MAX) {
      const reason = `a request of ${String(payload.length)} bytes; a message holds ${String(XENSTORE_PAYLOAD_MAX)}`;
      throw new XenstoreError({ operation, subject, code: "E2BIG", reason });
    }
    const requestId = this.#takeRequestId();
    const header = serializeHeader(operationNamed(operation).number, requestId, txId, payload.length);
    if (this.#outgoing === "") {
      queueMicrotask(() => {
        this.#flush();
      });
    }
    this.#outgoing += header + payload;
    return new Promise((resolve, reject) => {
      this.#pending.set(requestId, { ...request, resolve, reject });
    });
  }

  /** Takes bytes from the transport. */
  receive(chunk: ByteString): void {
    if (this.#endedWith !== undefined) return;
    this.#parser.push(chunk);
    for (;;) {
      const message = this.#parser.next();
      if (message === undefined) break;
      const problem = this.#deliver(message);
      if (problem !== undefined) {
        this.lose(new ProtocolError(`${this.#name} sent ${problem}`));
        return;
      }
    }
    const length = this.#parser.brokenLength;
    if (length !== undefined) {
      this.lose(new ProtocolError(`${this.#name} sent a message with a payload of ${String(length)} bytes`));
    }
  }

  /** Ends the session because the connection is gone or makes no sense any more, and tells the owner. */
  lose(cause: Error | undefined): void {
    if (this.#endedWith !== undefined) return;
    const why = cause === undefined ? "the daemon closed it" : cause.message;
    this.#finish(new ConnectionLostError(`the connection to ${this.#name} was lost: ${why}`, { cause }));
    this.#handler.ended(cause);
  }

  /** Ends the session because its owner wants no more of it; requests under way fail with `reason`. */
  end(reason: Error): void {
    if (this.#endedWith === undefined) this.#finish(reason);
  }

  #finish(reason: Error): void {
    this.#endedWith = reason;
    this.#outgoing = "";
    this.#connection?.close();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { operation, reject } of pending) {
      reject(new ConnectionLostError(`${operation} was not answered: ${reason.message}`, { cause: reason }));
    }
  }

  #flush(): void {
    const outgoing = this.#outgoing;
    this.#outgoing = "";
    if (outgoing !== "") this.#connection?.send(outgoing);
  }

  #takeRequestId(): number {
    let requestId = this.nextRequestId;
    while (this.#pending.has(requestId)) requestId = (requestId + 1) >>> 0;
    this.nextRequestId = (requestId + 1) >>> 0;
    return requestId;
  }

  /** Handles a message; returns what is wrong with it, if anything is. */
  #deliver(message: Message): string | undefined {
    const { type, requestId } = message;
    // The chunk must not stay in memory for what is cut out of it.
    const payload = flattenBytes(message.payload);
    if (type === WATCH_EVENT) {
      const event = watchEvent.parse(payload);
      if (event === undefined) return "a malformed watch event";
      this.#handler.event(event.path, event.token);
      return undefined;
    }
    const pending = this.#pending.get(requestId);
    if (pending === undefined) return `a reply to request ${String(requestId)}, which is not under way`;
    const { operation, subject, resolve, reject } = pending;
    if (type === ERROR) {
      this.#pending.delete(requestId);
      reject(new XenstoreError({ operation, subject, code: withoutNul(payload) }));
    } else if (type === operationNamed(operation).number) {
      this.#pending.delete(requestId);
      resolve(payload);
    } else {
      return `a reply of type ${String(type)} to ${operation}`;
    }
    return undefined;
  }
}

/** A payload without the NUL that ends most of them. */
export function withoutNul(payload: ByteString): ByteString {
  return payload.endsWith("\0") ? payload.slice(0, -1) : payload;
}
