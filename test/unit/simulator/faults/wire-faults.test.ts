import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { serializeError, serializeMessage, type Message } from "../../../../protocol/message.js";
import { getOperation } from "../../../../protocol/operation.js";
import { MessageParser } from "../../../../protocol/parser.js";
import { startWireFault, WIRE_FAULT_NAMES, type WireFault } from "../../../../simulator/faults/wire-faults.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";

const faults: WireFault[] = [];
const servers: { readonly server: Server; readonly sockets: Set<Socket> }[] = [];
afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(faults.splice(0).map((fault) => fault.stop()));
  for (const { server, sockets } of servers.splice(0)) {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** A connection as the daemon sees it. */
interface Accepted {
  readonly socket: Socket;
  readonly parser: MessageParser;
  readonly messages: Message[];
}

interface FakeDaemon {
  readonly path: string;
  /** All connections so far. */
  readonly accepted: Accepted[];
  readonly open: Set<Socket>;
  /** Resolves when this holds; it is looked at whenever something comes or goes. */
  until(isSo: () => boolean): Promise<void>;
}

/** Listens where no daemon is, and hands each message to `answer`. */
async function listen(
  answer: (message: Message, accepted: Accepted) => void,
  path = socketPath(),
): Promise<FakeDaemon> {
  const accepted: Accepted[] = [];
  const sockets = new Set<Socket>();
  let waiters: { readonly isSo: () => boolean; readonly resolve: () => void }[] = [];
  const look = (): void => {
    waiters = waiters.filter(({ isSo, resolve }) => {
      if (!isSo()) return true;
      resolve();
      return false;
    });
  };
  const server = createServer((socket) => {
    const current: Accepted = { socket, parser: new MessageParser(), messages: [] };
    accepted.push(current);
    sockets.add(socket);
    socket.setEncoding("latin1").on("error", () => undefined);
    socket.on("close", () => {
      sockets.delete(socket);
      look();
    });
    socket.on("data", (chunk) => {
      current.parser.push(String(chunk));
      for (let next = current.parser.next(); next !== undefined; next = current.parser.next()) {
        current.messages.push(next);
        answer(next, current);
      }
      look();
    });
    look();
  });
  servers.push({ server, sockets });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    accepted,
    open: sockets,
    until: async (isSo) => {
      await new Promise<void>((resolve) => {
        waiters.push({ isSo, resolve });
        look();
      });
    },
  };
}

/** Turns of the event loop: in each, whatever sockets have is read. */
async function turns(count: number): Promise<void> {
  for (let done = 0; done < count; done++) await new Promise((resolve) => setImmediate(resolve));
}

const socketPath = (): string => join(temporaryDirectory(), "socket");

function start(...parameters: Parameters<typeof startWireFault>): WireFault {
  const fault = startWireFault(...parameters);
  faults.push(fault);
  return fault;
}

const summary = (messages: readonly Message[]): string[] =>
  messages.map(({ type, txId, payload }) => {
    const strings = payload.split("\0").join(" ").trimEnd();
    return `${getOperation(type)?.name ?? String(type)} ${String(txId)} ${strings}`.trimEnd();
  });

const silent = (): void => undefined;

