/** Transactions that contend start one after the other: the server, the core and the turnstile together. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Core } from "../../../../daemon/dispatch/core.js";
import type { JournalPosition } from "../../../../daemon/journal/journal.js";
import type { Timers } from "../../../../daemon/platform/timers.js";
import { Server } from "../../../../daemon/server/server.js";
import {
  CHECK_MILLISECONDS,
  CONTENDER_MILLISECONDS,
  DOM0_PATIENCE,
  WAIT_MILLISECONDS_MAX,
} from "../../../../daemon/server/turnstile.js";
import { WriteGate } from "../../../../daemon/server/write-gate.js";
import { emptyRoot } from "../../../../daemon/store/root.js";
import { serializeMessage } from "../../../../protocol/message.js";
import { operationNamed, type OperationName } from "../../../../protocol/operation.js";
import type { Seq } from "../../../../protocol/identifiers.js";
import type { RequestPayloads } from "../../../../protocol/payload.js";
import { payloadOf, type Received } from "../../../support/core-harness.js";
import { MemoryListener, type MemoryClient } from "./memory-listener.js";

const SOCKET = "/run/socket";

let listener: MemoryListener;
let core: Core;
let server: Server;
/** Writes to sockets, and to the journal. */
let happened: string[];
let journalErrors: (Error | undefined)[];
let unsealedBytes: number;
/** In milliseconds. */
let now: number;
let timersDue: { readonly at: number; readonly callback: () => void }[];

/** Turns of the real event loop, and time that passes when a test says so. */
const timers: Timers = {
  inNextTurn: (callback) => {
    setImmediate(callback);
  },
  after: (milliseconds, callback) => {
    const timer = { at: now + milliseconds, callback };
    timersDue.push(timer);
    return { cancel: () => (timersDue = timersDue.filter((each) => each !== timer)) };
  },
};

function append(): JournalPosition {
  const error = journalErrors.shift();
  happened.push(error === undefined ? "journal" : "journal fails");
  if (error !== undefined) throw error;
  return { segment: "0.journal", offset: 0, seq: core.seq };
}

function serve(takesTurns: boolean): Promise<void> {
  happened = [];
  journalErrors = [];
  unsealedBytes = 0;
  now = 1000;
  timersDue = [];
  listener = new MemoryListener((what) => happened.push(what));
  core = new Core(emptyRoot(), 0 as Seq, {
    log: () => {},
    describeHistory: () => "",
    describeMemory: () => "",
    setAccessLog: () => {},
  });
  server = new Server(
    {
      core,
      journal: { append, lineBytesMax: () => 512 },
      listener,
      clock: { nowMicroseconds: () => now * 1000, monotonicMilliseconds: () => now },
      timers,
      log: { log: () => {}, flush: () => {} },
      writeGate: new WriteGate(1_000_000, {
        unsealedBytes: () => unsealedBytes,
        sealedSeq: () => 0,
        trouble: () => undefined,
      }),
      journalWritten: () => {},
      flushHistory: () => Promise.resolve(),
      compactHistory: () => Promise.resolve({ refusal: undefined }),
      accessLog: () => undefined,
      takesTurns,
    },
    { socket: SOCKET, domains: "/run/domains" },
  );
  return server.start();
}

beforeEach(() => serve(true));

afterEach(() => {
  server.stop();
});

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets time pass; timers come when they are due. */
async function pass(milliseconds: number): Promise<void> {
  const end = now + milliseconds;
  for (;;) {
    const [next] = timersDue.toSorted((left, right) => left.at - right.at);
    if (next === undefined || next.at > end) break;
    timersDue = timersDue.filter((each) => each !== next);
    now = Math.max(now, next.at);
    next.callback();
    await settle();
  }
  now = end;
}

let requestCount = 0;

function request<Name extends OperationName>(name: Name, body: RequestPayloads[Name], txId = 0): string {
  const type = operationNamed(name).number;
  return serializeMessage({ type, requestId: ++requestCount, txId, payload: payloadOf(name, body) });
}

const START = () => request("TRANSACTION_START", {});

/** A client whose transactions list /d and make a node in it. */
class Creator {
  readonly client: MemoryClient;
  readonly name: string;
  txId = 0;
  #nodes = 0;

