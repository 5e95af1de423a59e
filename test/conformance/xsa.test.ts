/**
 * Past vulnerabilities of xenstored: one test for each of Xen's security advisories that concern it.
 *
 * Every test does on the daemon's sockets what the advisory says a guest could do, and would fail on a daemon with that
 * vulnerability. The common rule: no exception can be reached from a client's bytes. So after each test the daemon must
 * live, find its own books in order (CONTROL check), and have logged no failure of its own.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ERROR, OPERATIONS } from "../../protocol/operation.js";
import { serializeHeader } from "../../protocol/message.js";
import { startDaemon, type DaemonProcess } from "../support/daemon-process.js";
import { resultOf, type WireClient } from "../support/wire-client.js";

let daemon: DaemonProcess;
let dom0: WireClient;
let lastDomid = 0;

beforeAll(async () => {
  daemon = await startDaemon();
  dom0 = await daemon.connect();
});

afterEach(async () => {
  expect(daemon.isRunning()).toBe(true);
  expect(await dom0.ask("CONTROL", ["check"])).toBe("OK");
  expect(daemon.stderr()).not.toMatch(/failed in the daemon|Error:/);
});

afterAll(async () => {
  await daemon.stop();
});

/** A domain id that no other test uses. */
function freshDomid(): number {
  return ++lastDomid;
}

async function introduce(domid: number): Promise<void> {
  await dom0.must("INTRODUCE", [String(domid), "1", "1"]);
}

function homeOf(domid: number): string {
  return `/local/domain/${String(domid)}`;
}

/** Introduces a domain that owns its home, and connects as it. */
async function enter(domid: number): Promise<WireClient> {
  await introduce(domid);
  await dom0.must("WRITE", [homeOf(domid), ""]);
  await dom0.must("SET_PERMS", [homeOf(domid), `n${String(domid)}`]);
  return daemon.connectGuest(domid);
}

async function setQuota(domid: number, name: string, value: number): Promise<void> {
  await dom0.must("SET_QUOTA", [String(domid), name, String(value)]);
}

/** What CONTROL quota says a domain holds. */
async function held(domid: number, what: "nodes" | "watches" | "transactions"): Promise<number> {
  const text = await dom0.must("CONTROL", ["quota", String(domid)]);
  const count = new RegExp(`^${what} held: ([0-9]+)$`, "m").exec(text)?.[1];
  if (count === undefined) throw new Error(`no count of ${what} in: ${text}`);
  return Number(count);
}

/** A figure of CONTROL memreport. */
async function memory(what: string): Promise<number> {
  const text = await dom0.must("CONTROL", ["memreport"]);
  const count = new RegExp(`^${what}: ([0-9]+)$`, "m").exec(text)?.[1];
  if (count === undefined) throw new Error(`no ${what} in: ${text}`);
  return Number(count);
}

/** Asks until the figure has been the same many times in a row: the daemon has done what it will do. */
async function settledMemory(what: string): Promise<number> {
  const timesSame = 50;
  let last = -1;
  for (let same = 0; same < timesSame;) {
    const figure = await memory(what);
    same = figure === last ? same + 1 : 0;
    last = figure;
  }
  return last;
}

function residentBytes(): number {
  const text = readFileSync(`/proc/${String(daemon.pid)}/status`, "latin1");
  return Number(/^VmRSS:\s+([0-9]+) kB$/m.exec(text)?.[1]) * 1024;
}

async function start(client: WireClient): Promise<number> {
  return Number(await client.must("TRANSACTION_START", [""]));
}

/** Destroys domains at the end of a test, so that they are not in the way of the next. */
async function destroy(...domids: readonly number[]): Promise<void> {
  for (const domid of domids) await dom0.must("CONTROL", ["domain", "destroy", String(domid)]);
}

