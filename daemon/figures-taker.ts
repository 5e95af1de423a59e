/**
 * The figures of a branch: what its metrics are made of, as plain data.
 *
 * Owns how they are put together. They are taken when somebody asks, on the thread of the branch, in a time that grows with the
 * number of connections; only requests and journal writes are counted as they happen (`dispatch/request-meter.ts`).
 */
import { monitorEventLoopDelay, type IntervalHistogram } from "node:perf_hooks";
import type { Core } from "./dispatch/core.js";
import type { RequestMeter } from "./dispatch/request-meter.js";
import type { RecorderStatus } from "./history/recorder/handle.js";
import type { Lag } from "./history/recorder/lag.js";
import type { DaemonFigures, EventLoopFigures, ProcessFigures } from "./http/metrics/daemon-figures.js";

/** What figures are taken of. */
export interface FiguresSources {
  readonly core: Pick<Core, "figures" | "seq" | "commits">;
  readonly meter: RequestMeter;
  readonly journal: { bytes(): number; segments(): readonly unknown[] };
  readonly recorder: { status(): RecorderStatus };
  readonly lag: () => Lag;
}

/** Takes the figures of a branch; it watches the event loop of its thread from now on, until it is closed. */
export class FiguresTaker {
  readonly #sources: FiguresSources;
  readonly #firstSeq: number;
  readonly #loopDelay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MILLISECONDS });

  constructor(sources: FiguresSources) {
    this.#sources = sources;
    this.#firstSeq = settledSeq(sources.core);
    this.#loopDelay.enable();
  }

  take(): DaemonFigures {
    const { core, meter, journal, recorder, lag } = this.#sources;
    const status = recorder.status();
    return {
      core: core.figures(),
      requests: meter.figures(),
      commits: settledSeq(core) - this.#firstSeq,
      journal: { bytes: journal.bytes(), segments: journal.segments().length },
      recorder: {
        lag: lag(),
        packs: status.packs,
        packBytes: status.packBytes,
        packsRetired: status.packsRetired,
        packsSealed: status.packsSealed,
        bytesSealed: status.bytesSealed,
        sealSeconds: status.sealMilliseconds / 1000,
        maintenanceSeconds: status.maintenanceMilliseconds / 1000,
        isFailing: status.trouble !== undefined,
      },
      eventLoop: this.#takeLoopDelay(),
      process: processFigures(),
    };
  }

  close(): void {
    this.#loopDelay.disable();
  }

  #takeLoopDelay(): EventLoopFigures {
    const delay = this.#loopDelay;
    // Without a sample there is a mean of NaN, and a maximum of 0.
    const seconds = (nanoseconds: number): number =>
      Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / 1e9 - RESOLUTION_MILLISECONDS / 1000) : 0;
    const figures: EventLoopFigures = {
      meanSeconds: seconds(delay.mean),
      p50Seconds: seconds(delay.percentile(50)),
      p99Seconds: seconds(delay.percentile(99)),
      maxSeconds: seconds(delay.max),
    };
    delay.reset();
    return figures;
  }
}

/** The last commit that is in the journal: those of a tick at hand may yet be undone. */
function settledSeq({ seq, commits }: FiguresSources["core"]): number {
  return seq - commits.length;
}

/** Once: reckoned anew each time it would differ by a little, and seem to tell of a new process. */
const STARTED_SECONDS = Date.now() / 1000 - process.uptime();

/** How often the event loop is looked at; Node counts this in what it calls the delay. */
const RESOLUTION_MILLISECONDS = 20;

function processFigures(): ProcessFigures {
  const { user, system } = process.cpuUsage();
  const { rss, heapTotal, heapUsed } = process.memoryUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    residentBytes: rss,
    heapBytes: heapTotal,
    heapUsedBytes: heapUsed,
    startedSeconds: STARTED_SECONDS,
  };
}
