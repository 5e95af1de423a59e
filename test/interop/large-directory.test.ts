/** A directory of megabytes: what its history takes, and that this project and real Git read every version of it. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hexFromOid, oidFromHex, type Oid } from "../../daemon/history/object/oid.js";
import { parseTree } from "../../daemon/history/object/tree-object.js";
import { treeOidOf } from "../../daemon/history/object/root-encoder.js";
import { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../daemon/history/repository/object-reader.js";
import { packDirectory } from "../../daemon/history/repository/pack-file.js";
import type { FileSystem } from "../../daemon/platform/file-system.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import { applyChanges } from "../../daemon/store/diff.js";
import { emptyRoot } from "../../daemon/store/root.js";
import { largeDirectoryCommits, type LargeDirectory } from "../support/large-directory.js";
import { createMemoryFileSystem } from "../support/memory-file-system.js";
import { mergePacks } from "../support/merge-packs.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { fsckComplaints, git } from "../unit/daemon/history/repository/repository-support.js";

interface Recorded {
  readonly packs: string[];
  /** The tree object of each commit. */
  readonly trees: Oid[];
  readonly bytesSealed: number;
}

/** Records commits, sealing after each so many and where a pack is full. */
function record(
  { fileSystem, repository }: { readonly fileSystem: FileSystem; readonly repository: string },
  directory: LargeDirectory,
  { commits, sealEvery }: { readonly commits: number; readonly sealEvery: number },
): Recorded {
  createRepository(fileSystem, repository);
  const place = { repositoryDirectory: repository, ref: MAIN_REF, hostName: "host" };
  const recorder = new HistoryRecorder({ fileSystem, ...place });
  const packs: string[] = [];
  const trees: Oid[] = [];
  let root = emptyRoot();
  for (const commit of largeDirectoryCommits(directory, commits)) {
    recorder.record(commit);
    trees.push(recorder.treeOid);
    root = applyChanges(root, commit.changes, commit.seq);
    if (recorder.isFull || commit.seq % sealEvery === 0 || commit.seq === commits) {
      const pack = recorder.seal();
      if (pack !== undefined) packs.push(pack);
    }
  }
  expect(trees.at(-1)).toBe(treeOidOf(root));
  recorder.close();
  return { packs, trees, bytesSealed: recorder.progress().bytesSealed };
}

/** Packs are merged in a hurry while the recorder lags. */
const WHILE_LAGGING = (): boolean => true;

/** Reads the directory of every commit with the oids verified, each with another reader's empty caches at times. */
function readEach(fileSystem: FileSystem, repository: string, trees: readonly Oid[]): void {
  const reader = new ObjectReader(fileSystem, repository, { verifyOids: true });
  for (const [index, tree] of trees.entries()) {
    if (index % 50 === 0) reader.close();
    const top = parseTree(reader.read(tree).data);
    const oid = top?.oids[top.keys.indexOf("large/")] as Oid;
    expect(reader.read(oid).data.length).toBeGreaterThan(1_000_000);
  }
  reader.close();
}

describe("the history of a directory of 6,000 names of 205 bytes", () => {
  const directory = { children: 6000, nameBytes: 205 };

  it("1,000 commits take less than 8 MB, one pack or many once merged, and each version is read back", () => {
    const fileSystem = createMemoryFileSystem();
    const one = record({ fileSystem, repository: "/one" }, directory, { commits: 1001, sealEvery: 1001 });
    expect(one.bytesSealed).toBeLessThan(8_000_000);
    readEach(fileSystem, "/one", one.trees);
    const many = record({ fileSystem, repository: "/many" }, directory, { commits: 201, sealEvery: 10 });
    expect(many.bytesSealed).toBeGreaterThan(20 * 1_300_000);
    const { packBytes } = mergePacks(fileSystem, "/many", { sources: many.packs, isHurried: WHILE_LAGGING });
    expect(packBytes).toBeLessThan(3_000_000);
    readEach(fileSystem, "/many", many.trees);
  }, 120_000);

  it("real Git reads every version, before a merge, after it and after its own gc", () => {
    const repository = join(temporaryDirectory(), "store.git");
    const { packs, trees } = record({ fileSystem: nodeFileSystem, repository }, directory, {
      commits: 121,
      sealEvery: 10,
    });
    const check = (): void => {
      expect(fsckComplaints(repository)).toBe("");
      expect(git(repository, ["log", "--format=%T", "--reverse", "main"]).split("\n")).toEqual(trees.map(hexFromOid));
    };
    check();
    const { name } = mergePacks(nodeFileSystem, repository, { sources: packs, isHurried: WHILE_LAGGING });
    check();
    const index = join(packDirectory(repository), `pack-${name}.idx`);
    const depths = [
      ...git(repository, ["verify-pack", "-v", index]).matchAll(/^[0-9a-f]{40} tree +.* ([0-9]+) [0-9a-f]{40}$/gm),
    ];
    expect(depths.length).toBeGreaterThan(120);
    expect(Math.max(...depths.map(([, depth]) => Number(depth)))).toBeLessThanOrEqual(36);
    const clone = join(temporaryDirectory(), "clone.git");
    git(repository, ["clone", "--quiet", "--bare", "--no-local", ".", clone]);
    expect(oidFromHex(git(clone, ["rev-parse", "main^{tree}"]))).toBe(trees.at(-1));
    git(repository, ["gc", "--quiet", "--prune=now"]);
    check();
    readEach(nodeFileSystem, repository, trees);
  }, 120_000);
});
