/**
 * Socket files.
 */
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkSocketPath, isServed } from "../../../../daemon/server/socket-path.js";
import { withTemporaryDirectory } from "../../../support/temporary-directory.js";

describe("checkSocketPath", () => {
  test("refuses a path of 108 bytes, which Node would cut silently", () => {
    expect(() => {
      checkSocketPath(`/${"a".repeat(106)}`);
    }).not.toThrow();
    expect(() => {
      checkSocketPath(`/${"a".repeat(107)}`);
    }).toThrow(/108 bytes; a Unix socket address holds 107/);
    expect(() => {
      checkSocketPath(`/${"\u00e9".repeat(54)}`);
    }, "bytes count, not characters").toThrow(/109 bytes/);
  });
});

describe("isServed", () => {
  test("tells a socket that is served from one that was left behind, and from nothing, and refuses a file", async () => {
    await withTemporaryDirectory(async (directory) => {
      const path = join(directory, "socket");
      expect(await isServed(path)).toBe(false);
      const server = createServer((socket) => socket.destroy());
      await new Promise<void>((resolve) => server.listen(path, resolve));
      expect(await isServed(path)).toBe(true);
      await new Promise((resolve) => server.close(resolve));
      expect(await isServed(path)).toBe(false);
      writeFileSync(path, "no socket");
      await expect(isServed(path)).rejects.toThrow(/no socket: remove it/);
    });
  });
});
