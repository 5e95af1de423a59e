import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { hexFromOid } from "../../../../../daemon/history/object/oid.js";
import { indexedObjects } from "../../../../../daemon/history/repository/work-tree-index.js";
import { temporaryDirectory } from "../../../../support/temporary-directory.js";
import { git } from "./repository-support.js";

describe("indexedObjects", () => {
  it("finds what git ls-files finds, in each version, with names of any length and entries of other repositories", () => {
    const directory = temporaryDirectory();
    git(directory, ["init", "-q"]);
    for (let count = 0; count < 40; count++) {
      writeFileSync(`${directory}/${"n".repeat(1 + count * 5)}-${String(count)}`, `content ${String(count)}`);
    }
    git(directory, ["add", "."]);
    git(directory, ["update-index", "--add", "--cacheinfo", `160000,${"1".repeat(40)},submodule`]);
    const listed = git(directory, ["ls-files", "--stage"])
      .split("\n")
      .filter((line) => !line.startsWith("160000"))
      .map((line) => line.split(" ")[1]);
    expect(listed).toHaveLength(40);
    for (const version of [2, 3, 4]) {
      // Entries with further flags, which version 3 is for.
      if (version === 3) {
        writeFileSync(`${directory}/later`, "later");
        git(directory, ["add", "-N", "later"]);
      }
      git(directory, ["update-index", "--index-version", String(version)]);
      const content = readFileSync(`${directory}/.git/index`);
      expect(content.readUInt32BE(4)).toBe(version);
      const found = [...(indexedObjects(content)?.blobs ?? [])].map(hexFromOid);
      expect(found).toEqual(expect.arrayContaining(listed));
      expect(found.length).toBe(40 + (version === 2 ? 0 : 1));
      expect(found).not.toContain("1".repeat(40));
    }
  });

  it("finds the trees that the index remembers, and the directories of a sparse one", () => {
    const directory = temporaryDirectory();
    git(directory, ["init", "-q"]);
    for (const name of ["a/b/one", "a/two", "c/three", "four"]) {
      mkdirSync(dirname(`${directory}/${name}`), { recursive: true });
      writeFileSync(`${directory}/${name}`, name);
    }
    git(directory, ["add", "."]);
    git(directory, ["commit", "-q", "-m", "x"]);
    const treeOf = (path: string): string => git(directory, ["rev-parse", `HEAD:${path}`]);
    const trees = (): string[] =>
      [...(indexedObjects(readFileSync(`${directory}/.git/index`))?.trees ?? [])].map(hexFromOid).sort();
    expect(trees()).toEqual([treeOf(""), treeOf("a"), treeOf("a/b"), treeOf("c")].sort());
    // What is out of date is not remembered any more.
    writeFileSync(`${directory}/a/two`, "changed");
    git(directory, ["add", "a/two"]);
    expect(trees()).toEqual([treeOf("a/b"), treeOf("c")].sort());
    git(directory, ["reset", "-q", "--hard"]);
    git(directory, ["sparse-checkout", "set", "--cone", "--sparse-index", "c"]);
    expect(trees()).toContain(treeOf("a"));
    const blobs = indexedObjects(readFileSync(`${directory}/.git/index`))?.blobs ?? new Set();
    expect([...blobs].map(hexFromOid)).not.toContain(treeOf("a"));
  });

  it("says so when it is no index, or one that ends too early", () => {
    const directory = temporaryDirectory();
    git(directory, ["init", "-q"]);
    writeFileSync(`${directory}/file`, "content");
    git(directory, ["add", "."]);
    const content = readFileSync(`${directory}/.git/index`);
    for (let length = 0; length < 12 + 62 + 4; length++)
      expect(indexedObjects(content.subarray(0, length))).toBeUndefined();
    expect(indexedObjects(Buffer.from("something else, and long enough"))).toBeUndefined();
    expect(indexedObjects(content)?.blobs.size).toBe(1);
  });
});
