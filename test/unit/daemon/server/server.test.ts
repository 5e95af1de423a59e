/**
 * The server's tick loop, with sockets in memory and a journal that records when it is written.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DOM0, type Domid, type Path } from "../../../../protocol/identifiers.js";
import { serializeHeader, serializeMessage } from "../../../../protocol/message.js";
import { operationNamed, type OperationName } from "../../../../protocol/operation.js";
import type { RequestPayloads } from "../../../../protocol/payload.js";
import { Core } from "../../../../daemon/dispatch/core.js";
import type { RequestObserver } from "../../../../daemon/dispatch/observer.js";
import type { JournalPosition } from "../../../../daemon/journal/journal.js";
import type { Change, Commit } from "../../../../daemon/store/commit.js";
import { emptyRoot } from "../../../../daemon/store/root.js";
import {
  MESSAGES_PER_TICK,
  GUEST_CONNECTIONS_MAX,
  Server,
  UNREAD_BYTES_DROPPED,
  UNREAD_BYTES_PAUSED,
} from "../../../../daemon/server/server.js";
import { nodeTimers } from "../../../../daemon/platform/node-timers.js";
import { WriteGate, type RecorderTrouble } from "../../../../daemon/server/write-gate.js";
import { payloadOf, type Received } from "../../../support/core-harness.js";
import { MemoryListener, type MemoryClient } from "./memory-listener.js";

const SOCKET = "/run/socket";
const JOURNAL_BYTES_MAX = 1_000_000;

/** What happened, in order: writes to sockets, to the journal, and the log. */
let happened: string[];
let listener: MemoryListener;
let core: Core;
let server: Server;
/** What the journal throws next, one for each append. */
let journalErrors: (Error | undefined)[];
let journaled: Commit[];
let now: number;
/** How many ticks began: each reads the clock once. */
let ticks: number;
/** Bytes that the history lacks; the limit is `JOURNAL_BYTES_MAX`. */
let unsealedBytes: number;
/** What each commit takes at most in the journal. */
let commitBytes: number;
let trouble: RecorderTrouble | undefined;
let flushes: { resolve: () => void; reject: (error: Error) => void }[];
let compactions: {
  revision: string;
  resolve: (answer: { refusal: string | undefined }) => void;
  reject: (error: Error) => void;
}[];

beforeEach(async () => {
  happened = [];
  observed = [];
  journalErrors = [];
  journaled = [];
  flushes = [];
  unsealedBytes = 0;
  commitBytes = 512;
  trouble = undefined;
  compactions = [];
  now = 1_000_000_000;
  ticks = 0;
  listener = new MemoryListener(record);
  core = newCore();
  server = serverOver();
  await server.start();
  happened.length = 0;
});

function record(what: string): void {
  happened.push(what);
}

function newCore(): Core {
  return new Core(emptyRoot(), 0 as Commit["seq"], {
    log: (level, _key, message) => {
      record(`core ${level} ${message}`);
    },
    describeHistory: () => {
      throw new Error("a faulty port");
    },
    describeMemory: () => "",
    setAccessLog: () => {},
    observer,
  });
}

/** What the core tells its observer, as a text each; undone ticks are left in. */
let observed: string[];

const observer: RequestObserver = {
  opened: ({ name }) => observed.push(`${name} opened`),
  closed: ({ name }) => observed.push(`${name} closed`),
  tickBegan: () => observed.push("began"),
  answered: ({ name }, { payload }, reply) =>
    observed.push(`${name} ${payload.replaceAll("\0", "|")} ${typeof reply === "string" ? "OK" : reply.error}`),
  delivered: ({ name }, path) => observed.push(`${name} event ${path}`),
  tickUndone: () => observed.push("undone"),
  tickEnded: () => observed.push("ended"),
};

function append(commits: readonly Commit[]): JournalPosition {
  const error = journalErrors.shift();
  record(error === undefined ? `journal ${String(commits.length)}` : "journal fails");
  if (error !== undefined) throw error;
  journaled.push(...commits);
  return { segment: "0.journal", offset: journaled.length, seq: core.seq };
}

/** A server of `core` and `listener`. */
function serverOver(): Server {
  return new Server(
    {
      core,
      journal: { append, lineBytesMax: () => commitBytes },
      listener,
      clock: { nowMicroseconds: () => (ticks++, now), monotonicMilliseconds: () => now / 1000 },
      timers: nodeTimers,
      log: { log: (level, key) => record(`log ${level} ${key}`), flush: () => {} },
      writeGate: new WriteGate(JOURNAL_BYTES_MAX, {
        unsealedBytes: () => unsealedBytes,
        sealedSeq: () => 0,
        trouble: () => trouble,
      }),
      journalWritten: ({ seq }) => record(`published ${String(seq)}`),
      flushHistory: async () => new Promise((resolve, reject) => flushes.push({ resolve, reject })),
      compactHistory: async (revision) =>
        new Promise((resolve, reject) => compactions.push({ revision, resolve, reject })),
      accessLog: () => undefined,
    },
    { socket: SOCKET, domains: "/run/domains" },
  );
}

afterEach(() => {
  // Its timers would act upon the next test's variables.
  server.stop();
});

/** Lets the event loop turn often enough that everything that can happen has happened. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 60; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** One turn of the event loop. */
async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

let requestCount = 0;

function request<Name extends OperationName>(name: Name, body: RequestPayloads[Name], txId = 0): string {
  return serializeMessage({
    type: operationNamed(name).number,
    requestId: ++requestCount,
    txId,
    payload: payloadOf(name, body),
  });
}

const read = (path = "/") => request("READ", { path });
const write = (path: string, value = "v") => request("WRITE", { path, value });
const watch = (path: string, token = "t") => request("WATCH", { path, token });
const introduce = (domid: number) => request("INTRODUCE", { domid: domid as Domid, gfn: 1, port: 1 });

function kinds(received: readonly Received[]): string[] {
  return received.map((each) =>
    each.kind === "reply" ? each.operation : each.kind === "error" ? each.error : `event ${each.path}`,
  );
}

