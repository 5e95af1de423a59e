/**
 * A storm through sockets: against a daemon that runs, or one of its own.
 *
 * Owns what is started for it and the connections' sockets. Guests connect to the sockets of their domains.
 */
import { join } from "node:path";
import { machinePacing } from "../../clients/xenstore/backoff.js";
import { connectXenstore, type XenstoreClient } from "../../clients/xenstore/client.js";
import { socketTransport } from "../../clients/xenstore/socket-transport.js";
import type { Environment } from "../actors/environment.js";
import { StoreAccess } from "../actors/store-access.js";
import type { Phase, XlTimeouts } from "../actors/toolstack/xl.js";
import { beforeRun } from "../cannot-run-error.js";
import { withOwnDaemon } from "../daemon-process.js";
import type { FaultPlan } from "../faults/fault-plan.js";
import { startWireFault, type WireFaultName } from "../faults/wire-faults.js";
import { startHost } from "../host.js";
import type { VmSpec } from "../vm/vm.js";
import { LiveView, type ViewOutput } from "./live-view.js";
import type { RunReport } from "./report.js";
import { Storm, type StormPlan } from "./storm.js";
import { TrafficMeter } from "./traffic-meter.js";

/** How a storm is to be run. */
export interface RunStormOptions {
  readonly plan: StormPlan;
  readonly timeouts: XlTimeouts;
  readonly faults: FaultPlan;
  /** Bad clients beside the machines. */
  readonly wireFaults: readonly WireFaultName[];
  /** The directory of a daemon's sockets; undefined for a daemon of its own, which leaves nothing behind. */
  readonly runDirectory: string | undefined;
  /** Where the live view goes; undefined for none. */
  readonly view: ViewOutput | undefined;
  /** Told of each machine's phases. */
  readonly phase?: (spec: VmSpec, phase: Phase) => void;
  readonly signal: AbortSignal;
}

const COMMITS_MILLISECONDS = 1000;

/** Runs it; rejects with a CannotRunError when the daemon cannot be reached or started. */
export async function runStorm(options: RunStormOptions): Promise<RunReport> {
  if (options.runDirectory !== undefined) return runAgainst(options.runDirectory, options);
  return withOwnDaemon("storm", ({ runDirectory }) => runAgainst(runDirectory, options));
}

async function runAgainst(runDirectory: string, options: RunStormOptions): Promise<RunReport> {
  const meter = new TrafficMeter();
  const troubles: string[] = [];
  const transport = (domid: number): ReturnType<typeof socketTransport> =>
    socketTransport(domid === 0 ? join(runDirectory, "socket") : join(runDirectory, "domains", String(domid)));
  const environment: Environment = {
    delay: (milliseconds, signal) => machinePacing.delay(milliseconds, signal),
    random: () => machinePacing.random(),
    nowMilliseconds: () => Date.now(),
    connect: (domid) => connectXenstore(meter.through(transport(domid))),
  };
  const client = await beforeRun(connectXenstore(transport(0)));
  const commits = new CommitCounter(client);
  try {
    await commits.start();
    const host = await startHost({
      environment,
      timeouts: options.timeouts,
      faults: options.faults,
      observer: {
        phase: (spec, phase) => {
          options.phase?.(spec, phase);
        },
        trouble: (actor, error) => {
          troubles.push(`${actor}: ${error instanceof Error ? error.message : String(error)}`);
        },
      },
    });
    try {
      const storm = new Storm(options.plan, {
        host,
        store: new StoreAccess(client),
        monotonicMilliseconds: () => performance.now(),
        delay: (milliseconds, signal) => machinePacing.delay(milliseconds, signal),
        signal: options.signal,
      });
      const socket = join(runDirectory, "socket");
      const badClients = options.wireFaults.map((name) => startWireFault(name, socket));
      const view =
        options.view === undefined
          ? undefined
          : new LiveView(options.view, {
              storm,
              traffic: () => meter.traffic(),
              commits: () => commits.count,
              monotonicMilliseconds: () => performance.now(),
            });
      try {
        const report = await storm.run();
        await commits.look();
        const wireFaults = options.wireFaults.map((name, index) => {
          const { connections = 0, bytes = 0 } = badClients[index]?.tally ?? {};
          return { name, connections, bytes };
        });
        return { ...report, traffic: meter.traffic(), commits: commits.count, troubles, wireFaults };
      } finally {
        view?.stop();
        await Promise.all(badClients.map((client) => client.stop()));
      }
    } finally {
      host.stop();
    }
  } finally {
    commits.stop();
    client.close();
  }
}

/** How many commits the daemon has made since the start, by CONTROL `history`; nothing from a daemon that has none. */
class CommitCounter {
  readonly #client: XenstoreClient;
  #first: number | undefined;
  #last: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(client: XenstoreClient) {
    this.#client = client;
  }

  get count(): number | undefined {
    return this.#first === undefined || this.#last === undefined ? undefined : this.#last - this.#first;
  }

  async start(): Promise<void> {
    await this.look();
    this.#first = this.#last;
    if (this.#first === undefined) return;
    this.#timer = setInterval(() => {
      void this.look();
    }, COMMITS_MILLISECONDS).unref();
  }

  async look(): Promise<void> {
    try {
      const seq = /^seq:? +(\d+)/m.exec(await this.#client.control("history"))?.[1];
      if (seq !== undefined) this.#last = Number(seq);
    } catch {
      // A daemon without history, or one that is restarting.
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
