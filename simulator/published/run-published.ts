/**
 * The published benchmark through a socket: any xenstored's privileged one, or that of a daemon of its own.
 *
 * Owns the connection, and the lines of progress.
 */
import { join } from "node:path";
import { connectXenstore } from "../../clients/xenstore/client.js";
import { socketTransport } from "../../clients/xenstore/socket-transport.js";
import { beforeRun } from "../cannot-run-error.js";
import { withOwnDaemon } from "../daemon-process.js";
import { TrafficMeter, type Traffic } from "../storm/traffic-meter.js";
import { runPublished, type PublishedReport } from "./published.js";

/** All figures of a run: what `--json` prints. */
export interface PublishedRun extends PublishedReport {
  readonly traffic: Traffic;
}

/** How it is to be run. */
export interface RunPublishedOptions {
  readonly vms: number;
  /** A privileged socket; undefined for a daemon of its own. */
  readonly socket: string | undefined;
  /** Told now and then how far it is, in a line. */
  readonly progress: (line: string) => void;
  /** Ends it. What its machines have made by then stays in a daemon that is not its own. */
  readonly signal: AbortSignal;
}

const PROGRESS_MILLISECONDS = 5000;

/** Runs it; rejects with a CannotRunError when the daemon cannot be reached or started, and when it is interrupted. */
export async function runPublishedOnSocket(options: RunPublishedOptions): Promise<PublishedRun> {
  if (options.socket !== undefined) return runOn(options.socket, options);
  return withOwnDaemon("published", ({ runDirectory }) => runOn(join(runDirectory, "socket"), options));
}

async function runOn(socket: string, { vms, progress, signal }: RunPublishedOptions): Promise<PublishedRun> {
  const meter = new TrafficMeter();
  const pacing = {
    delay: () => Promise.resolve(),
    random: () => 0,
  };
  const transport = meter.through(socketTransport(socket));
  const client = await beforeRun(connectXenstore(transport, { reconnect: false, pacing }));
  let told = performance.now();
  const end = (): void => {
    client.close();
  };
  signal.addEventListener("abort", end, { once: true });
  try {
    signal.throwIfAborted();
    const report = await runPublished({
      client,
      vms,
      monotonicMilliseconds: () => performance.now(),
      progress: ({ started, shutDown, destroyed }) => {
        if (performance.now() - told < PROGRESS_MILLISECONDS) return;
        told = performance.now();
        const { requests, conflicts } = meter.traffic();
        const done = `${String(started)} started, ${String(shutDown)} shut down, ${String(destroyed)} destroyed`;
        progress(`${done} of ${String(vms)}; ${String(requests)} requests, ${String(conflicts)} EAGAIN`);
      },
    });
    return { ...report, traffic: meter.traffic() };
  } finally {
    signal.removeEventListener("abort", end);
    client.close();
  }
}

/** The report as a line. */
export function describePublished({ vms, seconds, traffic }: PublishedRun): string {
  const { requests, transactions, conflicts } = traffic;
  return `${String(vms)} machines in parallel: ${seconds.toFixed(2)} s, ${String(requests)} requests (${String(Math.round(requests / seconds))}/s), ${String(transactions)} transactions, ${String(conflicts)} EAGAIN\n`;
}
