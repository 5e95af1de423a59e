/** What Git does between a compaction and the removal of its old packs, as the guard sees it. */
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Seq } from "../../../../../protocol/identifiers.js";
import type { Oid } from "../../../../../daemon/history/object/oid.js";
import { runCompaction } from "../../../../../daemon/history/recorder/compaction.js";
import { RemovalGuard } from "../../../../../daemon/history/recorder/removal-guard.js";
import { createRepository, MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../../../../daemon/history/repository/object-reader.js";
import { nodeFileSystem } from "../../../../../daemon/platform/node-file-system.js";
import { emptyRoot } from "../../../../../daemon/store/root.js";
import { temporaryDirectory } from "../../../../support/temporary-directory.js";
import { git } from "../repository/repository-support.js";
import { finish, historyOfEdits, historyOfValues, openRecorder, recordAll, surround } from "./retention-support.js";

const NOTHING_STAGED = { blobs: new Set<Oid>(), trees: new Set<Oid>() };
const COMMITS = 80;
const BOUNDARY = 70;

interface Scene {
  readonly directory: string;
  readonly guard: RemovalGuard;
  /** A commit of the branch before anything was dropped, by its seq. */
  readonly at: (seq: number) => string;
  readonly objection: () => string | undefined;
  readonly retired: ReadonlySet<string>;
}

/** A history that has just been compacted; the old packs are still there. */
function compacted(prepare: (directory: string, at: (seq: number) => string) => void = () => undefined): Scene {
  const directory = `${temporaryDirectory()}/store.git`;
  createRepository(nodeFileSystem, directory);
  recordAll(openRecorder(nodeFileSystem, directory), historyOfValues(COMMITS).commits, 6);
  const oids = git(directory, ["rev-list", "--reverse", "main"]).split("\n");
  const at = (seq: number): string => oids[seq - 1] as string;
  prepare(directory, at);
  const { context, retired } = surround(nodeFileSystem, directory);
  finish(runCompaction(context, { kind: "revision", revision: `@{${String(BOUNDARY)}}` }));
  const { guard } = context;
  return { directory, guard, at, objection: () => guard.objection(), retired: retired.names() };
}

function packs(directory: string): string[] {
  return nodeFileSystem
    .list(`${directory}/objects/pack`)
    .filter((name) => name.endsWith(".idx"))
    .map((name) => name.slice("pack-".length, -".idx".length));
}

function removePack(directory: string, name: string): void {
  for (const ending of ["idx", "pack"]) rmSync(`${directory}/objects/pack/pack-${name}.${ending}`);
}

/** As `git commit-tree`; the new commit. */
function commitTree(directory: string, tree: string, parent: string, message = "x"): string {
  return git(directory, ["commit-tree", tree, "-m", message, "-p", parent]);
}

describe("RemovalGuard", () => {
  test("has no objection to what nobody has touched, and one when it knows nothing", () => {
    const { directory, objection } = compacted();
    expect(objection()).toBeUndefined();
    const reader = new ObjectReader(nodeFileSystem, directory);
    const repository = { fileSystem: nodeFileSystem, repositoryDirectory: directory, branch: MAIN_REF, reader };
    expect(new RemovalGuard(repository).objection()).toBeDefined();
  });

  test("objects when a pack is gone that stays, was made by the compaction, or was sealed or merged since (removal guard invariant 1)", () => {
    const staying = compacted();
    const [first] = packs(staying.directory).filter((name) => !staying.retired.has(name)) as [string];
    removePack(staying.directory, first);
    expect(staying.objection()).toContain(`pack-${first} is gone`);

    const { directory, guard, objection, retired } = compacted();
    for (const name of retired) removePack(directory, name);
    expect(objection()).toBeUndefined();
    const sealed = "a".repeat(40);
    guard.noteAdded(sealed);
    expect(objection()).toContain(`pack-${sealed} is gone`);
    const merged = "b".repeat(40);
    guard.noteMerged([sealed], merged);
    expect(objection()).toContain(`pack-${merged} is gone`);
    for (const ending of ["idx", "pack"]) writeFileSync(`${directory}/objects/pack/pack-${merged}.${ending}`, "");
    expect(objection()).toBeUndefined();
    guard.noteFiltered([merged], sealed);
    expect(objection()).toContain(`pack-${sealed} is gone`);
    guard.noteFiltered([sealed]);
    expect(objection()).toBeUndefined();
  });

  test("knows of packs that come between the beginning of an attempt and its first change; till then the old facts hold (removal guard invariant 2)", () => {
    const { guard, objection } = compacted();
    const [gone, sealed] = ["a".repeat(40), "b".repeat(40)];
    guard.prepare({ packs: [gone], refs: { tags: [], others: [], staged: NOTHING_STAGED } });
    expect(objection()).toBeUndefined();
    guard.noteAdded(sealed);
    expect(objection()).toContain(sealed);
    expect([guard.isAdded(sealed), guard.isAdded(gone)]).toEqual([true, false]);
    guard.adopt(BOUNDARY as Seq);
    expect(objection()).toContain(gone);
    guard.noteFiltered([gone]);
    expect(objection()).toContain(sealed);
  });

  test("lets refs come on kept commits, however they are made, and not on dropped ones", () => {
    const ways: ((directory: string, oid: string) => void)[] = [
      (directory, oid) => git(directory, ["tag", "t", oid]),
      (directory, oid) => git(directory, ["tag", "-a", "-m", "x", "t", oid]),
      (directory, oid) => git(directory, ["update-ref", "refs/heads/b", oid]),
      (directory, oid) => git(directory, ["worktree", "add", "-q", "--detach", "../w", oid]),
      (directory, oid) => git(directory, ["update-ref", "refs/notes/n", commitTree(directory, `${oid}^{tree}`, oid)]),
    ];
    for (const put of ways) {
      const kept = compacted();
      put(kept.directory, kept.at(BOUNDARY + 2));
      expect(kept.objection(), String(put)).toBeUndefined();
      const dropped = compacted();
      put(dropped.directory, dropped.at(BOUNDARY - 2));
      expect(dropped.objection(), String(put)).toMatch(/may need what was dropped$/);
    }
  });

  test("is not deceived by a commit that says it has a seq of the branch, nor by a kept commit on a dropped tree", () => {
    const { directory, at, objection } = compacted();
    const tree = `${at(BOUNDARY - 5)}^{tree}`;
    git(directory, ["tag", "fork", commitTree(directory, tree, "main", `x\n\nSeq: ${String(BOUNDARY + 3)}`)]);
    expect(objection()).toContain("refs/tags/fork");
    git(directory, ["tag", "-d", "fork"]);
    expect(objection()).toBeUndefined();
  });

  test("does not take a dropped commit for whole because its pack is left as it is", () => {
    const directory = `${temporaryDirectory()}/store.git`;
    createRepository(nodeFileSystem, directory);
    const { node } = emptyRoot();
    const { commits } = historyOfEdits(
      Array.from({ length: 80 }, (_, index) => ({
        kind: "set",
        names: ["key", String(index % 3)],
        value: `value ${String(index)}`,
        perms: node.perms,
      })),
    );
    const recorder = openRecorder(nodeFileSystem, directory);
    recordAll(recorder, commits.slice(0, 40), 40);
    // Of Git's own packs nothing is put into others.
    git(directory, ["repack", "-a", "-d", "-q"]);
    recordAll(recorder, commits.slice(40), 40);
    const { context, retired } = surround(nodeFileSystem, directory);
    const limits = { keepCommits: 37, keepSeconds: undefined };
    const threshold = { commitsMin: 1, partMin: 0 };
    const dropped = git(directory, ["rev-parse", "main~39"]);
    finish(runCompaction(context, { kind: "limits", limits, threshold }));
    // The second pack has the first commits that are dropped, and not all of their trees.
    expect([retired.names().size, packs(directory).length]).toEqual([1, 3]);
    expect(context.guard.objection()).toBeUndefined();
    git(directory, ["update-ref", "refs/heads/late", dropped]);
    expect(context.guard.objection()).toContain("refs/heads/late");
  });

  test("objects to a tag object that only an old pack has, though its commit is kept", () => {
    let tagObject = "";
    const { directory, objection } = compacted((repository, at) => {
      git(repository, ["tag", "-a", "-m", "x", "t", at(BOUNDARY + 1)]);
      tagObject = git(repository, ["rev-parse", "t"]);
      git(repository, ["repack", "-q", "-a", "-d"]);
      git(repository, ["tag", "-d", "t"]);
    });
    git(directory, ["update-ref", "refs/tags/t", tagObject]);
    expect(objection()).toContain("refs/tags/t");
  });

  test("objects when something comes back that refs need and that was not there", () => {
    for (const kind of ["tags", "heads"]) {
      let lost = "";
      const { directory, objection } = compacted((repository) => {
        const blob = git(repository, ["hash-object", "-w", "--stdin"], "lost for a while");
        const tree = git(repository, ["mktree"], `100644 blob ${blob}\tfile\n`);
        git(repository, ["update-ref", `refs/${kind}/torn`, commitTree(repository, tree, "main~5")]);
        lost = `${repository}/objects/${blob.slice(0, 2)}/${blob.slice(2)}`;
        renameSync(lost, `${repository}/aside`);
      });
      expect(objection()).toBeUndefined();
      renameSync(`${directory}/aside`, lost);
      expect(objection()).toContain("has come back");
    }
  });

  test("has no objection to a tag that has lost its commit, until that comes back", () => {
    let lost = "";
    const { directory, objection } = compacted((repository) => {
      const commit = commitTree(repository, "main^{tree}", "main~5");
      git(repository, ["tag", "-a", "-m", "x", "inner", commit]);
      git(repository, ["tag", "-a", "-m", "x", "outer", "inner"]);
      git(repository, ["update-ref", "-d", "refs/tags/inner"]);
      lost = `${repository}/objects/${commit.slice(0, 2)}/${commit.slice(2)}`;
      renameSync(lost, `${repository}/aside`);
    });
    expect(objection()).toBeUndefined();
    renameSync(`${directory}/aside`, lost);
    expect(objection()).toContain("has come back");
  });

  test("takes a ref that it cannot follow for one that may need what was dropped, and does not throw", () => {
    const { directory, objection } = compacted();
    const oid = git(directory, ["hash-object", "-w", "--stdin"], "soon damaged");
    git(directory, ["tag", "torn", oid]);
    const loose = `${directory}/objects/${oid.slice(0, 2)}/${oid.slice(2)}`;
    rmSync(loose);
    writeFileSync(loose, "no zlib stream");
    expect(objection()).toContain("refs/tags/torn");
  });

  test("objects to an index that names what was dropped, and not to one that names what is kept", () => {
    const { directory, at, objection } = compacted();
    git(directory, ["worktree", "add", "-q", "--detach", "../w", "main"]);
    expect(objection()).toBeUndefined();
    const old = git(directory, ["rev-parse", `${at(3)}:domain/2/n2`]);
    git(`${directory}/../w`, ["update-index", "--add", "--cacheinfo", `100644,${old},staged`]);
    expect(objection()).toContain("the index of a work tree names");
    git(`${directory}/../w`, ["reset", "-q", "--hard"]);
    expect(objection()).toBeUndefined();
    git(`${directory}/../w`, ["read-tree", `${at(3)}:domain`]);
    expect(objection()).toContain("the index of a work tree names");
  });
});
