import { beforeEach, describe, expect, test } from "vitest";
import {
  forkFailuresFile,
  listForkNotes,
  noteForkDeletion,
  readForkNote,
  removeForkNote,
  unknownNote,
  writeForkNote,
  type ForkNote,
} from "../../../daemon/fork-note.js";
import type { Seq } from "../../../protocol/identifiers.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../../support/memory-file-system.js";

const STATE = "/state";
const OID = "0123456789abcdef0123456789abcdef01234567";

const NOTE: ForkNote = { name: "try", base: OID, baseSeq: 17 as Seq, isDeleted: false };

let disk: MemoryFileSystem;

beforeEach(() => {
  disk = createMemoryFileSystem();
  disk.makeDirectory(STATE);
  disk.syncDirectory("/");
});

function text(): string {
  return Buffer.from(disk.readFile(`${STATE}/forks/try.json`)).toString("latin1");
}

function overwrite(content: string): void {
  disk.remove(`${STATE}/forks/try.json`);
  const file = disk.open(`${STATE}/forks/try.json`, "create");
  file.write(Buffer.from(content, "latin1"), 0);
  file.close();
}

describe("the note of a fork", () => {
  test.each<ForkNote>([
    NOTE,
    { ...NOTE, isDeleted: true },
    { ...NOTE, merge: { tip: OID, seq: 41 } },
    { ...NOTE, merge: { tip: OID, seq: 41 }, pending: { tip: OID.replace("0", "f"), after: 53 } },
  ])("is read as it was written, and outlives a power cut (%#)", (note) => {
    writeForkNote(disk, STATE, NOTE);
    writeForkNote(disk, STATE, note);
    disk.crash("everything");
    expect(readForkNote(disk, STATE, "try")).toEqual(note);
    expect(listForkNotes(disk, STATE)).toEqual(["try"]);
  });

  test("tells of a deletion, for which a full disk has room, and which outlives a power cut", () => {
    writeForkNote(disk, STATE, { ...NOTE, merge: { tip: OID, seq: 41 } });
    writeForkNote(disk, STATE, { ...NOTE, name: "x.deleted" });
    const full = {
      ...disk,
      open: () => {
        throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
      },
    };
    noteForkDeletion(full, STATE, NOTE);
    noteForkDeletion(full, STATE, NOTE);
    disk.crash("everything");
    expect(readForkNote(disk, STATE, "try")).toEqual({ ...NOTE, merge: { tip: OID, seq: 41 }, isDeleted: true });
    expect(readForkNote(disk, STATE, "x.deleted")).toMatchObject({ isDeleted: false });
    expect(listForkNotes(disk, STATE)).toEqual(["try", "x.deleted"]);
    removeForkNote(disk, STATE, "try");
    expect(listForkNotes(disk, STATE)).toEqual(["x.deleted"]);
  });

  test("of a deletion is made where somebody has removed the fork's", () => {
    noteForkDeletion(disk, STATE, NOTE);
    expect(readForkNote(disk, STATE, "try")).toEqual({ ...NOTE, isDeleted: true });
  });

  test("of a deletion need not be readable: the fork goes", () => {
    writeForkNote(disk, STATE, NOTE);
    overwrite("garbage");
    expect(() => readForkNote(disk, STATE, "try")).toThrow(/try\.json is not the note of a fork/);
    noteForkDeletion(disk, STATE, NOTE);
    expect(readForkNote(disk, STATE, "try")).toEqual({ ...unknownNote("try"), isDeleted: true });
  });

  test("of a deletion is durable when it is made again after the disk failed", () => {
    writeForkNote(disk, STATE, NOTE);
    const failing = {
      ...disk,
      syncDirectory: () => {
        throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
      },
    };
    expect(() => {
      noteForkDeletion(failing, STATE, NOTE);
    }).toThrow(/EIO/);
    noteForkDeletion(disk, STATE, NOTE);
    disk.crash("everything");
    expect(readForkNote(disk, STATE, "try")).toMatchObject({ isDeleted: true });
  });

  test("is a line that a person can read", () => {
    writeForkNote(disk, STATE, { ...NOTE, merge: { tip: OID, seq: 41 } });
    expect(text()).toBe(
      `{"format":"xenstore-tng fork","version":1,"base":"${OID}","baseSeq":17,"merge":{"tip":"${OID}","seq":41}}\n`,
    );
  });

  test("is gone for good when it was removed, with the failures of the fork; removing it again is fine", () => {
    writeForkNote(disk, STATE, NOTE);
    for (const suffix of ["", ".new"]) disk.open(forkFailuresFile(STATE, "try") + suffix, "create").close();
    removeForkNote(disk, STATE, "try");
    removeForkNote(disk, STATE, "try");
    disk.crash("everything");
    expect(readForkNote(disk, STATE, "try")).toBeUndefined();
    expect([listForkNotes(disk, STATE), disk.list(`${STATE}/forks`)]).toEqual([[], []]);
  });

  test.each([
    "",
    "{",
    "[]",
    "null",
    JSON.stringify({ format: "xenstore-tng fork", version: 2, base: OID, baseSeq: 1 }),
    JSON.stringify({ format: "xenstore-tng fork", version: 1, base: OID.slice(1), baseSeq: 1 }),
    JSON.stringify({ format: "xenstore-tng fork", version: 1, base: OID, baseSeq: -1 }),
    JSON.stringify({ format: "xenstore-tng fork", version: 1, base: OID, baseSeq: 1, merge: { tip: OID } }),
    JSON.stringify({ format: "xenstore-tng fork", version: 1, base: OID, baseSeq: 1, pending: null }),
  ])("that is damaged is refused with its file: %s", (content) => {
    writeForkNote(disk, STATE, NOTE);
    overwrite(content);
    expect(() => readForkNote(disk, STATE, "try")).toThrow(/\/state\/forks\/try\.json is not the note of a fork/);
  });
});
