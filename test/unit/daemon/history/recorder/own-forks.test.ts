/** Forks that go on, begin and end while history is dropped. */
import { describe, expect, test } from "vitest";
import type { Seq } from "../../../../../protocol/identifiers.js";
import { oidFromHex, type Oid } from "../../../../../daemon/history/object/oid.js";
import { decodeRoot } from "../../../../../daemon/history/object/root-decoder.js";
import {
  runCompaction,
  type CompactionOutcome,
  type CompactionTarget,
} from "../../../../../daemon/history/recorder/compaction.js";
import { openRecorder as openThread } from "../../../../../daemon/history/recorder/open-recorder.js";
import { OwnForks } from "../../../../../daemon/history/recorder/own-forks.js";
import type { HistoryRecorder } from "../../../../../daemon/history/recorder/recorder.js";
import type { CompactionAnswer } from "../../../../../daemon/history/recorder/retention.js";
import { createRepository, MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../../../../daemon/history/repository/object-reader.js";
import { RefStore } from "../../../../../daemon/history/repository/ref-store.js";
import { readShallow } from "../../../../../daemon/history/repository/shallow.js";
import { readCommit } from "../../../../../daemon/history/repository/walk.js";
import { sameRoot } from "../../../../../daemon/store/diff.js";
import type { Root } from "../../../../../daemon/store/root.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../../../../support/memory-file-system.js";
import { temporaryDirectory } from "../../../../support/temporary-directory.js";
import { fsckComplaints, git } from "../repository/repository-support.js";
import {
  copyToDisk,
  historyOfValues,
  openRecorder,
  recordAll,
  recordMerge,
  recordOnFork,
  startFork,
  surround,
  type RecordedFork,
  type Surroundings,
} from "./retention-support.js";

const TRY = "refs/heads/try";
const LATE = "refs/heads/late";
const A = oidFromHex("a".repeat(40));
const B = oidFromHex("b".repeat(40));
const C = oidFromHex("c".repeat(40));

describe("OwnForks", () => {
  function openTry(): OwnForks {
    const forks = new OwnForks();
    forks.open(TRY, A);
    return forks;
  }

  test("know where a fork started and where it is", () => {
    const forks = openTry();
    expect(forks.find(TRY)).toMatchObject({ start: A, tip: A });
    forks.moved(TRY, B);
    expect(forks.find(TRY)).toMatchObject({ start: A, tip: B });
    forks.closed(TRY);
    forks.closed(TRY);
    expect(forks.find(TRY)).toBeUndefined();
    expect(() => {
      forks.moved(TRY, C);
    }).toThrow(`${TRY} is not open`);
    forks.open(TRY, C);
    expect(() => {
      forks.open(TRY, C);
    }).toThrow(`${TRY} is open already`);
  });

  test("have nothing judged of a fork that was walked over, wherever it has moved, and its start of one that came later", () => {
    const forks = openTry();
    const seen = forks.look([{ name: TRY, oid: A }]);
    forks.moved(TRY, B);
    forks.open(LATE, B);
    forks.moved(LATE, C);
    const other = { name: "refs/heads/other", oid: A };
    const now = [other, { name: TRY, oid: B }, { name: LATE, oid: C }];
    expect(seen.refsToJudge(now)).toEqual([other, { name: LATE, oid: B }]);
  });

  test("have a ref judged that somebody else has moved, before or since (own-forks invariant 2)", () => {
    const forks = openTry();
    const seen = forks.look([{ name: TRY, oid: A }]);
    expect(seen.refsToJudge([{ name: TRY, oid: C }])).toEqual([{ name: TRY, oid: C }]);
    const elsewhere = forks.look([{ name: TRY, oid: C }]);
    forks.moved(TRY, B);
    expect(elsewhere.refsToJudge([{ name: TRY, oid: B }])).toEqual([{ name: TRY, oid: A }]);
  });

  test("tell a fork from one that had its name before (own-forks invariant 1)", () => {
    const forks = openTry();
    const seen = forks.look([{ name: TRY, oid: A }]);
    forks.closed(TRY);
    expect(seen.refsToJudge([])).toEqual([]);
    forks.open(TRY, C);
    expect(seen.refsToJudge([{ name: TRY, oid: C }])).toEqual([{ name: TRY, oid: C }]);
    forks.moved(TRY, B);
    expect(seen.refsToJudge([{ name: TRY, oid: B }])).toEqual([{ name: TRY, oid: C }]);
  });

  test("have the start judged of a fork that has come and gone since, and not of one that was gone before", () => {
    const forks = openTry();
    forks.closed(TRY);
    const seen = forks.look([]);
    forks.open(LATE, B);
    forks.moved(LATE, C);
    forks.closed(LATE);
    expect(seen.refsToJudge([])).toEqual([{ name: LATE, oid: B }]);
    expect(forks.look([]).refsToJudge([])).toEqual([]);
  });

  test("say so when they do not know any more, and remember a good number", () => {
    const forks = new OwnForks();
    const seen = forks.look([]);
    const comeAndGo = (count: number): void => {
      for (let index = 0; index < count; index++) {
        forks.open(TRY, A);
        forks.closed(TRY);
      }
    };
    comeAndGo(1000);
    expect(seen.refsToJudge([])).toHaveLength(1000);
    const later = forks.look([]);
    comeAndGo(1);
    expect(seen.refsToJudge([])).toBeUndefined();
    expect(later.refsToJudge([])).toHaveLength(1);
  });
});

const REPOSITORY = "/store.git";
/** So many that a compaction pauses before it moves the boundary. */
const COMMITS = 150;
const BASE = 130;
const BOUNDARY = 70;
const DROPPED = 40;
const HISTORY = historyOfValues(COMMITS, 40);
const TARGET: CompactionTarget = {
  kind: "limits",
  limits: { keepCommits: COMMITS - BOUNDARY + 1, keepSeconds: undefined },
  threshold: { commitsMin: 1, partMin: 0 },
};
const RESUME: CompactionTarget = { kind: "resume", limits: { keepCommits: undefined, keepSeconds: undefined } };

let prepared: MemoryFileSystem | undefined;

/** With main, in a few packs. */
function preparedDisk(): MemoryFileSystem {
  if (prepared !== undefined) return prepared;
  prepared = createMemoryFileSystem();
  prepared.makeDirectory(REPOSITORY);
  createRepository(prepared, REPOSITORY);
  const recorder = openRecorder(prepared, REPOSITORY);
  recordAll(recorder, HISTORY.commits, 30);
  recorder.close();
  return prepared;
}

/** A recorder's thread with main and forks, on a disk in memory, without its loop. */
class Thread {
  readonly memory: MemoryFileSystem;
  readonly refs: RefStore;
  readonly forks = new OwnForks();
  readonly main: HistoryRecorder;
  readonly roots: Root[] = [...HISTORY.roots];
  readonly oids: readonly Oid[];
  readonly surroundings: Surroundings;

  constructor(knowsForks = true) {
    this.memory = preparedDisk().fork();
    this.refs = new RefStore(this.memory, REPOSITORY);
    this.main = openRecorder(this.memory, REPOSITORY);
    const reader = new ObjectReader(this.memory, REPOSITORY);
    const oids: Oid[] = [];
    for (let at = this.refs.read(MAIN_REF); at !== undefined; [at] = readCommit(reader, at).parents) oids.push(at);
    reader.close();
    this.oids = oids.reverse();
    this.surroundings = surround(this.memory, REPOSITORY, knowsForks ? this.forks : undefined);
  }

  fork(ref: string, seq: number): RecordedFork {
    const oid = this.oids[seq - 1] as Oid;
    const fork = startFork(this.memory, REPOSITORY, { ref, oid, seq, root: this.roots[seq] as Root });
    this.forks.open(ref, oid);
    return fork;
  }

  record(fork: RecordedFork, count = 1): void {
    this.#note(recordOnFork(fork, count));
    this.forks.moved(fork.ref, this.tipOf(fork));
  }

  tipOf({ ref }: RecordedFork): Oid {
    return this.refs.read(ref) as Oid;
  }

  merge(fork: RecordedFork): void {
    this.#note(recordMerge(this.main, this.roots, this.tipOf(fork)));
  }

  delete(fork: RecordedFork): void {
    this.refs.delete(fork.ref, { expected: this.tipOf(fork) });
    this.forks.closed(fork.ref);
  }

  /** As `Maintenance.noteSeal`. */
  #note(pack: string): void {
    const { retired, context } = this.surroundings;
    retired.takeBack(pack);
    context.guard.noteAdded(pack);
  }

  /** Compacts; calls back at each pause. */
  compact(atPause: (pause: number) => void, target = TARGET): CompactionOutcome {
    const run = runCompaction(this.surroundings.context, target);
    for (let pause = 0; ; pause++) {
      const { done, value } = run.next();
      if (done === true) return value;
      atPause(pause);
    }
  }

  objection(): string | undefined {
    return this.surroundings.context.guard.objection();
  }

  /** Removes the old packs; where something needs them, compacts once more first. Returns why. */
  settle(): string | undefined {
    const objection = this.objection();
    this.surroundings.removeRetired();
    if (objection === undefined) return undefined;
    expect(this.compact(() => undefined, RESUME)).toMatchObject({ kind: "done" });
    expect(this.objection()).toBeUndefined();
    this.surroundings.removeRetired();
    return objection;
  }

  /** Git is content, and the fork is as it was recorded, down to the commit that it started from. */
  checkFork(fork: RecordedFork, tip = this.tipOf(fork)): void {
    const { base, roots } = fork;
    const reader = new ObjectReader(this.memory, REPOSITORY, { verifyOids: true });
    let at = tip;
    for (let seq = base + roots.length - 1; ; seq--) {
      const { trailers, tree, parents } = readCommit(reader, at);
      expect(trailers.seq).toBe(seq);
      expect(sameRoot(decodeRoot(reader, tree, seq as Seq), roots[seq - base] as Root)).toBe(true);
      if (seq === base) break;
      at = parents[0] as Oid;
    }
    expect(at).toBe(this.oids[base - 1]);
    reader.close();
    this.checkByGit();
  }

  checkByGit(): void {
    const directory = `${temporaryDirectory()}/store.git`;
    copyToDisk(this.memory, REPOSITORY, directory);
    expect(fsckComplaints(directory)).toBe("");
  }

  has(seq: number): boolean {
    const reader = new ObjectReader(this.memory, REPOSITORY);
    const isThere = reader.has(this.oids[seq - 1] as Oid);
    reader.close();
    return isThere;
  }
}

