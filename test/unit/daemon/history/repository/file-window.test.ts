import { appendFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FileVanishedError, WindowedFile, WindowPool } from "../../../../../daemon/history/repository/file-window.js";
import type { FileSystem } from "../../../../../daemon/platform/file-system.js";
import { nodeFileSystem } from "../../../../../daemon/platform/node-file-system.js";
import { propertyParameters } from "../../../../support/seed.js";
import { temporaryDirectory } from "../../../../support/temporary-directory.js";

/** Counts the files that are open. */
function countingFileSystem(): FileSystem & { readonly counts: { open: number; opened: number; reads: number } } {
  const counts = { open: 0, opened: 0, reads: 0 };
  return {
    ...nodeFileSystem,
    counts,
    open: (path, mode) => {
      const file = nodeFileSystem.open(path, mode);
      counts.open++;
      counts.opened++;
      return {
        ...file,
        read: (target, position) => {
          counts.reads++;
          return file.read(target, position);
        },
        close: () => {
          counts.open--;
          file.close();
        },
      };
    },
  };
}

function located(file: WindowedFile, position: number, length: number): Buffer {
  file.locate(position, length);
  return Buffer.from(file.bytes.subarray(file.at, file.at + length));
}

describe("WindowedFile", () => {
  test("gives the bytes of the file wherever and however many are asked for", () => {
    const directory = temporaryDirectory();
    const content = Buffer.from(Uint8Array.from({ length: 1000 }, (_, index) => index * 7 + (index >> 5)));
    writeFileSync(`${directory}/file`, content);
    const range = fc.record({
      position: fc.nat(1010),
      length: fc.nat(300),
      ahead: fc.boolean(),
      which: fc.constantFrom(0, 1),
    });
    const ranges = fc.array(range, { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(ranges, fc.integer({ min: 1, max: 200 }), fc.nat(2000), (list, windowBytes, windowBytesMax) => {
        const pool = new WindowPool(nodeFileSystem, { windowBytesMax, openFilesMax: 1 });
        const files = [1, 2].map(() => new WindowedFile(pool, `${directory}/file`, windowBytes));
        for (const { position, length, ahead, which } of list) {
          const file = files[which] as WindowedFile;
          if (ahead) file.readAhead(position, length);
          else {
            expect(located(file, position, length)).toEqual(content.subarray(position, position + length));
            if (position < content.length) expect(file.start + file.at).toBe(position);
          }
        }
        for (const file of files) file.close();
      }),
      propertyParameters(150),
    );
  });

  test("reads a window once while there is room for it", () => {
    const directory = temporaryDirectory();
    writeFileSync(`${directory}/file`, Buffer.alloc(1000, 1));
    const disk = countingFileSystem();
    const file = new WindowedFile(
      new WindowPool(disk, { windowBytesMax: 10_000, openFilesMax: 4 }),
      `${directory}/file`,
      100,
    );
    for (let round = 0; round < 3; round++) for (let at = 0; at < 1000; at += 10) file.locate(at, 10);
    expect(disk.counts.reads).toBe(10);
    file.close();
    expect(disk.counts.open).toBe(0);
  });

  test("asks the disk once for what is read ahead", () => {
    const directory = temporaryDirectory();
    writeFileSync(`${directory}/file`, Buffer.from(Uint8Array.from({ length: 1000 }, (_, index) => index)));
    const disk = countingFileSystem();
    const pool = new WindowPool(disk, { windowBytesMax: 10_000, openFilesMax: 4 });
    const [file, other] = [1, 2].map(() => new WindowedFile(pool, `${directory}/file`, 100)) as [
      WindowedFile,
      WindowedFile,
    ];
    file.readAhead(150, 600);
    for (let at = 150; at < 750; at += 10) expect(located(file, at, 10)[0]).toBe(at % 256);
    expect(disk.counts.reads).toBe(1);
    other.readAhead(0, 700);
    expect(located(file, 200, 10)[0]).toBe(200);
    expect(disk.counts.reads).toBe(3);
  });

  test("a file never shows memory that has become another's window (file-window invariant 3)", () => {
    const directory = temporaryDirectory();
    for (const name of ["one", "two"]) writeFileSync(`${directory}/${name}`, name.repeat(1000));
    const pool = new WindowPool(nodeFileSystem, { windowBytesMax: 1000, openFilesMax: 4 });
    const [one, two] = ["one", "two"].map((name) => new WindowedFile(pool, `${directory}/${name}`, 90)) as [
      WindowedFile,
      WindowedFile,
    ];
    for (let at = 0; at < 2700; at += 90) {
      expect(located(one, 0, 3).toString()).toBe("one");
      // More windows than there is room for.
      for (let other = 0; other < 20; other++) expect(located(two, (at + other * 90) % 2700, 3).toString()).toBe("two");
    }
    one.close();
    expect(located(two, 3, 3).toString()).toBe("two");
    two.close();
  });

  test("keeps at most the allowed number of files open (file-window invariant 1)", () => {
    const directory = temporaryDirectory();
    const disk = countingFileSystem();
    const pool = new WindowPool(disk, { windowBytesMax: 0, openFilesMax: 3 });
    const files = Array.from({ length: 8 }, (_, index) => {
      writeFileSync(`${directory}/${String(index)}`, `file ${String(index)}`);
      return new WindowedFile(pool, `${directory}/${String(index)}`, 16);
    });
    for (let round = 0; round < 3; round++) {
      for (const [index, file] of files.entries()) {
        expect(located(file, 5, 1).toString()).toBe(String(index));
        expect(disk.counts.open).toBeLessThanOrEqual(3);
        expect(pool.openFiles).toBe(disk.counts.open);
      }
    }
    expect(disk.counts.opened).toBeGreaterThan(24);
    for (const file of files) file.close();
    expect(disk.counts.open).toBe(0);
  });

  test("tells a file that is gone from one that is damaged (file-window invariant 2)", () => {
    const directory = temporaryDirectory();
    const path = `${directory}/file`;
    const pool = new WindowPool(nodeFileSystem, { windowBytesMax: 0, openFilesMax: 2 });
    expect(() => new WindowedFile(pool, path, 16)).toThrow(FileVanishedError);
    writeFileSync(path, "0123456789");
    const file = new WindowedFile(pool, path, 4);
    truncateSync(path, 5);
    expect(() => {
      file.locate(4, 4);
    }).toThrow(expect.objectContaining({ name: "DamagedObjectError", file: path, offset: 5 }) as Error);
    file.closeHandle();
    expect(() => {
      file.locate(0, 4);
    }).toThrow("had 10 bytes and now has 5");
    appendFileSync(path, "56789");
    expect(located(file, 0, 10).toString()).toBe("0123456789");
    file.closeHandle();
    rmSync(path);
    expect(() => {
      file.locate(0, 4);
    }).toThrow(FileVanishedError);
    expect(pool.openFiles).toBe(0);
  });
});
