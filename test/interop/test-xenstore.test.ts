/**
 * Xen's own client test, `test-xenstore`, against the daemon: its reads, writes, directories and transactions.
 *
 * The program is found by `TEST_XENSTORE`, in `PATH`, or in `~/.cache/xenstore-peers`; Debian has it in xen-utils-4.17.
 */
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { clientEnvironment, daemonsToTry, findProgram } from "../support/daemon-process.js";

const program = findProgram("test-xenstore", "TEST_XENSTORE");
const why = program === undefined ? " (skipped: no test-xenstore; set TEST_XENSTORE to its path)" : "";
const TESTS = ["read 1", "write 2000", "dir", "rm node", "rm dir", "ta empty", "ta rmw", "ta rmw x", "ta err"];

describe.each(daemonsToTry())(`test-xenstore against %s${why}`, (_name, { start }) => {
  test.skipIf(program === undefined).each([
    ["all tests, ten times each", ["-i", "10"]],
    ["random tests for three seconds", ["-r", "3"]],
  ])("%s", async (_kind, args) => {
    const daemon = await start();
    try {
      const { status, stdout, stderr } = spawnSync(program ?? "", args, {
        env: clientEnvironment(daemon),
        encoding: "latin1",
        timeout: 25_000,
      });
      expect([status, stderr]).toEqual([0, ""]);
      if (args[0] === "-i") {
        for (const name of TESTS) expect(stdout).toMatch(new RegExp(`^${name} *: avg: [0-9]+ ns `, "m"));
      }
    } finally {
      await daemon.stop();
    }
  });
});
