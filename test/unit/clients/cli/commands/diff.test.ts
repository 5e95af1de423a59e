import { beforeAll, describe, expect, test } from "vitest";
import { jsonOf } from "../program-harness.js";
import { recordSmallHistory, runOnRepository } from "../small-history.js";

let repository: string;
beforeAll(() => {
  repository = recordSmallHistory();
});

/** The text below the two commits. */
async function diff(...words: readonly string[]): Promise<string> {
  const { code, out, err } = await runOnRepository(repository, ["diff", "--repo", repository, ...words]);
  expect([code, err]).toEqual([0, ""]);
  return out.slice(out.indexOf("\n\n") + 2);
}

describe("xs diff", () => {
  test("names both commits, and shows what came, went and is another", async () => {
    const { out } = await runOnRepository(repository, ["diff", "--repo", repository, "@{1}", "@{3}"]);
    expect(out).toMatch(
      /^from {2}@\{1\} {2}\S+ {2}[0-9a-f]{10} {2}dom1: .*\nto {4}@\{3\} {2}\S+ {2}[0-9a-f]{10} .*\n\n/,
    );
    expect(await diff("@{1}", "@{3}")).toBe(
      [
        '- /a = "1"  (n0)',
        '- /a/b = "two\\n"  (n0 r5)',
        '- /a/b/c = "\\xff"  (n0 r5)',
        '+ /local = ""  (n0)',
        '+ /local/domain = ""  (n0)',
        '+ /local/domain/0 = ""  (n0)',
        '+ /local/domain/0/x = ""  (n0)',
        '+ /local/domain/0/x/y = "v"  (n0)',
        "~ quota nodes",
        "    - the default",
        "    + 7",
        "~ domain 7",
        "    - unknown",
        "    + introduced, gfn 3000, port 3",
        "",
      ].join("\n"),
    );
  });

  test("goes backwards too", async () => {
    expect(await diff("HEAD", "HEAD~2", "/a/b")).toBe('+ /a/b = "two\\n"  (n0 r5)\n+ /a/b/c = "\\xff"  (n0 r5)\n');
  });

  test("with a path shows that node, and no quotas or domains", async () => {
    expect(await diff("@{1}", "@{2}", "/a")).toBe('~ /a/b\n    - "two\\n"\n    + "2"\n');
    expect(await diff("@{1}", "@{2}", "/")).toContain("~ quota nodes\n");
  });

  test("says so where there is no difference", async () => {
    expect(await diff("@{1}", "@{1}")).toBe("no difference\n");
    expect(await diff("@{1}", "@{2}", "/d")).toBe("no difference\n");
    expect(await diff("@{2}", "@{3}", "/device")).toBe("no difference\n");
  });

  test("is one JSON object on request", async () => {
    const { out } = await runOnRepository(repository, ["diff", "--json", "--repo", repository, "@{1}", "@{2}"]);
    expect(jsonOf(out)).toMatchObject({
      from: { seq: 1 },
      to: { seq: 2 },
      changes: [
        { kind: "node", path: "/a/b", before: { value: "two\n" }, after: { value: "2", perms: ["n0", "r5"] } },
        { kind: "quota", name: "nodes", after: 7 },
        { kind: "domain", domid: 7, after: { introduction: { gfn: 3000, port: 3 } } },
      ],
    });
    expect(jsonOf(out)).not.toHaveProperty("next");
  });

  test.each([
    [
      ["@{1}", "@{2}", "/devise/x"],
      "no node /devise/x, neither at @{1} nor at @{2}: there was none before either; did you mean /device/x?",
    ],
    [["HEAD", "@{3}", "/a/b"], "there is no node /a/b, neither at HEAD nor at @{3}: @{3} removed it"],
    [["@{1}", "@{2}", "a"], "there is no node /local/domain/0/a, neither at"],
    [["@{1}", "@{2}", "/a/"], '"/a/" is no path of a node: it ends with a slash; write /a'],
    [["@{1}", "@{9}"], "there is no commit @{9}"],
  ])("%j is a bad command line (code 2)", async (words, message) => {
    const { code, out, err } = await runOnRepository(repository, ["diff", "--repo", repository, ...words]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(message);
  });
});
