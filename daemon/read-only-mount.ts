/**
 * A recorded state as a XenStore that can be read: what a program finds in `$XENSTORED_PATH` while a bisection asks it.
 *
 * Owns the daemon in memory that serves it. It is a whole daemon, so every client works, watches and transactions too; what
 * would change the state is answered EROFS, because its journal takes nothing. It listens on dom0's socket alone: a host's
 * thousand domains would have a socket each.
 */
import { join } from "node:path";
import { decodeRoot } from "./history/object/root-decoder.js";
import type { FoundCommit } from "./history/repository/find-commit.js";
import type { HistoryView } from "./history/query/history.js";
import { startMemoryDaemon } from "./memory-daemon.js";
import { createNodeClock } from "./platform/node-clock.js";
import type { ListeningSocket } from "./platform/listener.js";
import { nodeTimers } from "./platform/node-timers.js";
import { nodeIpcListener } from "./server/node-ipc-listener.js";

/** A state that is served. */
export interface ReadOnlyMount {
  /** Of dom0's socket. */
  readonly socketPath: string;
  /** Closes the socket, with all that is connected to it, and removes it. */
  close(): void;
}

/** The journal of a state that nobody changes. */
class ReadOnlyError extends Error {
  override readonly name = "ReadOnlyError";
  readonly code = "EROFS";
}

/** A socket that nobody is to find. */
const NO_SOCKET: ListeningSocket = { listening: Promise.resolve(), close: () => undefined };

/**
 * Serves the state that a commit made.
 *
 * @param directory - for the socket: absolute, private, and so short that `DIRECTORY/socket` is at most 107 bytes
 * @throws ForeignTreeError, what `ObjectReader.read` throws, and an error for people when the socket cannot be bound
 */
export async function mountCommit(
  view: HistoryView,
  { commit }: FoundCommit,
  directory: string,
): Promise<ReadOnlyMount> {
  const { seq } = commit.trailers;
  // The first commit of a state without one would be the daemon's own.
  if (seq === undefined) throw new Error("a commit without a number cannot be served");
  const socketPath = join(directory, "socket");
  const listener = nodeIpcListener(() => undefined);
  const daemon = await startMemoryDaemon(
    {
      listener: { listen: (path, accept) => (path === socketPath ? listener.listen(path, accept) : NO_SOCKET) },
      clock: createNodeClock(),
      timers: nodeTimers,
      committed: () => {
        throw new ReadOnlyError("a recorded state does not change");
      },
      log: () => undefined,
    },
    { socket: socketPath, domains: join(directory, "domains") },
    { root: decodeRoot(view.reader, commit.tree, seq), seq },
  );
  return {
    socketPath,
    close: () => {
      daemon.stop();
    },
  };
}
