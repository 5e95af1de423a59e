/**
 * Transactions as clients see them: isolation, replay, conflicts and their explanation.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { Connection } from "../../../../daemon/connection/connection.js";
import { REQUEST_RECORDS_MAX } from "../../../../daemon/store/commit.js";
import { parsePerms, type Perms } from "../../../../protocol/perms.js";
import { CoreHarness, domainId, payloadOfAnswer } from "../../../support/core-harness.js";

const OK = "OK\0";
const EAGAIN = { error: "EAGAIN" };
let harness: CoreHarness;
let dom0: Connection;
let other: Connection;

beforeEach(() => {
  harness = new CoreHarness();
  dom0 = harness.connect(0);
  other = harness.connect(0);
});

const write = (connection: Connection, path: string, value = "", txId = 0) =>
  harness.ask(connection, "WRITE", { path, value }, txId);
const read = (connection: Connection, path: string, txId = 0) => harness.ask(connection, "READ", { path }, txId);
const end = (connection: Connection, txId: number, commit = true) =>
  harness.ask(connection, "TRANSACTION_END", { commit }, txId);

describe("TRANSACTION_START", () => {
  test("counts up on each connection, also when earlier ones have ended", () => {
    expect([harness.startTransaction(dom0), harness.startTransaction(dom0)]).toEqual([1, 2]);
    end(dom0, 2);
    expect([harness.startTransaction(dom0), harness.startTransaction(other)]).toEqual([3, 1]);
  });

  test("goes on at 1 after 4294967295, and gives out no id that is open", () => {
    harness.startTransaction(dom0);
    dom0.lastTxId = 0xffff_fffe;
    expect(harness.startTransaction(dom0)).toBe(0xffff_ffff);
    expect(harness.startTransaction(dom0)).toBe(2);
  });

  test("is EBUSY inside a transaction", () => {
    const txId = harness.startTransaction(dom0);
    expect(harness.ask(dom0, "TRANSACTION_START", {}, txId)).toEqual({ error: "EBUSY" });
  });
});

describe("TRANSACTION_END", () => {
  test("is EINVAL for anything but T and F, and the transaction stays open; without one it is ENOENT", () => {
    const txId = harness.startTransaction(dom0);
    for (const payload of ["", "T", "t\0", "T\0\0", "T\0F\0", "TF\0", "\0"]) {
      expect(harness.askPayload(dom0, 7, payload, txId), JSON.stringify(payload)).toEqual({ error: "EINVAL" });
    }
    expect(harness.askPayload(dom0, 7, "T\0", 0)).toEqual({ error: "ENOENT" });
    expect(end(dom0, txId)).toBe(OK);
    expect(end(dom0, txId)).toEqual({ error: "ENOENT" });
  });

  test("with F applies and fires nothing", () => {
    harness.ask(other, "WATCH", { path: "/", token: "t" });
    harness.takeEvents(other);
    const txId = harness.startTransaction(dom0);
    write(dom0, "/a", "", txId);
    expect(end(dom0, txId, false)).toBe(OK);
    expect(read(dom0, "/a")).toEqual({ error: "ENOENT" });
    expect(harness.takeEvents(other)).toEqual([]);
  });

  test("makes one commit, which tells its transaction, its base and its requests", () => {
    const txId = harness.startTransaction(dom0);
    write(other, "/elsewhere");
    write(dom0, "/a", "1", txId);
    read(dom0, "/a", txId);
    harness.ask(dom0, "RM", { path: "/none/x" }, txId);
    harness.ask(dom0, "RM", { path: "/a" }, txId);
    write(dom0, "/b", "v".repeat(100), txId);
    harness.send(dom0, "TRANSACTION_END", { commit: true }, txId);
    const { commits } = harness.endTick();
    expect(commits).toMatchObject([
      {
        seq: 2,
        base: 0,
        origin: { domid: 0, connection: "socket-1", transaction: txId },
        requests: [
          { operation: "WRITE", subject: "/a", detail: "1", detailBytes: 1 },
          { operation: "RM", subject: "/a", detail: "", detailBytes: 0 },
          { operation: "WRITE", subject: "/b", detail: "v".repeat(64), detailBytes: 100 },
        ],
        requestsOmitted: 0,
        changes: [{ kind: "node", path: "/b", before: undefined }],
      },
    ]);
  });

  test("keeps a bounded number of requests and counts the rest", () => {
    const txId = harness.startTransaction(dom0);
    for (let index = 0; index < REQUEST_RECORDS_MAX + 7; index++) write(dom0, `/${String(index)}`, "", txId);
    harness.send(dom0, "TRANSACTION_END", { commit: true }, txId);
    const [commit] = harness.endTick().commits;
    expect([commit?.requests.length, commit?.requestsOmitted]).toEqual([REQUEST_RECORDS_MAX, 7]);
  });
});

describe("a transaction", () => {
  test("sees its snapshot and what it did itself, and nothing that others commit (transaction invariant 1)", () => {
    write(dom0, "/a", "old");
    const txId = harness.startTransaction(dom0);
    write(other, "/a", "new");
    expect(read(dom0, "/a", txId)).toBe("old");
    write(dom0, "/b", "mine", txId);
    expect(read(dom0, "/b", txId)).toBe("mine");
    expect(read(dom0, "/b")).toEqual({ error: "ENOENT" });
    expect(end(dom0, txId)).toEqual(EAGAIN);
    expect(read(dom0, "/b")).toEqual({ error: "ENOENT" });
  });

  test("that only read never conflicts, whatever was changed (transaction invariant 3)", () => {
    write(dom0, "/a", "1");
    const txId = harness.startTransaction(dom0);
    read(dom0, "/a", txId);
    harness.ask(dom0, "MKDIR", { path: "/a" }, txId);
    harness.ask(other, "RM", { path: "/a" });
    const { seq } = harness.core;
    expect(end(dom0, txId)).toBe(OK);
    expect(harness.core.seq).toBe(seq);
  });

  test("that changed a special path's perms and changed them back has changed nothing, and never conflicts", () => {
    write(dom0, "/a", "1");
    const setPerms = (text: string, txId: number) =>
      harness.ask(dom0, "SET_PERMS", { path: "@releaseDomain", perms: parsePerms([text]) as Perms }, txId);
    const txId = harness.startTransaction(dom0);
    read(dom0, "/a", txId);
    expect([setPerms("n0", txId), setPerms("r0", txId)]).toEqual([OK, OK]);
    write(other, "/a", "2");
    const { seq } = harness.core;
    expect(end(dom0, txId)).toBe(OK);
    const unmoved = harness.startTransaction(dom0);
    expect([setPerms("n0", unmoved), setPerms("r0", unmoved), end(dom0, unmoved)]).toEqual([OK, OK, OK]);
    expect(harness.core.seq).toBe(seq);
  });

  test("does not conflict with one that writes other nodes, or creates a sibling without listing the parent", () => {
    const [first, second] = [harness.startTransaction(dom0), harness.startTransaction(other)];
    write(dom0, "/p/1", "", first);
    write(other, "/p/2", "", second);
    expect([end(dom0, first), end(other, second)]).toEqual([OK, OK]);
    expect(harness.ask(dom0, "DIRECTORY", { path: "/p" })).toBe("1\x002\0");
  });

  test("conflicts with one that creates a child of the directory that it listed", () => {
    const txId = harness.startTransaction(dom0);
    harness.ask(dom0, "DIRECTORY", { path: "/" }, txId);
    write(dom0, "/mine", "", txId);
    write(other, "/theirs");
    expect(end(dom0, txId)).toEqual(EAGAIN);
  });

  test("does not conflict over the generation of DIRECTORY_PART, and over its names it does", () => {
    write(dom0, "/p/a");
    for (const [change, expected] of [
      [() => write(other, "/p", "value"), OK],
      [() => write(other, "/p/b"), EAGAIN],
    ] as const) {
      const txId = harness.startTransaction(dom0);
      harness.ask(dom0, "DIRECTORY_PART", { path: "/p", offset: 0 }, txId);
      write(dom0, "/mine", "", txId);
      change();
      expect(end(dom0, txId)).toEqual(expected);
    }
  });

  test("does not conflict when what it read was changed and changed back", () => {
    write(dom0, "/a", "1");
    const txId = harness.startTransaction(dom0);
    read(dom0, "/a", txId);
    write(dom0, "/b", "", txId);
    write(other, "/a", "2");
    write(other, "/a", "1");
    expect(end(dom0, txId)).toBe(OK);
  });

  test("is judged by the rights at its end", () => {
    harness.ask(dom0, "INTRODUCE", { domid: domainId(1), gfn: 1, port: 1 });
    const guest = harness.connect(1);
    write(dom0, "/g");
    harness.ask(dom0, "SET_PERMS", { path: "/g", perms: parsePerms(["b0"]) as Perms });
    const txId = harness.startTransaction(guest);
    expect(write(guest, "/g", "mine", txId)).toBe(OK);
    harness.ask(dom0, "SET_PERMS", { path: "/g", perms: parsePerms(["r0"]) as Perms });
    expect(end(guest, txId)).toEqual(EAGAIN);
    expect(read(dom0, "/g")).toBe("");
  });

  test("fires at its end, each path once, at its first position", () => {
    harness.ask(other, "WATCH", { path: "/", token: "t" });
    harness.takeEvents(other);
    const txId = harness.startTransaction(dom0);
    for (const path of ["/b", "/a", "/b", "/c/d"]) write(dom0, path, "", txId);
    harness.ask(dom0, "RM", { path: "/a" }, txId);
    expect(harness.takeEvents(other)).toEqual([]);
    end(dom0, txId);
    expect(harness.takeEvents(other).map(({ path }) => path)).toEqual(["/b", "/a", "/c/d"]);
  });

  test("ends at RESET_WATCHES, also inside itself (XSA-484), and at the end of its connection", () => {
    const txId = harness.startTransaction(dom0);
    harness.startTransaction(dom0);
    expect(harness.ask(dom0, "RESET_WATCHES", {}, txId)).toBe(OK);
    expect(dom0.transactions.size).toBe(0);
    expect(end(dom0, txId)).toEqual({ error: "ENOENT" });
  });

  test("does not hold back what acts at once", () => {
    const txId = harness.startTransaction(dom0);
    expect(harness.ask(dom0, "INTRODUCE", { domid: domainId(1), gfn: 1, port: 1 }, txId)).toBe(OK);
    expect(harness.ask(dom0, "IS_DOMAIN_INTRODUCED", { domid: domainId(1) })).toBe("T\0");
    end(dom0, txId, false);
    expect(harness.ask(dom0, "IS_DOMAIN_INTRODUCED", { domid: domainId(1) })).toBe("T\0");
  });
});

describe("conflict fairness", () => {
  /** dom0 lists /local/domain in transactions that fail, and each time a guest writes last; returns how long it is held. */
  function holdAfterListings(disturb: (guest: Connection, round: number) => void): number {
    harness.ask(dom0, "INTRODUCE", { domid: domainId(7), gfn: 1, port: 1 });
    const perms = parsePerms(["n7"]) as Perms;
    write(dom0, "/local/domain/7/data/own");
    for (const path of ["/local/domain/7/data", "/local/domain/7/data/own"]) {
      harness.ask(dom0, "SET_PERMS", { path, perms });
    }
    const guest = harness.connect(7);
    for (let round = 0; round < 12; round++) {
      const txId = harness.startTransaction(dom0);
      harness.ask(dom0, "DIRECTORY", { path: "/local/domain/7/data" }, txId);
      harness.ask(dom0, "DIRECTORY", { path: "/local/domain" }, txId);
      write(dom0, "/tool/listed", String(round), txId);
      disturb(guest, round);
      expect(end(dom0, txId)).toEqual(EAGAIN);
      harness.now += 1000;
    }
    return harness.core.holdMicroseconds(domainId(7));
  }

  test("does not hold a guest that writes its own node while others change what dom0 lists", () => {
    const held = holdAfterListings((guest, round) => {
      write(other, `/local/domain/${String(100 + round)}`);
      expect(write(guest, "data/own", String(round))).toBe(OK);
    });
    expect(held).toBe(0);
    const told = payloadOfAnswer(harness.ask(dom0, "CONTROL", { command: "conflicts", parameters: [] }));
    expect(told).not.toContain("of dom7");
  });

  test("holds a guest that changes what dom0 lists, whatever others write last", () => {
    const held = holdAfterListings((guest, round) => {
      expect(write(guest, `data/${String(round)}`)).toBe(OK);
      write(other, "/local/domain/7/data/own", String(round));
    });
    expect(held).toBeGreaterThan(0);
  });
});

