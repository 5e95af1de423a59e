/**
 * Path rules, by a table of what is valid and what is not.
 */
import { describe, expect, test } from "vitest";
import type { Domid, Path } from "../../../protocol/identifiers.js";
import {
  childPath,
  domainPath,
  INTRODUCE_DOMAIN,
  isAtOrBelow,
  isNodeName,
  isPathText,
  isSpecialPath,
  joinPath,
  parentPath,
  parsePath,
  parseSpecialDomid,
  parseWatchPath,
  RELEASE_DOMAIN,
  ROOT_PATH,
  SPECIAL_PATHS,
  splitPath,
} from "../../../protocol/path.js";

const domain = 5 as Domid;
const base = "/local/domain/5";

/** An absolute path of exactly `length` bytes. */
function absoluteOf(length: number): string {
  return `/${"a".repeat(length - 1)}`;
}

const valid: [text: string, path: string][] = [
  ["/", "/"],
  ["/a", "/a"],
  ["/local/domain/0/name", "/local/domain/0/name"],
  ["/A-Z_a-z/0-9/@releaseDomain", "/A-Z_a-z/0-9/@releaseDomain"],
  ["/__proto__/constructor", "/__proto__/constructor"],
  ["/-", "/-"],
  ["/a/@", "/a/@"],
  [absoluteOf(3072), absoluteOf(3072)],
  ["/a".repeat(1536), "/a".repeat(1536)],
  ["a", `${base}/a`],
  ["device/vif/0", `${base}/device/vif/0`],
  ["a@b", `${base}/a@b`],
  ["a/@b", `${base}/a/@b`],
  ["a".repeat(2048), `${base}/${"a".repeat(2048)}`],
];

const invalid: [why: string, text: string][] = [
  ["empty", ""],
  ["double slash alone", "//"],
  ["double slash at the start", "//a"],
  ["double slash inside", "/a//b"],
  ["double slash inside a relative one", "a//b"],
  ["trailing slash", "/a/"],
  ["XSA-481: trailing slash on a domain's folder", "/local/domain/"],
  ["trailing slash on a relative one", "a/"],
  ["a dot", "/a.b"],
  ["dot names", "/a/../b"],
  ["relative dot", "."],
  ["a blank", "/a b"],
  ["a colon", "/a:b"],
  ["a plus", "/a+b"],
  ["NUL", "/a\0b"],
  ["a line feed at the end", "/a\n"],
  ["a line feed at the end of a relative one", "a\n"],
  ["a byte over 127", "/\u00e4"],
  ["special", "@releaseDomain"],
  ["special with a domain", "@releaseDomain/5"],
  ["a lone @", "@"],
  ["3073 bytes", absoluteOf(3073)],
  ["3074 bytes of short names", "/a".repeat(1537)],
  ["2049 bytes, relative", "a".repeat(2049)],
];

describe("parsePath", () => {
  test.each(valid)("accepts %j", (text, path) => {
    expect(parsePath(text, domain)).toBe(path);
  });

  test.each(invalid)("refuses %s", (_why, text) => {
    expect(parsePath(text, domain)).toBeUndefined();
  });

  test("XSA-323: no relative path makes an absolute one that is too long", () => {
    const path = parsePath("a".repeat(2048), 65535 as Domid);
    expect(path?.length).toBeLessThanOrEqual(3072);
    expect(path).toBeDefined();
  });

  test("takes the time of one pass on the longest hostile path", () => {
    // A pattern that backtracked would need the age of the universe, and the test's timeout would end it.
    expect(parsePath(`${"/a".repeat(1535)}/!`, domain)).toBeUndefined();
    expect(parsePath(`${"a".repeat(2047)}!`, domain)).toBeUndefined();
  });
});

describe("parseWatchPath", () => {
  test.each(valid)("accepts %j as parsePath does", (text, path) => {
    const relativeBase = text.startsWith("/") ? 0 : base.length + 1;
    const parsed = parseWatchPath(text, domain);
    expect(parsed).toEqual({ path, relativeBase });
    expect(parsed?.path.slice(parsed.relativeBase)).toBe(text);
  });

  test.each([
    "@releaseDomain",
    "@introduceDomain",
    "@releaseDomain/5",
    "@anything-else",
    "@a/b/c",
    `@${"a".repeat(2047)}`,
  ])("accepts the special %s as it was sent", (text) => {
    expect(parseWatchPath(text, domain)).toEqual({ path: text, relativeBase: 0 });
  });

  test.each([
    ...invalid.filter(([, text]) => !text.startsWith("@")).map(([, text]) => text),
    "@",
    "@/",
    "@/a",
    "@a/",
    "@a//b",
    "@a.b",
    "@a\0",
    `@${"a".repeat(2048)}`,
  ])("refuses %j", (text) => {
    expect(parseWatchPath(text, domain)).toBeUndefined();
  });
});

