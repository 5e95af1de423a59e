/**
 * The core: order of checks, one reply for each request, ticks that are undone, handlers that throw.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { Connection } from "../../../../daemon/connection/connection.js";
import { CREDIT_MAX } from "../../../../daemon/connection/fairness.js";
import { OPERATIONS } from "../../../../protocol/operation.js";
import { parsePerms, type Perms } from "../../../../protocol/perms.js";
import { CoreHarness, domainId, type Received, payloadOfAnswer } from "../../../support/core-harness.js";

const OK = "OK\0";
let harness: CoreHarness;
let dom0: Connection;
let guest: Connection;

beforeEach(() => {
  harness = new CoreHarness();
  dom0 = harness.connect(0);
  harness.ask(dom0, "INTRODUCE", { domid: domainId(1), gfn: 1, port: 1 });
  guest = harness.connect(1);
});

const write = (connection: Connection, path: string, value = "", txId = 0) =>
  harness.ask(connection, "WRITE", { path, value }, txId);
const control = (...words: string[]) =>
  harness.ask(dom0, "CONTROL", { command: words[0] ?? "", parameters: words.slice(1) });

describe("Core.dispatch", () => {
  test.each([15, 16, 20, 27, 99, 0xffff_ffff])(
    "answers ENOSYS to type %d, before anything else is looked at",
    (type) => {
      expect(harness.askPayload(guest, type, "", 77)).toEqual({ error: "ENOSYS" });
    },
  );

  test("answers EACCES to a guest's privileged request before the transaction and the arguments are looked at", () => {
    for (const { number, privilege } of OPERATIONS) {
      if (privilege === "dom0") expect(harness.askPayload(guest, number, "\u00ff", 77)).toEqual({ error: "EACCES" });
    }
    expect(harness.askPayload(guest, 17, "0\0"), "IS_DOMAIN_INTRODUCED (XSA-115)").toEqual({ error: "EACCES" });
  });

  test("answers ENOENT to an unknown transaction before the arguments are looked at, but to WATCH and UNWATCH", () => {
    for (const { number, name } of OPERATIONS) {
      const expected = name === "WATCH" || name === "UNWATCH" ? "EINVAL" : "ENOENT";
      expect(harness.askPayload(dom0, number, "\u00ff", 77), name).toEqual({ error: expected });
    }
    const txId = harness.startTransaction(harness.connect(0));
    expect(harness.ask(dom0, "READ", { path: "/" }, txId), "another connection's").toEqual({ error: "ENOENT" });
  });

  test("echoes type, request id and transaction id", () => {
    const txId = harness.startTransaction(dom0);
    const requestId = harness.send(dom0, "READ", { path: "/" }, txId);
    const failing = harness.send(dom0, "READ", { path: "/x" }, txId);
    expect(harness.endTick().received.get(dom0)).toEqual([
      { kind: "reply", operation: "READ", requestId, txId, payload: "" },
      { kind: "error", requestId: failing, txId, error: "ENOENT" },
    ]);
  });

  test("gives exactly one reply to every operation with any payload, and never fails (the common rule of the XSAs)", () => {
    const payloads = [
      "",
      "\0",
      "\0\0",
      "/",
      "/\0",
      "/\0\0",
      "T\0",
      "1\0",
      "1\x001\x001\0",
      "check\0",
      "\u00ff".repeat(4096),
    ];
    const [busy, other] = [harness.connect(0), harness.connect(1)];
    // The guest first: what dom0 sends may release it.
    for (const connection of [other, busy]) {
      for (let type = 0; type < 30; type++) {
        for (const payload of payloads) {
          for (const txId of [0, 1, 5]) {
            harness.sendPayload(connection, type, payload, txId);
            const received = harness.endTick().received.get(connection) ?? [];
            expect(received.filter(({ kind }) => kind !== "event")).toHaveLength(1);
          }
        }
      }
    }
    expect(harness.log.filter((line) => line.startsWith("error"))).toEqual([]);
  });

  test("sends a request's reply before the events that it causes, and those before the next reply", () => {
    harness.send(dom0, "WATCH", { path: "/a", token: "t" });
    harness.send(dom0, "WRITE", { path: "/a", value: "" });
    harness.send(dom0, "READ", { path: "/a" });
    const kinds = (harness.endTick().received.get(dom0) ?? []).map(({ kind }) => kind);
    expect(kinds).toEqual(["reply", "event", "reply", "event", "reply"]);
  });

  test("does nothing for a connection that is closing", () => {
    harness.send(dom0, "RELEASE", { domid: domainId(1) });
    harness.send(guest, "GET_DOMAIN_PATH", { domid: domainId(1) });
    expect(harness.endTick().received.get(guest)).toBeUndefined();
  });

  test("leaves no trace of a handler that throws but its EIO and a line in the log (core invariant 2)", () => {
    const faulty = new CoreHarness({
      ports: {
        describeHistory: () => {
          throw new Error("out of order");
        },
      },
    });
    const client = faulty.connect(0);
    faulty.send(client, "WRITE", { path: "/a", value: "1" });
    faulty.send(client, "CONTROL", { command: "history", parameters: [] });
    faulty.send(client, "READ", { path: "/a" });
    const { received, commits, effects } = faulty.endTick();
    expect((received.get(client) ?? []).map((each) => (each.kind === "error" ? each.error : each.kind))).toEqual([
      "reply",
      "EIO",
      "reply",
    ]);
    expect([commits.length, effects.length, faulty.core.seq]).toEqual([1, 0, 1]);
    expect(faulty.log.join()).toMatch(/error: socket-1: CONTROL "history.*out of order/s);
    expect(faulty.ask(client, "CONTROL", { command: "check", parameters: [] })).toBe(OK);
  });

  test("undoes what a handler did before it threw", () => {
    const txId = harness.startTransaction(dom0);
    write(dom0, "/a", "old");
    write(dom0, "/a", "in", txId);
    harness.ask(dom0, "WATCH", { path: "/a", token: "t" });
    harness.takeReceived(dom0);
    const before = harness.core.root;
    // The commit is made, and then the delivery of its events meets a connection whose watches cannot be read.
    const broken = harness.connect(0);
    harness.ask(broken, "WATCH", { path: "/", token: "x" });
    const [watch] = broken.watches.values();
    Object.defineProperty(watch, "owner", {
      get: () => {
        throw new Error("broken");
      },
    });
    for (const path of ["/a", "/b"]) expect(write(dom0, path, "new"), path).toEqual({ error: "EIO" });
    expect(harness.log.join(), "a value may be a secret").toMatch(/WRITE "\/b" \(6 bytes\) failed in the daemon/);
    expect(harness.ask(dom0, "TRANSACTION_END", { commit: true }, txId)).toEqual({ error: "EIO" });
    expect(harness.core.root).toBe(before);
    expect(harness.takeEvents(dom0)).toEqual([]);
    expect([...dom0.transactions.keys()], "its end did not happen").toEqual([txId]);
    expect(harness.ask(dom0, "READ", { path: "/a" })).toBe("old");
    expect(control("check")).toBe(OK);
  });
});

describe("Core.mayCommit", () => {
  const message = (type: number, payload = "", txId = 0) => ({ type, requestId: 1, txId, payload });

  test("says so of what changes the live store at once, and of nothing that reads", () => {
    const commits = OPERATIONS.filter(({ number }) => harness.core.mayCommit(dom0, message(number)));
    expect(commits.map(({ name }) => name)).toEqual([
      "INTRODUCE",
      "RELEASE",
      "WRITE",
      "MKDIR",
      "RM",
      "SET_PERMS",
      "RESUME",
      "SET_TARGET",
      "SET_FEATURE",
      "SET_QUOTA",
    ]);
    expect([15, 16, 99].map((type) => harness.core.mayCommit(dom0, message(type)))).toEqual([false, false, false]);
  });

  test("says so of a transaction's end alone, when it commits and there is something to commit", () => {
    const [write, end] = [11, 7];
    const txId = Number(payloadOfAnswer(harness.ask(dom0, "TRANSACTION_START", {})).slice(0, -1));
    expect(harness.core.mayCommit(dom0, message(write, "/a\0v", txId))).toBe(false);
    expect(harness.core.mayCommit(dom0, message(end, "T\0", txId))).toBe(false);
    harness.ask(dom0, "WRITE", { path: "/a", value: "v" }, txId);
    expect(harness.core.mayCommit(dom0, message(end, "T\0", txId))).toBe(true);
    expect(harness.core.mayCommit(dom0, message(end, "F\0", txId))).toBe(false);
    expect(harness.core.mayCommit(dom0, message(end, "T\0", txId + 1))).toBe(false);
  });
});

describe("Core.refuseCommits", () => {
  test("refuses what would commit with its error until acceptCommits, and nothing else", () => {
    harness.core.refuseCommits("ENOSPC");
    expect(harness.ask(dom0, "WRITE", { path: "/a", value: "v" })).toEqual({ error: "ENOSPC" });
    expect(harness.ask(dom0, "READ", { path: "/" })).toBe("");
    expect(harness.core.seq).toBe(1);
    harness.core.acceptCommits();
    expect(harness.ask(dom0, "WRITE", { path: "/a", value: "v" })).toBe("OK\0");
  });
});

describe("Core.abortTick", () => {
  /** Does what the server does when the journal refuses: returns what clients got of the second pass. */
  function failTick(send: () => void): ReadonlyMap<Connection, readonly Received[]> {
    harness.beginTick();
    send();
    harness.core.abortTick("ENOSPC");
    send();
    harness.core.acceptCommits();
    return harness.endTick().received;
  }

  const tokens = (path: string) => {
    write(dom0, path);
    return harness.takeEvents(guest).map(({ token }) => token);
  };

  beforeEach(() => {
    write(dom0, "/a");
    harness.ask(dom0, "SET_PERMS", { path: "/a", perms: parsePerms(["b0"]) as Perms });
  });

  test("keeps the order in which watches of one node fire", () => {
    for (const token of ["1", "2", "3", "4"]) harness.ask(guest, "WATCH", { path: "/a", token });
    harness.takeEvents(guest);
    const watchesGoAndCome = [
      () => harness.send(dom0, "RELEASE", { domid: domainId(1) }),
      () => harness.send(dom0, "CONTROL", { command: "domain", parameters: ["destroy", "1"] }),
    ];
    for (const act of watchesGoAndCome) {
      failTick(act);
      expect(tokens("/a")).toEqual(["1", "2", "3", "4"]);
    }
    harness.send(guest, "UNWATCH", { path: "/a", token: "2" });
    harness.core.abortTick("ENOSPC");
    harness.core.acceptCommits();
    harness.endTick();
    expect(tokens("/a")).toEqual(["1", "2", "3", "4"]);
    harness.send(guest, "RESET_WATCHES", {});
    harness.core.abortTick("ENOSPC");
    harness.core.acceptCommits();
    harness.endTick();
    expect(tokens("/a")).toEqual(["1", "2", "3", "4"]);
    harness.ask(dom0, "RM", { path: "/a" });
    expect(harness.takeEvents(guest).map(({ token }) => token)).toEqual(["1", "2", "3", "4"]);
  });

  test("tells of one conflict once, though the tick was dispatched twice", () => {
    const txId = harness.startTransaction(dom0);
    harness.ask(dom0, "READ", { path: "/a" }, txId);
    write(dom0, "/b", "", txId);
    write(guest, "/a", "hot");
    const received = failTick(() => {
      harness.core.dispatch(dom0, { type: 7, requestId: 900, txId, payload: "T\0" });
    });
    expect(received.get(dom0)).toEqual([{ kind: "error", requestId: 900, txId, error: "EAGAIN" }]);
    expect(payloadOfAnswer(control("conflicts")).match(/transaction 1 /g)).toHaveLength(1);
  });

  test("keeps the credit of a guest whose release was refused", () => {
    for (let conflict = 0; conflict < CREDIT_MAX; conflict++) {
      const txId = harness.startTransaction(dom0);
      harness.ask(dom0, "READ", { path: "/a" }, txId);
      write(dom0, "/b", "", txId);
      write(guest, "/a", String(conflict));
      expect(harness.ask(dom0, "TRANSACTION_END", { commit: true }, txId)).toEqual({ error: "EAGAIN" });
    }
    const held = harness.core.holdMicroseconds(domainId(1));
    expect(held).toBeGreaterThan(0);
    failTick(() => harness.send(dom0, "RELEASE", { domid: domainId(1) }));
    expect(harness.core.holdMicroseconds(domainId(1))).toBe(held);
  });

  test("gives out the same transaction ids again", () => {
    const received = failTick(() => harness.send(guest, "TRANSACTION_START", {}));
    expect(received.get(guest)).toMatchObject([{ payload: "1\0" }]);
  });
});

