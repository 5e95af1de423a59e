/**
 * Which commit made an answer another one, with noise around it: commits that changed the same node or one near it, and
 * nothing of the answer.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { Connection } from "../../../../daemon/connection/connection.js";
import { parsePerms, type Perms } from "../../../../protocol/perms.js";
import { CoreHarness, domainId } from "../../../support/core-harness.js";

type Act = (connection: Connection, txId?: number) => unknown;

let harness: CoreHarness;
let dom0: Connection;
let other: Connection;
let guest: Connection;

const perms = (text: string) => parsePerms(text.split(",")) as Perms;
const write =
  (path: string, value = ""): Act =>
  (connection, txId) =>
    harness.ask(connection, "WRITE", { path, value }, txId);
const read =
  (path: string): Act =>
  (connection, txId) =>
    harness.ask(connection, "READ", { path }, txId);
const list =
  (path: string): Act =>
  (connection, txId) =>
    harness.ask(connection, "DIRECTORY", { path }, txId);
const listPart =
  (path: string, offset: number): Act =>
  (connection, txId) =>
    harness.ask(connection, "DIRECTORY_PART", { path, offset }, txId);
const getPerms =
  (path: string): Act =>
  (connection, txId) =>
    harness.ask(connection, "GET_PERMS", { path }, txId);
const setPerms =
  (path: string, text: string): Act =>
  (connection, txId) =>
    harness.ask(connection, "SET_PERMS", { path, perms: perms(text) }, txId);
const make =
  (path: string): Act =>
  (connection, txId) =>
    harness.ask(connection, "MKDIR", { path }, txId);
const remove =
  (path: string): Act =>
  (connection, txId) =>
    harness.ask(connection, "RM", { path }, txId);
const setTarget =
  (domid: number, target: number): Act =>
  (connection) =>
    harness.ask(connection, "SET_TARGET", { domid: domainId(domid), target: domainId(target) });
const setQuota =
  (value: number, domid?: number): Act =>
  (connection) =>
    harness.ask(connection, "SET_QUOTA", {
      quota: "nodes",
      value,
      ...(domid === undefined ? {} : { domid: domainId(domid) }),
    });

beforeEach(() => {
  harness = new CoreHarness();
  dom0 = harness.connect(0);
  other = harness.connect(0);
  for (const domid of [5, 7]) {
    harness.ask(dom0, "INTRODUCE", { domid: domainId(domid), gfn: 1, port: 1 });
    write(`/local/domain/${String(domid)}/data`, "1")(dom0);
    setPerms(`/local/domain/${String(domid)}`, `n${String(domid)}`)(dom0);
    setPerms(`/local/domain/${String(domid)}/data`, `n${String(domid)}`)(dom0);
  }
  guest = harness.connect(5);
  for (const path of ["/c", "/c/old", "/c/x", "/c/x/y", "/open"]) write(path, "1")(dom0);
  setPerms("/open", "b0")(dom0);
});

interface Scene {
  /** What the transaction asks; it then writes, so that it does not end as one that only read. */
  readonly asks: readonly Act[];
  /** What others do meanwhile, each as one commit. */
  readonly meanwhile: readonly Act[];
  /** Which of these is the cause; undefined for none. */
  readonly cause: number | undefined;
  /** Domain 5 asks; dom0 unless given. */
  readonly byGuest?: boolean;
}

/** Plays it; returns the number of the commit that the daemon says it was, and of the one that it should be. */
function play({ asks, meanwhile, cause, byGuest = false }: Scene): { named: unknown; due: unknown } {
  const connection = byGuest ? guest : dom0;
  const txId = harness.startTransaction(connection);
  for (const ask of asks) ask(connection, txId);
  write(byGuest ? "/local/domain/5/z" : "/z")(connection, txId);
  const seqs = meanwhile.map((act) => {
    const before = harness.core.seq;
    act(other);
    expect(harness.core.seq, "each is one commit").toBe(before + 1);
    return harness.core.seq;
  });
  expect(harness.ask(connection, "TRANSACTION_END", { commit: true }, txId)).toEqual({ error: "EAGAIN" });
  const { conflict } = harness.core.failures.newest({ limit: 1 }).failures.at(0) ?? {};
  return { named: conflict?.commit, due: cause === undefined ? undefined : seqs[cause] };
}

