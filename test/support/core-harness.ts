/**
 * The core, driven in memory.
 *
 * Owns what the server does around a core in the daemon, as far as tests need it: ticks, the numbering of requests, and
 * reading what the outboxes give out with the parser that a client would use. No sockets and no journal.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { Domid, Microseconds, Seq } from "../../protocol/identifiers.js";
import type { Message } from "../../protocol/message.js";
import { ERROR, getOperation, operationNamed, WATCH_EVENT, type OperationName } from "../../protocol/operation.js";
import { MessageParser } from "../../protocol/parser.js";
import { REQUEST_CODECS, stringReply, watchEvent, type RequestPayloads } from "../../protocol/payload.js";
import type { Connection } from "../../daemon/connection/connection.js";
import { Core } from "../../daemon/dispatch/core.js";
import type { CorePorts, Effect } from "../../daemon/dispatch/state.js";
import type { Commit } from "../../daemon/store/commit.js";
import { emptyRoot, type Root } from "../../daemon/store/root.js";

/** A message that a client got. */
export type Received =
  | {
      readonly kind: "reply";
      /** The operation that is answered. */
      readonly operation: string;
      readonly requestId: number;
      readonly txId: number;
      readonly payload: ByteString;
    }
  | { readonly kind: "error"; readonly requestId: number; readonly txId: number; readonly error: string }
  | { readonly kind: "event"; readonly path: ByteString; readonly token: ByteString };

/** What a request was answered with: the payload, or an error. */
export type Answer = ByteString | { readonly error: string };

/** What a tick did, as a test sees it. */
export interface HarnessTick {
  /** By connection, in the order in which a client would read it. */
  readonly received: ReadonlyMap<Connection, readonly Received[]>;
  readonly commits: readonly Commit[];
  readonly effects: readonly Effect[];
}

/** Shortens the writing of domain ids in tests. */
export function domainId(value: number): Domid {
  return value as Domid;
}

/** The payload of a typed request. */
export function payloadOf<Name extends OperationName>(name: Name, request: RequestPayloads[Name]): ByteString {
  return REQUEST_CODECS[name].serialize(request);
}

/** The payload of an answer. Throws when it is an error. */
export function payloadOfAnswer(answer: Answer): ByteString {
  if (typeof answer !== "string") throw new Error(answer.error);
  return answer;
}

/** Decodes a stream of output. Throws when it holds anything but whole messages. */
export function parseOutput(output: ByteString): Received[] {
  const parser = new MessageParser();
  parser.push(output);
  const received: Received[] = [];
  for (let message = parser.next(); message !== undefined; message = parser.next()) received.push(decode(message));
  if (parser.pendingBytes > 0 || parser.brokenLength !== undefined) throw new Error("output is not whole messages");
  return received;
}

function decode({ type, requestId, txId, payload }: Message): Received {
  if (type === WATCH_EVENT) {
    const event = watchEvent.parse(payload);
    if (event === undefined || requestId !== 0 || txId !== 0) throw new Error("malformed event");
    return { kind: "event", path: event.path, token: event.token };
  }
  if (type === ERROR) {
    const error = stringReply.parse(payload);
    if (error === undefined) throw new Error("malformed error");
    return { kind: "error", requestId, txId, error };
  }
  return { kind: "reply", operation: getOperation(type)?.name ?? String(type), requestId, txId, payload };
}

/** What a harness is made with. */
export interface CoreHarnessOptions {
  readonly root?: Root;
  readonly seq?: number;
  readonly ports?: Partial<CorePorts>;
}

/** A core with the least around it. */
export class CoreHarness {
  readonly core: Core;
  /** What the core wrote to the log. */
  readonly log: string[] = [];
  /** The time that the next tick will have. */
  now = 1_000_000_000_000_000;
  #inTick = false;
  #requestCount = 0;
  readonly #inboxes = new Map<Connection, Received[]>();

