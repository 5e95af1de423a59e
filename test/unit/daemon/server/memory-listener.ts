/**
 * The listener port in memory: clients whose kernel buffers the test holds.
 *
 * Owns the promises of `daemon/platform/listener.ts` in the small: calls to the owner come from the event loop, never from
 * within a call into the stream.
 */
import type { Listener, ListeningSocket, Stream, StreamHandler } from "../../../../daemon/platform/listener.js";
import { parseOutput, type Received } from "../../../support/core-harness.js";

/** A client of a socket in memory. */
export class MemoryClient {
  /** All bytes that the server wrote, taken by the kernel or not. */
  written = "";
  /** Bytes that the kernel takes before it takes no more. */
  room = Infinity;
  /** Whether the server reads. */
  isPaused = false;
  isClosed = false;
  /** Whether the server closes when everything is written. */
  isFinished = false;
  #queued = 0;
  #unsent: string[] = [];
  #parsed = 0;
  readonly #record: (what: string) => void;
  readonly #name: string;
  handler: StreamHandler | undefined;

  constructor(name: string, record: (what: string) => void) {
    this.#name = name;
    this.#record = record;
  }

  /** The server's side. */
  stream(): Stream {
    return {
      write: (data) => {
        this.#record(`write ${this.#name}`);
        this.written += data;
        const taken = Math.min(this.room, data.length);
        this.room -= taken;
        this.#queued += data.length - taken;
        return this.#queued === 0;
      },
      pendingBytes: () => this.#queued,
      pause: () => {
        this.isPaused = true;
      },
      resume: () => {
        this.isPaused = false;
        setImmediate(() => {
          while (!this.isPaused && this.#unsent.length > 0) this.handler?.data(this.#unsent.shift() ?? "");
        });
      },
      finish: () => {
        this.isFinished = true;
        if (this.#queued === 0) this.#close();
      },
      close: () => {
        this.#close();
      },
    };
  }

  /** Sends bytes: they arrive at once if the server reads, else when it does. */
  send(bytes: string): void {
    if (this.isClosed) return;
    if (this.isPaused || this.#unsent.length > 0) this.#unsent.push(bytes);
    else this.handler?.data(bytes);
  }

  /** Sends no more. */
  end(): void {
    this.handler?.ended();
  }

  /** Goes away. */
  disconnect(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.handler?.closed();
  }

  /** Takes everything that is queued, and has that much room from now on. */
  read(room = Infinity): void {
    this.room = room;
    if (this.#queued === 0) return;
    this.#queued = 0;
    this.handler?.drain();
    if (this.isFinished && this.#queued === 0) this.#close();
  }

  /** Messages written since the last call. */
  take(): Received[] {
    const output = this.written.slice(this.#parsed);
    this.#parsed = this.written.length;
    return parseOutput(output);
  }

  #close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#record(`close ${this.#name}`);
    setImmediate(() => this.handler?.closed());
  }
}

/** Sockets in memory. */
export class MemoryListener implements Listener {
  /** Bound sockets by path. */
  readonly sockets = new Map<string, (stream: Stream) => StreamHandler>();
  readonly #record: (what: string) => void;
  readonly #clients = new Map<string, MemoryClient[]>();

  /** @param record - told of each write and close, to compare their order with other things */
  constructor(record: (what: string) => void) {
    this.#record = record;
  }

  listen(path: string, accept: (stream: Stream) => StreamHandler): ListeningSocket {
    this.sockets.set(path, accept);
    this.#record(`listen ${path}`);
    return {
      listening: Promise.resolve(),
      close: () => {
        this.sockets.delete(path);
        this.#record(`unlisten ${path}`);
        for (const client of this.#clients.get(path) ?? []) client.stream().close();
      },
    };
  }

  /** Connects a client to a path. Throws when nobody listens there. */
  connect(path: string, name = path): MemoryClient {
    const accept = this.sockets.get(path);
    if (accept === undefined) throw new Error(`nobody listens on ${path}`);
    const client = new MemoryClient(name, this.#record);
    client.handler = accept(client.stream());
    this.#clients.set(path, [...(this.#clients.get(path) ?? []), client]);
    return client;
  }
}
