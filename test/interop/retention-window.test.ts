/**
 * Between the end of a compaction and the removal of the packs that it replaced, Git sees old and new packs side by side.
 *
 * Whatever Git is told to do in that time, what is needed when the old packs go is still there afterwards.
 */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Maintenance } from "../../daemon/history/recorder/maintenance.js";
import type { CompactionAnswer } from "../../daemon/history/recorder/retention.js";
import type { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import { packDirectory } from "../../daemon/history/repository/pack-file.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import { emptyRoot } from "../../daemon/store/root.js";
import { propertyParameters } from "../support/seed.js";
import { temporaryDirectory, withTemporaryDirectory } from "../support/temporary-directory.js";
import {
  historyOfEdits,
  openRecorder,
  recordAll,
  type History,
} from "../unit/daemon/history/recorder/retention-support.js";
import { fsckComplaints, git, gitBytes, hasObject } from "../unit/daemon/history/repository/repository-support.js";

const DELAY_MILLISECONDS = 10_000;

/** Values that come again, so that objects of old commits are made anew by later ones. */
function recurringHistory(length: number): History {
  const { node } = emptyRoot();
  return historyOfEdits(
    Array.from({ length }, (_, index) => ({
      kind: "set",
      names: ["domain", String(index % 3), `n${String(index % 5)}`],
      value: `value ${String((index * 7) % 97)}`.repeat(9),
      perms: node.perms,
    })),
  );
}

interface World {
  readonly directory: string;
  readonly maintenance: Maintenance;
  readonly failures: string[];
  readonly record: (count: number) => void;
  /** All that is due without waiting. */
  readonly work: () => void;
  /** Lets the time pass until nothing is left to do. */
  readonly settle: () => void;
  readonly compact: (revision: string) => CompactionAnswer | undefined;
}

function world(directory: string, history: History, packCommits: number): World {
  createRepository(nodeFileSystem, directory);
  const recorder: HistoryRecorder = openRecorder(nodeFileSystem, directory);
  let now = 0;
  const failures: string[] = [];
  const maintenance = new Maintenance({
    fileSystem: nodeFileSystem,
    repositoryDirectory: directory,
    monotonicMilliseconds: () => now,
    retirementMillisecondsMin: DELAY_MILLISECONDS,
    retirementMilliseconds: DELAY_MILLISECONDS,
    isInUse: () => false,
    onFailure: (reason) => failures.push(reason),
    retention: {
      branch: MAIN_REF,
      limits: { keepCommits: undefined, keepSeconds: undefined },
      onDropped: () => undefined,
    },
  });
  const work = (): void => {
    while (maintenance.isDue) maintenance.step();
  };
  const settle = (): void => {
    let rounds = 0;
    for (let due = maintenance.millisecondsUntilDue(); due !== undefined; due = maintenance.millisecondsUntilDue()) {
      expect(++rounds).toBeLessThan(10_000);
      now += due;
      maintenance.step();
    }
  };
  const record = (count: number): void => {
    const from = recorder.recordedSeq;
    for (const pack of recordAll(recorder, history.commits.slice(from, from + count), packCommits)) {
      maintenance.noteSeal(pack);
    }
  };
  const compact = (revision: string): CompactionAnswer | undefined => {
    const answers: CompactionAnswer[] = [];
    maintenance.compact(revision, (answer) => answers.push(answer));
    work();
    return answers[0];
  };
  return { directory, maintenance, failures, record, work, settle, compact };
}

function packNames(directory: string): string[] {
  return nodeFileSystem.list(packDirectory(directory)).filter((name) => name.endsWith(".pack"));
}

function oidsOfPack(directory: string, pack: string): string[] {
  const index = nodeFileSystem.readFile(join(packDirectory(directory), pack.replace(/pack$/, "idx")));
  return git(directory, ["show-index"], index)
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "");
}

/** The branch is whole from its beginning on, and so is whatever else Git finds. */
function checkWhole({ directory }: World, oldest: number, newest: number): void {
  expect(fsckComplaints(directory)).toBe("");
  expect(git(directory, ["rev-list", "--count", "main"])).toBe(String(newest - oldest + 1));
  git(directory, ["rev-list", "--objects", "--all", "--quiet"]);
  const clone = join(temporaryDirectory(), "clone.git");
  git(directory, ["clone", "-q", "--bare", `file://${directory}`, clone]);
  expect(fsckComplaints(clone)).toBe("");
}

