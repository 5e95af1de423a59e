import { existsSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { withMountDirectory } from "../../../../clients/cli/mount-directory.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";

describe("withMountDirectory", () => {
  test("makes a directory for this user alone, and removes it with all that is in it", async () => {
    const place = temporaryDirectory();
    const made = await withMountDirectory(
      (directory) => {
        expect(dirname(directory)).toBe(place);
        expect(statSync(directory).mode & 0o777).toBe(0o700);
        writeFileSync(join(directory, "left"), "");
        return Promise.resolve(directory);
      },
      [place],
    );
    expect(existsSync(made)).toBe(false);
  });

  test("removes it when what it was for fails", async () => {
    let made = "";
    const use = (directory: string): Promise<void> => {
      made = directory;
      return Promise.reject(new Error("it failed"));
    };
    await expect(withMountDirectory(use, [temporaryDirectory()])).rejects.toThrow("it failed");
    expect([made === "", existsSync(made)]).toEqual([false, false]);
  });

  test("takes the first place that is short enough for a socket, of 107 bytes at most", async () => {
    const place = temporaryDirectory();
    // PLACE/xs-bisect-XXXXXX/socket
    const fits = "/".padEnd(107 - "/xs-bisect-XXXXXX/socket".length, "x");
    await expect(withMountDirectory(() => Promise.resolve(), [fits])).rejects.toThrow(
      /no directory can be made in .* \(ENOENT.*\): set TMPDIR to one that is there/,
    );
    const used = await withMountDirectory((directory) => Promise.resolve(directory), [`${fits}x`, place]);
    expect(dirname(used)).toBe(place);
    await expect(withMountDirectory(() => Promise.resolve(), [`${fits}x`])).rejects.toThrow(
      /too long for a socket, whose path has at most 107 bytes: set TMPDIR to a shorter directory/,
    );
  });
});
