import { describe, expect, test } from "vitest";
import { hashObject, oidFromHex } from "../../../../../daemon/history/object/oid.js";
import { createRepository } from "../../../../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../../../../daemon/history/repository/object-reader.js";
import { NotACommitError, readCommit } from "../../../../../daemon/history/repository/walk.js";
import { nodeFileSystem } from "../../../../../daemon/platform/node-file-system.js";
import { temporaryDirectory } from "../../../../support/temporary-directory.js";
import { git } from "./repository-support.js";

describe("readCommit", () => {
  test("gives tree and parents as git wrote them, in order", () => {
    const directory = `${temporaryDirectory()}/store.git`;
    createRepository(nodeFileSystem, directory);
    const tree = git(directory, ["hash-object", "-w", "-t", "tree", "--stdin"]);
    const first = git(directory, ["commit-tree", tree, "-m", "first"]);
    const second = git(directory, ["commit-tree", tree, "-m", "second", "-p", first]);
    const merge = git(directory, ["commit-tree", tree, "-m", "merge", "-p", second, "-p", first]);
    const reader = new ObjectReader(nodeFileSystem, directory);
    expect(readCommit(reader, oidFromHex(first))).toMatchObject({
      tree: oidFromHex(tree),
      parents: [],
      subject: "first",
    });
    expect(readCommit(reader, oidFromHex(merge)).parents).toEqual([oidFromHex(second), oidFromHex(first)]);
    expect(() => readCommit(reader, oidFromHex(tree))).toThrow(NotACommitError);
    expect(() => readCommit(reader, oidFromHex(tree))).toThrow("it is a tree");
    reader.close();
  });

  test("refuses a commit object without a commit's header", () => {
    const directory = `${temporaryDirectory()}/store.git`;
    createRepository(nodeFileSystem, directory);
    git(directory, ["hash-object", "-w", "-t", "commit", "--literally", "--stdin"], "nothing\n");
    const reader = new ObjectReader(nodeFileSystem, directory);
    expect(() => readCommit(reader, hashObject("commit", "nothing\n"))).toThrow(NotACommitError);
    reader.close();
  });
});
