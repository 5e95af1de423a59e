import { statSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createRedactionKey, readRedactionKey } from "../../../../daemon/journal/redaction-key.js";
import { nodeFileSystem } from "../../../../daemon/platform/node-file-system.js";
import { createFaultyFileSystem } from "../../../support/faulty-file-system.js";
import { createMemoryFileSystem } from "../../../support/memory-file-system.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";

describe("createRedactionKey, readRedactionKey", () => {
  it("make a random key for the daemon's user alone, and read it again", () => {
    const directory = temporaryDirectory();
    expect(readRedactionKey(nodeFileSystem, directory)).toBeUndefined();
    const key = createRedactionKey(nodeFileSystem, directory);
    expect(key).toHaveLength(32);
    expect(readRedactionKey(nodeFileSystem, directory)).toEqual(key);
    expect(statSync(`${directory}/redaction.key`).mode & 0o777).toBe(0o600);
    expect(createRedactionKey(nodeFileSystem, temporaryDirectory())).not.toEqual(key);
  });

  it("make it whole and durable, though the disk takes few bytes at a time, or not at all", () => {
    const memory = createMemoryFileSystem();
    const disk = createFaultyFileSystem(memory);
    memory.makeDirectory("/state");
    memory.syncDirectory("/");
    disk.inject({ call: "write", nth: 2, error: "ENOSPC" });
    disk.inject({ call: "write", nth: 1, bytes: 5, lasts: false });
    expect(() => createRedactionKey(disk, "/state")).toThrow("ENOSPC");
    expect(readRedactionKey(memory, "/state")).toBeUndefined();
    disk.heal();
    disk.inject({ call: "write", nth: 1, bytes: 5, lasts: false });
    const key = Buffer.from(createRedactionKey(disk, "/state"));
    expect(memory.list("/state")).toEqual(["redaction.key"]);
    memory.crash("everything");
    expect(Buffer.from(readRedactionKey(memory, "/state") ?? [])).toEqual(key);
  });

  it("refuse a file that holds no key, and say what to do", () => {
    const memory = createMemoryFileSystem();
    memory.makeDirectory("/state");
    memory.open("/state/redaction.key", "create").close();
    expect(() => readRedactionKey(memory, "/state")).toThrow(
      "/state/redaction.key should hold 32 bytes and holds 0: put it back from a copy; or remove it",
    );
  });
});
