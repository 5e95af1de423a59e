/**
 * The listener port over node-ipc.
 *
 * Owns the hand-over of sockets: node-ipc binds and accepts; on its `connect` event our code takes the socket's `data`
 * listener, so that bytes go from the kernel to the parser once, as byte strings. One IPC instance for each socket.
 *
 * node-ipc has no option for the listen backlog (Node's default of 511 holds): a burst of more simultaneous connects can
 * see EAGAIN, which clients retry.
 */
import { rmSync } from "node:fs";
import type { Socket } from "node:net";
import { IPCModule } from "node-ipc";
import type { Listener, ListeningSocket, Stream, StreamHandler } from "../platform/listener.js";
import { checkSocketPath } from "./socket-path.js";

/** More than the file limit can be, so that the limit is the kernel's. */
const CONNECTIONS_MAX = 1_000_000;

/** A listener whose sockets are node-ipc's. */
export function nodeIpcListener(): Listener {
  return { listen };
}

function listen(path: string, accept: (stream: Stream) => StreamHandler): ListeningSocket {
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
  let settled = (): void => undefined;
  const listening = new Promise<void>((resolve, reject) => {
    settled = resolve;
    ipc.serve(path, resolve);
    // After a successful start the only errors are those of single connections, which their owners learn by `closed`.
    ipc.server.on("error", (error) => {
      reject(new Error(`cannot listen on ${path}: ${error instanceof Error ? error.message : String(error)}`));
    });
  });
  ipc.server.on("connect", (socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    takeOver(socket, accept);
  });
  ipc.server.start();
  return {
    listening,
    close() {
      ipc.server.stop();
      for (const socket of open) socket.destroy();
      settled();
    },
  };
}

/** Replaces node-ipc's `data` listener by the owner's. */
function takeOver(socket: Socket, accept: (stream: Stream) => StreamHandler): void {
  socket.removeAllListeners("data");
  // A client may send its last request and close that direction (`nc -N`): it still gets its reply.
  socket.allowHalfOpen = true;
  const drained = (): void => {
    if (!socket.destroyed) handler.drain();
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
    resume: () => void socket.resume(),
    finish: () => void socket.end(),
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
