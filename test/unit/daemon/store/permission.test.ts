/**
 * Permissions: the decisions, and the nine rules as clients see them.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { Connection } from "../../../../daemon/connection/connection.js";
import {
  accessOf,
  inheritedPerms,
  isUnprivileged,
  OWN,
  requesterFor,
  withoutEntriesFor,
} from "../../../../daemon/store/permission.js";
import { emptyRoot } from "../../../../daemon/store/root.js";
import { parsePerms, READ, serializePerms, WRITE, type Perms } from "../../../../protocol/perms.js";
import { CoreHarness, domainId, type Answer } from "../../../support/core-harness.js";

const EVERYTHING = READ | WRITE | OWN;
const OK = "OK\0";

function perms(text: string): Perms {
  const list = parsePerms(text.split(" "));
  if (list === undefined) throw new Error(text);
  return list;
}

function requester(domid: number, target?: number) {
  return { domid: domainId(domid), target: target === undefined ? undefined : domainId(target) };
}

describe("accessOf", () => {
  test.each([
    { who: "dom0", domid: 0, target: undefined, list: "n5 n0", access: EVERYTHING },
    { who: "the owner, whose entry denies", domid: 5, target: undefined, list: "n5", access: EVERYTHING },
    { who: "whose target is the owner", domid: 6, target: 5, list: "n5 n6", access: EVERYTHING },
    { who: "whose own target it is not", domid: 6, target: 7, list: "n5", access: 0 },
    { who: "a domain with an entry", domid: 6, target: undefined, list: "b5 r6", access: READ },
    { who: "a domain with an entry that denies", domid: 6, target: undefined, list: "b5 n6", access: 0 },
    { who: "a domain with two entries", domid: 6, target: undefined, list: "n5 r6 w6", access: READ },
    { who: "whose target has an entry", domid: 6, target: 7, list: "n5 w7", access: WRITE },
    { who: "whose target's entry comes first", domid: 6, target: 7, list: "n5 r7 w6", access: READ },
    { who: "anybody else", domid: 8, target: undefined, list: "r5 w6", access: READ },
  ])("gives $who of $list the access $access", ({ domid, target, list, access }) => {
    expect(accessOf(requester(domid, target), perms(list))).toBe(access);
  });
});

describe("requesterFor", () => {
  test("knows the target of a guest and none of dom0", () => {
    const record = {
      introduction: undefined,
      target: domainId(3),
      features: undefined,
      shutdown: false,
      quotas: new Map(),
    };
    const root = { ...emptyRoot(), domains: new Map([[domainId(2), record]]) };
    expect(requesterFor(root, domainId(2))).toEqual({ domid: 2, target: 3 });
    expect(requesterFor(root, domainId(4))).toEqual({ domid: 4, target: undefined });
    expect(requesterFor(root, domainId(0))).toEqual({ domid: 0, target: undefined });
    expect([isUnprivileged(requester(0)), isUnprivileged(requester(1))]).toEqual([false, true]);
  });
});

describe("inheritedPerms and withoutEntriesFor", () => {
  test("keep the parent's entries and give an unprivileged creator the node", () => {
    expect(serializePerms(inheritedPerms(requester(6), perms("r5 w7 b6")))).toBe("r6 w7 b6");
    expect(serializePerms(inheritedPerms(requester(0), perms("r5 w7")))).toBe("r5 w7");
    expect(serializePerms(inheritedPerms(requester(6, 5), perms("n5")))).toBe("n6");
  });

  test("take every entry of a domain but the owner's", () => {
    expect(serializePerms(withoutEntriesFor(domainId(6), perms("n6 r6 w7 b6")))).toBe("n6 w7");
    const list = perms("n5 r6");
    expect(withoutEntriesFor(domainId(7), list)).toBe(list);
  });
});

let harness: CoreHarness;
let dom0: Connection;
let guests: Map<number, Connection>;

beforeEach(() => {
  harness = new CoreHarness();
  dom0 = harness.connect(0);
  guests = new Map();
  for (const domid of [1, 2, 3]) {
    harness.ask(dom0, "INTRODUCE", { domid: domainId(domid), gfn: 1, port: 1 });
    guests.set(domid, harness.connect(domid));
  }
});

function guest(domid: number): Connection {
  const connection = guests.get(domid);
  if (connection === undefined) throw new Error("no such guest");
  return connection;
}

function node(path: string, list: string, value = ""): void {
  expect(harness.ask(dom0, "WRITE", { path, value })).toBe(OK);
  expect(harness.ask(dom0, "SET_PERMS", { path, perms: perms(list) })).toBe(OK);
}

function permsOf(path: string): Answer {
  const answer = harness.ask(dom0, "GET_PERMS", { path });
  return typeof answer === "string" ? answer.replaceAll("\0", " ").trim() : answer;
}

const EACCES = { error: "EACCES" };
const ENOENT = { error: "ENOENT" };

describe("Permission rules", () => {
  test("1: the first entry is owner and default; further entries are per domain, the first match wins", () => {
    node("/a", "r1 n2 b2 w3");
    expect(harness.ask(guest(1), "WRITE", { path: "/a", value: "" })).toBe(OK);
    expect(harness.ask(guest(2), "READ", { path: "/a" })).toEqual(EACCES);
    expect(harness.ask(guest(3), "READ", { path: "/a" })).toEqual(EACCES);
    expect(harness.ask(guest(3), "WRITE", { path: "/a", value: "3" })).toBe(OK);
    node("/b", "r1");
    expect(harness.ask(guest(3), "READ", { path: "/b" })).toBe("");
    expect(harness.ask(guest(3), "WRITE", { path: "/b", value: "" })).toEqual(EACCES);
  });

  test("2: dom0, the owner, and whose target is the owner may do everything", () => {
    node("/a", "n1");
    const change = { path: "/a", perms: perms("n1 r3") };
    expect(harness.ask(guest(2), "SET_PERMS", change)).toEqual(EACCES);
    expect(harness.ask(dom0, "SET_TARGET", { domid: domainId(2), target: domainId(1) })).toBe(OK);
    for (const each of [dom0, guest(1), guest(2)]) {
      expect(harness.ask(each, "READ", { path: "/a" })).toBe("");
      expect(harness.ask(each, "SET_PERMS", change)).toBe(OK);
    }
    node("/entries", "n0 r1");
    expect(harness.ask(guest(2), "READ", { path: "/entries" })).toBe("");
    expect(harness.ask(guest(3), "READ", { path: "/entries" })).toEqual(EACCES);
  });

  test("3: READ for read, directory and get_perms; WRITE for write, mkdir and rm; WRITE and ownership for set_perms", () => {
    node("/r", "r0");
    node("/w", "w0");
    node("/b", "b0");
    for (const operation of ["READ", "DIRECTORY", "GET_PERMS"] as const) {
      expect(harness.ask(guest(1), operation, { path: "/r" })).not.toEqual(EACCES);
      expect(harness.ask(guest(1), operation, { path: "/w" })).toEqual(EACCES);
    }
    expect(harness.ask(guest(1), "DIRECTORY_PART", { path: "/w", offset: 0 })).toEqual(EACCES);
    expect(harness.ask(guest(1), "WRITE", { path: "/r", value: "" })).toEqual(EACCES);
    expect(harness.ask(guest(1), "MKDIR", { path: "/r" })).toEqual(EACCES);
    expect(harness.ask(guest(1), "RM", { path: "/r" })).toEqual(EACCES);
    expect(harness.ask(guest(1), "WRITE", { path: "/w", value: "1" })).toBe(OK);
    expect(harness.ask(guest(1), "MKDIR", { path: "/w" })).toBe(OK);
    expect(harness.ask(guest(1), "SET_PERMS", { path: "/b", perms: perms("b0") })).toEqual(EACCES);
    expect(harness.ask(guest(1), "RM", { path: "/w" })).toBe(OK);
  });

  test("3: creating needs WRITE on the nearest existing ancestor, and rm looks at the top node alone", () => {
    node("/r", "r0");
    node("/w", "w0");
    expect(harness.ask(guest(1), "WRITE", { path: "/r/x/y", value: "" })).toEqual(EACCES);
    expect(harness.ask(guest(1), "WRITE", { path: "/w/x/y", value: "" })).toBe(OK);
    node("/w/secret", "n3");
    node("/w/secret/below", "n3");
    expect(harness.ask(guest(1), "RM", { path: "/w/secret" })).toEqual(EACCES);
    expect(harness.ask(guest(1), "RM", { path: "/w" })).toBe(OK);
    expect(harness.ask(dom0, "READ", { path: "/w/secret/below" })).toEqual(ENOENT);
  });

  test("4: what is missing below a node that grants nothing is EACCES, so that nothing leaks (XSA-115)", () => {
    node("/secret", "n0");
    node("/open", "r0");
    expect(harness.ask(guest(1), "READ", { path: "/secret/x" })).toEqual(EACCES);
    expect(harness.ask(guest(1), "RM", { path: "/secret/x" })).toEqual(EACCES);
    expect(harness.ask(guest(1), "READ", { path: "/open/x" })).toEqual(ENOENT);
    expect(harness.ask(guest(1), "READ", { path: "/open/x/y" })).toEqual(ENOENT);
    expect(harness.ask(guest(1), "RM", { path: "/open/x" })).toEqual(EACCES);
    expect(harness.ask(guest(1), "READ", { path: "/x" }), "the root is dom0's").toEqual(EACCES);
  });

  test("5: a created node copies its parent's list; a guest owns what it creates, dom0 keeps the parent's owner", () => {
    node("/a", "w1 r2 b3");
    expect(harness.ask(guest(3), "WRITE", { path: "/a/x/y", value: "" })).toBe(OK);
    expect([permsOf("/a/x"), permsOf("/a/x/y")]).toEqual(["w3 r2 b3", "w3 r2 b3"]);
    expect(harness.ask(dom0, "MKDIR", { path: "/a/z/y" })).toBe(OK);
    expect([permsOf("/a/z"), permsOf("/a/z/y")]).toEqual(["w1 r2 b3", "w1 r2 b3"]);
    expect(permsOf("/a")).toBe("w1 r2 b3");
  });

  test("6: no entry or a bad one is EINVAL, and a guest cannot give a node away (XSA-352)", () => {
    node("/a", "n1");
    const setPermsType = 14;
    for (const payload of ["/a\0", "/a", "/a\0\0", "/a\0x1\0", "/a\0n\0", "/a\0n-1\0", "/a\0n65536\0", "/a\0n1"]) {
      expect(harness.askPayload(guest(1), setPermsType, payload), JSON.stringify(payload)).toEqual({ error: "EINVAL" });
    }
    expect(harness.ask(guest(1), "SET_PERMS", { path: "/a", perms: perms("n2") })).toEqual({ error: "EPERM" });
    expect(harness.ask(guest(1), "SET_PERMS", { path: "/a", perms: perms("n0") })).toEqual({ error: "EPERM" });
    expect(permsOf("/a")).toBe("n1");
    expect(harness.ask(dom0, "SET_PERMS", { path: "/a", perms: perms("n2") })).toBe(OK);
  });

  test("7: dom0's entries for a domain that comes later hold, a guest's are dropped (XSA-417)", () => {
    node("/a", "n1 r7");
    expect(permsOf("/a")).toBe("n1 r7");
    expect(harness.ask(guest(1), "SET_PERMS", { path: "/a", perms: perms("n1 r7 r2 r0 r9") })).toBe(OK);
    expect(permsOf("/a")).toBe("n1 r2 r0");
  });

  test("7: a release takes every entry of the domain, on @ nodes too, in one commit (XSA-322)", () => {
    node("/a", "n1 r2 b3");
    node("/b", "n0 b2");
    for (const path of ["@releaseDomain", "@introduceDomain"]) {
      expect(harness.ask(dom0, "SET_PERMS", { path, perms: perms("n2 r2 r3") })).toBe(OK);
    }
    harness.ask(dom0, "SET_TARGET", { domid: domainId(3), target: domainId(2) });
    const before = harness.core.seq;
    expect(harness.ask(dom0, "RELEASE", { domid: domainId(2) })).toBe(OK);
    expect(harness.core.seq).toBe(before + 1);
    expect([permsOf("/a"), permsOf("/b")]).toEqual(["n1 b3", "n0"]);
    expect([permsOf("@releaseDomain"), permsOf("@introduceDomain")]).toEqual(["n0 r3", "n0 r3"]);
    harness.ask(dom0, "INTRODUCE", { domid: domainId(2), gfn: 1, port: 1 });
    const again = harness.connect(2);
    expect(harness.ask(again, "READ", { path: "/a" })).toEqual(EACCES);
    expect(harness.core.root.domains.get(domainId(3))?.target).toBeUndefined();
  });

  test("8: destruction takes the domain's nodes with all below them; then @releaseDomain fires once (XSA-419)", () => {
    node("/d", "n2");
    node("/d/others", "n1");
    node("/", "n2 r1");
    node("/keep", "n1");
    const watcher = harness.connect(0);
    harness.ask(watcher, "WATCH", { path: "@releaseDomain", token: "t" });
    harness.ask(guest(2), "WATCH", { path: "@releaseDomain", token: "own" });
    for (const each of [watcher, guest(2)]) harness.takeEvents(each);
    harness.send(dom0, "CONTROL", { command: "domain", parameters: ["destroy", "2"] });
    const { received } = harness.endTick();
    expect(received.get(watcher)).toEqual([{ kind: "event", path: "@releaseDomain", token: "t" }]);
    expect(received.get(guest(2)), "its watches went first").toBeUndefined();
    expect(harness.ask(dom0, "DIRECTORY", { path: "/" })).toBe("keep\0");
    expect(permsOf("/"), "the top stays and becomes dom0's").toBe("n0 r1");
    expect(harness.ask(dom0, "CONTROL", { command: "check", parameters: [] })).toBe(OK);
  });

  test("9: an event reaches a guest if it may read the node, its parent, or could read the old node (XSA-115)", () => {
    node("/secret", "n0");
    node("/secret/mine", "n1");
    node("/open", "r0");
    node("/open/closed", "n0");
    for (const path of ["/secret", "/secret/mine", "/open", "/open/closed"]) {
      expect(harness.ask(guest(1), "WATCH", { path, token: "t" })).toBe(OK);
      expect(harness.takeEvents(guest(1)), "the first event is unconditional").toHaveLength(1);
    }
    const toldOf = (path: string) => {
      harness.ask(dom0, "WRITE", { path, value: "x" });
      return harness.takeEvents(guest(1)).map((event) => event.path);
    };
    expect(toldOf("/secret")).toEqual([]);
    expect(toldOf("/secret/new")).toEqual([]);
    expect(toldOf("/secret/mine")).toEqual(["/secret/mine", "/secret/mine"]);
    expect(toldOf("/open/closed"), "its parent can be read").toEqual(["/open/closed", "/open/closed"]);
    harness.ask(dom0, "SET_PERMS", { path: "/secret/mine", perms: perms("n0") });
    expect(harness.takeEvents(guest(1)), "the old node could be read").toHaveLength(2);
    expect(toldOf("/secret/mine"), "and now it cannot").toEqual([]);
    harness.ask(dom0, "SET_PERMS", { path: "/secret/mine", perms: perms("n1") });
    harness.takeEvents(guest(1));
    harness.ask(dom0, "RM", { path: "/secret" });
    const events = harness.takeEvents(guest(1)).map((event) => event.path);
    expect(events, "/secret was never readable").toEqual(["/secret/mine"]);
  });

  test("9: @introduceDomain is dom0's alone, @releaseDomain is for all, and SET_PERMS changes both", () => {
    for (const path of ["@introduceDomain", "@releaseDomain"]) {
      harness.ask(guest(1), "WATCH", { path, token: path });
      harness.ask(dom0, "WATCH", { path, token: path });
    }
    harness.takeEvents(guest(1));
    harness.takeEvents(dom0);
    const cycle = () => {
      harness.ask(dom0, "INTRODUCE", { domid: domainId(9), gfn: 1, port: 1 });
      harness.ask(dom0, "RELEASE", { domid: domainId(9) });
      return [guest(1), dom0].map((each) => harness.takeEvents(each).map((event) => event.path));
    };
    expect(cycle()).toEqual([["@releaseDomain"], ["@introduceDomain", "@releaseDomain"]]);
    harness.ask(dom0, "SET_PERMS", { path: "@introduceDomain", perms: perms("n0 r1") });
    harness.ask(dom0, "SET_PERMS", { path: "@releaseDomain", perms: perms("n0") });
    expect(cycle()).toEqual([["@introduceDomain"], ["@introduceDomain", "@releaseDomain"]]);
    expect(harness.ask(guest(1), "GET_PERMS", { path: "@releaseDomain" })).toEqual(EACCES);
    expect(harness.ask(guest(1), "SET_PERMS", { path: "@releaseDomain", perms: perms("n1") })).toEqual(EACCES);
  });
});
