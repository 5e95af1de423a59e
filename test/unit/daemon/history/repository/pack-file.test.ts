import { cpSync, readdirSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createRepository } from "../../../../../daemon/history/repository/layout.js";
import {
  packDirectory,
  placePack,
  removeKeep,
  removeStaleKeeps,
  removeTemporaryFiles,
} from "../../../../../daemon/history/repository/pack-file.js";
import { nodeFileSystem } from "../../../../../daemon/platform/node-file-system.js";
import { temporaryDirectory } from "../../../../support/temporary-directory.js";
import { crashingFileSystem, failingFileSystem, git, handMadePack, wholeEntry } from "./repository-support.js";

const PACK = handMadePack([wholeEntry("blob", Buffer.from("one")), wholeEntry("blob", Buffer.from("two"))]);

function newRepository(): string {
  const directory = `${temporaryDirectory()}/store.git`;
  createRepository(nodeFileSystem, directory);
  return directory;
}

function packFiles(directory: string): string[] {
  return readdirSync(packDirectory(directory)).sort();
}

describe("placePack, removeKeep", () => {
  test("put a pack into place, kept until it is released", () => {
    const directory = newRepository();
    placePack(nodeFileSystem, directory, { ...PACK, pack: [PACK.pack.subarray(0, 20), PACK.pack.subarray(20)] });
    const files = [`pack-${PACK.name}.idx`, `pack-${PACK.name}.keep`, `pack-${PACK.name}.pack`];
    expect(packFiles(directory)).toEqual(files);
    git(directory, ["verify-pack", `objects/pack/pack-${PACK.name}.idx`]);
    removeKeep(nodeFileSystem, directory, PACK.name);
    expect(packFiles(directory)).toEqual([files[0], files[2]]);
    removeKeep(nodeFileSystem, directory, PACK.name);
  });

  test("do all in the order that the safety argument needs (pack-file invariants 1 and 2)", () => {
    const directory = newRepository();
    const calls: string[] = [];
    const short = (path: string): string => path.slice(packDirectory(directory).length + 1).replace(PACK.name, "X");
    const recording = {
      ...nodeFileSystem,
      open: (path: string, mode: "read" | "write" | "create") => {
        const file = nodeFileSystem.open(path, mode);
        return {
          ...file,
          sync: () => {
            file.sync();
            calls.push(`sync ${short(path)}`);
          },
        };
      },
      rename: (from: string, to: string) => {
        nodeFileSystem.rename(from, to);
        calls.push(`rename to ${short(to)}`);
      },
      syncDirectory: () => calls.push("sync directory"),
    };
    placePack(recording, directory, PACK);
    expect(calls).toEqual([
      "sync incoming-X.pack-part",
      "sync incoming-X.idx-part",
      "sync incoming-X.keep-part",
      "rename to pack-X.keep",
      "rename to pack-X.pack",
      "rename to pack-X.idx",
      "sync directory",
    ]);
  });

  test("may be repeated, also over leftovers of a torn write (pack-file invariant 4)", () => {
    const directory = newRepository();
    writeFileSync(`${packDirectory(directory)}/incoming-${PACK.name}.pack-part`, "torn");
    placePack(nodeFileSystem, directory, PACK);
    placePack(nodeFileSystem, directory, PACK);
    expect(packFiles(directory)).toHaveLength(3);
  });

  test("refuse a name that is no checksum, which could lead out of the directory", () => {
    expect(() => {
      placePack(nodeFileSystem, newRepository(), { ...PACK, name: "../../x" });
    }).toThrow("40 hexadecimal digits");
  });

  test.each(["pack-part", "idx-part", "keep-part"])("leave no torn file when the disk is full at the %s", (suffix) => {
    const directory = newRepository();
    const full = failingFileSystem(nodeFileSystem, "ENOSPC", (call, path) => call === "write" && path.endsWith(suffix));
    expect(() => {
      placePack(full, directory, PACK);
    }).toThrow("ENOSPC");
    expect(packFiles(directory)).toEqual([]);
    placePack(nodeFileSystem, directory, PACK);
    expect(packFiles(directory)).toHaveLength(3);
  });

  test("leave a person's .keep alone (pack-file invariant 3)", () => {
    const directory = newRepository();
    const keep = `${packDirectory(directory)}/pack-${PACK.name}.keep`;
    for (const text of ["", "mine\n"]) {
      writeFileSync(keep, text);
      placePack(nodeFileSystem, directory, PACK);
      removeKeep(nodeFileSystem, directory, PACK.name);
      expect(removeStaleKeeps(nodeFileSystem, directory)).toEqual([]);
      expect(packFiles(directory)).toHaveLength(3);
    }
  });
});

describe("removeStaleKeeps, removeTemporaryFiles", () => {
  test("leave nothing of a pack, or the whole of it, wherever placing it was cut off", () => {
    const empty = newRepository();
    for (let calls = 0; ; calls++) {
      const directory = `${temporaryDirectory()}/store.git`;
      cpSync(empty, directory, { recursive: true });
      let died = false;
      try {
        placePack(crashingFileSystem(nodeFileSystem, calls), directory, PACK);
      } catch {
        died = true;
      }
      const whole = [`pack-${PACK.name}.idx`, `pack-${PACK.name}.pack`].every((name) =>
        packFiles(directory).includes(name),
      );
      const kept = packFiles(directory).includes(`pack-${PACK.name}.keep`);
      if (whole) expect(kept).toBe(true);
      expect(removeStaleKeeps(nodeFileSystem, directory)).toEqual(kept ? [PACK.name] : []);
      removeTemporaryFiles(nodeFileSystem, directory);
      expect(packFiles(directory)).toEqual(whole ? [`pack-${PACK.name}.idx`, `pack-${PACK.name}.pack`] : []);
      if (!died) {
        expect(calls).toBeGreaterThan(12);
        return;
      }
    }
  });

  test("do nothing in a repository at rest, and name what they removed", () => {
    const directory = newRepository();
    expect(removeStaleKeeps(nodeFileSystem, directory)).toEqual([]);
    expect(removeTemporaryFiles(nodeFileSystem, directory)).toEqual([]);
    writeFileSync(`${packDirectory(directory)}/incoming-x`, "");
    writeFileSync(`${packDirectory(directory)}/tmp_pack_of_git`, "");
    expect(removeTemporaryFiles(nodeFileSystem, directory)).toEqual(["incoming-x"]);
    expect(packFiles(directory)).toEqual(["tmp_pack_of_git"]);
  });
});
