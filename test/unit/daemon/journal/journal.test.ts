import { beforeEach, describe, expect, it } from "vitest";
import type { Seq } from "../../../../protocol/identifiers.js";
import { JournalAppendError, JournalStuckError } from "../../../../daemon/journal/errors.js";
import { openJournal, type Durability } from "../../../../daemon/journal/journal.js";
import { parsePathGlob } from "../../../../daemon/journal/path-glob.js";
import { decodeRecord } from "../../../../daemon/journal/record.js";
import { redactCommit } from "../../../../daemon/journal/redaction.js";
import type { Commit } from "../../../../daemon/store/commit.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../../../support/memory-file-system.js";
import {
  contentOf,
  directory,
  disk,
  filled,
  firstSegment,
  freshDisk,
  memory,
  open,
  recovered,
  seqs,
} from "./journal-fixture.js";
import { commitAt, commitsFrom, setChange } from "./sample-commits.js";

beforeEach(freshDisk);

describe("append", () => {
  it("makes one write of a batch, and position tells its end", () => {
    const { journal } = open();
    const before = journal.position();
    expect(before).toEqual({ segment: "0000000000000001.journal", offset: contentOf(firstSegment).length, seq: 0 });
    disk.calls.length = 0;
    const position = journal.append(commitsFrom(1, 50));
    expect(disk.calls).toEqual([`write ${firstSegment}`]);
    expect(position).toEqual({ segment: "0000000000000001.journal", offset: contentOf(firstSegment).length, seq: 50 });
    expect(journal.position()).toEqual(position);
    expect(journal.bytes()).toBe(position.offset);
    expect(recovered()).toEqual(seqs(1, 50));
  });

  it("writes at most lineBytesMax for a commit, also where values are redacted", () => {
    const redactor = { key: Buffer.alloc(32, 1), globs: [parsePathGlob("/**")] };
    for (const redact of [undefined, (commit: Commit) => redactCommit(commit, redactor)]) {
      freshDisk();
      const { journal } = open({ durability: "power", redact });
      for (const [index, value] of ["", "v", "\n".repeat(900)].entries()) {
        const changes = ["/a", "/b", "/c", "/d"].map((path) => setChange(path, value));
        const commit = commitAt(index + 1, value, { changes });
        const { offset } = journal.position();
        expect(journal.append([commit]).offset - offset).toBeLessThanOrEqual(journal.lineBytesMax(commit));
      }
    }
  });

  it("of nothing writes nothing", () => {
    const { journal } = open();
    disk.calls.length = 0;
    expect(journal.append([])).toEqual(journal.position());
    expect(disk.calls).toEqual([]);
  });

  it("goes on after short writes", () => {
    const { journal } = open();
    for (const nth of [1, 2, 3]) disk.inject({ call: "write", nth, bytes: 10 });
    journal.append(commitsFrom(1, 3));
    expect(recovered()).toEqual([1, 2, 3]);
  });

  it("writes batches larger than its buffer", () => {
    const { journal } = open();
    const commits = [commitAt(1, "a".repeat(300_000)), commitAt(2, "\xff".repeat(1_000_000)), commitAt(3)];
    journal.append(commits);
    journal.append([commitAt(4)]);
    expect(open().recovered).toEqual([...commits, commitAt(4)]);
  });

  it("refuses a seq that is not the next (invariant 1)", () => {
    const { journal } = open();
    journal.append(commitsFrom(1, 2));
    expect(() => journal.append([commitAt(4)])).toThrow("commit 4 cannot be appended where 3 is next");
    expect(() => journal.append([commitAt(3), commitAt(3)])).toThrow("where 4 is next");
    expect(recovered()).toEqual([1, 2]);
  });

  it("refuses a batch with a commit that cannot be encoded, and goes on", () => {
    const { journal } = open();
    expect(() => journal.append([commitAt(1), commitAt(2, "\u20ac")])).toThrow(JournalAppendError);
    journal.append([commitAt(1)]);
    expect(recovered()).toEqual([1]);
  });

  it.each<Durability>(["process", "power"])(
    "that fails at any byte leaves the journal as before and works again (invariant 3, %s)",
    (durability) => {
      const batchBytes = 500;
      for (let bytes = 0; bytes < batchBytes; bytes += 7) {
        freshDisk();
        const { journal } = open({ durability });
        const position = journal.append(commitsFrom(1, 3));
        const content = contentOf(firstSegment);
        disk.inject({ call: "write", nth: 1, bytes, error: "ENOSPC" });
        expect(() => journal.append(commitsFrom(4, 6))).toThrow(JournalAppendError);
        expect(contentOf(firstSegment)).toBe(content);
        expect(journal.position()).toEqual(position);
        if (durability === "power") memory.crash("everything");
        else journal.append(commitsFrom(4, 5));
        expect(recovered()).toEqual(durability === "power" ? [1, 2, 3] : [1, 2, 3, 4, 5]);
      }
    },
  );

  it("that fails after short writes is taken back as a whole, and its error tells the cause", () => {
    const { journal } = open();
    disk.inject({ call: "write", nth: 1, bytes: 300 });
    disk.inject({ call: "write", nth: 2, error: "ENOSPC" });
    let thrown: unknown;
    try {
      journal.append(commitsFrom(1, 5));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(JournalAppendError);
    expect(thrown).not.toBeInstanceOf(JournalStuckError);
    expect(thrown).toMatchObject({ cause: { code: "ENOSPC" } });
    expect((thrown as Error).message).toContain(`${firstSegment} could not be written: ENOSPC`);
    expect(recovered()).toEqual([]);
  });

  it("with power takes back durably what it wrote before it failed (invariant 3)", () => {
    const { journal } = open({ durability: "power" });
    journal.append([commitAt(1)]);
    disk.inject({ call: "write", nth: 1, bytes: 300 });
    disk.inject({ call: "write", nth: 2, error: "EIO" });
    expect(() => journal.append(commitsFrom(2, 4))).toThrow(JournalAppendError);
    memory.crash((what) => what.includes("length"));
    expect(recovered()).toEqual([1]);
  });

  it("whose truncate fails too is stuck for good, and reports both failures (invariant 4)", () => {
    const { journal } = open();
    const position = journal.append([commitAt(1)]);
    disk.inject({ call: "write", nth: 1, bytes: 100, error: "ENOSPC" });
    disk.inject({ call: "truncate", nth: 1, error: "EIO" });
    expect(() => journal.append([commitAt(2)])).toThrow(
      /takes no commits until the daemon is restarted: ENOSPC.*taking it back failed: EIO/,
    );
    disk.heal();
    disk.calls.length = 0;
    expect(() => journal.append([commitAt(2)])).toThrow(JournalStuckError);
    expect(disk.calls).toEqual([]);
    expect(journal.position()).toEqual(position);
    journal.close();
    expect(recovered()).toEqual([1]);
  });

  it("whose sync fails is stuck, and removes what it refused as far as it can (invariant 4)", () => {
    const { journal } = open({ durability: "power" });
    const position = journal.append([commitAt(1)]);
    disk.inject({ call: "syncData", nth: 1, error: "EIO" });
    expect(() => journal.append([commitAt(2)])).toThrow(JournalStuckError);
    expect(() => journal.append([commitAt(2)])).toThrow(JournalStuckError);
    expect(journal.position()).toEqual(position);
    journal.close();
    expect(recovered()).toEqual([1]);
  });

  it("after close is an error of the program", () => {
    const { journal } = open();
    journal.close();
    journal.close();
    expect(() => journal.append([commitAt(1)])).toThrow("the journal is closed");
  });
});

describe("power", () => {
  it("keeps every record through a crash that loses all that was not synced (invariant 2)", () => {
    const { journal } = open({ durability: "power", segmentBytesMax: 500 });
    for (let seq = 1; seq <= 20; seq++) {
      journal.append([commitAt(seq)]);
      const opened = openJournal({ fileSystem: crashedCopy(seq), directory, after: 0 as Seq, durability: "power" });
      expect(opened.recovered.map((commit) => commit.seq)).toEqual(seqs(1, seq));
    }
  });

  /** The same history on another disk, which then loses its power. */
  function crashedCopy(last: number): MemoryFileSystem {
    const copy = createMemoryFileSystem();
    const { journal } = openJournal({
      fileSystem: copy,
      directory,
      after: 0 as Seq,
      durability: "power",
      segmentBytesMax: 500,
    });
    for (const commit of commitsFrom(1, last)) journal.append([commit]);
    copy.crash("everything");
    return copy;
  }

  it("an opened journal is there after a crash, and so is what it recovered", () => {
    open({ durability: "power" });
    memory.crash("everything");
    expect(memory.exists(firstSegment)).toBe(true);
    const { journal } = open({ durability: "process", segmentBytesMax: 500 });
    for (const commit of commitsFrom(1, 9)) journal.append([commit]);
    open({ durability: "power" });
    memory.crash("everything");
    expect(recovered()).toEqual(seqs(1, 9));
  });

  it("syncs once for a batch, and `process` never does", () => {
    for (const [durability, count] of [
      ["power", 1],
      ["process", 0],
      ["none", 0],
    ] as const) {
      freshDisk();
      const { journal } = open({ durability });
      const before = memory.syncs();
      journal.append(commitsFrom(1, 10));
      expect(memory.syncs() - before).toBe(count);
    }
  });

  it("says in the first line of a batch what was synced before, and only under power (invariant 6)", () => {
    const syncedOf = (durability: Durability): number[] => {
      freshDisk();
      const { journal } = open({ durability });
      journal.append(commitsFrom(1, 3));
      journal.append(commitsFrom(4, 5));
      return contentOf(firstSegment)
        .split("\n")
        .slice(1, -1)
        .map((line) => {
          const record = decodeRecord(line);
          return record.ok ? record.synced : -1;
        });
    };
    expect(syncedOf("power")).toEqual([0, 0, 0, 3, 0]);
    expect(syncedOf("process")).toEqual([0, 0, 0, 0, 0]);
  });
});

describe("rotation", () => {
  it("begins a segment when the current one is full, named by its first seq (invariant 1)", () => {
    const journal = filled(10);
    const names = memory.list(directory);
    expect(names.length).toBeGreaterThan(2);
    expect(names[0]).toBe("0000000000000001.journal");
    for (const name of names) {
      const [, record] = contentOf(`${directory}/${name}`).split("\n");
      expect(decodeRecord(record ?? "")).toMatchObject({ ok: true, commit: { seq: Number(name.slice(0, 16)) } });
    }
    expect(journal.position().segment).toBe(names.at(-1));
    expect(journal.segments()).toEqual(
      names.map((name) => ({ first: Number(name.slice(0, 16)), bytes: contentOf(`${directory}/${name}`).length })),
    );
    expect(journal.bytes()).toBe(names.reduce((sum, name) => sum + contentOf(`${directory}/${name}`).length, 0));
    journal.close();
    expect(recovered()).toEqual(seqs(1, 10));
  });

  it("never splits a batch", () => {
    const { journal } = open({ segmentBytesMax: 500 });
    journal.append(commitsFrom(1, 20));
    expect(memory.list(directory)).toHaveLength(1);
    journal.append(commitsFrom(21, 40));
    expect(memory.list(directory)).toEqual(["0000000000000001.journal", "0000000000000021.journal"]);
  });

  it.each(["open", "write"] as const)("that fails in %s leaves the old segment in use (invariant 3)", (call) => {
    const { journal } = open({ segmentBytesMax: 10 });
    const position = journal.append([commitAt(1)]);
    disk.inject({ call, nth: 1, error: "ENOSPC", ...(call === "write" ? { bytes: 40 } : {}) });
    expect(() => journal.append([commitAt(2)])).toThrow(JournalAppendError);
    expect(memory.list(directory)).toEqual(["0000000000000001.journal"]);
    expect(journal.position()).toEqual(position);
    journal.append([commitAt(2)]);
    expect(journal.position().segment).toBe("0000000000000002.journal");
    expect(recovered()).toEqual([1, 2]);
  });

  it("that fails under power is taken back durably (invariant 3)", () => {
    const { journal } = open({ durability: "power", segmentBytesMax: 10 });
    journal.append([commitAt(1)]);
    disk.inject({ call: "write", nth: 1, bytes: 400, error: "ENOSPC" });
    expect(() => journal.append(commitsFrom(2, 9))).toThrow(JournalAppendError);
    memory.crash((what) => what.endsWith("entry 1"));
    expect(recovered()).toEqual([1]);
  });

  it("whose new segment can neither be written nor removed is stuck (invariant 4)", () => {
    const { journal } = open({ segmentBytesMax: 10 });
    journal.append([commitAt(1)]);
    disk.inject({ call: "write", nth: 1, bytes: 40, error: "ENOSPC" });
    disk.inject({ call: "remove", nth: 1, error: "EIO" });
    expect(() => journal.append([commitAt(2)])).toThrow(JournalStuckError);
    disk.heal();
    expect(() => journal.append([commitAt(2)])).toThrow(JournalStuckError);
    journal.close();
    expect(recovered()).toEqual([1]);
  });

  it.each(["syncData", "syncDirectory"] as const)(
    "whose %s fails under power is stuck and the refused commit is gone (invariant 4)",
    (call) => {
      const { journal } = open({ durability: "power", segmentBytesMax: 10 });
      journal.append([commitAt(1)]);
      disk.inject({ call, nth: 1, error: "EIO" });
      expect(() => journal.append([commitAt(2)])).toThrow(JournalStuckError);
      expect(recovered()).toEqual([1]);
    },
  );

  it.each<Durability>(["process", "power"])(
    "whose full segment cannot be closed is stuck, and no seq is ever written twice (invariants 1 and 4, %s)",
    (durability) => {
      const { journal } = open({ durability, segmentBytesMax: 10 });
      const position = journal.append([commitAt(1)]);
      disk.inject({ call: "close", nth: 1, error: "EDQUOT" });
      expect(() => journal.append([commitAt(2, "refused")])).toThrow(
        /is restarted: .*1\.journal could not be closed: EDQUOT/,
      );
      expect(memory.list(directory)).toEqual(["0000000000000001.journal"]);
      expect([journal.position(), journal.segments().length]).toEqual([position, 1]);
      expect(() => journal.append([commitAt(2)])).toThrow(JournalStuckError);
      journal.close();
      expect(disk.openFiles(), "each file was closed once").toBe(0);
      expect(recovered()).toEqual([1]);
    },
  );
});

describe("discardThrough", () => {
  it("removes the segments that hold nothing later, and never the current one (invariant 7)", () => {
    const journal = filled(10);
    const firsts = memory.list(directory).map((name) => Number(name.slice(0, 16)));
    const second = firsts[1] ?? 0;
    const third = firsts[2] ?? 0;
    journal.discardThrough((second - 2) as Seq);
    expect(memory.list(directory)).toHaveLength(firsts.length);
    expect(journal.segments().length).toBe(firsts.length);
    journal.discardThrough((third - 2) as Seq);
    expect(memory.list(directory)).toHaveLength(firsts.length - 1);
    expect(journal.segments().length).toBe(firsts.length - 1);
    journal.discardThrough((third - 1) as Seq);
    expect(memory.list(directory)).toHaveLength(firsts.length - 2);
    expect(recovered(third - 1)).toEqual(seqs(third, 10));
    journal.discardThrough(10 as Seq);
    expect(memory.list(directory)).toEqual([journal.position().segment]);
    expect(journal.bytes()).toBe(journal.position().offset);
    journal.append([commitAt(11)]);
    expect(recovered(10)).toEqual([11]);
  });

  it("that fails throws, and a later call tries again", () => {
    const journal = filled(10);
    disk.inject({ call: "remove", nth: 2, error: "EIO" });
    expect(() => {
      journal.discardThrough(10 as Seq);
    }).toThrow("EIO");
    journal.append([commitAt(11)]);
    journal.discardThrough(10 as Seq);
    expect(recovered(10)).toEqual([11]);
  });
});
