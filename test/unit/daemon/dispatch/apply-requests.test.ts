/** Requests on the tree that do not come over the wire: as those that do, and all or none. */
import { beforeEach, describe, expect, test } from "vitest";
import type { Connection } from "../../../../daemon/connection/connection.js";
import type { RequestsOrder, RequestsOutcome } from "../../../../daemon/dispatch/apply-requests.js";
import type { TreeRequest } from "../../../../daemon/store/tree-request.js";
import { DOM0, type Path } from "../../../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../../../protocol/perms.js";
import { CoreHarness, domainId, type HarnessTick } from "../../../support/core-harness.js";

let harness: CoreHarness;
let admin: Connection;
let toolstack: Connection;

beforeEach(() => {
  harness = new CoreHarness();
  admin = harness.core.connect(DOM0, "admin");
  toolstack = harness.connect(0);
});

const CLIENT = "http-127.0.0.1:5000";

const writeOf = (path: string, value: string): TreeRequest => ({ operation: "WRITE", path: path as Path, value });
const rmOf = (path: string): TreeRequest => ({ operation: "RM", path: path as Path });
const holds = (path: string, value: string | undefined) => ({ path: path as Path, value });

function apply(
  requests: readonly TreeRequest[],
  expected: RequestsOrder["expected"] = [],
): { readonly outcome: RequestsOutcome; readonly tick: HarnessTick } {
  harness.beginTick();
  const outcome = harness.core.applyRequests(admin, { client: CLIENT, expected, requests });
  return { outcome, tick: harness.endTick() };
}

const read = (path: string) => harness.ask(toolstack, "READ", { path });

describe("applyRequests", () => {
  test("makes one request a commit of its own, as the wire's is, with the client's name", () => {
    const { outcome, tick } = apply([writeOf("/a/b", "1")]);
    expect(outcome).toEqual({ outcome: "committed", seq: 1 });
    expect(tick.commits).toMatchObject([
      {
        origin: { domid: 0, connection: CLIENT, transaction: undefined },
        base: 0,
        requests: [{ operation: "WRITE", subject: "/a/b", detail: "1" }],
        changes: [{ path: "/a" }, { path: "/a/b", after: { value: "1" } }],
      },
    ]);
    expect(read("/a/b")).toBe("1");
  });

  test("makes several one commit, and fires their watches behind it", () => {
    harness.ask(toolstack, "WATCH", { path: "/", token: "t" });
    harness.takeEvents(toolstack);
    const perms = parsePerms(["n0", "r5"]) as Perms;
    const { outcome, tick } = apply([
      writeOf("/a", "1"),
      { operation: "SET_PERMS", path: "/a" as Path, perms },
      { operation: "MKDIR", path: "/b" as Path },
    ]);
    expect(outcome).toEqual({ outcome: "committed", seq: 1 });
    expect(tick.commits).toHaveLength(1);
    expect(tick.commits[0]?.origin.transaction).toBe(1);
    expect(tick.commits[0]?.requests.map(({ operation }) => operation)).toEqual(["WRITE", "SET_PERMS", "MKDIR"]);
    // Two of /a were equal, and the one waited for the other.
    expect(harness.takeEvents(toolstack).map(({ path }) => path)).toEqual(["/a", "/b"]);
  });

  test("does nothing where a request fails, and says which", () => {
    const { root, seq } = harness.core;
    const { outcome, tick } = apply([writeOf("/a", "1"), rmOf("/nowhere/x"), writeOf("/b", "1")]);
    expect(outcome).toEqual({ outcome: "failed", place: 1, error: "ENOENT" });
    expect([tick.commits, harness.core.root, harness.core.seq]).toEqual([[], root, seq]);
  });

  test("does nothing where something is not as expected, and says what; missing is something to expect", () => {
    harness.ask(toolstack, "WRITE", { path: "/a", value: "1" });
    const before = harness.core.root;
    const expected = [
      holds("/a", "1"),
      holds("/a", "2"),
      holds("/a", undefined),
      holds("/b", ""),
      holds("/b", undefined),
    ];
    expect(apply([writeOf("/c", "1")], expected).outcome).toEqual({ outcome: "unexpected", places: [1, 2, 3] });
    expect(harness.core.root).toBe(before);
    const right = [holds("/a", "1"), holds("/b", undefined)];
    expect(apply([writeOf("/b", "1")], right).outcome).toEqual({ outcome: "committed", seq: 2 });
  });

  test("is no commit where nothing changes and nothing fires", () => {
    expect(apply([rmOf("/nowhere")]).outcome).toEqual({ outcome: "unchanged" });
    expect(harness.core.seq).toBe(0);
  });

  test("is refused where commits are, and makes nothing", () => {
    harness.core.refuseCommits("ENOSPC");
    const { outcome, tick } = apply([writeOf("/a", "1")]);
    expect([outcome, tick.commits]).toEqual([{ outcome: "refused", error: "ENOSPC" }, []]);
  });
});

describe("LiveState", () => {
  test("tells of connections and open transactions page by page", () => {
    const guest = harness.connect(domainId(7));
    harness.ask(toolstack, "WATCH", { path: "/", token: "t" });
    harness.ask(guest, "TRANSACTION_START", {});
    apply([writeOf("/a", "1")]);
    const first = harness.core.live.connections({ after: 0, limit: 2 });
    expect(first.items).toMatchObject([
      { name: "admin", domain: 0, watches: 0 },
      { name: "socket-2", domain: 0, watches: 1, transactions: 0 },
    ]);
    const second = harness.core.live.connections({ after: first.next ?? NaN, limit: 2 });
    expect(second).toMatchObject({ items: [{ name: "domain-7-3", domain: 7, transactions: 1 }], next: undefined });
    expect(harness.core.live.transactions({ after: 0, limit: 10 }).items).toMatchObject([
      { connection: "domain-7-3", domain: 7, id: 1, base: 0, behind: 1, requests: 0, hasChanges: false },
    ]);
  });

  test("tells of domains by number, with what they hold, and of quotas with whose they are", () => {
    for (const domid of [9, 5]) harness.ask(toolstack, "INTRODUCE", { domid: domainId(domid), gfn: 1, port: 1 });
    harness.ask(toolstack, "SET_QUOTA", { domid: domainId(5), quota: "nodes", value: 3 });
    const { items, next } = harness.core.live.domains({ after: 0, limit: 1 });
    expect(items).toMatchObject([{ domid: 5, connections: 0, nodesOwned: 0, heldMicroseconds: 0 }]);
    expect(harness.core.live.domains({ after: next ?? NaN, limit: 1 })).toMatchObject({
      items: [{ domid: 9 }],
      next: undefined,
    });
    const quotaOf = (domid: number | undefined) =>
      harness.core.live.quotas(domid === undefined ? undefined : domainId(domid)).find(({ name }) => name === "nodes");
    expect([5, 9, undefined].map(quotaOf)).toEqual([
      { name: "nodes", limit: 3, isOwn: true },
      { name: "nodes", limit: 1000, isOwn: false },
      { name: "nodes", limit: 1000, isOwn: false },
    ]);
  });
});