describe("startWireFault", () => {
  test("client-dies opens a transaction, writes in it, and is gone, over and over", async () => {
    const daemon = await listen((message, { socket }) => {
      const payload = getOperation(message.type)?.name === "TRANSACTION_START" ? "2147483648\0" : "OK\0";
      socket.write(serializeMessage({ ...message, payload }), "latin1");
    });
    start("client-dies", daemon.path);
    await daemon.until(() => daemon.accepted.length >= 4);
    for (const { messages } of daemon.accepted.slice(0, 3)) {
      expect(summary(messages)).toEqual([
        "TRANSACTION_START 0",
        "WRITE 2147483648 /tmp/bad-client never",
        "WATCH 0 /tmp/bad-client token",
      ]);
    }
  });

  test("client-dies writes nothing outside a transaction, where the daemon opens none", async () => {
    const daemon = await listen(({ requestId, txId }, { socket }) => {
      socket.write(serializeError(requestId, txId, "ENOSPC"), "latin1");
    });
    start("client-dies", daemon.path);
    await daemon.until(() => daemon.accepted.length >= 3);
    for (const { messages } of daemon.accepted) expect(summary(messages.slice(1))).toEqual([]);
  });

  test("client-dies takes a reply that comes in two parts", async () => {
    const daemon = await listen((message, { socket }) => {
      if (getOperation(message.type)?.name !== "TRANSACTION_START") return;
      const reply = serializeMessage({ ...message, payload: "77\0" });
      socket.write(reply.slice(0, 17), "latin1", () => {
        void turns(3).then(() => socket.write(reply.slice(17), "latin1"));
      });
    });
    start("client-dies", daemon.path);
    await daemon.until(() => (daemon.accepted[0]?.messages.length ?? 0) >= 3);
    expect(summary(daemon.accepted[0]?.messages ?? [])[1]).toBe("WRITE 77 /tmp/bad-client never");
  });

  test("client-never-reads watches everything and asks on, until its replies are what nobody takes any more", async () => {
    let isFull = false;
    const daemon = await listen((message, { socket }) => {
      if (!socket.write(serializeMessage({ ...message, payload: "x".repeat(4000) }), "latin1")) isFull = true;
    });
    start("client-never-reads", daemon.path);
    await daemon.until(() => isFull && (daemon.accepted[0]?.messages.length ?? 0) > 1000);
    const [first = "", ...rest] = summary(daemon.accepted[0]?.messages ?? []);
    expect(first).toBe("WATCH 0 / everything");
    expect(new Set(rest)).toEqual(new Set(["DIRECTORY 0 /"]));
    expect(daemon.accepted[0]?.socket.writableLength).toBeGreaterThan(0);
  });

  test("client-sends-garbage sends what no parser frames, again on each connection", async () => {
    const daemon = await listen(silent);
    start("client-sends-garbage", daemon.path);
    for (let number = 1; number <= 3; number++) {
      await daemon.until(() => daemon.accepted[number - 1]?.parser.brokenLength !== undefined);
      const accepted = daemon.accepted[number - 1];
      expect(accepted?.messages).toEqual([]);
      accepted?.socket.destroy();
    }
  });

  test("client-floods sends requests without waiting, and reads their replies", async () => {
    const daemon = await listen((message, { socket }) => {
      socket.write(serializeMessage({ ...message, payload: "x".repeat(100) }), "latin1");
    });
    start("client-floods", daemon.path);
    await daemon.until(() => (daemon.accepted[0]?.messages.length ?? 0) > 10_000);
    expect(new Set(summary(daemon.accepted[0]?.messages ?? []))).toEqual(new Set(["READ 0 /local/domain/0/name"]));
  });

  test("client-writes writes what is there in dom0, and a node of its own in a guest", async () => {
    for (const [domid, write] of [
      [0, "WRITE 0 /local/domain/0/name Domain-0"],
      [7, "WRITE 0 /local/domain/7/data/bad-client value"],
    ] as const) {
      const daemon = await listen(silent);
      start("client-writes", daemon.path, domid);
      await daemon.until(() => (daemon.accepted[0]?.messages.length ?? 0) > 1000);
      expect(new Set(summary(daemon.accepted[0]?.messages ?? []))).toEqual(new Set([write]));
    }
  });

  test("client-breaks-off is gone in the middle of a message, once what it sent before that is answered", async () => {
    const daemon = await listen((message, { socket }) => {
      socket.write(serializeMessage({ ...message, payload: "Domain-0" }), "latin1");
    });
    start("client-breaks-off", daemon.path);
    await daemon.until(() => daemon.accepted.length >= 4);
    for (const { messages, parser } of daemon.accepted.slice(0, 3)) {
      expect(summary(messages)).toEqual(["READ 0 /local/domain/0/name"]);
      expect(parser.pendingBytes).toBeGreaterThan(16);
    }
  });

  test.each(WIRE_FAULT_NAMES)("%s counts connections and bytes, and comes again when it was closed", async (name) => {
    const daemon = await listen(silent);
    const fault = start(name, daemon.path);
    for (let number = 1; number <= 3; number++) {
      await daemon.until(() => (daemon.accepted[number - 1]?.socket.bytesRead ?? 0) > 0);
      daemon.accepted[number - 1]?.socket.destroy();
    }
    await daemon.until(() => (daemon.accepted[3]?.socket.bytesRead ?? 0) > 0);
    await fault.stop();
    const { connections, bytes } = fault.tally;
    expect(connections).toBe(4);
    const received = daemon.accepted.reduce((sum, { socket }) => sum + socket.bytesRead, 0);
    expect(bytes).toBeGreaterThanOrEqual(received);
  });

  test.each(WIRE_FAULT_NAMES)("%s is gone when stop resolves, and does not come back", async (name) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const daemon = await listen(silent);
    const fault = start(name, daemon.path);
    await daemon.until(() => (daemon.accepted[0]?.socket.bytesRead ?? 0) > 0);
    await fault.stop();
    const { bytes } = fault.tally;
    await daemon.until(() => daemon.open.size === 0);
    await turns(3);
    expect(fault.tally).toEqual({ connections: 1, bytes });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("tries again where no daemon is, which is no connection, and not after stop", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const path = socketPath();
    const fault = start("client-floods", path);
    while (vi.getTimerCount() === 0) await turns(1);
    expect(fault.tally).toEqual({ connections: 0, bytes: 0 });

    const daemon = await listen(silent, path);
    vi.runOnlyPendingTimers();
    await daemon.until(() => (daemon.accepted[0]?.socket.bytesRead ?? 0) > 0);
    expect(fault.tally.connections).toBe(1);

    daemon.accepted[0]?.socket.destroy();
    while (vi.getTimerCount() === 0) await turns(1);
    await fault.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("may be stopped before it is connected, and twice", async () => {
    const daemon = await listen(silent);
    const fault = start("client-floods", daemon.path);
    await fault.stop();
    await fault.stop();
    expect(daemon.accepted.length).toBeLessThanOrEqual(1);
    expect(fault.tally.bytes).toBe(0);
  });
});