  constructor(name: string) {
    this.name = name;
    this.client = listener.connect(SOCKET, name);
  }

  /** What it was answered since the last call; it notes which transaction was started. */
  take(): string {
    return this.client
      .take()
      .map((received) => {
        if (received.kind === "reply" && received.operation === "TRANSACTION_START")
          this.txId = parseInt(received.payload);
        return shortly(received);
      })
      .join(" ");
  }

  async start(): Promise<string> {
    this.client.send(START());
    await settle();
    return this.take();
  }

  async work(): Promise<void> {
    const path = `/d/${this.name}${String(this.#nodes++)}`;
    this.client.send(
      request("DIRECTORY", { path: "/d" }, this.txId) + request("WRITE", { path, value: "" }, this.txId),
    );
    await settle();
    this.take();
  }

  async end(): Promise<string> {
    this.client.send(request("TRANSACTION_END", { commit: true }, this.txId));
    await settle();
    return this.take();
  }
}

function shortly(received: Received): string {
  if (received.kind === "event") return "event";
  return received.kind === "error" ? received.error : received.operation;
}

/** Makes clients contend about /d: all of them have failed, but for the first, which made them fail. */
async function contenders(names: string): Promise<Creator[]> {
  const creators = names.split(" ").map((name) => new Creator(name));
  creators[0]?.client.send(request("MKDIR", { path: "/d" }));
  await settle();
  creators[0]?.take();
  for (const each of creators) await each.start();
  for (const each of creators) await each.work();
  const ends: string[] = [];
  for (const each of creators) ends.push(await each.end());
  expect(ends).toEqual(creators.map((_, index) => (index === 0 ? "TRANSACTION_END" : "EAGAIN")));
  happened.length = 0;
  return creators;
}

/** As many creators as there are names. */
async function two(): Promise<readonly [Creator, Creator]> {
  return (await contenders("a b")) as [Creator, Creator];
}

async function three(): Promise<readonly [Creator, Creator, Creator]> {
  return (await contenders("a b c")) as [Creator, Creator, Creator];
}

