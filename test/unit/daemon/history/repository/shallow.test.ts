import { describe, expect, test } from "vitest";
import { hashObject, hexFromOid, oidFromHex, type Oid } from "../../../../../daemon/history/object/oid.js";
import {
  DamagedShallowError,
  ShallowLockedError,
  ShallowMovedError,
} from "../../../../../daemon/history/repository/errors.js";
import { createRepository } from "../../../../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../../../../daemon/history/repository/object-reader.js";
import {
  NOT_SHALLOW,
  readShallow,
  removeStaleShallowLock,
  sameCommits,
  updateShallow,
} from "../../../../../daemon/history/repository/shallow.js";
import { readCommit } from "../../../../../daemon/history/repository/walk.js";
import { nodeFileSystem } from "../../../../../daemon/platform/node-file-system.js";
import { createFaultyFileSystem, type FileSystemCall } from "../../../../support/faulty-file-system.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../../../../support/memory-file-system.js";
import { temporaryDirectory } from "../../../../support/temporary-directory.js";
import { fsckComplaints, git } from "./repository-support.js";

const REPOSITORY = "/store.git";
const [A, B, C] = ["a", "b", "c"].map((text) => hashObject("blob", text)) as [Oid, Oid, Oid];

function disk(): MemoryFileSystem {
  const memory = createMemoryFileSystem();
  memory.makeDirectory(REPOSITORY);
  memory.syncDirectory("/");
  return memory;
}

function write(memory: MemoryFileSystem, content: string): void {
  const file = memory.open(`${REPOSITORY}/shallow`, "create");
  file.write(Buffer.from(content), 0);
  file.close();
}

describe("readShallow", () => {
  test("is empty without a file and with an empty one, and reads a list with and without its last newline", () => {
    expect(readShallow(disk(), REPOSITORY)).toBe(NOT_SHALLOW);
    const empty = disk();
    write(empty, "");
    expect(readShallow(empty, REPOSITORY).size).toBe(0);
    for (const end of ["\n", ""]) {
      const memory = disk();
      write(memory, `${hexFromOid(A)}\n${hexFromOid(B)}${end}`);
      expect([...readShallow(memory, REPOSITORY)]).toEqual([A, B]);
    }
  });

  test("names the file and the line of what is no object id", () => {
    for (const bad of ["xyz", hexFromOid(B).toUpperCase(), "", `${hexFromOid(B)} `]) {
      const memory = disk();
      write(memory, `${hexFromOid(A)}\n${bad}\n${hexFromOid(C)}\n`);
      expect(() => readShallow(memory, REPOSITORY)).toThrow(DamagedShallowError);
      expect(() => readShallow(memory, REPOSITORY)).toThrow("/store.git/shallow, line 2");
    }
  });
});

describe("updateShallow", () => {
  test("replaces the list when it is the expected one, and changes nothing when it is not", () => {
    const memory = disk();
    updateShallow(memory, REPOSITORY, { expected: NOT_SHALLOW, to: new Set([B, A]) });
    expect(sameCommits(readShallow(memory, REPOSITORY), new Set([A, B]))).toBe(true);
    for (const expected of [NOT_SHALLOW, new Set([A]), new Set([A, C])]) {
      expect(() => {
        updateShallow(memory, REPOSITORY, { expected, to: new Set([C]) });
      }).toThrow(ShallowMovedError);
    }
    expect(readShallow(memory, REPOSITORY).size).toBe(2);
    updateShallow(memory, REPOSITORY, { expected: new Set([A, B]), to: new Set([C]) });
    expect([...readShallow(memory, REPOSITORY)]).toEqual([C]);
    expect(memory.list(REPOSITORY)).toEqual(["shallow"]);
    expect(() => {
      updateShallow(memory, REPOSITORY, { expected: new Set([C]), to: NOT_SHALLOW });
    }).toThrow(RangeError);
  });

  test("somebody else's lock is respected, and removed at start only", () => {
    const memory = disk();
    memory.open(`${REPOSITORY}/shallow.lock`, "create").close();
    expect(() => {
      updateShallow(memory, REPOSITORY, { expected: NOT_SHALLOW, to: new Set([A]) });
    }).toThrow(ShallowLockedError);
    expect(memory.list(REPOSITORY)).toEqual(["shallow.lock"]);
    expect([removeStaleShallowLock(memory, REPOSITORY), removeStaleShallowLock(memory, REPOSITORY)]).toEqual([
      true,
      false,
    ]);
  });

  test("whatever call fails, the old list or the new one is there and no lock; after a power cut too (shallow invariants 1 and 3)", () => {
    for (const call of ["open", "write", "sync", "close", "rename", "syncDirectory"] satisfies FileSystemCall[]) {
      const memory = disk();
      updateShallow(memory, REPOSITORY, { expected: NOT_SHALLOW, to: new Set([A]) });
      const faulty = createFaultyFileSystem(memory);
      faulty.inject({ call, nth: 1, error: "EIO" });
      expect(() => {
        updateShallow(faulty, REPOSITORY, { expected: new Set([A]), to: new Set([B, C]) });
      }).toThrow("EIO");
      const isReplaced = call === "syncDirectory";
      expect([...readShallow(memory, REPOSITORY)].length).toBe(isReplaced ? 2 : 1);
      expect(memory.list(REPOSITORY)).toEqual(["shallow"]);
      memory.crash("everything");
      expect([...readShallow(memory, REPOSITORY)]).toEqual([A]);
    }
    const memory = disk();
    updateShallow(memory, REPOSITORY, { expected: NOT_SHALLOW, to: new Set([A]) });
    memory.crash("everything");
    expect([...readShallow(memory, REPOSITORY)]).toEqual([A]);
  });
});

describe("readCommit in a shallow repository", () => {
  test("gives no parents for a listed commit, as git does, and the oids stay", () => {
    const directory = `${temporaryDirectory()}/store.git`;
    createRepository(nodeFileSystem, directory);
    const tree = git(directory, ["hash-object", "-w", "-t", "tree", "--stdin"]);
    const gone = "1".repeat(40);
    const text = `tree ${tree}\nparent ${gone}\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\nx\n`;
    const first = git(directory, ["hash-object", "-w", "-t", "commit", "--stdin"], text);
    const second = git(directory, ["commit-tree", tree, "-m", "second", "-p", first]);
    git(directory, ["update-ref", "refs/heads/main", second]);
    expect(fsckComplaints(directory)).toContain(gone);
    updateShallow(nodeFileSystem, directory, { expected: NOT_SHALLOW, to: new Set([oidFromHex(first)]) });
    const shallow = readShallow(nodeFileSystem, directory);
    const reader = new ObjectReader(nodeFileSystem, directory);
    expect(readCommit(reader, oidFromHex(first)).parents).toEqual([oidFromHex(gone)]);
    expect(readCommit(reader, oidFromHex(first), shallow).parents).toEqual([]);
    expect(readCommit(reader, oidFromHex(second), shallow).parents).toEqual([oidFromHex(first)]);
    reader.close();
    expect(git(directory, ["rev-list", "main"]).split("\n")).toEqual([second, first]);
    expect(fsckComplaints(directory)).toBe("");
  });
});
