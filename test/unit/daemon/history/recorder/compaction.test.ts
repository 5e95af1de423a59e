/** Compaction on disks that fail and lose power. What Git makes of the result: `test/interop/retention.test.ts`. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Seq } from "../../../../../protocol/identifiers.js";
import { hashObject, hexFromOid, type Oid } from "../../../../../daemon/history/object/oid.js";
import { decodeRoot } from "../../../../../daemon/history/object/root-decoder.js";
import { walkChain } from "../../../../../daemon/history/recorder/commit-chain.js";
import {
  readCompactionNote,
  readOldestSeq,
  recoverCompaction,
  removeCompactionNote,
  runCompaction,
  type CompactionOutcome,
  type CompactionTarget,
} from "../../../../../daemon/history/recorder/compaction.js";
import {
  DamagedObjectError,
  MissingObjectError,
  ShallowLockedError,
} from "../../../../../daemon/history/repository/errors.js";
import { WindowPool } from "../../../../../daemon/history/repository/file-window.js";
import { createRepository, MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../../../../daemon/history/repository/object-reader.js";
import { packDirectory } from "../../../../../daemon/history/repository/pack-file.js";
import { PackIndex } from "../../../../../daemon/history/repository/pack-index.js";
import { RefStore } from "../../../../../daemon/history/repository/ref-store.js";
import { readShallow } from "../../../../../daemon/history/repository/shallow.js";
import { readCommit } from "../../../../../daemon/history/repository/walk.js";
import type { FileSystem } from "../../../../../daemon/platform/file-system.js";
import { sameRoot } from "../../../../../daemon/store/diff.js";
import type { Root } from "../../../../../daemon/store/root.js";
import { createFaultyFileSystem, type FileSystemCall } from "../../../../support/faulty-file-system.js";
import { createMemoryFileSystem, type Loss, type MemoryFileSystem } from "../../../../support/memory-file-system.js";
import { propertyParameters } from "../../../../support/seed.js";
import { temporaryDirectory } from "../../../../support/temporary-directory.js";
import { fsckComplaints } from "../repository/repository-support.js";
import {
  compactNow,
  copyToDisk,
  finish,
  historyOfValues,
  openRecorder,
  recordAll,
  surround,
  type History,
} from "./retention-support.js";

const REPOSITORY = "/store.git";
const COMMITS = 16;
const BOUNDARY = 11;
const TAGGED = 5;
const HISTORY = historyOfValues(COMMITS, 40);
const RESUME: CompactionTarget = { kind: "resume", limits: { keepCommits: undefined, keepSeconds: undefined } };
const TARGET: CompactionTarget = { kind: "revision", revision: `@{${String(BOUNDARY)}}` };

interface Disk {
  readonly memory: MemoryFileSystem;
  readonly oids: readonly Oid[];
}

/** A disk with a history in several packs and a tag, all of it durable; `oids[seq - 1]`. */
function disk(history: History = HISTORY, packCommits = 6): Disk {
  const memory = createMemoryFileSystem();
  memory.makeDirectory(REPOSITORY);
  memory.syncDirectory("/");
  createRepository(memory, REPOSITORY);
  const recorder = openRecorder(memory, REPOSITORY);
  recordAll(recorder, history.commits, packCommits);
  const reader = new ObjectReader(memory, REPOSITORY);
  const refs = new RefStore(memory, REPOSITORY);
  const chain = finish(walkChain(reader, refs.read(MAIN_REF) as Oid, readShallow(memory, REPOSITORY)));
  reader.close();
  const oids = history.commits.map(({ seq }) => chain.oidAt(seq));
  refs.update("refs/tags/old", { expected: undefined, to: oids[TAGGED - 1] as Oid });
  return { memory, oids };
}

