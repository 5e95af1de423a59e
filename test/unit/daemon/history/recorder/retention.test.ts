import { beforeEach, describe, expect, test } from "vitest";
import { readCompactionNote } from "../../../../../daemon/history/recorder/compaction.js";
import { Maintenance } from "../../../../../daemon/history/recorder/maintenance.js";
import type { HistoryRecorder } from "../../../../../daemon/history/recorder/recorder.js";
import type { CompactionAnswer } from "../../../../../daemon/history/recorder/retention.js";
import type { RetentionLimits } from "../../../../../daemon/history/recorder/retention-plan.js";
import { createRepository, MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { packDirectory } from "../../../../../daemon/history/repository/pack-file.js";
import { oidFromHex } from "../../../../../daemon/history/object/oid.js";
import { RefStore } from "../../../../../daemon/history/repository/ref-store.js";
import { emptyRoot } from "../../../../../daemon/store/root.js";
import { createFaultyFileSystem, type FaultyFileSystem } from "../../../../support/faulty-file-system.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../../../../support/memory-file-system.js";
import { historyOfEdits, historyOfValues, openRecorder, recordAll } from "./retention-support.js";

const REPOSITORY = "/store.git";
const RETIREMENT_MILLISECONDS = 10_000;
const { commits } = historyOfValues(60, 40);

let memory: MemoryFileSystem;
let disk: FaultyFileSystem;
let recorder: HistoryRecorder;
let now: number;
let dropped: string[];
let failures: string[];

beforeEach(() => {
  memory = createMemoryFileSystem();
  disk = createFaultyFileSystem(memory);
  createRepository(disk, REPOSITORY);
  recorder = openRecorder(disk, REPOSITORY);
  now = 0;
  dropped = [];
  failures = [];
});

/** @param tick - how much time passes while it is looked at; 5 makes each step end after a slice */
function maintain(limits: Partial<RetentionLimits> = {}, tick = 0.1): Maintenance {
  return new Maintenance({
    fileSystem: disk,
    repositoryDirectory: REPOSITORY,
    // Time passes while it is looked at, so that a step ends.
    monotonicMilliseconds: () => (now += tick),
    retirementMillisecondsMin: RETIREMENT_MILLISECONDS,
    retirementMilliseconds: RETIREMENT_MILLISECONDS,
    isInUse: () => false,
    onFailure: (reason) => failures.push(reason),
    retention: {
      branch: MAIN_REF,
      limits: { keepCommits: undefined, keepSeconds: undefined, ...limits },
      threshold: { commitsMin: 5, partMin: 0.1 },
      onDropped: (text) => dropped.push(text),
    },
  });
}

/** Lets it do all that is due now; `waiting` lets the time pass until nothing is left to do. */
function work(maintenance: Maintenance, waiting = false): void {
  for (let due = maintenance.millisecondsUntilDue(); due !== undefined; due = maintenance.millisecondsUntilDue()) {
    if (due > 0 && !waiting) return;
    now += due;
    maintenance.step();
  }
}

/** Records, and tells whoever has to know. */
function record(from: number, to: number, maintenance?: Maintenance): void {
  for (const pack of recordAll(recorder, commits.slice(from - 1, to), 10)) maintenance?.noteSeal(pack);
}

const note = (): string | undefined => readCompactionNote({ fileSystem: disk, repositoryDirectory: REPOSITORY });

function packBytes(): number {
  let bytes = 0;
  for (const name of memory.list(packDirectory(REPOSITORY))) {
    bytes += memory.readFile(`${packDirectory(REPOSITORY)}/${name}`).length;
  }
  return bytes;
}

describe("Maintenance with retention", () => {
  test("answers a request when the history begins there; the note stays until the old packs are gone (retention invariants 1 and 2)", () => {
    record(1, 30);
    const maintenance = maintain();
    work(maintenance, true);
    expect(maintenance.progress().oldestSeq).toBe(1);
    const before = packBytes();
    const answers: CompactionAnswer[] = [];
    maintenance.compact("@{25}", (answer) => answers.push(answer));
    expect(answers).toEqual([]);
    work(maintenance);
    expect(answers).toEqual([{ refusal: undefined }]);
    expect(maintenance.progress().oldestSeq).toBe(25);
    expect(dropped).toEqual([expect.stringContaining("24 commits dropped, the history begins with @{25}")]);
    expect(note()).toBeDefined();
    expect(packBytes()).toBeGreaterThan(before);
    work(maintenance, true);
    expect(note()).toBeUndefined();
    expect(packBytes()).toBeLessThan(before / 2);
    maintenance.compact("@{24}", (answer) => answers.push(answer));
    work(maintenance, true);
    expect(answers[1]).toEqual({ refusal: expect.stringContaining("@{25} to @{30}") as string });
    expect([note(), failures]).toEqual([undefined, []]);
    maintenance.close();
    recorder.close();
    expect(disk.openFiles()).toBe(0);
  });

  test("keeps a limit as the branch grows, in strides, and never below what is wanted", () => {
    const maintenance = maintain({ keepCommits: 20 });
    const oldest: (number | undefined)[] = [];
    for (let seq = 1; seq <= 60; seq += 4) {
      record(seq, seq + 3, maintenance);
      work(maintenance, true);
      const { oldestSeq } = maintenance.progress();
      expect(seq + 3 - (oldestSeq ?? 0) + 1).toBeLessThan(20 + 5 + 4);
      if (seq + 3 >= 20) expect(oldestSeq ?? 0).toBeLessThanOrEqual(seq + 3 - 20 + 1);
      if (oldest.at(-1) !== oldestSeq) oldest.push(oldestSeq);
    }
    expect(oldest.length).toBeGreaterThan(3);
    expect(oldest.length).toBeLessThan(9);
    expect(failures).toEqual([]);
    maintenance.close();
  });

  test("does not look through a history again and again that another branch keeps whole (retention invariant 4)", () => {
    record(1, 10);
    const refs = new RefStore(disk, REPOSITORY);
    refs.update("refs/heads/try", {
      expected: undefined,
      to: refs.read(MAIN_REF) as NonNullable<ReturnType<RefStore["read"]>>,
    });
    record(11, 40);
    const maintenance = maintain({ keepCommits: 10 });
    work(maintenance, true);
    expect(maintenance.progress().oldestSeq).toBe(10);
    const readsOf = (run: () => void): number => {
      const before = disk.calls.filter((call) => call.endsWith("/worktrees")).length;
      run();
      return disk.calls.filter((call) => call.endsWith("/worktrees")).length - before;
    };
    const looked: number[] = [];
    for (let seq = 41; seq <= 52; seq++) {
      record(seq, seq, maintenance);
      looked.push(
        readsOf(() => {
          work(maintenance);
        }),
      );
    }
    expect(looked.filter((count) => count > 0).length).toBeLessThanOrEqual(3);
    maintenance.close();
  });

  test("after a failure it is reported, tried again later, and brought to its end (retention invariant 3)", () => {
    record(1, 30);
    const maintenance = maintain({ keepCommits: 5 });
    disk.inject({ call: "write", nth: 1, path: ".pack-part", error: "ENOSPC", lasts: true });
    work(maintenance);
    expect(failures.filter((reason) => reason.includes("old history could not be dropped"))).toHaveLength(1);
    expect(note()).toBeDefined();
    expect(maintenance.millisecondsUntilDue()).toBeGreaterThan(1000);
    disk.heal();
    work(maintenance, true);
    expect([maintenance.progress().oldestSeq, note()]).toEqual([26, undefined]);
    maintenance.close();
  });

  test("a damaged shallow at start hinders no merge; it is reported, and tried again later", () => {
    record(1, 30);
    const shallow = memory.open(`${REPOSITORY}/shallow`, "create");
    shallow.write(Buffer.from("no oid\n"), 0);
    shallow.close();
    const maintenance = maintain({ keepCommits: 5 });
    expect(maintenance.progress().oldestSeq).toBeUndefined();
    work(maintenance);
    expect(failures).toEqual([expect.stringMatching(/old history could not be dropped: .*shallow, line 1/)]);
    memory.remove(`${REPOSITORY}/shallow`);
    work(maintenance, true);
    expect(maintenance.progress().oldestSeq).toBe(26);
    maintenance.close();
  });

  test("the limits wait until the packs of the compaction before are gone; a person does not (retention invariant 2)", () => {
    record(1, 30);
    const maintenance = maintain({ keepCommits: 10 });
    work(maintenance);
    expect([maintenance.progress().oldestSeq, note() !== undefined]).toEqual([21, true]);
    record(31, 50, maintenance);
    work(maintenance);
    expect(maintenance.progress().oldestSeq).toBe(21);
    const answers: CompactionAnswer[] = [];
    maintenance.compact("@{35}", (answer) => answers.push(answer));
    work(maintenance);
    expect([answers, maintenance.progress().oldestSeq]).toEqual([[{ refusal: undefined }], 35]);
    work(maintenance, true);
    expect([maintenance.progress().oldestSeq, note()]).toEqual([41, undefined]);
    expect([failures, maintenance.progress().packsRetired]).toEqual([[], 0]);
    maintenance.close();
  });

  test("a pack that a crash left before the ref moved, and that is sealed again, survives", () => {
    for (const when of ["after the compaction", "while it runs", "after a merge"]) {
      disk = createFaultyFileSystem(createMemoryFileSystem());
      createRepository(disk, REPOSITORY);
      recorder = openRecorder(disk, REPOSITORY);
      recordAll(recorder, commits.slice(0, 40), when === "after a merge" ? 5 : 20);
      for (const commit of commits.slice(40, 45)) recorder.record(commit);
      disk.inject({ call: "open", path: "main.lock", nth: 1, error: "EIO" });
      expect(() => recorder.seal()).toThrow("EIO");
      recorder.close();
      disk.heal();
      recorder = openRecorder(disk, REPOSITORY);
      expect(recorder.recordedSeq).toBe(40);
      const left = new Set(disk.list(packDirectory(REPOSITORY)));
      const maintenance = maintain({}, 5);
      if (when === "after a merge") work(maintenance);
      const seal = (): void => {
        const [pack] = recordAll(recorder, commits.slice(40, 45), 5) as [string];
        expect(left.has(`pack-${pack}.pack`)).toBe(true);
        maintenance.noteSeal(pack);
      };
      const answers: CompactionAnswer[] = [];
      maintenance.compact("@{38}", (answer) => answers.push(answer));
      if (when === "while it runs") {
        while (answers.length === 0 && note() === undefined) maintenance.step();
        expect(answers).toEqual([]);
        seal();
      }
      work(maintenance);
      expect(answers).toEqual([{ refusal: undefined }]);
      if (when !== "while it runs") seal();
      work(maintenance, true);
      expect([failures, note()]).toEqual([[], undefined]);
      maintenance.close();
      // The mirror is loaded from the tip: all of it is there.
      expect(openRecorder(disk, REPOSITORY).recordedSeq).toBe(45);
    }
  });

  test("an error at the removal of old packs is reported less and less often, and hinders no merge", () => {
    record(1, 30);
    const maintenance = maintain();
    work(maintenance, true);
    maintenance.compact("@{25}", () => undefined);
    work(maintenance);
    const torn = memory.open(`${REPOSITORY}/refs/tags/torn`, "create");
    torn.close();
    now += RETIREMENT_MILLISECONDS;
    const before = maintenance.progress().packs;
    for (let round = 0; round < 30; round++) {
      record(31 + round, 31 + round, maintenance);
      work(maintenance);
      now += 10_000;
    }
    expect(maintenance.progress().packs).toBeLessThan(before + 15);
    // Nor does it keep those that were merged.
    expect(memory.list(packDirectory(REPOSITORY)).length / 2).toBeLessThan(before + 30);
    expect(failures.length).toBeGreaterThan(2);
    expect(failures.length).toBeLessThan(10);
    for (const failure of failures) expect(failure).toContain("replaced packs could not be removed: damaged ref");
    memory.remove(`${REPOSITORY}/refs/tags/torn`);
    work(maintenance, true);
    expect([note(), maintenance.progress().packsRetired]).toEqual([undefined, 0]);
    maintenance.close();
  });

  test("the limits are not waited with for ever when somebody keeps an old pack (retention invariant 2)", () => {
    record(1, 30);
    const maintenance = maintain({ keepCommits: 10 });
    const kept = memory.list(packDirectory(REPOSITORY)).filter((name) => name.endsWith(".pack"));
    work(maintenance);
    expect(maintenance.progress().oldestSeq).toBe(21);
    for (const name of kept)
      memory.open(`${packDirectory(REPOSITORY)}/${name.replace(/pack$/, "keep")}`, "create").close();
    record(31, 60, maintenance);
    for (let minutes = 0; minutes < 30 && maintenance.progress().oldestSeq === 21; minutes++) {
      now += 60_000;
      work(maintenance);
    }
    expect(maintenance.progress().oldestSeq).toBe(51);
    maintenance.close();
  });

  test("however often history is dropped, the number of packs stays small", () => {
    const { node } = emptyRoot();
    // Every tenth commit makes a node that stays, so something is left of each pack.
    const history = historyOfEdits(
      Array.from({ length: 600 }, (_, index) => ({
        kind: "set",
        names: index % 10 === 0 ? ["lasting", String(index)] : ["passing"],
        value: `value ${String(index)}`,
        perms: node.perms,
      })),
    );
    const maintenance = maintain({ keepCommits: 10 });
    for (let seq = 1; seq <= 600; seq += 12) {
      for (const pack of recordAll(recorder, history.commits.slice(seq - 1, seq + 11), 12)) maintenance.noteSeal(pack);
      work(maintenance, true);
      expect(maintenance.progress().packs).toBeLessThan(12);
    }
    expect(dropped.length).toBeGreaterThan(30);
    maintenance.close();
  });

  test("a check that fails is tried again later and later (retention invariant 3)", () => {
    record(1, 30);
    const refs = new RefStore(disk, REPOSITORY);
    refs.update("refs/tags/torn", { expected: undefined, to: oidFromHex("1".repeat(40)) });
    disk.makeDirectory(`${REPOSITORY}/objects/11`);
    const damaged = memory.open(`${REPOSITORY}/objects/11/${"1".repeat(38)}`, "create");
    damaged.write(Buffer.from("no zlib stream"), 0);
    damaged.close();
    const maintenance = maintain({ keepCommits: 5 });
    for (const end = now + 3_600_000; now < end;) {
      work(maintenance);
      now += Math.max(1, maintenance.millisecondsUntilDue() ?? 3_600_000);
    }
    expect(failures.length).toBeGreaterThan(3);
    expect(failures.length).toBeLessThan(15);
    expect(failures[0]).toContain("refs/tags/torn");
    maintenance.close();
  });

  test("presses only when there is more history than is wanted, or somebody asks", () => {
    record(1, 30);
    const unlimited = maintain();
    work(unlimited, true);
    record(31, 31, unlimited);
    expect(unlimited.isPressing).toBe(false);
    unlimited.compact("@{20}", () => undefined);
    expect(unlimited.isPressing).toBe(true);
    work(unlimited, true);
    expect(unlimited.isPressing).toBe(false);
    unlimited.close();
    const limited = maintain({ keepCommits: 20 });
    work(limited, true);
    record(32, 40, limited);
    expect(limited.isPressing).toBe(false);
    record(41, 50, limited);
    expect(limited.isPressing).toBe(true);
    work(limited, true);
    expect([limited.isPressing, limited.progress().oldestSeq]).toEqual([false, 31]);
    limited.close();
  });

  test("a request that fails is answered with the reason, and those that wait when the daemon stops are too", () => {
    record(1, 30);
    const maintenance = maintain();
    work(maintenance, true);
    const answers: CompactionAnswer[] = [];
    const answer = (each: CompactionAnswer): void => void answers.push(each);
    disk.inject({ call: "write", nth: 1, path: "shallow.lock", error: "ENOSPC" });
    maintenance.compact("@{20}", answer);
    work(maintenance);
    expect(answers).toEqual([{ failure: expect.stringContaining("ENOSPC") as string }]);
    maintenance.compact("@{20}", answer);
    maintenance.compact("@{21}", answer);
    maintenance.step();
    maintenance.close();
    recorder.close();
    expect(answers).toHaveLength(3);
    expect(answers.slice(1).every((each) => "failure" in each || each.refusal === undefined)).toBe(true);
    expect(disk.openFiles()).toBe(0);
  });

  test("what a crash cut short is resumed at the next start, without anybody asking", () => {
    record(1, 30);
    const first = maintain();
    work(first, true);
    first.compact("@{25}", () => undefined);
    work(first);
    // The old packs are still there.
    expect(note()).toBeDefined();
    memory.crash("everything");
    const before = packBytes();
    const second = maintain();
    expect(second.progress().oldestSeq).toBe(25);
    work(second, true);
    expect(note()).toBeUndefined();
    expect(packBytes()).toBeLessThan(before / 2);
    expect(openRecorder(disk, REPOSITORY).recordedSeq).toBe(30);
    second.close();
  });
});
