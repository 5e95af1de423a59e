/**
 * The store: commits, books, rewinding, and the memory of what changed.
 */
import { describe, expect, test } from "vitest";
import { likelyCausesOf, type Cause } from "../../../../daemon/store/answer-cause.js";
import { Draft } from "../../../../daemon/store/draft.js";
import type { NodeState } from "../../../../daemon/store/commit.js";
import { emptyRoot, getNode, isEmptyRecord, NO_RECORD } from "../../../../daemon/store/root.js";
import { Store, type CommitDetails } from "../../../../daemon/store/store.js";
import type { Domid, Microseconds, Path, Seq } from "../../../../protocol/identifiers.js";
import { parsePerms, serializePerms, type Perms } from "../../../../protocol/perms.js";
import { parentPath, splitPath } from "../../../../protocol/path.js";

/** Writes a node, creating it below its existing parent when it is missing. */
function put(draft: Draft, at: Path, state: NodeState): void {
  const parent = parentPath(at);
  if (draft.get(at) !== undefined || parent === undefined) draft.set(at, state);
  else draft.create(parent, splitPath(at).slice(-1), state);
}

const path = (text: string) => text as Path;
const perms = (...texts: string[]) => parsePerms(texts) as Perms;
const details: CommitDetails = {
  time: 5 as Microseconds,
  origin: { domid: 0 as Domid, connection: "socket-1", transaction: undefined },
  base: 0 as Seq,
  requests: [],
  requestsOmitted: 0,
};

function write(store: Store, at: string, owner = "n0"): void {
  const draft = new Draft(store.root, (store.seq + 1) as Seq);
  put(draft, path(at), { value: String(store.seq), perms: perms(owner) });
  store.commit(draft, details);
}

/** What made READ answer something else. */
function causesOfRead(at: string): Cause[] {
  const { told } = likelyCausesOf({ operation: "READ", path: at, domid: 0 as Domid });
  return told === undefined ? [] : [told];
}

describe("Store", () => {
  test("counts commits up and tells what each changed", () => {
    const store = new Store(emptyRoot(), 41 as Seq);
    const draft = new Draft(store.root, 42 as Seq);
    put(draft, path("/a"), { value: "v", perms: perms("n5") });
    const commit = store.commit(draft, details);
    expect(commit).toEqual({
      seq: 42,
      ...details,
      changes: [{ kind: "node", path: "/a", before: undefined, after: { value: "v", perms: perms("n5") } }],
    });
    expect([store.seq, store.root]).toEqual([42, draft.root]);
    expect([store.accounts.nodesOwned(5 as Domid), store.accounts.nodeCount]).toEqual([1, 2]);
  });

  test("refuses a draft of another root, which would lose what was committed meanwhile", () => {
    const store = new Store(emptyRoot(), 0 as Seq);
    const stale = new Draft(store.root, 1 as Seq);
    write(store, "/a");
    expect(() => store.commit(stale, details)).toThrow(/another root/);
  });

  test("returns to a mark with books that fit (store invariants 1 and 2)", () => {
    const store = new Store(emptyRoot(), 0 as Seq);
    write(store, "/a", "n5");
    const mark = store.mark();
    const { root } = store;
    write(store, "/a/b", "n5");
    write(store, "/c", "n6");
    store.rewind(mark);
    expect(store.root).toBe(root);
    expect(store.seq).toBe(1);
    expect(store.accounts.verify(root)).toEqual([]);
    expect(store.accounts.nodesOwned(5 as Domid)).toBe(1);
    expect(store.findCause(causesOfRead("/c"), 0 as Seq)).toBeUndefined();
    expect(store.findCause(causesOfRead("/a"), 0 as Seq)?.seq).toBe(1);
  });

  test("finds the newest commit after a base that can be the cause, and not one that wrote above or below", () => {
    const store = new Store(emptyRoot(), 0 as Seq);
    for (const each of ["/a", "/a/b", "/ab", "/c", "/a/b"]) write(store, each);
    const find = (at: string, base: number) => store.findCause(causesOfRead(at), base as Seq)?.seq;
    expect([find("/a", 0), find("/a/b", 0), find("/ab", 0), find("/", 0), find("/d", 0)]).toEqual([
      1,
      5,
      3,
      undefined,
      undefined,
    ]);
    expect([find("/a", 1), find("/a/b", 4), find("/a/b", 5)]).toEqual([undefined, 5, undefined]);
  });

  test("remembers a bounded number of changed paths", () => {
    const store = new Store(emptyRoot(), 0 as Seq);
    for (let commit = 0; commit < 40_000; commit++) write(store, `/${String(commit % 100)}`);
    expect(store.findCause(causesOfRead("/1"), 39_000 as Seq)).toBeDefined();
    expect(store.findCause(causesOfRead("/none"), 0 as Seq)).toBeUndefined();
    const known = Array.from(
      { length: 40 },
      (_, index) => store.findCause(causesOfRead("/99"), (index * 1000) as Seq)?.seq,
    );
    expect(known.every((seq) => seq === 40_000)).toBe(true);
  });
});

