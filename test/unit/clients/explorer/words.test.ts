/** What is told in words: permissions, values, states, spans, changes, a bisection's steps. */
import { describe, expect, it } from "vitest";
import { halvingSteps } from "../../../../clients/explorer/bisect/halving.js";
import { tellChange } from "../../../../clients/explorer/commit/change-words.js";
import { permsInWords } from "../../../../clients/explorer/words/perms.js";
import { counted, spanInWords, timeInWords } from "../../../../clients/explorer/words/times.js";
import { valueInWords } from "../../../../clients/explorer/words/values.js";
import { isStateNode, xenbusStateName } from "../../../../clients/explorer/words/xenbus.js";

describe("permissions", () => {
  it.each([
    [["n0"], "dom0 owns it, all others may neither read nor write"],
    [["n5", "r0"], "domain 5 owns it, dom0 may read, all others may neither read nor write"],
    [["r0", "b7", "w9"], "dom0 owns it, domain 7 may read and write, domain 9 may write, all others may read"],
    [["b3"], "domain 3 owns it, all others may read and write"],
  ])("%j", (perms, words) => {
    expect(permsInWords(perms)).toBe(words);
  });
});

describe("values", () => {
  it("show what cannot be seen", () => {
    expect(valueInWords({ value: "a\nb\u0000\\" })).toBe("a\\nb\\x00\\\\");
    expect(valueInWords({ value: "" })).toBe("");
    expect(valueInWords({ value: "\u202egnp\u200b\u0085\u2028\u{e0001}é" })).toBe(
      "\\u202egnp\\u200b\\x85\\u2028\\u{e0001}é",
    );
    expect(valueInWords({ valueBase64: "/w==" })).toBe("\\base64 /w==");
    expect(valueInWords({ value: "\\base64 /w==" })).toBe("\\\\base64 /w==");
  });
});

describe("xenbus states", () => {
  it("have names where a node has one", () => {
    expect(xenbusStateName("4")).toBe("Connected");
    expect(xenbusStateName("9")).toBeUndefined();
    expect(xenbusStateName("44")).toBeUndefined();
    expect(isStateNode("/local/domain/7/device/vbd/51712/state")).toBe(true);
    expect(isStateNode("/local/domain/0/backend/vif/7/0/state")).toBe(true);
    expect(isStateNode("/local/domain/7/console/state")).toBe(true);
    expect(isStateNode("/local/domain/7/device/vbd/51712/state/x")).toBe(false);
    expect(isStateNode("/local/domain/7/memory/state")).toBe(false);
  });
});

describe("spans and amounts", () => {
  it.each([
    [0, "0 µs"],
    [999, "999 µs"],
    [1500, "1.5 ms"],
    [-2_345_678, "-2.35 s"],
  ])("%d microseconds", (microseconds, words) => {
    expect(spanInWords(microseconds)).toBe(words);
  });

  it("are counted", () => {
    expect(counted(1, "commit")).toBe("1 commit");
    expect(counted(12_345, "commit")).toBe("12,345 commits");
    expect(counted(2, "more change", "more changes")).toBe("2 more changes");
  });

  it("tell a time to the millisecond", () => {
    expect(timeInWords("2026-11-23T07:10:04.567891Z")).toMatch(/^2026-11-2[234] \d\d:\d\d:04\.567$/);
    expect(timeInWords(undefined)).toBe("at a time that it does not tell");
  });
});

describe("changes", () => {
  it("of a node are its value and permissions, as far as they differ", () => {
    const path = "/local/domain/7/device/vif/0/state";
    const told = tellChange({
      kind: "node",
      path,
      before: { value: "3", perms: ["n7", "r0"] },
      after: { value: "4", perms: ["n7", "r0"] },
    });
    expect(told).toEqual({
      subject: path,
      path,
      kind: "changed",
      lines: [
        { sign: "-", text: "3 Initialised" },
        { sign: "+", text: "4 Connected" },
      ],
    });
  });

  it("tell what came and what went", () => {
    expect(tellChange({ kind: "node", path: "/a", after: { value: "", perms: ["n0"] } })).toMatchObject({
      kind: "came",
      lines: [
        { sign: "+", text: "\\empty" },
        { sign: "+", text: "dom0 owns it, all others may neither read nor write" },
      ],
    });
    expect(tellChange({ kind: "node", path: "/a", before: { value: "x", perms: ["n0"] } }).kind).toBe("went");
  });

  it("are told of special paths, quotas and domains too", () => {
    expect(tellChange({ kind: "special", path: "@releaseDomain", before: ["n0"], after: ["n0", "r5"] })).toEqual({
      subject: "watch permissions of @releaseDomain",
      path: undefined,
      kind: "changed",
      lines: [
        { sign: "-", text: "dom0 owns it, all others may neither read nor write" },
        { sign: "+", text: "dom0 owns it, domain 5 may read, all others may neither read nor write" },
      ],
    });
    expect(tellChange({ kind: "quota", name: "nodes", after: 0 }).lines).toEqual([{ sign: "+", text: "unlimited" }]);
    const domain = { introduction: { gfn: 1, port: 2 }, shutdown: false, quotas: { nodes: 5 } };
    expect(tellChange({ kind: "domain", domid: 7, after: domain })).toMatchObject({
      subject: "domain 7",
      kind: "came",
      lines: [
        { sign: "+", text: "introduced with gfn 1 and port 2" },
        { sign: "+", text: "quota nodes 5" },
      ],
    });
    const next = { ...domain, introduction: { gfn: 1, port: 2, seq: 1234 } };
    expect(tellChange({ kind: "domain", domid: 7, before: domain, after: next }).lines).toContainEqual({
      sign: "+",
      text: "introduced by commit 1234 with gfn 1 and port 2",
    });
  });
});

describe("a bisection's steps", () => {
  it("narrow what is left", () => {
    const end = (seq: number): { readonly oid: string; readonly seq: number; readonly subject: string } => ({
      oid: String(seq),
      seq,
      subject: "",
    });
    const tried = [
      { seq: 50, isBad: true },
      { seq: 25, isBad: false },
      { seq: 37, isBad: true },
    ];
    expect(halvingSteps({ good: end(1), bad: end(100), tried }).map(({ good, bad }) => [good, bad])).toEqual([
      [1, 50],
      [25, 50],
      [25, 37],
    ]);
  });
});
