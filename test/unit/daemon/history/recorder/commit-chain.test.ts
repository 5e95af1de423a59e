import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Seq } from "../../../../../protocol/identifiers.js";
import { hexFromOid, oidFromHex, type Oid } from "../../../../../daemon/history/object/oid.js";
import { BrokenChainError, CommitChain, walkChain } from "../../../../../daemon/history/recorder/commit-chain.js";
import { DamagedObjectError, MissingObjectError } from "../../../../../daemon/history/repository/errors.js";
import { createRepository, MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../../../../daemon/history/repository/object-reader.js";
import { RefStore } from "../../../../../daemon/history/repository/ref-store.js";
import { NOT_SHALLOW, type Shallow } from "../../../../../daemon/history/repository/shallow.js";
import { nodeFileSystem } from "../../../../../daemon/platform/node-file-system.js";
import { temporaryDirectory } from "../../../../support/temporary-directory.js";
import { git } from "../repository/repository-support.js";
import { finish, historyOfValues, openRecorder, recordAll } from "./retention-support.js";

function repository(commits: number): string {
  const directory = `${temporaryDirectory()}/store.git`;
  createRepository(nodeFileSystem, directory);
  recordAll(openRecorder(nodeFileSystem, directory), historyOfValues(commits).commits, 500);
  return directory;
}

/** Removes the repository's one pack; returns its content. */
function takeOnlyPack(directory: string): Uint8Array {
  const names = nodeFileSystem.list(`${directory}/objects/pack`);
  const [pack] = names.filter((name) => name.endsWith(".pack")) as [string];
  const content = nodeFileSystem.readFile(`${directory}/objects/pack/${pack}`);
  for (const name of names) nodeFileSystem.remove(`${directory}/objects/pack/${name}`);
  return content;
}

function walk(directory: string, shallow: Shallow = NOT_SHALLOW): CommitChain {
  const reader = new ObjectReader(nodeFileSystem, directory);
  try {
    return finish(walkChain(reader, new RefStore(nodeFileSystem, directory).read(MAIN_REF) as Oid, shallow));
  } finally {
    reader.close();
  }
}

describe("walkChain", () => {
  test("finds what git rev-list finds, each commit at its seq, and stops where shallow says", () => {
    const directory = repository(1500);
    const listed = git(directory, ["rev-list", "--reverse", "main"]).split("\n");
    const chain = walk(directory);
    expect([chain.oldest, chain.tip]).toEqual([1, 1500]);
    expect(listed.map((_, index) => hexFromOid(chain.oidAt((index + 1) as Seq)))).toEqual(listed);
    const cut = walk(directory, new Set([oidFromHex(listed[1399] as string)]));
    expect([cut.oldest, cut.tip, hexFromOid(cut.oidAt(1400 as Seq))]).toEqual([1400, 1500, listed[1399]]);
    expect([cut.has(1399), cut.has(1400), cut.has(1500), cut.has(1501), cut.has(1400.5)]).toEqual([
      false,
      true,
      true,
      false,
      false,
    ]);
    expect(() => cut.oidAt(1399 as Seq)).toThrow(RangeError);
  });

  test("ends before a commit that is damaged or missing, and says why; the tip itself must be there", () => {
    const directory = repository(30);
    const listed = git(directory, ["rev-list", "--reverse", "main"]).split("\n");
    git(directory, ["unpack-objects", "-q"], takeOnlyPack(directory));
    const loose = (seq: number): string => {
      const hex = listed[seq - 1] as string;
      return `${directory}/objects/${hex.slice(0, 2)}/${hex.slice(2)}`;
    };
    chmodSync(loose(20), 0o644);
    writeFileSync(loose(20), "damage");
    const damaged = walk(directory);
    expect([damaged.oldest, damaged.tip]).toEqual([21, 30]);
    expect(damaged.damage).toBeInstanceOf(DamagedObjectError);
    rmSync(loose(25));
    expect(walk(directory)).toMatchObject({ oldest: 26, damage: expect.any(MissingObjectError) as unknown });
    rmSync(loose(30));
    expect(() => walk(directory)).toThrow(MissingObjectError);
  });

  test("pauses often", () => {
    const directory = repository(1500);
    const reader = new ObjectReader(nodeFileSystem, directory);
    const steps = walkChain(reader, new RefStore(nodeFileSystem, directory).read(MAIN_REF) as Oid, NOT_SHALLOW);
    let pauses = 0;
    while (steps.next().done !== true) pauses++;
    expect(pauses).toBeGreaterThan(20);
    reader.close();
  });

  test("refuses a branch on which somebody else has commits, so that no seq names a wrong one", () => {
    const directory = repository(10);
    const insert = (message: string): void => {
      const tree = git(directory, ["rev-parse", "main^{tree}"]);
      git(directory, [
        "update-ref",
        "refs/heads/main",
        git(directory, ["commit-tree", tree, "-p", "main", "-m", message]),
      ]);
    };
    insert("no trailers");
    expect(() => walk(directory)).toThrow(BrokenChainError);
    insert("a gap\n\nSeq: 13");
    expect(() => walk(directory)).toThrow("should have the trailer Seq: 2 and has 1");
  });
});

describe("CommitChain.withPrefix", () => {
  test("finds one, none, or two of the commits that begin with some digits, even or odd in number", () => {
    const oids = ["aa10", "aa1f", "ab00", "ac00"].map((digits) => oidFromHex(digits.padEnd(40, "0")));
    const chain = new CommitChain(9 as Seq, Buffer.from(oids.join(""), "latin1"));
    const find = (digits: string): Seq[] => finish(chain.withPrefix(digits));
    expect([find("aa1"), find("aa1f"), find("ab0"), find("a"), find("b"), find("ac000")]).toEqual([
      [9, 8],
      [8],
      [7],
      [9, 8],
      [],
      [6],
    ]);
  });
});
