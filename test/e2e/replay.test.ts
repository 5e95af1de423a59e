/**
 * `xs-sim replay`, with real daemons and processes: what one daemon was asked and answered, another one is asked and answers.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { ReplayReport } from "../../simulator/replay/report.js";
import { startDaemon } from "../support/daemon-process.js";
import { temporaryDirectory, withTemporaryDirectory } from "../support/temporary-directory.js";

const project = resolve(import.meta.dirname, "..", "..");

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function simulate(...parameters: readonly string[]): Promise<Ran> {
  const program = ["--import", "tsx", join(project, "simulator/main.ts")];
  const child = spawn(process.execPath, [...program, ...parameters], { cwd: project });
  const [stdout, stderr]: string[][] = [[], []];
  child.stdout.setEncoding("utf8").on("data", (text: string) => stdout?.push(text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr?.push(text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout: stdout?.join("") ?? "", stderr: stderr?.join("") ?? "" };
}

async function replayed(...parameters: readonly string[]): Promise<ReplayReport & { readonly code: number | null }> {
  const { code, stdout, stderr } = await simulate("replay", ...parameters, "--speed", "max", "--json");
  if (stdout === "") throw new Error(`no report: ${stderr}`);
  return { ...(JSON.parse(stdout) as ReplayReport), code };
}

/** The trace of a machine's whole life. */
let trace = "";

beforeAll(async () => {
  const directory = temporaryDirectory();
  trace = join(directory, "trace.json");
  const daemon = await startDaemon({ directory, flags: ["--trace", trace] });
  const { code, stderr } = await simulate("boot", "--run", daemon.runDirectory, "--run-seconds", "0", "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  await daemon.stop();
}, 60_000);

describe("xs-sim replay", () => {
  it("finds no difference between a daemon and itself", async () => {
    const report = await replayed(trace);
    expect(report.examples).toEqual([]);
    expect(report).toMatchObject({ code: 0, copies: 1, lives: 1, leftOut: 0, differences: { total: 0, byKind: {} } });
    expect(report.requests).toBeGreaterThan(800);
    expect(report.events).toMatchObject({ missing: 0, extra: 0, examples: [] });
    expect(report.events.traced).toBeGreaterThan(100);
    expect(report.connections).toBeGreaterThan(20);
    expect(report.latencyMilliseconds.p99).toBeGreaterThan(0);
  }, 60_000);

  it("plays five machines at once on a daemon that runs, and leaves nothing of them behind", async () => {
    const daemon = await startDaemon();
    const one = await replayed(trace, "--run", daemon.runDirectory);
    const five = await replayed(trace, "--run", daemon.runDirectory, "--vms", "5", "--stagger", "0.05");
    expect([one.examples, five.examples]).toEqual([[], []]);
    expect([one.code, five.code]).toEqual([0, 0]);
    expect(five.requests).toBeGreaterThan(4.5 * one.requests);
    const client = await daemon.connect();
    expect(await client.must("DIRECTORY", ["/local/domain"])).toBe("0");
    await daemon.stop();
  }, 90_000);

  it("reports a daemon that answers otherwise, and exits with 1", async () => {
    const daemon = await startDaemon();
    const client = await daemon.connect();
    await client.must("SET_QUOTA", ["node-size", "40"]);
    const report = await replayed(trace, "--run", daemon.runDirectory);
    expect(report.code).toBe(1);
    expect(report.differences.byKind["error"]).toBeGreaterThan(0);
    await daemon.stop();
    await withTemporaryDirectory(async (directory) => {
      const changed = join(directory, "trace.json");
      const lines = readFileSync(trace, "latin1").split("\n");
      const at = lines.findIndex((line) => line.includes('"operation":"READ"') && line.includes('"reply":"4"'));
      lines[at] = (lines[at] ?? "").replace('"reply":"4"', '"reply":"6"');
      writeFileSync(changed, lines.join("\n"), "latin1");
      const { code, stdout } = await simulate("replay", changed, "--speed", "max");
      expect(code).toBe(1);
      expect(stdout).toContain("one difference from the trace:\nother data: 1\n");
      expect(stdout).toMatch(new RegExp(`${changed}, line ${String(at + 1)}: .*: "6" in the trace, "4" now`));
    });
  }, 90_000);

  it("plays guests over one privileged socket, and tells what comes from that", async () => {
    const daemon = await startDaemon();
    const report = await replayed(trace, "--socket", daemon.socket);
    expect(report.differences).toEqual({ total: 0, byKind: {} });
    expect(report.code).toBe(0);
    await daemon.stop();
  }, 60_000);

  it("refuses what it cannot play with 2, and says why", async () => {
    await withTemporaryDirectory(async (directory) => {
      const damaged = join(directory, "trace.json");
      const lines = readFileSync(trace, "latin1").split("\n");
      lines[5] = (lines[5] ?? "").slice(0, 30);
      writeFileSync(damaged, lines.join("\n"), "latin1");
      expect(await simulate("replay", damaged)).toEqual({
        code: 2,
        stdout: "",
        stderr: expect.stringMatching(/^xs-sim: .*, line 6, column \d+: it is not JSON/) as string,
      });
      const runs = await Promise.all([
        simulate("replay", join(directory, "nothing")),
        simulate("replay", trace, "--run", join(directory, "nobody")),
        simulate("replay", trace, "--speed", "fast"),
      ]);
      expect(runs.map(({ code, stderr }) => [code, stderr])).toEqual([
        [2, expect.stringContaining("cannot be read: ENOENT")],
        [2, expect.stringContaining("there is no such socket; is the daemon running, and is this the right path?")],
        [2, expect.stringContaining("it is a number above 0, or `max`.")],
      ]);
    });
  }, 60_000);
});