/** Introduces a domain and connects to its socket. */
async function guest(domid: number): Promise<MemoryClient> {
  const dom0 = listener.connect(SOCKET);
  dom0.send(introduce(domid));
  await settle();
  dom0.disconnect();
  await settle();
  return listener.connect(`/run/domains/${String(domid)}`, `guest ${String(domid)}`);
}

describe("Server", () => {
  test("gives a new store /tool/xenstored as its first commit, which is in the journal", () => {
    expect(core.seq).toBe(1);
    expect(journaled.map(({ requests }) => requests.map(({ subject }) => subject))).toEqual([["/tool/xenstored"]]);
    expect(core.connections.size).toBe(0);
  });

  test("answers nothing before the tick's commits are in the journal (server invariant 1)", async () => {
    const [writer, reader] = [listener.connect(SOCKET, "writer"), listener.connect(SOCKET, "reader")];
    writer.send(watch("/a"));
    await settle();
    happened.length = 0;
    writer.send(write("/a") + write("/b"));
    reader.send(read("/a"));
    expect(happened).toEqual([]);
    await settle();
    expect(happened).toEqual(["journal 2", "published 3", "write writer", "write reader"]);
    expect(kinds(writer.take())).toEqual(["WATCH", "event /a", "WRITE", "event /a", "WRITE"]);
    expect(kinds(reader.take())).toEqual(["READ"]);
  });

  test("writes a journal that has nothing to tell not at all, and each socket once in a tick", async () => {
    const client = listener.connect(SOCKET, "client");
    client.send(read() + read());
    client.send(read());
    await settle();
    expect(happened).toEqual(["write client"]);
    expect(client.take()).toHaveLength(3);
  });

  test("takes messages that are cut at any byte", async () => {
    const client = listener.connect(SOCKET);
    for (const byte of write("/a") + read("/a")) client.send(byte);
    await settle();
    expect(kinds(client.take())).toEqual(["WRITE", "READ"]);
  });

  test("gives each connection MESSAGES_PER_TICK messages in a tick, in turns", async () => {
    const [greedy, modest] = [listener.connect(SOCKET, "greedy"), listener.connect(SOCKET, "modest")];
    greedy.send(Array.from({ length: 1000 }, () => read()).join(""));
    modest.send(read());
    const counts: [number, number][] = [];
    for (let tick = 0; tick < 12; tick++) {
      await turn();
      const got: [number, number] = [greedy.take().length, modest.take().length];
      if (got[0] + got[1] > 0) counts.push(got);
    }
    expect(counts[0]?.[1], "the modest client waits for the greedy one").toBe(1);
    for (const [messages] of counts) expect(messages).toBeLessThanOrEqual(MESSAGES_PER_TICK);
    expect(counts.reduce((sum, [messages]) => sum + messages, 0)).toBe(1000);
  });

  test("gives a connection no more than MESSAGES_PER_TICK in a tick when its messages come in many chunks", async () => {
    const client = listener.connect(SOCKET);
    for (let chunk = 0; chunk < 20; chunk++) client.send(Array.from({ length: 200 }, () => read()).join(""));
    await turn();
    expect(client.take().length).toBeLessThanOrEqual(MESSAGES_PER_TICK);
    await settle();
    expect(client.take().length).toBeGreaterThan(4000 - 2 * MESSAGES_PER_TICK);
  });

  test("stops reading from a client whose messages wait, and goes on afterwards", async () => {
    const client = listener.connect(SOCKET);
    client.send(Array.from({ length: 600 }, () => read()).join(""));
    expect(client.isPaused).toBe(true);
    await settle();
    expect(client.isPaused).toBe(false);
    expect(client.take()).toHaveLength(600);
  });

  test("forgets a client that goes, with its watches and transactions", async () => {
    const client = listener.connect(SOCKET);
    client.send(watch("/a") + request("TRANSACTION_START", {}) + request("WRITE", { path: "/x", value: "" }, 1));
    await settle();
    expect(core.connections.size).toBe(1);
    client.disconnect();
    await settle();
    expect([core.connections.size, server.sessionCount]).toEqual([0, 0]);
    const other = listener.connect(SOCKET);
    other.send(read("/x") + write("/a") + request("CONTROL", { command: "check", parameters: [] }));
    await settle();
    expect(kinds(other.take())).toEqual(["ENOENT", "WRITE", "CONTROL"]);
  });

  test("survives a client that goes within the tick in which it asked", async () => {
    const [client, other] = [listener.connect(SOCKET, "client"), listener.connect(SOCKET, "other")];
    client.send(write("/a"));
    client.disconnect();
    other.send(read("/a"));
    await settle();
    expect(happened).toEqual(["journal 1", "published 2", "write other"]);
    expect(kinds(other.take())).toEqual(["READ"]);
    expect(server.sessionCount).toBe(1);
  });

  test("answers a client that has closed its sending side, then closes", async () => {
    const client = listener.connect(SOCKET);
    client.send(write("/a"));
    client.end();
    await settle();
    expect(kinds(client.take())).toEqual(["WRITE"]);
    expect([client.isClosed, server.sessionCount]).toEqual([true, 0]);
  });

  test("answers a thousand messages of a client that has closed its sending side", async () => {
    const client = listener.connect(SOCKET);
    client.send(Array.from({ length: 1000 }, () => read()).join(""));
    client.end();
    await settle();
    expect(client.take()).toHaveLength(1000);
    expect(client.isClosed).toBe(true);
  });

  test("stop answers the tick at hand and closes every socket", async () => {
    const client = listener.connect(SOCKET, "client");
    client.send(write("/a"));
    server.stop();
    expect(kinds(client.take())).toEqual(["WRITE"]);
    expect(listener.sockets.size).toBe(0);
    client.send(read());
    await settle();
    expect(client.take()).toEqual([]);
    server.stop();
  });
});

