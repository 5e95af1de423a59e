/** Trees that are none of ours: each is refused, and says where and why. Inverse and canonical: `test/property/history-objects.test.ts`. */
import { describe, expect, it } from "vitest";
import type { Seq } from "../../../../../protocol/identifiers.js";
import { EMPTY_BLOB, hashObject, type Oid } from "../../../../../daemon/history/object/oid.js";
import type { GitObject } from "../../../../../daemon/history/object/pack-decode.js";
import { decodeRoot, ForeignTreeError } from "../../../../../daemon/history/object/root-decoder.js";
import { treeOidOf } from "../../../../../daemon/history/object/root-encoder.js";
import { serializeTree } from "../../../../../daemon/history/object/tree-object.js";
import { emptyRoot } from "../../../../../daemon/store/root.js";
import { sourceOf } from "../../../../support/object-source.js";

/** A tree as nested maps of contents; a map is a directory. */
type Spec = ReadonlyMap<string, string | Spec>;

const SPECIAL = "@introduceDomain n0\n@releaseDomain r0\n";

function spec(...entries: [string, string | Spec][]): Spec {
  return new Map(entries);
}

function top(...entries: [string, string | Spec][]): Spec {
  return spec([".perms", ". n0\n"], [".special", SPECIAL], ...entries);
}

function decode(tree: Spec): ReturnType<typeof decodeRoot> {
  const objects = new Map<Oid, GitObject>();
  const put = (type: "blob" | "tree", content: string): Oid => {
    const oid = hashObject(type, content);
    objects.set(oid, { type, data: Buffer.from(content, "latin1") });
    return oid;
  };
  const write = (directory: Spec): Oid => {
    const entries = [...directory].map(([name, content]) =>
      typeof content === "string" ? ([name, put("blob", content)] as const) : ([`${name}/`, write(content)] as const),
    );
    entries.sort(([left], [right]) => (left < right ? -1 : 1));
    return put(
      "tree",
      serializeTree(
        entries.map(([key]) => key),
        entries.map(([, oid]) => oid),
      ),
    );
  };
  return decodeRoot(
    sourceOf((oid) => objects.get(oid) as GitObject),
    write(tree),
    1 as Seq,
  );
}

describe("decodeRoot", () => {
  it("reads the empty root", () => {
    expect(treeOidOf(decode(top()))).toBe(treeOidOf(emptyRoot()));
  });

  it("gives equal values and equal subtrees one object in memory", () => {
    const subtree = spec([".perms", ". n5\n"], ["name", "a rather long value"]);
    const { node } = decode(top(["a", subtree], ["b", subtree]));
    expect(node.children[0]).toBe(node.children[1]);
  });

  it.each([
    ["no .perms", spec([".special", SPECIAL]), /\/: .*no \.perms/],
    ["no .special", spec([".perms", ". n0\n"]), /no \.special/],
    ["bad perms", top(["a", spec([".perms", "nonsense"], ["b", ""])]), /a\/\.perms is not a list of perms/],
    [
      "an exception for nobody",
      top(["a", spec([".perms", ". n0\nc n1\n"], ["b", ""])]),
      /at \/a: .*not a childless child/,
    ],
    ["an empty .value", top(["a", spec([".perms", ". n0\n"], [".value", ""], ["b", ""])]), /empty value has no file/],
    ["an empty directory", top(["a", spec([".perms", ". n0\n"])]), /at \/a: .*without children/],
    [
      "an unknown dot file",
      top(["a", spec([".perms", ". n0\n"], [".gitignore", "*"], ["b", ""])]),
      /"\.gitignore" is no file of ours/,
    ],
    [
      "a top file below",
      top(["a", spec([".perms", ". n0\n"], [".quotas", "nodes 1\n"], ["b", ""])]),
      /"\.quotas" is no file of ours/,
    ],
    ["a bad name", top(["a b", ""]), /"a b" cannot be the name of a node/],
    ["two entries of one name", top(["a", ""], ["a/", ""]), /two entries|cannot be the name|not a tree/],
    ["bad quotas", top([".quotas", "colour 1\n"]), /\.quotas is not a list of quotas/],
    ["a bad record", top([".domains", spec(["x", "gfn 1\nport 1\n"])]), /\.domains\/x is not the record of a domain/],
  ])("refuses a tree with %s", (_, tree, reason) => {
    expect(() => decode(tree)).toThrow(ForeignTreeError);
    expect(() => decode(tree)).toThrow(reason);
  });

  it("refuses a value that is a commit", () => {
    const perms = hashObject("blob", ". n0\n");
    const special = hashObject("blob", SPECIAL);
    const commit = hashObject("commit", "tree");
    const tree = serializeTree([".perms", ".special", "a"], [perms, special, commit]);
    const objects = new Map<Oid, GitObject>([
      [perms, { type: "blob", data: Buffer.from(". n0\n") }],
      [special, { type: "blob", data: Buffer.from(SPECIAL) }],
      [commit, { type: "commit", data: Buffer.from("tree") }],
      [hashObject("tree", tree), { type: "tree", data: Buffer.from(tree, "latin1") }],
    ]);
    const source = sourceOf((oid) => objects.get(oid) as GitObject);
    expect(() => decodeRoot(source, hashObject("tree", tree), 1 as Seq)).toThrow(/is a commit, not a blob/);
  });

  it("refuses a directory that contains itself, which a damaged disk can say", () => {
    const perms = hashObject("blob", ". n0\n");
    const top = hashObject("tree", "top");
    const data = Buffer.from(serializeTree([".perms", "a/"], [perms, top]), "latin1");
    const source = sourceOf((oid) =>
      oid === perms ? { type: "blob", data: Buffer.from(". n0\n") } : { type: "tree", data },
    );
    expect(() => decodeRoot(source, top, 1 as Seq)).toThrow("a/ contains itself");
  });

  it("reads nothing but the top of a tree that is none of ours", () => {
    let reads = 0;
    const data = Buffer.from(serializeTree(["README", "src/"], [EMPTY_BLOB, hashObject("tree", "src")]), "latin1");
    const source = sourceOf(() => {
      reads++;
      return { type: "tree", data };
    });
    expect(() => decodeRoot(source, hashObject("tree", "top"), 1 as Seq)).toThrow(/has no \.perms/);
    expect(reads).toBe(1);
  });

  it("refuses an object of another type", () => {
    const source = sourceOf(() => ({ type: "blob", data: Buffer.from("") }));
    expect(() => decodeRoot(source, EMPTY_BLOB, 1 as Seq)).toThrow(/is not a tree/);
  });
});
