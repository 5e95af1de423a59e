/** The published benchmark as a command: what it refuses, and that nothing of it is left when it is interrupted. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { withTemporaryDirectory } from "../support/temporary-directory.js";

const run = promisify(execFile);
const program = ["--import", "tsx", resolve(import.meta.dirname, "..", "..", "simulator", "main.ts"), "storm"];

describe("storm --published", () => {
  test.each([
    ["--vms", "3"],
    ["--wire-fault", "client-floods"],
    ["--disks", "2"],
    ["--type", "pv"],
    ["--run-seconds", "2"],
  ])("refuses %s, which it has no use for", async (flag, value) => {
    const ended = run(process.execPath, [...program, "--published", "2", flag, value]);
    await expect(ended).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/'--published <n>' cannot be used with option/) as string,
    });
  });

  test("ends with its daemon when it is interrupted, and leaves nothing behind", async () => {
    await withTemporaryDirectory(async (directory) => {
      const environment = { ...process.env, TMPDIR: directory };
      const child = spawn(process.execPath, [...program, "--published", "32000"], {
        env: environment,
        stdio: "ignore",
      });
      const ended = once(child, "exit");
      const sockets = (): string[] =>
        readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith("/socket"));
      while (sockets().length === 0) await delay(20);
      // Well into the run.
      await delay(1000);
      child.kill("SIGINT");
      expect(await ended).toEqual([130, null]);
      expect(readdirSync(directory).filter((name) => name.startsWith("xenstore-"))).toEqual([]);
      const { stdout } = await run("ps", ["-eo", "args"]);
      expect(stdout).not.toContain(join(directory, ""));
    });
  });
});
