/**
 * Clients that behave badly on the wire, beside machines that live their lives: nobody else may notice.
 *
 * Owns the bad manners. They use plain sockets: no client library would do these things. Each goes on until it is stopped,
 * and connects again whenever the daemon has had enough of it.
 */
import { connect, type Socket } from "node:net";
import { serializeHeader } from "../../protocol/message.js";
import { ERROR, operationNamed } from "../../protocol/operation.js";
import { MessageParser } from "../../protocol/parser.js";

/** Every kind of bad manners, by name. */
export const WIRE_FAULTS = {
  "client-dies": "a client opens a transaction, writes in it, and is gone, over and over",
  "client-never-reads": "a client watches everything, asks without end, and reads no reply",
  "client-sends-garbage": "a client sends bytes that are no messages",
  "client-floods": "a client sends requests as fast as it can, and throws the replies away",
} as const;

/** A kind of bad manners. */
export type WireFaultName = keyof typeof WIRE_FAULTS;

/** The names, in the order above. */
export const WIRE_FAULT_NAMES = Object.keys(WIRE_FAULTS) as readonly WireFaultName[];

/** What a bad client has done. */
export interface WireFaultTally {
  /** How often it connected. */
  connections: number;
  /** Bytes that it sent. */
  bytes: number;
}

/** A bad client at work. */
export interface WireFault {
  readonly tally: Readonly<WireFaultTally>;
  /** Ends it, and waits until its connection is closed. */
  stop(): Promise<void>;
}

const PAUSE_MILLISECONDS = 5;
const FLOOD_BATCH = 200;
const GARBAGE_BYTES = 4096;
/** A path that no machine uses. */
const SCRATCH = "/tmp/bad-client";

/** Sets a bad client on a privileged socket. */
export function startWireFault(name: WireFaultName, socketPath: string): WireFault {
  const tally: WireFaultTally = { connections: 0, bytes: 0 };
  let socket: Socket | undefined;
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  let closed: Promise<void> = Promise.resolve();

  const later = (): void => {
    if (!isStopped) timer = setTimeout(begin, PAUSE_MILLISECONDS);
  };
  const begin = (): void => {
    const current = connect(socketPath);
    socket = current;
    const send = (bytes: string): boolean => {
      tally.bytes += bytes.length;
      return current.write(bytes, "latin1");
    };
    closed = new Promise((resolve) => {
      current.once("close", () => {
        resolve();
        later();
      });
    });
    // The daemon closes what it cannot frame: that is as it should be.
    current.on("error", () => undefined);
    current.once("connect", () => {
      tally.connections++;
      MANNERS[name](current, send);
    });
  };
  begin();
  return {
    tally,
    stop: async () => {
      isStopped = true;
      clearTimeout(timer);
      socket?.destroy();
      await closed;
    },
  };
}

type Send = (bytes: string) => boolean;

const MANNERS: Readonly<Record<WireFaultName, (socket: Socket, send: Send) => void>> = {
  "client-dies": (socket, send) => {
    const parser = new MessageParser();
    let isInTransaction = false;
    send(message("TRANSACTION_START", 0, "\0"));
    socket.on("data", (chunk: Buffer) => {
      parser.push(chunk.toString("latin1"));
      const reply = parser.next();
      if (reply === undefined) return;
      // Where the daemon opens no transaction, a write would be one that stays.
      if (isInTransaction || reply.type === ERROR) {
        socket.destroy();
        return;
      }
      isInTransaction = true;
      const id = Number.parseInt(reply.payload, 10);
      send(message("WRITE", id, `${SCRATCH}\0never`) + message("WATCH", 0, `${SCRATCH}\0token\0`));
    });
  },
  "client-never-reads": (socket, send) => {
    socket.pause();
    send(message("WATCH", 0, "/\0everything\0"));
    fill(socket, () => send(message("DIRECTORY", 0, "/\0").repeat(FLOOD_BATCH)));
  },
  "client-sends-garbage": (socket, send) => {
    socket.resume();
    // The length is beyond any message's, whatever else the bytes say.
    const bytes = Array.from({ length: GARBAGE_BYTES }, (_, index) => String.fromCharCode((index * 167 + 251) % 256));
    send(`${"\xff".repeat(16)}${bytes.join("")}`);
  },
  "client-floods": (socket, send) => {
    socket.resume();
    fill(socket, () => send(message("READ", 0, "/local/domain/0/name\0").repeat(FLOOD_BATCH)));
  },
};

/** Calls `send` for as long as the kernel takes what is sent, and again whenever it does. */
function fill(socket: Socket, send: () => boolean): void {
  const go = (): void => {
    if (socket.destroyed) return;
    if (send()) setImmediate(go);
    else socket.once("drain", go);
  };
  go();
}

function message(operation: Parameters<typeof operationNamed>[0], txId: number, payload: string): string {
  return serializeHeader(operationNamed(operation).number, 1, txId, payload.length) + payload;
}
