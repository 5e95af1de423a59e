import { beforeAll, describe, expect, it } from "vitest";
import type { Seq } from "../../../../../protocol/identifiers.js";
import type { Oid } from "../../../../../daemon/history/object/oid.js";
import { MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { SeqIndex, seqIndexPath, serializeSeqHeader } from "../../../../../daemon/history/repository/seq-index.js";
import { SeqIndexWriter } from "../../../../../daemon/history/repository/seq-index-writer.js";
import type { FileSystem } from "../../../../../daemon/platform/file-system.js";
import { createFaultyFileSystem } from "../../../../support/faulty-file-system.js";
import type { MemoryFileSystem } from "../../../../support/memory-file-system.js";
import {
  diskWithRepository,
  openRecorder,
  recordAndSeal,
  REPOSITORY,
  walkedOids,
} from "../../../../support/recorded-history.js";

const PLACE = { repositoryDirectory: REPOSITORY, ref: MAIN_REF };
const PATH = seqIndexPath(PLACE);
/** More than a block of the walk, and far more than a short walk. */
const COMMITS = 5000;

let memory: MemoryFileSystem;
/** The oids of commits 1, 2, … */
let oids: readonly Oid[];

beforeAll(() => {
  memory = diskWithRepository();
  const recorder = openRecorder(memory);
  for (let sealed = 0; sealed < COMMITS; sealed += 1000) recordAndSeal(recorder, 1000);
  recorder.close();
  oids = walkedOids(memory);
});

function write(bytes: Uint8Array): void {
  if (memory.exists(PATH)) memory.remove(PATH);
  const file = memory.open(PATH, "create");
  file.write(bytes, 0);
  file.close();
}

function fileOf(first: number, records: readonly Oid[]): Buffer {
  return Buffer.concat([serializeSeqHeader(first as Seq), Buffer.from(records.join(""), "latin1")]);
}

/** What the index says of every commit. */
function indexed(): (Oid | undefined)[] {
  const index = new SeqIndex({ fileSystem: memory, ...PLACE });
  const found = oids.map((_, before) => index.oidOfSeq(before + 1));
  index.close();
  return found;
}

function openWriter(seq = COMMITS, fileSystem: FileSystem = memory): SeqIndexWriter {
  return new SeqIndexWriter({ fileSystem, ...PLACE }, { oid: oids[seq - 1] as Oid, seq: seq as Seq });
}

/** Repairs to the end; returns how many commits it was asked for until then. */
function repair(writer: SeqIndexWriter): number {
  let steps = 0;
  for (; writer.isRepairing; steps++) writer.repairSome(1);
  writer.close();
  return steps;
}

function otherOids(count: number): Oid[] {
  return Array.from({ length: count }, (_, index) => String(index).padStart(20, "x") as Oid);
}

describe("SeqIndexWriter", () => {
  it("has written every commit that was sealed (seq-index-writer invariant 1)", () => {
    expect(indexed()).toEqual(oids);
    expect(repair(openWriter())).toBeLessThan(5);
  });

  it.each([
    ["no file", () => memory.remove(PATH)],
    ["an empty file", () => write(new Uint8Array(0))],
    ["another version's file", () => write(fileOf(1, oids).fill(9, 8, 12))],
    ["another history's records", () => write(fileOf(1, otherOids(COMMITS)))],
    ["another history's records, and more of them", () => write(fileOf(1, otherOids(COMMITS + 2000)))],
    ["a first seq beyond the tip", () => write(fileOf(COMMITS + 1, oids))],
    ["records that stand one place too far", () => write(fileOf(2, oids))],
  ])("builds it anew from %s, after the tip alone was known", (_, damage) => {
    damage();
    const writer = openWriter();
    const index = new SeqIndex({ fileSystem: memory, ...PLACE });
    expect(index.oidOfSeq(COMMITS)).toBe(oids.at(-1));
    expect(index.oidOfSeq(COMMITS - 1)).toBeUndefined();
    index.close();
    expect(repair(writer)).toBeGreaterThan(COMMITS - 10);
    expect(indexed()).toEqual(oids);
    expect(memory.list(`${REPOSITORY}/xenstore-tng/seq`)).toEqual(["main"]);
  });

  it.each([1, 500, 1000])("appends the last %i records at once when they are missing, some of one too", (missing) => {
    write(fileOf(1, oids.slice(0, -missing)).subarray(0, -7));
    const writer = openWriter();
    expect(indexed()).toEqual(oids);
    expect(repair(writer)).toBeLessThan(5);
  });

  it("walks no further than to a record that agrees (seq-index-writer invariant 2)", () => {
    write(fileOf(1, oids.slice(0, 3000)));
    expect(repair(openWriter())).toBeLessThan(2010);
    expect(indexed()).toEqual(oids);
  });

  it("cuts off what is beyond a tip that was moved back", () => {
    write(fileOf(1, oids));
    repair(openWriter(3000));
    expect(indexed()).toEqual(oids.map((oid, before) => (before < 3000 ? oid : undefined)));
    write(fileOf(1, oids));
  });

  it("goes on with a repair that was cut off, at every step that it pauses at (seq-index-writer invariant 3)", () => {
    write(fileOf(1, oids.slice(0, 3980)));
    for (let steps = 1; ; steps += 211) {
      const writer = openWriter();
      writer.repairSome(steps);
      const isDone = !writer.isRepairing;
      // The process dies here: nothing is closed.
      if (isDone) break;
    }
    expect(repair(openWriter())).toBeLessThan(5);
    expect(indexed()).toEqual(oids);
  });

  it("takes what is sealed while it repairs", () => {
    const disk = diskWithRepository();
    let recorder = openRecorder(disk);
    recordAndSeal(recorder, 2000);
    recorder.close();
    disk.remove(PATH);
    recorder = openRecorder(disk);
    while (recorder.isIndexIncomplete) {
      recorder.repairIndex(100);
      recordAndSeal(recorder, 7);
    }
    recorder.close();
    const index = new SeqIndex({ fileSystem: disk, ...PLACE });
    const walked = walkedOids(disk);
    expect(walked.length).toBeGreaterThan(2100);
    expect(walked.map((_, before) => index.oidOfSeq(before + 1))).toEqual(walked);
  });

  it("stops at a commit whose parents were given up", () => {
    const hex = Buffer.from(oids[1999] as Oid, "latin1").toString("hex");
    const shallow = memory.open(`${REPOSITORY}/shallow`, "create");
    shallow.write(Buffer.from(`${hex}\n`), 0);
    shallow.close();
    memory.remove(PATH);
    repair(openWriter());
    memory.remove(`${REPOSITORY}/shallow`);
    expect(indexed()).toEqual(oids.map((oid, before) => (before >= 1999 ? oid : undefined)));
    write(fileOf(1, oids));
  });

  it("walks nowhere and fails nobody while the file shallow is damaged, keeps what it has, and is whole when that is mended", () => {
    const shallow = memory.open(`${REPOSITORY}/shallow`, "create");
    shallow.write(Buffer.from(`cut off\n${"ab".repeat(20)}\n`), 0);
    shallow.close();
    write(fileOf(1, oids.slice(0, 4500)));
    const writer = openWriter(COMMITS - 1);
    expect(repair(writer)).toBeLessThan(5);
    const next = openWriter(COMMITS - 1);
    next.note(oids[COMMITS - 1] as Oid);
    next.publish({ oid: oids[COMMITS - 1] as Oid, seq: COMMITS as Seq });
    next.close();
    expect(indexed()).toEqual(oids.map((oid, before) => (before >= COMMITS - 2 ? oid : undefined)));
    memory.remove(`${REPOSITORY}/shallow`);
    expect(repair(openWriter()), "the records before are still of use").toBeLessThan(600);
    expect(indexed()).toEqual(oids);
  });

  describe("of a fork", () => {
    const BASE = 1500;
    const own = (): (Oid | undefined)[] => oids.map((oid, before) => (before >= BASE ? oid : undefined));
    const openForkWriter = (seq = COMMITS): SeqIndexWriter =>
      new SeqIndexWriter(
        { fileSystem: memory, ...PLACE },
        { oid: oids[seq - 1] as Oid, seq: seq as Seq },
        { oid: oids[BASE - 1] as Oid, seq: BASE as Seq },
      );
    const beginsAt = (): number => Number(Buffer.from(memory.readFile(PATH)).readBigUInt64BE(16));

    it.each([
      ["no file", () => memory.remove(PATH)],
      ["another history's records", () => write(fileOf(BASE + 1, otherOids(COMMITS - BASE)))],
      ["an index that begins before the base", () => write(fileOf(1, oids.slice(0, 3000)))],
      ["an index that begins before the base and leads to the tip", () => write(fileOf(9, oids.slice(8)))],
      [
        "an old index that does",
        () => {
          write(fileOf(1, oids.slice(0, 1400)));
          memory.rename(PATH, `${PATH}.old`);
        },
      ],
    ])("built anew from %s begins after the base", (what, damage) => {
      damage();
      repair(openForkWriter());
      expect(indexed()).toEqual(own());
      expect(beginsAt(), what).toBe(BASE + 1);
      expect(memory.list(`${REPOSITORY}/xenstore-tng/seq`)).toEqual(["main"]);
    });

    it("is no file as long as the tip is the base, whatever an earlier branch of the name has left, and whole at once then", () => {
      write(fileOf(BASE + 1, otherOids(7)));
      const writer = openForkWriter(BASE);
      expect(memory.list(`${REPOSITORY}/xenstore-tng/seq`)).toEqual([]);
      expect(writer.isRepairing).toBe(false);
      for (const oid of oids.slice(BASE)) writer.note(oid);
      writer.publish({ oid: oids.at(-1) as Oid, seq: COMMITS as Seq });
      expect(indexed()).toEqual(own());
      writer.repairSome(1);
      expect(writer.isComplete).toBe(true);
      writer.close();
      expect(beginsAt()).toBe(BASE + 1);
      write(fileOf(1, oids));
    });
  });

  it("discardBefore drops records when that frees half of the file, and keeps the others", () => {
    write(fileOf(1, oids));
    const writer = openWriter();
    writer.discardBefore(2000 as Seq);
    expect(indexed()).toEqual(oids);
    writer.discardBefore(4001 as Seq);
    expect(indexed()).toEqual(oids.map((oid, before) => (before >= 4000 ? oid : undefined)));
    writer.close();
    write(fileOf(1, oids));
  });

  it("fails nobody when the disk refuses, and makes it good at a later seal", () => {
    for (const call of ["open", "write", "truncate", "rename"] as const) {
      for (let nth = 1; nth < 8; nth++) {
        const faulty = createFaultyFileSystem(memory);
        write(fileOf(1, oids.slice(0, 3990)));
        faulty.inject({ call, nth, error: "ENOSPC", lasts: true });
        const writer = openWriter(3995, faulty);
        writer.note(oids[3995] as Oid);
        writer.publish({ oid: oids[3995] as Oid, seq: 3996 as Seq });
        writer.repairSome(10_000);
        faulty.heal();
        writer.publish({ oid: oids[COMMITS - 1] as Oid, seq: COMMITS as Seq });
        writer.close();
        repair(openWriter());
        expect(indexed()).toEqual(oids);
      }
    }
  });
});
