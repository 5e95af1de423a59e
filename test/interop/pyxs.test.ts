/**
 * python3-pyxs, a XenStore client in pure Python, against the daemon. What it does is in `pyxs-session.py`.
 */
import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { clientEnvironment, daemonsToTry } from "../support/daemon-process.js";

// Debian's Python, because that is the one that Debian's package is installed for.
const python = "/usr/bin/python3";
const isInstalled = spawnSync(python, ["-c", "import pyxs"]).status === 0;
const why = isInstalled ? "" : " (skipped: python3-pyxs is not installed)";
const session = join(import.meta.dirname, "pyxs-session.py");

describe.each(daemonsToTry())(`pyxs against %s${why}`, (_name, { start }) => {
  test.skipIf(!isInstalled)("reads, writes, perms, transactions, domains and monitors", async () => {
    const daemon = await start();
    try {
      const { stdout } = await promisify(execFile)(python, [session], {
        env: clientEnvironment(daemon),
        encoding: "utf8",
        timeout: 20_000,
      });
      expect(stdout.trim().split("\n")).toEqual(["read_and_write", "perms", "transactions", "domains", "monitors"]);
    } finally {
      await daemon.stop();
    }
  });
});
