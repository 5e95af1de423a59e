/**
 * A storm through sockets: against a daemon that runs, or one of its own.
 *
 * Owns what is started for it and the connections' sockets. Guests connect to the sockets of their domains.
 */
import { join } from "node:path";
import { machinePacing } from "../../clients/xenstore/backoff.js";
import { connectXenstore, type XenstoreClient } from "../../clients/xenstore/client.js";
import { ConnectError } from "../../clients/xenstore/errors.js";
import { socketTransport } from "../../clients/xenstore/socket-transport.js";
import type { Environment } from "../actors/environment.js";
import { StoreAccess } from "../actors/store-access.js";
import type { Phase, XlTimeouts } from "../actors/toolstack/xl.js";
import { beforeRun } from "../cannot-run-error.js";
import { withOwnDaemon } from "../daemon-process.js";
import type { FaultPlan } from "../faults/fault-plan.js";
import { startWireFault, type WireFault, type WireFaultName } from "../faults/wire-faults.js";
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
  /**
   * The machine from whose domain the bad clients come, from when it runs until it is destroyed; dom0 when left out, from
   * the first machine to the last. The machine shares its domain's quotas with them, and may fail.
   */
  readonly wireFaultVm?: string | undefined;
  /** The directory of a daemon's sockets; undefined for a daemon of its own, which leaves nothing behind. */
  readonly runDirectory: string | undefined;
  /** Where the live view goes; undefined for none. */
  readonly view: ViewOutput | undefined;
  /** Told of each machine's phases. */
  readonly phase?: (spec: VmSpec, phase: Phase) => void;
  readonly signal: AbortSignal;
}

const COMMITS_MILLISECONDS = 1000;
/** Longest that a new connection waits for a daemon that is started again. */
const RESTART_MILLISECONDS_MAX = 10_000;
const CONNECT_AGAIN_MILLISECONDS = 100;

/** Runs it; rejects with a CannotRunError when the daemon cannot be reached or started. */
export async function runStorm(options: RunStormOptions): Promise<RunReport> {
  if (options.runDirectory !== undefined) return runAgainst(options.runDirectory, options);
  return withOwnDaemon("storm", ({ runDirectory }) => runAgainst(runDirectory, options));
}

/** Connects; where nobody listens, waits for the daemon to be there again, as those do who were connected before. */
async function whenServed(connect: () => Promise<XenstoreClient>): Promise<XenstoreClient> {
  const end = performance.now() + RESTART_MILLISECONDS_MAX;
  for (;;) {
    try {
      return await connect();
    } catch (error) {
      if (!(error instanceof ConnectError) || performance.now() > end) throw error;
      await machinePacing.delay(CONNECT_AGAIN_MILLISECONDS);
    }
  }
}

async function runAgainst(runDirectory: string, options: RunStormOptions): Promise<RunReport> {
  const meter = new TrafficMeter();
  const troubles: string[] = [];
  const badClients = new BadClients(options.wireFaults);
  const transport = (domid: number): ReturnType<typeof socketTransport> =>
    socketTransport(socketOf(runDirectory, domid));
  const environment: Environment = {
    delay: (milliseconds, signal) => machinePacing.delay(milliseconds, signal),
    random: () => machinePacing.random(),
    nowMilliseconds: () => Date.now(),
    connect: (domid) => whenServed(() => connectXenstore(meter.through(transport(domid)))),
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
        phase: async (spec, phase) => {
          options.phase?.(spec, phase);
          if (spec.name !== options.wireFaultVm) return;
          if (phase === "guest") badClients.start(runDirectory, await domidOf(spec.name, client));
          if (phase === "destroy") await badClients.stop();
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
      if (options.wireFaultVm === undefined) badClients.start(runDirectory, 0);
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
        const wireFaults = badClients.tallies();
        return { ...report, traffic: meter.traffic(), commits: commits.count, troubles, wireFaults };
      } finally {
        view?.stop();
        await badClients.stop();
      }
    } finally {
      host.stop();
    }
  } finally {
    commits.stop();
    client.close();
  }
}

function socketOf(runDirectory: string, domid: number): string {
  return domid === 0 ? join(runDirectory, "socket") : join(runDirectory, "domains", String(domid));
}

/** The domain with a name. */
async function domidOf(name: string, client: XenstoreClient): Promise<number> {
  for (const domid of await client.directory("/local/domain")) {
    if ((await client.readIfPresent(`/local/domain/${domid}/name`)) === name) return Number(domid);
  }
  throw new Error(`no domain has the name ${name}`);
}

/** The bad clients of a storm. */
class BadClients {
  readonly #names: readonly WireFaultName[];
  #atWork: readonly WireFault[] = [];

  constructor(names: readonly WireFaultName[]) {
    this.#names = names;
  }

  /** Sets them on a domain's socket, once. */
  start(runDirectory: string, domid: number): void {
    const socket = socketOf(runDirectory, domid);
    this.#atWork = this.#names.map((name) => startWireFault(name, socket, domid));
  }

  /** What each has done so far. */
  tallies(): RunReport["wireFaults"] {
    return this.#names.map((name, index) => ({ name, connections: 0, bytes: 0, ...this.#atWork[index]?.tally }));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#atWork.map((client) => client.stop()));
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
