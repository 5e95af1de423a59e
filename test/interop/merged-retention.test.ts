/**
 * Histories in which forks were merged and whose beginning was dropped, read by real Git and by our own queries.
 *
 * The branch begins at the boundary. What was merged into it is kept down to the boundary by its seqs, and one commit more,
 * which is listed in `shallow`.
 */
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Seq } from "../../protocol/identifiers.js";
import { hexFromOid, oidFromHex, type Oid } from "../../daemon/history/object/oid.js";
import { decodeRoot } from "../../daemon/history/object/root-decoder.js";
import { openHistory } from "../../daemon/history/query/history.js";
import { readOldestSeq, runCompaction, type CompactionOutcome } from "../../daemon/history/recorder/compaction.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../daemon/history/repository/object-reader.js";
import { RefStore } from "../../daemon/history/repository/ref-store.js";
import { readShallow } from "../../daemon/history/repository/shallow.js";
import { readCommit } from "../../daemon/history/repository/walk.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import { sameRoot } from "../../daemon/store/diff.js";
import { emptyRoot, type Root } from "../../daemon/store/root.js";
import { createMemoryFileSystem } from "../support/memory-file-system.js";
import { propertyParameters } from "../support/seed.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import {
  copyToDisk,
  finish,
  openRecorder,
  recordMerge,
  recordOnFork,
  startFork,
  surround,
  type RecordedFork,
} from "../unit/daemon/history/recorder/retention-support.js";
import { fsckComplaints, git } from "../unit/daemon/history/repository/repository-support.js";

const FORK = "refs/heads/fork";
const REPOSITORY = "/store.git";

/** What is known of a commit that was made. */
interface Made {
  readonly seq: number;
  readonly root: Root;
  /** In hexadecimal. */
  readonly parents: readonly string[];
}

/** A repository with main, in which forks come and go; on a disk in memory, because each commit is sealed alone. */
class Scene {
  readonly memory = createMemoryFileSystem();
  readonly refs = new RefStore(this.memory, REPOSITORY);
  readonly main: RecordedFork;
  /** All commits, by their oids in hexadecimal. */
  readonly made = new Map<string, Made>();
  /** Of main; `oids[seq - 1]`. */
  readonly oids: string[] = [];

  constructor() {
    createRepository(this.memory, REPOSITORY);
    const recorder = openRecorder(this.memory, REPOSITORY);
    this.main = { ref: MAIN_REF, recorder, base: 0 as Seq, roots: [emptyRoot()] };
  }

  record(fork: RecordedFork, count: number): void {
    for (let index = 0; index < count; index++) {
      const before = this.refs.read(fork.ref);
      recordOnFork(fork);
      this.#note(fork, before === undefined ? [] : [before]);
    }
  }

  /** Records on main up to this seq. */
  recordMainTo(seq: number): void {
    this.record(this.main, seq - this.oids.length);
  }

  fork(seq: number): RecordedFork {
    const oid = oidFromHex(this.oids[seq - 1] as string);
    return startFork(this.memory, REPOSITORY, { ref: FORK, oid, seq, root: this.main.roots[seq] as Root });
  }

  merge(fork: RecordedFork): void {
    const parents = [this.refs.read(MAIN_REF), this.refs.read(fork.ref)] as Oid[];
    recordMerge(this.main.recorder, this.main.roots, parents[1] as Oid);
    this.#note(this.main, parents);
  }

  delete({ ref, recorder }: RecordedFork): void {
    recorder.close();
    this.refs.delete(ref, { expected: this.refs.read(ref) as Oid });
  }

  /** Drops what is before the boundary, and checks what there is before and after the old packs are removed. */
  compact(boundary: number): CompactionOutcome {
    const { context, removeRetired } = surround(this.memory, REPOSITORY);
    const outcome = finish(runCompaction(context, { kind: "revision", revision: `@{${String(boundary)}}` }));
    if (outcome.kind === "done") checkQueries(this, this.copy(), outcome.oldest);
    removeRetired();
    return outcome;
  }

  /** The repository on the real disk. */
  copy(): string {
    const directory = join(temporaryDirectory(), "store.git");
    copyToDisk(this.memory, REPOSITORY, directory);
    return directory;
  }

