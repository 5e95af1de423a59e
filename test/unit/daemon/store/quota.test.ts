/**
 * Quotas: N means N are allowed, 0 means unlimited, dom0 is exempt. What the server does at `outstanding` and `memory` is
 * tested with it.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { Connection } from "../../../../daemon/connection/connection.js";
import { defaultQuota, exceedsQuota, quotaOf } from "../../../../daemon/store/quota-limit.js";
import { isQuotaName, QUOTA_DEFAULTS, QUOTA_NAMES } from "../../../../daemon/store/quota.js";
import { emptyRoot, NO_RECORD } from "../../../../daemon/store/root.js";
import { parsePerms, type Perms } from "../../../../protocol/perms.js";
import { CoreHarness, domainId } from "../../../support/core-harness.js";

describe("quotas", () => {
  test("have C xenstored's defaults", () => {
    expect(QUOTA_DEFAULTS).toEqual({
      nodes: 1000,
      watches: 128,
      transactions: 10,
      outstanding: 20,
      "transaction-nodes": 1024,
      "node-size": 2048,
      permissions: 5,
      memory: 2_621_440,
    });
    expect(QUOTA_NAMES.every((name) => isQuotaName(name))).toBe(true);
    expect([isQuotaName("toString"), isQuotaName("__proto__"), isQuotaName("Nodes")]).toEqual([false, false, false]);
  });

  test("are a domain's own, else the changed default, else the built-in one", () => {
    const record = { ...NO_RECORD, quotas: new Map([["nodes", 3] as const]) };
    const root = {
      ...emptyRoot(),
      quotas: new Map([["nodes", 7] as const]),
      domains: new Map([[domainId(1), record]]),
    };
    expect([quotaOf(root, domainId(1), "nodes"), quotaOf(root, domainId(2), "nodes")]).toEqual([3, 7]);
    expect([defaultQuota(root, "nodes"), defaultQuota(root, "watches")]).toEqual([7, 128]);
  });

  test("allow N, no more; 0 allows everything; dom0 is exempt", () => {
    const root = {
      ...emptyRoot(),
      quotas: new Map([
        ["nodes", 7],
        ["watches", 0],
      ] as const),
    };
    expect(exceedsQuota(root, domainId(1), "nodes", 7)).toBe(false);
    expect(exceedsQuota(root, domainId(1), "nodes", 8)).toBe(true);
    expect(exceedsQuota(root, domainId(1), "watches", 1_000_000)).toBe(false);
    expect(exceedsQuota(root, domainId(0), "nodes", 1_000_000)).toBe(false);
  });
});

const OK = "OK\0";
const ENOSPC = { error: "ENOSPC" };
let harness: CoreHarness;
let dom0: Connection;
let guest: Connection;

beforeEach(() => {
  harness = new CoreHarness();
  dom0 = harness.connect(0);
  harness.ask(dom0, "INTRODUCE", { domid: domainId(1), gfn: 1, port: 1 });
  guest = harness.connect(1);
  harness.ask(dom0, "WRITE", { path: "/g", value: "" });
  harness.ask(dom0, "SET_PERMS", { path: "/g", perms: list("n1") });
});

function list(...texts: string[]): Perms {
  const perms = parsePerms(texts);
  if (perms === undefined) throw new Error(texts.join());
  return perms;
}

function setQuota(quota: string, value: number): void {
  expect(harness.ask(dom0, "SET_QUOTA", { domid: domainId(1), quota, value })).toBe(OK);
}

const write = (path: string, value = "", txId = 0) => harness.ask(guest, "WRITE", { path, value }, txId);

describe("a guest", () => {
  test("owns as many nodes as its quota allows, missing parents counted, and none of a refused request (XSA-272, XSA-415)", () => {
    setQuota("nodes", 4);
    expect(write("/g/a/b")).toBe(OK);
    expect(write("/g/c/d"), "it owns 3 and asks for 2").toEqual(ENOSPC);
    expect(harness.ask(dom0, "READ", { path: "/g/c" })).toEqual({ error: "ENOENT" });
    expect(write("/g/c")).toBe(OK);
    expect(harness.ask(guest, "MKDIR", { path: "/g/d" })).toEqual(ENOSPC);
    expect(write("/g/c", "again"), "no new node").toBe(OK);
    expect(harness.ask(guest, "RM", { path: "/g/a" })).toBe(OK);
    expect(write("/g/c/e/f")).toBe(OK);
    expect(write("/g/h")).toEqual(ENOSPC);
  });

  test("pays for what it owns, and dom0 may make it own more", () => {
    setQuota("nodes", 2);
    for (const path of ["/g/1", "/g/2", "/g/3"]) expect(harness.ask(dom0, "WRITE", { path, value: "" })).toBe(OK);
    expect(write("/g/4")).toEqual(ENOSPC);
    expect(harness.ask(dom0, "SET_PERMS", { path: "/g/1", perms: list("n0") })).toBe(OK);
    expect(harness.ask(dom0, "RM", { path: "/g/2" })).toBe(OK);
    expect(harness.ask(dom0, "RM", { path: "/g/3" })).toBe(OK);
    expect(write("/g/4")).toBe(OK);
  });

  test("counts nodes created and removed in one transaction as it should (XSA-421, XSA-440)", () => {
    setQuota("nodes", 2);
    const txId = harness.startTransaction(guest);
    for (let repeat = 0; repeat < 5; repeat++) {
      expect(write("/g/a", "", txId)).toBe(OK);
      expect(harness.ask(guest, "RM", { path: "/g/a" }, txId)).toBe(OK);
    }
    expect(harness.ask(guest, "TRANSACTION_END", { commit: true }, txId)).toBe(OK);
    expect(write("/g/a")).toBe(OK);
    const removing = harness.startTransaction(guest);
    expect(harness.ask(guest, "RM", { path: "/g/a" }, removing)).toBe(OK);
    expect(harness.ask(guest, "RM", { path: "/g/a" })).toBe(OK);
    expect(harness.ask(guest, "TRANSACTION_END", { commit: true }, removing)).toBe(OK);
    expect(harness.ask(dom0, "CONTROL", { command: "check", parameters: [] })).toBe(OK);
    expect(write("/g/a")).toBe(OK);
    expect(write("/g/b")).toEqual(ENOSPC);
  });

  test("is judged inside a transaction by the snapshot's nodes, whatever others do meanwhile", () => {
    setQuota("nodes", 3);
    const txId = harness.startTransaction(guest);
    expect(harness.ask(dom0, "WRITE", { path: "/g/x/y", value: "" })).toBe(OK);
    expect(write("/g/a", "", txId)).toBe(OK);
    expect(harness.ask(guest, "TRANSACTION_END", { commit: true }, txId), "its replay is refused").toEqual({
      error: "EAGAIN",
    });
  });

  test("has as many watches as its quota allows, on all its connections", () => {
    setQuota("watches", 2);
    const second = harness.connect(1);
    expect(harness.ask(guest, "WATCH", { path: "/g", token: "1" })).toBe(OK);
    expect(harness.ask(second, "WATCH", { path: "/g", token: "1" })).toBe(OK);
    expect(harness.ask(second, "WATCH", { path: "/g", token: "2" })).toEqual(ENOSPC);
    harness.disconnect(second);
    expect(harness.ask(guest, "WATCH", { path: "/g", token: "2" })).toBe(OK);
    expect(harness.ask(guest, "RESET_WATCHES", {})).toBe(OK);
    expect(harness.ask(guest, "WATCH", { path: "/g", token: "3" })).toBe(OK);
  });

  test("has as many transactions open as its quota allows, on all its connections", () => {
    setQuota("transactions", 2);
    const second = harness.connect(1);
    const first = harness.startTransaction(guest);
    harness.startTransaction(second);
    expect(harness.ask(guest, "TRANSACTION_START", {})).toEqual(ENOSPC);
    expect(harness.ask(guest, "TRANSACTION_END", { commit: false }, first)).toBe(OK);
    expect(harness.ask(guest, "TRANSACTION_START", {})).toBe("2\0");
  });

  test("names as many nodes in a transaction as its quota allows; one more poisons it", () => {
    setQuota("transaction-nodes", 2);
    const txId = harness.startTransaction(guest);
    expect(write("/g/a", "", txId)).toBe(OK);
    expect(write("/g/b", "", txId)).toBe(OK);
    expect(write("/g/b", "again", txId)).toBe(OK);
    expect(write("/g/c", "", txId)).toEqual(ENOSPC);
    expect(harness.ask(guest, "READ", { path: "/g/b" }, txId), "it can still be used").toBe("again");
    expect(harness.ask(guest, "TRANSACTION_END", { commit: true }, txId)).toEqual(ENOSPC);
    expect(harness.ask(guest, "READ", { path: "/g/a" })).toEqual({ error: "ENOENT" });
    expect(harness.ask(guest, "TRANSACTION_END", { commit: true }, txId), "it is gone").toEqual({ error: "ENOENT" });
  });

  test("fills a node up to its size: value, 8 for each entry, each child's name and a NUL", () => {
    setQuota("node-size", 30);
    expect(write("/g/a", "v".repeat(22))).toBe(OK);
    expect(write("/g/a", "v".repeat(23))).toEqual(ENOSPC);
    expect(write("/g/b", "v".repeat(23)), "a new node").toEqual(ENOSPC);
    expect(write("/g/a", "v".repeat(14))).toBe(OK);
    expect(harness.ask(guest, "SET_PERMS", { path: "/g/a", perms: list("n1", "r0") })).toBe(OK);
    expect(harness.ask(guest, "SET_PERMS", { path: "/g/a", perms: list("n1", "r0", "r0") })).toEqual(ENOSPC);
    expect(harness.ask(guest, "SET_PERMS", { path: "/g/a", perms: list("n1") })).toBe(OK);
    expect(write("/g/a/1234567"), "22 + the name and its NUL").toBe(OK);
    expect(write("/g/a/8"), "32").toEqual(ENOSPC);
    expect(harness.ask(dom0, "WRITE", { path: "/g/a", value: "v".repeat(4000) }), "dom0 may").toBe(OK);
  });

  test("makes lists as long as its quota allows", () => {
    setQuota("permissions", 2);
    expect(harness.ask(guest, "SET_PERMS", { path: "/g", perms: list("n1", "r0") })).toBe(OK);
    expect(harness.ask(guest, "SET_PERMS", { path: "/g", perms: list("n1", "r0", "r0") })).toEqual(ENOSPC);
    expect(harness.ask(dom0, "SET_PERMS", { path: "/g", perms: list("n1", "r0", "r0") })).toBe(OK);
    expect(write("/g/a"), "a copy of a list that is too long").toEqual(ENOSPC);
  });

  test("has no limit where the quota is 0", () => {
    for (const quota of QUOTA_NAMES) setQuota(quota, 0);
    const txId = harness.startTransaction(guest);
    for (let index = 0; index < 1200; index++)
      harness.send(guest, "WRITE", { path: `/g/${String(index)}`, value: "" }, txId);
    expect(harness.ask(guest, "TRANSACTION_END", { commit: true }, txId)).toBe(OK);
    expect(
      harness.ask(guest, "SET_PERMS", {
        path: "/g",
        perms: list(
          "n1",
          ..."r"
            .repeat(20)
            .split("")
            .map((letter) => `${letter}0`),
        ),
      }),
    ).toBe(OK);
  });

  test("gets everything back when it is destroyed (XSA-483)", () => {
    setQuota("nodes", 2);
    expect(write("/g/a")).toBe(OK);
    harness.ask(dom0, "RELEASE", { domid: domainId(1) });
    harness.ask(dom0, "INTRODUCE", { domid: domainId(1), gfn: 1, port: 1 });
    expect(harness.ask(dom0, "GET_QUOTA", { domid: domainId(1), quota: "nodes" })).toBe("1000\0");
    expect(harness.ask(dom0, "CONTROL", { command: "quota", parameters: ["1"] })).toMatch(
      /nodes held: 0\nwatches held: 0/,
    );
  });
});