describe("Server and transactions that contend (server invariant 10)", () => {
  test("starts the next one in the tick in which the one before has ended, with that one's commit in its snapshot", async () => {
    const [a, b] = await two();
    expect([await a.start(), await b.start()]).toEqual(["TRANSACTION_START", ""]);
    await a.work();
    happened.length = 0;
    expect(await a.end()).toBe("TRANSACTION_END");
    expect(happened).toEqual(["journal", "write a", "write b"]);
    expect(b.take()).toBe("TRANSACTION_START");
    await b.work();
    expect(await b.end()).toBe("TRANSACTION_END");
    expect(core.turnCounters).toMatchObject({ turns: 2, waits: 1, waiting: 0, waitsEnded: 0, turnsLost: 0 });
  });

  test("holds nobody where that is turned off", async () => {
    server.stop();
    await serve(false);
    const [a, b] = await two();
    expect([await a.start(), await b.start()]).toEqual(["TRANSACTION_START", "TRANSACTION_START"]);
  });

  test("wastes nothing of many transactions once it is known who contends", async () => {
    const creators = await contenders("a b c d e f g h");
    const ends: string[] = [];
    for (const each of creators) await each.start();
    for (let ending: Creator | undefined = creators[0]; ending !== undefined;) {
      await ending.work();
      ends.push(await ending.end());
      ending = creators.find((each) => each.take() === "TRANSACTION_START");
    }
    expect(ends).toEqual(creators.map(() => "TRANSACTION_END"));
  });

  test("holds neither others nor what is no START", async () => {
    const [a, b] = await two();
    const other = new Creator("other");
    await a.start();
    b.client.send(request("READ", { path: "/d" }));
    await settle();
    expect([b.take(), await other.start(), await b.start()]).toEqual(["READ", "TRANSACTION_START", ""]);
  });

  test("holds nobody who has a transaction open (turnstile invariant 2)", async () => {
    const [a, b] = await two();
    await a.start();
    expect(await a.start()).toBe("TRANSACTION_START");
    const first = a.txId;
    a.txId--;
    await a.end();
    await b.start();
    a.txId = first;
    expect(await a.start(), "b has the turn").toBe("TRANSACTION_START");
  });

  test("keeps a client's replies in order, and dispatches nothing behind its START before that", async () => {
    const [a, b] = await two();
    await a.start();
    b.client.send(START() + request("READ", { path: "/d" }) + request("WRITE", { path: "/late", value: "" }));
    await settle();
    expect(b.take()).toBe("");
    await a.end();
    expect(b.take()).toBe("TRANSACTION_START READ WRITE");
  });

  test("goes on reading from who waits, up to a bound", async () => {
    const [a, b] = await two();
    await a.start();
    const reads = (count: number) => Array.from({ length: count }, () => request("READ", { path: "/d" })).join("");
    b.client.send(START() + reads(3));
    expect(b.client.isPaused).toBe(false);
    b.client.send(reads(500));
    expect(b.client.isPaused).toBe(true);
    await a.end();
    await settle();
    expect([b.client.isPaused, b.take().split(" ").length]).toEqual([false, 504]);
  });

  test("gives a START that fails no turn", async () => {
    const [a, b] = await two();
    a.client.send(request("TRANSACTION_START", {}, 99));
    await settle();
    expect([a.take(), await b.start()]).toEqual(["ENOENT", "TRANSACTION_START"]);
  });

  test.each(["RESET_WATCHES", "an end without commit"] as const)("passes the turn on at %s", async (way) => {
    const [a, b] = await two();
    await a.start();
    await b.start();
    const abort = request("TRANSACTION_END", { commit: false }, a.txId);
    a.client.send(way === "RESET_WATCHES" ? request("RESET_WATCHES", {}) : abort);
    await settle();
    expect(b.take()).toBe("TRANSACTION_START");
  });

  test("passes the turn on when its holder goes, in a tick or between two, and forgets who goes while it waits", async () => {
    const [a, b, c] = await three();
    for (const each of [a, b, c]) await each.start();
    b.client.disconnect();
    await settle();
    expect(c.take()).toBe("");
    c.client.send(request("READ", { path: "/d" }));
    a.client.disconnect();
    await settle();
    expect(c.take()).toBe("TRANSACTION_START READ");
    const d = new Creator("d");
    await d.start();
    await d.work();
    await c.work();
    await c.end();
    expect([await d.end(), await c.start(), await d.start()]).toEqual(["EAGAIN", "TRANSACTION_START", ""]);
    c.client.send(request("READ", { path: "/d" }));
    c.client.disconnect();
    await settle();
    expect(d.take()).toBe("TRANSACTION_START");
  });

  test("answers who has closed its sending side while it waited, then closes", async () => {
    const [a, b] = await two();
    await a.start();
    await b.start();
    b.client.end();
    await settle();
    expect([b.client.isClosed, b.take()]).toEqual([false, ""]);
    await a.end();
    expect([b.client.isClosed, b.take()]).toEqual([true, "TRANSACTION_START"]);
  });

  test("passes the turn on also where the journal refuses what its holder committed", async () => {
    const [a, b, c] = await three();
    for (const each of [a, b, c]) await each.start();
    await a.work();
    journalErrors.push(new Error("EIO"));
    expect(await a.end()).toBe("EIO");
    expect(b.take()).toBe("TRANSACTION_START");
    await b.work();
    expect(await b.end()).toBe("TRANSACTION_END");
    expect(c.take()).toBe("TRANSACTION_START");
    await c.work();
    expect(await c.end()).toBe("TRANSACTION_END");
  });

  test("takes the turn from who idles, whose transaction goes on, and gives it none for a while", async () => {
    const [a, b] = await two();
    await a.start();
    await a.work();
    await b.start();
    await pass(DOM0_PATIENCE.idleMilliseconds);
    expect(b.take()).toBe("TRANSACTION_START");
    await b.work();
    expect(await a.end(), "nobody has committed meanwhile").toBe("TRANSACTION_END");
    expect(await b.end()).toBe("EAGAIN");
    expect([await b.start(), await a.start()]).toEqual(["TRANSACTION_START", ""]);
    await b.end();
    const starts = [a.take(), await b.start()];
    expect(starts, "a has started without a turn").toEqual(["TRANSACTION_START", "TRANSACTION_START"]);
    expect(core.turnCounters.turnsLost).toBe(1);
  });

  test("does not bar whose transaction somebody else has ended", async () => {
    const [a, b] = await two();
    await a.start();
    for (const connection of core.connections) if (connection.name === "socket-2") connection.transactions.clear();
    await b.start();
    await pass(DOM0_PATIENCE.idleMilliseconds);
    expect([b.take(), await a.start()]).toEqual(["TRANSACTION_START", ""]);
  });

  test("does not bar whom the write gate keeps from ending its transaction", async () => {
    const [a, b] = await two();
    await a.start();
    await a.work();
    await b.start();
    unsealedBytes = 1_000_000;
    expect(await a.end()).toBe("");
    await pass(DOM0_PATIENCE.idleMilliseconds);
    expect(b.take()).toBe("TRANSACTION_START");
    unsealedBytes = 0;
    server.askGateAgain();
    await settle();
    expect([a.take(), await a.start()]).toEqual(["TRANSACTION_END", ""]);
  });

  test("lets nobody wait longer than WAIT_MILLISECONDS_MAX, and sets timers only while somebody waits", async () => {
    // More than can lose their turns in that time by idling.
    const creators = await contenders(Array.from({ length: 50 }, (_, index) => `c${String(index)}`).join(" "));
    const last = creators.at(-1) as Creator;
    const timersBefore = timersDue.length;
    for (const each of creators) await each.start();
    expect(timersDue.length).toBe(timersBefore + 1);
    let waited = 0;
    for (; last.take() === ""; waited += CHECK_MILLISECONDS) {
      expect(waited).toBeLessThanOrEqual(WAIT_MILLISECONDS_MAX);
      await pass(CHECK_MILLISECONDS);
    }
    expect(waited).toBeGreaterThan(WAIT_MILLISECONDS_MAX - DOM0_PATIENCE.idleMilliseconds);
    for (const each of creators) each.client.disconnect();
    await pass(CHECK_MILLISECONDS);
    expect(timersDue.length).toBe(timersBefore);
  });

  test("passes the turn on where who has it is held for what it committed, and lets that go on later without", async () => {
    const [a, b, c] = await three();
    await a.start();
    unsealedBytes = 900_000;
    b.client.send(request("WRITE", { path: "/x", value: "" }) + START());
    await settle();
    unsealedBytes = 0;
    await c.start();
    expect([await a.end(), b.take(), c.take()]).toEqual(["TRANSACTION_END", "WRITE", "TRANSACTION_START"]);
    await pass(2);
    expect(b.take()).toBe("TRANSACTION_START");
  });

  test("goes on as long as the transactions have to do with each other, with no failure in between, and then no longer", async () => {
    const [a, b] = await two();
    for (let round = 0; round < 60; round++) {
      expect([await a.start(), await b.start()]).toEqual(["TRANSACTION_START", ""]);
      for (const each of [a, b]) {
        await each.work();
        now += 5;
        expect(await each.end()).toBe("TRANSACTION_END");
        b.take();
      }
    }
    let rounds = 0;
    for (; rounds < 60; rounds++) {
      await a.start();
      const started = await b.start();
      for (const each of [a, b]) {
        now += 5;
        each.client.send(request("WRITE", { path: `/${each.name}`, value: String(now) }, each.txId));
        await each.end();
        b.take();
      }
      if (started !== "") break;
    }
    expect(Math.abs(rounds * 10 - CONTENDER_MILLISECONDS)).toBeLessThanOrEqual(20);
  });

  test("does not hold those whose last contention is over", async () => {
    const [a, b] = await two();
    await pass(CONTENDER_MILLISECONDS + 1);
    expect([await a.start(), await b.start()]).toEqual(["TRANSACTION_START", "TRANSACTION_START"]);
  });

  test("stop does not wait for who waits", async () => {
    const [a, b] = await two();
    await a.start();
    await b.start();
    b.client.send(request("WRITE", { path: "/behind", value: "" }));
    const { seq } = core;
    server.stop();
    await settle();
    expect([b.client.isClosed, timersDue.length]).toEqual([true, 0]);
    expect(core.seq, "nobody has the turn of who was closed").toBe(seq);
  });
});
