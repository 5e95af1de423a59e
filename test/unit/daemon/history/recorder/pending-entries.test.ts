/** What comes and goes, put into lists and bytes in one pass. */
import { describe, expect, it } from "vitest";
import { hashObject } from "../../../../../daemon/history/object/oid.js";
import { entryBytes, serializeTree, type EntryKey } from "../../../../../daemon/history/object/tree-object.js";
import { PendingEntries, type EntryLists } from "../../../../../daemon/history/recorder/pending-entries.js";

const OLD = hashObject("blob", "old");
const NEW = hashObject("blob", "new");
const ENTRY = entryBytes("a");

/** Lists of files whose bytes begin at 0. */
function listsOf(...keys: EntryKey[]): EntryLists<string> {
  const bytes = Buffer.from(
    serializeTree(
      keys,
      keys.map(() => OLD),
    ),
    "latin1",
  );
  return { keys, children: undefined, bytes };
}

function merged(
  pending: PendingEntries<string>,
  old: EntryLists<string>,
): { readonly now: EntryLists<string>; readonly splices: number[][] } {
  const starts = Uint32Array.from({ length: old.keys.length + 1 }, (_, index) => index * ENTRY);
  const splices: number[][] = [];
  const now = pending.merge(old, starts, (...splice) => splices.push(splice));
  return { now, splices };
}

describe("PendingEntries", () => {
  it("merges what came in the order of the keys, and tells neighbours as one splice of the bytes as they are then", () => {
    const old = listsOf("b", "c", "d", "g");
    const pending = new PendingEntries<string>(4);
    for (const key of ["h", "a", "e"]) pending.add({ key, oid: NEW, child: undefined });
    pending.remove(1);
    pending.remove(2);
    const { now, splices } = merged(pending, old);
    expect(now.keys).toEqual(["a", "b", "e", "g", "h"]);
    const oids = [NEW, OLD, NEW, OLD, NEW];
    expect(Buffer.from(now.bytes).toString("latin1")).toBe(serializeTree(now.keys, oids));
    expect(splices).toEqual([
      [0, 0, ENTRY],
      [2 * ENTRY, 2 * ENTRY, ENTRY],
      [4 * ENTRY, 0, ENTRY],
    ]);
    expect(now.children).toBeUndefined();
  });

  it("forgets what came and went again, and keeps what went and came again", () => {
    const old = listsOf("a", "b");
    const pending = new PendingEntries<string>(2);
    pending.add({ key: "c", oid: NEW, child: undefined });
    expect(pending.entryAt(pending.numberOf("c") ?? 0)?.key).toBe("c");
    pending.remove(pending.numberOf("c") ?? 0);
    expect(pending.numberOf("c")).toBeUndefined();
    pending.remove(0);
    expect(pending.isGone(0)).toBe(true);
    pending.takeBack(0);
    const { now, splices } = merged(pending, old);
    expect([now.keys, splices]).toEqual([old.keys, []]);
    expect(Buffer.from(now.bytes)).toEqual(old.bytes);
  });

  it("has a list of children as soon as one came that is a directory", () => {
    const pending = new PendingEntries<string>(2);
    pending.add({ key: "b/", oid: NEW, child: "of b" });
    expect(merged(pending, listsOf("a", "c")).now.children).toEqual([undefined, "of b", undefined]);
  });
});
