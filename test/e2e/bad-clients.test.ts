/**
 * Storms on a real daemon with bad clients beside the machines: what the daemon does with them, and that nobody else notices.
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { LIBXL_TIMEOUTS } from "../../simulator/actors/toolstack/xl.js";
import { startDaemonProcess } from "../../simulator/daemon-process.js";
import { FaultPlan } from "../../simulator/faults/fault-plan.js";
import { startWireFault, WIRE_FAULT_NAMES, type WireFaultName } from "../../simulator/faults/wire-faults.js";
import type { RunReport } from "../../simulator/storm/report.js";
import { runStorm } from "../../simulator/storm/run-storm.js";
import { SMALLEST_VM } from "../../simulator/vm/vm.js";
import { parseHistoryStatus } from "../support/control-history.js";
import { isLongCampaign } from "../support/seed.js";
import { withTemporaryDirectory } from "../support/temporary-directory.js";
import { connectClient, type WireClient } from "../support/wire-client.js";

const TEST_MILLISECONDS = 120_000;
const PATIENCE_MILLISECONDS = 60_000;
const VMS = isLongCampaign() ? 50 : 3;
/** The machine from whose domain bad clients come. */
const SPOILT = "vm2";
const MEBIBYTE = 1024 * 1024;
/** What is unread above a limit at most: the replies of a few messages, and the events of a storm. */
const EXCESS_BYTES_MAX = MEBIBYTE / 4;
const SAMPLE_MILLISECONDS = 10;
/** How long a daemon may take to notice that a client is gone. */
const SETTLE_MILLISECONDS = 10_000;

/** What the daemon holds for its clients. */
interface Held {
  readonly connections: number;
  readonly watches: number;
  readonly transactions: number;
  readonly unreadBytes: number;
}

async function held(observer: WireClient): Promise<Held> {
  const report = await observer.must("CONTROL", ["memreport"]);
  const count = (name: string): number => {
    const found = new RegExp(`^${name}: ([0-9]+)$`, "m").exec(report)?.[1];
    if (found === undefined) throw new Error(`CONTROL memreport tells no ${name}: ${report}`);
    return Number(found);
  };
  return {
    connections: count("connections"),
    watches: count("watches"),
    transactions: count("transactions"),
    unreadBytes: count("unread output bytes"),
  };
}

/** Looks at the daemon over and over until `isOver`, as a reader that must be answered; returns the most that was unread. */
async function watchUnread(observer: WireClient, isOver: () => boolean): Promise<number> {
  let most = 0;
  while (!isOver()) {
    // The client waits for ten seconds at most.
    expect(await observer.must("READ", ["/read"])).toBe("me");
    most = Math.max(most, (await held(observer)).unreadBytes);
    expect(parseHistoryStatus(await observer.must("CONTROL", ["history"])).writers).not.toContain("refused");
    await delay(SAMPLE_MILLISECONDS);
  }
  return most;
}

interface Trial {
  readonly name: WireFaultName;
  /** The machine from whose domain the client comes; dom0 when left out. */
  readonly wireFaultVm?: string;
}

interface Outcome {
  readonly report: RunReport;
  readonly connections: number;
  readonly unreadBytesMost: number;
}

/** Runs a storm with a bad client, and finds the daemon afterwards as it was before. */
async function runTrial({ name, wireFaultVm }: Trial): Promise<Outcome> {
  return withTemporaryDirectory(async (directory) => {
    const daemon = await startDaemonProcess(directory);
    try {
      const observer = await connectClient(join(daemon.runDirectory, "socket"));
      await observer.must("WRITE", ["/read", "me"]);
      const before = await held(observer);
      let isOver = false;
      const running = runStorm({
        plan: {
          vms: VMS,
          aliveMax: VMS,
          startsPerSecond: Infinity,
          runMilliseconds: 500,
          connectMillisecondsMax: PATIENCE_MILLISECONDS,
          shape: SMALLEST_VM,
        },
        timeouts: { ...LIBXL_TIMEOUTS, deviceMilliseconds: 60_000, shutdownMilliseconds: PATIENCE_MILLISECONDS },
        faults: new FaultPlan(),
        wireFaults: [name],
        wireFaultVm,
        runDirectory: daemon.runDirectory,
        view: undefined,
        signal: new AbortController().signal,
      }).finally(() => (isOver = true));
      const [report, unreadBytesMost] = await Promise.all([running, watchUnread(observer, () => isOver)]);
      await expect.poll(() => held(observer), { timeout: SETTLE_MILLISECONDS }).toEqual(before);
      expect(await observer.must("CONTROL", ["check"])).toBe("OK");
      observer.destroy();
      return { report, connections: report.wireFaults[0]?.connections ?? 0, unreadBytesMost };
    } finally {
      await daemon.stop();
    }
  });
}

