/**
 * WATCH, UNWATCH and RESET_WATCHES.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { Connection } from "../../../../daemon/connection/connection.js";
import { CoreHarness } from "../../../support/core-harness.js";

const OK = "OK\0";
const EINVAL = { error: "EINVAL" };
let harness: CoreHarness;
let dom0: Connection;

beforeEach(() => {
  harness = new CoreHarness();
  dom0 = harness.connect(0);
});

const watch = (path: string, token = "t") => harness.ask(dom0, "WATCH", { path, token });
const unwatch = (path: string, token = "t") => harness.ask(dom0, "UNWATCH", { path, token });
const rawWatch = (payload: string) => harness.askPayload(dom0, 4, payload);

describe("WATCH", () => {
  test("fires once at once, after its reply, also for a node that is missing", () => {
    const requestId = harness.send(dom0, "WATCH", { path: "/none", token: "t" });
    expect(harness.endTick().received.get(dom0)).toEqual([
      { kind: "reply", operation: "WATCH", requestId, txId: 0, payload: OK },
      { kind: "event", path: "/none", token: "t" },
    ]);
  });

  test("is EEXIST for the same path and token, also when the path is given otherwise, and not for another token", () => {
    expect([watch("/local/domain/0/a"), watch("/local/domain/0/a"), watch("a")]).toEqual([
      OK,
      { error: "EEXIST" },
      { error: "EEXIST" },
    ]);
    expect(watch("a", "u")).toBe(OK);
    expect(harness.ask(harness.connect(0), "WATCH", { path: "a", token: "t" }), "on another connection").toBe(OK);
  });

  test.each([
    "",
    "/a\0",
    "/a\0t",
    "/a\0t\0x\0",
    "/a\0t\0-1\0",
    "/a\0t\0\0",
    "/a\0t\x001\x002\0",
    "//\0t\0",
    "/a/\0t\0",
    "@\0t\0",
    "\0t\0",
    "/a b\0t\0",
  ])("is EINVAL for %j", (payload) => {
    expect(rawWatch(payload)).toEqual(EINVAL);
    expect(dom0.watches.size).toBe(0);
  });

  test("takes an empty token, any @ path, and depths up to a uint32", () => {
    expect([rawWatch("/a\0\0"), rawWatch("@anything/at-all\0t\0"), rawWatch("/a\0t\x004294967295\0")]).toEqual([
      OK,
      OK,
      OK,
    ]);
  });

  test("ignores the transaction id, as UNWATCH does", () => {
    expect(harness.ask(dom0, "WATCH", { path: "/a", token: "t" }, 99)).toBe(OK);
    expect(harness.ask(dom0, "UNWATCH", { path: "/a", token: "t" }, 99)).toBe(OK);
  });
});

describe("UNWATCH and RESET_WATCHES", () => {
  test("UNWATCH ends one watch, and is ENOENT for none", () => {
    watch("/a");
    watch("/a", "u");
    expect([unwatch("/a"), unwatch("/a"), unwatch("/b"), unwatch("//")]).toEqual([
      OK,
      { error: "ENOENT" },
      { error: "ENOENT" },
      EINVAL,
    ]);
    harness.takeEvents(dom0);
    harness.ask(dom0, "WRITE", { path: "/a", value: "" });
    expect(harness.takeEvents(dom0)).toEqual([{ path: "/a", token: "u" }]);
  });

  test("RESET_WATCHES ends all of the caller's and nobody else's, and leaves nothing in the index (XSA-330)", () => {
    const other = harness.connect(0);
    harness.ask(other, "WATCH", { path: "/a", token: "t" });
    for (const path of ["/a", "/a/b", "@releaseDomain"]) watch(path);
    expect(harness.ask(dom0, "RESET_WATCHES", {})).toBe(OK);
    harness.takeEvents(dom0);
    harness.takeEvents(other);
    harness.ask(dom0, "WRITE", { path: "/a/b", value: "" });
    expect([harness.takeEvents(dom0).length, harness.takeEvents(other).length]).toEqual([0, 1]);
    expect(harness.ask(dom0, "CONTROL", { command: "check", parameters: [] })).toBe(OK);
    expect(watch("/a"), "it can be set again").toBe(OK);
  });
});