  #note({ ref, base, roots }: RecordedFork, parents: readonly Oid[]): void {
    const hex = hexFromOid(this.refs.read(ref) as Oid);
    const made = { seq: base + roots.length - 1, root: roots.at(-1) as Root, parents: parents.map(hexFromOid) };
    this.made.set(hex, made);
    if (ref === MAIN_REF) this.oids.push(hex);
  }

  /** The commits that are to be kept, and those of them that have no parents any more. */
  expected(boundary: number): { readonly kept: ReadonlySet<string>; readonly shallow: ReadonlySet<string> } {
    const kept = new Set(this.oids.slice(boundary - 1));
    const shallow = new Set(boundary === 1 ? [] : [this.oids[boundary - 1] as string]);
    const pending = this.oids.slice(boundary).flatMap((hex) => (this.made.get(hex) as Made).parents.slice(1));
    for (let hex = pending.pop(); hex !== undefined; hex = pending.pop()) {
      if (kept.has(hex)) continue;
      kept.add(hex);
      const { seq, parents } = this.made.get(hex) as Made;
      if (seq >= boundary) pending.push(...parents);
      else if (parents.length > 0) shallow.add(hex);
    }
    return { kept, shallow };
  }
}

function listed(text: string): Set<string> {
  return new Set(text.split("\n"));
}

/** Compares all that is there with what should be; in a copy of the repository unless told. */
function check(scene: Scene, boundary: number, directory = scene.copy()): void {
  const { oids, made } = scene;
  const { kept, shallow } = scene.expected(boundary);
  expect(fsckComplaints(directory)).toBe("");
  expect(new Set([...readShallow(nodeFileSystem, directory)].map(hexFromOid))).toEqual(shallow);
  expect(listed(git(directory, ["rev-list", "--all"]))).toEqual(kept);
  const reader = new ObjectReader(nodeFileSystem, directory, { verifyOids: true });
  for (const [hex, { seq, root }] of made) {
    expect(reader.has(oidFromHex(hex)), hex).toBe(kept.has(hex));
    if (!kept.has(hex)) continue;
    expect(sameRoot(decodeRoot(reader, readCommit(reader, oidFromHex(hex)).tree, seq as Seq), root)).toBe(true);
  }
  const context = { fileSystem: nodeFileSystem, repositoryDirectory: directory, reader };
  expect(readOldestSeq(context, scene.refs.read(MAIN_REF))).toBe(boundary);
  reader.close();
  checkQueries(scene, directory, boundary);
  const clone = join(temporaryDirectory(), "clone.git");
  git(directory, ["clone", "-q", "--bare", `file://${directory}`, clone]);
  expect(fsckComplaints(clone)).toBe("");
  expect(git(clone, ["rev-list", "--first-parent", "main"]).split("\n")).toEqual(oids.slice(boundary - 1).reverse());
}

/** The history that people ask begins at the boundary too. */
function checkQueries({ oids }: Scene, directory: string, boundary: number): void {
  const history = openHistory(nodeFileSystem, directory);
  const view = history.view();
  expect(view.cutSeq(MAIN_REF)).toBe(boundary === 1 ? undefined : boundary);
  expect(view.oldest(MAIN_REF)?.commit.trailers.seq).toBe(boundary);
  for (let seq = 1; seq <= oids.length; seq++) {
    const found = view.commitWithSeq(MAIN_REF, seq)?.oid;
    expect(found && hexFromOid(found), String(seq)).toBe(seq < boundary ? undefined : oids[seq - 1]);
  }
  history.close();
}

/** Main to 60; a fork from 30 of so many commits was merged at 50 and deleted. */
function mergedOnce(length: number): Scene {
  const scene = new Scene();
  scene.recordMainTo(30);
  const fork = scene.fork(30);
  scene.recordMainTo(49);
  scene.record(fork, length);
  scene.merge(fork);
  scene.delete(fork);
  scene.recordMainTo(60);
  return scene;
}

