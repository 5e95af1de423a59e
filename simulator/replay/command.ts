/**
 * The command line of `xs-sim replay`.
 *
 * Owns its flags, what they mean when left out, and the exit codes: 0 when every answer was that of the trace, 1 when not,
 * 2 when it could not be played (a trace that cannot be read or is damaged, no daemon, a bad command line), 130 interrupted.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import { count, interruptionSignal, notNegative, viewOutput } from "../command-line.js";
import { describeReport } from "./report.js";
import { runReplay, type ReplayTarget, type RunReplayOptions } from "./run-replay.js";

const COPIES_MAX = 32_000;

interface ReplayFlags {
  readonly run?: string;
  readonly socket?: string;
  readonly fork?: string;
  readonly life?: number;
  readonly speed: number;
  readonly vms: number;
  readonly stagger: number;
  readonly json?: boolean;
}

const AFTER = `
FILE is what \`xenstored-tng --trace FILE\` wrote; FILE.1, FILE.2, … that stand beside it are played before it,
also where one of them is missing, which is told. Each traced
connection is opened and closed when the trace says so, and a request is sent when all is answered that was answered before
it then. Watch events are compared for each connection, as many of each path and token, in any order; those that are missing or
extra are told, and are no difference, since what happens in one tick has no order. With --vms, domains, uuids and names are
other ones in each copy; what copies share is not compared.

With --socket, guests' connections are dom0's: their paths are made absolute, what they make is owned by dom0, quotas and
permissions do not stop them, and their watch events have absolute paths. Differences that come from that are told apart.

Exit codes: 0 no difference, 1 differences, 2 it could not be played.

Examples:
  xs-sim replay trace.json                       # against a daemon of its own, as fast as it was
  xs-sim replay trace.json --speed 10 --run .xenstore/run
  xs-sim replay trace.json --speed max --vms 50  # fifty times at once
  xs-sim replay trace.json --run .xenstore/run --fork before-the-failure
  xs-sim replay trace.json --socket /run/xenstored/socket --json | jq .differences`;

/** The command \`replay\`. */
export function replayCommand(): Command {
  return new Command("replay")
    .description("Replay a request trace against a daemon, and compare the answers.")
    .argument("<file>", "the trace")
    .addOption(new Option("--run <dir>", "directory of a running daemon's sockets; a daemon of its own when left out"))
    .addOption(
      new Option("--fork <name>", "with --run: that fork of the daemon (xs fork), and not its main store").conflicts(
        "socket",
      ),
    )
    .addOption(new Option("--socket <path>", "one socket for all connections, of any xenstored").conflicts("run"))
    .addOption(
      new Option(
        "--life <n>",
        "which life of the daemon, of several in the trace; the last one when left out",
      ).argParser(count(1, Number.MAX_SAFE_INTEGER)),
    )
    .addOption(
      new Option("--speed <n>", "how many times as fast as it was; `max` for no waits").argParser(speed).default(1),
    )
    .addOption(
      new Option("--vms <n>", "how many times at once, each with its own domains")
        .argParser(count(1, COPIES_MAX))
        .default(1),
    )
    .addOption(new Option("--stagger <seconds>", "between the starts of two copies").argParser(notNegative).default(0))
    .option("--json", "print the report as JSON, and nothing else")
    .addHelpText("after", AFTER)
    .allowExcessArguments(false)
    .exitOverride((error) => {
      process.exit(error.exitCode === 0 ? 0 : 2);
    })
    .action(async (file: string, flags: ReplayFlags) => {
      process.exitCode = await execute(file, flags);
    });
}

function speed(text: string): number {
  if (text === "max") return Infinity;
  const value = Number(text);
  if (text !== "" && Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("it is a number above 0, or `max`.");
}

async function execute(file: string, flags: ReplayFlags): Promise<number> {
  const signal = interruptionSignal();
  const optionsOf = (): RunReplayOptions => ({
    file,
    life: flags.life,
    target: targetOf(flags),
    speed: flags.speed,
    copies: flags.vms,
    staggerMilliseconds: flags.stagger * 1000,
    view: flags.json === true ? undefined : viewOutput(),
    note: (text) => {
      if (flags.json !== true) process.stderr.write(`note: ${text}\n`);
    },
    signal,
  });
  try {
    const report = await runReplay(optionsOf());
    process.stdout.write(flags.json === true ? `${JSON.stringify(report, undefined, 2)}\n` : describeReport(report));
    return report.differences.total === 0 ? 0 : 1;
  } catch (error) {
    process.stderr.write(`xs-sim: ${error instanceof Error ? error.message : String(error)}\n`);
    return signal.aborted ? 130 : 2;
  }
}

function targetOf({ run, socket, fork }: ReplayFlags): ReplayTarget {
  if (socket !== undefined) return { kind: "socket", path: socket };
  if (run !== undefined) return { kind: "run", directory: run, fork };
  if (fork !== undefined) throw new Error("--fork needs --run DIR, the directory of the daemon's sockets");
  return { kind: "own" };
}
