import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";

const project = resolve(import.meta.dirname, "..", "..", "..");

test("xs-sim ends with 1 where its output met a full disk, and says so once", () => {
  const full = openSync("/dev/full", "w");
  const { status, stderr } = spawnSync(process.execPath, ["--import", "tsx", "simulator/main.ts", "faults"], {
    cwd: project,
    stdio: ["ignore", full, "pipe"],
    encoding: "utf8",
  });
  closeSync(full);
  expect(stderr).toMatch(/^xs-sim: standard output: ENOSPC: [^\n]*\n$/);
  expect(status).toBe(1);
});