describe("Server and a client that breaks the rules", () => {
  test("closes it after its earlier replies, and touches no other (XSA-420)", async () => {
    const [bad, good] = [listener.connect(SOCKET, "bad"), listener.connect(SOCKET, "good")];
    bad.send(write("/a") + read("/a") + serializeHeader(2, 1, 0, 4097) + read("/a"));
    good.send(read());
    await settle();
    expect(kinds(bad.take())).toEqual(["WRITE", "READ"]);
    expect(bad.isClosed).toBe(true);
    expect(happened.filter((each) => /bad/.test(each))).toEqual(["write bad", "close bad"]);
    good.send(read());
    await settle();
    expect(kinds(good.take())).toEqual(["READ", "READ"]);
    expect([good.isClosed, server.sessionCount]).toEqual([false, 1]);
  });

  test("closes it also when its broken message comes behind more than one tick's share", async () => {
    const bad = listener.connect(SOCKET);
    bad.send(Array.from({ length: 600 }, () => read()).join("") + serializeHeader(2, 1, 0, 0xffff_ffff));
    await settle();
    expect(bad.take()).toHaveLength(600);
    expect(bad.isClosed).toBe(true);
  });

  test("answers EIO to the one request whose handler throws, and logs it", async () => {
    const client = listener.connect(SOCKET);
    client.send(write("/a") + request("CONTROL", { command: "history", parameters: [] }) + read("/a"));
    await settle();
    expect(kinds(client.take())).toEqual(["WRITE", "EIO", "READ"]);
    expect(happened.filter((each) => each.startsWith("core error")).join()).toMatch(/history.*a faulty port/s);
    expect(core.seq).toBe(2);
  });
});

describe("Server and a journal that fails", () => {
  const noSpace = () => Object.assign(new Error("no space"), { code: "ENOSPC" });

  test("tells an observer that what it heard of the tick does not count, then what is answered (server invariant 2)", async () => {
    const [client, watcher] = [listener.connect(SOCKET), listener.connect(SOCKET)];
    watcher.send(watch("/a"));
    await settle();
    client.send(request("CONTROL", { command: "flush", parameters: [] }));
    await settle();
    observed = [];
    journalErrors = [noSpace()];
    watcher.send(write("/a"));
    flushes[0]?.resolve();
    await settle();
    expect(observed).toEqual([
      "began",
      "socket-3 /a|v OK",
      "socket-3 event /a",
      "socket-2 flush| OK",
      "undone",
      "socket-2 flush| OK",
      "socket-3 /a|v ENOSPC",
      "ended",
    ]);
  });

  test("answers ENOSPC to what would commit, and the rest as if nothing had been committed (server invariant 2)", async () => {
    const [client, watcher] = [listener.connect(SOCKET, "client"), listener.connect(SOCKET, "watcher")];
    watcher.send(watch("/a"));
    client.send(write("/a", "old"));
    await settle();
    watcher.take();
    client.take();
    journalErrors = [noSpace()];
    client.send(write("/a", "new") + read("/a") + request("MKDIR", { path: "/a" }));
    await settle();
    const [refused, value, made] = client.take();
    expect(kinds([refused, made] as Received[])).toEqual(["ENOSPC", "MKDIR"]);
    expect(value).toMatchObject({ payload: "old" });
    expect(watcher.take()).toEqual([]);
    expect(core.seq).toBe(2);
  });

  test("takes the next commits when the journal works again, with the next seq", async () => {
    const client = listener.connect(SOCKET);
    journalErrors = [noSpace()];
    client.send(write("/a"));
    await settle();
    client.send(write("/b"));
    await settle();
    expect(kinds(client.take())).toEqual(["ENOSPC", "WRITE"]);
    expect(journaled.map(({ seq }) => seq)).toEqual([1, 2]);
    expect(journaled.at(-1)?.requests[0]?.subject).toBe("/b");
  });

  test("names the reason as the wire can: ENOSPC and EROFS as they are, also as a cause, all else EIO", async () => {
    const client = listener.connect(SOCKET);
    const coded = (code: string) => Object.assign(new Error(code), { code });
    journalErrors = [
      coded("EROFS"),
      new Error("append failed", { cause: noSpace() }),
      coded("EMFILE"),
      new Error("no code"),
    ];
    for (const path of ["/1", "/2", "/3", "/4", "/5"]) {
      client.send(write(path));
      await settle();
    }
    expect(kinds(client.take())).toEqual(["EROFS", "ENOSPC", "EIO", "EIO", "WRITE"]);
  });

  test("goes on answering a guest whose RELEASE was refused", async () => {
    const client = await guest(5);
    const dom0 = listener.connect(SOCKET);
    journalErrors = [noSpace()];
    dom0.send(request("RELEASE", { domid: 5 as Domid }));
    client.send(
      request("IS_DOMAIN_INTRODUCED", { domid: 0 as Domid }) + request("GET_DOMAIN_PATH", { domid: 5 as Domid }),
    );
    await settle();
    expect(kinds(dom0.take())).toEqual(["ENOSPC"]);
    expect(kinds(client.take())).toEqual(["EACCES", "GET_DOMAIN_PATH"]);
    expect(client.isClosed).toBe(false);
    expect(listener.sockets.has("/run/domains/5")).toBe(true);
  });

  test("opens no socket for a domain whose INTRODUCE was refused", async () => {
    const dom0 = listener.connect(SOCKET);
    journalErrors = [noSpace()];
    dom0.send(introduce(6));
    await settle();
    expect(kinds(dom0.take())).toEqual(["ENOSPC"]);
    expect(listener.sockets.has("/run/domains/6")).toBe(false);
  });
});

