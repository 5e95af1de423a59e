import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeDurableFile } from "../../../../../daemon/history/repository/durable-file.js";
import { listedPacks } from "../../../../../daemon/history/repository/multi-pack-index.js";
import { createMemoryFileSystem } from "../../../../support/memory-file-system.js";
import { nodeFileSystem } from "../../../../../daemon/platform/node-file-system.js";
import { temporaryDirectory } from "../../../../support/temporary-directory.js";
import { git } from "./repository-support.js";

describe("listedPacks", () => {
  it("gives the packs that git multi-pack-index has written", () => {
    const directory = temporaryDirectory();
    git(directory, ["init", "-q", "--bare"]);
    const names = ["one", "two"].map((value) =>
      git(
        directory,
        ["pack-objects", "-q", "objects/pack/pack"],
        `${git(directory, ["hash-object", "-w", "--stdin"], value)}\n`,
      ),
    );
    const packs = join(directory, "objects/pack");
    expect(listedPacks(nodeFileSystem, packs)).toEqual(new Set());
    git(directory, ["multi-pack-index", "write"]);
    expect(listedPacks(nodeFileSystem, packs)).toEqual(new Set(names));
  });

  it("lists all of them where the file makes no sense, or is a chain of several", () => {
    for (const content of [
      "",
      "MIDX",
      "JUNKJUNKJUNK",
      `MIDX\x01\x01\x01\0\0\0\0\x01PNAM${"\xff".repeat(20)}`,
      `MIDX\x01\x01\0\0${"\0".repeat(40)}`,
    ]) {
      const memory = createMemoryFileSystem();
      writeDurableFile(memory, "/multi-pack-index", [Buffer.from(content, "latin1")]);
      expect(listedPacks(memory, "")).toBe("all");
    }
    const memory = createMemoryFileSystem();
    memory.makeDirectory("/multi-pack-index.d");
    expect(listedPacks(memory, "")).toBe("all");
  });
});