describe("isPathText", () => {
  test("says of every text what parsePath and parseWatchPath say", () => {
    const texts = [...valid.map(([text]) => text), ...invalid.map(([, text]) => text), "@a/b", "@a//b", "@/"];
    for (const text of texts)
      expect([text, isPathText(text)]).toEqual([text, parseWatchPath(text, domain) !== undefined]);
    expect([isPathText("/a"), isPathText("@releaseDomain"), isPathText("@")]).toEqual([true, true, false]);
  });
});

describe("parseSpecialDomid", () => {
  test("reads the domain that a special watch is limited to", () => {
    expect(parseSpecialDomid("@releaseDomain")).toEqual({ special: RELEASE_DOMAIN, domid: undefined });
    expect(parseSpecialDomid("@releaseDomain/5")).toEqual({ special: RELEASE_DOMAIN, domid: 5 });
    expect(parseSpecialDomid("@introduceDomain/65535")).toEqual({ special: INTRODUCE_DOMAIN, domid: 65535 });
  });

  test.each([
    "",
    "/",
    "@other",
    "@other/5",
    "@releaseDomain/",
    "@releaseDomain/x",
    "@releaseDomain/5/6",
    "@releaseDomain/65536",
    "@releaseDomain/05",
  ])("refuses %j", (text) => {
    expect(parseSpecialDomid(text)).toBeUndefined();
  });
});

describe("isSpecialPath", () => {
  test("knows the paths that have perms of their own", () => {
    for (const path of SPECIAL_PATHS) expect(isSpecialPath(path)).toBe(true);
    expect(SPECIAL_PATHS).toEqual(["@introduceDomain", "@releaseDomain"]);
    for (const path of ["@other", "@releaseDomain/5", "/@releaseDomain", ""]) expect(isSpecialPath(path)).toBe(false);
  });
});

describe("domainPath", () => {
  test("is what relative paths are under", () => {
    expect(domainPath(0 as Domid)).toBe("/local/domain/0");
    expect(parsePath("x", 7 as Domid)).toBe(`${domainPath(7 as Domid)}/x`);
  });
});

describe("splitPath and joinPath", () => {
  test.each<[path: string, names: string[]]>([
    ["/", []],
    ["/a", ["a"]],
    ["/a/b/c", ["a", "b", "c"]],
  ])("translate %s", (path, names) => {
    expect(splitPath(path as Path)).toEqual(names);
    expect(joinPath(names)).toBe(path);
  });
});

describe("childPath and parentPath", () => {
  test("are each other's inverse", () => {
    expect(childPath(ROOT_PATH, "a")).toBe("/a");
    expect(childPath("/a" as Path, "b")).toBe("/a/b");
    expect(parentPath("/a/b" as Path)).toBe("/a");
    expect(parentPath("/a" as Path)).toBe("/");
    expect(parentPath(ROOT_PATH)).toBeUndefined();
  });
});

describe("isAtOrBelow", () => {
  test.each([
    ["/", "/"],
    ["/a", "/"],
    ["/a", "/a"],
    ["/a/b", "/a"],
    ["/a/b/c", "/a/b"],
    ["@releaseDomain", "@releaseDomain"],
    ["@releaseDomain/5", "@releaseDomain"],
  ])("%s is at or below %s", (path, ancestor) => {
    expect(isAtOrBelow(path, ancestor)).toBe(true);
  });

  test.each([
    ["/ab", "/a"],
    ["/a", "/a/b"],
    ["/", "/a"],
    ["/b/a", "/a"],
    ["@releaseDomain", "/"],
    ["@releaseDomain2", "@releaseDomain"],
  ])("%s is not at or below %s", (path, ancestor) => {
    expect(isAtOrBelow(path, ancestor)).toBe(false);
  });
});

describe("isNodeName", () => {
  test("accepts one name of valid characters", () => {
    for (const name of ["a", "0", "-", "@releaseDomain", "__proto__"]) expect(isNodeName(name)).toBe(true);
    for (const name of ["", "a/b", ".perms", "a b", "a\n", "\u00e4", "a\0"]) expect(isNodeName(name)).toBe(false);
  });
});
