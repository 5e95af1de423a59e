/**
 * Socket files: whether a path can be bound, and whether somebody serves there.
 */
import { statSync } from "node:fs";
import { createConnection } from "node:net";

/** Bytes of `sun_path` less its NUL (unix(7)); Node cuts a longer path silently. */
const SOCKET_PATH_BYTES_MAX = 107;

/** How many bytes a path is longer than a socket address holds; 0 where it fits. */
export function bytesTooMany(path: string): number {
  return Math.max(0, Buffer.byteLength(path) - SOCKET_PATH_BYTES_MAX);
}

/** Throws when a path is too long for a socket address. */
export function checkSocketPath(path: string): void {
  if (bytesTooMany(path) === 0) return;
  const bytes = Buffer.byteLength(path);
  const most = String(SOCKET_PATH_BYTES_MAX);
  throw new Error(
    `the socket path ${path} has ${String(bytes)} bytes; a Unix socket address holds ${most}. Choose a shorter --run or --dir.`,
  );
}

/**
 * Whether a process accepts connections on `path`. A socket that nobody answers on is free, and so is a path with nothing.
 *
 * @throws an error for people when something other than a socket is there
 */
export async function isServed(path: string): Promise<boolean> {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) return false;
  if (!status.isSocket())
    throw new Error(`${path} exists and is no socket: remove it, or choose another --run directory`);
  return new Promise((resolve, reject) => {
    const probe = createConnection(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve(false);
      // EAGAIN: somebody listens and its queue is full.
      else if (error.code === "EAGAIN") resolve(true);
      else reject(error);
    });
  });
}