/** Where the history begins; checks that all of it is readable, with its old ids, and as the model says. */
function checkWhole(fileSystem: FileSystem, { oids }: Pick<Disk, "oids">, history: History = HISTORY): number {
  const reader = new ObjectReader(fileSystem, REPOSITORY, { verifyOids: true });
  const shallow = readShallow(fileSystem, REPOSITORY);
  const refs = new RefStore(fileSystem, REPOSITORY);
  const seen: number[] = [];
  const check = (oid: Oid): readonly Oid[] => {
    const commit = readCommit(reader, oid, shallow);
    const seq = commit.trailers.seq as Seq;
    expect(oid).toBe(oids[seq - 1]);
    const root = decodeRoot(reader, commit.tree, seq);
    expect(sameRoot(root, history.roots[seq] as Root)).toBe(true);
    seen.push(seq);
    return commit.parents;
  };
  for (let next = refs.read(MAIN_REF); next !== undefined;) next = check(next)[0];
  const oldest = seen.at(-1) as number;
  expect(seen).toEqual(Array.from({ length: seen.length }, (_, index) => oids.length - index));
  expect(readOldestSeq({ fileSystem, repositoryDirectory: REPOSITORY, reader }, refs.read(MAIN_REF))).toBe(oldest);
  check(refs.read("refs/tags/old") as Oid);
  reader.close();
  return oldest;
}

function packsOf(fileSystem: FileSystem): string[] {
  return fileSystem.list(packDirectory(REPOSITORY)).filter((name) => name.endsWith(".pack"));
}

function checkGone(fileSystem: FileSystem, { oids }: Disk): void {
  const reader = new ObjectReader(fileSystem, REPOSITORY);
  for (const [index, oid] of oids.entries()) {
    const isKept = index + 1 >= BOUNDARY || index + 1 === TAGGED;
    expect(reader.has(oid), `commit ${String(index + 1)}`).toBe(isKept);
  }
  reader.close();
}

function checkByGit(fileSystem: FileSystem): void {
  const directory = `${temporaryDirectory()}/store.git`;
  copyToDisk(fileSystem, REPOSITORY, directory);
  expect(fsckComplaints(directory)).toBe("");
}

/** What the daemon does at start after a crash, until nothing is left to do. */
function recoverAndFinish(memory: MemoryFileSystem, made: Disk): void {
  const isUnfinished = recoverCompaction({ fileSystem: memory, repositoryDirectory: REPOSITORY });
  const recorder = openRecorder(memory, REPOSITORY);
  expect(recorder.recordedSeq).toBe(COMMITS);
  const outcome = compactNow(memory, REPOSITORY, isUnfinished ? RESUME : TARGET);
  expect(outcome).toMatchObject({ kind: "done", oldest: BOUNDARY });
  expect(checkWhole(memory, made)).toBe(BOUNDARY);
  checkGone(memory, made);
  const left = memory.list(packDirectory(REPOSITORY)).filter((name) => !/^pack-[0-9a-f]{40}\.(?:pack|idx)$/.test(name));
  expect(left).toEqual([]);
  expect(memory.exists(`${REPOSITORY}/shallow.lock`)).toBe(false);
  expect(readCompactionNote({ fileSystem: memory, repositoryDirectory: REPOSITORY })).toBeUndefined();
  expect(compactNow(memory, REPOSITORY, TARGET)).toMatchObject({ kind: "done", packsRewritten: 0, packsRetired: 0 });
}

/** A crash between two of these leaves the same disk as one at the later of them. */
const CHANGES: readonly FileSystemCall[] = ["open", "write", "syncData", "sync", "rename", "remove", "syncDirectory"];
const OTHER_CALLS: readonly FileSystemCall[] = ["makeDirectory", "close", "readFile", "list"];

