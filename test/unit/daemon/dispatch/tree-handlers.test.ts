/**
 * Requests on the tree as they arrive: payloads, paths, sizes of replies.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { Connection } from "../../../../daemon/connection/connection.js";
import { operationNamed, type OperationName } from "../../../../protocol/operation.js";
import { parsePerms, type Perms } from "../../../../protocol/perms.js";
import { CoreHarness, domainId, type Answer, payloadOfAnswer } from "../../../support/core-harness.js";

const OK = "OK\0";
const EINVAL = { error: "EINVAL" };
let harness: CoreHarness;
let dom0: Connection;

beforeEach(() => {
  harness = new CoreHarness();
  dom0 = harness.connect(0);
});

const raw = (name: OperationName, payload: string, connection = dom0) =>
  harness.askPayload(connection, operationNamed(name).number, payload);
const write = (path: string, value = "") => harness.ask(dom0, "WRITE", { path, value });

const PATH_OPERATIONS = ["READ", "DIRECTORY", "GET_PERMS", "MKDIR", "RM"] as const;

describe("requests on the tree", () => {
  test.each([
    "",
    "/",
    "/a",
    "/a\0b",
    "/a\0\0",
    "\0",
    "//\0",
    "/a/\0",
    "/a//b\0",
    "/a b\0",
    "/a.b\0",
    "/\u00e9\0",
    "@a\0",
    "a@/\0",
  ])("are EINVAL where the payload is %j", (payload) => {
    write("/a");
    for (const name of ["READ", "DIRECTORY", "MKDIR", "RM"] as const) expect(raw(name, payload), name).toEqual(EINVAL);
  });

  test("take absolute paths of 3072 bytes and relative ones of 2048, whatever they grow to (XSA-323)", () => {
    const longest = `/${"a".repeat(3071)}`;
    expect(write(longest)).toBe(OK);
    expect(write(`${longest}a`)).toEqual(EINVAL);
    const relative = "r".repeat(2048);
    expect(write(relative)).toBe(OK);
    expect(write(`${relative}r`)).toEqual(EINVAL);
    for (const name of PATH_OPERATIONS) expect(raw(name, `${longest}a\0`), name).toEqual(EINVAL);
    expect(harness.ask(dom0, "DIRECTORY", { path: "/local/domain/0" })).toBe(`${relative}\0`);
  });

  test("take relative paths as the caller's own", () => {
    harness.ask(dom0, "INTRODUCE", { domid: domainId(7), gfn: 1, port: 1 });
    const guest = harness.connect(7);
    write("/local/domain/7");
    harness.ask(dom0, "SET_PERMS", { path: "/local/domain/7", perms: parsePerms(["n7"]) as Perms });
    expect(harness.ask(guest, "WRITE", { path: "a", value: "mine" })).toBe(OK);
    expect(harness.ask(dom0, "READ", { path: "/local/domain/7/a" })).toBe("mine");
    write("a", "dom0's");
    expect(harness.ask(dom0, "READ", { path: "/local/domain/0/a" })).toBe("dom0's");
  });

  test("work on / and on odd paths (XSA-353, XSA-481)", () => {
    expect(write("/", "top")).toBe(OK);
    expect(harness.ask(dom0, "READ", { path: "/" })).toBe("top");
    expect(harness.ask(dom0, "MKDIR", { path: "/" })).toBe(OK);
    expect(harness.ask(dom0, "RM", { path: "/" })).toEqual(EINVAL);
    expect(harness.ask(dom0, "SET_PERMS", { path: "/", perms: parsePerms(["r0"]) as Perms })).toBe(OK);
    for (const path of ["/local/domain/", "/local//domain", "local/domain/", "/local/domain/1/"])
      expect(write(path), path).toEqual(EINVAL);
    for (const path of ["/__proto__/constructor", "/-/_/@", "/toString"]) {
      expect(write(path, "v"), path).toBe(OK);
      expect(harness.ask(dom0, "READ", { path })).toBe("v");
    }
  });

  test("go to as many levels as a path can have (XSA-418)", () => {
    const deep = "/a".repeat(1536);
    expect(write(deep, "v")).toBe(OK);
    harness.ask(dom0, "WATCH", { path: deep, token: "t" });
    expect(harness.ask(dom0, "READ", { path: deep })).toBe("v");
    harness.takeEvents(dom0);
    expect(harness.ask(dom0, "RM", { path: "/a" })).toBe(OK);
    expect(harness.takeEvents(dom0)).toHaveLength(1);
    expect(harness.ask(dom0, "CONTROL", { command: "check", parameters: [] })).toBe(OK);
  });

  test("RM is OK for a missing child, and ENOENT for a missing parent", () => {
    write("/a");
    expect(harness.ask(dom0, "RM", { path: "/a/none" })).toBe(OK);
    expect(harness.ask(dom0, "RM", { path: "/none" })).toBe(OK);
    expect(harness.ask(dom0, "RM", { path: "/none/x" })).toEqual({ error: "ENOENT" });
    expect(harness.core.seq, "nothing was committed").toBe(1);
  });

  test("READ answers the raw value, any bytes, without a NUL", () => {
    const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("");
    write("/a", bytes);
    expect(harness.ask(dom0, "READ", { path: "/a" })).toBe(bytes);
    write("/a");
    expect(harness.ask(dom0, "READ", { path: "/a" })).toBe("");
  });

  test("MKDIR of an existing node keeps its value and commits nothing", () => {
    write("/a", "v");
    const { seq } = harness.core;
    expect(harness.ask(dom0, "MKDIR", { path: "/a" })).toBe(OK);
    expect(harness.ask(dom0, "READ", { path: "/a" })).toBe("v");
    expect(harness.core.seq).toBe(seq);
  });

  test("a write of an equal value is a commit without changes, for it fires", () => {
    write("/a", "v");
    harness.send(dom0, "WRITE", { path: "/a", value: "v" });
    expect(harness.endTick().commits).toMatchObject([{ seq: 2, changes: [], requests: [{ operation: "WRITE" }] }]);
  });

  test("a refused creation leaves nothing behind (XSA-414, XSA-415)", () => {
    harness.ask(dom0, "INTRODUCE", { domid: domainId(1), gfn: 1, port: 1 });
    const guest = harness.connect(1);
    write("/g");
    harness.ask(dom0, "SET_PERMS", { path: "/g", perms: parsePerms(["n1"]) as Perms });
    const { root } = harness.core;
    expect(harness.ask(guest, "WRITE", { path: "/g/a/b/c", value: "v".repeat(3000) })).toEqual({ error: "ENOSPC" });
    expect(harness.core.root).toBe(root);
  });
});

describe("GET_PERMS and SET_PERMS of special paths", () => {
  test("know @introduceDomain and @releaseDomain; another @ path is ENOENT, a malformed one EINVAL", () => {
    expect(raw("GET_PERMS", "@releaseDomain\0")).toBe("r0\0");
    expect(raw("GET_PERMS", "@introduceDomain\0")).toBe("n0\0");
    for (const path of ["@other", "@releaseDomain/1"]) {
      expect(raw("GET_PERMS", `${path}\0`), path).toEqual({ error: "ENOENT" });
      expect(raw("SET_PERMS", `${path}\0n0\0`), path).toEqual({ error: "ENOENT" });
    }
    for (const path of ["@", "@ ", "@a/", "@a//b", "@\u00e9"]) {
      expect(raw("GET_PERMS", `${path}\0`), path).toEqual(EINVAL);
      expect(raw("SET_PERMS", `${path}\0n0\0`), path).toEqual(EINVAL);
    }
    expect(raw("SET_PERMS", "@releaseDomain\0n0\0r5\0")).toBe(OK);
    expect(raw("GET_PERMS", "@releaseDomain\0")).toBe("n0\0r5\0");
  });
});

describe("DIRECTORY and DIRECTORY_PART", () => {
  /** 300 names of 17 bytes and a NUL: 5400 bytes. */
  function fill(): string[] {
    const names = Array.from({ length: 300 }, (_, index) => `name-${String(index).padStart(12, "0")}`);
    for (const name of names) harness.send(dom0, "WRITE", { path: `/d/${name}`, value: "" });
    harness.endTick();
    return names;
  }

  const part = (offset: number): Answer => harness.ask(dom0, "DIRECTORY_PART", { path: "/d", offset });

  function split(answer: Answer): { generation: string; rest: string } {
    const payload = payloadOfAnswer(answer);
    const end = payload.indexOf("\0");
    return { generation: payload.slice(0, end), rest: payload.slice(end + 1) };
  }

  test("an empty directory has no bytes, and its part is the end mark", () => {
    write("/d");
    expect(harness.ask(dom0, "DIRECTORY", { path: "/d" })).toBe("");
    expect(split(part(0)).rest).toBe("\0");
  });

  test("a list of 4096 bytes fits, one more byte is E2BIG (XSA-72)", () => {
    for (let index = 0; index < 16; index++) write(`/d/${String(index).padStart(255, "n")}`);
    expect(payloadOfAnswer(harness.ask(dom0, "DIRECTORY", { path: "/d" }))).toHaveLength(4096);
    write("/d/x");
    expect(harness.ask(dom0, "DIRECTORY", { path: "/d" })).toEqual({ error: "E2BIG" });
  });

  test("parts give the whole list, whole names at a time, none above 4096 bytes, all of one generation", () => {
    const names = fill();
    expect(harness.ask(dom0, "DIRECTORY", { path: "/d" })).toEqual({ error: "E2BIG" });
    let list = "";
    const generations = new Set<string>();
    for (let parts = 0; !list.endsWith("\0\0"); parts++) {
      expect(parts).toBeLessThan(4);
      const answer = part(list.length);
      expect(payloadOfAnswer(answer).length).toBeLessThanOrEqual(4096);
      const { generation, rest } = split(answer);
      generations.add(generation);
      list += rest;
    }
    expect(list).toBe(`${names.join("\0")}\0\0`);
    expect(generations.size).toBe(1);
  });

  test("the generation changes with the node: value, perms, children, and not with what is below", () => {
    fill();
    const generation = () => split(part(0)).generation;
    const seen = [generation()];
    write("/d/name-000000000000/below");
    expect(generation()).toBe(seen[0]);
    write("/d", "value");
    seen.push(generation());
    write("/d/new");
    seen.push(generation());
    harness.ask(dom0, "RM", { path: "/d/new" });
    seen.push(generation());
    harness.ask(dom0, "SET_PERMS", { path: "/d", perms: parsePerms(["r0"]) as Perms });
    seen.push(generation());
    expect(new Set(seen).size).toBe(seen.length);
  });

  test("an offset behind the end gives the end mark, one inside a name the rest of it", () => {
    write("/d/abc");
    write("/d/def");
    expect([split(part(4)).rest, split(part(1)).rest, split(part(8)).rest, split(part(4_000_000_000)).rest]).toEqual([
      "def\0\0",
      "bc\0def\0\0",
      "\0",
      "\0",
    ]);
    for (const payload of ["/d\0", "/d\0\0", "/d\0-1\0", "/d\0x\0", "/d\x000", "/d\x000\x000\0"]) {
      expect(raw("DIRECTORY_PART", payload), JSON.stringify(payload)).toEqual(EINVAL);
    }
  });
});
