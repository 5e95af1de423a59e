/**
 * Storms through the sockets of a real daemon, which is killed and started again at several moments of a machine's life.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { ERROR } from "../../protocol/operation.js";
import { startDaemonProcess, type DaemonProcess } from "../../simulator/daemon-process.js";
import { LIBXL_TIMEOUTS, type XlTimeouts } from "../../simulator/actors/toolstack/xl.js";
import { FaultPlan } from "../../simulator/faults/fault-plan.js";
import { runStorm, type RunStormOptions } from "../../simulator/storm/run-storm.js";
import { SMALLEST_VM } from "../../simulator/vm/vm.js";
import { isLongCampaign } from "../support/seed.js";
import { withTemporaryDirectory } from "../support/temporary-directory.js";
import { connectClient, type WireClient } from "../support/wire-client.js";

const TIMEOUTS: XlTimeouts = { ...LIBXL_TIMEOUTS, deviceMilliseconds: 60_000 };
const TEST_MILLISECONDS = isLongCampaign() ? 600_000 : 120_000;
const VMS = isLongCampaign() ? 100 : 20;

function options(vms: number): RunStormOptions {
  return {
    plan: {
      vms,
      aliveMax: vms,
      startsPerSecond: Infinity,
      runMilliseconds: 100,
      connectMillisecondsMax: 60_000,
      shape: SMALLEST_VM,
    },
    timeouts: TIMEOUTS,
    faults: new FaultPlan(),
    wireFaults: [],
    runDirectory: undefined,
    view: undefined,
    signal: new AbortController().signal,
  };
}

/** What of the store tells that the storm has come so far, in the order in which it does. */
const MOMENTS = {
  setup: { path: "/local/domain/0/name", isSo: () => true },
  vbd: { path: "/local/domain/0/backend/vbd/1/51712/state", isSo: () => true },
  guest: { path: "/local/domain/1/control/feature-poweroff", isSo: (value) => value === "1" },
  shutdown: { path: "/local/domain/1/device/vbd/51712/state", isSo: (value) => value === "5" || value === "6" },
  destroy: { path: "/local/domain/0/backend/vbd/1/51712/online", isSo: (value) => value === "0" },
} as const satisfies Readonly<Record<string, { readonly path: string; readonly isSo: (value: string) => boolean }>>;

type Moment = keyof typeof MOMENTS;

/** Resolves when the store is so. */
async function reach(moment: Moment, { runDirectory }: DaemonProcess): Promise<void> {
  const { path, isSo } = MOMENTS[moment];
  const client = await connectClient(join(runDirectory, "socket"));
  await client.must("WATCH", [path, moment]);
  do await client.event();
  while (!(await holds(client, path, isSo)));
  client.destroy();
}

async function holds(client: WireClient, path: string, isSo: (value: string) => boolean): Promise<boolean> {
  const { type, payload } = await client.call("READ", `${path}\0`);
  return type !== ERROR && isSo(payload);
}

/** Runs a storm whose daemon is killed at these moments. */
async function survive(moments: readonly Moment[]): Promise<void> {
  await withTemporaryDirectory(async (directory) => {
    let daemon = await startDaemonProcess(directory);
    try {
      let isOver = false;
      const running = runStorm({ ...options(6), runDirectory: daemon.runDirectory }).finally(() => (isOver = true));
      for (const moment of moments) {
        await reach(moment, daemon);
        expect(isOver).toBe(false);
        process.kill(daemon.pid, "SIGKILL");
        await daemon.stop();
        daemon = await startDaemonProcess(directory);
      }
      const report = await running;
      expect([report.connected, report.failures, report.leaks, report.troubles]).toEqual([6, [], [], []]);
    } finally {
      await daemon.stop();
    }
  });
}

describe("A storm on a real daemon", () => {
  test("twice in a row leaves the store as it was", { timeout: TEST_MILLISECONDS }, async () => {
    await withTemporaryDirectory(async (directory) => {
      const daemon = await startDaemonProcess(directory);
      try {
        for (let times = 0; times < 2; times++) {
          const report = await runStorm({ ...options(VMS), runDirectory: daemon.runDirectory });
          expect([report.connected, report.failures, report.leaks, report.troubles]).toEqual([VMS, [], [], []]);
          // A life has 840 requests, and three more for each machine that is there before it.
          expect(report.traffic.requests).toBeGreaterThan(VMS * 830);
          expect(report.commits).toBeGreaterThan(VMS * 50);
        }
      } finally {
        await daemon.stop();
      }
    });
  });

  test.each(Object.keys(MOMENTS) as Moment[])(
    "goes on when the daemon is killed at a machine's %s and started again",
    { timeout: TEST_MILLISECONDS },
    async (moment) => {
      await survive([moment]);
    },
  );

  test("goes on when the daemon is killed again and again", { timeout: TEST_MILLISECONDS }, async () => {
    await survive(Object.keys(MOMENTS) as Moment[]);
  });
});

describe("xs-sim", () => {
  const run = promisify(execFile);
  const main = new URL("../../simulator/main.ts", import.meta.url).pathname;

  test.each([
    [["boot", "--fault", "nonsense"], "Allowed choices are node-not-guest-owned"],
    [["storm", "--vms", "0"], "it is an integer from 1 to 32000"],
    [["storm", "--vms", "3", "--fault", "backend-jumps", "--vm", "7"], "there is no machine 7 among 3"],
    [["storm", "--wire-fault", "client-dies", "--wire-fault-vm", "101"], "there is no machine 101 among 100"],
    [["storm", "--wire-fault-vm", "1"], "so it needs --wire-fault"],
    [["storm", "--vm", "1"], "--vm says which machine has the fault, so it needs --fault"],
    [["storm", "--socket", "/nowhere"], "--socket goes with --published"],
    [["storm", "--vms", "1", "--run", "/nowhere"], "cannot connect to /nowhere/socket"],
    [["boot", "--run", "/nowhere"], "cannot connect to /nowhere/socket"],
    [["storm", "--published", "1", "--socket", "/nowhere"], "cannot connect to /nowhere"],
  ])("refuses %j with code 2, and says what would be right", async (arguments_, message) => {
    const ended = run(process.execPath, ["--import", "tsx", main, ...arguments_]);
    await expect(ended).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining(message) as string });
  });

  test("faults lists the catalogue", async () => {
    const { stdout } = await run(process.execPath, ["--import", "tsx", main, "faults", "--json"]);
    const { faults, wireFaults } = JSON.parse(stdout) as { faults: object; wireFaults: object };
    expect([Object.keys(faults).length, Object.keys(wireFaults).length]).toEqual([16, 6]);
  });
});
