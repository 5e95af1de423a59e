/**
 * The load program of benchmarks against our daemon: each of its loads is answered as it must be, and a script is played
 * whole. Where there is no C compiler there is nothing to test.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recordStorm } from "../bench/vm-script.js";
import { compileWireLoad, runLoadProgram } from "../bench/wire-load.js";
import { findProgram, startDaemon, type DaemonProcess } from "../support/daemon-process.js";
import { withTemporaryDirectory } from "../support/temporary-directory.js";

const SECONDS = 0.2;

describe.skipIf(findProgram("cc", "CC") === undefined)("wire-load", () => {
  let daemon: DaemonProcess;
  let program: string;

  beforeAll(async () => {
    program = await compileWireLoad();
    daemon = await startDaemon();
  });

  afterAll(async () => {
    await daemon.stop();
  });

  const load = (mode: string, ...words: readonly (string | number)[]) =>
    runLoadProgram(program, [mode, daemon.socket, ...words], SECONDS);

  test("reads beside idle connections", async () => {
    const line = await load("reader", 20, 0, SECONDS);
    expect(line["ops"]).toBeGreaterThan(10);
    expect(line["p99_us"]).toBeGreaterThanOrEqual(line["p50_us"] ?? Infinity);
  });

  test("has each change noticed by the connection that watches its node", async () => {
    const line = await load("fan-out", 20, 3, 16, 0, SECONDS);
    expect(line["ops"]).toBeGreaterThan(10);
    expect(line["events_s"]).toBe(line["ops_s"]);
  });

  test("has each change noticed by all", async () => {
    const line = await load("broadcast", 20, 0, SECONDS);
    expect(line["ops"]).toBeGreaterThan(1);
    // The last change may have reached some of them only.
    expect((line["events_s"] ?? 0) / (line["ops_s"] ?? 1)).toBeGreaterThanOrEqual(20);
    expect((line["events_s"] ?? 0) * SECONDS).toBeLessThan(((line["ops"] ?? 0) + 1) * 20);
  });

  test("plays whole lives, and is answered as they were when they were recorded", async () => {
    await withTemporaryDirectory(async (directory) => {
      const script = join(directory, "storm");
      writeFileSync(script, (await recordStorm(3)).join(""), "latin1");
      const line = await load("play", script, 20);
      expect(line).toMatchObject({ machines: 3, done: 3, unexpected: 0 });
      expect(line["transactions"]).toBeGreaterThan(3 * 10);
      // What a run has left behind does not matter to the next.
      expect(await load("play", script, 20)).toMatchObject({ done: 3, unexpected: 0 });
    });
  });

  test("tells when a request is answered otherwise than it was recorded", async () => {
    await withTemporaryDirectory(async (directory) => {
      const script = join(directory, "wrong");
      writeFileSync(script, "machine\nask 0 11 ok /a%00\nmachine\nask 0 2 ENOENT /a%00\n");
      await expect(load("play", script, 20)).rejects.toThrow("the load was answered with errors: op=play machines=1");
    });
  });

  test("says what is wrong with a script", async () => {
    await withTemporaryDirectory(async (directory) => {
      const script = join(directory, "broken");
      writeFileSync(script, "machine\nask 0 11 ok\n");
      await expect(load("play", script, 20)).rejects.toThrow(/^wire-load: line 2 of the script lacks a word$/);
    });
  });
});
