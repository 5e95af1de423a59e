/** Recovery as `openJournal` shows it. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Seq } from "../../../../protocol/identifiers.js";
import { DamagedJournalError } from "../../../../daemon/journal/errors.js";
import { JournalFollower } from "../../../../daemon/journal/follower.js";
import { openJournal } from "../../../../daemon/journal/journal.js";
import { sealLine } from "../../../../daemon/journal/record.js";
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
  otherBoot,
  overwrite,
  recovered,
  seqs,
  thisBoot,
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

  it("hands the commits to `replay` as they are read, and keeps none of them", () => {
    filled(10).close();
    const replayed: number[] = [];
    const { recovered: kept, journal } = open({ after: 3, replay: ({ seq }) => replayed.push(seq) });
    expect(replayed).toEqual(seqs(4, 10));
    expect(kept).toEqual([]);
    expect(journal.position().seq).toBe(10);
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

  it("cuts from a bad line on, later lines and segments too, when the machine was started anew and nothing proves that it was synced (invariant 5)", () => {
    filled(12).close();
    const names = memory.list(directory);
    const second = `${directory}/${names[1] ?? ""}`;
    const first = Number(names[1]?.slice(0, 16));
    const sizeBefore = names.reduce((sum, name) => sum + contentOf(`${directory}/${name}`).length, 0);
    damageLine(second, 2);
    const { journal, recovered: found, cut } = open({ bootId: otherBoot });
    expect(found.map((commit) => commit.seq)).toEqual(seqs(1, first));
    const begun = `${directory}/${journal.position().segment}`;
    expect(memory.list(directory).map((name) => `${directory}/${name}`)).toEqual([firstSegment, second, begun]);
    const bytes = sizeBefore - contentOf(firstSegment).length - contentOf(second).length;
    expect(cut).toMatchObject({ file: second, offset: contentOf(second).length, bytes, goodLines: 12 - first - 1 });
    journal.append([commitAt(first + 1)]);
    expect(recovered(0, { bootId: otherBoot })).toEqual(seqs(1, first + 1));
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
      open({ bootId: otherBoot });
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
      expect(() => open({ bootId: otherBoot })).toThrow("as the line of commit 2 says");
    }
  });

  it("cuts durably: what was cut does not come back after a power cut", () => {
    filled(3, { durability: "power", segmentBytesMax: 1e6 }).close();
    const file = memory.open(firstSegment, "write");
    file.write(Buffer.from("x"), file.size() - 10);
    file.sync();
    const { cut } = open({ bootId: otherBoot });
    expect(cut?.bytes).toBeGreaterThan(0);
    memory.crash("everything");
    expect(contentOf(firstSegment)).toHaveLength(cut?.offset ?? 0);
  });

  it("cuts durably also when the daemon was killed between the cut and its sync, and the next one saw nothing to cut", () => {
    filled(3, { durability: "power", segmentBytesMax: 1e6 }).close();
    const file = memory.open(firstSegment, "write");
    file.write(Buffer.from("x"), file.size() - 10);
    file.sync();
    disk.inject({ call: "sync", nth: 1, error: "EIO" });
    expect(() => open({ bootId: otherBoot })).toThrow("EIO");
    memory.crash("nothing");
    const { cut } = open({ bootId: otherBoot });
    expect(cut).toBeUndefined();
    memory.crash("everything");
    // The header and two good lines, each with its newline.
    expect(contentOf(firstSegment).split("\n")).toHaveLength(4);
  });

  it("cuts under power a bad line of the last batch, which nothing proves", () => {
    const { journal } = open({ durability: "power" });
    journal.append(commitsFrom(1, 3));
    journal.append(commitsFrom(4, 6));
    damageLine(firstSegment, 5);
    expect(recovered(0, { bootId: otherBoot })).toEqual([1, 2, 3, 4]);
  });

  it("refuses a gap between good lines, which no crash makes", () => {
    filled(6, { segmentBytesMax: 1e6 }).close();
    const lines = contentOf(firstSegment).split("\n");
    overwrite(firstSegment, lines.filter((_, index) => index !== 4).join("\n"));
    expect(() => open()).toThrow(/commit 5 follows, but 4 was expected/);
    expect(recovered(4)).toEqual([5, 6]);
  });

  it("refuses a missing segment in the middle under power, and cuts there under process after another start of the machine", () => {
    for (const durability of ["power", "process"] as const) {
      freshDisk();
      filled(12, { durability }).close();
      const names = memory.list(directory);
      memory.remove(`${directory}/${names[1] ?? ""}`);
      const bootId = otherBoot;
      if (durability === "power") expect(() => open({ bootId })).toThrow(DamagedJournalError);
      else {
        expect(() => open()).toThrow(DamagedJournalError);
        expect(recovered(0, { bootId })).toEqual(seqs(1, Number(names[1]?.slice(0, 16)) - 1));
      }
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

  it("passes over bad lines whose commits the history has, tells of them, and keeps what follows (invariant 3)", () => {
    filled(10, { segmentBytesMax: 1e6 }).close();
    const offsets = [...contentOf(firstSegment).matchAll(/\n/g)].map((match) => match.index + 1);
    for (const line of [1, 3, 4]) damageLine(firstSegment, line);
    const { recovered: found, cut, passedOver } = open({ after: 4 });
    expect([found.map((commit) => commit.seq), cut]).toEqual([seqs(5, 10), undefined]);
    const reason = "its checksum does not match";
    expect(passedOver).toEqual([
      { file: firstSegment, offset: offsets[0], lines: 1, reason },
      { file: firstSegment, offset: offsets[2], lines: 2, reason },
    ]);
    expect(recovered(3, { bootId: otherBoot })).toEqual([]);
  });

  it("does not pass over a line that a damaged newline joined to one that only the journal has (invariant 3)", () => {
    for (const after of [2, 3]) {
      freshDisk();
      filled(4, { segmentBytesMax: 1e6 }).close();
      const content = contentOf(firstSegment);
      const newline = [...content.matchAll(/\n/g)][3]?.index ?? 0;
      const joined = `${content.slice(0, newline)}\x0b${content.slice(newline + 1)}`;
      overwrite(firstSegment, joined);
      const offset = joined.lastIndexOf("\n", newline) + 1;
      expect(() => open({ after })).toThrow(
        expect.objectContaining({ name: "DamagedJournalError", file: firstSegment, offset }) as Error,
      );
      expect(recovered(4)).toEqual([]);
    }
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
      openJournal({
        fileSystem: memory,
        directory,
        branch: "fork",
        after: 6 as Seq,
        durability: "process",
        bootId: thisBoot,
      }),
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

  it("refuses in the boot that wrote it whatever is bad but the journal's very end, and changes nothing (invariants 2 and 4)", () => {
    filled(6).close();
    const names = memory.list(directory);
    const second = `${directory}/${names[1] ?? ""}`;
    damageLine(second, 1);
    const offset = contentOf(second).indexOf("\n") + 1;
    const before = names.map((name) => contentOf(`${directory}/${name}`));
    expect(() => open()).toThrow(
      `the journal is damaged at ${second}, byte ${String(offset)}: commit 4 cannot be read (its checksum does not match), ` +
        "although the machine has not been started anew since the journal was written, so only its very end may be unfinished. " +
        `Nothing was changed. Restore the state directory from a copy; or move ${directory} aside to go on from the end of the ` +
        "Git history, which loses commits 1 to 6",
    );
    expect(names.map((name) => contentOf(`${directory}/${name}`))).toEqual(before);
  });

  it("refuses an earlier segment's torn end in the boot that wrote it (invariant 4)", () => {
    filled(6).close();
    overwrite(firstSegment, contentOf(firstSegment).slice(0, -20));
    expect(() => open()).toThrow(/it ends in the middle of a line\), although the machine has not been started anew/);
  });

  it("tells a damaged last newline from a torn tail, in any boot", () => {
    for (const bootId of [thisBoot, otherBoot, undefined]) {
      freshDisk();
      filled(2, { segmentBytesMax: 1e6 }).close();
      const whole = contentOf(firstSegment);
      overwrite(firstSegment, `${whole.slice(0, -1)}\x0b`);
      expect(() => open({ bootId })).toThrow("a whole line stands there and only its newline is damaged");
      overwrite(firstSegment, `${whole.slice(0, -1)}\x0b${whole.slice(0, 30)}`);
      expect(() => open({ bootId })).toThrow("a whole line stands there and only its newline is damaged");
    }
  });

  it("takes zeros behind a whole line for what a power cut left, but not in the boot that wrote it", () => {
    filled(2, { segmentBytesMax: 1e6 }).close();
    overwrite(firstSegment, `${contentOf(firstSegment).slice(0, -1)}\0\0\0`);
    expect(() => open()).toThrow(DamagedJournalError);
    expect(recovered(0, { bootId: otherBoot })).toEqual([1]);
  });

  it("refuses a damaged header that a good line follows, unless it is the zeros that a power cut leaves", () => {
    for (const bootId of [thisBoot, otherBoot, undefined]) {
      freshDisk();
      filled(2, { segmentBytesMax: 1e6 }).close();
      const whole = contentOf(firstSegment);
      overwrite(firstSegment, whole.replace("branch", "brancj"));
      expect(() => open({ bootId })).toThrow("although lines of later commits follow that header");
      const header = whole.indexOf("\n");
      overwrite(firstSegment, "\0".repeat(header + 20) + whole.slice(header + 20));
      expect(recovered(0, { bootId })).toEqual([]);
    }
  });

  it("removes a segment with a damaged header and nothing behind it, and says so", () => {
    open().journal.close();
    overwrite(firstSegment, contentOf(firstSegment).replace("branch", "brancj"));
    const { cut, journal } = open();
    expect(cut).toMatchObject({ file: firstSegment, offset: 0, goodLines: 0 });
    journal.append([commitAt(1)]);
    expect(recovered()).toEqual([1]);
  });

  it("begins a segment in another boot, and goes on in it in the same one, however often it is started", () => {
    filled(2, { segmentBytesMax: 1e6 }).close();
    const bootId = otherBoot;
    for (let start = 0; start < 3; start++) {
      const { journal } = open({ bootId });
      expect(journal.position()).toMatchObject({ segment: "0000000000000003.journal", seq: 2 });
      expect(memory.list(directory)).toHaveLength(2);
      expect(contentOf(`${directory}/0000000000000003.journal`)).toContain(otherBoot);
      journal.close();
    }
    const { journal } = open({ bootId });
    journal.append([commitAt(3)]);
    journal.close();
    expect(recovered(0, { bootId })).toEqual([1, 2, 3]);
    expect(memory.list(directory)).toHaveLength(2);
  });

  it("replaces in another boot a segment without a commit, which has the new one's name", () => {
    filled(1, { segmentBytesMax: 10 }).close();
    open({ bootId: otherBoot }).journal.close();
    const { journal } = open();
    expect(memory.list(directory)).toEqual(["0000000000000001.journal", "0000000000000002.journal"]);
    expect(contentOf(`${directory}/0000000000000002.journal`)).toContain(thisBoot);
    expect(journal.bytes()).toBe(
      contentOf(firstSegment).length + contentOf(`${directory}/0000000000000002.journal`).length,
    );
    journal.append([commitAt(2)]);
    journal.close();
    expect(recovered()).toEqual([1, 2]);
  });

  it("without a boot id begins a segment at each start and goes by the rule for power cuts", () => {
    const bootId = undefined;
    filled(2, { bootId, segmentBytesMax: 1e6 }).close();
    expect(contentOf(firstSegment)).not.toContain("boot");
    const { journal } = open({ bootId });
    expect(journal.position().segment).toBe("0000000000000003.journal");
    journal.append([commitAt(3)]);
    journal.close();
    damageLine(`${directory}/0000000000000003.journal`, 1);
    expect(recovered(0, { bootId })).toEqual([1, 2]);
  });

  it("puts the journal on the disk before it begins a segment of another boot (journal invariant 8)", () => {
    filled(3, { segmentBytesMax: 1e6 }).close();
    for (const parent of ["/", "/state", "/state/journal"]) memory.syncDirectory(parent);
    const written = contentOf(firstSegment);
    open({ bootId: otherBoot });
    memory.crash("everything");
    expect(contentOf(firstSegment)).toBe(written);
  });

  it("refuses, in any boot, a bad line before a segment of another boot than its own: it was on the disk then", () => {
    filled(3, { segmentBytesMax: 1e6 }).close();
    open({ bootId: otherBoot }).journal.append([commitAt(4)]);
    damageLine(firstSegment, 2);
    for (const bootId of [undefined, "b0000000-0000-4000-8000-000000000003"]) {
      expect(() => open({ bootId })).toThrow("it was on the disk when 0000000000000004.journal was begun");
    }
    memory.remove(firstSegment);
    expect(() => open({ bootId: undefined })).toThrow("it begins with commit 4");
  });

  it("refuses a journal in a version that it does not know, and says what to do", () => {
    filled(1).close();
    const json = '{"format":"xenstore-tng journal","version":3,"branch":"main","first":1}';
    overwrite(firstSegment, sealLine(json));
    expect(() => open()).toThrow(
      `${firstSegment} was written by another version of the daemon: it is in version 3 of the format, and this daemon reads ` +
        "versions 1 and 2. Nothing was changed. Start that version on this state directory once more and stop it with SIGTERM, " +
        `so that the history holds every commit; then move ${directory} aside and start this one`,
    );
  });

  it("reads segments of version 1, and begins one of version 2", () => {
    filled(3, { segmentBytesMax: 1e6 }).close();
    const lines = contentOf(firstSegment).split("\n");
    const header = sealLine('{"format":"xenstore-tng journal","version":1,"branch":"main","first":1}').slice(0, -1);
    overwrite(firstSegment, [header, ...lines.slice(1)].join("\n"));
    const { journal, recovered: found } = open();
    expect(found.map((commit) => commit.seq)).toEqual([1, 2, 3]);
    expect(journal.position()).toMatchObject({ segment: "0000000000000004.journal", seq: 3 });
    journal.append([commitAt(4)]);
    journal.close();
    expect(recovered()).toEqual([1, 2, 3, 4]);
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
