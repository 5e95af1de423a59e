/**
 * Sockets in memory, whose bytes arrive when the scheduler says so.
 *
 * Owns both ends of every connection: the listener port of the daemon and the transport of clients. Each direction of a
 * connection is a lane of the scheduler, so bytes of one direction keep their order, and nothing else has one. Nothing is
 * lost but what was under way when one end closed.
 */
import type { Transport, TransportConnection, TransportHandler } from "../../clients/xenstore/transport.js";
import type { Listener, ListeningSocket, Stream, StreamHandler } from "../../daemon/platform/listener.js";
import type { Random } from "./random.js";
import { Lane, type Scheduler } from "./scheduler.js";

/**
 * Told what goes over the connections of one client, of which there is one at a time: opened → (sent | received)… → closed
 * → opened → ….
 */
export interface Tap {
  /** The daemon has taken up a connection. */
  opened?(): void;
  /** Bytes that a client sent have reached the daemon. */
  sent(chunk: string): void;
  /** Bytes that the daemon sent have reached the client. */
  received(chunk: string): void;
  /** One end has closed it: nothing more reaches either. */
  closed?(): void;
}

type Accept = (stream: Stream) => StreamHandler;
/** The chunks in which something arrives. */
type Cut = (bytes: string) => readonly string[];

interface Socket {
  readonly accept: Accept;
  readonly connections: Set<Connection>;
}

/** The sockets of one world. */
export class MemoryNetwork implements Listener {
  readonly #scheduler: Scheduler;
  readonly #cut: Cut;
  readonly #sockets = new Map<string, Socket>();

  /** @param random - where to cut what is sent into chunks; it arrives as it was sent when left out */
  constructor(scheduler: Scheduler, random?: Random) {
    this.#scheduler = scheduler;
    this.#cut = random === undefined ? (bytes) => [bytes] : (bytes) => cutAtRandom(bytes, random);
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
          new Connection(this.#scheduler, socket.connections, { accept: socket.accept, handler, tap, cut: this.#cut }),
        );
      },
    };
  }
}

/** Most chunks that something sent at once arrives in. */
const CHUNKS_MAX = 3;

function cutAtRandom(bytes: string, random: Random): string[] {
  const chunks: string[] = [];
  let rest = bytes;
  for (let cuts = random.below(CHUNKS_MAX); cuts > 0 && rest.length > 1; cuts--) {
    const at = 1 + random.below(rest.length - 1);
    chunks.push(rest.slice(0, at));
    rest = rest.slice(at);
  }
  chunks.push(rest);
  return chunks;
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
  readonly #cut: Cut;
  #isOpen = true;
  #isPaused = false;
  /** What arrived while the daemon did not read. */
  #unread: string[] = [];

  constructor(
    scheduler: Scheduler,
    among: Set<Connection>,
    ends: {
      readonly accept: Accept;
      readonly handler: TransportHandler;
      readonly tap: Tap | undefined;
      readonly cut: Cut;
    },
  ) {
    this.#scheduler = scheduler;
    this.#among = among;
    this.#handler = ends.handler;
    this.#tap = ends.tap;
    this.#cut = ends.cut;
    among.add(this);
    this.#stream = ends.accept({
      write: (data) => {
        for (const chunk of this.#cut(data)) {
          this.#scheduler.add(this.#toClient, () => {
            if (!this.#isOpen) return;
            this.#tap?.received(chunk);
            this.#handler.received(chunk);
          });
        }
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
    // A daemon may refuse it at once.
    if (this.#isOpen) this.#tap?.opened?.();
  }

  send(bytes: string): void {
    if (!this.#isOpen) return;
    for (const chunk of this.#cut(bytes)) {
      this.#scheduler.add(this.#toDaemon, () => {
        this.#unread.push(chunk);
        this.#read();
      });
    }
  }

  /** Ends it for both; each end is told in its own time. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#among.delete(this);
    this.#tap?.closed?.();
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
