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
  "client-writes": "a client writes as fast as it can, and throws the replies away",
  "client-breaks-off": "a client is gone in the middle of a message, over and over",
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

/** The nodes that a bad client uses. */
interface Nodes {
  /** As far up as it sees anything. */
  readonly top: string;
  readonly read: string;
  /** What it writes, as a payload of WRITE; nothing of it is left when the machines are gone. */
  readonly write: string;
  /** Is never made: what would make it is not carried out. */
  readonly never: string;
}

/** What dom0 writes is what is there; what a guest makes goes with its domain. */
function nodesOf(domid: number): Nodes {
  const home = `/local/domain/${String(domid)}`;
  const read = `${home}/name`;
  if (domid === 0) return { top: "/", read, write: `${read}\0Domain-0`, never: "/tmp/bad-client" };
  return { top: home, read, write: `${home}/data/bad-client\0value`, never: `${home}/data/never` };
}

/**
 * Sets a bad client on a socket.
 *
 * @param domid - whose socket it is: dom0's when left out
 */
export function startWireFault(name: WireFaultName, socketPath: string, domid = 0): WireFault {
  const nodes = nodesOf(domid);
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
      MANNERS[name](current, send, nodes);
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

const MANNERS: Readonly<Record<WireFaultName, (socket: Socket, send: Send, nodes: Nodes) => void>> = {
  "client-dies": (socket, send, { never }) => {
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
      send(message("WRITE", id, `${never}\0never`) + message("WATCH", 0, `${never}\0token\0`));
    });
  },
  "client-never-reads": (socket, send, { top }) => {
    socket.pause();
    send(message("WATCH", 0, `${top}\0everything\0`));
    fill(socket, () => send(message("DIRECTORY", 0, `${top}\0`).repeat(FLOOD_BATCH)));
  },
  "client-sends-garbage": (socket, send) => {
    socket.resume();
    // The length is beyond any message's, whatever else the bytes say.
    const bytes = Array.from({ length: GARBAGE_BYTES }, (_, index) => String.fromCharCode((index * 167 + 251) % 256));
    send(`${"\xff".repeat(16)}${bytes.join("")}`);
  },
  "client-floods": (socket, send, { read }) => {
    socket.resume();
    fill(socket, () => send(message("READ", 0, `${read}\0`).repeat(FLOOD_BATCH)));
  },
  "client-writes": (socket, send, { write }) => {
    socket.resume();
    fill(socket, () => send(message("WRITE", 0, write).repeat(FLOOD_BATCH)));
  },
  "client-breaks-off": (socket, send, { read, never }) => {
    const half = message("WRITE", 0, `${never}\0never`).slice(0, -2);
    send(message("READ", 0, `${read}\0`) + half);
    // The daemon has the half message too when it answers what came before it.
    socket.once("data", () => socket.destroy());
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
