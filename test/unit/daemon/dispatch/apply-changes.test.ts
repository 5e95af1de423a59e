import { beforeEach, describe, expect, test } from "vitest";
import type { Connection } from "../../../../daemon/connection/connection.js";
import type { ChangeOrder, ChangeOutcome } from "../../../../daemon/dispatch/apply-changes.js";
import { diffRoots, sameRoot } from "../../../../daemon/store/diff.js";
import type { Root } from "../../../../daemon/store/root.js";
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

function write(path: string, value = "v"): void {
  expect(harness.ask(toolstack, "WRITE", { path, value })).toBe("OK\0");
}

function introduce(domid: number): void {
  harness.ask(toolstack, "INTRODUCE", { domid: domainId(domid), gfn: 1, port: 1 });
}

function setPerms(path: string, ...perms: readonly string[]): void {
  expect(harness.ask(toolstack, "SET_PERMS", { path, perms: parsePerms(perms) as Perms })).toBe("OK\0");
}

const act = { operation: "ROLLBACK", subject: "/", detail: "@{1} 0123" } as const;

/** Orders what leads from `from`, the state of now unless given, to `to`. */
function order(to: Root, more: Partial<ChangeOrder> = {}): ChangeOrder {
  const { from = harness.core.root } = more;
  return { from, changes: diffRoots(from, to), way: "restore", act, ...more };
}

function make(given: ChangeOrder): { readonly outcome: ChangeOutcome; readonly tick: HarnessTick } {
  harness.beginTick();
  const outcome = harness.core.makeChanges(admin, given);
  return { outcome, tick: harness.endTick() };
}

