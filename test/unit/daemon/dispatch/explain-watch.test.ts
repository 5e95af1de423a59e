import { beforeEach, describe, expect, test } from "vitest";
import type { Connection } from "../../../../daemon/connection/connection.js";
import { DELIVERIES_MAX, DeliveryLog } from "../../../../daemon/dispatch/delivery-log.js";
import type { WatchExplanation } from "../../../../daemon/dispatch/explain-watch.js";
import type { Seq } from "../../../../protocol/identifiers.js";
import { parsePerms } from "../../../../protocol/perms.js";
import { CoreHarness, domainId } from "../../../support/core-harness.js";

let harness: CoreHarness;
let dom0: Connection;
let guest: Connection;

beforeEach(() => {
  harness = new CoreHarness();
  dom0 = harness.connect(0);
  harness.ask(dom0, "INTRODUCE", { domid: domainId(7), gfn: 1, port: 1 });
  harness.ask(dom0, "WRITE", { path: "/local/domain/7/data", value: "1" });
  const perms = parsePerms(["n7"]);
  if (perms === undefined) throw new Error("no perms");
  harness.ask(dom0, "SET_PERMS", { path: "/local/domain/7", perms });
  harness.ask(dom0, "SET_PERMS", { path: "/local/domain/7/data", perms });
  guest = harness.connect(7);
});

function watch(connection: Connection, path: string, depth?: number): void {
  expect(
    harness.ask(connection, "WATCH", { path, token: `on ${path}`, ...(depth === undefined ? {} : { depth }) }),
  ).toBe("OK\0");
}

function explain(path: string, domid = 7, seqs: readonly number[] = []): WatchExplanation {
  return harness.core.explainWatch({ path, domid: domainId(domid), seqs: seqs as Seq[] });
}

describe("explainWatch", () => {
  test("tells which watches would fire, and what keeps the others from it", () => {
    watch(guest, "/local/domain/7/data");
    watch(guest, "data");
    watch(guest, "/", 2);
    watch(guest, "/elsewhere");
    watch(guest, "@releaseDomain");
    const { connections, watches, watchesElsewhere } = explain("/local/domain/7/data");
    expect([connections, watchesElsewhere]).toEqual([1, 2]);
    expect(watches.map(({ token, obstacle }) => [token, obstacle])).toEqual([
      ["on /local/domain/7/data", undefined],
      ["on data", undefined],
      ["on /", "depth"],
    ]);
  });

  test("tells that a domain may not know of a node", () => {
    harness.ask(dom0, "WRITE", { path: "/tool/secret", value: "1" });
    watch(guest, "/");
    expect(explain("/tool/secret").watches.map(({ obstacle }) => obstacle)).toEqual(["perms"]);
    harness.ask(dom0, "WRITE", { path: "/tool/secret", value: "2" });
    expect(explain("/tool/secret").deliveries.map(({ fate, domid, seq }) => [fate, domid, seq])).toEqual([
      ["refused", 7, harness.core.seq],
    ]);
  });

  test("tells of a missing node what would be when it is made, with the perms that it would have", () => {
    watch(guest, "/");
    harness.ask(dom0, "WRITE", { path: "/tool/secret", value: "1" });
    const obstacles = (path: string): unknown[] => {
      const { exists, watches } = explain(path);
      expect(exists).toBe(false);
      return watches.map(({ obstacle }) => obstacle);
    };
    expect(obstacles("/local/domain/7/new"), "the parent may be read").toEqual([undefined]);
    expect(obstacles("/local/domain/7/new/below/it"), "nor is its parent there").toEqual([undefined]);
    expect(obstacles("/tool/new/below")).toEqual(["perms"]);
    harness.ask(dom0, "RM", { path: "/local/domain/7/data" });
    expect(obstacles("/local/domain/7/data"), "it was removed").toEqual([undefined]);
    harness.takeEvents(guest);
    harness.ask(dom0, "WRITE", { path: "/local/domain/7/new/below/it", value: "" });
    expect(harness.takeEvents(guest).length).toBe(1);
  });

  test("tells of a domain without connections", () => {
    expect(explain("/tool", 9)).toEqual({
      exists: false,
      connections: 0,
      watches: [],
      watchesElsewhere: 0,
      deliveries: [],
    });
  });

  test("tells who was sent the last events about the node, newest first, with the commit; relative watches too", () => {
    watch(dom0, "/local");
    watch(guest, "data");
    const first = harness.core.seq + 1;
    harness.ask(dom0, "WRITE", { path: "/local/domain/7/data", value: "2" });
    harness.ask(dom0, "WRITE", { path: "/local/domain/7/other", value: "2" });
    harness.ask(dom0, "RM", { path: "/local/domain/7/data" });
    expect(
      explain("/local/domain/7/data").deliveries.map(({ seq, connection, token }) => [seq, connection, token]),
    ).toEqual([
      [first + 2, guest.name, "on data"],
      [first + 2, dom0.name, "on /local"],
      [first, guest.name, "on data"],
      [first, dom0.name, "on /local"],
    ]);
  });

  test("tells of events that were lost: too long for a message, or too much unread", () => {
    const deep = `/${"x".repeat(250)}`.repeat(8);
    harness.ask(dom0, "WATCH", { path: "/", token: "t".repeat(2200) });
    harness.ask(dom0, "WRITE", { path: deep, value: "" });
    expect(explain(deep, 0).deliveries.map(({ fate }) => fate)).toEqual(["dropped"]);
  });

  test("tells of a watch whose events never fit a message", () => {
    const deep = `/${"x".repeat(250)}`.repeat(8);
    harness.ask(dom0, "WATCH", { path: "/", token: "t".repeat(2200) });
    expect(explain(deep, 0).watches.map(({ obstacle }) => obstacle)).toEqual(["length"]);
    expect(explain("/a", 0).watches.map(({ obstacle }) => obstacle)).toEqual([undefined]);
  });

  test("tells what a commit's events told of above and below the node, where the commit is asked about", () => {
    for (const path of ["/local/domain/7/device/vif/0", "/local/domain/7/device/vif/1"]) {
      harness.ask(dom0, "WRITE", { path, value: "" });
    }
    watch(dom0, "/local");
    harness.ask(dom0, "WRITE", { path: "/local/domain/7/made/below", value: "" });
    harness.ask(dom0, "RM", { path: "/local/domain/7/device/vif" });
    harness.ask(dom0, "WRITE", { path: "/local/domain/7/elsewhere", value: "" });
    const removed = harness.core.seq - 1;
    const seqs = [removed - 1, removed, removed + 1];
    const told = (path: string, asked: readonly number[]): unknown[] =>
      explain(path, 0, asked).deliveries.map(({ seq, absolutePath }) => [seq, absolutePath]);
    expect(told("/local/domain/7/device/vif/0", [])).toEqual([]);
    expect(told("/local/domain/7/device/vif/0", seqs)).toEqual([[removed, "/local/domain/7/device/vif"]]);
    expect(told("/local/domain/7/made", seqs)).toEqual([[removed - 1, "/local/domain/7/made/below"]]);
  });

  test("forgets what a tick did that was undone", () => {
    watch(dom0, "/a");
    harness.beginTick();
    harness.send(dom0, "WRITE", { path: "/a", value: "1" });
    harness.core.abortTick("EIO");
    harness.endTick();
    harness.core.acceptCommits();
    expect(explain("/a", 0).deliveries).toEqual([]);
  });
});

