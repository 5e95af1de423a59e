/**
 * The transport port: how the client library reaches a xenstored.
 *
 * Owns the interface. `socket-transport.ts` has the implementation over a Unix socket; tests and simulations have their own
 * in memory. A transport knows nothing of messages: it carries a stream of bytes in each direction.
 */
import type { ByteString } from "../../protocol/bytes.js";

/** What an open connection tells its owner. Calls come from the event loop, never from within a call into the connection. */
export interface TransportHandler {
  /** The next bytes of the stream, in chunks of any size. */
  received(chunk: ByteString): void;
  /** The connection is gone; nothing follows. Called once, also after our own `close`; `error` says why, where that is known. */
  closed(error?: Error): void;
}

/** An open connection. */
export interface TransportConnection {
  /** Queues bytes, in order and without limit; they are dropped when the connection is gone. */
  send(bytes: ByteString): void;
  /** Closes at once, dropping what is queued. */
  close(): void;
}

/** A way to reach one xenstored; opened again to reconnect. */
export interface Transport {
  /** What it leads to, for messages to people, such as a socket's path. */
  readonly name: string;
  /**
   * Opens a connection. Rejects, with an error for people that names what could not be reached, when it cannot be opened;
   * the handler is then never called.
   */
  open(handler: TransportHandler): Promise<TransportConnection>;
}
