/**
 * Sockets in memory, whose bytes arrive when the scheduler says so.
 *
 * Owns both ends of every connection: the listener port of the daemon and the transport of clients. Each direction of a
 * connection is a lane of the scheduler, so bytes of one direction keep their order, and nothing else has one. Nothing is
 * lost but what was under way when one end closed.
 */
import type { Transport, TransportConnection, TransportHandler } from "../../clients/xenstore/transport.js";
import type { Listener, ListeningSocket, Stream, StreamHandler } from "../../daemon/platform/listener.js";
import { Lane, type Scheduler } from "./scheduler.js";

/** Told what went over a connection. */
export interface Tap {
  /** Bytes that a client sent have reached the daemon. */
  sent(chunk: string): void;
  /** Bytes that the daemon sent have reached the client. */
  received(chunk: string): void;
}

type Accept = (stream: Stream) => StreamHandler;

interface Socket {
  readonly accept: Accept;
  readonly connections: Set<Connection>;
}

/** The sockets of one world. */
export class MemoryNetwork implements Listener {
  readonly #scheduler: Scheduler;
  readonly #sockets = new Map<string, Socket>();

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  listen(path: string, accept: Accept): ListeningSocket {
    const socket: Socket = { accept, connections: new Set() };
    this.#sockets.set(path, socket);
    return {
      listening: Promise.resolve(),
      close: () => {
        if (this.#sockets.get(path) === socket) this.#sockets.delete(path);
        for (const connection of [...socket.connections]) connection.close();
      },
    };
  }

  /** A way to the socket at `path`, now and whenever it is there again. */
  transport(path: string, tap?: Tap): Transport {
    return {
      name: path,
      open: (handler) => {
        const socket = this.#sockets.get(path);
        if (socket === undefined) return Promise.reject(new Error(`nobody listens at ${path}`));
        return Promise.resolve(
          new Connection(this.#scheduler, socket.connections, { accept: socket.accept, handler, tap }),
        );
      },
    };
  }
}

/** One connection: what the client holds is the object itself. */
class Connection implements TransportConnection {
  readonly #scheduler: Scheduler;
  readonly #toDaemon = new Lane();
  readonly #toClient = new Lane();
  readonly #among: Set<Connection>;
  readonly #handler: TransportHandler;
  readonly #stream: StreamHandler;
  readonly #tap: Tap | undefined;
  #isOpen = true;
  #isPaused = false;
  /** What arrived while the daemon did not read. */
  #unread: string[] = [];

  constructor(
    scheduler: Scheduler,
    among: Set<Connection>,
    ends: { readonly accept: Accept; readonly handler: TransportHandler; readonly tap: Tap | undefined },
  ) {
    this.#scheduler = scheduler;
    this.#among = among;
    this.#handler = ends.handler;
    this.#tap = ends.tap;
    among.add(this);
    this.#stream = ends.accept({
      write: (data) => {
        this.#scheduler.add(this.#toClient, () => {
          if (!this.#isOpen) return;
          this.#tap?.received(data);
          this.#handler.received(data);
        });
        return true;
      },
      pendingBytes: () => 0,
      pause: () => {
        this.#isPaused = true;
      },
      resume: () => {
        this.#isPaused = false;
        if (this.#unread.length === 0) return;
        this.#scheduler.add(this.#toDaemon, () => {
          this.#read();
        });
      },
      finish: () => {
        this.#scheduler.add(this.#toClient, () => {
          this.close();
        });
      },
      close: () => {
        this.close();
      },
    });
  }

  send(bytes: string): void {
    if (!this.#isOpen) return;
    this.#scheduler.add(this.#toDaemon, () => {
      this.#unread.push(bytes);
      this.#read();
    });
  }

  /** Ends it for both; each end is told in its own time. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#among.delete(this);
    this.#scheduler.clear(this.#toDaemon);
    this.#scheduler.clear(this.#toClient);
    this.#scheduler.add(this.#toDaemon, () => {
      this.#stream.closed();
    });
    this.#scheduler.add(this.#toClient, () => {
      this.#handler.closed();
    });
  }

  #read(): void {
    while (this.#isOpen && !this.#isPaused) {
      const chunk = this.#unread.shift();
      if (chunk === undefined) return;
      this.#tap?.sent(chunk);
      this.#stream.data(chunk);
    }
  }
}