describe("makeChanges", () => {
  test("makes the store as it was in one commit, which says who asked for what", () => {
    write("/a/b", "1");
    const then = harness.core.root;
    write("/a/b", "2");
    write("/a/c", "3");
    const { outcome, tick } = make(order(then));
    expect(outcome).toEqual({ outcome: "committed", seq: 4, changes: 2 });
    expect(sameRoot(harness.core.root, then)).toBe(true);
    expect(tick.commits).toMatchObject([
      {
        seq: 4,
        base: 3,
        origin: { domid: 0, connection: "admin", transaction: undefined },
        requests: [{ operation: "ROLLBACK", subject: "/", detail: "@{1} 0123" }],
        changes: [
          { path: "/a/c", before: { value: "3" }, after: undefined },
          { path: "/a/b", before: { value: "2" }, after: { value: "1" } },
        ],
      },
    ]);
  });

  test("fires watches for exactly what differs: what came, changed and went, with all that went below", () => {
    write("/same", "1");
    write("/gone/below", "1");
    write("/changed", "1");
    const then = harness.core.root;
    harness.ask(toolstack, "RM", { path: "/gone" });
    write("/changed", "2");
    write("/new/below/x", "2");
    for (const path of ["/", "/gone/below", "/new/below/x", "/same"]) {
      harness.ask(toolstack, "WATCH", { path: path, token: path });
    }
    harness.takeEvents(toolstack);
    make(order(then));
    const events = harness.takeEvents(toolstack).map(({ path, token }) => `${token} ${path}`);
    expect(events.sort()).toEqual(
      [
        "/ /changed",
        "/ /gone",
        "/ /gone/below",
        "/ /new",
        "/gone/below /gone/below",
        "/new/below/x /new/below/x",
      ].sort(),
    );
  });

  test("has an open transaction conflict by the ordinary rule: if it read what differs now", () => {
    write("/a", "1");
    write("/b", "1");
    const then = harness.core.root;
    write("/a", "2");
    const [reader, other] = [harness.connect(0), harness.connect(0)];
    const readerTx = harness.startTransaction(reader);
    harness.ask(reader, "READ", { path: "/a" }, readerTx);
    harness.ask(reader, "WRITE", { path: "/x", value: "" }, readerTx);
    const otherTx = harness.startTransaction(other);
    harness.ask(other, "READ", { path: "/b" }, otherTx);
    harness.ask(other, "WRITE", { path: "/y", value: "" }, otherTx);
    make(order(then));
    expect(harness.ask(reader, "TRANSACTION_END", { commit: true }, readerTx)).toEqual({ error: "EAGAIN" });
    expect(harness.ask(other, "TRANSACTION_END", { commit: true }, otherTx)).toBe("OK\0");
  });

  test("restores what came since too, but beside the path nothing", () => {
    write("/a/b", "1");
    write("/c", "1");
    const then = harness.core.root;
    write("/a/b", "2");
    write("/c", "2");
    const given = order(then, { path: "/a" as Path });
    write("/a/late", "3");
    write("/late", "3");
    expect(make(given).outcome).toMatchObject({ outcome: "committed", changes: 2 });
    expect(harness.ask(toolstack, "DIRECTORY", { path: "/a" })).toBe("b\0");
    expect(harness.ask(toolstack, "READ", { path: "/a/b" })).toBe("1");
    expect(harness.ask(toolstack, "READ", { path: "/c" })).toBe("2");
    expect(harness.ask(toolstack, "READ", { path: "/late" })).toBe("3");
  });

  test("restores a subtree whose parents are gone with their values and perms", () => {
    write("/a", "1");
    write("/a/b/c", "2");
    const then = harness.core.root;
    harness.ask(toolstack, "RM", { path: "/a" });
    make(order(then, { path: "/a/b" as Path }));
    expect(harness.ask(toolstack, "READ", { path: "/a" })).toBe("1");
    expect(harness.ask(toolstack, "READ", { path: "/a/b/c" })).toBe("2");
  });

  test("merges with what was committed since, and does nothing where that is in conflict", () => {
    write("/a", "1");
    const then = harness.core.root;
    write("/a", "2");
    const given = order(then, { way: "merge" });
    write("/b", "3");
    expect(make(given).outcome).toMatchObject({ outcome: "committed", changes: 1 });
    expect(harness.ask(toolstack, "READ", { path: "/a" })).toBe("1");
    expect(harness.ask(toolstack, "READ", { path: "/b" })).toBe("3");
    const { root, seq } = harness.core;
    expect(make({ ...given, from: given.from }).outcome).toEqual({ outcome: "unchanged" });
    write("/a", "4");
    expect(make(given).outcome).toEqual({ outcome: "conflict", conflicts: ["/a: both changed its value"] });
    expect(harness.core.seq).toBe(seq + 1);
    expect(harness.core.root).not.toBe(root);
  });

  test("is no commit where nothing differs", () => {
    write("/a");
    expect(make(order(harness.core.root))).toMatchObject({ outcome: { outcome: "unchanged" }, tick: { commits: [] } });
  });

  test("brings domains back, and takes away those that were not there: their sockets, connections and watches", () => {
    introduce(5);
    const then = harness.core.root;
    harness.ask(toolstack, "RELEASE", { domid: domainId(5) });
    introduce(7);
    const guest = harness.connect(7);
    harness.ask(guest, "WATCH", { path: "@releaseDomain", token: "own" });
    harness.ask(toolstack, "WATCH", { path: "@releaseDomain", token: "r" });
    harness.ask(toolstack, "WATCH", { path: "@introduceDomain", token: "i" });
    harness.takeEvents(toolstack);
    harness.takeEvents(guest);
    const { tick } = make(order(then));
    expect(tick.effects.map(({ kind, ...rest }) => [kind, "domid" in rest ? rest.domid : "connection"])).toEqual([
      ["close-connection", "connection"],
      ["close-domain-socket", 7],
      ["open-domain-socket", 5],
    ]);
    expect(harness.takeEvents(toolstack).map(({ token }) => token)).toEqual(expect.arrayContaining(["r", "i"]));
    expect(harness.takeEvents(guest)).toEqual([]);
    expect(harness.core.connectionCount(domainId(7))).toBe(0);
    expect(harness.ask(toolstack, "IS_DOMAIN_INTRODUCED", { domid: domainId(5) })).toBe("T\0");
  });

  test("resets the guest's connections where the domain was another one, whatever its frame and port were", () => {
    introduce(5);
    const then = harness.core.root;
    harness.ask(toolstack, "RELEASE", { domid: domainId(5) });
    introduce(5);
    const guest = harness.connect(5);
    harness.ask(guest, "WATCH", { path: "@releaseDomain", token: "own" });
    harness.startTransaction(guest);
    const { outcome } = make(order(then));
    expect(outcome).toMatchObject({ outcome: "committed", changes: 1 });
    expect([guest.watches.size, guest.transactions.size, guest.closing]).toEqual([0, 0, false]);
    expect(sameRoot(harness.core.root, then)).toBe(true);
  });

  test("gives no domain what was meant for the one before it with its number (XSA-322)", () => {
    introduce(5);
    const from = harness.core.root;
    write("/secret", "s");
    setPerms("/secret", "n0", "r5");
    const given = order(harness.core.root, { from, way: "merge" });
    harness.ask(toolstack, "RM", { path: "/secret" });
    harness.ask(toolstack, "RELEASE", { domid: domainId(5) });
    introduce(5);
    expect(make(given).outcome).toEqual({
      outcome: "conflict",
      conflicts: ["/secret: theirs names domain 5, which ours released"],
    });
  });

  test("fires @releaseDomain for a domain that is shut down by it", () => {
    introduce(5);
    harness.ask(toolstack, "CONTROL", { command: "domain", parameters: ["shutdown", "5"] });
    const then = harness.core.root;
    harness.ask(toolstack, "RESUME", { domid: domainId(5) });
    harness.ask(toolstack, "WATCH", { path: "@releaseDomain", token: "r" });
    harness.takeEvents(toolstack);
    make(order(then));
    expect(harness.takeEvents(toolstack).map(({ token }) => token)).toEqual(["r"]);
  });

  test("is refused with the error of the commits, and closes nobody's connection then", () => {
    const then = harness.core.root;
    introduce(7);
    const guest = harness.connect(7);
    harness.beginTick();
    harness.core.refuseCommits("ENOSPC");
    const outcome = harness.core.makeChanges(admin, order(then));
    const { effects } = harness.endTick();
    expect([outcome, effects, guest.closing]).toEqual([{ outcome: "refused", error: "ENOSPC" }, [], false]);
  });

  test("leaves nothing behind where the changes do not fit", () => {
    write("/a");
    const changes = [{ kind: "node", path: "/x/y" as Path, before: undefined, after: undefined }] as const;
    harness.beginTick();
    expect(() => harness.core.makeChanges(admin, { ...order(harness.core.root), changes })).toThrow(
      /does not fit the state/,
    );
    expect(harness.endTick().commits).toEqual([]);
    expect(harness.ask(toolstack, "CONTROL", { command: "check", parameters: [] })).toBe("OK\0");
  });

  test("keeps the accounts: CONTROL check finds nothing wrong after domains' nodes came and went", () => {
    introduce(5);
    write("/local/domain/5/a");
    setPerms("/local/domain/5/a", "n5");
    const then = harness.core.root;
    harness.ask(toolstack, "RM", { path: "/local" });
    make(order(then));
    make(order(then));
    expect(harness.ask(toolstack, "CONTROL", { command: "check", parameters: [] })).toBe("OK\0");
  });
});
