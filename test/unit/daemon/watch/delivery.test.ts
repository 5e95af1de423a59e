/**
 * Deliveries: the worked examples of the source, and what the model leaves open.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { Connection } from "../../../../daemon/connection/connection.js";
import { reportedPath } from "../../../../daemon/watch/delivery.js";
import { parsePerms, type Perms } from "../../../../protocol/perms.js";
import { CoreHarness, domainId } from "../../../support/core-harness.js";

let harness: CoreHarness;
let dom0: Connection;
let watcher: Connection;

beforeEach(() => {
  harness = new CoreHarness();
  dom0 = harness.connect(0);
  watcher = harness.connect(0);
});

const write = (path: string, txId = 0) => harness.ask(dom0, "WRITE", { path, value: "" }, txId);
const remove = (path: string, txId = 0) => harness.ask(dom0, "RM", { path }, txId);

function watch(path: string, depth?: number, connection = watcher): void {
  const request = depth === undefined ? { path, token: path } : { path, token: path, depth };
  expect(harness.ask(connection, "WATCH", request)).toBe("OK\0");
  harness.takeEvents(connection);
}

/** Each event as path and token of its watch. */
function told(connection = watcher): string[] {
  return harness.takeEvents(connection).map(({ path, token }) => `${path} ${token}`);
}

describe("deliveriesOf", () => {
  test("tells a removal and a new node of one transaction once each (the example in delivery.ts)", () => {
    write("/a/b");
    watch("/a/b");
    watch("/");
    const txId = harness.startTransaction(dom0);
    remove("/a", txId);
    write("/a/b", txId);
    harness.ask(dom0, "TRANSACTION_END", { commit: true }, txId);
    expect(told()).toEqual(["/a/b /a/b", "/a /", "/a/b /"]);
  });

  test("tells a removal to watchers below it on nodes that existed, children first, then to those at it and above", () => {
    for (const path of ["/a/b/c", "/a/d", "/x"]) write(path);
    for (const path of ["/", "/a", "/a/b", "/a/b/c", "/a/b/none", "/a/d", "/x", "/ab"]) watch(path);
    remove("/a");
    const events = told();
    expect(events.slice().sort()).toEqual(["/a /", "/a /a", "/a/b /a/b", "/a/b/c /a/b/c", "/a/d /a/d"]);
    expect(events.indexOf("/a/b/c /a/b/c")).toBeLessThan(events.indexOf("/a/b /a/b"));
    expect(events.slice(-2)).toEqual(["/a /", "/a /a"]);
  });

  test("tells nothing of an RM that removed nothing, nor of an MKDIR of what is there", () => {
    write("/a");
    watch("/");
    remove("/a/none");
    harness.ask(dom0, "MKDIR", { path: "/a" });
    expect(told()).toEqual([]);
  });

  test("tells of the named node alone when its parents come with it, and of a write of an equal value", () => {
    watch("/");
    watch("/a");
    write("/a/b/c");
    expect(told()).toEqual(["/a/b/c /", "/a/b/c /a"]);
    write("/a/b/c");
    expect(told()).toEqual(["/a/b/c /", "/a/b/c /a"]);
  });

  test("counts levels below the watch: depth 0 is the node alone", () => {
    for (const depth of [0, 1, 2]) {
      harness.ask(watcher, "WATCH", { path: "/a", token: `depth ${String(depth)}`, depth });
    }
    harness.takeEvents(watcher);
    write("/a/b/c");
    expect(told()).toEqual(["/a/b/c depth 2"]);
    write("/a/b");
    expect(told()).toEqual(["/a/b depth 1", "/a/b depth 2"]);
    write("/a");
    expect(told()).toEqual(["/a depth 0", "/a depth 1", "/a depth 2"]);
    remove("/a/b");
    expect(told()).toEqual(["/a/b depth 1", "/a/b depth 2"]);
  });

  test("tells relative paths to a watch that was set relatively", () => {
    harness.ask(dom0, "INTRODUCE", { domid: domainId(1), gfn: 1, port: 1 });
    const guest = harness.connect(1);
    write("/local/domain/1/a/b");
    harness.ask(dom0, "SET_PERMS", { path: "/local/domain/1/a/b", perms: parsePerms(["n1"]) as Perms });
    expect(harness.ask(guest, "WATCH", { path: "a", token: "t" })).toBe("OK\0");
    expect(told(guest), "the first event").toEqual(["a t"]);
    write("/local/domain/1/a/b");
    expect(told(guest)).toEqual(["a/b t"]);
    expect(harness.ask(guest, "WATCH", { path: "/local/domain/1/a", token: "t" }), "one and the same").toEqual({
      error: "EEXIST",
    });
    expect(harness.ask(guest, "UNWATCH", { path: "/local/domain/1/a", token: "t" })).toBe("OK\0");
    expect(
      reportedPath({ owner: 0, path: "/x/y", token: "", depth: undefined, relativeBase: 3, order: 0 }, "/x/y/z"),
    ).toBe("y/z");
  });

  test("tells special events to watches of the special path, of one domain, and with depth 1 with the domain", () => {
    watch("@releaseDomain");
    watch("@releaseDomain/1");
    watch("@releaseDomain/2");
    watch("/");
    const deep = harness.connect(0);
    watch("@releaseDomain", 1, deep);
    harness.ask(dom0, "INTRODUCE", { domid: domainId(1), gfn: 1, port: 1 });
    expect([told(), told(deep)]).toEqual([[], []]);
    const control = (act: string) => harness.ask(dom0, "CONTROL", { command: "domain", parameters: [act, "1"] });
    const expected = [
      ["@releaseDomain @releaseDomain", "@releaseDomain/1 @releaseDomain/1"],
      ["@releaseDomain/1 @releaseDomain"],
    ];
    control("shutdown");
    expect([told(), told(deep)]).toEqual(expected);
    control("shutdown");
    expect([told(), told(deep)], "once until RESUME").toEqual([[], []]);
    harness.ask(dom0, "RESUME", { domid: domainId(1) });
    control("shutdown");
    expect([told(), told(deep)]).toEqual(expected);
    control("destroy");
    expect([told(), told(deep)]).toEqual(expected);
  });

  test("tells every domain that goes when two go in one tick (XSA-233)", () => {
    for (const domid of [1, 2]) harness.ask(dom0, "INTRODUCE", { domid: domainId(domid), gfn: 1, port: 1 });
    harness.ask(dom0, "SET_TARGET", { domid: domainId(2), target: domainId(1) });
    watch("@releaseDomain", 1);
    for (const domid of ["1", "2"])
      harness.send(dom0, "CONTROL", { command: "domain", parameters: ["destroy", domid] });
    harness.endTick();
    expect(told()).toEqual(["@releaseDomain/1 @releaseDomain", "@releaseDomain/2 @releaseDomain"]);
    expect(harness.ask(dom0, "CONTROL", { command: "check", parameters: [] })).toBe("OK\0");
  });

  test("drops an event that would exceed a message, and goes on (XSA-324)", () => {
    const path = `/${"p".repeat(2000)}`;
    const request = { path: "/", token: "t".repeat(2100) };
    expect(harness.ask(watcher, "WATCH", request)).toBe("OK\0");
    harness.takeEvents(watcher);
    write(path);
    expect(told()).toEqual([]);
    write("/short");
    expect(told()).toHaveLength(1);
    const fits = `/${"p".repeat(4096 - 2100 - 2 - 1)}`;
    write(fits);
    expect(told(), "4096 bytes").toHaveLength(1);
    write(`${fits}p`);
    expect(told(), "4097 bytes").toEqual([]);
  });
});