  constructor(options: CoreHarnessOptions = {}) {
    const ports: CorePorts = {
      log: (level, _key, message) => void this.log.push(`${level}: ${message}`),
      describeHistory: () => "history\n",
      describeMemory: () => "memory\n",
      setAccessLog: () => {},
      ...options.ports,
    };
    this.core = new Core(options.root ?? emptyRoot(), (options.seq ?? 0) as Seq, ports);
  }

  connect(domid: number): Connection {
    return this.core.connect(domainId(domid));
  }

  /** Ends the tick, if one is open, and drops the connection. */
  disconnect(connection: Connection): void {
    if (this.#inTick) this.endTick();
    this.core.disconnect(connection);
    this.#inboxes.delete(connection);
  }

  /** Opens a tick unless one is open. */
  beginTick(): void {
    if (this.#inTick) return;
    this.#inTick = true;
    this.core.beginTick(this.now as Microseconds);
  }

  /** Sends a typed request within the current tick; returns its request id. */
  send<Name extends OperationName>(
    connection: Connection,
    name: Name,
    request: RequestPayloads[Name],
    txId = 0,
  ): number {
    return this.sendPayload(connection, operationNamed(name).number, payloadOf(name, request), txId);
  }

  /** Sends any payload with any type within the current tick; returns its request id. */
  sendPayload(connection: Connection, type: number, payload: ByteString, txId = 0): number {
    const message = { type, requestId: ++this.#requestCount, txId, payload };
    this.beginTick();
    this.core.dispatch(connection, message);
    return message.requestId;
  }

  /** Ends the tick and carries out the closing of connections. What was received is also kept for `takeReceived`. */
  endTick(): HarnessTick {
    const commits = [...this.core.commits];
    this.#inTick = false;
    const { effects, dirty } = this.core.endTick();
    const received = new Map<Connection, Received[]>();
    for (const connection of dirty) {
      const messages = parseOutput(connection.outbox.takeTick());
      received.set(connection, messages);
      const inbox = this.#inboxes.get(connection);
      if (inbox === undefined) this.#inboxes.set(connection, messages.slice());
      else inbox.push(...messages);
    }
    for (const effect of effects) if (effect.kind === "close-connection") this.core.disconnect(effect.connection);
    return { received, commits, effects };
  }

  /** Sends a request in a tick of its own; returns its answer. */
  ask<Name extends OperationName>(
    connection: Connection,
    name: Name,
    request: RequestPayloads[Name],
    txId = 0,
  ): Answer {
    return this.#answerTo(connection, this.send(connection, name, request, txId));
  }

  /** Sends any payload in a tick of its own; returns its answer. */
  askPayload(connection: Connection, type: number, payload: ByteString, txId = 0): Answer {
    return this.#answerTo(connection, this.sendPayload(connection, type, payload, txId));
  }

  /** Opens a transaction; returns its id. */
  startTransaction(connection: Connection): number {
    return Number(stringReply.parse(payloadOfAnswer(this.ask(connection, "TRANSACTION_START", {}))));
  }

  /** Takes what a client has received since the last call, replies left out. */
  takeEvents(connection: Connection): { readonly path: ByteString; readonly token: ByteString }[] {
    return this.takeReceived(connection).flatMap((each) =>
      each.kind === "event" ? [{ path: each.path, token: each.token }] : [],
    );
  }

  /** Takes what a client has received since the last call. */
  takeReceived(connection: Connection): Received[] {
    const inbox = this.#inboxes.get(connection) ?? [];
    this.#inboxes.delete(connection);
    return inbox;
  }

  #answerTo(connection: Connection, requestId: number): Answer {
    const { received } = this.endTick();
    const replies = (received.get(connection) ?? []).filter(
      (each) => each.kind !== "event" && each.requestId === requestId,
    );
    const [reply] = replies;
    if (replies.length !== 1 || reply === undefined) throw new Error(`${String(replies.length)} replies`);
    if (reply.kind === "error") return { error: reply.error };
    if (reply.kind === "reply") return reply.payload;
    throw new Error("not a reply");
  }
}
