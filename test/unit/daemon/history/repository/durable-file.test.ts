import { readFileSync, writeFileSync } from "node:fs";
import { isErrno } from "../../../../../daemon/platform/errno.js";
import { describe, expect, test } from "vitest";
import {
  listIfPresent,
  readIfPresent,
  removeIfPresent,
  writeDurableFile,
  writeParts,
} from "../../../../../daemon/history/repository/durable-file.js";
import type { FileSystem, OpenFile } from "../../../../../daemon/platform/file-system.js";
import { nodeFileSystem } from "../../../../../daemon/platform/node-file-system.js";
import { temporaryDirectory } from "../../../../support/temporary-directory.js";

describe("writeDurableFile", () => {
  test("writes all parts on a disk that takes one byte at a time, and syncs before it closes", () => {
    const path = `${temporaryDirectory()}/file`;
    const calls: string[] = [];
    const slow: FileSystem = {
      ...nodeFileSystem,
      open: (name, mode) => {
        const file = nodeFileSystem.open(name, mode);
        return {
          ...file,
          write: (data, position) => file.write(data.subarray(0, 1), position),
          sync: () => calls.push("sync"),
          close: () => {
            calls.push("close");
            file.close();
          },
        };
      },
    };
    writeDurableFile(slow, path, [Buffer.from("one"), Buffer.alloc(0), Buffer.from("two")]);
    expect(readFileSync(path, "utf8")).toBe("onetwo");
    expect(calls).toEqual(["sync", "close"]);
  });

  test("refuses an existing file with EEXIST", () => {
    const path = `${temporaryDirectory()}/file`;
    writeFileSync(path, "old");
    expect(() => {
      writeDurableFile(nodeFileSystem, path, [Buffer.from("new")]);
    }).toThrow("EEXIST");
    expect(readFileSync(path, "utf8")).toBe("old");
  });
});

describe("writeParts", () => {
  test("gives up when the disk takes nothing, instead of trying for ever", () => {
    const file = { write: () => 0 } as unknown as OpenFile;
    expect(() => {
      writeParts(file, "/x", [Buffer.from("a")]);
    }).toThrow("/x: the disk took no more bytes at 0");
  });
});

describe("isErrno, removeIfPresent, readIfPresent, listIfPresent", () => {
  test("take a missing file for an answer and no other error", () => {
    const directory = temporaryDirectory();
    writeFileSync(`${directory}/file`, "content");
    expect(readIfPresent(nodeFileSystem, `${directory}/none`)).toBeUndefined();
    expect(readIfPresent(nodeFileSystem, directory)).toBeUndefined();
    expect(readIfPresent(nodeFileSystem, `${directory}/file/below`)).toBeUndefined();
    expect(listIfPresent(nodeFileSystem, `${directory}/none`)).toEqual([]);
    expect(listIfPresent(nodeFileSystem, directory)).toEqual(["file"]);
    expect(removeIfPresent(nodeFileSystem, `${directory}/file`)).toBe(true);
    expect(removeIfPresent(nodeFileSystem, `${directory}/file`)).toBe(false);
    const failing = {
      ...nodeFileSystem,
      readFile: () => {
        throw Object.assign(new Error("EIO"), { code: "EIO" });
      },
    };
    expect(() => readIfPresent(failing, "/x")).toThrow("EIO");
    expect(isErrno(new Error("ENOENT"), "ENOENT")).toBe(false);
  });
});