describe("while replaced packs are still there", () => {
  it("an object that the recorder made anew survives a repack that leaves it out because an old pack has it", () => {
    const directory = join(temporaryDirectory(), "store.git");
    const history = recurringHistory(300);
    const scene = world(directory, history, 250);
    scene.record(250);
    const [old] = packNames(directory) as [string];
    scene.work();
    expect(scene.compact("@{245}")).toEqual({ refusal: undefined });
    expect(packNames(directory)).toContain(old);
    const before = new Set(packNames(directory));
    // Two, or there would be nothing to put together.
    scene.record(20);
    scene.record(20);
    const sealed = packNames(directory).filter((name) => !before.has(name));
    const inOld = new Set(oidsOfPack(directory, old));
    const again = sealed.flatMap((name) => oidsOfPack(directory, name)).filter((oid) => inOld.has(oid));
    git(directory, ["repack", "-q", "-d", "--geometric=2"]);
    const others = packNames(directory).filter((name) => name !== old);
    const elsewhere = new Set(others.flatMap((name) => oidsOfPack(directory, name)));
    // Else the scene does not show what it is about.
    expect(again.filter((oid) => !elsewhere.has(oid))).not.toEqual([]);
    scene.settle();
    expect(scene.failures).toEqual([expect.stringMatching(/cannot be removed yet: pack-[0-9a-f]{40} is gone/)]);
    expect(existsSync(join(packDirectory(directory), old))).toBe(false);
    checkWhole(scene, 245, 290);
  });

  it("a tag, a branch or a work tree on a commit that was dropped keeps what it needs", () => {
    for (const [args, name] of [
      [["tag", "late"], "refs/tags/late"],
      [["tag", "-a", "-m", "x", "late"], "refs/tags/late"],
      [["update-ref", "refs/heads/late"], "refs/heads/late"],
      [["worktree", "add", "-q", "--detach", "../tree"], "worktrees/tree/"],
    ] as const) {
      const directory = join(temporaryDirectory(), "store.git");
      const scene = world(directory, recurringHistory(120), 50);
      scene.record(120);
      const dropped = git(directory, ["rev-parse", "main~70"]);
      scene.work();
      expect(scene.compact("@{100}")).toEqual({ refusal: undefined });
      git(directory, [...args, dropped]);
      scene.settle();
      expect(scene.failures).toEqual([expect.stringContaining(name)]);
      git(directory, ["ls-tree", "-r", dropped]);
      checkWhole(scene, 100, 120);
      expect(scene.compact("@{110}")).toEqual({ refusal: undefined });
      scene.settle();
      git(directory, ["ls-tree", "-r", dropped]);
      checkWhole(scene, 110, 120);
      expect(existsSync(`${directory}/xenstore-tng/compaction`)).toBe(false);
    }
  });

  it("a tag on a recent commit does not keep the old packs", () => {
    const directory = join(temporaryDirectory(), "store.git");
    const scene = world(directory, recurringHistory(120), 50);
    scene.record(110);
    scene.work();
    expect(scene.compact("@{100}")).toEqual({ refusal: undefined });
    scene.record(10);
    git(directory, ["tag", "light", "main"]);
    git(directory, ["tag", "-a", "-m", "x", "heavy", "main~15"]);
    git(directory, ["worktree", "add", "-q", "--detach", "../tree", "main~3"]);
    scene.settle();
    expect(scene.failures).toEqual([]);
    expect(existsSync(`${directory}/xenstore-tng/compaction`)).toBe(false);
    checkWhole(scene, 100, 120);
  });

  it("what Git copied of the old packs into its own goes too", () => {
    for (const args of [
      ["repack", "-q", "-d", "--geometric=100"],
      ["gc", "-q", "--cruft"],
    ]) {
      const directory = join(temporaryDirectory(), "store.git");
      const scene = world(directory, recurringHistory(300), 60);
      scene.record(300);
      scene.work();
      expect(scene.compact("@{290}")).toEqual({ refusal: undefined });
      git(directory, args);
      scene.settle();
      const needed = git(directory, ["rev-list", "--objects", "--all", "--no-object-names"]).split("\n").length;
      const there = git(directory, ["cat-file", "--batch-all-objects", "--batch-check", "--unordered"]).split(
        "\n",
      ).length;
      expect(there).toBeLessThan(needed * 1.2);
      checkWhole(scene, 290, 300);
    }
  });

  it("what a work tree has staged stays, before and in that time", () => {
    const directory = join(temporaryDirectory(), "store.git");
    const scene = world(directory, recurringHistory(200), 60);
    scene.record(200);
    const tree = join(directory, "../tree");
    git(directory, ["worktree", "add", "-q", "--detach", tree, "main"]);
    const old = git(directory, ["rev-parse", "main~150:domain/0/n0"]);
    const older = git(directory, ["rev-parse", "main~160:domain/1/n1"]);
    const stage = (oid: string, name: string): string =>
      git(tree, ["update-index", "--add", "--cacheinfo", `100644,${oid},${name}`]);
    stage(old, "before");
    scene.work();
    expect(scene.compact("@{190}")).toEqual({ refusal: undefined });
    stage(older, "meanwhile");
    scene.settle();
    git(tree, ["commit", "-q", "-m", "x"]);
    checkWhole(scene, 190, 200);
  });

  it("a branch on a commit that has lost its tree is named, and hinders nothing", () => {
    const directory = join(temporaryDirectory(), "store.git");
    const scene = world(directory, recurringHistory(200), 60);
    scene.record(200);
    scene.work();
    const dropped = git(directory, ["rev-parse", "main~50"]);
    const raw = gitBytes(directory, ["cat-file", "commit", dropped]);
    expect(scene.compact("@{190}")).toEqual({ refusal: undefined });
    scene.settle();
    git(directory, ["hash-object", "-w", "-t", "commit", "--stdin"], raw);
    git(directory, ["update-ref", "--no-deref", "refs/heads/hollow", dropped]);
    expect(scene.compact("@{195}")).toEqual({ refusal: undefined });
    scene.settle();
    expect(scene.failures).toEqual([
      expect.stringMatching(/refs\/heads\/hollow needs [0-9a-f]{40}, which is not there/),
    ]);
    git(directory, ["update-ref", "-d", "refs/heads/hollow"]);
    checkWhole(scene, 195, 200);
  });

  it("of a branch that has lost an object, what is there is kept", () => {
    const directory = join(temporaryDirectory(), "store.git");
    const scene = world(directory, recurringHistory(200), 60);
    scene.record(200);
    let tip = git(directory, ["rev-parse", "main~100"]);
    const commits: string[] = [];
    let lost = "";
    for (const content of ["one", "two", "three"]) {
      lost = git(directory, ["hash-object", "-w", "--stdin"], content);
      const tree = git(directory, ["mktree"], `100644 blob ${lost}\tmine\n`);
      tip = git(directory, ["commit-tree", tree, "-m", content, "-p", tip]);
      commits.push(tip);
      if (content === "two") {
        git(directory, ["update-ref", "refs/heads/work", tip]);
        git(directory, ["repack", "-q", "-d"]);
      }
    }
    git(directory, ["update-ref", "refs/heads/work", tip]);
    rmSync(`${directory}/objects/${lost.slice(0, 2)}/${lost.slice(2)}`);
    scene.work();
    expect(scene.compact("@{100}")).toEqual({ refusal: undefined });
    scene.settle();
    expect(scene.failures).toEqual([expect.stringContaining(`refs/heads/work needs ${lost}`)]);
    for (const commit of commits.slice(0, 2)) git(directory, ["show", `${commit}:mine`]);
    expect(git(directory, ["rev-list", "--count", "main..work"])).toBe("3");
    git(directory, ["hash-object", "-w", "--stdin"], "three");
    checkWhole(scene, 100, 200);
  });

  it("trees that the index of a work tree remembers do not break git gc", () => {
    const directory = join(temporaryDirectory(), "store.git");
    const scene = world(directory, recurringHistory(200), 60);
    scene.record(200);
    const tree = join(directory, "../tree");
    git(directory, ["worktree", "add", "-q", "--detach", tree, "main"]);
    git(tree, ["read-tree", "main~70"]);
    scene.work();
    expect(scene.compact("@{190}")).toEqual({ refusal: undefined });
    scene.settle();
    expect(scene.failures).toEqual([]);
    git(directory, ["gc", "-q"]);
    checkWhole(scene, 190, 200);
  });

  it("somebody's own branch that moves all the time does not keep the old packs", () => {
    const directory = join(temporaryDirectory(), "store.git");
    const scene = world(directory, recurringHistory(200), 60);
    scene.record(200);
    git(directory, ["notes", "--ref", "ci", "add", "-m", "first", "main"]);
    scene.work();
    expect(scene.compact("@{190}")).toEqual({ refusal: undefined });
    git(directory, ["notes", "--ref", "ci", "add", "-m", "second", "main~3"]);
    scene.settle();
    expect(scene.failures).toEqual([]);
    expect(existsSync(`${directory}/xenstore-tng/compaction`)).toBe(false);
    checkWhole(scene, 190, 200);
  });

  it("whatever Git does in that time, nothing is missing afterwards, and the next compaction goes on", async () => {
    const deeds = {
      geometric: (directory: string) => git(directory, ["repack", "-q", "-d", "--geometric=2"]),
      incremental: (directory: string) => git(directory, ["repack", "-q", "-d"]),
      gc: (directory: string) => git(directory, ["gc", "-q", "--prune=now"]),
      prunePacked: (directory: string) => git(directory, ["prune-packed", "-q"]),
      tag: (directory: string, at: string, round: number) => git(directory, ["tag", `t${String(round)}`, at]),
      annotated: (directory: string, at: string, round: number) =>
        git(directory, ["tag", "-a", "-m", "x", `a${String(round)}`, at]),
      branch: (directory: string, at: string, round: number) => {
        const tree = git(directory, ["rev-parse", `${at}^{tree}`]);
        const commit = git(directory, ["commit-tree", tree, "-m", "x", "-p", "main"]);
        return git(directory, ["update-ref", `refs/heads/b${String(round)}`, commit]);
      },
      worktree: (directory: string, at: string, round: number) =>
        git(directory, ["worktree", "add", "-q", "--detach", `../w${String(round)}`, at]),
    } as const;
    const deed = fc.record({
      what: fc.constantFrom(...(Object.keys(deeds) as (keyof typeof deeds)[])),
      at: fc.nat(199),
      recorded: fc.nat(6),
    });
    const plan = fc.record({
      packCommits: fc.integer({ min: 5, max: 80 }),
      boundary: fc.integer({ min: 2, max: 100 }),
      deeds: fc.array(deed, { minLength: 1, maxLength: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ packCommits, boundary, deeds: chosen }) => {
        await withTemporaryDirectory((base) => {
          const directory = join(base, "store.git");
          const scene = world(directory, recurringHistory(200), packCommits);
          scene.record(100);
          const oids = git(directory, ["rev-list", "--reverse", "main"]).split("\n");
          scene.work();
          expect(scene.compact(`@{${String(boundary)}}`)).toEqual({ refusal: undefined });
          let newest = 100;
          for (const [round, { what, at, recorded }] of chosen.entries()) {
            scene.record(recorded);
            newest += recorded;
            const oid = oids[at % oids.length] as string;
            // What Git itself has pruned cannot be named any more.
            if (hasObject(directory, oid)) deeds[what](directory, oid, round);
            scene.work();
          }
          scene.settle();
          checkWhole(scene, boundary, newest);
          rmSync(`${directory}/worktrees`, { recursive: true, force: true });
          const branches = git(directory, ["for-each-ref", "--format=%(refname)", "refs/heads/b*"]).split("\n");
          for (const branch of branches) if (branch !== "") git(directory, ["update-ref", "-d", branch]);
          const last = Math.max(boundary, newest - 1);
          expect(scene.compact(`@{${String(last)}}`)).toEqual({ refusal: undefined });
          scene.settle();
          checkWhole(scene, last, newest);
          expect(existsSync(`${directory}/xenstore-tng/compaction`)).toBe(false);
        });
      }),
      propertyParameters(8),
    );
  });
});
