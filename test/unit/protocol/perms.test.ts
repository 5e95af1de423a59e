/**
 * Permission lists and their text form.
 */
import { describe, expect, test } from "vitest";
import type { Domid } from "../../../protocol/identifiers.js";
import {
  internPerms,
  parsePermission,
  parsePerms,
  READ,
  samePerms,
  serializePermission,
  serializePerms,
  WRITE,
  type Perms,
} from "../../../protocol/perms.js";

function entry(access: number, domid: number) {
  return { access, domid: domid as Domid };
}

describe("parsePermission and serializePermission", () => {
  test.each([
    ["n0", 0, 0],
    ["r5", READ, 5],
    ["w65535", WRITE, 65535],
    ["b32757", READ | WRITE, 32757],
  ])("translate %s", (text, access, domid) => {
    expect(parsePermission(text)).toEqual(entry(access, domid));
    expect(serializePermission(entry(access, domid))).toBe(text);
  });

  test.each(["", "n", "5", "x5", "R5", "rw5", "r-1", "r 5", "r5 ", "r05", "r65536", "r5\n", "r5\0", "\0", "nn", " n5"])(
    "refuses %j",
    (text) => {
      expect(parsePermission(text)).toBeUndefined();
    },
  );
});

describe("parsePerms and serializePerms", () => {
  test("translate a list, owner first", () => {
    const perms = parsePerms(["n0", "r5", "b7"]);
    expect(perms).toEqual([entry(0, 0), entry(READ, 5), entry(3, 7)]);
    expect(serializePerms(perms as Perms)).toBe("n0 r5 b7");
    expect(serializePerms(perms as Perms, "\0")).toBe("n0\0r5\0b7");
    expect(serializePerms([entry(1, 3)])).toBe("r3");
  });

  test("keep repeated entries, of which the first decides", () => {
    expect(parsePerms(["n0", "r5", "w5"])).toHaveLength(3);
  });

  test("refuse an empty list and a list with one bad entry", () => {
    expect(parsePerms([])).toBeUndefined();
    expect(parsePerms([""])).toBeUndefined();
    expect(parsePerms(["n0", "q5"])).toBeUndefined();
    expect(parsePerms(["n0", ""])).toBeUndefined();
  });
});

describe("internPerms", () => {
  test("gives the same object for equal lists", () => {
    const first = internPerms([entry(0, 1234), entry(1, 5)]);
    expect(internPerms([entry(0, 1234), entry(1, 5)])).toBe(first);
    expect(parsePerms(["n1234", "r5"]), "what is only named is not remembered").not.toBe(first);
    expect(internPerms([entry(0, 1234), entry(2, 5)])).not.toBe(first);
  });

  test("still gives equal lists when more distinct lists came than it remembers", () => {
    const first = internPerms([entry(0, 1), entry(1, 1)]);
    for (let index = 0; index < 20_000; index++) internPerms([entry(0, index), entry(3, index)]);
    const later = internPerms([entry(0, 1), entry(1, 1)]);
    expect(samePerms(first, later)).toBe(true);
    expect(later).toEqual(first);
    // It was forgotten in between: what guests can make the daemon remember has a bound.
    expect(later).not.toBe(first);
  });
});

describe("samePerms", () => {
  const perms: Perms = [entry(0, 0), entry(1, 5)];

  test("compares entries and their order", () => {
    expect(samePerms(perms, [entry(0, 0), entry(1, 5)])).toBe(true);
    expect(samePerms(perms, [entry(0, 0)])).toBe(false);
    expect(samePerms(perms, [entry(0, 0), entry(1, 6)])).toBe(false);
    expect(samePerms(perms, [entry(0, 0), entry(2, 5)])).toBe(false);
    expect(samePerms(perms, [entry(1, 5), entry(0, 0)])).toBe(false);
  });
});
