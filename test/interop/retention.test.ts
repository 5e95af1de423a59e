/**
 * Histories whose beginning was dropped, read by real Git.
 *
 * Whatever was dropped, tagged and repacked: what stays is whole, has its old ids, and can be cloned; what went is gone.
 */
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Seq } from "../../protocol/identifiers.js";
import { hexFromOid, oidFromHex, type Oid } from "../../daemon/history/object/oid.js";
import { decodeRoot } from "../../daemon/history/object/root-decoder.js";
import { runCompaction, type CompactionOutcome } from "../../daemon/history/recorder/compaction.js";
import { loadTip } from "../../daemon/history/recorder/load-tip.js";
import { createRepository } from "../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../daemon/history/repository/object-reader.js";
import { packDirectory } from "../../daemon/history/repository/pack-file.js";
import { readShallow } from "../../daemon/history/repository/shallow.js";
import { readCommit } from "../../daemon/history/repository/walk.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import { sameRoot } from "../../daemon/store/diff.js";
import type { Root } from "../../daemon/store/root.js";
import { arbitraryEdit } from "../property/history-generator.js";
import { propertyParameters } from "../support/seed.js";
import { temporaryDirectory, withTemporaryDirectory } from "../support/temporary-directory.js";
import {
  compactNow,
  historyOfEdits,
  historyOfValues,
  openRecorder,
  recordAll,
  surround,
  type History,
} from "../unit/daemon/history/recorder/retention-support.js";
import { fsckComplaints, git, hasObject } from "../unit/daemon/history/repository/repository-support.js";

/** Bytes of all packs and indexes; Git has bitmaps beside them. */
function bytesOnDisk(directory: string): number {
  let bytes = 0;
  for (const name of nodeFileSystem.list(packDirectory(directory))) {
    if (/\.(?:pack|idx)$/.test(name)) bytes += statSync(join(packDirectory(directory), name)).size;
  }
  return bytes;
}

interface Expected {
  readonly directory: string;
  readonly history: History;
  /** The ids that the commits had before anything was dropped; `oids[seq - 1]`. */
  readonly oids: readonly string[];
  readonly oldest: number;
  /** Tags and the seqs that they are on. */
  readonly tags: ReadonlyMap<string, number>;
}

/** Compares everything that is kept with the model, and what a clone of it holds. */
function checkKept({ directory, history, oids, oldest, tags }: Expected): void {
  expect(fsckComplaints(directory)).toBe("");
  expect(git(directory, ["rev-list", "main"]).split("\n")).toEqual(oids.slice(oldest - 1).reverse());
  const reader = new ObjectReader(nodeFileSystem, directory, { verifyOids: true });
  const shallow = readShallow(nodeFileSystem, directory);
  const kept = new Map(oids.slice(oldest - 1).map((hex, index) => [hex, oldest + index]));
  for (const seq of tags.values()) kept.set(oids[seq - 1] as string, seq);
  for (const [hex, seq] of kept) {
    const commit = readCommit(reader, oidFromHex(hex), shallow);
    expect(commit.trailers.seq).toBe(seq);
    expect(commit.parents.length).toBe(seq > oldest ? 1 : 0);
    const root = decodeRoot(reader, commit.tree, seq as Seq);
    expect(sameRoot(root, history.roots[seq] as Root)).toBe(true);
  }
  reader.close();
  for (const [name, seq] of tags) {
    expect(git(directory, ["rev-parse", `${name}^{commit}`])).toBe(oids[seq - 1]);
    git(directory, ["ls-tree", "-r", name]);
  }
}

function checkClones(expected: Expected): void {
  const { directory, oids, oldest, tags } = expected;
  const base = temporaryDirectory();
  for (const [name, options] of [
    ["bare", ["--bare"]],
    ["local", ["--bare", "--no-local"]],
    ["plain", ["--no-checkout"]],
  ] as const) {
    git(base, ["clone", "-q", ...options, `file://${directory}`, name]);
    const clone = join(base, name);
    expect(fsckComplaints(clone)).toBe("");
    expect(git(clone, ["rev-list", "main"]).split("\n")).toEqual(oids.slice(oldest - 1).reverse());
    for (const tag of tags.keys()) git(clone, ["ls-tree", "-r", tag]);
  }
}

