/**
 * The contract of `Listener`, on real sockets: one suite for node-ipc and for the native reactor, and what only the reactor
 * promises. Without a built reactor its half is skipped, which CI does not allow (see `.ci/run`).
 */
import { existsSync, readSync, statSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { ListeningSocket, Stream, StreamHandler } from "../../daemon/platform/listener.js";
import { createListener, LISTENER_KINDS, type ListenerKind } from "../../daemon/server/choose-listener.js";
import { whyNoReactor } from "../../daemon/server/reactor/reactor-listener.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const BYTES = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("");
const MIB = 1024 * 1024;
/** More than a Unix socket holds. */
const MUCH = "x".repeat(8 * MIB);
/** What the reactor copies into a buffer that it has (OUTPUT_BYTES in reactor.c). */
const OUTPUT_BYTES = 256 * 1024;

const missing = whyNoReactor();
if (missing !== undefined) console.warn(`the reactor's half of the listener contract is skipped: ${missing}`);

/** What a test's stream was told, in order; `data` without its bytes. */
interface Told {
  readonly stream: Stream;
  readonly events: string[];
  text: string;
  /** Resolves when it was told so, now or later. */
  readonly on: (event: string) => Promise<void>;
}

/** A listening socket, and everything that its streams are told. */
interface Bound {
  readonly path: string;
  readonly socket: ListeningSocket;
  /** In the order of acceptance. */
  readonly streams: Told[];
  readonly problems: string[];
  /** Resolves to the stream that is accepted as number `index`. */
  readonly accepted: (index: number) => Promise<Told>;
}

/** Waits for something that events bring about. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

function tell(stream: Stream, more: Partial<StreamHandler>): { told: Told; handler: StreamHandler } {
  const events: string[] = [];
  const told: Told = { stream, events, text: "", on: (event) => until(() => events.includes(event)) };
  const record = (event: "drain" | "ended" | "closed") => () => {
    events.push(event);
    more[event]?.();
  };
  const data = (chunk: string): void => {
    events.push("data");
    told.text += chunk;
    more.data?.(chunk);
  };
  return { told, handler: { data, drain: record("drain"), ended: record("ended"), closed: record("closed") } };
}

/** Connects; resolves when the peer accepts. */
async function connect(path: string): Promise<Socket> {
  const socket = createConnection({ path, allowHalfOpen: true }).setEncoding("latin1");
  socket.pause().on("error", () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** Everything that comes until the peer closes. */
async function readAll(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk: string) => (text += chunk));
  await new Promise((resolve) => {
    for (const event of ["end", "error", "close"]) socket.once(event, resolve);
    socket.resume();
  });
  return text;
}

/** Reads what is there without the event loop, from a socket that is paused. */
function readNow(socket: Socket): number {
  const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle;
  const buffer = Buffer.alloc(MIB);
  for (let length = 0; ;) {
    try {
      const count = readSync(fd, buffer);
      if (count === 0) return length;
      length += count;
    } catch {
      return length;
    }
  }
}

/** Peers that are gone, in any manner, must not keep the processor busy. */
async function expectIdle(): Promise<void> {
  await delay(50);
  const before = process.cpuUsage();
  await delay(400);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1000, "milliseconds of processor time in 400").toBeLessThan(150);
}

/** What is thrown meanwhile and caught by nobody; the test runner's own handlers rest. */
function uncaught(): string[] {
  const before = process.rawListeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  const messages: string[] = [];
  process.on("uncaughtException", (error) => messages.push(error.message));
  onTestFinished(() => {
    process.removeAllListeners("uncaughtException");
    for (const listener of before) process.on("uncaughtException", listener as (error: Error) => void);
  });
  return messages;
}

