import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startDaemonProcess } from "../../../simulator/daemon-process.js";
import { withTemporaryDirectory } from "../../support/temporary-directory.js";

describe("startDaemonProcess", () => {
  test("gives a daemon that serves, whatever XENSTORED_RUNDIR says, until it is stopped", async () => {
    await withTemporaryDirectory(async (directory) => {
      process.env["XENSTORED_RUNDIR"] = join(directory, "other");
      try {
        const daemon = await startDaemonProcess(directory);
        expect(daemon.runDirectory).toBe(join(directory, "run"));
        expect(existsSync(join(daemon.runDirectory, "socket"))).toBe(true);
        expect(existsSync(join(daemon.repository, "HEAD"))).toBe(true);
        expect(daemon.explorerUrl).toBeUndefined();
        await daemon.stop();
        expect(() => process.kill(daemon.pid, 0)).toThrow("ESRCH");
      } finally {
        delete process.env["XENSTORED_RUNDIR"];
      }
    });
  });

  test("gives an address with the token where people are to look on, and traces for them", async () => {
    await withTemporaryDirectory(async (directory) => {
      const daemon = await startDaemonProcess(directory, true);
      const { origin, hash } = new URL(daemon.explorerUrl ?? "");
      const [, token = ""] = hash.split("=");
      const answer = await fetch(`${origin}/v1/trace`, { headers: { authorization: `Bearer ${token}` } });
      expect(answer.status).toBe(200);
      await daemon.stop();
    });
  });

  test("says why a daemon did not start, in the daemon's words", async () => {
    await withTemporaryDirectory(async (directory) => {
      writeFileSync(join(directory, "state"), "");
      await expect(startDaemonProcess(directory)).rejects.toThrow(
        /^the daemon did not start: it ended with exit code 1\nxenstored-tng: /,
      );
    });
  });
});