/** Where the packs come from: ours as they were sealed, or a person's `git gc`. */
type Repack = "none" | "gc" | "adf";

function repack(directory: string, how: Repack): void {
  if (how === "gc") git(directory, ["gc", "-q"]);
  if (how === "adf") git(directory, ["repack", "-adfq", "--depth=50", "--window=10"]);
}

describe("a history whose beginning was dropped", () => {
  it("is whole behind the boundary and gone before it, for any history, boundary, tags and repacks", async () => {
    const how = fc.constantFrom<Repack>("none", "gc", "adf");
    const scene = fc.record({
      edits: fc.array(arbitraryEdit, { minLength: 2, maxLength: 40 }),
      packCommits: fc.integer({ min: 1, max: 12 }),
      boundary: fc.nat(39),
      tags: fc.array(fc.nat(39), { maxLength: 3 }),
      annotated: fc.boolean(),
      before: how,
      after: how,
    });
    await fc.assert(
      fc.asyncProperty(scene, async ({ edits, packCommits, boundary, tags, annotated, before, after }) => {
        await withTemporaryDirectory((base) => {
          const directory = `${base}/store.git`;
          createRepository(nodeFileSystem, directory);
          const history = historyOfEdits(edits);
          const recorder = openRecorder(nodeFileSystem, directory);
          recordAll(recorder, history.commits, packCommits);
          const oids = git(directory, ["rev-list", "--reverse", "main"]).split("\n");
          const onTags = new Map<string, number>();
          for (const [index, place] of tags.entries()) {
            const seq = (place % oids.length) + 1;
            const name = `t${String(index)}`;
            git(directory, ["tag", ...(annotated ? ["-a", "-m", "x"] : []), name, oids[seq - 1] as string]);
            onTags.set(name, seq);
          }
          const oldest = (boundary % oids.length) + 1;
          const objects = new Set(git(directory, ["rev-list", "--objects", "--all", "--no-object-names"]).split("\n"));
          repack(directory, before);
          git(directory, ["commit-graph", "write", "--reachable"]);
          const outcome = compactNow(nodeFileSystem, directory, {
            kind: "revision",
            revision: oids[oldest - 1] as string,
          });
          expect(outcome).toMatchObject({ kind: "done", oldest, commitsDropped: oldest - 1 });
          repack(directory, after);
          const expected = { directory, history, oids, oldest, tags: onTags };
          checkKept(expected);
          checkClones(expected);
          const reachable = new Set(
            git(directory, ["rev-list", "--objects", "--all", "--no-object-names"]).split("\n"),
          );
          for (const oid of objects) if (!reachable.has(oid)) expect(hasObject(directory, oid), oid).toBe(false);
          expect(nodeFileSystem.exists(`${directory}/xenstore-tng/compaction`)).toBe(false);
        });
      }),
      propertyParameters(6),
    );
  });

  it("frees most of the disk when nine tenths are dropped, from our packs and from Git's, and goes on growing", () => {
    for (const how of ["none", "gc", "adf"] satisfies Repack[]) {
      const directory = `${temporaryDirectory()}/store.git`;
      createRepository(nodeFileSystem, directory);
      const history = historyOfValues(600);
      recordAll(openRecorder(nodeFileSystem, directory), history.commits.slice(0, 500), 60);
      const oids = git(directory, ["rev-list", "--reverse", "main"]).split("\n");
      repack(directory, how);
      const before = bytesOnDisk(directory);
      const outcome = compactNow(nodeFileSystem, directory, { kind: "revision", revision: "@{451}" });
      const after = bytesOnDisk(directory);
      expect(after, how).toBeLessThan(before / 3);
      expect(outcome).toMatchObject({ kind: "done", oldest: 451, commitsDropped: 450, bytesBefore: before });
      expect((outcome as Extract<CompactionOutcome, { kind: "done" }>).bytesAfter).toBe(after);
      // A recorder that starts there goes on as if nothing had happened.
      const recorder = openRecorder(nodeFileSystem, directory);
      expect(recorder.recordedSeq).toBe(500);
      recordAll(recorder, history.commits.slice(500), 20);
      const all = [...oids, ...git(directory, ["rev-list", "--reverse", `${oids[499] as string}..main`]).split("\n")];
      checkKept({ directory, history, oids: all, oldest: 451, tags: new Map() });
      expect(loadTip(nodeFileSystem, directory)?.seq).toBe(600);
      expect(compactNow(nodeFileSystem, directory, { kind: "revision", revision: "@{600}" })).toMatchObject({
        kind: "done",
        commitsDropped: 149,
      });
      checkKept({ directory, history, oids: all, oldest: 600, tags: new Map() });
    }
  });

  it("survives git gc between any two of its steps, and commits that are recorded meanwhile", () => {
    const history = historyOfValues(120);
    for (let stepsBefore = 0, isDone = false; !isDone; stepsBefore += 3) {
      const directory = `${temporaryDirectory()}/store.git`;
      createRepository(nodeFileSystem, directory);
      const recorder = openRecorder(nodeFileSystem, directory);
      recordAll(recorder, history.commits.slice(0, 100), 30);
      const { context, removeRetired } = surround(nodeFileSystem, directory);
      const steps = runCompaction(context, { kind: "revision", revision: "@{60}" });
      let step = 0;
      let result = steps.next();
      for (; result.done !== true; result = steps.next()) {
        if (step++ !== stepsBefore) continue;
        recordAll(recorder, history.commits.slice(100), 7);
        git(directory, ["gc", "-q"]);
      }
      isDone = step <= stepsBefore;
      if (isDone) recordAll(recorder, history.commits.slice(100), 7);
      expect(result.value).toMatchObject({ kind: "done", oldest: 60 });
      removeRetired();
      const oids = git(directory, ["rev-list", "--reverse", "main"]).split("\n");
      expect(oids).toHaveLength(61);
      expect(fsckComplaints(directory)).toBe("");
      expect(hexFromOid(loadTip(nodeFileSystem, directory)?.oid as Oid)).toBe(oids.at(-1));
    }
  });

  it("a clone that is fetched into follows a boundary that moved on, with --update-shallow", () => {
    const directory = `${temporaryDirectory()}/store.git`;
    createRepository(nodeFileSystem, directory);
    const history = historyOfValues(200);
    const recorder = openRecorder(nodeFileSystem, directory);
    recordAll(recorder, history.commits.slice(0, 100), 50);
    const base = temporaryDirectory();
    git(base, ["clone", "-q", "--mirror", `file://${directory}`, "mirror.git"]);
    recordAll(recorder, history.commits.slice(100), 50);
    compactNow(nodeFileSystem, directory, { kind: "revision", revision: "@{150}" });
    git(join(base, "mirror.git"), ["fetch", "-q", "--update-shallow"]);
    expect(git(join(base, "mirror.git"), ["rev-parse", "main"])).toBe(git(directory, ["rev-parse", "main"]));
    expect(fsckComplaints(join(base, "mirror.git"))).toBe("");
  });

  it("git bisect, blame and describe work on what is left", () => {
    const directory = `${temporaryDirectory()}/store.git`;
    createRepository(nodeFileSystem, directory);
    recordAll(openRecorder(nodeFileSystem, directory), historyOfValues(80).commits, 30);
    git(directory, ["tag", "-a", "-m", "x", "v1", "main~10"]);
    compactNow(nodeFileSystem, directory, { kind: "revision", revision: "@{40}" });
    expect(git(directory, ["describe", "main"])).toMatch(/^v1-10-g/);
    expect(git(directory, ["blame", "-s", "main", "--", "domain/0/n0"]).length).toBeGreaterThan(0);
    expect(git(directory, ["log", "--format=%H", "--", "domain"]).split("\n")).toHaveLength(41);
    expect(execFileSync("git", ["--git-dir", directory, "rev-list", "--bisect", "main", "^main~20"]).length).toBe(41);
  });
});
