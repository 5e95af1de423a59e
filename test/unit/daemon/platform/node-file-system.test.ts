/** What only the real file system has; the rest is the contract, test/contract/file-system.test.ts. */
import { mkdirSync, statSync } from "node:fs";
import { expect, it } from "vitest";
import { nodeFileSystem } from "../../../../daemon/platform/node-file-system.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";

it("nodeFileSystem makes files and directories that only their owner can use", () => {
  const directory = temporaryDirectory();
  nodeFileSystem.makeDirectory(`${directory}/a/b`);
  nodeFileSystem.open(`${directory}/a/b/file`, "create").close();
  const modes = ["a", "a/b", "a/b/file"].map((path) => statSync(`${directory}/${path}`).mode & 0o777);
  expect(modes).toEqual([0o700, 0o700, 0o600]);
});

it("nodeFileSystem leaves the mode of an existing directory alone", () => {
  const directory = temporaryDirectory();
  mkdirSync(`${directory}/a`, { mode: 0o750 });
  nodeFileSystem.makeDirectory(`${directory}/a`);
  expect(statSync(`${directory}/a`).mode & 0o777).toBe(0o750);
});

it("nodeFileSystem passes on the system's error for a full disk", () => {
  const file = nodeFileSystem.open("/dev/full", "write");
  expect(() => file.write(Buffer.from("x"), 0)).toThrow(expect.objectContaining({ code: "ENOSPC" }) as Error);
  file.close();
});
