/** The loop when something fails; how it runs otherwise is seen in `handle.test.ts`, in its thread. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Seq } from "../../../../../protocol/identifiers.js";
import type { CompactionAnswer } from "../../../../../daemon/history/recorder/retention.js";
import type { MaintenanceProgress } from "../../../../../daemon/history/recorder/maintenance.js";
import type { RecorderReport } from "../../../../../daemon/history/recorder/messages.js";
import { RecorderLoop } from "../../../../../daemon/history/recorder/recorder-loop.js";
import { HistoryRecorder } from "../../../../../daemon/history/recorder/recorder.js";
import { createRepository, MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { openJournal, type Journal, type JournalPosition } from "../../../../../daemon/journal/journal.js";
import { streamCommits } from "../../../../support/commit-stream.js";
import { createFaultyFileSystem, type FaultyFileSystem } from "../../../../support/faulty-file-system.js";
import { createMemoryFileSystem } from "../../../../support/memory-file-system.js";

const REPOSITORY = "/state/store.git";
const JOURNAL = "/state/journal/main";

/** Maintenance that always has something to do, and answers a compaction when it is closed. */
class FakeMaintenance {
  isDue = true;
  isPressing = false;
  stepped: () => void = () => undefined;
  readonly answers: ((answer: CompactionAnswer) => void)[] = [];

  step(): void {
    this.isDue = false;
    this.stepped();
  }
  compact(_revision: string, answer: (answer: CompactionAnswer) => void): void {
    this.answers.push(answer);
  }
  close(): void {
    for (const answer of this.answers.splice(0)) answer({ failure: "closed" });
  }
  noteSeal(): void {
    this.isDue = true;
  }
  millisecondsUntilDue(): number | undefined {
    return this.isDue ? 0 : undefined;
  }
  progress(): MaintenanceProgress {
    return { packs: 1, packBytes: 0, packsRetired: 1, oldestSeq: undefined, maintenanceMilliseconds: 0 };
  }
}

let disk: FaultyFileSystem;
let end: JournalPosition;
let journal: Journal;
/** Of the loop's clock, at each look at it. */
let lookedAt: () => number;
let maintenance: FakeMaintenance;
let reports: RecorderReport[];
let reported: () => void;
let urgencies: boolean[];
let loop: RecorderLoop;

beforeEach(() => {
  disk = createFaultyFileSystem(createMemoryFileSystem());
  disk.makeDirectory("/state");
  createRepository(disk, REPOSITORY);
  ({ journal } = openJournal({ fileSystem: disk, directory: JOURNAL, after: 0 as Seq, durability: "process" }));
  end = journal.append([...streamCommits({ domains: 2 }, 1, 3)]);
  maintenance = new FakeMaintenance();
  reports = [];
  reported = () => undefined;
  lookedAt = () => performance.now();
  urgencies = [];
  startLoop({ sealMilliseconds: 10 });
});

function startLoop({ sealMilliseconds }: { readonly sealMilliseconds: number }): void {
  loop = new RecorderLoop({
    fileSystem: disk,
    monotonicMilliseconds: () => lookedAt(),
    journalDirectory: JOURNAL,
    recorder: new HistoryRecorder({
      fileSystem: disk,
      repositoryDirectory: REPOSITORY,
      ref: MAIN_REF,
      hostName: "host",
    }),
    maintenance: maintenance,
    sealMilliseconds,
    report: (report) => {
      reports.push(report);
      reported();
    },
    setUrgent: (isUrgent) => urgencies.push(isUrgent),
  });
}

afterEach(() => {
  loop.handle({ kind: "close" });
  vi.useRealTimers();
});

/** Resolves with the first report of a kind, one that was made before too. */
async function report(kind: RecorderReport["kind"]): Promise<RecorderReport> {
  for (;;) {
    const found = reports.find((each) => each.kind === kind);
    if (found !== undefined) return found;
    await new Promise<void>((resolve) => {
      reported = resolve;
    });
  }
}

