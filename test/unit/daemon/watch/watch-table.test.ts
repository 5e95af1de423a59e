/**
 * The watch table against a list of all watches.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WatchTable, type Watch } from "../../../../daemon/watch/watch-table.js";
import type { Path } from "../../../../protocol/identifiers.js";
import { isAtOrBelow, joinPath, splitPath } from "../../../../protocol/path.js";
import { propertyParameters } from "../../../support/seed.js";

let orders = 0;

function watchOn(path: string, depth?: number): Watch<string> {
  return { owner: "client", path, token: "t", depth, relativeBase: 0, order: ++orders };
}

describe("WatchTable", () => {
  test("finds the watches of a node and of its ancestors, in the order of their registration", () => {
    const names = fc.array(fc.constantFrom("a", "b", "__proto__", "constructor"), { maxLength: 4 });
    const watches = fc.array(
      fc.record({ names, depth: fc.option(fc.nat(3), { nil: undefined }), gone: fc.boolean() }),
      {
        maxLength: 30,
      },
    );
    fc.assert(
      fc.property(watches, names, (list, at) => {
        const table = new WatchTable<string>();
        const all = list.map((each) => ({ ...each, watch: watchOn(joinPath(each.names), each.depth) }));
        for (const { watch } of all) table.add(watch);
        for (const { watch, gone } of all) if (gone) table.remove(watch);
        const left = all.filter(({ gone }) => !gone).map(({ watch }) => watch);
        const path = joinPath(at);
        const expected = left.filter(
          (watch) =>
            isAtOrBelow(path, watch.path) &&
            (watch.depth === undefined || at.length - splitPath(watch.path as Path).length <= watch.depth),
        );
        const { watches: found, place } = table.matchSubtree(path);
        expect(found).toEqual(expected);
        expect(table.count).toBe(left.length);
        expect(place !== undefined || at.length === 0).toBe(
          left.some((watch) => isAtOrBelow(watch.path, path)) || at.length === 0,
        );
      }),
      propertyParameters(500),
    );
  });

  test("keeps special watches apart: @releaseDomain is no node, and / does not cover it", () => {
    const table = new WatchTable<string>();
    const [special, one, top] = [watchOn("@releaseDomain"), watchOn("@releaseDomain/1"), watchOn("/")];
    for (const watch of [special, one, top]) table.add(watch);
    expect(table.matchSpecial("@releaseDomain")).toEqual([special]);
    expect(table.matchSpecial("@releaseDomain/1")).toEqual([one]);
    expect(table.matchSpecial("@other")).toEqual([]);
    expect(table.matchSubtree("/a" as Path).watches).toEqual([top]);
    table.remove(special);
    expect(table.matchSpecial("@releaseDomain")).toEqual([]);
    expect(table.count).toBe(2);
  });

  test("keeps nothing of a watch that is gone (XSA-330)", () => {
    const table = new WatchTable<string>();
    const watches = ["/a/b/c", "/a/b", "/a/b/c/d"].map((path) => watchOn(path));
    for (const watch of watches) table.add(watch);
    for (const watch of watches) table.remove(watch);
    expect(table.matchSubtree("/" as Path).place?.isEmpty).toBe(true);
  });

  test("throws when a watch is removed that is not there, which would be a mistake in the daemon", () => {
    expect(() => {
      new WatchTable<string>().remove(watchOn("/a"));
    }).toThrow(/no watch on \/a/);
  });
});