describe("runCompaction beside forks", () => {
  test("comes to its end while a fork seals a commit at every pause, and the fork stays whole (compaction invariants 4 and 5)", () => {
    const thread = new Thread();
    const fork = thread.fork(TRY, BASE);
    thread.record(fork, 2);
    let pauses = 0;
    const outcome = thread.compact(() => {
      pauses++;
      thread.record(fork);
    });
    expect(outcome).toMatchObject({ kind: "done", oldest: BOUNDARY });
    expect(pauses).toBeGreaterThan(10);
    thread.record(fork);
    expect(thread.settle()).toBeUndefined();
    expect([thread.has(BOUNDARY - 1), thread.has(BOUNDARY)]).toEqual([false, true]);
    thread.checkFork(fork);
  });

  test("does not come to its end if nobody tells it that the fork is ours", () => {
    const thread = new Thread(false);
    const fork = thread.fork(TRY, BASE);
    expect(() =>
      thread.compact(() => {
        thread.record(fork);
      }),
    ).toThrow("somebody else changes refs or packs faster");
  });

  test("begins again for a fork that starts from a commit that is about to go, and does not pass it; or keeps what it needs", () => {
    const boundaries = new Set<unknown>();
    let objections = 0;
    for (let begin = 0, isBegun = true; isBegun; begin++) {
      const thread = new Thread();
      let fork: RecordedFork | undefined;
      const outcome = thread.compact((pause) => {
        if (pause === begin) fork = thread.fork(LATE, DROPPED);
        if (fork !== undefined) thread.record(fork);
      });
      isBegun = fork !== undefined;
      fork ??= thread.fork(LATE, DROPPED);
      thread.record(fork);
      const hadMoved = readShallow(thread.memory, REPOSITORY).has(thread.oids[BOUNDARY - 1] as Oid);
      expect(outcome).toMatchObject({ kind: "done", oldest: hadMoved ? BOUNDARY : DROPPED });
      boundaries.add(hadMoved ? BOUNDARY : DROPPED);
      if (thread.settle() !== undefined) objections++;
      thread.checkFork(fork);
      expect([thread.has(DROPPED), thread.has(BOUNDARY - 1)]).toEqual([true, !hadMoved]);
    }
    // Else it came always too early or too late to be interesting.
    expect(boundaries).toEqual(new Set([DROPPED, BOUNDARY]));
    expect(objections).toBeGreaterThan(0);
  });

  test("keeps what a merge needs of a fork that started from a commit that is about to go, and is deleted before anybody looks", () => {
    for (let begin = 0, isBegun = true; isBegun; begin++) {
      const thread = new Thread();
      let tip: Oid | undefined;
      const comeAndGo = (): void => {
        const fork = thread.fork(LATE, DROPPED);
        thread.record(fork, 2);
        tip = thread.tipOf(fork);
        thread.merge(fork);
        thread.delete(fork);
      };
      const outcome = thread.compact((pause) => {
        if (pause === begin) comeAndGo();
      });
      expect(outcome).toMatchObject({ kind: "done" });
      isBegun = tip !== undefined;
      if (!isBegun) comeAndGo();
      thread.settle();
      const reader = new ObjectReader(thread.memory, REPOSITORY);
      const { tree } = readCommit(reader, tip as Oid);
      decodeRoot(reader, tree, (DROPPED + 2) as Seq);
      reader.close();
      thread.checkByGit();
    }
  });

  test("does not begin again for a fork that starts from a commit that was recorded meanwhile", () => {
    const thread = new Thread();
    const fork = thread.fork(TRY, COMMITS);
    const started: RecordedFork[] = [];
    const outcome = thread.compact((pause) => {
      thread.merge(fork);
      const seq = thread.roots.length - 1;
      const oid = thread.refs.read(MAIN_REF) as Oid;
      const ref = `refs/heads/f${String(pause)}`;
      started.push(startFork(thread.memory, REPOSITORY, { ref, oid, seq, root: thread.roots[seq] as Root }));
      thread.forks.open(ref, oid);
      thread.record(started.at(-1) as RecordedFork);
    });
    expect(outcome).toMatchObject({ kind: "done", oldest: BOUNDARY });
    expect(started.length).toBeGreaterThan(5);
    expect(thread.settle()).toBeUndefined();
    thread.checkByGit();
  });
});

