import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { deflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { hashObject, hexFromOid, type Oid } from "../../../../../daemon/history/object/oid.js";
import { OidList } from "../../../../../daemon/history/object/oid-list.js";
import type { GitObject } from "../../../../../daemon/history/object/pack-decode.js";
import { DamagedObjectError, MissingObjectError } from "../../../../../daemon/history/repository/errors.js";
import { createRepository } from "../../../../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../../../../daemon/history/repository/object-reader.js";
import { packDirectory, placePack } from "../../../../../daemon/history/repository/pack-file.js";
import type { FileSystem } from "../../../../../daemon/platform/file-system.js";
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

describe("ObjectReader.readEach", () => {
  const texts = Array.from({ length: 1000 }, (_, index) => `text ${String(index)}`);

  /** Five packs of 200 texts each, of which every tenth stands in a second pack too, and the last ten texts loose. */
  function scattered(): { directory: string; packFiles: readonly string[] } {
    const directory = newRepository();
    const packed = texts.slice(0, -10);
    const packFiles = [0, 1, 2, 3, 4].map((pack) => {
      const own = packed.filter((_, index) => index % 5 === pack || (index % 10 === 0 && index % 4 === pack));
      const made = handMadePack(own.map((text) => wholeEntry("blob", Buffer.from(text))));
      placePack(nodeFileSystem, directory, made);
      return `${packDirectory(directory)}/pack-${made.name}.pack`;
    });
    for (const text of texts.slice(-10)) {
      const hex = hexFromOid(oidOf(text));
      mkdirSync(`${directory}/objects/${hex.slice(0, 2)}`, { recursive: true });
      writeFileSync(
        `${directory}/objects/${hex.slice(0, 2)}/${hex.slice(2)}`,
        deflateSync(Buffer.from(`blob ${String(text.length)}\0${text}`)),
      );
    }
    return { directory, packFiles };
  }

  function readEach(reader: ObjectReader, wanted: readonly string[]): (string | undefined)[] {
    const list = OidList.of(wanted.map(oidOf));
    const read = wanted.map((): string | undefined => undefined);
    let last: { readonly index: number; readonly object: GitObject } | undefined;
    const done = new Set<string>();
    reader.readEach(list, (index, object) => {
      expect(read[index]).toBeUndefined();
      const text = object.data.toString();
      if (last !== undefined && wanted[last.index] === text) expect(object).toBe(last.object);
      else expect(done.has(text), `${text} came in two parts`).toBe(false);
      done.add(text);
      last = { index, object };
      read[index] = text;
    });
    return read;
  }

  test("gives each object to the index of its oid, equal ones as one object, one right after the other", () => {
    const { directory } = scattered();
    const wanted = [...texts, ...texts.slice(300, 700), ...texts.slice(-5)];
    for (const openFilesMax of [1, 64]) {
      const reader = new ObjectReader(nodeFileSystem, directory, { verifyOids: true, openFilesMax });
      expect(readEach(reader, wanted)).toEqual(wanted);
      expect(readEach(reader, [])).toEqual([]);
      expect(readEach(reader, texts.slice(0, 3))).toEqual(texts.slice(0, 3));
      reader.close();
    }
  });

  test("asks the disk less than half as often as reading one by one would", () => {
    const directory = newRepository();
    // So large that an index and a pack are many windows, and an object's neighbours are in other ones than its own.
    const large = [0, 1].map((pack) =>
      Array.from({ length: 3000 }, (_, index) => `${String(index)} of ${String(pack)}`),
    );
    for (const each of large) {
      placePack(nodeFileSystem, directory, handMadePack(each.map((text) => wholeEntry("blob", Buffer.from(text)))));
    }
    let reads = 0;
    const disk = watching(() => {
      reads++;
    });
    const reader = new ObjectReader(disk, directory, { windowBytesMax: 0 });
    for (const text of large.flat()) reader.read(oidOf(text));
    const oneByOne = reads;
    reads = 0;
    readEach(reader, large.flat());
    expect(reads).toBeLessThan(oneByOne / 2);
    reader.close();
  });

  test("says what is missing or damaged, after it has given the others that it found", () => {
    const { directory, packFiles } = scattered();
    const reader = new ObjectReader(nodeFileSystem, directory);
    expect(() => readEach(reader, [...texts, "nowhere"])).toThrow(MissingObjectError);
    const junk = readFileSync(packFiles[2] as string);
    writeFileSync(packFiles[2] as string, junk.fill(0xee, 12, junk.length - 20));
    reader.close();
    expect(() => readEach(reader, texts)).toThrow(DamagedObjectError);
    // A whole copy of what is damaged helps.
    placePack(nodeFileSystem, directory, handMadePack(texts.map((text) => wholeEntry("blob", Buffer.from(text)))));
    expect(readEach(reader, texts)).toEqual(texts);
    reader.close();
  });

  /** A file system that calls `before` ahead of each read of a file. */
  function watching(before: (path: string, position: number) => void): FileSystem {
    return {
      ...nodeFileSystem,
      open: (path, mode) => {
        const file = nodeFileSystem.open(path, mode);
        const read = (target: Uint8Array, position: number): number => {
          before(path, position);
          return file.read(target, position);
        };
        return { ...file, read };
      },
    };
  }

  test("goes on when a pack is gone that it had only listed (object-reader invariant 1)", () => {
    const directory = newRepository();
    const sorted = [...texts].sort((left, right) => (oidOf(left) < oidOf(right) ? -1 : 1));
    // Those that are read one by one first stand in one pack, so the other is not open yet when all are replaced.
    const packFiles = [sorted.slice(0, 64), sorted.slice(64)].map((part) => {
      const made = handMadePack(part.map((text) => wholeEntry("blob", Buffer.from(text))));
      placePack(nodeFileSystem, directory, made);
      return `${packDirectory(directory)}/pack-${made.name}`;
    });
    const reader = new ObjectReader(nodeFileSystem, directory);
    let read = 0;
    reader.readEach(OidList.of(texts.map(oidOf)), (index, object) => {
      expect(object.data.toString()).toBe(texts[index]);
      if (++read !== 1) return;
      placePack(nodeFileSystem, directory, handMadePack(texts.map((text) => wholeEntry("blob", Buffer.from(text)))));
      for (const packFile of packFiles) for (const suffix of ["idx", "pack"]) rmSync(`${packFile}.${suffix}`);
    });
    expect(read).toBe(texts.length);
    reader.close();
  });

  test("does not take one object for another where an index has one place for two (object-reader invariant 3)", () => {
    const directory = newRepository();
    const made = handMadePack(texts.map((text) => wholeEntry("blob", Buffer.from(text))));
    const places = 1032 + texts.length * 24;
    // Two neighbours in the index, far behind those that are read one by one.
    made.index.copy(made.index, places + 4 * 501, places + 4 * 500, places + 4 * 501);
    placePack(nodeFileSystem, directory, made);
    const reader = new ObjectReader(nodeFileSystem, directory, { verifyOids: true });
    expect(() => readEach(reader, texts)).toThrow(/here stands object/);
    reader.close();
  });

  test("names the place of what is damaged far into a pack", () => {
    const directory = newRepository();
    const made = handMadePack(texts.map((text) => wholeEntry("blob", Buffer.from(text))));
    const place = made.offsets.at(-1) as number;
    expect(place).toBeGreaterThan(8192);
    made.pack.writeUInt8(0, place + 1);
    placePack(nodeFileSystem, directory, made);
    const reader = new ObjectReader(nodeFileSystem, directory);
    const error = expect.objectContaining({ name: "DamagedObjectError", offset: place + 1 }) as Error;
    expect(() => readEach(reader, texts)).toThrow(error);
    expect(() => reader.read(oidOf(texts.at(-1) as string))).toThrow(error);
    reader.close();
  });

  test("asks once for a part that the disk cannot read, when another pack has a copy (object-reader invariant 5)", () => {
    const directory = newRepository();
    const [bad] = [0, 1].map((copy) => {
      const others = Array.from({ length: 20 }, (_, index) => `${String(copy)} ${String(index)}`);
      const made = handMadePack([...texts, ...others].map((text) => wholeEntry("blob", Buffer.from(text))));
      placePack(nodeFileSystem, directory, made);
      return `${packDirectory(directory)}/pack-${made.name}.pack`;
    });
    let failures = 0;
    const disk = watching((path, position) => {
      if (path !== bad || position < 4096 || position >= 12_288) return;
      failures++;
      throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
    });
    const reader = new ObjectReader(disk, directory);
    // So that the bad pack is the first to be asked.
    reader.read(oidOf("0 0"));
    expect(readEach(reader, texts)).toEqual(texts);
    // And once more for each of those that are read one by one.
    expect(failures).toBeLessThanOrEqual(65);
    reader.close();
  });

  test("goes on when all packs are replaced by one while it reads (object-reader invariant 1)", () => {
    const { directory, packFiles } = scattered();
    const reader = new ObjectReader(nodeFileSystem, directory, { openFilesMax: 1, windowBytesMax: 0 });
    let read = 0;
    reader.readEach(OidList.of(texts.map(oidOf)), (index, object) => {
      expect(object.data.toString()).toBe(texts[index]);
      if (++read !== 200) return;
      placePack(nodeFileSystem, directory, handMadePack(texts.map((text) => wholeEntry("blob", Buffer.from(text)))));
      for (const packFile of packFiles) {
        rmSync(packFile.replace(/pack$/, "idx"));
        rmSync(packFile);
      }
    });
    expect(read).toBe(texts.length);
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

describe("ObjectReader and copies (object-reader invariant 5)", () => {
  const shared = wholeEntry("blob", Buffer.from("shared"));
  const others = ["1", "2", "3"].map((text) => wholeEntry("blob", Buffer.from(text)));

  /** Spoils the entry's zlib stream. */
  function spoil({ packFile, offset }: { packFile: string; offset: number }): void {
    const bytes = readFileSync(packFile);
    bytes.writeUInt8(bytes.readUInt8(offset + 4) ^ 0xff, offset + 4);
    writeFileSync(packFile, bytes);
  }

  function placeTwin(directory: string, other: HandMadeEntry): { packFile: string; offset: number } {
    const made = handMadePack([other, shared]);
    placePack(nodeFileSystem, directory, made);
    return { packFile: `${packDirectory(directory)}/pack-${made.name}.pack`, offset: made.offsets[1] as number };
  }

  test("takes another pack's copy of a damaged object, whichever is asked first", () => {
    for (const spoiled of [0, 1, 2]) {
      const directory = newRepository();
      const twins = others.map((other) => placeTwin(directory, other));
      spoil(twins[spoiled] as { packFile: string; offset: number });
      const reader = new ObjectReader(nodeFileSystem, directory);
      for (const first of ["1", "2", "3"]) {
        reader.read(oidOf(first));
        expect(reader.read(oidOf("shared")).data.toString()).toBe("shared");
      }
      reader.close();
    }
  });

  test("takes another pack's copy when a whole pack or its index is damaged, also for what that pack may have", () => {
    for (const suffix of ["pack", "idx"]) {
      const directory = newRepository();
      const spoiled = placeTwin(directory, others[0] as HandMadeEntry);
      placeTwin(directory, others[1] as HandMadeEntry);
      writeFileSync(spoiled.packFile.replace(/pack$/, suffix), "junk");
      const reader = new ObjectReader(nodeFileSystem, directory);
      expect(reader.read(oidOf("shared")).data.toString()).toBe("shared");
      expect(reader.read(oidOf("2")).data.toString()).toBe("2");
      expect(() => reader.read(oidOf("1"))).toThrow(DamagedObjectError);
      expect(() => reader.has(oidOf("1"))).toThrow(DamagedObjectError);
      reader.close();
    }
  });

  test("takes another copy instead of an object that is not the one asked for, when it verifies", () => {
    const directory = newRepository();
    placePack(nodeFileSystem, directory, handMadePack([{ ...others[0], oid: shared.oid } as HandMadeEntry]));
    placeTwin(directory, others[1] as HandMadeEntry);
    for (let round = 0; round < 4; round++) {
      const reader = new ObjectReader(nodeFileSystem, directory, { verifyOids: true });
      if (round % 2 === 0) reader.read(oidOf("2"));
      expect(reader.read(oidOf("shared")).data.toString()).toBe("shared");
      reader.close();
    }
  });

  test("takes a loose copy, and a pack's copy of a loose object that is damaged", () => {
    const hex = hexFromOid(shared.oid);
    const put = (directory: string, content: Uint8Array): void => {
      mkdirSync(`${directory}/objects/${hex.slice(0, 2)}`);
      writeFileSync(`${directory}/objects/${hex.slice(0, 2)}/${hex.slice(2)}`, content);
    };
    const one = newRepository();
    spoil(placeTwin(one, others[0] as HandMadeEntry));
    put(one, deflateSync(Buffer.from("blob 6\0shared")));
    expect(new ObjectReader(nodeFileSystem, one).read(shared.oid).data.toString()).toBe("shared");
    const two = newRepository();
    put(two, Buffer.from("junk"));
    const reader = new ObjectReader(nodeFileSystem, two);
    expect(() => reader.read(shared.oid)).toThrow(DamagedObjectError);
    placeTwin(two, others[0] as HandMadeEntry);
    expect(reader.read(shared.oid).data.toString()).toBe("shared");
    reader.close();
  });

  test("names the damage when all copies are damaged, until a person adds a pack that has the object", () => {
    const directory = newRepository();
    const twins = others.slice(0, 2).map((other) => placeTwin(directory, other));
    for (const twin of twins) spoil(twin);
    const reader = new ObjectReader(nodeFileSystem, directory);
    for (let round = 0; round < 2; round++) {
      expect(() => reader.read(oidOf("shared"))).toThrow(/pack-[0-9a-f]{40}\.pack at byte/);
      expect(reader.read(oidOf("1")).data.toString()).toBe("1");
    }
    placeTwin(directory, others[2] as HandMadeEntry);
    expect(reader.read(oidOf("shared")).data.toString()).toBe("shared");
    reader.close();
  });

  test("takes a disk that cannot read a part of a pack for damage of that pack", () => {
    const directory = newRepository();
    const bad = placeTwin(directory, others[0] as HandMadeEntry);
    const disk = {
      ...nodeFileSystem,
      open: (path: string, mode: "read" | "write" | "create") => {
        const file = nodeFileSystem.open(path, mode);
        const read = (target: Uint8Array, position: number): number => {
          if (path === bad.packFile) throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
          return file.read(target, position);
        };
        return { ...file, read };
      },
    };
    const reader = new ObjectReader(disk, directory);
    expect(() => reader.read(oidOf("shared"))).toThrow(/cannot be read: EIO/);
    placeTwin(directory, others[1] as HandMadeEntry);
    expect(reader.read(oidOf("shared")).data.toString()).toBe("shared");
    reader.close();
  });

  test("lists again when the first listing was too old for a loose object that was packed (object-reader invariant 1)", () => {
    const directory = newRepository();
    const disk = {
      ...nodeFileSystem,
      // `git gc` packs it between our listing and our look at the loose file.
      readFile: (path: string) => {
        if (path.includes("/objects/")) placeTwin(directory, others[0] as HandMadeEntry);
        return nodeFileSystem.readFile(path);
      },
    };
    expect(new ObjectReader(disk, directory).read(oidOf("shared")).data.toString()).toBe("shared");
  });
});

describe("ObjectReader and its bounds", () => {
  test("allocates nothing for a delta that announces more than it makes", () => {
    const size = Buffer.from([4, 0x80, 0x80, 0x80, 0x80, 0x01]);
    const { directory } = withPack([
      wholeEntry("blob", Buffer.from("base")),
      { oid: oidOf("x"), code: 7, data: Buffer.concat([size, Buffer.from([0x90, 4])]), base: oidOf("base") },
    ]);
    const reader = new ObjectReader(nodeFileSystem, directory);
    expect(() => reader.read(oidOf("x"))).toThrow("makes fewer bytes than the 268435456");
    reader.close();
  });

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
