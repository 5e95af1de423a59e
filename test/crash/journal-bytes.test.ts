/**
 * The journal's bytes, one after the other: cut at each of the last three lines', and each bit of all of them flipped.
 *
 * The oracle is what was written: recovery gives back its beginning, as it was, or refuses and names the place. What it may
 * lose and what it must refuse depends on whether the machine was started anew (recovery invariants 4 and 5).
 */
import { describe, expect, it } from "vitest";
import type { Domid, Microseconds, Path, Seq } from "../../protocol/identifiers.js";
import { DamagedJournalError } from "../../daemon/journal/errors.js";
import { JournalFollower } from "../../daemon/journal/follower.js";
import { openJournal, type Durability, type OpenedJournal } from "../../daemon/journal/journal.js";
import { encodeRecord } from "../../daemon/journal/record.js";
import { encodeHeader } from "../../daemon/journal/segment.js";
import type { Commit } from "../../daemon/store/commit.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../support/memory-file-system.js";

const directory = "/journal";
const writtenIn = "b0000000-0000-4000-8000-000000000001";
const startedAnew = "b0000000-0000-4000-8000-000000000002";
const durabilities: readonly Durability[] = ["none", "process", "power"];

/** The files of a journal, oldest first. */
interface Content {
  readonly name: string;
  readonly bytes: Buffer;
}

/** A small commit: there are few bits in it. */
function commitAt(seq: number): Commit {
  return {
    seq: seq as Seq,
    time: seq as Microseconds,
    origin: { domid: 0 as Domid, connection: "c", transaction: undefined },
    base: (seq - 1) as Seq,
    requests: [],
    requestsOmitted: 0,
    changes: [
      {
        kind: "node",
        path: "/n" as Path,
        before: undefined,
        after: { value: `v${String(seq)}`, perms: [{ access: 0, domid: 0 as Domid }] },
      },
    ],
  };
}

const commitsTo = (last: number): Commit[] => Array.from({ length: last }, (_, index) => commitAt(index + 1));

interface Opening {
  readonly bootId: string | undefined;
  readonly durability?: Durability;
  readonly after?: number;
  readonly segmentBytesMax?: number;
}

function open(fileSystem: MemoryFileSystem, { after = 0, durability = "process", ...rest }: Opening): OpenedJournal {
  return openJournal({ fileSystem, directory, after: after as Seq, durability, ...rest });
}

/** A journal of some commits, one append each, in segments of at most this many commits. */
function written(last: number, commitsPerSegment: number, durability: Durability): Content[] {
  const fileSystem = createMemoryFileSystem();
  const header = encodeHeader({ branch: "main", first: 1 as Seq, boot: writtenIn }).length;
  const line = encodeRecord(commitAt(2), (durability === "power" ? 1 : 0) as Seq).length;
  const segmentBytesMax = header + line * (commitsPerSegment - 1) + 1;
  const { journal } = open(fileSystem, { bootId: writtenIn, durability, segmentBytesMax });
  for (const commit of commitsTo(last)) journal.append([commit]);
  journal.close();
  const names = fileSystem.list(directory);
  expect(names).toHaveLength(Math.ceil(last / commitsPerSegment));
  return names.map((name) => ({ name, bytes: Buffer.from(fileSystem.readFile(`${directory}/${name}`)) }));
}

function diskWith(contents: readonly Content[]): MemoryFileSystem {
  const fileSystem = createMemoryFileSystem();
  fileSystem.makeDirectory(directory);
  for (const { name, bytes } of contents) {
    const file = fileSystem.open(`${directory}/${name}`, "create");
    file.write(bytes, 0);
    file.close();
  }
  return fileSystem;
}

/** What is left of a journal of which `length` bytes are, counted over all its files. */
function cutAt(contents: readonly Content[], length: number): Content[] {
  const left: Content[] = [];
  let before = 0;
  for (const { name, bytes } of contents) {
    left.push({ name, bytes: bytes.subarray(0, length - before) });
    before += bytes.length;
    if (before >= length) break;
  }
  return left;
}

/** How many records are whole. */
function wholeRecords(contents: readonly Content[]): number {
  return contents.reduce((sum, { bytes }) => sum + (bytes.toString("latin1").match(/"seq":.*\n/g)?.length ?? 0), 0);
}

describe.each(durabilities)("a journal that ends at any byte of its last three lines (%s)", (durability) => {
  it.each([
    ["the same boot", writtenIn],
    ["another boot", startedAnew],
    ["no boot id", undefined],
  ])("keeps every whole line and invents nothing, and takes commits again: %s", (_, bootId) => {
    for (const commitsPerSegment of [6, 1]) {
      const contents = written(6, commitsPerSegment, durability);
      const whole = Buffer.concat(contents.map(({ bytes }) => bytes));
      const ends = [...whole.toString("latin1").matchAll(/"seq":.*\n/g)].map((match) => match.index + match[0].length);
      for (let length = ends.at(-4) ?? 0; length <= whole.length; length++) {
        const left = cutAt(contents, length);
        const kept = wholeRecords(left);
        const fileSystem = diskWith(left);
        const { journal, recovered, cut } = open(fileSystem, { bootId, durability });
        expect(recovered, `cut at ${String(length)}`).toEqual(commitsTo(kept));
        if (cut !== undefined)
          expect(cut).toMatchObject({ file: `${directory}/${left.at(-1)?.name ?? ""}`, goodLines: 0 });
        journal.append([commitAt(kept + 1)]);
        journal.close();
        expect(open(fileSystem, { bootId, durability }).recovered).toEqual(commitsTo(kept + 1));
      }
    }
  });
});

/** A flipped bit, and where it is. */
interface Flip {
  readonly contents: readonly Content[];
  readonly name: string;
  readonly byte: number;
  /** The seq of the record that it is in; its newline is of it. 0 in a header. */
  readonly seq: number;
  readonly what: string;
}

