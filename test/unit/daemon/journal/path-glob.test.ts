import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parsePathGlob } from "../../../../daemon/journal/path-glob.js";
import { propertyParameters } from "../../../support/seed.js";

const matches = (glob: string, path: string): boolean => parsePathGlob(glob).matches(path);

describe("parsePathGlob", () => {
  it.each([
    ["/a/b", ["/a/b"], ["/a", "/a/b/c", "/a/bc", "/b/a/b", "/"]],
    [
      "/local/domain/*/vncpasswd",
      ["/local/domain/5/vncpasswd", "/local/domain/12/vncpasswd"],
      ["/local/domain/vncpasswd", "/local/domain/5/device/vncpasswd", "/local/domain/5/vncpasswd/x"],
    ],
    [
      "/vm/*/device/**/vncpasswd",
      ["/vm/u/device/vncpasswd", "/vm/u/device/vfb/vncpasswd", "/vm/u/device/vfb/0/vncpasswd"],
      ["/vm/device/vncpasswd", "/vm/u/devices/0/vncpasswd", "/vm/u/device/vncpasswd/0"],
    ],
    ["/**/secret", ["/secret", "/a/secret", "/a/secret/b/secret"], ["/a/secrets", "/a/secret/b"]],
    ["/vm/**", ["/vm", "/vm/a", "/vm/a/b"], ["/vmm", "/"]],
    ["/**", ["/", "/a", "/a/b"], []],
    ["/*", ["/a"], ["/", "/a/b"]],
    ["/a?c/x-*-y", ["/abc/x--y", "/a-c/x-1-2-y"], ["/ac/x--y", "/abbc/x--y", "/abc/x-y"]],
    ["/*a*/b", ["/a/b", "/xax/b", "/aa/b"], ["/x/b", "/xax/c"]],
    ["/a/**/b/**/c", ["/a/b/c", "/a/x/b/y/z/c", "/a/b/c/b/c"], ["/a/c/b", "/a/b/x"]],
  ])("of %s matches what it says", (glob, yes, no) => {
    for (const path of yes) expect([path, matches(glob, path)]).toEqual([path, true]);
    for (const path of no) expect([path, matches(glob, path)]).toEqual([path, false]);
  });

  it("takes the dots, brackets and signs of regular expressions for no names", () => {
    for (const glob of ["/a.b", "/[ab]", "/a+", "/{a,b}", "/a b", "/é", "/a\\*"]) {
      expect(() => parsePathGlob(glob), glob).toThrow(/can be no name of a node/);
    }
  });

  it("says what would be right", () => {
    expect(() => parsePathGlob("vncpasswd")).toThrow(
      'begins with "/", for example /vm/*/vncpasswd or /local/domain/*/backend/vfb/**/vncpasswd',
    );
    expect(() => parsePathGlob("")).toThrow('begins with "/"');
    for (const glob of ["/", "/a/", "/a//b"])
      expect(() => parsePathGlob(glob), glob).toThrow("a name between two slashes");
    for (const glob of ["/a**", "/a/**b", "/***"]) {
      expect(() => parsePathGlob(glob), glob).toThrow('"**" stands between slashes for any number of names');
    }
  });

  it("matches as the regular expression that it stands for", () => {
    const name = fc.stringMatching(/^[ab]{1,3}$/);
    const pattern = fc.oneof(
      fc.constant("**"),
      fc.stringMatching(/^[ab?*]{1,4}$/).filter((text) => !text.includes("**")),
    );
    fc.assert(
      fc.property(
        fc.array(pattern, { minLength: 1, maxLength: 5 }),
        fc.array(name, { minLength: 1, maxLength: 6 }),
        (patterns, names) => {
          const inName = (text: string): string => text.replaceAll("*", "[^/]*").replaceAll("?", "[^/]");
          const source = patterns.map((each) => (each === "**" ? "(?:/[^/]+)*" : `/${inName(each)}`)).join("");
          const path = `/${names.join("/")}`;
          expect(matches(`/${patterns.join("/")}`, path)).toBe(new RegExp(`^${source}$`).test(path));
        },
      ),
      propertyParameters(2000),
    );
  });

  it("is not slowed down by a path that was made to go wrong late", () => {
    // Backtracking would take longer than anybody waits.
    const path = `/${"a/".repeat(1500)}b`;
    expect(matches(`/${"**/a/".repeat(20)}**/c/b`, path)).toBe(false);
    expect(matches(`/${"*a".repeat(40)}*c/b`, `/${"a".repeat(3000)}/b`)).toBe(false);
  });
});
