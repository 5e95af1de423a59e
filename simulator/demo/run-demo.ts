/**
 * The demo: a daemon of its own, twenty machines that boot through its sockets, one of which fails, and the commit that broke
 * it, found in the history.
 *
 * Owns the course of it and what is left behind: nothing, unless the directory is to be kept. The daemon is ended by its
 * pid in every case, also after an interruption.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { machinePacing } from "../../clients/xenstore/backoff.js";
import { connectXenstore, type XenstoreClient } from "../../clients/xenstore/client.js";
import { socketTransport } from "../../clients/xenstore/socket-transport.js";
import { evaluate } from "../../protocol/predicate/evaluate.js";
import { parsePredicate } from "../../protocol/predicate/parse-predicate.js";
import { serializePredicate } from "../../protocol/predicate/serialize-predicate.js";
import { LIBXL_TIMEOUTS } from "../actors/toolstack/xl.js";
import { beforeRun, CannotRunError } from "../cannot-run-error.js";
import { startDaemonProcess, type DaemonProcess } from "../daemon-process.js";
import { FAULTS, type FaultName } from "../../protocol/predicate/faults.js";
import { FaultPlan } from "../faults/fault-plan.js";
import type { Environment } from "../actors/environment.js";
import { startHost, type SimulatedHost, type Vm } from "../host.js";
import { TrafficMeter } from "../storm/traffic-meter.js";
import { interruptible, withTimeLimit } from "../time-limit.js";
import { vmSpec } from "../vm/vm.js";
import { BootBoard, type Output } from "./boot-board.js";
import { findBreakingCommit } from "./find-breaking-commit.js";
import { GitHistory } from "./git-history.js";

const VMS = 20;
const FAULT: FaultName = "hotplug-script-fails";
/** One process plays twenty machines, so each takes longer than on a host. */
const PATIENCE = 10;
const CONNECT_MILLISECONDS_MAX = 120_000;
/** Bytes of `sun_path` less its NUL (unix(7)). */
const SOCKET_PATH_BYTES_MAX = 107;

/** How the demo is to run. */
export interface DemoOptions {
  /** Whether the directory stays. */
  readonly keep: boolean;
  readonly output: Output;
  /** Whether `output` is a terminal; the daemon then serves until `waitForUser` resolves. */
  readonly isTerminal: boolean;
  waitForUser(): Promise<void>;
  /** Aborted when the demo is to break off; it rejects with the signal's reason then. */
  readonly signal: AbortSignal;
}

/** Runs the demo; resolves to whether all went as expected, and rejects with a CannotRunError when it could not be run. */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  checkGit();
  checkTemporaryDirectory();
  const directory = await beforeRun(mkdtemp(join(tmpdir(), "xenstore-demo-")));
  let daemon: DaemonProcess | undefined;
  try {
    // Not in the race: a daemon whose start is not awaited could not be ended.
    daemon = await beforeRun(startDaemonProcess(directory, options.isTerminal));
    return await Promise.race([show(options, daemon), aborted(options.signal)]);
  } finally {
    await daemon?.stop();
    if (options.keep) options.output.write(`\nThe directory stays: ${directory}\n`);
    else await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Rejects when the signal is aborted. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const rejectWithReason = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) rejectWithReason();
    else signal.addEventListener("abort", rejectWithReason, { once: true });
  });
}

async function show(options: DemoOptions, daemon: DaemonProcess): Promise<boolean> {
  const { isTerminal, signal } = options;
  // What still happens after an interruption is nobody's to see.
  const output: Output = {
    write: (text) => {
      if (!signal.aborted) options.output.write(text);
    },
  };
  const { runDirectory, repository } = daemon;
  output.write(`A daemon serves ${join(runDirectory, "socket")} (process ${String(daemon.pid)}).\n`);
  output.write(`${String(VMS)} machines boot at once; in one of them ${FAULTS[FAULT].description}.\n\n`);
  const meter = new TrafficMeter();
  const transport = (domid: number): ReturnType<typeof socketTransport> =>
    socketTransport(join(runDirectory, domid === 0 ? "socket" : `domains/${String(domid)}`));
  const faulty = `vm${String(1 + Math.floor(Math.random() * VMS))}`;
  const names = Array.from({ length: VMS }, (_, index) => vmSpec(index + 1).name);
  const board = new BootBoard(output, isTerminal, names, () => performance.now());
  const troubles: string[] = [];
  const environment: Environment = {
    // When the daemon ends, so does the demo: nobody waits for it.
    connect: (domid) => connectXenstore(meter.through(transport(domid)), { reconnect: false }),
    delay: interruptible((milliseconds, ended) => machinePacing.delay(milliseconds, ended), signal),
    random: () => machinePacing.random(),
    nowMilliseconds: () => Date.now(),
  };
  const host = await startHost({
    environment,
    faults: new FaultPlan(new Map([[faulty, FAULT]])),
    timeouts: { ...LIBXL_TIMEOUTS, deviceMilliseconds: LIBXL_TIMEOUTS.deviceMilliseconds * PATIENCE },
    observer: {
      phase: (spec, phase) => {
        board.phase(spec.name, phase);
      },
      trouble: (actor, error) => troubles.push(`${actor}: ${String(error)}`),
    },
  });
  signal.addEventListener("abort", () => {
    host.stop();
  });
  if (signal.aborted) host.stop();
  const start = performance.now();
  const boots = await Promise.all(names.map((_, index) => boot(host, index + 1, { board, environment })));
  board.finish();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const { requests, events, connections, conflicts } = meter.traffic();
  output.write(
    `\n${String(requests)} requests, ${String(events)} watch events and ${String(conflicts)} EAGAIN over ${String(connections)} connections in ${seconds} s.\n`,
  );

  const client = await connectXenstore(transport(0));
  const found = await findFailure(boots, { client, repository, output, staysToLookAt: options.keep || isTerminal });
  client.close();
  host.stop();
  for (const trouble of troubles) output.write(`unexpected: ${trouble}\n`);
  if (isTerminal) {
    if (daemon.explorerUrl !== undefined) output.write(`\nSee it in a browser: ${daemon.explorerUrl}\n`);
    output.write("\nThe daemon serves until you press Enter. ");
    await options.waitForUser();
  }
  return found === faulty && troubles.length === 0;
}

