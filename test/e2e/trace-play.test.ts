/**
 * The trace of one machine's life, played through the sockets of a real daemon: every reply and every event as the trace says.
 */
import { describe, expect, test } from "vitest";
import { startDaemonProcess } from "../../simulator/daemon-process.js";
import { connectThrough } from "../../simulator/trace/connect.js";
import { readFixture } from "../../simulator/trace/fixture.js";
import { TracePlayer } from "../../simulator/trace/player.js";
import { withTemporaryDirectory } from "../support/temporary-directory.js";

const TIME_MILLISECONDS_MAX = 60_000;

describe("The trace of a machine's life", () => {
  test(
    "is answered as it says, request by request and event by event",
    { timeout: TIME_MILLISECONDS_MAX },
    async () => {
      await withTemporaryDirectory(async (directory) => {
        const daemon = await startDaemonProcess(directory);
        const connect = connectThrough(daemon.runDirectory);
        const player = new TracePlayer({ connect, eventMillisecondsMax: 5000 });
        try {
          const { phases } = readFixture("pvh-boot-and-destroy.trace");
          for (const phase of phases) await player.play(phase);
          await player.finish();
          const { requests, events, differences, missing, additional } = player.tally();
          const steps = phases.flatMap((phase) => phase.steps);
          const due = steps.filter(({ kind }) => kind === "event").length;
          expect({ differences, missing, additional }).toEqual({ differences: [], missing: [], additional: [] });
          expect([requests, events]).toEqual([steps.length - due, due]);
        } finally {
          player.close();
          await daemon.stop();
        }
      });
    },
  );
});