describe("CONTROL conflicts", () => {
  test("explains an EAGAIN: the first answer that differs, and the commit that changed it", () => {
    write(dom0, "/a", "1");
    const txId = harness.startTransaction(dom0);
    read(dom0, "/a", txId);
    write(dom0, "/b", "", txId);
    write(other, "/a", "2");
    write(other, "/c");
    expect(end(dom0, txId)).toEqual(EAGAIN);
    expect(harness.ask(dom0, "CONTROL", { command: "conflicts", parameters: [] })).toBe(
      "socket-1 transaction 1 based on 1: READ /a was changed by commit 2 of dom0\n\0",
    );
  });

  test("lists the last conflict first and keeps to the size of a message", () => {
    for (let conflict = 0; conflict < 300; conflict++) {
      const txId = harness.startTransaction(dom0);
      harness.ask(dom0, "DIRECTORY", { path: "/" }, txId);
      write(dom0, "/b", "", txId);
      write(other, `/${String(conflict)}`);
      end(dom0, txId);
    }
    const text = payloadOfAnswer(harness.ask(dom0, "CONTROL", { command: "conflicts", parameters: [] }));
    expect(text).toMatch(/^socket-1 transaction 300 /);
    expect(text.length).toBeLessThanOrEqual(4096);
  });
});
