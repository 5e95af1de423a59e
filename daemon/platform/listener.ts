/**
 * The listener port: Unix stream sockets that accept connections and carry byte strings.
 *
 * Owns the interface. `daemon/server/` has two implementations, over node-ipc and by a native reactor; those in memory
 * serve tests and simulation. `test/contract/listener.test.ts` holds the first two to it.
 */

/**
 * What a connection tells its owner. Calls come from the event loop, never from within a call into the connection. An error
 * that one of them throws is an uncaught exception; it changes nothing about what others are told.
 */
export interface StreamHandler {
  /** Bytes arrived, as a byte string. */
  data(chunk: string): void;
  /** Everything written so far has gone to the kernel. Follows a `write` that returned false, and may come without one. */
  drain(): void;
  /** The peer sends no more, and may still read: told once. The owner answers what it has and then calls `finish`. */
  ended(): void;
  /** The peer is gone or the stream failed; nothing follows. Called once, also after our own `close`. */
  closed(): void;
}

/** One accepted connection. */
export interface Stream {
  /** Queues bytes; returns false when the kernel did not take them all, in which case `drain` follows. */
  write(data: string): boolean;
  /** Bytes queued and not yet taken by the kernel. */
  pendingBytes(): number;
  /** Stops reading: the peer's writes fill the kernel's buffer and then block. What was read before may still be told. */
  pause(): void;
  resume(): void;
  /** Reads no more, and closes when what is queued has gone to the kernel; nothing is to be written any more. */
  finish(): void;
  /** Closes at once, dropping what is queued. */
  close(): void;
}

/** A bound socket. */
export interface ListeningSocket {
  /** Resolves when the socket listens or was closed; rejects, with an error for people, when it could not be bound. */
  readonly listening: Promise<void>;
  /** Stops accepting, closes every accepted connection and removes the socket file, before it returns. */
  close(): void;
}

/** Makes listening sockets. */
export interface Listener {
  /**
   * Binds `path` and accepts connections until it is closed. The socket file exists when the call returns, with mode
   * 0600.
   *
   * Whatever was at `path` before is replaced: the caller has made sure that nobody serves there. Throws when the path is
   * too long for a socket address.
   *
   * @param accept - called for each connection; returns who is told about it
   */
  listen(path: string, accept: (stream: Stream) => StreamHandler): ListeningSocket;

  /**
   * Writes to several streams of this listener, in order, each as by its `write`; `pendingBytes` tells what the kernel did
   * not take. Only a listener has it to which that costs less than one call for each.
   *
   * @param outputs - what is for each of the streams, none of it empty
   */
  writeAll?(streams: readonly Stream[], outputs: readonly string[]): void;
}