interface Boot {
  readonly vm: Vm;
  /** Why it failed; undefined for a machine that is connected. */
  readonly failure: string | undefined;
}

interface Stage {
  readonly board: BootBoard;
  readonly environment: Environment;
}

async function boot(host: SimulatedHost, number: number, { board, environment }: Stage): Promise<Boot> {
  const start = performance.now();
  const vm = await host.prepare(vmSpec(number));
  try {
    await vm.xl.create();
    await withTimeLimit(vm.connected, {
      millisecondsMax: CONNECT_MILLISECONDS_MAX,
      clock: environment,
      error: (limit) => new Error(`it was not connected within ${limit}`),
    });
    board.connected(vm.spec.name, performance.now() - start);
    return { vm, failure: undefined };
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    board.failed(vm.spec.name, failure);
    return { vm, failure };
  }
}

interface Search {
  readonly client: XenstoreClient;
  readonly repository: string;
  readonly output: Output;
  /** Whether the repository is there for somebody to look at when the demo has said all. */
  readonly staysToLookAt: boolean;
}

/** Finds what broke the machine that failed, and shows it; returns that machine's name. */
async function findFailure(
  boots: readonly Boot[],
  { client, repository, output, staysToLookAt }: Search,
): Promise<string | undefined> {
  const failed = boots.filter(({ failure }) => failure !== undefined);
  output.write(`${String(boots.length - failed.length)} machines are connected.\n`);
  const [first, ...others] = failed;
  for (const { vm, failure } of failed) {
    const domain = `domain ${String(vm.xl.domid)}`;
    output.write(`${vm.spec.name} (${domain}) failed in the phase ${vm.xl.phase}: ${failure ?? ""}.\n`);
  }
  if (first === undefined || others.length > 0) return undefined;

  await client.control("flush");
  const history = new GitHistory(repository);
  const { predicate } = FAULTS[FAULT];
  const domid = String(first.vm.xl.domid);
  const parsed = parsePredicate(predicate, new Map([["D", domid]]));
  const isBad = (seq: number): boolean =>
    evaluate(parsed, (commitsBack) => (seq > commitsBack ? history.view(seq - commitsBack) : undefined));
  output.write(
    `\nWhich of ${String(history.tip)} commits broke it? The one from which on this holds:\n  ${serializePredicate(parsed)}\n`,
  );
  if (!isBad(history.tip)) return undefined;
  const { seq, steps } = findBreakingCommit({ good: 0, bad: history.tip }, isBad);
  const looked = steps.map((step) => `${String(step.seq)} ${step.isBad ? "bad" : "good"}`).join(", ");
  output.write(`  ${looked}\n\nIt is commit ${String(seq)}:\n\n`);
  output.write(`${history.run(["show", "--no-color", history.oid(seq)])}\n`);
  if (staysToLookAt) {
    output.write(`With Git alone you find it, and what came before it, with\n`);
    const path = `local/domain/0/backend/vbd/${domid}`;
    output.write(`  git -C ${repository} log -p main -- ${path}\n`);
  } else {
    output.write("With --keep the Git repository stays, for you to look at.\n");
  }
  return first.vm.spec.name;
}

/** The daemon would refuse too, but it cannot say what to do about it here. */
function checkTemporaryDirectory(): void {
  const longest = join(tmpdir(), "xenstore-demo-123456", "run", "domains", "65535");
  if (Buffer.byteLength(longest) <= SOCKET_PATH_BYTES_MAX) return;
  throw new CannotRunError(`${tmpdir()} is too long a path for sockets: set TMPDIR to a shorter one, such as /tmp`);
}

function checkGit(): void {
  try {
    execFileSync("git", ["--version"], { stdio: "ignore" });
  } catch (error) {
    throw new CannotRunError("the demo finds the commit with git, which is not installed here", { cause: error });
  }
}
