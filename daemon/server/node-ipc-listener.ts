/**
 * The listener port over node-ipc.
 *
 * Owns the hand-over of sockets: node-ipc binds and accepts; on its `connect` event our code takes the socket's `data`
 * listener, so that bytes go from the kernel to the parser once, as byte strings. One IPC instance for each socket.
 *
 * node-ipc has no option for the listen backlog, and Node's default is 511: a burst of more simultaneous connects sees
 * EAGAIN. So the backlog is raised behind node-ipc's back, where this Node allows it; clients retry all the same.
 */
import { chmodSync, existsSync, rmSync } from "node:fs";
import type { Server, Socket } from "node:net";
import { IPCModule } from "node-ipc";
import type { Listener, ListeningSocket, Stream, StreamHandler } from "../platform/listener.js";
import { checkSocketPath } from "./socket-path.js";
import { messageOf } from "../platform/error-message.js";

/** More than the file limit can be, so that the limit is the kernel's. */
const CONNECTIONS_MAX = 1_000_000;
/** Connections that may wait to be accepted. */
const BACKLOG = 4096;

/**
 * A listener whose sockets are node-ipc's.
 *
 * @param report - told, in words for people, when a socket that listens cannot accept (no file descriptor is free, say)
 */
export function nodeIpcListener(report: (problem: string) => void): Listener {
  return { listen: (path, accept) => listen(path, accept, report) };
}

function listen(
  path: string,
  accept: (stream: Stream) => StreamHandler,
  report: (problem: string) => void,
): ListeningSocket {
  checkSocketPath(path);
  rmSync(path, { force: true });
  const ipc = new IPCModule();
  Object.assign(ipc.config, {
    silent: true,
    rawBuffer: true,
    encoding: "latin1",
    unlink: false,
    maxConnections: CONNECTIONS_MAX,
  } satisfies Partial<typeof ipc.config>);
  const open = new Set<Socket>();
  let isListening = false;
  let settled = (): void => undefined;
  const listening = new Promise<void>((resolve, reject) => {
    settled = resolve;
    ipc.serve(path, () => {
      isListening = true;
      resolve();
    });
    ipc.server.on("error", (error) => {
      const reason = messageOf(error);
      reject(new Error(`cannot listen on ${path}: ${reason}`));
    });
  });
  ipc.server.on("connect", (socket) => {
    // node-ipc keeps a list of its own, from which each closing takes, and destroys, the first socket that is not
    // readable; that can be another one, which only closed its sending side. So neither list nor handler stays.
    ipc.server.sockets.pop();
    socket.removeAllListeners("close");
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    try {
      takeOver(socket, accept);
    } catch (error) {
      // Nobody would ever close it.
      socket.destroy();
      throw error;
    }
  });
  ipc.server.start();
  makePrivate(path);
  // node-ipc's own `error` event carries the errors of single connections too, which their owners learn by `closed`.
  const { server } = ipc.server;
  if (server !== false) {
    server.on("error", (error) => {
      if (isListening) report(`${path} cannot accept a connection: ${error.message}`);
    });
    raiseBacklog(server);
  }
  return {
    listening,
    close() {
      ipc.server.stop();
      for (const socket of open) socket.destroy();
      settled();
    },
  };
}

/**
 * Asks for a longer queue of connections that wait to be accepted; the kernel cuts it to `net.core.somaxconn`. Listening
 * once more on a socket that listens changes its backlog (listen(2)). The handle is Node's own affair: without it, or
 * without that method, nothing is changed.
 */
function raiseBacklog(server: Server): void {
  const { _handle: handle } = server as { readonly _handle?: { listen?: (backlog: number) => number } | null };
  handle?.listen?.(BACKLOG);
}

/** The umask leaves the owner a right to execute, which means nothing for a socket; when the bind failed there is no file. */
function makePrivate(path: string): void {
  if (existsSync(path)) chmodSync(path, 0o600);
}

/** Replaces node-ipc's `data` listener by the owner's. */
function takeOver(socket: Socket, accept: (stream: Stream) => StreamHandler): void {
  socket.removeAllListeners("data");
  // A client may send its last request and close that direction (`nc -N`): it still gets its reply.
  socket.allowHalfOpen = true;
  let isFinishing = false;
  const drained = (): void => {
    // More may have been written since.
    if (!socket.destroyed && socket.writableLength === 0) handler.drain();
  };
  const handler = accept({
    write: (data) => {
      const belowHighWaterMark = socket.write(data, "latin1");
      if (socket.writableLength === 0) return true;
      // Node emits `drain` only after a write above its high-water mark; a smaller rest is told by an empty write behind it.
      if (belowHighWaterMark) socket.write("", drained);
      return false;
    },
    pendingBytes: () => socket.writableLength,
    pause: () => void socket.pause(),
    resume: () => {
      if (!isFinishing) socket.resume();
    },
    finish: () => {
      if (isFinishing || socket.destroyed) return;
      // `end` alone would wait for the peer to end as well, and read on meanwhile.
      isFinishing = true;
      socket.pause();
      socket.destroySoon();
    },
    close: () => void socket.destroy(),
  });
  socket.on("data", (chunk: string) => {
    handler.data(chunk);
  });
  socket.on("drain", drained);
  socket.on("end", () => {
    handler.ended();
  });
  socket.on("close", () => {
    handler.closed();
  });
}