describe("RemovalGuard beside forks", () => {
  /** A thread whose compaction has just ended; the old packs are still there. */
  function compacted(prepare: (thread: Thread) => void = () => undefined): Thread {
    const thread = new Thread();
    prepare(thread);
    expect(thread.compact(() => undefined)).toMatchObject({ kind: "done", oldest: BOUNDARY });
    expect(thread.surroundings.retired.hasFiltered).toBe(true);
    return thread;
  }

  test("has no objection to a fork that goes on, that started from a kept commit, or that is deleted", () => {
    let fork: RecordedFork | undefined;
    const thread = compacted((before) => {
      fork = before.fork(TRY, BASE);
      before.record(fork);
    });
    thread.record(fork as RecordedFork, 3);
    expect(thread.objection()).toBeUndefined();
    const late = thread.fork(LATE, BOUNDARY);
    expect(thread.objection()).toBeUndefined();
    thread.record(late);
    thread.merge(late);
    expect(thread.objection()).toBeUndefined();
    thread.delete(fork as RecordedFork);
    thread.delete(late);
    expect(thread.objection()).toBeUndefined();
  });

  test("objects to a fork that started from a dropped commit, though its packs came since, and also when it is merged and deleted", () => {
    const thread = compacted();
    const fork = thread.fork(LATE, DROPPED);
    const words =
      /^refs\/heads\/late is, or was, a fork that started from [0-9a-f]{40}, which may need what was dropped$/;
    expect(thread.objection()).toMatch(words);
    thread.record(fork, 2);
    expect(thread.objection()).toMatch(words);
    thread.merge(fork);
    thread.delete(fork);
    expect(thread.objection()).toMatch(words);
  });

  test("objects to a fork that was deleted and made again on a dropped commit", () => {
    let fork: RecordedFork | undefined;
    const thread = compacted((before) => {
      fork = before.fork(TRY, BASE);
    });
    thread.delete(fork as RecordedFork);
    expect(thread.objection()).toBeUndefined();
    const again = thread.fork(TRY, DROPPED);
    thread.record(again);
    expect(thread.objection()).toContain(TRY);
    thread.settle();
    thread.checkFork(again);
  });

  test("objects to a fork that somebody else has moved to a dropped commit", () => {
    let fork: RecordedFork | undefined;
    const thread = compacted((before) => {
      fork = before.fork(TRY, BASE);
    });
    const tip = thread.tipOf(fork as RecordedFork);
    thread.refs.update(TRY, { expected: tip, to: thread.oids[DROPPED] as Oid });
    expect(thread.objection()).toContain(`${TRY} leads to`);
  });

  test("objects when more forks have come and gone than are remembered", () => {
    const thread = compacted();
    for (let index = 0; index < 1001; index++) {
      thread.forks.open(TRY, thread.oids[BASE] as Oid);
      thread.forks.closed(TRY);
    }
    expect(thread.objection()).toContain("more forks have come and gone");
  });
});