describe("Core.connect and Core.disconnect", () => {
  test("name connections as history tells them, and end what a client had open", () => {
    expect([dom0.name, guest.name, harness.core.connect(domainId(0), "daemon").name]).toEqual([
      "socket-1",
      "domain-1-2",
      "daemon",
    ]);
    harness.ask(guest, "WATCH", { path: "/a", token: "t" });
    const txId = harness.startTransaction(guest);
    harness.disconnect(guest);
    expect(harness.core.connections.has(guest)).toBe(false);
    harness.ask(dom0, "WRITE", { path: "/a", value: "" });
    expect(harness.takeEvents(guest)).toEqual([]);
    expect([guest.transactions.has(txId as never), guest.watches.size]).toEqual([false, 0]);
    expect(control("check")).toBe(OK);
  });
});

describe("Core.answer", () => {
  test("answers a deferred request with its own ids, and not a client that is closing", () => {
    const requestId = harness.send(dom0, "CONTROL", { command: "flush", parameters: [] });
    const { effects, received } = harness.endTick();
    expect([received.get(dom0), dom0.waiting]).toEqual([undefined, true]);
    const [effect] = effects;
    if (effect?.kind !== "flush-history") throw new Error("no flush");
    harness.beginTick();
    harness.core.answer(effect.waiting, OK);
    expect(harness.endTick().received.get(dom0)).toEqual([
      { kind: "reply", operation: "CONTROL", requestId, txId: 0, payload: OK },
    ]);
    expect(dom0.waiting).toBe(false);
    harness.core.disconnect(dom0);
    harness.beginTick();
    harness.core.answer(effect.waiting, OK);
    expect(harness.endTick().received.size).toBe(0);
  });
});
