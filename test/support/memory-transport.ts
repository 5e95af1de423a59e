/**
 * A transport in memory, and a xenstored that answers by script, for tests of clients.
 *
 * Owns the two ends of each connection: a client's bytes go to the server as they were sent, and back in chunks that the
 * test may cut as it likes. Bytes arrive in a later turn of the event loop, as they do from a socket.
 */
import type { ByteString } from "../../protocol/bytes.js";
import { serializeError, serializeMessage, serializeWatchEvent, type Message } from "../../protocol/message.js";
import type { ErrorName } from "../../protocol/errno.js";
import { getOperation, type OperationName } from "../../protocol/operation.js";
import { MessageParser } from "../../protocol/parser.js";
import { parseStrings } from "../../protocol/payload.js";
import type { Transport, TransportHandler } from "../../clients/xenstore/transport.js";

/** The server's end of a connection. */
export interface ServerEnd {
  /** Sends bytes to the client, at most `chunkBytes` of the transport at a time. */
  send(bytes: ByteString): void;
  /** Ends the connection, as if the daemon had; what was sent before still arrives. */
  close(error?: Error): void;
}

/** What the server does with a connection. */
export interface ServerEndHandler {
  received(chunk: ByteString): void;
  closed(): void;
}

/** How a memory transport behaves. */
export interface MemoryTransportOptions {
  /** Called for each connection; throws to refuse it. */
  readonly accept: (end: ServerEnd) => ServerEndHandler;
  /** Most bytes that reach the client at once; no limit when left out. */
  readonly chunkBytes?: number;
}

/** A transport whose daemon is `accept`. */
export function memoryTransport({ accept, chunkBytes = Infinity }: MemoryTransportOptions): Transport {
  return {
    name: "memory",
    open: async (handler) => openPair(handler, accept, chunkBytes),
  };
}

function openPair(
  handler: TransportHandler,
  accept: MemoryTransportOptions["accept"],
  chunkBytes: number,
): { send(bytes: ByteString): void; close(): void } {
  let isOpen = true;
  const later = (act: () => void): void => {
    setImmediate(() => {
      if (isOpen) act();
    });
  };
  const close = (error?: Error): void => {
    isOpen = false;
    server.closed();
    handler.closed(error);
  };
  const server = accept({
    send: (bytes) => {
      for (let start = 0; start < bytes.length; start += chunkBytes) {
        const chunk = bytes.slice(start, start + chunkBytes);
        later(() => {
          handler.received(chunk);
        });
      }
    },
    close: (error) => {
      later(() => {
        close(error);
      });
    },
  });
  return {
    send: (bytes) => {
      later(() => {
        server.received(bytes);
      });
    },
    close: () => {
      later(() => {
        close();
      });
    },
  };
}

/** A request as the scripted server saw it. */
export interface SeenRequest {
  readonly operation: OperationName | "?";
  readonly txId: number;
  readonly requestId: number;
  readonly payload: ByteString;
  /** The payload's strings, without their NULs; a WRITE's value is the last one. */
  readonly strings: readonly string[];
  /** Which connection it came on, from 1. */
  readonly connection: number;
}

/** What the script answers: a payload, an error, or nothing for now. */
export type Answer = { readonly payload: ByteString } | { readonly error: ErrorName } | "later";

/** Answers `OK`. */
export const OK_ANSWER: Answer = { payload: "OK\0" };

/** A xenstored by script. */
export interface ScriptedServer {
  readonly transport: Transport;
  /** Every request so far. */
  readonly requests: readonly SeenRequest[];
  /** How many connections were opened so far. */
  readonly connections: number;
  /** Resolves when this many requests of this operation have arrived, to the last of them. */
  arrived(operation: OperationName, count?: number): Promise<SeenRequest>;
  /** Answers a request that was left for later. */
  answer(request: SeenRequest, answer: Answer): void;
  /** Sends a watch event on the newest connection. */
  fire(path: ByteString, token: ByteString): void;
  /** Sends any bytes on the newest connection. */
  sendBytes(bytes: ByteString): void;
  /** Ends the newest connection. */
  drop(error?: Error): void;
  /** Whether new connections are refused. */
  refuse: boolean;
}

/** Starts a server whose answers come from `script`. */
export function scriptedServer(script: (request: SeenRequest) => Answer, chunkBytes?: number): ScriptedServer {
  const requests: SeenRequest[] = [];
  const ends: ServerEnd[] = [];
  let waiters: { readonly isMet: () => SeenRequest | undefined; readonly resolve: (request: SeenRequest) => void }[] =
    [];
  const newest = (): ServerEnd => {
    const end = ends.at(-1);
    if (end === undefined) throw new Error("nobody has connected");
    return end;
  };
  const reply = (request: SeenRequest, answer: Answer): void => {
    const { requestId, txId, operation, connection } = request;
    if (answer === "later") return;
    const type = [...Array(64).keys()].find((number) => getOperation(number)?.name === operation) ?? 99;
    const bytes =
      "error" in answer
        ? serializeError(requestId, txId, answer.error)
        : serializeMessage({ type, requestId, txId, payload: answer.payload });
    ends[connection - 1]?.send(bytes);
  };
  const take = (message: Message, connection: number): void => {
    const { type, requestId, txId, payload } = message;
    const operation = getOperation(type)?.name ?? "?";
    const nul = payload.indexOf("\0");
    const strings =
      operation === "WRITE" ? [payload.slice(0, nul), payload.slice(nul + 1)] : (parseStrings(payload) ?? [payload]);
    const request = { operation, txId, requestId, payload, strings, connection } satisfies SeenRequest;
    requests.push(request);
    reply(request, script(request));
    waiters = waiters.filter(({ isMet, resolve }) => {
      const met = isMet();
      if (met !== undefined) resolve(met);
      return met === undefined;
    });
  };
  const server: ScriptedServer = {
    requests,
    refuse: false,
    get connections() {
      return ends.length;
    },
    transport: memoryTransport({
      accept: (end) => {
        if (server.refuse) throw new Error("connection refused");
        const connection = ends.push(end);
        const parser = new MessageParser();
        return {
          received: (chunk) => {
            parser.push(chunk);
            for (let message = parser.next(); message !== undefined; message = parser.next()) take(message, connection);
          },
          closed: () => {},
        };
      },
      ...(chunkBytes === undefined ? {} : { chunkBytes }),
    }),
    arrived: (operation, count = 1) => {
      const isMet = (): SeenRequest | undefined => requests.filter((each) => each.operation === operation)[count - 1];
      const met = isMet();
      if (met !== undefined) return Promise.resolve(met);
      return new Promise((resolve) => waiters.push({ isMet, resolve }));
    },
    answer: reply,
    fire: (path, token) => {
      newest().send(serializeWatchEvent(path, token));
    },
    sendBytes: (bytes) => {
      newest().send(bytes);
    },
    drop: (error) => {
      newest().close(error);
    },
  };
  return server;
}
