import { beforeEach, describe, expect, it } from "vitest";
import type { Seq } from "../../../../protocol/identifiers.js";
import type { PassedOver } from "../../../../daemon/journal/bad-line.js";
import { DamagedJournalError, ForeignJournalError } from "../../../../daemon/journal/errors.js";
import { JournalFollower } from "../../../../daemon/journal/follower.js";
import { openJournal, type Journal } from "../../../../daemon/journal/journal.js";
import { encodeRecord, sealLine } from "../../../../daemon/journal/record.js";
import { encodeHeader } from "../../../../daemon/journal/segment.js";
import type { Commit } from "../../../../daemon/store/commit.js";
import { createFaultyFileSystem, type FaultyFileSystem } from "../../../support/faulty-file-system.js";
import { createMemoryFileSystem } from "../../../support/memory-file-system.js";
import { commitAt, commitsFrom } from "./sample-commits.js";

const directory = "/journal";
let disk: FaultyFileSystem;
let journal: Journal;
beforeEach(() => {
  disk = createFaultyFileSystem(createMemoryFileSystem());
  ({ journal } = openJournal({
    fileSystem: disk,
    directory,
    after: 0 as Seq,
    durability: "process",
    segmentBytesMax: 500,
  }));
});

function fill(first: number, last: number): void {
  for (const commit of commitsFrom(first, last)) journal.append([commit]);
}

function follow(after = 0): JournalFollower {
  return new JournalFollower(disk, directory, after as Seq);
}

const seqsOf = (commits: readonly Commit[]): number[] => commits.map((commit) => commit.seq);
const seqs = (first: number, last: number): number[] => seqsOf(commitsFrom(first, last));

/** Overwrites bytes of a file in place. */
function scribble(name: string, offset: number, text: string): void {
  const file = disk.open(`${directory}/${name}`, "write");
  file.write(Buffer.from(text, "latin1"), offset);
  file.close();
}