/** Clients that go, or that the daemon closes, come back all the time; others it keeps. */
const COME_BACK: readonly WireFaultName[] = ["client-dies", "client-sends-garbage", "client-breaks-off"];

function expectConnections(name: WireFaultName, connections: number): void {
  if (COME_BACK.includes(name)) expect(connections).toBeGreaterThan(20);
  else expect(connections).toBe(1);
}

describe("A storm with a bad client in dom0", () => {
  test.each(WIRE_FAULT_NAMES)("is not disturbed by %s", { timeout: TEST_MILLISECONDS }, async (name) => {
    const { report, connections, unreadBytesMost } = await runTrial({ name });
    expect([report.connected, report.failures, report.leaks, report.troubles]).toEqual([VMS, [], [], []]);
    expectConnections(name, connections);
    expect(unreadBytesMost).toBeLessThan(MEBIBYTE + EXCESS_BYTES_MAX);
    // What nobody reads is kept up to the limit, and not thrown away.
    if (name === "client-never-reads") expect(unreadBytesMost).toBeGreaterThan(MEBIBYTE);
  });
});

describe("A storm with a bad client in a guest", () => {
  /** The machine whose domain it is may fail, and nothing else. */
  function expectOthersWell({ connected, failures, leaks, troubles }: RunReport): void {
    expect(connected).toBeGreaterThanOrEqual(VMS - 1);
    expect(failures.filter(({ vm }) => vm !== SPOILT)).toEqual([]);
    expect(leaks).toEqual([]);
    expect(troubles.filter((trouble) => !trouble.includes(SPOILT))).toEqual([]);
  }

  test.each(WIRE_FAULT_NAMES)("is not disturbed by %s", { timeout: TEST_MILLISECONDS }, async (name) => {
    const { report, connections, unreadBytesMost } = await runTrial({ name, wireFaultVm: SPOILT });
    expectOthersWell(report);
    expectConnections(name, connections);
    // The quota of outstanding requests: so many replies, and what the guest's other connections have.
    expect(unreadBytesMost).toBeLessThan(EXCESS_BYTES_MAX);
  });
});

describe("A guest that never reads", () => {
  test("is kept to its quota of memory where none of outstanding requests keeps it back", async () => {
    await withTemporaryDirectory(async (directory) => {
      const daemon = await startDaemonProcess(directory);
      try {
        const observer = await connectClient(join(daemon.runDirectory, "socket"));
        await observer.must("CONTROL", ["quota", "set", "outstanding", "0"]);
        await observer.must("CONTROL", ["quota", "set", "memory", String(MEBIBYTE)]);
        await observer.must("INTRODUCE", ["1", "1", "1"]);
        const before = await held(observer);
        const guest = startWireFault("client-never-reads", join(daemon.runDirectory, "domains", "1"), 1);
        const unread = async (): Promise<number> => (await held(observer)).unreadBytes;
        await expect.poll(unread, { timeout: SETTLE_MILLISECONDS }).toBeGreaterThan(MEBIBYTE);
        for (let times = 0; times < 100; times++) expect(await unread()).toBeLessThan(MEBIBYTE + EXCESS_BYTES_MAX);
        await guest.stop();
        expect(guest.tally.connections).toBe(1);
        await expect.poll(() => held(observer), { timeout: SETTLE_MILLISECONDS }).toEqual(before);
        observer.destroy();
      } finally {
        await daemon.stop();
      }
    });
  });
});
