/**
 * Requests about domains, and what the hypervisor does to domains.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { Connection } from "../../../../daemon/connection/connection.js";
import { operationNamed, type OperationName } from "../../../../protocol/operation.js";
import { NO_RECORD } from "../../../../daemon/store/root.js";
import { CoreHarness, domainId } from "../../../support/core-harness.js";

const OK = "OK\0";
const EINVAL = { error: "EINVAL" };
const ENOENT = { error: "ENOENT" };
let harness: CoreHarness;
let dom0: Connection;

beforeEach(() => {
  harness = new CoreHarness();
  dom0 = harness.connect(0);
});

const raw = (name: OperationName, payload: string) => harness.askPayload(dom0, operationNamed(name).number, payload);
const introduce = (domid: number, gfn = 1, port = 1) =>
  harness.ask(dom0, "INTRODUCE", { domid: domainId(domid), gfn, port });
const isIntroduced = (domid: number) => harness.ask(dom0, "IS_DOMAIN_INTRODUCED", { domid: domainId(domid) });
const control = (...parameters: string[]) => harness.ask(dom0, "CONTROL", { command: "domain", parameters });

describe("INTRODUCE", () => {
  test("makes a domain known, fires @introduceDomain, and opens its socket", () => {
    harness.ask(dom0, "WATCH", { path: "@introduceDomain", token: "t" });
    harness.takeEvents(dom0);
    harness.send(dom0, "INTRODUCE", { domid: domainId(5), gfn: 7, port: 3 });
    const { effects, commits } = harness.endTick();
    expect(effects).toEqual([{ kind: "open-domain-socket", domid: 5 }]);
    expect(commits).toMatchObject([{ requests: [{ operation: "INTRODUCE", subject: "5", detail: "7 3" }] }]);
    expect(harness.takeEvents(dom0)).toEqual([{ path: "@introduceDomain", token: "t" }]);
    expect([isIntroduced(5), isIntroduced(6), isIntroduced(0)]).toEqual(["T\0", "F\0", "T\0"]);
  });

  test("repeated, resets the guest's watches and transactions and fires nothing", () => {
    introduce(5);
    const guest = harness.connect(5);
    harness.ask(guest, "WATCH", { path: "a", token: "t" });
    harness.startTransaction(guest);
    harness.ask(dom0, "WATCH", { path: "@introduceDomain", token: "t" });
    harness.takeEvents(dom0);
    harness.send(dom0, "INTRODUCE", { domid: domainId(5), gfn: 1, port: 1 });
    expect(harness.endTick().effects).toEqual([]);
    expect([guest.watches.size, guest.transactions.size, guest.closing]).toEqual([0, 0, false]);
    expect(harness.takeEvents(dom0)).toEqual([]);
    expect(introduce(5, 1, 2), "at another port").toBe(OK);
    expect(harness.core.root.domains.get(domainId(5))?.introduction).toMatchObject({ gfn: 1, port: 2 });
  });

  test("notes the commit that made the domain known, and another for the next domain with its number", () => {
    const introductionOf5 = () => harness.core.root.domains.get(domainId(5))?.introduction;
    introduce(5);
    const first = introductionOf5();
    expect(first).toEqual({ gfn: 1, port: 1, commit: { seq: 1, time: harness.now } });
    introduce(5, 2, 2);
    expect(introductionOf5(), "repeated: the same domain").toEqual({ ...first, gfn: 2, port: 2 });
    harness.ask(dom0, "RELEASE", { domid: domainId(5) });
    introduce(5);
    expect(introductionOf5()).toMatchObject({ gfn: 1, port: 1, commit: { seq: 4 } });
  });

  test("repeated for a domain that 0.1.0 introduced, leaves it without a commit: it is still that domain", () => {
    const { root } = harness.core;
    const domains = new Map([[domainId(5), { ...NO_RECORD, introduction: { gfn: 1, port: 1 } }]]);
    harness = new CoreHarness({ root: { ...root, domains } });
    dom0 = harness.connect(0);
    introduce(5, 2);
    expect(harness.core.root.domains.get(domainId(5))?.introduction).toEqual({ gfn: 2, port: 1 });
  });

  test.each([
    "",
    "5\0",
    "5\x001\0",
    "5\x001\x000\0",
    "5\x001\0-1\0",
    "5\x001\x001",
    "x\x001\x001\0",
    "0\x001\x001\0",
    "32752\x001\x001\0",
    "65536\x001\x001\0",
    "5\0x\x001\0",
  ])("is EINVAL for %j", (payload) => {
    expect(raw("INTRODUCE", payload)).toEqual(EINVAL);
    expect(harness.core.seq).toBe(0);
  });
});

describe("RELEASE and RESUME", () => {
  test("are EINVAL for dom0 and what is no domid, ENOENT for a domain that is unknown", () => {
    for (const name of ["RELEASE", "RESUME"] as const) {
      for (const payload of ["0\0", "", "\0", "5", "x\0", "70000\0"]) expect(raw(name, payload), name).toEqual(EINVAL);
      expect(raw(name, "5\0")).toEqual(ENOENT);
    }
  });

  test("RELEASE closes the guest's connections and its socket, and leaves nothing of it", () => {
    introduce(5);
    const guests = [harness.connect(5), harness.connect(5)];
    harness.ask(dom0, "SET_QUOTA", { domid: domainId(5), quota: "nodes", value: 7 });
    harness.send(dom0, "RELEASE", { domid: domainId(5) });
    const { effects } = harness.endTick();
    expect(effects).toEqual([
      ...guests.map((connection) => ({ kind: "close-connection", connection })),
      { kind: "close-domain-socket", domid: 5 },
    ]);
    expect(harness.core.root.domains.size).toBe(0);
    expect(harness.core.connections.size).toBe(1);
    expect(raw("RELEASE", "5\0")).toEqual(ENOENT);
  });
});

describe("GET_DOMAIN_PATH", () => {
  test("answers for every domid, known or not", () => {
    expect(raw("GET_DOMAIN_PATH", "65535\0")).toBe("/local/domain/65535\0");
    expect(raw("GET_DOMAIN_PATH", "0\0")).toBe("/local/domain/0\0");
    for (const payload of ["", "\0", "5", "-1\0", "65536\0", "05\0", " 5\0", "5\x006\0"]) {
      expect(raw("GET_DOMAIN_PATH", payload), JSON.stringify(payload)).toEqual(EINVAL);
    }
  });
});

describe("SET_TARGET", () => {
  test("needs both domains introduced", () => {
    introduce(5);
    expect(harness.ask(dom0, "SET_TARGET", { domid: domainId(5), target: domainId(6) })).toEqual(ENOENT);
    expect(harness.ask(dom0, "SET_TARGET", { domid: domainId(6), target: domainId(5) })).toEqual(ENOENT);
    introduce(6);
    expect(harness.ask(dom0, "SET_TARGET", { domid: domainId(5), target: domainId(6) })).toBe(OK);
    expect(raw("SET_TARGET", "5\0")).toEqual(EINVAL);
  });
});

describe("GET_FEATURE and SET_FEATURE", () => {
  test("tell and choose what is offered, before INTRODUCE alone", () => {
    expect(raw("GET_FEATURE", "")).toBe("4\0");
    expect(harness.ask(dom0, "SET_FEATURE", { domid: domainId(5), features: 0 })).toBe(OK);
    expect(harness.ask(dom0, "SET_FEATURE", { domid: domainId(5), features: 8 })).toEqual(EINVAL);
    introduce(5);
    expect(harness.ask(dom0, "SET_FEATURE", { domid: domainId(5), features: 4 })).toEqual({ error: "EBUSY" });
    expect(harness.ask(dom0, "GET_FEATURE", { domid: domainId(5) })).toBe("0\0");
    const guest = harness.connect(5);
    expect(harness.ask(guest, "GET_FEATURE", {})).toBe("0\0");
    expect(harness.ask(guest, "GET_FEATURE", { domid: domainId(0) })).toEqual({ error: "EACCES" });
    expect(harness.ask(guest, "WATCH", { path: "a", token: "t", depth: 1 }), "a depth is not offered").toEqual(EINVAL);
  });

  test("are forgotten with the domain", () => {
    harness.ask(dom0, "SET_FEATURE", { domid: domainId(5), features: 0 });
    introduce(5);
    raw("RELEASE", "5\0");
    expect(harness.ask(dom0, "GET_FEATURE", { domid: domainId(5) })).toBe("4\0");
  });
});

describe("CONTROL domain", () => {
  test("shuts a domain down once until RESUME, and destroys it", () => {
    introduce(5);
    harness.ask(dom0, "WATCH", { path: "@releaseDomain", token: "t" });
    harness.takeEvents(dom0);
    const fired = () => harness.takeEvents(dom0).length;
    expect([control("shutdown", "5"), fired()]).toEqual([OK, 1]);
    expect([control("shutdown", "5"), fired()]).toEqual([OK, 0]);
    expect([raw("RESUME", "5\0"), fired()]).toEqual([OK, 0]);
    expect([control("shutdown", "5"), fired()]).toEqual([OK, 1]);
    expect([control("destroy", "5"), fired()]).toEqual([OK, 1]);
    expect([control("destroy", "5"), control("shutdown", "5"), control("destroy", "0")]).toEqual([
      ENOENT,
      ENOENT,
      ENOENT,
    ]);
  });

  test.each([[], ["shutdown"], ["shutdown", "x"], ["explode", "5"], ["destroy", "5", "6"], ["", ""]])(
    "is EINVAL for %j",
    (...parameters) => {
      introduce(5);
      expect(control(...parameters)).toEqual(EINVAL);
    },
  );
});
