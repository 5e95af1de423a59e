import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isDirectoryInUse } from "../../../../daemon/platform/directory-users.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";

describe("isDirectoryInUse", () => {
  it("sees a file that another process has open, and not our own", async () => {
    const directory = realpathSync(temporaryDirectory());
    const path = join(directory, "file");
    writeFileSync(path, "x");
    const own = openSync(path, "r");
    expect(isDirectoryInUse(directory)).toBe(false);
    const other = spawn("sh", ["-c", 'exec 3< "$0"; echo open; read line', path], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    await once(other.stdout, "data");
    expect(isDirectoryInUse(directory)).toBe(true);
    expect(isDirectoryInUse(join(directory, "fi"))).toBe(false);
    other.stdin.end();
    await once(other, "close");
    expect(isDirectoryInUse(directory)).toBe(false);
    closeSync(own);
  });
});
