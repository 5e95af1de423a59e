/** The systemd unit, as systemd itself reads it; skipped where there is no systemd. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../../../support/temporary-directory.js";

const UNIT = join(import.meta.dirname, "..", "..", "..", "..", "daemon", "packaging", "xenstored-tng.service");
const hasSystemd = spawnSync("systemd-analyze", ["--version"]).status === 0;
/** Of 10: below 3 systemd calls it OK, and most services have 9. */
const EXPOSURE_MAX = 3;

describe.runIf(hasSystemd)("xenstored-tng.service", () => {
  test("has no line that systemd does not understand", () => {
    const copy = join(temporaryDirectory(), "xenstored-tng.service");
    writeFileSync(copy, readFileSync(UNIT));
    const { status, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", copy], { encoding: "utf8" });
    const about = stderr.split("\n").filter((line) => line.includes("xenstored-tng"));
    expect([status, about]).toEqual([0, []]);
  });

  test("leaves little to whoever takes the daemon over", () => {
    const text = execFileSync("systemd-analyze", ["security", "--offline=true", UNIT], { encoding: "utf8" });
    const exposure = Number(/Overall exposure level for \S+: ([0-9.]+)/.exec(text)?.[1]);
    expect(exposure).toBeLessThan(EXPOSURE_MAX);
  });
});