describe("Server and a start whose first append fails", () => {
  const noSpace = () => Object.assign(new Error("no space"), { code: "ENOSPC" });
  const journaledPaths = () => journaled.flatMap(({ requests }) => requests.map(({ subject }) => subject));

  beforeEach(async () => {
    server.stop();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    core = newCore();
    journaled = [];
    happened.length = 0;
    journalErrors = [noSpace()];
    server = serverOver();
    await server.start();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("serves, and says that the store lacks its first node", async () => {
    expect(happened).toEqual(expect.arrayContaining(["log error journal", "log error initialize"]));
    const client = listener.connect(SOCKET);
    client.send(read("/tool/xenstored"));
    await settle();
    expect(kinds(client.take())).toEqual(["ENOENT"]);
  });

  test("makes it before the first commit of a client, when the journal takes one (server invariant 9)", async () => {
    const client = listener.connect(SOCKET);
    journalErrors = [noSpace()];
    for (let count = 0; count < 2; count++) {
      client.send(write("/a") + read("/tool/xenstored"));
      await settle();
    }
    expect(kinds(client.take())).toEqual(["ENOSPC", "ENOENT", "WRITE", "READ"]);
    expect([journaledPaths(), core.seq, core.connections.size]).toEqual([["/tool/xenstored", "/a"], 2, 1]);
    client.send(request("RM", { path: "/tool" }) + write("/b"));
    await settle();
    vi.advanceTimersByTime(10_000);
    await settle();
    expect(journaledPaths(), "and never again").toEqual(["/tool/xenstored", "/a", "/tool", "/b"]);
  });

  test("makes it by itself where nobody commits, also within a tick of readers", async () => {
    const client = listener.connect(SOCKET);
    journalErrors = [noSpace()];
    client.send(read());
    vi.advanceTimersByTime(1000);
    await settle();
    expect([kinds(client.take()), core.seq, core.connections.size]).toEqual([["READ"], 0, 2]);
    vi.advanceTimersByTime(1000);
    await settle();
    expect([journaledPaths(), core.connections.size]).toEqual([["/tool/xenstored"], 1]);
    const before = ticks;
    vi.advanceTimersByTime(10_000);
    await settle();
    expect(ticks, "and rests").toBe(before);
  });
});

describe("Server and domains", () => {
  test("binds a domain's socket at INTRODUCE, after the journal, and unbinds it at RELEASE", async () => {
    const dom0 = listener.connect(SOCKET, "dom0");
    dom0.send(introduce(5));
    await settle();
    expect(happened).toEqual(["journal 1", "published 2", "listen /run/domains/5", "write dom0"]);
    const client = listener.connect("/run/domains/5", "guest");
    client.send(request("RELEASE", { domid: 5 as Domid }) + request("GET_DOMAIN_PATH", { domid: 5 as Domid }));
    await settle();
    expect(kinds(client.take())).toEqual(["EACCES", "GET_DOMAIN_PATH"]);
    dom0.send(request("RELEASE", { domid: 5 as Domid }));
    await settle();
    expect(client.isClosed).toBe(true);
    expect(listener.sockets.has("/run/domains/5")).toBe(false);
    expect(server.sessionCount).toBe(1);
  });

  test("takes RELEASE while the guest's requests are handled (XSA-425)", async () => {
    const client = await guest(5);
    const dom0 = listener.connect(SOCKET);
    client.send(request("TRANSACTION_START", {}) + watch("/a"));
    dom0.send(request("RELEASE", { domid: 5 as Domid }));
    client.send(read() + request("TRANSACTION_END", { commit: true }, 1));
    await settle();
    expect(kinds(dom0.take())).toEqual(["RELEASE"]);
    dom0.send(introduce(5) + request("CONTROL", { command: "check", parameters: [] }));
    await settle();
    expect(kinds(dom0.take())).toEqual(["INTRODUCE", "CONTROL"]);
    const next = listener.connect("/run/domains/5");
    next.send(request("TRANSACTION_START", {}));
    await settle();
    expect(kinds(next.take())).toEqual(["TRANSACTION_START"]);
  });

  test("takes up GUEST_CONNECTIONS_MAX connections of one guest, and any number of another domain's", async () => {
    const first = await guest(5);
    const connect = () => listener.connect("/run/domains/5", "guest 5");
    const others = Array.from({ length: GUEST_CONNECTIONS_MAX - 1 }, connect);
    const refused = connect();
    expect([first, ...others].map(({ isClosed }) => isClosed)).not.toContain(true);
    expect(refused.isClosed).toBe(true);
    expect((await guest(6)).isClosed).toBe(false);
    first.disconnect();
    await settle();
    expect(connect().isClosed, "one has left").toBe(false);
  });

  test.each(["reads", "leaves"] as const)("lets a guest's connection go on when its sibling %s", async (how) => {
    const [busy, idle] = [await guest(5), listener.connect("/run/domains/5", "guest 5")];
    const dom0 = listener.connect(SOCKET);
    const perms = [{ access: 1, domid: 5 as Domid }] as const;
    dom0.send(write("/big", "x".repeat(4000)) + request("SET_PERMS", { path: "/big", perms: [...perms] }));
    dom0.send(request("SET_QUOTA", { domid: 5 as Domid, quota: "memory", value: 10_000 }));
    await settle();
    busy.room = 0;
    busy.send(read("/big") + read("/big") + read("/big"));
    await settle();
    idle.send(read("/big"));
    await settle();
    expect(idle.isPaused, "the quota is the domain's").toBe(true);
    if (how === "reads") busy.read();
    else busy.disconnect();
    await settle();
    idle.send(read("/big"));
    await settle();
    expect(kinds(idle.take())).toEqual(["READ", "READ"]);
    expect(idle.isPaused).toBe(false);
  });

  test("makes no turns when there is nothing to do", async () => {
    const client = listener.connect(SOCKET);
    client.send(read("/"));
    await settle();
    const before = ticks;
    await settle();
    expect(ticks).toBe(before);
    client.send(read("/"));
    await settle();
    expect(ticks, "and one when there is").toBe(before + 1);
  });

  test("takes at most as many messages of a guest in a tick as its quota of outstanding requests", async () => {
    const client = await guest(5);
    client.send(Array.from({ length: 100 }, () => request("GET_DOMAIN_PATH", { domid: 5 as Domid })).join(""));
    expect(client.isPaused).toBe(true);
    for (let tick = 0; tick < 3; tick++) {
      await turn();
      expect(client.take().length).toBeLessThanOrEqual(20);
    }
    await settle();
    expect(kinds(client.take()).every((kind) => kind === "GET_DOMAIN_PATH")).toBe(true);
    expect(client.isPaused).toBe(false);
  });

  test("dispatches nothing more for a guest that leaves 20 replies unread, and goes on when it reads", async () => {
    const client = await guest(5);
    client.room = 0;
    const paths = (count: number) =>
      Array.from({ length: count }, () => request("GET_DOMAIN_PATH", { domid: 5 as Domid })).join("");
    client.send(paths(1));
    await settle();
    client.send(paths(60));
    await settle();
    expect(client.isPaused).toBe(true);
    const queued = [...core.connections].find(({ domid }) => domid === 5)?.outbox.unsentReplies ?? 0;
    expect(queued).toBe(20);
    client.read();
    await settle();
    expect(client.take()).toHaveLength(61);
    expect(client.isPaused).toBe(false);
  });
});

describe("Server and a client that does not read", () => {
  const big = "x".repeat(4000);
  const reads = (count: number) => Array.from({ length: count }, () => read("/big")).join("");

  /** A client with this much room, after /big was written. */
  async function slowClient(room: number): Promise<MemoryClient> {
    const client = listener.connect(SOCKET, "slow");
    client.send(write("/big", big));
    await settle();
    client.take();
    client.room = room;
    return client;
  }

  test("keeps the order of what the socket does not take at once", async () => {
    const client = await slowClient(10);
    client.send(read("/big") + write("/n", "1"));
    await settle();
    client.send(read("/n") + write("/n", "2"));
    await settle();
    client.send(read("/n"));
    await settle();
    client.read(5);
    await settle();
    client.read();
    await settle();
    const values = client.take().map((each) => (each.kind === "reply" ? each.payload.slice(0, 1) : each.kind));
    expect(values).toEqual(["x", "O", "1", "O", "2"]);
  });

  test("stops reading from dom0 above UNREAD_BYTES_PAUSED, others are answered, and goes on below it", async () => {
    const client = await slowClient(0);
    const other = listener.connect(SOCKET);
    for (let chunk = 0; chunk < 10; chunk++) client.send(reads(100));
    await settle();
    expect(client.isPaused).toBe(true);
    const unread = [...core.connections].map(({ outbox }) => outbox.unreadBytes);
    expect(Math.max(...unread)).toBeGreaterThan(UNREAD_BYTES_PAUSED);
    expect(Math.max(...unread)).toBeLessThan(UNREAD_BYTES_PAUSED + 5000);
    other.send(read());
    await settle();
    expect(kinds(other.take())).toEqual(["READ"]);
    client.read();
    await settle();
    expect(client.take()).toHaveLength(1000);
    expect(client.isPaused).toBe(false);
  });

  test("closes dom0's client above UNREAD_BYTES_DROPPED, which events alone can make", async () => {
    const client = await slowClient(0);
    const watches = 128;
    client.send(
      Array.from({ length: watches }, (_, index) => watch("/big", `${String(index)} ${"t".repeat(3900)}`)).join(""),
    );
    await settle();
    const writer = listener.connect(SOCKET, "writer");
    // Distinct paths, so that no event is collapsed into another.
    const writes = Math.ceil(UNREAD_BYTES_DROPPED / (watches * 3900)) + 1;
    for (let path = 0; path < writes; path++) writer.send(write(`/big/${String(path)}`));
    await settle();
    expect(client.isClosed).toBe(true);
    expect(happened).toContain("log warn unread");
    await settle();
    expect(server.sessionCount).toBe(1);
    writer.send(read());
    await settle();
    expect(kinds(writer.take()).at(-1)).toBe("READ");
  });

  test("collapses equal events that wait, and drops a guest's events above its memory quota", async () => {
    const client = await guest(5);
    const dom0 = listener.connect(SOCKET);
    dom0.send(write("/local/domain/5") + request("SET_QUOTA", { domid: 5 as Domid, quota: "memory", value: 2000 }));
    dom0.send(request("SET_PERMS", { path: "/local/domain/5", perms: [{ access: 1, domid: 5 as Domid }] }));
    client.send(watch("/local/domain/5"));
    await settle();
    client.take();
    client.room = 0;
    dom0.send(write("/local/domain/5"));
    await settle();
    for (let repeat = 0; repeat < 50; repeat++) dom0.send(write("/local/domain/5"));
    await settle();
    const [connection] = [...core.connections].filter(({ domid }) => domid === 5);
    expect(connection?.outbox.counters).toEqual({ collapsedEvents: 49, droppedEvents: 0 });
    for (let path = 0; path < 100; path++) dom0.send(write(`/local/domain/5/${String(path)}`));
    await settle();
    expect(connection?.outbox.unreadBytes).toBeLessThanOrEqual(2000);
    expect(connection?.outbox.counters.droppedEvents).toBeGreaterThan(40);
    client.read();
    await settle();
    const events = client.take();
    expect(events.length).toBeGreaterThan(10);
    expect(new Set(kinds(events).slice(1)).size).toBe(events.length - 1);
  });
});

describe("Server and CONTROL flush", () => {
  const flush = () => request("CONTROL", { command: "flush", parameters: [] });

  test("answers when the history is sealed, and keeps the client's order", async () => {
    const [client, other] = [listener.connect(SOCKET, "client"), listener.connect(SOCKET, "other")];
    client.send(write("/a") + flush() + read("/a"));
    client.send(write("/a", "w"));
    await settle();
    other.send(read("/a"));
    await settle();
    expect(kinds(client.take())).toEqual(["WRITE"]);
    expect(other.take()).toMatchObject([{ payload: "v" }]);
    expect(flushes).toHaveLength(1);
    flushes[0]?.resolve();
    await settle();
    expect(client.take()).toMatchObject([{ payload: "OK\0" }, { payload: "v" }, { payload: "OK\0" }]);
    expect(client.isPaused).toBe(false);
  });

  test("answers EIO when the history cannot be sealed", async () => {
    const client = listener.connect(SOCKET);
    client.send(flush());
    await settle();
    flushes[0]?.reject(new Error("no disk"));
    await settle();
    expect(kinds(client.take())).toEqual(["EIO"]);
  });

  test("lets a client go that waits", async () => {
    const client = listener.connect(SOCKET);
    client.send(flush());
    await settle();
    client.disconnect();
    flushes[0]?.resolve();
    await settle();
    expect(server.sessionCount).toBe(0);
  });
});

describe("Server and CONTROL compact", () => {
  const compact = (...parameters: string[]) => request("CONTROL", { command: "compact", parameters });

  test("answers OK when the history begins there, EINVAL with the reason in the log when it cannot, EIO when it fails", async () => {
    const client = listener.connect(SOCKET, "client");
    client.send(compact("v1") + read("/"));
    await settle();
    expect(kinds(client.take())).toEqual([]);
    compactions[0]?.resolve({ refusal: undefined });
    await settle();
    expect(client.take()).toMatchObject([{ payload: "OK\0" }, { payload: "" }]);
    client.send(compact("@{7}") + compact("main"));
    await settle();
    compactions[1]?.resolve({ refusal: "there is no commit @{7}" });
    await settle();
    compactions[2]?.reject(new Error("no disk"));
    await settle();
    expect(kinds(client.take())).toEqual(["EINVAL", "EIO"]);
    expect(compactions.map(({ revision }) => revision)).toEqual(["v1", "@{7}", "main"]);
    expect(happened).toContain("log warn compact");
    expect(happened).toContain("log error compact");
  });

  test("is EINVAL at once without exactly one revision", async () => {
    const client = listener.connect(SOCKET);
    client.send(compact() + compact("a", "b") + compact(""));
    await settle();
    expect(kinds(client.take())).toEqual(["EINVAL", "EINVAL", "EINVAL"]);
    expect(compactions).toEqual([]);
  });
});

describe("Server and fairness (XSA-206)", () => {
  test.each([1, 60, 400])(
    "lets dom0 commit in at most 10 tries of %s ms beside a guest that writes in each",
    async (milliseconds) => {
      const client = await guest(5);
      const dom0 = listener.connect(SOCKET);
      dom0.send(write("/hot"));
      dom0.send(request("SET_PERMS", { path: "/hot", perms: [{ access: 0, domid: 5 as Domid }] }));
      await settle();
      dom0.take();
      let written = 0;
      const writeHot = () => {
        client.send(request("WRITE", { path: "/hot", value: String(written++) }));
      };
      let tries = 0;
      for (let done = false; !done && tries < 20; tries++) {
        dom0.send(request("TRANSACTION_START", {}));
        await settle();
        const [start] = dom0.take();
        const txId = start?.kind === "reply" ? Number(start.payload.slice(0, -1)) : 0;
        dom0.send(request("READ", { path: "/hot" }, txId));
        await settle();
        now += milliseconds * 1000;
        writeHot();
        await settle();
        dom0.send(
          request("WRITE", { path: "/hot", value: "dom0" }, txId) + request("TRANSACTION_END", { commit: true }, txId),
        );
        await settle();
        done = kinds(dom0.take()).at(-1) === "TRANSACTION_END";
      }
      expect(tries).toBeGreaterThan(1);
      expect(tries).toBeLessThanOrEqual(10);
    },
  );
});

describe("Server and a history that is behind", () => {
  const SLOWED = 0.9 * JOURNAL_BYTES_MAX;
  const writes = (count: number) => Array.from({ length: count }, (_, index) => write(`/w/${String(index)}`)).join("");

  test("holds who committed for a time, and nobody else (server invariant 6)", async () => {
    const [writer, reader] = [listener.connect(SOCKET, "writer"), listener.connect(SOCKET, "reader")];
    unsealedBytes = SLOWED;
    writer.send(writes(180));
    await settle();
    expect(writer.take(), "the commits are acknowledged at once").toHaveLength(180);
    writer.send(read() + write("/b"));
    reader.send(read() + read());
    const ticksBefore = ticks;
    await settle();
    expect([kinds(writer.take()), kinds(reader.take())]).toEqual([[], ["READ", "READ"]]);
    // One tick for the reader; the timer is set to a tenth of a second.
    expect(ticks - ticksBefore, "nobody turns in circles (server invariant 5)").toBeLessThan(30);
    expect([writer.isPaused, reader.isPaused]).toEqual([true, false]);
    now += 1_000_000;
    reader.send(read());
    await settle();
    expect(kinds(writer.take())).toEqual(["READ", "WRITE"]);
  });

  test("lets who was held go on by itself when the time is over", async () => {
    const writer = listener.connect(SOCKET, "writer");
    unsealedBytes = SLOWED;
    writer.send(write("/a"));
    await settle();
    writer.send(read("/a"));
    await settle();
    writer.take();
    now += 1_000_000;
    await expect.poll(() => kinds(writer.take()), { interval: 1, timeout: 10_000 }).toEqual(["READ"]);
  });

  test("holds dom0 no longer when guests flood in the same tick (gate invariant 4)", async () => {
    const dom0 = listener.connect(SOCKET);
    const guests = [await guest(5), await guest(6)];
    dom0.send(write("/open") + request("SET_PERMS", { path: "/open", perms: [{ access: 3, domid: 0 as Domid }] }));
    await settle();
    unsealedBytes = SLOWED;
    commitBytes = 20_000;
    for (const client of guests) client.send(Array.from({ length: 2 }, () => write("/open")).join(""));
    commitBytes = 512;
    dom0.send(write("/open"));
    await settle();
    dom0.take();
    dom0.send(read());
    await settle();
    expect(dom0.take(), "it is held for its commit").toEqual([]);
    now += 10_000;
    for (const client of guests) client.send(read());
    listener.connect(SOCKET).send(read());
    await settle();
    expect([kinds(dom0.take()), ...guests.map((client) => client.take().length)]).toEqual([["READ"], 2, 2]);
  });

  test("holds a guest as it holds dom0", async () => {
    const client = await guest(5);
    const dom0 = listener.connect(SOCKET);
    dom0.send(write("/a") + request("SET_PERMS", { path: "/a", perms: [{ access: 0, domid: 5 as Domid }] }));
    await settle();
    unsealedBytes = SLOWED;
    client.send(write("/a", "1"));
    await settle();
    client.send(write("/a", "2"));
    await settle();
    expect(kinds(client.take())).toEqual(["WRITE"]);
    now += 1_000_000;
    dom0.send(read());
    await settle();
    expect(kinds(client.take())).toEqual(["WRITE"]);
  });

  test("holds a transaction at the end that commits, and not before", async () => {
    const client = listener.connect(SOCKET);
    unsealedBytes = SLOWED;
    const inside = [1, 2, 3].map((number) => request("WRITE", { path: `/t/${String(number)}`, value: "" }, 1));
    for (const message of [request("TRANSACTION_START", {}), ...inside]) {
      client.send(message);
      await settle();
    }
    expect(kinds(client.take())).toEqual(["TRANSACTION_START", "WRITE", "WRITE", "WRITE"]);
    client.send(request("TRANSACTION_END", { commit: true }, 1));
    await settle();
    client.send(read());
    await settle();
    expect(kinds(client.take())).toEqual(["TRANSACTION_END"]);
  });

  test("holds nobody for commits that the journal refused", async () => {
    const client = listener.connect(SOCKET);
    unsealedBytes = SLOWED;
    journalErrors = [new Error("no disk")];
    client.send(write("/a"));
    await settle();
    client.send(read());
    await settle();
    expect(kinds(client.take())).toEqual(["EIO", "READ"]);
  });

  test("lets what may commit wait at the limit, and what its client sent behind it, and nothing else", async () => {
    const [writer, reader] = [listener.connect(SOCKET, "writer"), listener.connect(SOCKET, "reader")];
    unsealedBytes = JOURNAL_BYTES_MAX;
    writer.send(read() + write("/a") + read("/a"));
    reader.send(
      request("TRANSACTION_START", {}) +
        request("WRITE", { path: "/t", value: "" }, 1) +
        request("TRANSACTION_END", { commit: false }, 1) +
        request("TRANSACTION_START", {}) +
        request("READ", { path: "/" }, 2) +
        request("TRANSACTION_END", { commit: true }, 2) +
        request("CONTROL", { command: "check", parameters: [] }),
    );
    await settle();
    expect(kinds(writer.take())).toEqual(["READ"]);
    expect(writer.isPaused).toBe(true);
    expect(kinds(reader.take())).toEqual([
      "TRANSACTION_START",
      "WRITE",
      "TRANSACTION_END",
      "TRANSACTION_START",
      "READ",
      "TRANSACTION_END",
      "CONTROL",
    ]);
    unsealedBytes = 0;
    server.askGateAgain();
    await settle();
    expect(kinds(writer.take())).toEqual(["WRITE", "READ"]);
    expect(writer.isPaused).toBe(false);
  });

  test("is above its limit by less than the one commit that was begun below it, however large (gate invariant 2)", async () => {
    const clients = ["a", "b", "c"].map((name) => listener.connect(SOCKET, name));
    commitBytes = 100_000;
    unsealedBytes = JOURNAL_BYTES_MAX - 250_000;
    for (const client of clients) client.send(writes(2));
    unsealedBytes = JOURNAL_BYTES_MAX;
    await settle();
    expect(journaled.length - 1, "two fit, and the third was begun below the limit").toBe(3);
    expect(clients.map((client) => client.take().length)).toEqual([2, 1, 0]);
  });

  test("commits in one tick no more than fits", async () => {
    const [writer, other] = [listener.connect(SOCKET, "writer"), listener.connect(SOCKET, "other")];
    unsealedBytes = JOURNAL_BYTES_MAX - 10 * 512;
    writer.send(writes(8));
    other.send(writes(3));
    unsealedBytes = JOURNAL_BYTES_MAX;
    await settle();
    expect(journaled).toHaveLength(1 + 10);
    // Turns in which the last write may not go must not lose it.
    listener.connect(SOCKET).send(read());
    await settle();
    now += 1_000_000;
    unsealedBytes = 0;
    server.askGateAgain();
    await settle();
    expect([writer.take().length, other.take().length]).toEqual([8, 3]);
  });

  test("shares what room there is: who sends without end does not keep another from committing (server invariant 8)", async () => {
    const [flood, other] = [listener.connect(SOCKET, "flood"), listener.connect(SOCKET, "other")];
    unsealedBytes = JOURNAL_BYTES_MAX;
    flood.send(writes(1000));
    await settle();
    other.send(writes(15));
    await settle();
    const replies: [number, number][] = [];
    for (let seal = 0; seal < 4; seal++) {
      now += 2_000_000;
      unsealedBytes = JOURNAL_BYTES_MAX - 10 * 512;
      server.askGateAgain();
      await turn();
      unsealedBytes = JOURNAL_BYTES_MAX;
      await settle();
      replies.push([flood.take().length, other.take().length]);
    }
    expect(replies).toEqual([
      [10, 0],
      [0, 10],
      [10, 0],
      [5, 5],
    ]);
  });

  test("lets one guest's turn at most pass dom0, however many guests flood, and none pass another (server invariant 8)", async () => {
    const flood: MemoryClient[] = [];
    for (const domid of [5, 6, 7]) {
      flood.push(await guest(domid));
      if (domid === 5) for (let more = 0; more < 9; more++) flood.push(listener.connect("/run/domains/5", "guest 5"));
    }
    const dom0 = listener.connect(SOCKET, "dom0");
    dom0.send(write("/open") + request("SET_PERMS", { path: "/open", perms: [{ access: 3, domid: 0 as Domid }] }));
    await settle();
    unsealedBytes = JOURNAL_BYTES_MAX;
    for (const client of flood) client.send(Array.from({ length: 100 }, () => write("/open")).join(""));
    await settle();
    dom0.take();
    const begin = journaled.length;
    for (let seal = 0; seal < 6; seal++) {
      // The toolstack comes when the journal has room again, and does not wait for who has waited since long.
      now += 2_000_000;
      dom0.send(write("/open"));
      unsealedBytes = JOURNAL_BYTES_MAX - 21 * 512;
      server.askGateAgain();
      await turn();
      expect(kinds(dom0.take()), "in the first turn, since a guest's is 20 messages").toEqual(["WRITE"]);
      unsealedBytes = JOURNAL_BYTES_MAX;
      await settle();
    }
    const counts = new Map<number, number>();
    for (const { origin } of journaled.slice(begin)) counts.set(origin.domid, (counts.get(origin.domid) ?? 0) + 1);
    expect(Object.fromEntries(counts)).toEqual({ 0: 6, 5: 40, 6: 40, 7: 40 });
  });

  test("lets who has just sent not pass who waits at the limit (server invariant 8)", async () => {
    const [waiting, late] = [listener.connect(SOCKET, "waiting"), listener.connect(SOCKET, "late")];
    unsealedBytes = JOURNAL_BYTES_MAX;
    waiting.send(writes(2));
    await settle();
    now += 2_000_000;
    unsealedBytes = JOURNAL_BYTES_MAX - 512;
    late.send(read() + write("/late"));
    await turn();
    unsealedBytes = JOURNAL_BYTES_MAX;
    await settle();
    expect([kinds(waiting.take()), kinds(late.take())]).toEqual([["WRITE"], ["READ"]]);
  });

  test("answers who has closed its sending side while it waited, and forgets who went", async () => {
    const [ended, gone] = [listener.connect(SOCKET, "ended"), listener.connect(SOCKET, "gone")];
    unsealedBytes = JOURNAL_BYTES_MAX;
    ended.send(write("/a"));
    ended.end();
    gone.send(write("/b"));
    gone.disconnect();
    await settle();
    expect([ended.isClosed, server.sessionCount]).toEqual([false, 1]);
    unsealedBytes = 0;
    server.askGateAgain();
    await settle();
    expect(kinds(ended.take())).toEqual(["WRITE"]);
    expect([ended.isClosed, server.sessionCount, core.seq]).toEqual([true, 0, 2]);
  });

  test("refuses commits at the limit when the recorder is in trouble, those who wait too, and says why (server invariant 7)", async () => {
    const [client, waiting] = [listener.connect(SOCKET, "client"), listener.connect(SOCKET, "waiting")];
    unsealedBytes = JOURNAL_BYTES_MAX;
    waiting.send(write("/a"));
    await settle();
    expect(waiting.take()).toEqual([]);
    trouble = { reason: "no space", isFinal: false };
    server.askGateAgain();
    await settle();
    expect(kinds(waiting.take())).toEqual(["ENOSPC"]);
    client.send(
      write("/b") +
        read() +
        request("TRANSACTION_START", {}) +
        request("WRITE", { path: "/t", value: "" }, 1) +
        request("TRANSACTION_END", { commit: true }, 1) +
        read(),
    );
    await settle();
    expect(kinds(client.take())).toEqual(["ENOSPC", "READ", "TRANSACTION_START", "WRITE", "ENOSPC", "READ"]);
    trouble = { reason: "damage", isFinal: true };
    client.send(write("/b"));
    await settle();
    expect(kinds(client.take())).toEqual(["EIO"]);
    expect(happened.filter((each) => each.startsWith("log"))).toEqual([
      "log error commits refused",
      "log error commits refused",
    ]);
    expect(core.seq).toBe(1);
  });

  test("accepts commits again when the recorder goes on", async () => {
    const client = listener.connect(SOCKET);
    unsealedBytes = JOURNAL_BYTES_MAX;
    trouble = { reason: "no space", isFinal: false };
    client.send(write("/a"));
    await settle();
    trouble = undefined;
    client.send(write("/b"));
    await settle();
    expect(kinds(client.take()), "at the limit it waits").toEqual(["ENOSPC"]);
    unsealedBytes = JOURNAL_BYTES_MAX - 1;
    server.askGateAgain();
    await settle();
    expect(kinds(client.take())).toEqual(["WRITE"]);
    expect(happened).toContain("log info commits accepted");
  });

  test("stop does not wait for who waits", async () => {
    const writer = listener.connect(SOCKET, "writer");
    unsealedBytes = JOURNAL_BYTES_MAX;
    writer.send(writes(300));
    await settle();
    server.stop();
    await settle();
    expect([writer.isClosed, listener.sockets.size, core.seq]).toEqual([true, 0, 1]);
  });
});

describe("Server.perform", () => {
  /** Has the daemon write a node by itself, in place of what a rollback would do. */
  function deed(path: string): (core: Core) => { readonly outcome: string } {
    return (given) => {
      const from = given.root;
      const perms = from.node.perms;
      const changes = [
        { kind: "node", path: path as Path, before: undefined, after: { value: "", perms } },
      ] as const satisfies Change[];
      const act = { operation: "LOAD", subject: path, detail: "" } as const;
      return given.makeChanges(given.connect(DOM0, "admin"), { from, changes, way: "merge", act });
    };
  }

  test("is a part of the tick, in order with what clients send, and ends when its commit is in the journal", async () => {
    const client = listener.connect(SOCKET, "client");
    client.send(watch("/a"));
    await settle();
    happened.length = 0;
    const performed = server.perform(deed("/a")).then((result) => {
      record(result.outcome);
    });
    client.send(read("/a"));
    expect(happened).toEqual([]);
    await performed;
    await settle();
    expect(happened).toEqual(["journal 1", "published 2", "write client", "committed"]);
    expect(kinds(client.take())).toEqual(["WATCH", "event /a", "event /a", "READ"]);
  });

  test("is undone with its tick where the journal refuses it, and done again with commits refused", async () => {
    const client = listener.connect(SOCKET, "client");
    journalErrors.push(new Error("EIO"));
    const performed = server.perform(deed("/a"));
    client.send(read("/a"));
    expect(await performed).toEqual({ outcome: "refused", error: "EIO" });
    await settle();
    expect(kinds(client.take())).toEqual(["ENOENT"]);
    expect(await server.perform(deed("/a"))).toMatchObject({ outcome: "committed", seq: 2 });
  });

  test("counts what it commits for the write gate", async () => {
    const client = listener.connect(SOCKET, "client");
    commitBytes = JOURNAL_BYTES_MAX;
    const performed = server.perform(deed("/a"));
    client.send(write("/b"));
    await performed;
    expect(journaled.map(({ requests }) => requests[0]?.subject)).toEqual(["/tool/xenstored", "/a"]);
    await settle();
    expect(kinds(client.take())).toEqual(["WRITE"]);
  });

  test("rejects with what the deed throws, and once the server has stopped", async () => {
    const failing = server.perform(() => {
      throw new Error("no such deed");
    });
    await expect(failing).rejects.toThrow("no such deed");
    server.stop();
    await expect(server.perform(() => 1)).rejects.toThrow("the daemon is stopping");
  });
});
