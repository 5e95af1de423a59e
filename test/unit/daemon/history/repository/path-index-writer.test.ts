import { describe, expect, it } from "vitest";
import type { Oid } from "../../../../../daemon/history/object/oid.js";
import { HistoryRecorder } from "../../../../../daemon/history/recorder/recorder.js";
import { MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { pathIndexDirectory } from "../../../../../daemon/history/repository/path-index-files.js";
import { PathIndex } from "../../../../../daemon/history/repository/path-index.js";
import { USUAL_LIMITS, type PathIndexLimits } from "../../../../../daemon/history/repository/path-run-store.js";
import { updateShallow } from "../../../../../daemon/history/repository/shallow.js";
import type { Path, Seq } from "../../../../../protocol/identifiers.js";
import { streamCommit } from "../../../../support/commit-stream.js";
import { diskWithRepository, recordAndSeal, REPOSITORY, walkedOids } from "../../../../support/recorded-history.js";
import type { MemoryFileSystem } from "../../../../support/memory-file-system.js";

/** Each commit of the stream but the first has eight postings. */
const LIMITS: PathIndexLimits = { ...USUAL_LIMITS, postingsMax: 80 };

function filesOf(memory: MemoryFileSystem, ref = MAIN_REF): string[] {
  return memory.list(pathIndexDirectory({ repositoryDirectory: REPOSITORY, ref }));
}

function open(fileSystem: MemoryFileSystem, { limits = LIMITS, ref = MAIN_REF } = {}): HistoryRecorder {
  const place = { fileSystem, repositoryDirectory: REPOSITORY, ref, hostName: "host" };
  return new HistoryRecorder({ ...place, pathIndexLimits: limits });
}

/** Seals ten commits so often. */
function recordTens(recorder: HistoryRecorder, times: number): void {
  for (let count = 0; count < times; count++) recordAndSeal(recorder, 10);
}

function repair(recorder: HistoryRecorder): void {
  while (recorder.isIndexIncomplete) recorder.repairIndex(1);
}

describe("PathIndexWriter", () => {
  it("makes a run of each full tail, and one of four runs of like size (path-index-writer invariant 2)", () => {
    const memory = diskWithRepository();
    const recorder = open(memory);
    recordTens(recorder, 3);
    expect(filesOf(memory)).toEqual(["1.tail", "11.tail", "21.tail"]);
    repair(recorder);
    // What grows no more is known when the next one begins.
    expect(filesOf(memory)).toEqual(["1-10.run", "11-20.run", "21.tail"]);
    recordTens(recorder, 3);
    repair(recorder);
    expect(filesOf(memory)).toEqual(["1-40.run", "41-50.run", "51.tail"]);
    recorder.close();
  });

  it("removes at the start what a merge that was cut off has left, and what was being written", () => {
    const memory = diskWithRepository();
    let recorder = open(memory);
    recordTens(recorder, 4);
    repair(recorder);
    const directory = pathIndexDirectory({ repositoryDirectory: REPOSITORY, ref: MAIN_REF });
    const source = memory.readFile(`${directory}/11-20.run`);
    recordTens(recorder, 2);
    repair(recorder);
    recorder.close();
    expect(filesOf(memory)).toEqual(["1-40.run", "41-50.run", "51.tail"]);
    for (const name of ["11-20.run", "7-8.run.new"]) {
      const file = memory.open(`${directory}/${name}`, "create");
      file.write(source, 0);
      file.close();
    }
    recorder = open(memory);
    repair(recorder);
    recorder.close();
    expect(filesOf(memory)).toEqual(["1-40.run", "41-50.run", "51-60.run"]);
  });

  it("merges no runs into a larger one than the limit", () => {
    const memory = diskWithRepository();
    const recorder = open(memory, { limits: { ...LIMITS, runBytesMax: 100 } });
    recordTens(recorder, 8);
    repair(recorder);
    expect(filesOf(memory).filter((name) => name.endsWith(".run")).length).toBe(7);
    recorder.close();
  });

  it("lets full tails wait while recording lags, but not too many", () => {
    const memory = diskWithRepository();
    const recorder = open(memory);
    const tails = (): number => filesOf(memory).filter((name) => name.endsWith(".tail")).length;
    for (let count = 0; count < 9; count++) {
      recordTens(recorder, 1);
      for (let steps = 0; steps < 1000; steps++) recorder.repairIndex(1, true);
    }
    expect(tails()).toBe(9);
    recordTens(recorder, 1);
    for (let steps = 0; steps < 1000; steps++) recorder.repairIndex(1, true);
    expect(tails()).toBe(9);
    recorder.repairIndex(1000);
    repair(recorder);
    expect(tails()).toBe(1);
    recorder.close();
  });

  it("gives up the runs that end before the history begins, and goes on", () => {
    const memory = diskWithRepository();
    const recorder = open(memory, { limits: { ...LIMITS, runBytesMax: 100 } });
    recordTens(recorder, 6);
    repair(recorder);
    updateShallow(memory, REPOSITORY, { expected: new Set(), to: new Set([walkedOids(memory)[24] as Oid]) });
    recorder.noteBeginning(25 as Seq);
    repair(recorder);
    expect(filesOf(memory)).toEqual(["21-30.run", "31-40.run", "41-50.run", "51.tail"]);
    recorder.close();
  });

  it("reads anew what was not indexed, back to the beginning, and no further than a cut (path-index-writer invariant 3)", () => {
    const memory = diskWithRepository();
    const recorder = open(memory);
    recordTens(recorder, 3);
    recorder.close();
    for (const cut of [undefined, 12]) {
      for (const name of filesOf(memory))
        memory.remove(`${pathIndexDirectory({ repositoryDirectory: REPOSITORY, ref: MAIN_REF })}/${name}`);
      if (cut !== undefined) {
        updateShallow(memory, REPOSITORY, { expected: new Set(), to: new Set([walkedOids(memory)[cut - 1] as Oid]) });
      }
      const next = open(memory, { limits: { ...LIMITS, runBytesMax: 100 } });
      repair(next);
      next.close();
      const files = filesOf(memory);
      expect(files).toContain("21-30.run");
      expect(files.some((name) => name.startsWith(cut === undefined ? "1-" : `${String(cut + 1)}-`))).toBe(true);
    }
  });

  it("takes the place of a tail that a life has left whose ref did not move", () => {
    const memory = diskWithRepository();
    const directory = pathIndexDirectory({ repositoryDirectory: REPOSITORY, ref: MAIN_REF });
    memory.makeDirectory(directory);
    memory.open(`${directory}/1.tail`, "create").close();
    const recorder = open(memory);
    recordTens(recorder, 1);
    recorder.close();
    expect(memory.readFile(`${directory}/1.tail`).length).toBeGreaterThan(100);
  });

  it("has no touch of a commit that left the tree as it was, whatever its changes say", () => {
    const memory = diskWithRepository();
    const recorder = open(memory, { limits: USUAL_LIMITS });
    recordAndSeal(recorder, 5);
    recorder.record({ ...streamCommit({ domains: 3 }, 5), seq: 6 as Seq });
    recorder.seal();
    const place = { fileSystem: memory, repositoryDirectory: REPOSITORY, ref: MAIN_REF };
    const index = new PathIndex(place);
    index.refresh();
    const oids = walkedOids(memory);
    const part = index.partAt(6, (seq) => oids[seq - 1]);
    expect([part?.first, part?.last]).toEqual([1, 6]);
    expect(part?.touches("/" as Path)(6)).toBe(5);
    index.close();
    recorder.close();
  });

  it("keeps an index for each branch", () => {
    const memory = diskWithRepository();
    const ref = "refs/heads/try/a";
    const recorder = open(memory, { ref });
    recordTens(recorder, 2);
    repair(recorder);
    recorder.close();
    expect(filesOf(memory, ref)).toEqual(["1-10.run", "11.tail"]);
    const index = new PathIndex({ fileSystem: memory, repositoryDirectory: REPOSITORY, ref });
    index.refresh();
    const oids = new Map<number, Oid>();
    expect(index.partAt(5, (seq) => oids.get(seq))).toBeUndefined();
    index.refresh();
    const oid = memory
      .readFile(`${pathIndexDirectory({ repositoryDirectory: REPOSITORY, ref })}/1-10.run`)
      .subarray(32, 52);
    oids.set(10, Buffer.from(oid).toString("latin1") as Oid);
    const part = index.partAt(5, (seq) => oids.get(seq));
    expect([part?.first, part?.last]).toEqual([1, 10]);
    expect(part?.touches("/local/domain/2" as Path)(10)).toBe(8);
    expect(part?.touches("/local/domain/2" as Path)(7)).toBe(5);
    expect(part?.touches("/local/domain/9" as Path)(10)).toBe(0);
    index.close();
  });
});