describe("explainWatch of a special path", () => {
  const obstacles = (path: string, domid = 7): unknown[] =>
    explain(path, domid).watches.map(({ token, obstacle }) => [token, obstacle]);

  test("tells which watches would fire, and what keeps the others from it", () => {
    watch(guest, "@releaseDomain");
    watch(guest, "@releaseDomain/5");
    watch(guest, "@introduceDomain");
    expect(explain("@releaseDomain")).toMatchObject({ exists: true, connections: 1, watchesElsewhere: 2 });
    expect(obstacles("@releaseDomain")).toEqual([["on @releaseDomain", undefined]]);
    expect(obstacles("@releaseDomain/5").length).toBe(2);
    expect(obstacles("@introduceDomain")).toEqual([["on @introduceDomain", "perms"]]);
    watch(dom0, "@releaseDomain", 0);
    expect(obstacles("@releaseDomain", 0)).toEqual([["on @releaseDomain", "depth"]]);
  });

  test("tells who was sent its events, and who was refused", () => {
    watch(guest, "@introduceDomain");
    watch(dom0, "@introduceDomain");
    watch(dom0, "@introduceDomain/5");
    harness.ask(dom0, "INTRODUCE", { domid: domainId(5), gfn: 1, port: 1 });
    const told = (path: string): unknown[] =>
      explain(path).deliveries.map(({ domid, absolutePath, fate }) => [domid, absolutePath, fate]);
    const [own, refused, ofAll] = [
      [0, "@introduceDomain/5", "sent"],
      [7, "@introduceDomain", "refused"],
      [0, "@introduceDomain", "sent"],
    ];
    expect(told("@introduceDomain")).toEqual(expect.arrayContaining([own, refused, ofAll]));
    expect(told("@introduceDomain/5").length).toBe(3);
    expect(told("@introduceDomain/6")).not.toContainEqual(own);
    expect(told("@releaseDomain")).toEqual([]);
  });
});

describe("DeliveryLog", () => {
  test("remembers so many", () => {
    const log = new DeliveryLog();
    const note = (seq: number): void => {
      const given = { owner: dom0, path: "/", token: "t", depth: undefined, relativeBase: 0, order: 1 };
      log.note(given, `/${String(seq)}`, { seq: seq as Seq, fate: "sent" });
    };
    for (let seq = 1; seq <= 3 * DELIVERIES_MAX + 7; seq++) {
      note(seq);
      if (seq % 3 === 0) log.settle();
    }
    log.settle();
    const seqs = [...log.newestFirst()].map(({ seq }) => seq);
    expect(seqs.length).toBe(DELIVERIES_MAX);
    expect([seqs[0], seqs.at(-1)]).toEqual([3 * DELIVERIES_MAX + 7, 2 * DELIVERIES_MAX + 8]);
  });
});