describe("a history in which a fork was merged", () => {
  it.each([
    ["before the fork", 29],
    ["at the commit that was forked", 30],
    ["at the first of the fork's seqs", 31],
    ["among the fork's seqs", 35],
    ["at the last of them", 40],
    ["between the fork and its merge", 45],
    ["at the merge", 50],
    ["after the merge", 51],
  ])("begins %s, and is whole", (_, boundary) => {
    const scene = mergedOnce(10);
    expect(scene.compact(boundary)).toMatchObject({ kind: "done", oldest: boundary });
    const directory = scene.copy();
    check(scene, boundary, directory);
    git(directory, ["gc", "-q", "--prune=now"]);
    check(scene, boundary, directory);
  });

  it("loses its beginning again and again, and goes on", () => {
    const scene = mergedOnce(10);
    for (const boundary of [20, 31, 36, 45, 50, 55]) {
      expect(scene.compact(boundary)).toMatchObject({ kind: "done", oldest: boundary });
      check(scene, boundary);
      scene.record(scene.main, 1);
      check(scene, boundary);
    }
  });

  it("keeps the part of a long fork that has seqs behind the boundary, also those that main has not reached", () => {
    for (const boundary of [31, 45, 49, 50, 51]) {
      const scene = mergedOnce(40);
      expect(scene.compact(boundary)).toMatchObject({ kind: "done", oldest: boundary });
      check(scene, boundary);
      scene.recordMainTo(75);
      check(scene, boundary);
    }
  });

  it("is whole when a fork was merged twice", () => {
    for (const boundary of [30, 33, 38, 42, 49, 52, 57]) {
      const scene = new Scene();
      scene.recordMainTo(30);
      const fork = scene.fork(30);
      scene.record(fork, 8);
      scene.recordMainTo(49);
      scene.merge(fork);
      scene.record(fork, 6);
      scene.merge(fork);
      scene.record(fork, 1);
      scene.recordMainTo(56);
      scene.merge(fork);
      scene.delete(fork);
      scene.recordMainTo(60);
      expect(scene.compact(boundary)).toMatchObject({ kind: "done", oldest: boundary });
      check(scene, boundary);
    }
  });

  it("does not begin after what a fork is built on that was merged and lives on", () => {
    const scene = new Scene();
    scene.recordMainTo(30);
    const fork = scene.fork(30);
    scene.record(fork, 5);
    scene.merge(fork);
    scene.recordMainTo(40);
    expect(scene.compact(31)).toEqual({
      kind: "refused",
      reason: expect.stringContaining(`${FORK} is built on @{30}`) as string,
    });
    expect(scene.compact(30)).toMatchObject({ kind: "done", oldest: 30 });
    check(scene, 30);
    const history = openHistory(nodeFileSystem, scene.copy());
    const view = history.view();
    expect([view.cutSeq(FORK), view.oldest(FORK)?.commit.trailers.seq]).toEqual([30, 30]);
    history.close();
    scene.delete(fork);
    expect(scene.compact(33)).toMatchObject({ kind: "done", oldest: 33 });
    check(scene, 33);
  });

  it("is whole whatever was forked, merged and deleted when, and wherever it begins", () => {
    const fork = fc.record({ base: fc.nat(20), before: fc.nat(9), merges: fc.array(fc.nat(5), { maxLength: 3 }) });
    const plan = fc.record({
      forks: fc.array(fork, { minLength: 1, maxLength: 4 }),
      boundaries: fc.array(fc.nat(25), { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(plan, ({ forks, boundaries }) => {
        const scene = new Scene();
        scene.recordMainTo(5);
        for (const { base: back, before, merges } of forks) {
          const started = scene.fork(Math.max(1, scene.oids.length - back));
          scene.record(scene.main, before);
          for (const count of merges) {
            scene.record(started, count + 1);
            scene.merge(started);
          }
          scene.delete(started);
        }
        let boundary = 1;
        for (const wanted of boundaries) {
          boundary = Math.max(boundary, Math.min(scene.oids.length, scene.oids.length - 25 + wanted));
          expect(scene.compact(boundary)).toMatchObject({ kind: "done", oldest: boundary });
          check(scene, boundary);
          scene.record(scene.main, 2);
        }
      }),
      propertyParameters(5),
    );
  });
});
