import { describe, expect, it } from "vitest";
import {
  belowKey,
  enclosingKey,
  keyCountOf,
  ownKey,
  ownKeysAbove,
} from "../../../../../daemon/history/repository/path-keys.js";
import type { Path } from "../../../../../protocol/identifiers.js";

/** A node's key and all that enclose it. */
function keysOf(path: string): string[] {
  const keys: string[] = [];
  for (let key: string | undefined = ownKey(path as Path); key !== undefined; key = enclosingKey(key)) keys.push(key);
  return keys;
}

describe("path-keys", () => {
  it.each([
    ["/", [""]],
    ["/a", ["/a", "/"]],
    ["/a/b", ["/a/b", "/a/", "/"]],
    ["/aa/b-/0", ["/aa/b-/0", "/aa/b-/", "/aa/", "/"]],
  ])("puts a change of %s under its own key and those that enclose it", (path, keys) => {
    expect(keysOf(path)).toEqual(keys);
    expect(keyCountOf(path as Path)).toBe(keys.length);
  });

  it("has what lies below a node under the key that encloses its children", () => {
    expect(belowKey("/" as Path)).toBe(enclosingKey("/a"));
    expect(belowKey("/a" as Path)).toBe(enclosingKey("/a/b"));
  });

  it("names the nodes above, but for the root", () => {
    expect(ownKeysAbove("/a/b/c" as Path)).toEqual(["/a/b", "/a"]);
    expect(ownKeysAbove("/a" as Path)).toEqual([]);
    expect(ownKeysAbove("/" as Path)).toEqual([]);
  });

  it("has the order of the worked example", () => {
    const keys = ["/", "/a", "/a/b", "/a-b"].flatMap(keysOf);
    expect([...new Set(keys)].sort()).toEqual(["", "/", "/a", "/a-b", "/a/", "/a/b"]);
  });
});