describe("openRecorder with forks", () => {
  test("drops history while a fork seals a commit after each step, and reports no failure", () => {
    const memory = preparedDisk().fork();
    const forks = new OwnForks();
    let now = 0;
    const failures: string[] = [];
    const { maintenance } = openThread({
      fileSystem: memory,
      repositoryDirectory: REPOSITORY,
      ref: MAIN_REF,
      hostName: "host",
      monotonicMilliseconds: () => (now += 1),
      retirementMillisecondsMin: 100,
      retirementMilliseconds: 100,
      isInUse: () => false,
      onFailure: (reason) => failures.push(reason),
      retention: { limits: { keepCommits: undefined, keepSeconds: undefined }, onDropped: () => undefined },
      forks,
    });
    const oid = new RefStore(memory, REPOSITORY).read(MAIN_REF) as Oid;
    const root = HISTORY.roots[COMMITS] as Root;
    const fork = startFork(memory, REPOSITORY, { ref: TRY, oid, seq: COMMITS, root });
    forks.open(TRY, oid);
    const answers: CompactionAnswer[] = [];
    maintenance.compact(`@{${String(BOUNDARY)}}`, (answer) => answers.push(answer));
    let steps = 0;
    for (; answers.length === 0 || maintenance.progress().packsRetired > 0; steps++) {
      maintenance.step();
      // Once the old packs may go they are not followed by those of the next merge.
      if (answers.length > 0 && now > 1000) continue;
      maintenance.noteSeal(recordOnFork(fork));
      forks.moved(TRY, new RefStore(memory, REPOSITORY).read(TRY) as Oid);
    }
    expect([answers, failures]).toEqual([[{ refusal: undefined }], []]);
    expect(steps).toBeGreaterThan(10);
    expect(maintenance.progress().oldestSeq).toBe(BOUNDARY);
    const directory = `${temporaryDirectory()}/store.git`;
    copyToDisk(memory, REPOSITORY, directory);
    expect(fsckComplaints(directory)).toBe("");
    expect(git(directory, ["rev-list", "--count", "try"])).toBe(String(COMMITS - BOUNDARY + fork.roots.length));
  });
});