describe("causesOf", () => {
  const scenes: readonly (readonly [string, Scene])[] = [
    [
      "READ: who wrote, not who wrote below",
      { asks: [read("/c")], meanwhile: [write("/c", "2"), write("/c/old", "2"), write("/c/new")], cause: 0 },
    ],
    [
      "READ: who wrote, not who changed the perms",
      { asks: [read("/c")], meanwhile: [write("/c", "2"), setPerms("/c", "n0,r5")], cause: 0 },
    ],
    [
      "READ: who wrote last",
      { asks: [read("/c")], meanwhile: [write("/c", "2"), write("/c", "1"), write("/c", "3"), write("/d")], cause: 2 },
    ],
    [
      "READ: who removed a parent, not who wrote above",
      { asks: [read("/c/x/y")], meanwhile: [remove("/c/x"), write("/c", "2")], cause: 0 },
    ],
    [
      "READ: who removed it, not who then removed what was above",
      { asks: [read("/c/x/y")], meanwhile: [remove("/c/x/y"), remove("/c/x")], cause: 0 },
    ],
    [
      "READ: who made it, not who made what is above",
      { asks: [read("/n/m")], meanwhile: [make("/n"), write("/n/m", "1"), write("/n/k")], cause: 1 },
    ],
    [
      "DIRECTORY: who made a child, not who wrote one",
      { asks: [list("/c")], meanwhile: [write("/c/new"), write("/c/old", "2"), write("/c/x/new")], cause: 0 },
    ],
    [
      "DIRECTORY: not who made a child that has gone again",
      { asks: [list("/c")], meanwhile: [write("/c/new"), write("/c/brief"), remove("/c/brief")], cause: 0 },
    ],
    ["DIRECTORY: who removed a child", { asks: [list("/c")], meanwhile: [remove("/c/x"), write("/c", "2")], cause: 0 }],
    [
      "DIRECTORY: who removed the node with the children",
      { asks: [list("/c")], meanwhile: [remove("/c"), make("/c"), write("/c", "2")], cause: 0 },
    ],
    ["DIRECTORY of /", { asks: [list("/")], meanwhile: [write("/new"), write("/c/new")], cause: 0 }],
    [
      "DIRECTORY_PART: who made a child",
      { asks: [listPart("/c", 0)], meanwhile: [write("/c/new"), write("/c/old", "2")], cause: 0 },
    ],
    [
      "GET_PERMS: who changed them, not who wrote",
      {
        asks: [getPerms("/c")],
        meanwhile: [setPerms("/c", "n0,r5"), write("/c", "2"), setPerms("/c/x", "n0,r5")],
        cause: 0,
      },
    ],
    [
      "GET_PERMS of a special path",
      {
        asks: [getPerms("@releaseDomain")],
        meanwhile: [setPerms("@releaseDomain", "n0,r5"), write("/c", "2")],
        cause: 0,
      },
    ],
    [
      "GET_PERMS of a node of its own: who changed those above",
      { asks: [write("/c/own"), getPerms("/c/own")], meanwhile: [setPerms("/c", "n0,r5"), write("/c", "2")], cause: 0 },
    ],
    [
      "RM: who removed the parent",
      { asks: [remove("/c/x/y")], meanwhile: [remove("/c/x"), write("/c", "2"), remove("/c")], cause: 0 },
    ],
    [
      "RM: who made the parent",
      { asks: [remove("/n/m")], meanwhile: [make("/n"), write("/n/k"), write("/n", "2")], cause: 0 },
    ],
    [
      "SET_PERMS: who removed the node",
      { asks: [setPerms("/c/x", "n0")], meanwhile: [remove("/c/x"), write("/c", "2")], cause: 0 },
    ],
    [
      "READ: who shut it out, not who wrote",
      {
        asks: [read("/open")],
        meanwhile: [setPerms("/open", "n0"), write("/open", "2"), write("/open/x")],
        cause: 0,
        byGuest: true,
      },
    ],
    [
      "READ: who let it in",
      { asks: [read("/c/x")], meanwhile: [setPerms("/c/x", "r0"), setPerms("/c", "n0,r7")], cause: 0, byGuest: true },
    ],
    [
      "READ: who gave it the rights of another domain",
      {
        asks: [read("/local/domain/7/data")],
        meanwhile: [setTarget(5, 7), write("/local/domain/7/data", "2")],
        cause: 0,
        byGuest: true,
      },
    ],
    [
      "WRITE: who shut it out of where it makes nodes",
      {
        asks: [write("/open/a/b")],
        meanwhile: [setPerms("/open", "n0"), write("/open", "2"), setPerms("/", "n0,r7")],
        cause: 0,
        byGuest: true,
      },
    ],
    [
      "WRITE: who took the node that let it",
      { asks: [write("/open/a")], meanwhile: [remove("/open"), write("/d")], cause: 0, byGuest: true },
    ],
    [
      "MKDIR: who made a node in between that does not let it",
      {
        asks: [make("/open/a/b")],
        meanwhile: [write("/open/a"), setPerms("/open/a", "n0"), write("/open/a", "2")],
        cause: 1,
        byGuest: true,
      },
    ],
    [
      "DIRECTORY: who removed it, not who then removed what was above, nor who made it again",
      { asks: [list("/c/x")], meanwhile: [remove("/c/x"), remove("/c"), make("/c/x")], cause: 0 },
    ],
    [
      "WRITE: who let it make a node",
      { asks: [write("/c/w/v")], meanwhile: [setPerms("/c", "b0"), write("/c", "2")], cause: 0, byGuest: true },
    ],
    [
      "MKDIR: who let it make a node",
      { asks: [make("/c/m")], meanwhile: [setPerms("/c", "b0"), setPerms("/", "n0,r7")], cause: 0, byGuest: true },
    ],
    [
      "RM: who let it, not who changed the perms above",
      {
        asks: [remove("/c/x")],
        meanwhile: [setPerms("/c/x", "n0,b5"), setPerms("/c", "n0,r7")],
        cause: 0,
        byGuest: true,
      },
    ],
    [
      "WRITE: who changed the quota",
      {
        asks: [write("data/new")],
        meanwhile: [setQuota(1, 5), write("/local/domain/5/data", "2")],
        cause: 0,
        byGuest: true,
      },
    ],
    [
      "WRITE: who changed the quota of all",
      { asks: [write("data/new")], meanwhile: [setQuota(1), setQuota(1, 7)], cause: 0, byGuest: true },
    ],
    [
      "WRITE: nobody where a quota is full for another reason",
      {
        asks: [write("/open/a")],
        meanwhile: [write("/open", "x".repeat(2040)), write("/open/b")],
        cause: undefined,
        byGuest: true,
      },
    ],
  ];

  test.each(scenes)("%s", (_, scene) => {
    const { named, due } = play(scene);
    expect(named).toBe(due);
  });

  test("DIRECTORY_PART: who made a child in the part that was told", () => {
    for (let index = 0; index < 50; index++) write(`/many/m${String(index)}${"x".repeat(120)}`)(dom0);
    const { named, due } = play({
      asks: [listPart("/many", 0)],
      meanwhile: [write("/many/a"), write("/many/z")],
      cause: 0,
    });
    expect(named).toBe(due);
  });
});