describe("JournalFollower", () => {
  it("reads what was appended, once, over segment boundaries", () => {
    const follower = follow();
    expect(follower.readUpTo(journal.position(), 100)).toEqual([]);
    fill(1, 10);
    expect(disk.list(directory).length).toBeGreaterThan(2);
    expect(follower.readUpTo(journal.position(), 100)).toEqual(commitsFrom(1, 10));
    expect(follower.readUpTo(journal.position(), 100)).toEqual([]);
    fill(11, 30);
    expect(seqsOf(follower.readUpTo(journal.position(), 100))).toEqual(seqs(11, 30));
    expect(follower.seq).toBe(30);
  });

  it("gives at most as many as asked for, and the rest later", () => {
    fill(1, 20);
    const follower = follow();
    const batches: number[][] = [];
    for (
      let batch = follower.readUpTo(journal.position(), 6);
      batch.length > 0;
      batch = follower.readUpTo(journal.position(), 6)
    ) {
      batches.push(seqsOf(batch));
    }
    expect(batches).toEqual([seqs(1, 6), seqs(7, 12), seqs(13, 18), seqs(19, 20)]);
  });

  it("begins after any seq, in any segment", () => {
    fill(1, 20);
    for (let after = 0; after <= 20; after++) {
      const follower = follow(after);
      expect(follower.seq).toBe(after);
      expect(seqsOf(follower.readUpTo(journal.position(), 100))).toEqual(seqs(after + 1, 20));
      follower.close();
    }
  });

  it("never reads beyond the end that it is given", () => {
    fill(1, 2);
    const end = journal.position();
    fill(3, 12);
    const follower = follow();
    expect(seqsOf(follower.readUpTo(end, 100))).toEqual([1, 2]);
    expect(follower.readUpTo(end, 100)).toEqual([]);
    expect(seqsOf(follower.readUpTo(journal.position(), 100))).toEqual(seqs(3, 12));
  });

  it("does not even buffer what lies beyond, because it may be taken back", () => {
    fill(1, 1);
    const end = journal.position();
    scribble(end.segment, end.offset, encodeRecord(commitAt(2, "refused")));
    const follower = follow();
    expect(seqsOf(follower.readUpTo(end, 100))).toEqual([1]);
    journal.append([commitAt(2, "taken")]);
    expect(follower.readUpTo(journal.position(), 100)).toEqual([commitAt(2, "taken")]);
  });

  it("does not see an append that was taken back (journal invariant 5)", () => {
    fill(1, 1);
    const follower = follow();
    disk.inject({ call: "write", nth: 1, bytes: 200, error: "ENOSPC" });
    expect(() => journal.append([commitAt(2, "refused")])).toThrow("ENOSPC");
    expect(seqsOf(follower.readUpTo(journal.position(), 100))).toEqual([1]);
    journal.append([commitAt(2, "taken")]);
    expect(follower.readUpTo(journal.position(), 100)).toEqual([commitAt(2, "taken")]);
  });

  it("goes on when the segments that it has read are discarded", () => {
    fill(1, 10);
    const follower = follow();
    expect(follower.readUpTo(journal.position(), 7)).toHaveLength(7);
    journal.discardThrough(7 as Seq);
    fill(11, 12);
    expect(seqsOf(follower.readUpTo(journal.position(), 100))).toEqual(seqs(8, 12));
  });

  it("follows a journal that begins after a history", () => {
    ({ journal } = openJournal({ fileSystem: disk, directory: "/other", after: 41 as Seq, durability: "process" }));
    journal.append(commitsFrom(42, 44));
    const follower = new JournalFollower(disk, "/other", 41 as Seq);
    expect(seqsOf(follower.readUpTo(journal.position(), 100))).toEqual([42, 43, 44]);
  });

  it("names file and offset of a bad line, after it gave the good ones before", () => {
    fill(1, 2);
    const { offset, segment } = journal.position();
    fill(3, 3);
    scribble(segment, offset + 20, "x");
    const follower = follow();
    expect(seqsOf(follower.readUpTo(journal.position(), 2))).toEqual([1, 2]);
    expect(() => follower.readUpTo(journal.position(), 2)).toThrow(
      expect.objectContaining({ name: "DamagedJournalError", file: `${directory}/${segment}`, offset }) as Error,
    );
  });

  it("passes over bad lines up to `after` as recovery does", () => {
    fill(1, 1);
    const { offset, segment } = journal.position();
    fill(2, 9);
    scribble(segment, offset + 20, "x");
    const passedOver: PassedOver[] = [];
    const follower = new JournalFollower(disk, directory, 2 as Seq, (bad) => passedOver.push(bad));
    expect(seqsOf(follower.readUpTo(journal.position(), 100))).toEqual(seqs(3, 9));
    const reason = "its checksum does not match";
    expect(passedOver).toEqual([{ file: `${directory}/${segment}`, offset, lines: 1, reason }]);
    expect(() => follow(1).readUpTo(journal.position(), 100)).toThrow(DamagedJournalError);
  });

  it("does not pass over a line that a damaged newline joined to one after `after`", () => {
    fill(1, 1);
    const start = journal.position();
    fill(2, 2);
    scribble(start.segment, journal.position().offset - 1, "\x0b");
    fill(3, 3);
    const { segment, offset } = start;
    expect(() => follow(2).readUpTo(journal.position(), 100)).toThrow(
      expect.objectContaining({ name: "DamagedJournalError", file: `${directory}/${segment}`, offset }) as Error,
    );
  });

  it("names file and offset of a bad header, and refuses one of another version", () => {
    fill(1, 1);
    const { segment } = journal.position();
    const file = `${directory}/${segment}`;
    scribble(segment, 20, "y");
    expect(() => follow().readUpTo(journal.position(), 100)).toThrow(
      expect.objectContaining({ name: "DamagedJournalError", file, offset: 0 }) as Error,
    );
    const foreign = '{"format":"xenstore-tng journal","version":9,"branch":"main","first":1';
    const { length } = encodeHeader({ branch: "main", first: 1 as Seq, boot: undefined });
    scribble(segment, 0, sealLine(foreign.padEnd(length - "12345678 }\n".length) + "}"));
    expect(() => follow().readUpTo(journal.position(), 100)).toThrow(ForeignJournalError);
  });

  it("refuses a good line that is not the next", () => {
    for (const seq of [1, 3]) {
      fill(1, 1);
      const { offset, segment } = journal.position();
      fill(2, 2);
      scribble(segment, offset, encodeRecord(commitAt(seq)));
      const follower = follow();
      expect(() => follower.readUpTo(journal.position(), 100)).toThrow(
        `commit ${String(seq)} stands where 2 was expected`,
      );
      follower.close();
      journal.close();
      for (const name of disk.list(directory)) disk.remove(`${directory}/${name}`);
      ({ journal } = openJournal({ fileSystem: disk, directory, after: 0 as Seq, durability: "process" }));
    }
  });

  it("refuses an end that promises more than lies before it", () => {
    fill(1, 2);
    const end = journal.position();
    expect(() => follow().readUpTo({ ...end, seq: 3 as Seq }, 100)).toThrow(DamagedJournalError);
  });

  it("keeps one file open, and none after close", () => {
    fill(1, 20);
    const before = disk.openFiles();
    const follower = follow();
    follower.readUpTo(journal.position(), 100);
    expect(disk.openFiles()).toBe(before + 1);
    follower.close();
    follower.close();
    expect(disk.openFiles()).toBe(before);
  });

  it("does not wait for lines that should be there and are not", () => {
    fill(1, 2);
    const end = journal.position();
    const file = disk.open(`${directory}/${end.segment}`, "write");
    file.truncate(end.offset - 10);
    file.close();
    expect(() => follow().readUpTo(end, 100)).toThrow("commits up to 2 were written, but it ends after 1");
  });
});
