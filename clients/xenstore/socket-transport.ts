/**
 * The transport over a Unix socket.
 *
 * Owns connecting and its retries, and the conversion at the socket: bytes arrive and leave as byte strings.
 *
 * This is `node:net` and not node-ipc, which the daemon listens with. Of node-ipc's client everything would have to be
 * turned off or taken away: its framing, its log, its own reconnecting, its `data` listener; what would be left is the
 * `net.Socket` in it, whose errors and end are the very thing that a client must see. Each client would also replace the
 * process-wide event parser of every other node-ipc user in the process.
 */
import { connect, type Socket } from "node:net";
import { backoffMilliseconds, machinePacing, type BackoffRange, type Pacing } from "./backoff.js";
import { ConnectError } from "./errors.js";
import type { Transport, TransportConnection, TransportHandler } from "./transport.js";

/** Bytes of `sun_path` less its NUL (unix(7)); Node cuts a longer path silently. */
const SOCKET_PATH_BYTES_MAX = 107;

const RETRY_RANGE: BackoffRange = { firstMilliseconds: 5, mostMilliseconds: 200 };

/**
 * How often to try. EAGAIN: the daemon's queue of connections is full, because many clients connect at once; it will be
 * emptied. ECONNREFUSED: nobody listens, which may be a daemon that is just starting or a file that one left behind.
 */
const ATTEMPTS_MAX: ReadonlyMap<string, number> = new Map([
  ["EAGAIN", 30],
  ["ECONNREFUSED", 6],
]);

const ADVICE: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "there is no such socket; is the daemon running, and is this the right path?"],
  ["ECONNREFUSED", "nobody listens there; the daemon that did is gone, or not ready yet"],
  ["EAGAIN", "its queue of new connections stays full"],
  ["EACCES", "you may not use this socket"],
  ["ENOTSOCK", "this is no socket"],
]);

/**
 * A transport to the daemon that serves the Unix socket `path`.
 *
 * @param pacing - waits between attempts to connect
 */
export function socketTransport(path: string, pacing: Pacing = machinePacing): Transport {
  return { name: path, open: (handler) => open(path, handler, pacing) };
}

async function open(path: string, handler: TransportHandler, pacing: Pacing): Promise<TransportConnection> {
  const bytes = Buffer.byteLength(path);
  if (bytes > SOCKET_PATH_BYTES_MAX) {
    const limit = `${String(bytes)} bytes, and a Unix socket address holds ${String(SOCKET_PATH_BYTES_MAX)}`;
    throw new ConnectError(`cannot connect to ${path}: the path has ${limit}`, "ENAMETOOLONG");
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return await connectOnce(path, handler);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "EIO";
      if (attempt >= (ATTEMPTS_MAX.get(code) ?? 1)) throw connectError(path, code, attempt, error);
      await pacing.delay(backoffMilliseconds(attempt, RETRY_RANGE, () => pacing.random()));
    }
  }
}

function connectError(path: string, code: string, attempts: number, cause: unknown): ConnectError {
  const advice = ADVICE.get(code) ?? "the system refused";
  const tried = attempts === 1 ? "" : `, ${String(attempts)} attempts`;
  return new ConnectError(`cannot connect to ${path}: ${advice} (${code}${tried})`, code, { cause });
}

async function connectOnce(path: string, handler: TransportHandler): Promise<TransportConnection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(attach(socket, handler));
    });
  });
}

function attach(socket: Socket, handler: TransportHandler): TransportConnection {
  let failure: Error | undefined;
  socket.setEncoding("latin1");
  // With an encoding set, chunks are strings, whatever the type says.
  socket.on("data", (chunk: string | Buffer) => {
    handler.received(chunk as string);
  });
  socket.on("error", (error) => {
    failure = error;
  });
  socket.on("close", () => {
    handler.closed(failure);
  });
  return {
    send(data) {
      if (socket.writable) socket.write(data, "latin1");
    },
    close() {
      socket.destroy();
    },
  };
}