describe("advisories", () => {
  test("XSA-72: a reply over 4096 bytes is E2BIG, and the stream stays in step", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    for (let index = 0; index < 100; index++) await dom0.must("MKDIR", [`/x72/${"n".repeat(60)}${String(index)}`]);
    await dom0.must("SET_PERMS", ["/x72", `n0`, `r${String(domid)}`]);
    for (const client of [guest, dom0]) {
      const tooBig = await client.call("DIRECTORY", "/x72\0");
      expect([tooBig.type, tooBig.payload]).toEqual([ERROR, "E2BIG\0"]);
      const names: string[] = [];
      for (let offset = 0; !names.includes("");) {
        const part = await client.call("DIRECTORY_PART", `/x72\0${String(offset)}\0`);
        expect(part.payload.length).toBeLessThanOrEqual(4096);
        const [, ...some] = part.payload.slice(0, -1).split("\0");
        names.push(...some);
        for (const name of some) offset += name.length + 1;
      }
      expect(names.length).toBe(101);
      expect(await client.ask("GET_DOMAIN_PATH", ["7"])).toBe("/local/domain/7");
    }
    const perms = [`n0`, ...Array.from({ length: 1300 }, () => "r1")];
    await dom0.must("SET_PERMS", ["/x72", ...perms]);
    expect((await dom0.call("GET_PERMS", "/x72\0")).payload.length).toBeLessThanOrEqual(4096);
    await dom0.must("RM", ["/x72"]);
    await destroy(domid);
  });

  test("XSA-115: watches tell a guest nothing about nodes that it may not read", async () => {
    const domid = freshDomid();
    const other = freshDomid();
    const guest = await enter(domid);
    for (const path of ["/", "/x115", "/x115/secret", "@introduceDomain"]) await guest.must("WATCH", [path, "t"]);
    await guest.eventsSoFar();
    await dom0.must("WRITE", ["/x115/secret/inner", "x"]);
    const txId = await start(dom0);
    await dom0.must("WRITE", ["/x115/secret/other", "x"], { txId });
    await dom0.must("TRANSACTION_END", ["T"], { txId });
    await dom0.must("SET_PERMS", ["/x115/secret", "n0", `w${String(domid)}`]);
    await dom0.must("RM", ["/x115"]);
    await introduce(other);
    expect(await guest.eventsSoFar()).toEqual([]);
    await destroy(other, domid);
  });

  test("XSA-115: a guest may not ask IS_DOMAIN_INTRODUCED", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    for (const asked of [0, domid, 30000]) {
      expect(await guest.ask("IS_DOMAIN_INTRODUCED", [String(asked)])).toBe("EACCES");
    }
    await destroy(domid);
  });

  test("XSA-206: a guest that writes all the time does not starve others' transactions", async () => {
    const triesMax = 10;
    const [writer, victim] = [freshDomid(), freshDomid()];
    const hot = await enter(writer);
    const other = await enter(victim);
    await dom0.must("WRITE", ["/x206", "0"]);
    await dom0.must("SET_PERMS", ["/x206", "b0"]);
    const stop = new AbortController();
    let writes = 0;
    const flood = (async () => {
      while (!stop.signal.aborted) {
        const batch = Array.from({ length: 10 }, () => hot.send("WRITE", `/x206\0${String(++writes)}`));
        for (const requestId of batch) await hot.reply(requestId);
      }
    })();
    for (const [name, client] of [
      ["dom0", dom0],
      ["guest", other],
    ] as const) {
      const target = name === "dom0" ? "/x206-result" : `${homeOf(victim)}/result`;
      let tries = 0;
      for (let outcome = ""; outcome !== "OK";) {
        tries++;
        const txId = await start(client);
        const value = await client.must("READ", ["/x206"], { txId });
        await client.must("WRITE", [target, value], { txId });
        outcome = await client.ask("TRANSACTION_END", ["T"], { txId });
        expect(["OK", "EAGAIN"]).toContain(outcome);
        expect(tries, name).toBeLessThanOrEqual(triesMax);
      }
    }
    stop.abort();
    await flood;
    expect(writes).toBeGreaterThan(0);
    for (const path of ["/x206", "/x206-result"]) await dom0.must("RM", [path]);
    await destroy(writer, victim);
  });

  test("XSA-233: a domain and its stub domain are destroyed in one tick", async () => {
    const [domain, stub] = [freshDomid(), freshDomid()];
    const guest = await enter(domain);
    const stubGuest = await enter(stub);
    await dom0.must("SET_TARGET", [String(stub), String(domain)]);
    await dom0.must("WATCH", ["@releaseDomain", "x233"]);
    await guest.must("WATCH", ["@releaseDomain", "g"]);
    await stubGuest.must("WATCH", ["@releaseDomain", "s"]);
    await stubGuest.must("WRITE", [`${homeOf(domain)}/by-stub`, "x"]);
    await dom0.eventsSoFar();
    const requests = [domain, stub].map((domid) => dom0.encode("CONTROL", `domain\0destroy\0${String(domid)}\0`));
    guest.sendBytes(guest.encode("READ", "a\0").bytes.repeat(15));
    stubGuest.sendBytes(stubGuest.encode("READ", "a\0").bytes.repeat(15));
    dom0.sendBytes(requests.map(({ bytes }) => bytes).join(""));
    for (const { requestId } of requests) expect(resultOf(await dom0.reply(requestId))).toBe("OK");
    await Promise.all([guest.closed, stubGuest.closed]);
    expect(await dom0.eventsSoFar()).toEqual([
      { path: "@releaseDomain", token: "x233" },
      { path: "@releaseDomain", token: "x233" },
    ]);
    await dom0.must("UNWATCH", ["@releaseDomain", "x233"]);
  });

  test("XSA-272: every way to create a node is charged", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    await setQuota(domid, "nodes", 10);
    await guest.must("WRITE", ["a/b", "x"]);
    await guest.must("MKDIR", ["c/d/e"]);
    const txId = await start(guest);
    await guest.must("WRITE", ["f", "x"], { txId });
    await guest.must("MKDIR", ["g"], { txId });
    await guest.must("TRANSACTION_END", ["T"], { txId });
    expect(await held(domid, "nodes")).toBe(8);
    const over = await start(guest);
    for (const path of ["x", "y"]) await guest.must("MKDIR", [path], { txId: over });
    expect(await guest.ask("MKDIR", ["z"], { txId: over })).toBe("ENOSPC");
    expect(await guest.ask("TRANSACTION_END", ["T"], { txId: over })).toBe("ENOSPC");
    expect(await held(domid, "nodes")).toBe(8);
    for (const path of ["h/i/j", "k/l/m/n"]) expect(await guest.ask("WRITE", [path, "x"])).toBe("ENOSPC");
    await guest.must("MKDIR", ["h/i"]);
    expect(await guest.ask("MKDIR", ["o"])).toBe("ENOSPC");
    expect(await guest.ask("WRITE", ["o", ""])).toBe("ENOSPC");
    const full = await start(guest);
    expect(await guest.ask("WRITE", ["o", "x"], { txId: full })).toBe("ENOSPC");
    expect(await guest.ask("TRANSACTION_END", ["T"], { txId: full })).toBe("ENOSPC");
    expect(await held(domid, "nodes")).toBe(10);
    await destroy(domid);
  });

  test("XSA-272: two transactions that each fit do not exceed the quota together", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    await setQuota(domid, "nodes", 6);
    const transactions = [await start(guest), await start(guest)];
    for (const txId of transactions) {
      for (const name of ["a", "b", "c"]) await guest.must("MKDIR", [`t${String(txId)}${name}`], { txId });
    }
    const [first = 0, second = 0] = transactions;
    expect(await guest.ask("TRANSACTION_END", ["T"], { txId: first })).toBe("OK");
    expect(await guest.ask("TRANSACTION_END", ["T"], { txId: second })).not.toBe("OK");
    expect(await held(domid, "nodes")).toBe(4);
    await destroy(domid);
  });

  test("XSA-322: a reused domid inherits no rights, not even over a restart", async () => {
    const own = await startDaemon();
    const control = await own.connect();
    const domid = 1;
    for (const other of ["1", "2"]) await control.must("INTRODUCE", [other, "1", "1"]);
    for (const path of ["/shared", "/owned"]) await control.must("WRITE", [path, "secret"]);
    await control.must("SET_PERMS", ["/shared", "n2", "b1"]);
    await control.must("SET_PERMS", ["/owned", "n1"]);
    await control.must("SET_PERMS", ["@introduceDomain", "n0", "r1"]);
    await control.must("SET_TARGET", ["1", "2"]);
    await control.must("RELEASE", [String(domid)]);
    await own.kill("SIGKILL");
    const again = await startDaemon({ directory: own.directory });
    try {
      const dom0Again = await again.connect();
      await dom0Again.must("INTRODUCE", [String(domid), "1", "1"]);
      const guest = await again.connectGuest(domid);
      for (const path of ["/shared", "/owned"]) {
        expect(await guest.ask("READ", [path])).toBe("EACCES");
        expect(await guest.ask("WRITE", [path, "x"])).toBe("EACCES");
      }
      await guest.must("WATCH", ["@introduceDomain", "t"]);
      await guest.eventsSoFar();
      await dom0Again.must("INTRODUCE", ["3", "1", "1"]);
      expect(await guest.eventsSoFar()).toEqual([]);
      expect(await dom0Again.ask("GET_PERMS", ["/shared"])).toBe("n2");
    } finally {
      await again.kill();
      await own.stop();
    }
  });

  test("XSA-323: the length of a path is checked when it is absolute", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    const relative = `${`${"r".repeat(63)}/`.repeat(31)}${"r".repeat(64)}`;
    expect(relative.length).toBe(2048);
    await guest.must("WATCH", ["/", "top"]);
    await guest.must("WATCH", [relative, "t"]);
    await guest.eventsSoFar();
    await guest.must("WRITE", [relative, "x"]);
    expect(await guest.ask("READ", [`${homeOf(domid)}/${relative}`])).toBe("x");
    expect(await guest.eventsSoFar()).toEqual([
      { path: `${homeOf(domid)}/${relative}`, token: "top" },
      { path: relative, token: "t" },
    ]);
    expect(await guest.ask("WRITE", [`${relative}r`, "x"])).toBe("EINVAL");
    const longest = `${homeOf(domid)}/${"a".repeat(3072 - homeOf(domid).length - 1)}`;
    expect(await guest.ask("MKDIR", [`${longest}a`])).toBe("EINVAL");
    expect(await guest.ask("WATCH", [`${longest}a`, "t"])).toBe("EINVAL");
    expect(await guest.ask("READ", [longest])).toBe("ENOENT");
    expect(await guest.ask("READ", [`${longest}a`])).toBe("EINVAL");
    await destroy(domid);
  });

  test("XSA-324: an event of a long token and a long path is dropped", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    const token = "t".repeat(4000);
    await guest.must("WATCH", ["a", token]);
    await guest.must("WATCH", ["a", "short"]);
    await guest.eventsSoFar();
    const long = `a/${"b".repeat(500)}`;
    await guest.must("WRITE", [long, "x"]);
    await dom0.must("WRITE", [`${homeOf(domid)}/${long}/c`, "x"]);
    await guest.must("WRITE", ["a", "x"]);
    expect(await guest.eventsSoFar()).toEqual([
      { path: long, token: "short" },
      { path: `${long}/c`, token: "short" },
      { path: "a", token },
      { path: "a", token: "short" },
    ]);
    await destroy(domid);
  });

  test("XSA-325: a guest that broke the protocol does not upset @releaseDomain", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    await dom0.must("WATCH", ["@releaseDomain", "x325"]);
    await guest.must("WATCH", ["@releaseDomain", "g"]);
    await dom0.eventsSoFar();
    guest.sendHeader(2, 100_000);
    await guest.closed;
    expect(await dom0.must("IS_DOMAIN_INTRODUCED", [String(domid)])).toBe("T");
    const again = await daemon.connectGuest(domid);
    expect(await again.ask("GET_DOMAIN_PATH", ["1"])).toBe("/local/domain/1");
    again.sendHeader(2, 0xffffffff);
    await dom0.must("CONTROL", ["domain", "shutdown", String(domid)]);
    await destroy(domid);
    await again.closed;
    expect(await dom0.eventsSoFar()).toEqual([
      { path: "@releaseDomain", token: "x325" },
      { path: "@releaseDomain", token: "x325" },
    ]);
    await dom0.must("UNWATCH", ["@releaseDomain", "x325"]);
  });

  test("XSA-326: replies that a guest does not read are bounded, and none is lost", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    const requests = 20_000;
    await guest.must("WRITE", ["big", "x".repeat(2000)]);
    guest.pause();
    const ids: number[] = [];
    let bytes = "";
    for (let index = 0; index < requests; index++) {
      const request = guest.encode("READ", "big\0");
      ids.push(request.requestId);
      bytes += request.bytes;
    }
    guest.sendBytes(bytes);
    expect(await settledMemory("unread output bytes")).toBeLessThan(4 * 1024 * 1024);
    guest.resume();
    for (const requestId of ids) {
      const reply = await guest.next();
      if (reply?.requestId !== requestId || reply.payload.length !== 2000) throw new Error("a reply is missing");
    }
    await destroy(domid);
  });

  test("XSA-326: events that a guest does not read are bounded", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    for (let index = 0; index < 100; index++) {
      await guest.must("WATCH", [homeOf(domid), `${"t".repeat(2000)}${String(index)}`]);
    }
    await guest.eventsSoFar();
    guest.pause();
    const ids: number[] = [];
    for (let index = 0; index < 500; index++) ids.push(dom0.send("WRITE", `${homeOf(domid)}/n${String(index)}\0x`));
    for (const requestId of ids) await dom0.reply(requestId);
    expect(await settledMemory("unread output bytes")).toBeLessThan(4 * 1024 * 1024);
    expect(await dom0.ask("GET_DOMAIN_PATH", ["0"])).toBe("/local/domain/0");
    await destroy(domid);
    expect(await memory("unread output bytes")).toBe(0);
  });

  test("XSA-326: what a guest's transactions hold is bounded, and freed with the connection", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    const perTransactionMax = 4 * 1024 * 1024;
    const transactions: number[] = [];
    for (let index = 0; index < 3; index++) transactions.push(await start(guest));
    for (const txId of transactions) {
      const ids: number[] = [];
      for (let index = 0; index < 4000; index++) ids.push(guest.send("WRITE", `a\0${"x".repeat(2000)}`, { txId }));
      const results = new Set<string>();
      for (const requestId of ids) results.add(resultOf(await guest.reply(requestId)));
      expect(results).toEqual(new Set(["OK", "ENOSPC"]));
    }
    expect(await memory("transaction log bytes")).toBeLessThanOrEqual(3 * perTransactionMax);
    expect(await guest.ask("TRANSACTION_END", ["T"], { txId: transactions[0] ?? 0 })).toBe("ENOSPC");
    guest.endWriting();
    await guest.closed;
    expect(await memory("transaction log bytes")).toBe(0);
    expect(await held(domid, "transactions")).toBe(0);
    await destroy(domid);
  });

  test("XSA-330: RESET_WATCHES leaves nothing in the index", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    const before = await memory("watches");
    for (let round = 0; round < 20; round++) {
      const ids: number[] = [];
      for (let index = 0; index < 128; index++) {
        ids.push(guest.send("WATCH", `r${String(round)}/n${String(index)}\0t\0`));
      }
      for (const requestId of ids) expect(resultOf(await guest.reply(requestId))).toBe("OK");
      await guest.must("RESET_WATCHES", [""]);
      expect(await memory("watches")).toBe(before);
    }
    await guest.eventsSoFar();
    await guest.must("WRITE", ["r1/n1", "x"]);
    expect(await guest.eventsSoFar()).toEqual([]);
    await destroy(domid);
  });

  test("XSA-352: a guest cannot give a node away", async () => {
    const [domid, other] = [freshDomid(), freshDomid()];
    const guest = await enter(domid);
    await introduce(other);
    await guest.must("WRITE", ["a", "x"]);
    for (const owner of ["n0", `n${String(other)}`, `b${String(other)}`, "n32757"]) {
      expect(await guest.ask("SET_PERMS", ["a", owner])).toBe("EPERM");
      const txId = await start(guest);
      expect(await guest.ask("SET_PERMS", ["a", owner], { txId })).toBe("EPERM");
      await guest.must("TRANSACTION_END", ["T"], { txId });
    }
    expect(await dom0.must("GET_PERMS", [`${homeOf(domid)}/a`])).toBe(`n${String(domid)}`);
    expect(await held(domid, "nodes")).toBe(2);
    expect(await held(other, "nodes")).toBe(0);
    await destroy(domid, other);
  });

  test("XSA-353: operations on / are checked as on any node", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    const own = `n${String(domid)}`;
    for (const txId of [0, await start(guest)]) {
      for (const operation of ["READ", "DIRECTORY", "GET_PERMS", "RM", "MKDIR"] as const) {
        expect([operation, await guest.ask(operation, ["/"], { txId })]).toEqual([operation, "EACCES"]);
      }
      expect(await guest.ask("DIRECTORY_PART", ["/", "0"], { txId })).toBe("EACCES");
      expect(await guest.ask("WRITE", ["/", "x"], { txId })).toBe("EACCES");
      expect(await guest.ask("SET_PERMS", ["/", own], { txId })).toBe("EACCES");
      expect(await guest.ask("MKDIR", ["/x353"], { txId })).toBe("EACCES");
    }
    expect(await dom0.must("READ", ["/"])).toBe("");
    await dom0.must("SET_PERMS", ["/", "n0", `b${String(domid)}`]);
    expect(await guest.ask("RM", ["/"])).toBe("EINVAL");
    expect(await guest.ask("SET_PERMS", ["/", own])).toBe("EACCES");
    await dom0.must("SET_PERMS", ["/", "n0"]);
    await destroy(domid);
  });

  test("XSA-414: a creation that fails leaves no nodes and no counts", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    await setQuota(domid, "nodes", 4);
    const nodes = await memory("nodes");
    for (const [path, value] of [
      ["a/b/c/d", "x"],
      ["a/b", "x".repeat(3000)],
      [`${homeOf(domid)}/n/${"m".repeat(2045)}`, ""],
    ] as const) {
      expect(await guest.ask("WRITE", [path, value])).toBe("ENOSPC");
      expect(await memory("nodes")).toBe(nodes);
      expect(await held(domid, "nodes")).toBe(1);
    }
    expect(await guest.ask("DIRECTORY", [homeOf(domid)])).toBe("");
    await guest.must("WRITE", ["a/b/c", "x"]);
    await destroy(domid);
  });

  test("XSA-415: a creation that fails inside a transaction leaves no nodes and no counts", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    await setQuota(domid, "nodes", 4);
    const nodes = await memory("nodes");
    for (const end of ["T", "F"]) {
      const txId = await start(guest);
      await guest.must("WRITE", ["a/b", "x"], { txId });
      expect(await guest.ask("WRITE", ["c/d/e", "x"], { txId })).toBe("ENOSPC");
      expect(await guest.ask("READ", ["c"], { txId })).toBe("ENOENT");
      expect(await guest.ask("TRANSACTION_END", [end], { txId })).toBe(end === "T" ? "ENOSPC" : "OK");
      expect(await memory("nodes")).toBe(nodes);
      expect(await held(domid, "nodes")).toBe(1);
    }
    const dropped = await daemon.connectGuest(domid);
    const txId = await start(dropped);
    await dropped.must("WRITE", ["a/b", "x"], { txId });
    dropped.endWriting();
    await dropped.closed;
    expect(await held(domid, "nodes")).toBe(1);
    await destroy(domid);
  });

  test("XSA-416: what requests needed is freed although their replies are not read", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    const [batches, requestsPerBatch] = [80, 500];
    // Else it would stop reading after a few requests, and nothing could pile up.
    await setQuota(domid, "outstanding", 0);
    const before = residentBytes();
    guest.pause();
    const batch = guest.encode("WRITE", `/x416\0${"x".repeat(4000)}`).bytes.repeat(requestsPerBatch);
    for (let index = 0; index < batches; index++) {
      guest.sendBytes(batch);
      await guest.taken();
    }
    await settledMemory("unread output bytes");
    const sentBytes = batches * batch.length;
    expect(residentBytes() - before).toBeLessThan(sentBytes / 2);
    let replies = 0;
    guest.resume();
    for (; replies < batches * requestsPerBatch; replies++) {
      const reply = await guest.next();
      if (reply?.payload !== "EACCES\0") throw new Error(`reply ${String(replies)} is missing`);
    }
    await destroy(domid);
  });

  test("XSA-417: an entry for a domain that does not exist yet gives it nothing", async () => {
    const [domid, later] = [freshDomid(), freshDomid()];
    const guest = await enter(domid);
    await guest.must("WRITE", ["bait", "x"]);
    await guest.must("SET_PERMS", ["bait", `n${String(domid)}`, `b${String(later)}`]);
    const txId = await start(guest);
    await guest.must("WRITE", ["bait2", "x"], { txId });
    await guest.must("SET_PERMS", ["bait2", `n${String(domid)}`, `b${String(later)}`], { txId });
    await guest.must("TRANSACTION_END", ["T"], { txId });
    const newcomer = await enter(later);
    for (const name of ["bait", "bait2"]) {
      expect(await newcomer.ask("READ", [`${homeOf(domid)}/${name}`])).toBe("EACCES");
      expect(await newcomer.ask("WRITE", [`${homeOf(domid)}/${name}`, "y"])).toBe("EACCES");
      expect(await dom0.must("GET_PERMS", [`${homeOf(domid)}/${name}`])).toBe(`n${String(domid)}`);
    }
    await destroy(domid, later);
  });

  test("XSA-418: a thousand levels exhaust no stack, in the store, in the journal and in Git", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    const deep = Array.from({ length: 990 }, () => "d").join("/");
    await guest.must("WATCH", [deep, "t"]);
    await guest.must("WRITE", [deep, "x"]);
    await dom0.must("WRITE", [`/${Array.from({ length: 1535 }, () => "d").join("/")}`, "x"]);
    await dom0.must("CONTROL", ["flush"]);
    const txId = await start(guest);
    await guest.must("WRITE", [`${deep}/e`, "x"], { txId });
    await guest.must("RM", ["d"], { txId });
    await guest.must("WRITE", [deep, "y"], { txId });
    await guest.must("TRANSACTION_END", ["T"], { txId });
    expect(await guest.must("READ", [deep])).toBe("y");
    await dom0.must("CONTROL", ["flush"]);
    await guest.eventsSoFar();
    await guest.must("RM", ["d"]);
    expect(await guest.eventsSoFar()).toEqual([{ path: deep, token: "t" }]);
    await guest.must("WRITE", [deep, "z"]);
    await destroy(domid);
    await dom0.must("RM", ["/d"]);
    await dom0.must("CONTROL", ["flush"]);
    expect(execFileSync("git", ["-C", daemon.repository, "fsck", "--strict"], { encoding: "utf8" })).toBe("");
  });

  test("XSA-419: what a dead domain leaves does not become dom0's", async () => {
    const keeper = freshDomid();
    const keeping = await enter(keeper);
    const domid = freshDomid();
    const nodes = await memory("nodes");
    for (let round = 0; round < 3; round++) {
      await introduce(domid);
      const guest = await daemon.connectGuest(domid);
      await keeping.must("SET_PERMS", [homeOf(keeper), `n${String(keeper)}`, `b${String(domid)}`]);
      for (let index = 0; index < 10; index++) {
        await guest.must("WRITE", [`${homeOf(keeper)}/left${String(round)}-${String(index)}/below`, "x"]);
      }
      await destroy(domid);
      expect(await memory("nodes")).toBe(nodes);
      expect(await keeping.must("DIRECTORY", [homeOf(keeper)])).toBe("");
    }
    await destroy(keeper);
  });

  test("XSA-420: numbers are not truncated: header fields", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    for (const length of [4097, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff]) {
      const client = await daemon.connectGuest(domid);
      client.sendHeader(2, length);
      await client.closed;
      expect(client.inbox).toEqual([]);
    }
    for (const requestId of [0x7fffffff, 0x80000000, 0xffffffff]) {
      const reply = await guest.call("GET_DOMAIN_PATH", "1\0", { requestId, txId: 0 });
      expect(reply.requestId).toBe(requestId);
      const refused = await guest.call("READ", "a\0", { requestId: requestId - 1, txId: requestId });
      expect([refused.type, refused.txId, refused.payload]).toEqual([ERROR, requestId, "ENOENT\0"]);
    }
    const txId = await start(guest);
    const other = await guest.call("READ", "a\0", { txId: txId + 0x80000000 });
    expect(other.payload).toBe("ENOENT\0");
    for (const { number } of OPERATIONS) {
      const reply = await guest.call(number + 0x80000000, "a\0");
      expect(reply.payload).toBe("ENOSYS\0");
    }
    await destroy(domid);
  });

  test("XSA-420: numbers are not truncated: decimal arguments", async () => {
    const domid = freshDomid();
    await introduce(domid);
    for (const wrap of [2 ** 16, 2 ** 31, 2 ** 32, 2 ** 53]) {
      const wrapped = (BigInt(wrap) + BigInt(domid)).toString();
      for (const operation of ["RELEASE", "RESUME", "IS_DOMAIN_INTRODUCED", "GET_DOMAIN_PATH"] as const) {
        expect([operation, wrapped, await dom0.ask(operation, [wrapped])]).toEqual([operation, wrapped, "EINVAL"]);
      }
      expect(await dom0.ask("INTRODUCE", [wrapped, "1", "1"])).toBe("EINVAL");
      expect(await dom0.ask("SET_TARGET", [wrapped, "0"])).toBe("EINVAL");
      expect(await dom0.ask("SET_PERMS", ["/tool", `n${wrapped}`])).toBe("EINVAL");
      expect(await dom0.ask("CONTROL", ["domain", "destroy", wrapped])).toBe("EINVAL");
      expect(await dom0.ask("DIRECTORY_PART", ["/tool", `${wrapped}00000000000`])).toBe("EINVAL");
    }
    expect(await dom0.must("IS_DOMAIN_INTRODUCED", [String(domid)])).toBe("T");
    await destroy(domid);
  });

  test("XSA-421: create and delete in one transaction do not change the counts", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    await setQuota(domid, "nodes", 5);
    await guest.must("WRITE", ["kept", "x"]);
    for (let round = 0; round < 10; round++) {
      const txId = await start(guest);
      await guest.must("WRITE", ["a/b", "x"], { txId });
      await guest.must("RM", ["a"], { txId });
      await guest.must("RM", ["kept"], { txId });
      await guest.must("WRITE", ["kept", "x"], { txId });
      await guest.must("TRANSACTION_END", [round % 2 === 0 ? "T" : "F"], { txId });
      expect(await held(domid, "nodes")).toBe(2);
    }
    const txId = await start(guest);
    for (let round = 0; round < 10; round++) {
      await guest.must("WRITE", ["a/b", "x"], { txId });
      await guest.must("RM", ["a"], { txId });
    }
    await guest.must("MKDIR", ["1/2/3"], { txId });
    await guest.must("TRANSACTION_END", ["T"], { txId });
    expect(await held(domid, "nodes")).toBe(5);
    expect(await guest.ask("MKDIR", ["4"])).toBe("ENOSPC");
    const full = await start(guest);
    await guest.must("RM", ["1/2/3"], { txId: full });
    await guest.must("RM", ["1/2/3"], { txId: full });
    await guest.must("MKDIR", ["4"], { txId: full });
    expect(await guest.ask("MKDIR", ["5"], { txId: full })).toBe("ENOSPC");
    await guest.must("TRANSACTION_END", ["F"], { txId: full });
    await destroy(domid);
  });

  test("XSA-425: a domain is released while its requests are handled", async () => {
    const domid = freshDomid();
    for (let round = 0; round < 10; round++) {
      await introduce(domid);
      await dom0.must("SET_PERMS", ["/tool", "n0", `r${String(domid)}`]);
      const guests = await Promise.all([1, 2, 3].map(() => daemon.connectGuest(domid)));
      for (const guest of guests) {
        const bytes = guest.encode("READ", "/tool\0").bytes + guest.encode("TRANSACTION_START", "\0").bytes;
        guest.sendBytes(bytes.repeat(50));
        guest.sendBytes(serializeHeader(11, 1, 0, 100));
      }
      const operation = round % 2 === 0 ? "RELEASE" : "CONTROL";
      const arguments_ = operation === "RELEASE" ? [String(domid)] : ["domain", "destroy", String(domid)];
      await dom0.must(operation, arguments_);
      for (const guest of guests) guest.sendBytes(guest.encode("READ", "/tool\0").bytes);
      await Promise.all(guests.map((guest) => guest.closed));
      expect(await dom0.must("GET_PERMS", ["/tool"])).toBe("n0");
      expect(await held(domid, "transactions")).toBe(0);
    }
  });

  test("XSA-440: nodes are deleted inside and outside a transaction at once", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    const inside = [["a/b/c"], ["a/b"], ["a"], ["a/b/c", "a/b"], ["a/none", "a"]];
    for (const removals of inside) {
      for (const outside of ["a", "a/b", "a/b/c"]) {
        for (const end of ["T", "F"]) {
          await guest.must("WRITE", ["a/b/c", "x"]);
          const txId = await start(guest);
          await guest.ask("READ", ["a/b/c"], { txId });
          await guest.ask("WRITE", ["a/b/new", "x"], { txId });
          for (const path of removals) await guest.ask("RM", [path], { txId });
          await guest.must("RM", [outside]);
          const outcome = await guest.ask("TRANSACTION_END", [end], { txId });
          expect(outcome).toBe(end === "F" ? "OK" : "EAGAIN");
          await guest.ask("RM", ["a"]);
          expect(await held(domid, "nodes")).toBe(1);
        }
      }
    }
    await destroy(domid);
  });

  test("XSA-481: odd paths are refused", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    const paths = [
      "/local/domain/",
      "/local/domain//",
      "//",
      "/local//",
      "/local/domain//x",
      "/local/domain/5/",
      "/@/",
      "@",
    ];
    const odd = [
      ...paths,
      "/local/domain/\xff",
      "/local/domain/ 5",
      "/.",
      "/local/domain/5/../6",
      " ",
      "/%s%n",
      "a/",
      "/\n",
    ];
    for (const client of [guest, dom0]) {
      for (const path of odd) {
        for (const operation of ["READ", "DIRECTORY", "MKDIR", "RM"] as const) {
          expect([path, operation, await client.ask(operation, [path])]).toEqual([path, operation, "EINVAL"]);
        }
        expect(await client.ask("WRITE", [path, "x"])).toBe("EINVAL");
        expect(await client.ask("WATCH", [path, "t"])).toBe("EINVAL");
        expect(await client.ask("DIRECTORY_PART", [path, "0"])).toBe("EINVAL");
        expect(["EINVAL", "ENOENT"]).toContain(await client.ask("GET_PERMS", [path]));
        expect(["EINVAL", "ENOENT"]).toContain(await client.ask("SET_PERMS", [path, "n0"]));
      }
    }
    for (const path of ["/local/domain", "/local/domain/x", "/local/domain/99999/x", "/local/domain/-1/x"]) {
      expect([path, await guest.ask("READ", [path])]).toEqual([path, "EACCES"]);
    }
    await destroy(domid);
  });

  test("XSA-483: no count is left of a domain that is destroyed", async () => {
    const domid = freshDomid();
    const before = await memory("nodes");
    for (let round = 0; round < 5; round++) {
      const guest = await enter(domid);
      await setQuota(domid, "nodes", 5);
      for (let index = 0; index < 4; index++) await guest.must("MKDIR", [`n${String(index)}`]);
      expect(await guest.ask("MKDIR", ["more"])).toBe("ENOSPC");
      for (let index = 0; index < 128; index++) await guest.must("WATCH", ["w", String(index)]);
      expect(await guest.ask("WATCH", ["w", "more"])).toBe("ENOSPC");
      for (let index = 0; index < 10; index++) {
        const txId = await start(guest);
        await guest.must("RM", ["n1"], { txId });
      }
      expect(await guest.ask("TRANSACTION_START", [""])).toBe("ENOSPC");
      if (round % 2 === 0) await destroy(domid);
      else await dom0.must("RELEASE", [String(domid)]);
      for (const what of ["nodes", "watches", "transactions"] as const) expect(await held(domid, what)).toBe(0);
    }
    expect(await memory("nodes")).toBe(before);
  });

  test("XSA-484: RESET_WATCHES inside a transaction ends it without harm", async () => {
    const domid = freshDomid();
    const guest = await enter(domid);
    for (let round = 0; round < 15; round++) {
      const [first, second] = [await start(guest), await start(guest)];
      await guest.must("WATCH", ["w", "t"], { txId: first });
      await guest.must("WRITE", ["w", "x"], { txId: first });
      await guest.must("WRITE", ["v", "x"], { txId: second });
      expect(await guest.ask("RESET_WATCHES", [""], { txId: first })).toBe("OK");
      for (const txId of [first, second]) {
        expect(await guest.ask("WRITE", ["w", "y"], { txId })).toBe("ENOENT");
        expect(await guest.ask("TRANSACTION_END", ["T"], { txId })).toBe("ENOENT");
      }
    }
    await guest.eventsSoFar();
    await guest.must("WRITE", ["w", "z"]);
    expect(await guest.eventsSoFar()).toEqual([]);
    expect(await held(domid, "transactions")).toBe(0);
    await destroy(domid);
  });
});
