/** Recovery as `openJournal` shows it. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Seq } from "../../../../protocol/identifiers.js";
import { DamagedJournalError } from "../../../../daemon/journal/errors.js";
import { JournalFollower } from "../../../../daemon/journal/follower.js";
import { openJournal } from "../../../../daemon/journal/journal.js";
import { nodeFileSystem } from "../../../../daemon/platform/node-file-system.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";
import {
  contentOf,
  damageLine,
  directory,
  disk,
  filled,
  firstSegment,
  freshDisk,
  memory,
  open,
  overwrite,
  recovered,
  seqs,
} from "./journal-fixture.js";
import { commitAt, commitsFrom } from "./sample-commits.js";

beforeEach(freshDisk);

describe("openJournal", () => {
  it("of a missing directory makes a journal that starts after `after`", () => {
    const { journal, recovered: found, cut } = open({ after: 41 });
    expect([found, cut]).toEqual([[], undefined]);
    expect(journal.position()).toMatchObject({ segment: "0000000000000042.journal", seq: 41 });
    journal.append([commitAt(42)]);
    expect(recovered(41)).toEqual([42]);
  });

  it("appends where an earlier life ended", () => {
    filled(5).close();
    const { journal } = open({ after: 2, segmentBytesMax: 500 });
    expect(journal.position().seq).toBe(5);
    for (const commit of commitsFrom(6, 9)) journal.append([commit]);
    expect(recovered(2)).toEqual(seqs(3, 9));
  });

  it("recovers only what comes after `after`, at any place of it", () => {
    filled(10).close();
    for (let after = 0; after <= 10; after++) expect(recovered(after)).toEqual(seqs(after + 1, 10));
  });

  it("cuts the tail that a crash tore at any byte of the last three lines", () => {
    filled(6, { segmentBytesMax: 1e6 }).close();
    const whole = contentOf(firstSegment);
    const ends = [...whole.matchAll(/\n/g)].map((match) => match.index + 1);
    const keptOf = (length: number): number => ends.filter((end) => end <= length).length - 1;
    for (let length = ends[3] ?? 0; length < whole.length; length++) {
      overwrite(firstSegment, whole.slice(0, length));
      const kept = keptOf(length);
      const { journal, recovered: found, cut } = open();
      expect(found.map((commit) => commit.seq)).toEqual(seqs(1, kept));
      const offset = ends[kept] ?? 0;
      if (offset === length) expect(cut).toBeUndefined();
      else expect(cut).toMatchObject({ file: firstSegment, offset, bytes: length - offset });
      journal.append([commitAt(kept + 1)]);
      journal.close();
      expect(recovered()).toEqual(seqs(1, kept + 1));
    }
  });

  it("removes a last segment with a torn header, or an empty one, and uses its name again", () => {
    for (const after of [0, 1]) {
      for (const length of [0, 1, 50]) {
        freshDisk();
        filled(2, { segmentBytesMax: 10 }).close();
        const torn = `${directory}/0000000000000002.journal`;
        overwrite(torn, contentOf(torn).slice(0, length));
        const { journal, cut } = open({ after });
        expect(cut).toMatchObject({ file: torn, offset: 0, bytes: length });
        expect(journal.position()).toMatchObject({ seq: 1 });
        journal.append([commitAt(2)]);
        journal.close();
        expect(recovered(after)).toEqual(seqs(after + 1, 2));
      }
    }
  });

  it("does not append to an earlier segment that it has not read to its end", () => {
    filled(3, { segmentBytesMax: 300 }).close();
    const [first, second] = memory.list(directory);
    expect(second).toBe("0000000000000003.journal");
    overwrite(`${directory}/${first ?? ""}`, contentOf(`${directory}/${first ?? ""}`).slice(0, -20));
    overwrite(`${directory}/${second ?? ""}`, "");
    const { journal } = open({ after: 2 });
    journal.append([commitAt(3)]);
    journal.close();
    expect(recovered(2)).toEqual([3]);
  });

  it("of a sole segment with a torn header starts anew", () => {
    open().journal.close();
    overwrite(firstSegment, contentOf(firstSegment).slice(0, 20));
    const { journal } = open();
    journal.append([commitAt(1)]);
    expect(recovered()).toEqual([1]);
  });

  it("goes on after a last segment with a header alone", () => {
    open({ after: 3 }).journal.close();
    const { journal, cut } = open({ after: 3 });
    expect(cut).toBeUndefined();
    journal.append([commitAt(4)]);
    expect(recovered(3)).toEqual([4]);
  });

  it("cuts from a bad line on, later lines and segments too, when nothing proves that it was synced", () => {
    filled(12).close();
    const names = memory.list(directory);
    const second = `${directory}/${names[1] ?? ""}`;
    const first = Number(names[1]?.slice(0, 16));
    const sizeBefore = names.reduce((sum, name) => sum + contentOf(`${directory}/${name}`).length, 0);
    damageLine(second, 2);
    const { journal, recovered: found, cut } = open();
    expect(found.map((commit) => commit.seq)).toEqual(seqs(1, first));
    expect(memory.list(directory)).toEqual(names.slice(0, 2));
    expect(cut).toMatchObject({ file: second, bytes: sizeBefore - journal.bytes() });
    expect(journal.position()).toMatchObject({ segment: names[1], offset: cut?.offset, seq: first });
    journal.append([commitAt(first + 1)]);
    expect(recovered()).toEqual(seqs(1, first + 1));
  });

  it("refuses a bad line that a later line proves was synced, with file and offset, and changes nothing", () => {
    filled(12, { durability: "power" }).close();
    const names = memory.list(directory);
    const second = `${directory}/${names[1] ?? ""}`;
    damageLine(second, 1);
    const offset = contentOf(second).indexOf("\n") + 1;
    const before = names.map((name) => contentOf(`${directory}/${name}`));
    let thrown: unknown;
    try {
      open();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(DamagedJournalError);
    expect(thrown).toMatchObject({ file: second, offset });
    expect((thrown as Error).message).toMatch(
      /its checksum does not match\), although it was synced to the disk, as the line of commit \d+ says/,
    );
    expect(names.map((name) => contentOf(`${directory}/${name}`))).toEqual(before);
  });

  it("takes the next line's word, in the same segment or the next one, for the last line before it", () => {
    for (const segmentBytesMax of [1e6, 10]) {
      freshDisk();
      filled(2, { durability: "power", segmentBytesMax }).close();
      damageLine(firstSegment, 1);
      expect(() => open()).toThrow(DamagedJournalError);
    }
  });

  it("cuts durably: what was cut does not come back after a power cut", () => {
    filled(3, { durability: "power", segmentBytesMax: 1e6 }).close();
    const file = memory.open(firstSegment, "write");
    file.write(Buffer.from("x"), file.size() - 10);
    file.sync();
    const { cut, journal } = open();
    expect(cut?.bytes).toBeGreaterThan(0);
    memory.crash("everything");
    expect(contentOf(firstSegment)).toHaveLength(journal.position().offset);
  });

  it("cuts under power a bad line of the last batch, which nothing proves", () => {
    const { journal } = open({ durability: "power" });
    journal.append(commitsFrom(1, 3));
    journal.append(commitsFrom(4, 6));
    damageLine(firstSegment, 5);
    expect(recovered()).toEqual([1, 2, 3, 4]);
  });

  it("refuses a gap between good lines, which no crash makes", () => {
    filled(6, { segmentBytesMax: 1e6 }).close();
    const lines = contentOf(firstSegment).split("\n");
    overwrite(firstSegment, lines.filter((_, index) => index !== 4).join("\n"));
    expect(() => open()).toThrow(/commit 5 follows, but 4 was expected/);
    expect(recovered(4)).toEqual([5, 6]);
  });

  it("refuses a missing segment in the middle under power, and cuts there under process", () => {
    for (const durability of ["power", "process"] as const) {
      freshDisk();
      filled(12, { durability }).close();
      const names = memory.list(directory);
      memory.remove(`${directory}/${names[1] ?? ""}`);
      if (durability === "power") expect(() => open()).toThrow(DamagedJournalError);
      else expect(recovered()).toEqual(seqs(1, Number(names[1]?.slice(0, 16)) - 1));
    }
  });

  it("refuses a journal that begins after the history's end", () => {
    filled(12).close();
    const [gone, second] = memory.list(directory);
    memory.remove(`${directory}/${gone ?? ""}`);
    const first = Number(second?.slice(0, 16));
    expect(() => open({ after: first - 3 })).toThrow(
      `it begins with commit ${String(first)}, but the history ends with ${String(first - 3)}: commits ${String(first - 2)} to ${String(first - 1)} are in neither`,
    );
    expect(() => open({ after: first - 2 })).toThrow(DamagedJournalError);
    expect(recovered(first - 1)).toEqual(seqs(first, 12));
  });

  it("closes every file that it opened, also when it refuses", () => {
    filled(12, { durability: "power" }).close();
    expect(disk.openFiles()).toBe(0);
    open({ durability: "power" }).journal.close();
    expect(disk.openFiles()).toBe(0);
    damageLine(firstSegment, 1);
    expect(() => open()).toThrow(DamagedJournalError);
    expect(disk.openFiles()).toBe(0);
  });

  it("starts anew after a history that is ahead of it", () => {
    filled(10).close();
    const { journal, recovered: found } = open({ after: 20 });
    expect(found).toEqual([]);
    expect(memory.list(directory)).toEqual(["0000000000000021.journal"]);
    journal.append([commitAt(21)]);
    expect(recovered(20)).toEqual([21]);
  });

  it("passes over bad lines whose commits the history has, and keeps what follows", () => {
    filled(10, { segmentBytesMax: 1e6 }).close();
    damageLine(firstSegment, 3);
    damageLine(firstSegment, 4);
    const { recovered: found, cut } = open({ after: 4 });
    expect([found.map((commit) => commit.seq), cut]).toEqual([seqs(5, 10), undefined]);
    expect(recovered(3)).toEqual([]);
  });

  it("refuses what no crash makes: a line that is intact and not ours, a commit twice, another branch, another version", () => {
    const variants: [(lines: string[]) => string[], string][] = [
      [(lines) => [...lines, lines.at(-1) ?? ""], "commit 6 occurs twice"],
      [(lines) => [...lines, lines[0] ?? ""], "the line's checksum is right, but it has the unknown key `format`"],
    ];
    for (const [change, message] of variants) {
      freshDisk();
      filled(6, { segmentBytesMax: 1e6 }).close();
      const lines = contentOf(firstSegment).split("\n").slice(0, -1);
      overwrite(firstSegment, `${change(lines).join("\n")}\n`);
      const before = contentOf(firstSegment);
      expect(() => open()).toThrow(message);
      expect(contentOf(firstSegment)).toBe(before);
    }
    expect(() =>
      openJournal({ fileSystem: memory, directory, branch: "fork", after: 6 as Seq, durability: "process" }),
    ).toThrow("it is the journal of branch main, not of fork");
    memory.rename(firstSegment, `${directory}/0000000000000002.journal`);
    expect(() => open({ after: 1 })).toThrow("the header says that it begins with commit 1, which its name does not");
  });

  it("leaves other files in its directory alone", () => {
    memory.makeDirectory(directory);
    memory.open(`${directory}/notes`, "create").close();
    open().journal.close();
    expect(memory.list(directory)).toEqual(["0000000000000001.journal", "notes"]);
  });

  it("works on a real disk", () => {
    const real = `${temporaryDirectory()}/journal/main`;
    const options = {
      fileSystem: nodeFileSystem,
      directory: real,
      after: 0 as Seq,
      durability: "power",
      segmentBytesMax: 2000,
    } as const;
    const { journal } = openJournal(options);
    for (let seq = 1; seq <= 50; seq += 5) journal.append(commitsFrom(seq, seq + 4));
    expect(new JournalFollower(nodeFileSystem, real, 0 as Seq).readUpTo(journal.position(), 100)).toEqual(
      commitsFrom(1, 50),
    );
    journal.close();
    expect(openJournal(options).recovered).toEqual(commitsFrom(1, 50));
  });
});