describe("Draft", () => {
  test("charges owners for what they gain and lose, and gives it back on rewind", () => {
    const draft = new Draft(emptyRoot(), 1 as Seq);
    const charges = () => [5, 6, 0].map((domid) => draft.chargeOf(domid as Domid));
    put(draft, path("/a"), { value: "", perms: perms("n5") });
    put(draft, path("/a/b"), { value: "", perms: perms("n6") });
    put(draft, path("/a/c"), { value: "", perms: perms("n0") });
    expect(charges()).toEqual([1, 1, 0]);
    const mark = draft.mark();
    put(draft, path("/a"), { value: "", perms: perms("n6") });
    expect(charges()).toEqual([0, 2, 0]);
    draft.remove(path("/a"));
    expect(charges()).toEqual([0, 0, 0]);
    draft.rewind(mark);
    expect(charges()).toEqual([1, 1, 0]);
    expect(draft.get(path("/a/b"))?.perms[0].domid).toBe(6);
  });

  test("throws for what no request may do: a change of what is not there, a removal of what is not there or of /", () => {
    const draft = new Draft(emptyRoot(), 1 as Seq);
    expect(() => draft.set(path("/a/b"), { value: "", perms: perms("n0") })).toThrow(/no node \/a\/b to change/);
    expect(() => draft.remove(path("/a"))).toThrow(/\/a cannot be removed/);
    expect(() => draft.remove(path("/"))).toThrow(/cannot be removed/);
  });

  test("keeps no record that says nothing, and leaves a root alone that is set to what it is", () => {
    const draft = new Draft(emptyRoot(), 1 as Seq);
    draft.setDomain(5 as Domid, { ...NO_RECORD, shutdown: true });
    expect(draft.root.domains.size).toBe(1);
    draft.setDomain(5 as Domid, NO_RECORD);
    expect(draft.root.domains.size).toBe(0);
    const equal = new Draft(emptyRoot(), 1 as Seq);
    equal.setSpecial("@releaseDomain", perms("r0"));
    expect(equal.isEmpty, "an equal list on a special path is no change, and fires nothing").toBe(true);
    equal.setSpecial("@releaseDomain", perms("n0"));
    expect(equal.isEmpty).toBe(false);
  });
});

describe("emptyRoot", () => {
  test("is / alone, dom0's, with the special paths' perms", () => {
    const root = emptyRoot();
    expect(getNode(root, path("/"))).toMatchObject({ value: "", names: [], modified: 0 });
    expect([...root.special].map(([at, list]) => `${at} ${serializePerms(list)}`)).toEqual([
      "@introduceDomain n0",
      "@releaseDomain r0",
    ]);
    expect([root.quotas.size, root.domains.size, isEmptyRecord(NO_RECORD)]).toEqual([0, 0, true]);
  });
});
