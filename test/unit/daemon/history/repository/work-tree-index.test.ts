import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { hexFromOid } from "../../../../../daemon/history/object/oid.js";
import { indexedBlobs } from "../../../../../daemon/history/repository/work-tree-index.js";
import { temporaryDirectory } from "../../../../support/temporary-directory.js";
import { git } from "./repository-support.js";

describe("indexedBlobs", () => {
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
      const found = [...(indexedBlobs(content) ?? [])].map(hexFromOid);
      expect(found).toEqual(expect.arrayContaining(listed));
      expect(found.length).toBe(40 + (version === 2 ? 0 : 1));
      expect(found).not.toContain("1".repeat(40));
    }
  });

  it("says so when it is no index, or one that ends too early", () => {
    const directory = temporaryDirectory();
    git(directory, ["init", "-q"]);
    writeFileSync(`${directory}/file`, "content");
    git(directory, ["add", "."]);
    const content = readFileSync(`${directory}/.git/index`);
    for (let length = 0; length < 12 + 62 + 4; length++)
      expect(indexedBlobs(content.subarray(0, length))).toBeUndefined();
    expect(indexedBlobs(Buffer.from("something else, and long enough"))).toBeUndefined();
    expect(indexedBlobs(content)?.size).toBe(1);
  });
});