describe.each(LISTENER_KINDS)("%s", (kind: ListenerKind) => {
  const suite = kind === "reactor" && missing !== undefined ? test.skip : test;
  let directory: string;
  beforeEach(() => {
    directory = temporaryDirectory();
  });

  /** Listens; whatever `more` does comes after what is recorded. */
  async function bind(
    more: (stream: Stream, index: number) => Partial<StreamHandler> = () => ({}),
    name = "socket",
  ): Promise<Bound> {
    const path = join(directory, name);
    const streams: Told[] = [];
    const problems: string[] = [];
    const socket = createListener(kind, (problem) => problems.push(problem)).listen(path, (stream) => {
      const { told, handler } = tell(stream, more(stream, streams.length));
      streams.push(told);
      return handler;
    });
    onTestFinished(() => socket.close());
    await socket.listening;
    const accepted = async (index: number): Promise<Told> => {
      await until(() => streams.length > index);
      return streams[index] as Told;
    };
    return { path, socket, streams, problems, accepted };
  }

  const echo = (stream: Stream): Partial<StreamHandler> => ({
    data: (chunk) => void stream.write(chunk),
    ended: () => stream.finish(),
  });

  describe("bytes", () => {
    suite("goes through unchanged, all 256 of them, also to a client that has closed its sending side", async () => {
      const { path, accepted } = await bind(echo);
      const client = await connect(path);
      client.end(BYTES, "latin1");
      expect(await readAll(client)).toBe(BYTES);
      const told = await accepted(0);
      await told.on("closed");
      expect([told.text, told.events]).toEqual([BYTES, ["data", "ended", "closed"]]);
    });

    suite("of every length about that of the reactor's buffer arrive whole", async () => {
      const { path, accepted } = await bind(echo);
      const client = await connect(path);
      const { stream } = await accepted(0);
      let expected = "";
      for (const difference of [-2, -1, 0, 1, 2]) {
        const text = String(difference).padEnd(OUTPUT_BYTES + difference, "ab");
        expected += text;
        stream.write(text);
      }
      stream.finish();
      expect((await readAll(client)) === expected).toBe(true);
    });

    suite("of 64 MiB in one write arrive whole", async () => {
      const { path, accepted } = await bind();
      const client = await connect(path);
      const told = await accepted(0);
      const output = BYTES.repeat((64 * MIB) / 256);
      expect(told.stream.write(output)).toBe(false);
      expect(told.stream.pendingBytes()).toBeGreaterThan(63 * MIB);
      const received = readAll(client);
      await told.on("drain");
      told.stream.close();
      expect((await received) === output).toBe(true);
      await told.on("closed");
      expect(told.events).toEqual(["drain", "closed"]);
    });

    suite("are kept in order, and in a time that grows with their number, when written on and on", async () => {
      const { path, accepted } = await bind();
      const client = await connect(path);
      const { stream } = await accepted(0);
      const pieces = ["", MUCH];
      for (let index = 0; index < 40_000; index++) pieces.push(String(index).padEnd(1000));
      const start = performance.now();
      for (const piece of pieces) stream.write(piece);
      // Were all that waits copied each time, these were 800 GB.
      expect(performance.now() - start).toBeLessThan(8000);
      const expected = pieces.join("");
      expect(stream.pendingBytes()).toBeGreaterThan(expected.length - MIB);
      stream.finish();
      expect((await readAll(client)) === expected).toBe(true);
    });

    suite("for many at once reach each in order, whole, and nobody who is closed", async () => {
      const listener = createListener(kind, () => undefined);
      if (listener.writeAll === undefined) {
        expect(kind).toBe("node-ipc");
        return;
      }
      const streams: Stream[] = [];
      const socket = listener.listen(join(directory, "many"), (stream) => {
        streams.push(stream);
        return { data: () => undefined, drain: () => undefined, ended: () => undefined, closed: () => undefined };
      });
      onTestFinished(() => socket.close());
      await socket.listening;
      const clients = await Promise.all(Array.from({ length: 20 }, () => connect(join(directory, "many"))));
      await until(() => streams.length === clients.length);
      const [gone] = streams.splice(3, 1);
      gone?.close();
      // More outputs than one call takes, more bytes than it takes, and one that the kernel does not take.
      const to: Stream[] = [];
      const outputs: string[] = [];
      for (let round = 0; round < 100; round++)
        for (const [index, stream] of streams.entries()) {
          to.push(stream, gone as Stream);
          outputs.push(`${String(index)}:${String(round)} `, "nothing");
        }
      to.push(streams[5] as Stream, streams[6] as Stream);
      outputs.push(MUCH, BYTES);
      listener.writeAll(to, outputs);
      expect(streams.map((stream) => stream.pendingBytes() > 0)).toEqual(streams.map((_, index) => index === 5));
      for (const stream of streams) stream.finish();
      // Accepted in the order in which they connected, or not: so by what each was sent.
      const received = (await Promise.all(clients.map(readAll))).filter((text) => text !== "");
      const expected = streams.map((_, index) => {
        const text = Array.from({ length: 100 }, (__, round) => `${String(index)}:${String(round)} `).join("");
        return text + (index === 5 ? MUCH : index === 6 ? BYTES : "");
      });
      expect(received.sort()).toEqual(expected.sort());
    });

    suite("that are none are no write, and say whether something waits", async () => {
      const { path, accepted } = await bind();
      const client = await connect(path);
      const { stream } = await accepted(0);
      expect([stream.write(""), stream.pendingBytes()]).toEqual([true, 0]);
      stream.write(MUCH);
      expect(stream.write("")).toBe(false);
      stream.finish();
      expect(await readAll(client)).toHaveLength(MUCH.length);
    });
  });

  describe("write", () => {
    suite("says when the kernel takes no more, how much waits, and drain when it has gone", async () => {
      const { path, accepted } = await bind();
      const client = await connect(path);
      const told = await accepted(0);
      expect([told.stream.write("a little"), told.stream.pendingBytes()]).toEqual([true, 0]);
      expect(told.stream.write(MUCH)).toBe(false);
      expect(told.stream.pendingBytes()).toBeGreaterThan(MIB);
      await delay(50);
      expect(told.events).toEqual([]);
      const received = readAll(client);
      await told.on("drain");
      expect(told.stream.pendingBytes()).toBe(0);
      told.stream.finish();
      expect(await received).toHaveLength(MUCH.length + "a little".length);
    });

    suite("tells no drain of what was written before while more waits", async () => {
      const pendingAtDrain: number[] = [];
      const { path, accepted, streams } = await bind((stream, index) => ({
        data: () => {
          if (index === 1) streams[0]?.stream.write(MUCH);
        },
        drain: () => void pendingAtDrain.push(stream.pendingBytes()),
      }));
      const slow = await connect(path);
      const first = await accepted(0);
      const other = await connect(path);
      await accepted(1);
      first.stream.write("y".repeat(300 * 1024));
      // Both in one turn: the other's bytes are told before the slow one's drain.
      other.write("more");
      readNow(slow);
      await until(() => first.stream.pendingBytes() > MIB);
      const received = readAll(slow);
      await first.on("drain");
      first.stream.finish();
      await received;
      expect(pendingAtDrain.every((pending) => pending === 0)).toBe(true);
    });

    suite("to a peer that is gone is followed by closed, and by nothing else", async () => {
      const { path, accepted } = await bind();
      const client = await connect(path);
      const told = await accepted(0);
      told.stream.pause();
      client.destroy();
      await once(client, "close");
      told.stream.write("nobody reads this");
      await told.on("closed");
      expect([told.stream.write("nor this"), told.stream.pendingBytes()]).toEqual([true, 0]);
      await delay(20);
      expect(told.events).toEqual(["closed"]);
    });
  });

  describe("pause", () => {
    suite("leaves the peer's bytes in the kernel until resume", async () => {
      const { path, accepted } = await bind();
      const client = await connect(path);
      const told = await accepted(0);
      told.stream.pause();
      client.write(MUCH);
      await delay(50);
      expect(told.events).toEqual([]);
      expect(client.writableLength).toBeGreaterThan(MIB);
      told.stream.resume();
      await until(() => told.text.length === MUCH.length);
    });

    suite("and resume do not tell twice that the peer has ended", async () => {
      const { path, accepted } = await bind();
      const client = await connect(path);
      const told = await accepted(0);
      client.end("last words");
      await told.on("ended");
      for (let times = 0; times < 3; times++) {
        told.stream.pause();
        told.stream.resume();
        await delay(10);
      }
      expect(told.events).toEqual(["data", "ended"]);
    });
  });

  describe("finish", () => {
    suite("sends what waits and closes, although the peer has not ended, and reads no more", async () => {
      const { path, accepted } = await bind();
      const client = await connect(path);
      const told = await accepted(0);
      told.stream.write(MUCH);
      told.stream.finish();
      client.write("too late");
      told.stream.resume();
      await delay(20);
      expect(told.events).toEqual([]);
      expect(await readAll(client)).toHaveLength(MUCH.length);
      await told.on("closed");
      expect(told.events.filter((event) => event !== "drain")).toEqual(["closed"]);
    });

    suite("and close may be called again, and tell once", async () => {
      const { path, accepted } = await bind();
      const client = await connect(path);
      const told = await accepted(0);
      for (let times = 0; times < 2; times++) told.stream.finish();
      for (let times = 0; times < 2; times++) told.stream.close();
      expect(told.events).toEqual([]);
      await told.on("closed");
      await readAll(client);
      expect(told.events).toEqual(["closed"]);
    });

    suite("does not wait for a peer that resets", async () => {
      const { path, accepted } = await bind();
      const client = await connect(path);
      const told = await accepted(0);
      told.stream.write(MUCH);
      told.stream.finish();
      client.destroy();
      await told.on("closed");
      expect(told.events).toEqual(["closed"]);
    });
  });

  describe("a peer that is gone", () => {
    suite("is told of once, whether it ended or reset", async () => {
      const { path, accepted } = await bind((stream) => ({ ended: () => stream.finish() }));
      const [quiet, unread] = [await connect(path), await connect(path)];
      const [first, second] = [await accepted(0), await accepted(1)];
      quiet.destroy();
      await first.on("closed");
      expect(first.events).toEqual(["ended", "closed"]);
      // Closing with something unread resets.
      second.stream.write("unread");
      unread.destroy();
      await second.on("closed");
      await delay(20);
      expect(second.events.filter((event) => event === "closed")).toHaveLength(1);
    });

    suite("is told of while output waits for it, also while it is paused", async () => {
      const { path, accepted } = await bind();
      const client = await connect(path);
      const told = await accepted(0);
      told.stream.pause();
      told.stream.write(MUCH);
      client.destroy();
      await told.on("closed");
      expect(told.events).toEqual(["closed"]);
    });

    suite("costs no processor time: half-closed, gone while paused, or finished and not reading", async () => {
      const { path, accepted } = await bind();
      const clients = [await connect(path), await connect(path), await connect(path)] as const;
      const [half, paused, finished] = [await accepted(0), await accepted(1), await accepted(2)];
      clients[0].end();
      await half.on("ended");
      paused.stream.pause();
      clients[1].destroy();
      finished.stream.write(MUCH);
      finished.stream.finish();
      clients[2].end();
      await expectIdle();
    });
  });

  describe("many connections", () => {
    suite("that all have something to say at once are all heard", async () => {
      const { path, streams } = await bind(echo);
      const clients: Socket[] = [];
      for (let index = 0; index < 1200; index++) clients.push(await connect(path));
      await until(() => streams.length === clients.length);
      for (const [index, client] of clients.entries()) client.end(String(index));
      const replies = await Promise.all(clients.map((client) => readAll(client)));
      expect(replies).toEqual(clients.map((_, index) => String(index)));
    });

    suite("are each told of their own close, when one closes all others that had bytes in the same turn", async () => {
      const heard: number[] = [];
      const { path, streams } = await bind((_stream, index) => ({
        data: () => {
          heard.push(index);
          for (const [other, { stream }] of streams.entries()) if (other !== index) stream.close();
        },
      }));
      const clients: Socket[] = [];
      for (let index = 0; index < 20; index++) clients.push(await connect(path));
      await until(() => streams.length === clients.length);
      for (const client of clients) client.write("hello");
      await until(() => streams.filter(({ events }) => events.includes("closed")).length === clients.length - 1);
      await delay(20);
      const [survivor] = heard;
      expect(heard).toHaveLength(1);
      for (const [index, { events }] of streams.entries()) {
        expect(events).toEqual(index === survivor ? ["data"] : ["closed"]);
      }
    });

    suite("come and go, and a stream that is gone does nothing to who came after it", async () => {
      const { path, accepted } = await bind(echo);
      const gone: Stream[] = [];
      for (let index = 0; index < 40; index++) {
        const client = await connect(path);
        const told = await accepted(index);
        for (const stream of gone) {
          stream.pause();
          stream.write("for somebody else");
          stream.resume();
          stream.finish();
          stream.close();
        }
        client.write(String(index));
        await until(() => told.text !== "");
        expect(readNow(client)).toBe(String(index).length);
        told.stream.close();
        gone.push(told.stream);
        await told.on("closed");
        expect(told.events).toEqual(["data", "closed"]);
      }
    });
  });

  describe("listen", () => {
    suite(
      "throws for a path that is too long, and rejects one that cannot be bound, with its path and why",
      async () => {
        const listener = createListener(kind, () => undefined);
        const accept = () => ({ data: () => {}, drain: () => {}, ended: () => {}, closed: () => {} });
        expect(() => listener.listen(`/${"a".repeat(107)}`, accept)).toThrow(/108 bytes/);
        expect(() => listener.listen(`/${"ä".repeat(54)}`, accept)).toThrow(/109 bytes/);
        const path = join(directory, "missing", "socket");
        const socket = listener.listen(path, accept);
        // For node-ipc's pipes, libuv says EACCES where there is no directory.
        const reason = kind === "reactor" ? "ENOENT: no such file or directory" : "listen EACCES: permission denied";
        await expect(socket.listening).rejects.toThrow(`cannot listen on ${path}: ${reason}`);
        socket.close();
        expect(existsSync(path)).toBe(false);
      },
    );

    suite(
      "binds at once, for its owner alone, in place of whatever file was there, by the longest of names",
      async () => {
        const rest = 107 - directory.length - 1;
        const name = "ü€".repeat(20).slice(0, Math.floor(rest / 5) * 2) + "x".repeat(rest % 5);
        expect(Buffer.byteLength(join(directory, name))).toBe(107);
        for (const each of [name, "plain"]) {
          writeFileSync(join(directory, each), "a file");
          const socket = createListener(kind, () => undefined).listen(join(directory, each), (stream) => ({
            data: (chunk) => void stream.write(chunk),
            drain: () => {},
            ended: () => stream.finish(),
            closed: () => {},
          }));
          const status = statSync(join(directory, each));
          expect([status.isSocket(), status.mode & 0o777]).toEqual([true, 0o600]);
          const client = await connect(join(directory, each));
          client.end("hello");
          expect(await readAll(client)).toBe("hello");
          socket.close();
        }
      },
    );

    suite("has several sockets, each with its own connections, and closing one leaves the others", async () => {
      const [one, two] = [await bind(echo, "one"), await bind(echo, "two")];
      const [a, b] = [await connect(one.path), await connect(two.path)];
      a.write("to one");
      b.write("to two");
      await until(() => one.streams[0]?.text === "to one" && two.streams[0]?.text === "to two");
      one.socket.close();
      await one.streams[0]?.on("closed");
      b.end(" and more");
      expect(await readAll(b)).toBe("to two and more");
      expect([one.streams.length, two.streams.length]).toEqual([1, 1]);
    });
  });

  describe("close", () => {
    suite("ends every connection and removes the socket file before it returns, and may be called again", async () => {
      const { path, socket, accepted } = await bind();
      const clients = [await connect(path), await connect(path), await connect(path)] as const;
      const told = [await accepted(0), await accepted(1), await accepted(2)];
      told[1]?.stream.write(MUCH);
      told[2]?.stream.write(MUCH);
      told[2]?.stream.finish();
      socket.close();
      socket.close();
      expect(existsSync(path)).toBe(false);
      expect(await readAll(clients[0])).toBe("");
      for (const one of told) await one.on("closed");
      await delay(20);
      expect(told.map(({ events }) => events)).toEqual([["closed"], ["closed"], ["closed"]]);
      await expect(socket.listening).resolves.toBeUndefined();
    });

    suite("may come from within a handler, or as a connection is accepted", async () => {
      const one: Bound = await bind(() => ({ data: () => one.socket.close() }), "one");
      const clients = [await connect(one.path), await connect(one.path)] as const;
      await one.accepted(1);
      for (const client of clients) client.write("close it");
      await Promise.all(clients.map((client) => readAll(client)));
      for (const told of one.streams) await told.on("closed");
      expect(one.streams.map(({ events }) => events.filter((event) => event === "data")).flat()).toHaveLength(1);
      const two: Bound = await bind(() => {
        two.socket.close();
        return {};
      }, "two");
      // Whoever connects may be reset before Node has told that it is connected.
      const refused = [1, 2].map(() => createConnection(two.path).setEncoding("latin1"));
      expect(await Promise.all(refused.map((client) => readAll(client)))).toEqual(["", ""]);
      expect(existsSync(two.path)).toBe(false);
    });
  });

  describe("a handler that throws", () => {
    suite("is an uncaught exception, and costs nobody else what came in the same turn", async () => {
      const errors = uncaught();
      const { path, streams } = await bind((stream, index) => ({
        data: () => {
          if (index % 2 === 1) throw new Error(`data ${String(index)}`);
        },
        ended: () => stream.finish(),
        closed: () => {
          if (index === 4) throw new Error("closed 4");
        },
      }));
      const clients: Socket[] = [];
      for (let index = 0; index < 6; index++) clients.push(await connect(path));
      await until(() => streams.length === clients.length);
      for (const [index, client] of clients.entries()) client.write(String(index));
      await until(() => streams.every(({ text }, index) => text === String(index)));
      expect(errors).toEqual(["data 1", "data 3", "data 5"]);
      for (const client of clients) client.end("x");
      await until(() => streams.every(({ events }) => events.includes("closed")));
      await until(() => errors.length === 7);
      expect(errors.slice(3).toSorted()).toEqual(["closed 4", "data 1", "data 3", "data 5"]);
      for (const { events } of streams) expect(events).toEqual(["data", "data", "ended", "closed"]);
    });

    suite("as it takes up a connection loses that connection alone", async () => {
      const errors = uncaught();
      const { path } = await bind((stream, index) => {
        if (index === 0) throw new Error("not this one");
        return echo(stream);
      });
      const refused = await connect(path);
      expect(await readAll(refused)).toBe("");
      expect(errors).toEqual(["not this one"]);
    });
  });
});

describe.skipIf(missing !== undefined)("the reactor alone", () => {
  test("serves everybody who waits before it serves anybody again, however much each has sent", async () => {
    const directory = temporaryDirectory();
    const order: number[] = [];
    let count = 0;
    const socket = createListener("reactor", () => undefined).listen(join(directory, "socket"), () => {
      const index = count++;
      return { data: () => void order.push(index), drain: () => {}, ended: () => {}, closed: () => {} };
    });
    const clients: Socket[] = [];
    for (let index = 0; index < 41; index++) clients.push(await connect(join(directory, "socket")));
    await until(() => count === clients.length);
    // All in one turn. A round takes 1 MiB, which sixteen of these fill.
    for (const client of clients.slice(0, 40)) client.write("f".repeat(180 * 1024));
    clients[40]?.write("a word");
    await until(() => order.includes(40));
    const before = order.slice(0, order.indexOf(40));
    const served = Array.from({ length: 40 }, (_, index) => before.filter((other) => other === index).length);
    expect(Math.max(...served), "chunks of one connection before all others had one").toBe(1);
    socket.close();
  });
});
