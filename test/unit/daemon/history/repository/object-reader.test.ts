import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { deflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { hashObject, hexFromOid, type Oid } from "../../../../../daemon/history/object/oid.js";
import { DamagedObjectError, MissingObjectError } from "../../../../../daemon/history/repository/errors.js";
import { createRepository } from "../../../../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../../../../daemon/history/repository/object-reader.js";
import { packDirectory, placePack } from "../../../../../daemon/history/repository/pack-file.js";
import { nodeFileSystem } from "../../../../../daemon/platform/node-file-system.js";
import { temporaryDirectory } from "../../../../support/temporary-directory.js";
import { handMadePack, wholeEntry, type HandMadeEntry } from "./repository-support.js";

function newRepository(): string {
  const directory = `${temporaryDirectory()}/store.git`;
  createRepository(nodeFileSystem, directory);
  return directory;
}

function withPack(entries: readonly HandMadeEntry[]): {
  directory: string;
  packFile: string;
  offsets: readonly number[];
} {
  const directory = newRepository();
  const made = handMadePack(entries);
  placePack(nodeFileSystem, directory, made);
  return { directory, packFile: `${packDirectory(directory)}/pack-${made.name}.pack`, offsets: made.offsets };
}

function oidOf(text: string): Oid {
  return hashObject("blob", text);
}

/** Copies `length` bytes of a base of `baseSize` bytes and appends `text`. */
function appendDelta(baseSize: number, text: string): Buffer {
  return Buffer.concat([
    Buffer.from([baseSize, baseSize + text.length, 0x90, baseSize, text.length]),
    Buffer.from(text),
  ]);
}

function damage(offset: number): Error {
  return expect.objectContaining({ name: "DamagedObjectError", offset }) as Error;
}

describe("ObjectReader.read, has", () => {
  test("say what is missing, in a repository without packs", () => {
    const directory = newRepository();
    const reader = new ObjectReader(nodeFileSystem, directory);
    expect(() => reader.read(oidOf("a"))).toThrow(MissingObjectError);
    expect(() => reader.read(oidOf("a"))).toThrow(hexFromOid(oidOf("a")));
    expect(reader.has(oidOf("a"))).toBe(false);
    reader.close();
  });

  test("find a pack that came after the reader looked (object-reader invariant 1)", () => {
    const directory = newRepository();
    const reader = new ObjectReader(nodeFileSystem, directory);
    expect(reader.has(oidOf("late"))).toBe(false);
    placePack(nodeFileSystem, directory, handMadePack([wholeEntry("blob", Buffer.from("late"))]));
    expect(reader.read(oidOf("late")).data.toString()).toBe("late");
    reader.close();
  });

  test("find a loose object that came after the reader looked", () => {
    const directory = newRepository();
    const reader = new ObjectReader(nodeFileSystem, directory);
    const hex = hexFromOid(oidOf("loose"));
    expect(reader.has(oidOf("loose"))).toBe(false);
    mkdirSync(`${directory}/objects/${hex.slice(0, 2)}`);
    writeFileSync(`${directory}/objects/${hex.slice(0, 2)}/${hex.slice(2)}`, deflateSync(Buffer.from("blob 5\0loose")));
    expect(reader.read(oidOf("loose"))).toEqual({ type: "blob", data: Buffer.from("loose") });
    expect(reader.has(oidOf("loose"))).toBe(true);
    reader.close();
  });

  test("go on when a pack's objects moved to another pack, with or without an open file (object-reader invariant 1)", () => {
    const entries = [wholeEntry("blob", Buffer.from("one")), wholeEntry("blob", Buffer.from("two"))];
    for (const openFilesMax of [1, 64]) {
      const { directory, packFile } = withPack(entries);
      const reader = new ObjectReader(nodeFileSystem, directory, { windowBytesMax: 0, openFilesMax });
      reader.read(oidOf("one"));
      placePack(nodeFileSystem, directory, handMadePack([...entries, wholeEntry("blob", Buffer.from("three"))]));
      rmSync(packFile.replace(/pack$/, "idx"));
      rmSync(packFile);
      expect(reader.read(oidOf("two")).data.toString()).toBe("two");
      expect(reader.read(oidOf("three")).data.toString()).toBe("three");
      expect(reader.read(oidOf("one")).data.toString()).toBe("one");
      reader.close();
    }
  });

  test("say that an object is missing when its pack vanished for good", () => {
    const { directory, packFile } = withPack([wholeEntry("blob", Buffer.from("one"))]);
    const reader = new ObjectReader(nodeFileSystem, directory, { windowBytesMax: 0, openFilesMax: 1 });
    reader.read(oidOf("one"));
    rmSync(packFile);
    expect(() => reader.read(oidOf("one"))).toThrow(MissingObjectError);
    reader.close();
  });

  test("pass over an index without a pack, as git does", () => {
    const { directory, packFile } = withPack([wholeEntry("blob", Buffer.from("one"))]);
    rmSync(packFile);
    expect(new ObjectReader(nodeFileSystem, directory).has(oidOf("one"))).toBe(false);
  });

  test("apply deltas on deltas of both kinds, with and without a cache", () => {
    const base = wholeEntry("blob", Buffer.from("base"));
    const baseEntryBytes = handMadePack([base]).pack.length - 12 - 20;
    const chain: HandMadeEntry[] = [
      base,
      { oid: oidOf("base1"), code: 6, data: appendDelta(4, "1"), distance: baseEntryBytes },
      { oid: oidOf("base12"), code: 7, data: appendDelta(5, "2"), base: oidOf("base1") },
      { oid: oidOf("base123"), code: 7, data: appendDelta(6, "3"), base: oidOf("base12") },
    ];
    const { directory } = withPack(chain);
    for (const baseBytesMax of [0, 1 << 20]) {
      const reader = new ObjectReader(nodeFileSystem, directory, { verifyOids: true, baseBytesMax });
      for (const text of ["base123", "base1", "base12", "base", "base123"]) {
        expect(reader.read(oidOf(text))).toEqual({ type: "blob", data: Buffer.from(text) });
      }
      reader.close();
    }
  });

  test("can be used again after close", () => {
    const { directory } = withPack([wholeEntry("tree", Buffer.alloc(0)), wholeEntry("blob", Buffer.from("one"))]);
    const reader = new ObjectReader(nodeFileSystem, directory);
    reader.read(oidOf("one"));
    reader.close();
    reader.close();
    expect(reader.read(oidOf("one")).data.toString()).toBe("one");
    expect(reader.read(hashObject("tree", "")).type).toBe("tree");
    reader.close();
  });
});

describe("ObjectReader and damage", () => {
  test("ends a circle of deltas (object-reader invariant 2)", () => {
    const circle: HandMadeEntry[] = [
      { oid: oidOf("a"), code: 7, data: appendDelta(1, "x"), base: oidOf("b") },
      { oid: oidOf("b"), code: 7, data: appendDelta(1, "x"), base: oidOf("a") },
    ];
    const { directory, offsets } = withPack(circle);
    const reader = new ObjectReader(nodeFileSystem, directory);
    expect(() => reader.read(oidOf("a"))).toThrow(damage(offsets[0] as number));
    expect(() => reader.read(oidOf("a"))).toThrow("in a circle");
  });

  test.each([
    ["a base before the pack's first entry", { code: 6, distance: 5000 }, "would begin 5000 bytes before it"],
    ["a base within the pack's header", { code: 6, distance: 4 }, "refers to this place"],
    ["itself as its base", { code: 6, distance: 0 }, "would begin 0 bytes before it"],
    ["a base in no pack", { code: 7, base: oidOf("elsewhere") }, "is not in this pack"],
    ["a size beyond the limit", { code: 3, statedSize: 2 ** 40 }, "at most"],
    ["a size larger than its data", { code: 3, statedSize: 6 }, "should hold 6"],
    ["a size smaller than its data", { code: 3, statedSize: 4 }, "more than the 4"],
    ["type 5", { code: 5 }, "no type of a pack entry"],
  ])("names file and place of an entry with %s", (_, change, reason) => {
    const entry: HandMadeEntry = { oid: oidOf("entry"), data: Buffer.from("entry"), ...change };
    const { directory, packFile } = withPack([entry]);
    const read = (): unknown => new ObjectReader(nodeFileSystem, directory).read(oidOf("entry"));
    expect(read).toThrow(DamagedObjectError);
    expect(read).toThrow(packFile);
    expect(read).toThrow(reason);
  });

  test("names the place of a delta that does not fit its base", () => {
    const { directory, offsets } = withPack([
      wholeEntry("blob", Buffer.from("base")),
      { oid: oidOf("x"), code: 7, data: appendDelta(9, "x"), base: oidOf("base") },
    ]);
    expect(() => new ObjectReader(nodeFileSystem, directory).read(oidOf("x"))).toThrow(damage(offsets[1] as number));
  });

  test("refuses a pack of another magic, version, count or checksum than its index", () => {
    const changes: [number, number][] = [
      [0, 0x51],
      [7, 4],
      [11, 2],
      [-1, 0],
    ];
    for (const [at, value] of changes) {
      const { directory, packFile } = withPack([wholeEntry("blob", Buffer.from("one"))]);
      const bytes = readFileSync(packFile);
      const position = at < 0 ? bytes.length + at : at;
      bytes.writeUInt8(at < 0 ? bytes.readUInt8(position) ^ 1 : value, position);
      writeFileSync(packFile, bytes);
      const reader = new ObjectReader(nodeFileSystem, directory);
      // A damaged pack does not become "missing" for the second reader of it.
      for (let round = 0; round < 2; round++) expect(() => reader.read(oidOf("one"))).toThrow(DamagedObjectError);
    }
  });

  test("with verification returns no object under another's oid (object-reader invariant 3)", () => {
    const { directory, offsets } = withPack([{ ...wholeEntry("blob", Buffer.from("wrong")), oid: oidOf("right") }]);
    expect(new ObjectReader(nodeFileSystem, directory).read(oidOf("right")).data.toString()).toBe("wrong");
    const read = (): unknown => new ObjectReader(nodeFileSystem, directory, { verifyOids: true }).read(oidOf("right"));
    expect(read).toThrow(damage(offsets[0] as number));
    expect(read).toThrow(`here stands object ${hexFromOid(oidOf("wrong"))}`);
  });

  test("names the file of a damaged loose object", () => {
    const directory = newRepository();
    const hex = hexFromOid(oidOf("loose"));
    const path = `${directory}/objects/${hex.slice(0, 2)}/${hex.slice(2)}`;
    mkdirSync(`${directory}/objects/${hex.slice(0, 2)}`);
    writeFileSync(path, "");
    expect(() => new ObjectReader(nodeFileSystem, directory).read(oidOf("loose"))).toThrow(path);
  });
});

describe("ObjectReader and its bounds", () => {
  test("leaves no file open after close, and few before (object-reader invariant 4)", () => {
    const directory = newRepository();
    for (let pack = 0; pack < 12; pack++) {
      placePack(nodeFileSystem, directory, handMadePack([wholeEntry("blob", Buffer.from(`pack ${String(pack)}`))]));
    }
    let open = 0;
    let most = 0;
    const disk = {
      ...nodeFileSystem,
      open: (path: string, mode: "read" | "write" | "create") => {
        const file = nodeFileSystem.open(path, mode);
        most = Math.max(most, ++open);
        return {
          ...file,
          close: () => {
            open--;
            file.close();
          },
        };
      },
    };
    const reader = new ObjectReader(disk, directory, { openFilesMax: 5, windowBytesMax: 1000 });
    for (let pack = 0; pack < 12; pack++) expect(reader.read(oidOf(`pack ${String(pack)}`)).type).toBe("blob");
    expect(most).toBeLessThanOrEqual(5);
    reader.close();
    expect(open).toBe(0);
    expect(readdirSync(packDirectory(directory))).toHaveLength(36);
  });
});