/** Runs a compaction with a fault until the fault strikes no more; calls back after each one that was struck. */
function atEveryCall(
  calls: readonly FileSystemCall[],
  lasts: boolean,
  struck: (made: Disk, point: string) => void,
): number {
  let points = 0;
  for (const call of calls) {
    for (let nth = 1; ; nth++) {
      const made = disk();
      const faulty = createFaultyFileSystem(made.memory);
      faulty.inject({ call, nth, error: "EIO", lasts });
      try {
        expect(compactNow(faulty, REPOSITORY, TARGET)).toMatchObject({ kind: "done", oldest: BOUNDARY });
        // It came to its end: either the fault did not strike, or where it does no harm.
        faulty.heal();
        expect(checkWhole(made.memory, made)).toBe(BOUNDARY);
        break;
      } catch (error) {
        expect(String(error), `${call} ${String(nth)}`).toContain("EIO");
      }
      struck(made, `${call} ${String(nth)}`);
      points++;
    }
  }
  return points;
}

describe("runCompaction", () => {
  test("drops what is before the boundary and not tagged, and frees its space", () => {
    const made = disk();
    const outcome = compactNow(made.memory, REPOSITORY, TARGET) as Extract<CompactionOutcome, { kind: "done" }>;
    expect(outcome).toMatchObject({ kind: "done", oldest: BOUNDARY, commitsDropped: BOUNDARY - 1 });
    expect(outcome.packsRetired).toBeGreaterThan(1);
    expect(outcome.bytesAfter).toBeLessThan(outcome.bytesBefore);
    expect(checkWhole(made.memory, made)).toBe(BOUNDARY);
    checkGone(made.memory, made);
    checkByGit(made.memory);
  });

  test("after a crash at any call, whatever was not synced is lost or not, the history is whole, and compacting again ends well (compaction invariants 1, 2 and 6)", () => {
    let boundaries = new Set<number>();
    let checkedByGit = 0;
    for (const loss of ["everything", "nothing"] satisfies Loss[]) {
      boundaries = new Set();
      const points = atEveryCall(CHANGES, true, (made, point) => {
        made.memory.crash(loss);
        boundaries.add(checkWhole(made.memory, made));
        if (/^(?:write|rename|remove|syncDirectory)/.test(point) && checkedByGit++ % 8 === 0) checkByGit(made.memory);
        recoverAndFinish(made.memory, made);
      });
      expect(points).toBeGreaterThan(40);
      // Else the crashes all came too early or too late to be interesting.
      expect([...boundaries].sort((left, right) => left - right)).toEqual([1, BOUNDARY]);
    }
  });

  test("after a crash that loses any part of what was not synced, the same", () => {
    const point = fc.record({
      call: fc.constantFrom<FileSystemCall>("write", "sync", "rename", "remove", "syncDirectory"),
      nth: fc.integer({ min: 1, max: 30 }),
    });
    fc.assert(
      fc.property(point, fc.infiniteStream(fc.boolean()), ({ call, nth }, losses) => {
        const made = disk();
        const faulty = createFaultyFileSystem(made.memory);
        faulty.inject({ call, nth, error: "EIO", lasts: true });
        try {
          compactNow(faulty, REPOSITORY, TARGET);
        } catch (error) {
          expect(String(error)).toContain("EIO");
        }
        made.memory.crash(() => losses.next().value as boolean);
        checkWhole(made.memory, made);
        recoverAndFinish(made.memory, made);
      }),
      propertyParameters(60),
    );
  });

  test("after an error of the disk at any call it can be run again in the same process, and leaves no file open", () => {
    atEveryCall([...CHANGES, ...OTHER_CALLS], false, (made) => {
      checkWhole(made.memory, made);
      expect(compactNow(made.memory, REPOSITORY, TARGET)).toMatchObject({ kind: "done", oldest: BOUNDARY });
      expect(checkWhole(made.memory, made)).toBe(BOUNDARY);
      checkGone(made.memory, made);
    });
    for (let nth = 1; nth < 200; nth += 7) {
      const faulty = createFaultyFileSystem(disk().memory);
      faulty.inject({ call: "read", nth, error: "EIO" });
      try {
        compactNow(faulty, REPOSITORY, TARGET);
      } catch (error) {
        expect(String(error)).toContain("EIO");
      }
      expect(faulty.openFiles()).toBe(0);
    }
  });

  test("a generator that is given up leaves everything as it was, but for what is done", () => {
    for (let steps = 0, isDone = false; !isDone; steps++) {
      const made = disk();
      const faulty = createFaultyFileSystem(made.memory);
      const { context } = surround(faulty, REPOSITORY);
      const run = runCompaction(context, TARGET);
      for (let step = 0; step < steps && !isDone; step++) isDone = run.next().done === true;
      if (!isDone) run.return({ kind: "unnecessary", oldest: undefined });
      expect(faulty.openFiles()).toBe(0);
      checkWhole(made.memory, made);
      recoverAndFinish(made.memory, made);
    }
  });

  test("a limit is kept to within its threshold, and does not act for each commit", () => {
    const made = disk();
    const threshold = { commitsMin: 4, partMin: 0.1 };
    const limitTo = (keepCommits: number): CompactionTarget => ({
      kind: "limits",
      limits: { keepCommits, keepSeconds: undefined },
      threshold,
    });
    expect(compactNow(made.memory, REPOSITORY, limitTo(COMMITS))).toEqual({ kind: "unnecessary", oldest: 1 });
    expect(compactNow(made.memory, REPOSITORY, limitTo(COMMITS - 3))).toEqual({ kind: "unnecessary", oldest: 1 });
    expect(compactNow(made.memory, REPOSITORY, limitTo(COMMITS - 4))).toMatchObject({ kind: "done", oldest: 5 });
    expect(compactNow(made.memory, REPOSITORY, limitTo(6))).toMatchObject({ kind: "done", oldest: BOUNDARY });
    expect(checkWhole(made.memory, made)).toBe(BOUNDARY);
  });

  test("does not pass what another branch is built on: a limit stops there, a person is told", () => {
    const made = disk();
    const refs = new RefStore(made.memory, REPOSITORY);
    refs.update("refs/heads/try", { expected: undefined, to: made.oids[6] as Oid });
    const limits = { keepCommits: 2, keepSeconds: undefined };
    const outcome = compactNow(made.memory, REPOSITORY, TARGET);
    expect(outcome).toEqual({
      kind: "refused",
      reason:
        "@{11} is commit @{11}, and refs/heads/try is built on @{7}: delete that ref first, or name an older commit",
    });
    expect(readCompactionNote({ fileSystem: made.memory, repositoryDirectory: REPOSITORY })).toBeUndefined();
    expect(checkWhole(made.memory, made)).toBe(1);
    const threshold = { commitsMin: 1, partMin: 0 };
    expect(compactNow(made.memory, REPOSITORY, { kind: "limits", limits, threshold })).toMatchObject({ oldest: 7 });
    expect(checkWhole(made.memory, made)).toBe(7);
  });

  test("a ref that appears on an old commit while it runs makes it begin again (compaction invariant 5)", () => {
    for (let steps = 0, isDone = false; !isDone; steps++) {
      const made = disk();
      const { context, removeRetired, retired } = surround(made.memory, REPOSITORY);
      const run = runCompaction(context, TARGET);
      let step = 0;
      let result = run.next();
      for (; result.done !== true; result = run.next()) {
        // A tag on a commit that is about to go; once its packs are being retired, it comes too late.
        if (step++ !== steps || retired.names().size > 0) continue;
        const refs = new RefStore(made.memory, REPOSITORY);
        refs.update("refs/tags/new", { expected: undefined, to: made.oids[7] as Oid });
      }
      isDone = step <= steps;
      removeRetired();
      expect(result.value).toMatchObject({ kind: "done", oldest: BOUNDARY });
      const tag = new RefStore(made.memory, REPOSITORY).read("refs/tags/new");
      if (tag !== undefined) {
        const reader = new ObjectReader(made.memory, REPOSITORY);
        const { tree } = readCommit(reader, tag);
        expect(sameRoot(decodeRoot(reader, tree, 8 as Seq), HISTORY.roots[8] as Root)).toBe(true);
        reader.close();
        expect(readShallow(made.memory, REPOSITORY).has(tag)).toBe(true);
      }
      checkWhole(made.memory, made);
    }
  });

  test("what a limit began is brought to its end when it has to begin again behind the new beginning", () => {
    const made = disk();
    const { context, removeRetired } = surround(made.memory, REPOSITORY);
    const limits = { keepCommits: COMMITS - BOUNDARY + 1, keepSeconds: undefined };
    const run = runCompaction(context, { kind: "limits", limits, threshold: { commitsMin: 5, partMin: 0.1 } });
    const refs = new RefStore(made.memory, REPOSITORY);
    let result = run.next();
    for (; result.done !== true; result = run.next()) {
      if (readShallow(made.memory, REPOSITORY).size === 0 || refs.read("refs/tags/new") !== undefined) continue;
      refs.update("refs/tags/new", { expected: undefined, to: made.oids[7] as Oid });
    }
    expect(refs.read("refs/tags/new")).toBeDefined();
    expect(result.value).toMatchObject({ kind: "done", oldest: BOUNDARY, commitsDropped: BOUNDARY - 1 });
    removeRetired();
    expect(checkWhole(made.memory, made)).toBe(BOUNDARY);
    const reader = new ObjectReader(made.memory, REPOSITORY);
    expect(made.oids.map((oid) => reader.has(oid)).indexOf(true)).toBe(TAGGED - 1);
    expect(reader.has(made.oids[BOUNDARY - 2] as Oid)).toBe(false);
    reader.close();
  });

  test("a pack that was retired before, or that a person keeps, is left alone (compaction invariant 3)", () => {
    const made = disk();
    const [first, second] = packsOf(made.memory).map((name) => name.slice("pack-".length, -".pack".length)) as [
      string,
      string,
    ];
    const { context, retired } = surround(made.memory, REPOSITORY);
    made.memory.open(`${packDirectory(REPOSITORY)}/pack-${second}.keep`, "create").close();
    retired.announce(packsOf(made.memory).at(-1)?.slice("pack-".length, -".pack".length) ?? "", [first], "merged");
    retired.retire(packsOf(made.memory).at(-1)?.slice("pack-".length, -".pack".length) ?? "");
    const read = (name: string): Uint8Array => made.memory.readFile(`${packDirectory(REPOSITORY)}/pack-${name}.pack`);
    const before = [read(first), read(second)];
    expect(finish(runCompaction(context, TARGET))).toMatchObject({ kind: "done", oldest: BOUNDARY });
    expect([read(first), read(second)]).toEqual(before);
    expect([retired.names().has(first), retired.names().has(second)]).toEqual([true, false]);
    checkWhole(made.memory, made);
  });

  test("a pack that cannot be rewritten stays as it is, and the others go (compaction invariant 7)", () => {
    const made = disk();
    const value = hashObject("blob", Buffer.from("4 ".repeat(8)));
    const pool = new WindowPool(made.memory, { windowBytesMax: 1 << 20, openFilesMax: 8 });
    const places = packsOf(made.memory).map((name) => {
      const path = `${packDirectory(REPOSITORY)}/${name}`;
      const index = new PackIndex(pool, path.replace(/pack$/, "idx"));
      const at = index.find(value);
      index.close();
      return { path, at };
    });
    const [damaged, none] = places.filter(({ at }) => at !== undefined);
    expect([damaged !== undefined, none]).toEqual([true, undefined]);
    const { path, at } = damaged as { readonly path: string; readonly at: number };
    const file = made.memory.open(path, "write");
    file.write(Uint8Array.of(0xff), at + 10);
    file.close();
    const outcome = compactNow(made.memory, REPOSITORY, TARGET) as Extract<CompactionOutcome, { kind: "done" }>;
    expect(outcome).toMatchObject({ kind: "done", oldest: BOUNDARY });
    expect(outcome.complaints).toEqual([expect.stringContaining(`${path} at byte`)]);
    expect(outcome.packsRetired).toBeGreaterThan(0);
    expect(made.memory.exists(path)).toBe(true);
    const reader = new ObjectReader(made.memory, REPOSITORY);
    for (const oid of made.oids.slice(BOUNDARY - 1)) expect(reader.has(oid)).toBe(true);
    expect(() => reader.read(value)).toThrow(DamagedObjectError);
    reader.close();
  });

  test("a ref that leads nowhere is named, and hinders nothing", () => {
    const made = disk();
    const file = made.memory.open(`${REPOSITORY}/refs/tags/gone`, "create");
    file.write(Buffer.from(`${"1".repeat(40)}\n`), 0);
    file.close();
    expect(compactNow(made.memory, REPOSITORY, TARGET)).toMatchObject({
      kind: "done",
      oldest: BOUNDARY,
      complaints: [expect.stringContaining("refs/tags/gone needs 1111") as string],
    });
    expect(checkWhole(made.memory, made)).toBe(BOUNDARY);
  });

  test("refuses what it cannot do in words for people", () => {
    const { memory, oids } = disk();
    const refusal = (revision: string): unknown => compactNow(memory, REPOSITORY, { kind: "revision", revision });
    expect(refusal("nothing")).toEqual({
      kind: "refused",
      reason: expect.stringContaining('"nothing" is no commit') as string,
    });
    expect(refusal(`@{${String(COMMITS + 1)}}`)).toMatchObject({ kind: "refused" });
    expect(refusal(hexFromOid(oids[BOUNDARY - 1] as Oid).slice(0, 12))).toMatchObject({ oldest: BOUNDARY });
    expect(refusal("old")).toMatchObject({
      kind: "refused",
      reason: expect.stringContaining("refs/tags/old is not on") as string,
    });
    const empty = createMemoryFileSystem();
    createRepository(empty, REPOSITORY);
    expect(compactNow(empty, REPOSITORY, TARGET)).toEqual({ kind: "refused", reason: "nothing is recorded yet" });
    expect(compactNow(empty, REPOSITORY, RESUME)).toEqual({ kind: "unnecessary", oldest: undefined });
  });

  test("drops nothing from a history that is not whole, or whose beginning somebody else is moving", () => {
    const locked = disk();
    locked.memory.open(`${REPOSITORY}/shallow.lock`, "create").close();
    expect(() => compactNow(locked.memory, REPOSITORY, TARGET)).toThrow(ShallowLockedError);
    expect(checkWhole(locked.memory, locked)).toBe(1);
    const broken = disk();
    const last = packsOf(broken.memory).at(-1) as string;
    for (const suffix of [".pack", ".idx"])
      broken.memory.remove(`${packDirectory(REPOSITORY)}/${last.replace(".pack", suffix)}`);
    const packs = packsOf(broken.memory);
    expect(() => compactNow(broken.memory, REPOSITORY, TARGET)).toThrow(MissingObjectError);
    expect(packsOf(broken.memory)).toEqual(packs);
    expect(readShallow(broken.memory, REPOSITORY).size).toBe(0);
  });
});

describe("recoverCompaction", () => {
  test("has nothing to do without a note, and leaves a lock that may be somebody else's", () => {
    const { memory } = disk();
    memory.open(`${REPOSITORY}/shallow.lock`, "create").close();
    expect(recoverCompaction({ fileSystem: memory, repositoryDirectory: REPOSITORY })).toBe(false);
    expect(memory.exists(`${REPOSITORY}/shallow.lock`)).toBe(true);
    removeCompactionNote({ fileSystem: memory, repositoryDirectory: REPOSITORY });
  });
});