function* flips(contents: readonly Content[]): Generator<Flip> {
  let seq = 0;
  for (const [index, { name, bytes }] of contents.entries()) {
    let inHeader = true;
    for (let byte = 0; byte < bytes.length; byte++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = Buffer.from(bytes);
        flipped[byte] = (flipped[byte] ?? 0) ^ (1 << bit);
        const what = `bit ${String(bit)} of byte ${String(byte)} of ${name}`;
        const changed = contents.map((content, at) => (at === index ? { name, bytes: flipped } : content));
        yield { contents: changed, name, byte, seq: inHeader ? 0 : seq + 1, what };
      }
      if (bytes[byte] !== 0x0a) continue;
      if (!inHeader) seq++;
      inHeader = false;
    }
  }
}

/** What opening a journal leads to. */
function outcomeOf(contents: readonly Content[], opening: Opening): OpenedJournal | DamagedJournalError {
  try {
    return open(diskWith(contents), opening);
  } catch (error) {
    if (error instanceof DamagedJournalError) return error;
    throw error;
  }
}

describe("a journal with a flipped bit", () => {
  const contents = written(4, 2, "process");

  it("is refused in the boot that wrote it, with file and offset, whichever bit it is", () => {
    let tried = 0;
    for (const { contents: changed, name, byte, what } of flips(contents)) {
      const outcome = outcomeOf(changed, { bootId: writtenIn });
      expect(outcome, what).toBeInstanceOf(DamagedJournalError);
      expect(outcome, what).toMatchObject({ file: `${directory}/${name}` });
      expect((outcome as DamagedJournalError).offset, what).toBeLessThanOrEqual(byte);
      tried++;
    }
    expect(tried).toBe(8 * contents.reduce((sum, { bytes }) => sum + bytes.length, 0));
  });

  it("is refused after another start of the machine, or cut before the bad line with the place and the number of good lines behind", () => {
    let cuts = 0;
    for (const { contents: changed, name, byte, seq, what } of flips(contents)) {
      const outcome = outcomeOf(changed, { bootId: startedAnew });
      const place = outcome instanceof DamagedJournalError ? outcome : outcome.cut;
      expect(place?.file, what).toBe(`${directory}/${name}`);
      expect(place?.offset, what).toBeLessThanOrEqual(byte);
      if (outcome instanceof DamagedJournalError) continue;
      cuts++;
      expect(outcome.recovered, what).toEqual(commitsTo(seq - 1));
      expect(outcome.cut?.goodLines, what).toBe(4 - seq);
    }
    // All but the headers and the newlines.
    expect(cuts).toBe(8 * contents.reduce((sum, { bytes }) => sum + bytes.length - (bytes.indexOf(10) + 3), 0));
  });

  it("is refused after another start, too, where every line was synced but the last (`power`)", () => {
    for (const { contents: changed, name, byte, seq, what } of flips(written(4, 2, "power"))) {
      const outcome = outcomeOf(changed, { bootId: startedAnew, durability: "power" });
      const place = outcome instanceof DamagedJournalError ? outcome : outcome.cut;
      expect(place?.file, what).toBe(`${directory}/${name}`);
      expect(place?.offset, what).toBeLessThanOrEqual(byte);
      if (seq !== 4) expect(outcome, what).toBeInstanceOf(DamagedJournalError);
      else if (!(outcome instanceof DamagedJournalError)) expect(outcome.recovered, what).toEqual(commitsTo(3));
    }
  });

  it("whose commit the history has is passed over and named; what follows is recovered as it was written", () => {
    const whole = written(4, 4, "process");
    for (const { contents: changed, name, byte, seq, what } of flips(whole)) {
      for (const bootId of [writtenIn, startedAnew]) {
        const outcome = outcomeOf(changed, { bootId, after: 2 });
        if (outcome instanceof DamagedJournalError) {
          expect(outcome, what).toMatchObject({ file: `${directory}/${name}` });
          expect(outcome.offset, what).toBeLessThanOrEqual(byte);
          continue;
        }
        if (outcome.cut !== undefined) {
          expect([bootId, outcome.recovered], what).toEqual([startedAnew, commitsTo(seq - 1).slice(2)]);
          continue;
        }
        expect(seq, what).toBeLessThanOrEqual(2);
        expect(outcome.recovered, what).toEqual([commitAt(3), commitAt(4)]);
        expect(outcome.passedOver, what).toHaveLength(1);
        expect(outcome.passedOver[0]?.file, what).toBe(`${directory}/${name}`);
        expect(outcome.passedOver[0]?.offset, what).toBeLessThanOrEqual(byte);
      }
    }
  }, 60_000);

  it("is never served by the follower either: it gives what is before, as it was written, and names the place", () => {
    const { name: segment = "", bytes } = contents.at(-1) ?? {};
    const end = { segment, offset: bytes?.length ?? 0, seq: 4 as Seq };
    for (const { contents: changed, name, byte, seq, what } of flips(contents)) {
      const follower = new JournalFollower(diskWith(changed), directory, 0 as Seq);
      const served: Commit[] = [];
      let thrown: unknown;
      try {
        while (follower.seq < end.seq) served.push(...follower.readUpTo(end, 1));
      } catch (error) {
        thrown = error;
      }
      expect(thrown, what).toBeInstanceOf(DamagedJournalError);
      expect(thrown, what).toMatchObject({ file: `${directory}/${name}` });
      expect((thrown as DamagedJournalError).offset, what).toBeLessThanOrEqual(byte);
      const before = seq === 0 ? (name === segment ? 2 : 0) : seq - 1;
      expect(served, what).toEqual(commitsTo(before));
    }
  });
});