describe("RecorderLoop", () => {
  it("does nothing before the first message, however much is due: the main thread is still loading", async () => {
    let steps = 0;
    maintenance.stepped = () => {
      steps++;
    };
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(steps).toBe(0);
    loop.handle({ kind: "publish", position: end });
    await report("sealed");
    expect(steps).toBeGreaterThan(0);
  });

  it("maintains while the disk is full, since that may make room (recorder loop invariant 5)", async () => {
    disk.inject({ call: "open", path: ".pack-part", nth: 1, lasts: true, error: "ENOSPC" });
    loop.handle({ kind: "flush", id: 1, position: end });
    expect(await report("flushFailed")).toMatchObject({ id: 1 });
    expect(await report("failure")).toMatchObject({ isFinal: false });
    const stepped = new Promise<void>((resolve) => {
      maintenance.stepped = resolve;
    });
    maintenance.isDue = true;
    loop.handle({ kind: "publish", position: end });
    await stepped;
    expect(reports.some(({ kind }) => kind === "sealed")).toBe(false);
    disk.heal();
    loop.handle({ kind: "flush", id: 2, position: end });
    expect(await report("flushed")).toMatchObject({ id: 2, progress: { sealedSeq: 3 } });
  });

  it("while it lags the repository is maintained only when more history is there than is wanted (recorder loop invariant 4)", async () => {
    const { journal } = openJournal({ fileSystem: disk, directory: JOURNAL, after: 0 as Seq, durability: "process" });
    for (const isPressing of [false, true]) {
      end = journal.append([...streamCommits({ domains: 2 }, end.seq + 1, end.seq + 2000)]);
      const from = end.seq - 2000;
      const stepsAt: number[] = [];
      maintenance.isPressing = isPressing;
      maintenance.stepped = () => {
        stepsAt.push(loop.progress().recordedSeq);
        maintenance.isDue = true;
      };
      maintenance.isDue = true;
      reports.length = 0;
      loop.handle({ kind: "flush", id: 1, position: end });
      await report("flushed");
      if (isPressing) expect(stepsAt.some((seq) => seq < end.seq)).toBe(true);
      else expect(stepsAt.filter((seq) => seq > from && seq < end.seq)).toEqual([]);
    }
  });

  it("is urgent as long as somebody waits for a flush or a compaction, and not for what is merely published", async () => {
    loop.handle({ kind: "publish", position: end });
    await report("sealed");
    expect(urgencies).toEqual([]);
    loop.handle({ kind: "flush", id: 1, position: end });
    loop.handle({ kind: "flush", id: 2, position: end });
    await report("flushed");
    expect(urgencies).toEqual([true, false]);
    loop.handle({ kind: "compact", id: 3, revision: "@{1}" });
    expect(urgencies).toEqual([true, false, true]);
    maintenance.close();
    expect(urgencies).toEqual([true, false, true, false]);
  });

  it.each([
    { what: "is urgent for who has waited patiently for a second", millisecondsEachLook: 600, expected: [true, false] },
    { what: "is not urgent for who waits patiently and not long", millisecondsEachLook: 1, expected: [] },
  ])("$what", async ({ millisecondsEachLook, expected }) => {
    let now = 0;
    lookedAt = () => (now += millisecondsEachLook);
    const manyBatches = journal.append([...streamCommits({ domains: 2 }, 4, 1000)]);
    loop.handle({ kind: "flush", id: 1, position: manyBatches, isPatient: true });
    await report("flushed");
    expect(urgencies).toEqual(expected);
  });

  it("rests in a burst until somebody asks or the burst has ended (recorder loop invariant 6)", async () => {
    let now = 0;
    lookedAt = () => now;
    const burst = async (from: number): Promise<JournalPosition> => {
      now += 100;
      const position = journal.append([...streamCommits({ domains: 2 }, from, from + 999)]);
      loop.handle({ kind: "publish", position });
      for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
      return position;
    };
    loop.handle({ kind: "publish", position: end });
    await report("sealed");
    const asked = await burst(4);
    expect(loop.progress().recordedSeq).toBe(3);
    loop.handle({ kind: "flush", id: 1, position: asked, isPatient: true });
    await report("flushed");
    expect(loop.progress().sealedSeq).toBe(1003);
    await burst(1004);
    expect(loop.progress().recordedSeq).toBe(1003);
    now += 100;
    await vi.waitUntil(() => loop.progress().sealedSeq === 2003);
  });

  it("answers compactions, also those that come later, when it has failed for good (recorder loop invariant 5)", async () => {
    loop.handle({ kind: "compact", id: 1, revision: "@{1}" });
    const segment = end.segment;
    const file = disk.open(`${JOURNAL}/${segment}`, "write");
    file.write(Buffer.from("x"), end.offset - 20);
    file.close();
    loop.handle({ kind: "publish", position: end });
    expect(await report("failure")).toMatchObject({ isFinal: true });
    expect(await report("compactFailed")).toMatchObject({ id: 1 });
    reports.length = 0;
    loop.handle({ kind: "compact", id: 2, revision: "@{1}" });
    expect(await report("compactFailed")).toMatchObject({ id: 2 });
  });

  it("seals when the journal can be read again, though the flush was refused and it is not time (recorder loop invariant 7)", async () => {
    loop.handle({ kind: "close" });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    startLoop({ sealMilliseconds: 3_600_000 });
    disk.inject({ call: "read", path: end.segment, nth: 1, error: "EIO" });
    loop.handle({ kind: "flush", id: 1, position: end });
    expect(await report("flushFailed")).toMatchObject({ id: 1 });
    expect(await report("failure")).toMatchObject({ isFinal: false });
    vi.advanceTimersByTime(1000);
    expect(await report("sealed")).toMatchObject({ progress: { sealedSeq: 3 } });
  });
});
