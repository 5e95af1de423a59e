/**
 * The listener port: Unix stream sockets that accept connections and carry byte strings.
 *
 * Owns the interface. `daemon/server/` has the implementation over node-ipc; a native reactor can be another, and an
 * in-memory one serves tests and simulation.
 */

/** What a connection tells its owner. Calls come from the event loop, never from within a call into the connection. */
export interface StreamHandler {
  /** Bytes arrived, as a byte string. */
  data(chunk: string): void;
  /** Everything written so far has gone to the kernel, after a `write` that returned false. */
  drain(): void;
  /** The peer is gone or the stream failed; nothing follows. Called once, also after our own `close`. */
  closed(): void;
}

/** One accepted connection. */
export interface Stream {
  /** Queues bytes; returns false when the kernel did not take them all, in which case `drain` follows. */
  write(data: string): boolean;
  /** Bytes queued and not yet taken by the kernel. */
  pendingBytes(): number;
  /** Stops reading: the peer's writes fill the kernel's buffer and then block. */
  pause(): void;
  resume(): void;
  /** Closes at once, dropping what is queued. */
  close(): void;
}

/** A bound socket. */
export interface ListeningSocket {
  /** Stops accepting, closes every accepted connection and removes the socket file. */
  close(): void;
}

/** Makes listening sockets. */
export interface Listener {
  /**
   * Binds `path` (mode 0600) and accepts connections until it is closed.
   *
   * Throws when the path is too long for a socket address, when a living daemon answers on it, or when it cannot be
   * bound. A socket file that nobody answers on is replaced.
   *
   * @param accept - called for each connection; returns who is told about it
   */
  listen(path: string, accept: (stream: Stream) => StreamHandler): Promise<ListeningSocket>;
}
