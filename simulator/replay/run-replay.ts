/**
 * A replay through sockets: against a daemon that runs, one of its own, or any xenstored.
 *
 * Owns what is started for it, where connections lead, and when each copy starts.
 */
import { join } from "node:path";
import { machinePacing } from "../../clients/xenstore/backoff.js";
import { socketTransport } from "../../clients/xenstore/socket-transport.js";
import { withOwnDaemon } from "../daemon-process.js";
import type { ViewOutput } from "../storm/live-view.js";
import { copiesMax, findIdentities, renamingOf, type TraceIdentities } from "./identities.js";
import { loadTrace, type LoadedTrace } from "./load-trace.js";
import { openRawSession } from "./raw-session.js";
import { replay, type ReplayPorts } from "./replay.js";
import { ReplayProgress } from "./progress.js";
import { planReplay } from "./replay-plan.js";
import { makeReport, type ReplayReport } from "./report.js";
import { ReplayTally } from "./tally.js";

/** Where a replay's connections lead: the sockets of our daemon, one socket for all, or a daemon of its own. */
export type ReplayTarget =
  | { readonly kind: "run"; readonly directory: string; readonly fork?: string | undefined }
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "own" };

/** How a replay is to be run. */
export interface RunReplayOptions {
  readonly file: string;
  /** Number of a life; the last one when undefined. */
  readonly life: number | undefined;
  readonly target: ReplayTarget;
  /** How many times as fast as in the trace; Infinity for no waits. */
  readonly speed: number;
  readonly copies: number;
  /** Between the starts of two copies. */
  readonly staggerMilliseconds: number;
  /** Where the progress goes; undefined for none. */
  readonly view: ViewOutput | undefined;
  /** Told what the reader should know before it begins. */
  readonly note: (text: string) => void;
  readonly signal: AbortSignal;
}

/** A replay was asked for that cannot be; the message is for people. */
export class ReplayImpossibleError extends Error {
  override readonly name = "ReplayImpossibleError";
}

/** Runs it; rejects with a TraceDamageError, a ReplayImpossibleError, or the reason of the signal. */
export async function runReplay(options: RunReplayOptions): Promise<ReplayReport> {
  const trace = await loadTrace(options.file, options.life);
  const identities = findIdentities(trace.life.lines);
  const most = copiesMax(identities);
  if (most !== undefined && options.copies > most) {
    throw new ReplayImpossibleError(
      `the trace is about ${String(identities.domids.length)} domains, whose ids leave room for ${String(most)} copies and not for ${String(options.copies)}`,
    );
  }
  if (options.copies > 1 && identities.domids.length === 0)
    options.note("the trace names no domain but dom0: its copies all ask the same");
  for (const note of trace.notes) options.note(note);
  const { target } = options;
  if (target.kind !== "own") return runAgainst(target, { trace, identities }, options);
  return withOwnDaemon("replay", ({ runDirectory }) =>
    runAgainst({ kind: "run", directory: runDirectory }, { trace, identities }, options),
  );
}

interface Loaded {
  readonly trace: LoadedTrace;
  readonly identities: TraceIdentities;
}

async function runAgainst(
  target: Exclude<ReplayTarget, { kind: "own" }>,
  { trace, identities }: Loaded,
  options: RunReplayOptions,
): Promise<ReplayReport> {
  const { copies, speed, staggerMilliseconds, signal, view } = options;
  const ports: ReplayPorts = {
    transport: (domid) => socketTransport(socketOf(target, domid)),
    monotonicMilliseconds: () => performance.now(),
    delay: (milliseconds, aborted) => machinePacing.delay(milliseconds, aborted),
    signal,
  };
  await checkReachable(socketOf(target, 0));
  const plan = planReplay(trace.life.lines);
  const tally = new ReplayTally();
  const progress = view === undefined ? undefined : new ReplayProgress(view, tally, plan.requests * copies);
  const start = performance.now();
  try {
    const running = Array.from({ length: copies }, async (_, copy) => {
      if (copy > 0 && staggerMilliseconds > 0) await ports.delay(copy * staggerMilliseconds, signal);
      const renaming = renamingOf(identities, copy);
      const isPrivileged = target.kind === "socket";
      await replay({ plan, identities, renaming, copy, copies, speed, isPrivileged, tally }, ports);
    });
    await Promise.all(running);
  } finally {
    progress?.stop();
  }
  return makeReport({ trace, plan, copies, tally, seconds: (performance.now() - start) / 1000 });
}

function socketOf(target: Exclude<ReplayTarget, { kind: "own" }>, domid: number): string {
  if (target.kind === "socket") return target.path;
  const { directory, fork } = target;
  const [socket, domains] =
    fork === undefined ? ["socket", "domains"] : [`branches/${fork}`, `branches/${fork}.domains`];
  return domid === 0 ? join(directory, socket) : join(directory, domains, String(domid));
}

/** A daemon that is not there is no difference between two daemons. */
async function checkReachable(socket: string): Promise<void> {
  try {
    const session = await openRawSession(socketTransport(socket), () => undefined);
    session.close();
  } catch (error) {
    throw new ReplayImpossibleError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
