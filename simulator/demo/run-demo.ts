/**
 * The demo: a daemon of its own, one guest's boot played through its sockets, and the history that came of it.
 *
 * Owns the course of it and what is left behind: nothing, unless the directory is to be kept. The daemon is ended by its
 * pid in every case, also after an interruption.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { DOM0 } from "../../protocol/identifiers.js";
import { REQUEST_CODECS } from "../../protocol/payload.js";
import { connectThrough } from "../trace/connect.js";
import { readFixture } from "../trace/fixture.js";
import { TracePlayer, type Connect } from "../trace/player.js";
import type { Phase } from "../trace/trace.js";
import { startDaemonProcess, type DaemonProcess } from "../daemon-process.js";
import { Progress, type Output } from "./progress.js";
import { describeLooking, describeTally, isAsExpected } from "./report.js";

const TRACE = "pvh-boot-and-destroy.trace";
/** The last phase of the boot; what follows is the end of the domain. */
const LAST_BOOT_PHASE = "agent";
/** An event takes a millisecond; a machine that is busy with something else takes longer. */
const EVENT_MILLISECONDS_MAX = 5000;
const LOG_LINES = 20;
/** Bytes of `sun_path` less its NUL (unix(7)). */
const SOCKET_PATH_BYTES_MAX = 107;

/** How the demo is to run. */
export interface DemoOptions {
  /** Whether the domain is shut down and destroyed after its boot. */
  readonly life: boolean;
  /** Whether the directory stays. */
  readonly keep: boolean;
  readonly output: Output;
  /** Whether `output` is a terminal; the daemon then serves until `waitForUser` resolves. */
  readonly isTerminal: boolean;
  waitForUser(): Promise<void>;
  /** Aborted when the demo is to break off; it rejects with the signal's reason then. */
  readonly signal: AbortSignal;
}

/** Runs the demo; resolves to whether all went as expected, and rejects when it could not be run. */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  await checkGit();
  checkTemporaryDirectory();
  const trace = readFixture(TRACE);
  const directory = await mkdtemp(join(tmpdir(), "xenstore-demo-"));
  let daemon: DaemonProcess | undefined;
  try {
    // Not in the race: a daemon whose start is not awaited could not be ended.
    daemon = await startDaemonProcess(directory);
    return await Promise.race([show(options, { directory, daemon, phases: trace.phases }), aborted(options.signal)]);
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

interface Stage {
  readonly directory: string;
  readonly daemon: DaemonProcess;
  readonly phases: readonly Phase[];
}

async function show(options: DemoOptions, { directory, daemon, phases }: Stage): Promise<boolean> {
  const { output, isTerminal, life, keep } = options;
  const { runDirectory, repository } = daemon;
  output.write(`A daemon serves ${join(runDirectory, "socket")} (process ${String(daemon.pid)}).\n\n`);
  const connect = connectThrough(runDirectory);
  const progress = new Progress(output, isTerminal);
  const player = new TracePlayer({
    connect,
    eventMillisecondsMax: EVENT_MILLISECONDS_MAX,
    onStep: () => {
      progress.step();
    },
  });
  let booted = "";
  let milliseconds = 0;
  try {
    for (const phase of phases) {
      milliseconds += await playPhase(player, progress, phase);
      if (phase.name !== LAST_BOOT_PHASE) continue;
      booted = await sealedTip(connect, repository);
      if (!life) break;
    }
    await player.finish();
  } catch (error) {
    progress.breakOff();
    throw error;
  } finally {
    player.close();
  }
  const tally = player.tally();
  output.write(`\n${describeTally(tally, milliseconds)}\n`);

  await sealedTip(connect, repository);
  const commits = (await git(repository, ["rev-list", "--count", "main"])).trim();
  const log = await git(repository, ["log", "--oneline", `-${String(LOG_LINES)}`, "main"]);
  output.write(`Git has ${commits} commits in ${repository}, the last ${String(LOG_LINES)} of them:\n\n${log}\n`);
  const where = { directory, repository, runDirectory, booted, destroyed: life, serving: isTerminal, kept: keep };
  output.write(describeLooking(where));
  if (isTerminal) {
    output.write("\nThe daemon serves until you press Enter. ");
    await options.waitForUser();
  }
  return isAsExpected(tally);
}

/** Plays a phase and shows its progress; returns how many milliseconds it took. */
async function playPhase(player: TracePlayer, progress: Progress, phase: Phase): Promise<number> {
  const before = player.tally();
  progress.start({ name: phase.name, purpose: phase.purpose, steps: phase.steps.length });
  const start = performance.now();
  await player.play(phase);
  const milliseconds = performance.now() - start;
  const after = player.tally();
  progress.end({ requests: after.requests - before.requests, events: after.events - before.events });
  return milliseconds;
}

/** Waits until all that was committed is in Git; returns the abbreviated commit at the tip. */
async function sealedTip(connect: Connect, repository: string): Promise<string> {
  const connection = await connect(DOM0, () => undefined);
  const payload = REQUEST_CODECS.CONTROL.serialize({ command: "flush", parameters: [] });
  const reply = await connection.request("CONTROL", 0, payload);
  connection.close();
  if ("error" in reply)
    throw new Error(`the daemon could not write its history: CONTROL flush answered ${reply.error}`);
  return (await git(repository, ["rev-parse", "--short", "main"])).trim();
}

/** The daemon would refuse too, but it cannot say what to do about it here. */
function checkTemporaryDirectory(): void {
  const longest = join(tmpdir(), "xenstore-demo-123456", "run", "domains", "65535");
  if (Buffer.byteLength(longest) <= SOCKET_PATH_BYTES_MAX) return;
  throw new Error(`${tmpdir()} is too long a path for sockets: set TMPDIR to a shorter one, such as /tmp`);
}

async function checkGit(): Promise<void> {
  try {
    await run("git", ["--version"]);
  } catch (error) {
    throw new Error("the demo shows its history with git, which is not installed here", { cause: error });
  }
}

const run = promisify(execFile);

async function git(repository: string, args: readonly string[]): Promise<string> {
  // What a caller's GIT_DIR and the like name is not this repository.
  const environment = Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_"));
  const { stdout } = await run("git", ["-C", repository, "--no-pager", ...args], {
    env: Object.fromEntries(environment),
  });
  return stdout;
}
