/**
 * The command lines of `xs-sim boot` and `xs-sim storm`.
 *
 * Owns their flags, what they mean when left out, and the exit codes: 0 when every machine lived its life and nothing was
 * left behind, 1 when not, 2 when it could not be run (no daemon, a bad command line), 130 interrupted.
 */
import { Command, Option } from "commander";
import { exitCodeOf } from "../cannot-run-error.js";
import { count, interruptionSignal, notNegative, positive, viewOutput } from "../command-line.js";
import { FAULT_NAMES, FAULTS, type FaultName } from "../../protocol/predicate/faults.js";
import { FaultPlan } from "../faults/fault-plan.js";
import { WIRE_FAULT_NAMES, WIRE_FAULTS, type WireFaultName } from "../faults/wire-faults.js";
import { LIBXL_TIMEOUTS, type Phase, type XlTimeouts } from "../actors/toolstack/xl.js";
import { describePublished, runPublishedOnSocket } from "../published/run-published.js";
import { SMALLEST_VM, type VmShape, type VmType } from "../vm/vm.js";
import { describeReport, isClean } from "./report.js";
import { runStorm, type RunStormOptions } from "./run-storm.js";

const CONNECT_MILLISECONDS_MAX = 10_000;
/** A simulated host is one process: with many machines at once, what waits for others waits for all of them. */
const VMS_PER_PATIENCE = 5;
const PATIENCE_MIN = 2;
const VMS_MAX = 32_000;

/** What the published benchmark has no use for. */
const STORM_ONLY = [
  "run",
  "vms",
  "alive",
  "rate",
  "vm",
  "fault",
  "wireFault",
  "wireFaultVm",
  "type",
  "disks",
  "vifs",
  "vcpus",
  "runSeconds",
] as const satisfies readonly (keyof StormFlags)[];

interface ShapeFlags {
  readonly type: VmType;
  readonly disks: number;
  readonly vifs: number;
  readonly vcpus: number;
}

interface CommonFlags extends ShapeFlags {
  readonly run?: string;
  readonly runSeconds: number;
  readonly json?: boolean;
  readonly fault?: FaultName;
  readonly wireFault?: readonly WireFaultName[];
}

interface StormFlags extends CommonFlags {
  readonly vms: number;
  readonly alive?: number;
  readonly rate?: number;
  readonly vm?: number;
  readonly wireFaultVm?: number;
  readonly published?: number;
  readonly socket?: string;
}

const AFTER_BOOT = `
Examples:
  xs-sim boot                            # a daemon of its own, one PVH machine, its phases
  xs-sim boot --fault hotplug-script-fails
  xs-sim boot --disks 2 --vifs 2 --vcpus 4 --type pv
  xs-sim boot --run .xenstore/run        # against a daemon that runs: xenstore-ls shows the machine meanwhile`;

const AFTER_STORM = `
Examples:
  xs-sim storm --vms 100                              # a hundred machines at once
  xs-sim storm --vms 10000 --alive 1000 --rate 50     # ten thousand, fifty a second, a thousand at most alive
  xs-sim storm --published 200 --socket /run/xenstored/socket   # the published benchmark, against any xenstored
  xs-sim storm --vms 20 --fault ring-ref-missing --vm 7
  xs-sim storm --vms 20 --wire-fault client-writes --wire-fault-vm 3   # from a guest's socket
  xs-sim storm --vms 20 --json | jq .boot`;

/** The command `boot`. */
export function bootCommand(): Command {
  return withCommonFlags(new Command("boot"))
    .description("Boot one machine, let it run, shut it down and destroy it.")
    .addHelpText("after", AFTER_BOOT)
    .action(async (flags: CommonFlags) => {
      process.exitCode = await execute({ ...flags, vms: 1 }, 1, true);
    });
}

/** The command `storm`. */
export function stormCommand(): Command {
  return withCommonFlags(new Command("storm"))
    .description("Boot many machines at once or at a rate, let them run, shut them down and destroy them.")
    .addOption(new Option("--vms <n>", "how many machines in all").argParser(count(1, VMS_MAX)).default(100))
    .addOption(
      new Option("--alive <n>", "most machines at once; as many as there are when left out").argParser(
        count(1, VMS_MAX),
      ),
    )
    .addOption(new Option("--rate <n>", "machines started each second; all at once when left out").argParser(positive))
    .addOption(new Option("--vm <n>", "the machine that has the fault; 1 when left out").argParser(count(1, VMS_MAX)))
    .addOption(
      new Option(
        "--wire-fault-vm <n>",
        "bad clients come from this machine's domain, which they may spoil; from dom0 when left out",
      ).argParser(count(1, VMS_MAX)),
    )
    .addOption(
      new Option("--published <n>", "run the published benchmark with so many machines instead")
        .argParser(count(1, VMS_MAX))
        .conflicts([...STORM_ONLY]),
    )
    .option(
      "--socket <path>",
      "with --published: a privileged socket, of any xenstored; a daemon of its own when left out",
    )
    .addHelpText("after", AFTER_STORM)
    .action(async (flags: StormFlags) => {
      process.exitCode =
        flags.published === undefined
          ? await execute(flags, patienceFor(flags.alive ?? flags.vms), false)
          : await executePublished(flags.published, flags);
    });
}

/** The command `faults`. */
export function faultsCommand(): Command {
  return new Command("faults")
    .description("List the faults that a machine can have, each with the predicate that tells it ($D is the domain).")
    .option("--json", "print them as JSON")
    .allowExcessArguments(false)
    .exitOverride((error) => {
      process.exit(error.exitCode === 0 ? 0 : 2);
    })
    .action(({ json }: { readonly json?: boolean }) => {
      if (json === true) {
        process.stdout.write(`${JSON.stringify({ faults: FAULTS, wireFaults: WIRE_FAULTS }, undefined, 2)}\n`);
        return;
      }
      for (const name of FAULT_NAMES) {
        const { description, predicate } = FAULTS[name];
        process.stdout.write(`${name}\n  ${description}\n  ${predicate}\n`);
      }
      process.stdout.write("\nBad clients (--wire-fault):\n");
      for (const name of WIRE_FAULT_NAMES) process.stdout.write(`${name}\n  ${WIRE_FAULTS[name]}\n`);
    });
}

function withCommonFlags(command: Command): Command {
  return command
    .addOption(new Option("--run <dir>", "directory of a running daemon's sockets; a daemon of its own when left out"))
    .addOption(new Option("--type <type>", "kind of machine").choices(["pv", "pvh"]).default(SMALLEST_VM.type))
    .addOption(new Option("--disks <n>", "disks of each").argParser(count(0, 16)).default(SMALLEST_VM.disks))
    .addOption(
      new Option("--vifs <n>", "network interfaces of each").argParser(count(0, 256)).default(SMALLEST_VM.vifs),
    )
    .addOption(new Option("--vcpus <n>", "processors of each").argParser(count(1, 512)).default(SMALLEST_VM.vcpus))
    .addOption(new Option("--run-seconds <n>", "how long each runs").argParser(notNegative).default(1))
    .addOption(new Option("--fault <name>", "what goes wrong: see xs-sim faults").choices(FAULT_NAMES))
    .addOption(
      new Option("--wire-fault <names...>", "bad clients beside the machines, until they are gone").choices(
        WIRE_FAULT_NAMES,
      ),
    )
    .option("--json", "print the report as JSON, and nothing else")
    .allowExcessArguments(false)
    .exitOverride((error) => {
      process.exit(error.exitCode === 0 ? 0 : 2);
    });
}

/** How many times as long as on a host with one machine everything may take. */
function patienceFor(alive: number): number {
  return Math.max(PATIENCE_MIN, alive / VMS_PER_PATIENCE);
}

function timeoutsFor(patience: number): XlTimeouts {
  return {
    deviceMilliseconds: LIBXL_TIMEOUTS.deviceMilliseconds * patience,
    scriptMilliseconds: LIBXL_TIMEOUTS.scriptMilliseconds * patience,
    shutdownMilliseconds: LIBXL_TIMEOUTS.shutdownMilliseconds * patience,
  };
}

async function executePublished(vms: number, { socket, json }: StormFlags): Promise<number> {
  const signal = interruptionSignal();
  try {
    const run = await runPublishedOnSocket({
      vms,
      socket,
      signal,
      progress: (line) => {
        if (json !== true) process.stderr.write(`${line}\n`);
      },
    });
    process.stdout.write(json === true ? `${JSON.stringify(run, undefined, 2)}\n` : describePublished(run));
    return 0;
  } catch (error) {
    const reason: unknown = signal.aborted ? signal.reason : error;
    process.stderr.write(`xs-sim: ${reason instanceof Error ? reason.message : String(reason)}\n`);
    return signal.aborted ? 130 : exitCodeOf(error);
  }
}

async function execute(flags: StormFlags, patience: number, showsPhases: boolean): Promise<number> {
  const signal = interruptionSignal();
  for (const number of [flags.vm, flags.wireFaultVm]) {
    if (number === undefined || number <= flags.vms) continue;
    process.stderr.write(`xs-sim: there is no machine ${String(number)} among ${String(flags.vms)}\n`);
    return 2;
  }
  if (flags.wireFaultVm !== undefined && flags.wireFault === undefined) {
    process.stderr.write("xs-sim: --wire-fault-vm says where bad clients come from, so it needs --wire-fault\n");
    return 2;
  }
  if (flags.vm !== undefined && flags.fault === undefined) {
    process.stderr.write("xs-sim: --vm says which machine has the fault, so it needs --fault\n");
    return 2;
  }
  if (flags.socket !== undefined) {
    process.stderr.write("xs-sim: --socket goes with --published; a storm's guests need the sockets of --run\n");
    return 2;
  }
  const shape: VmShape = { type: flags.type, disks: flags.disks, vifs: flags.vifs, vcpus: flags.vcpus };
  const options: RunStormOptions = {
    plan: {
      vms: flags.vms,
      aliveMax: flags.alive ?? flags.vms,
      startsPerSecond: flags.rate ?? Infinity,
      runMilliseconds: flags.runSeconds * 1000,
      connectMillisecondsMax: CONNECT_MILLISECONDS_MAX * patience,
      shape,
    },
    timeouts: timeoutsFor(patience),
    faults: new FaultPlan(
      flags.fault === undefined ? undefined : new Map([[`vm${String(flags.vm ?? 1)}`, flags.fault]]),
    ),
    wireFaults: flags.wireFault ?? [],
    wireFaultVm: flags.wireFaultVm === undefined ? undefined : `vm${String(flags.wireFaultVm)}`,
    runDirectory: flags.run,
    view: flags.json === true || showsPhases ? undefined : viewOutput(),
    ...(showsPhases && flags.json !== true ? { phase: phaseLines() } : {}),
    signal,
  };
  try {
    const report = await runStorm(options);
    process.stdout.write(flags.json === true ? `${JSON.stringify(report, undefined, 2)}\n` : describeReport(report));
    if (signal.aborted) return 130;
    return isClean(report) ? 0 : 1;
  } catch (error) {
    process.stderr.write(`xs-sim: ${error instanceof Error ? error.message : String(error)}\n`);
    return signal.aborted ? 130 : exitCodeOf(error);
  }
}

const PURPOSES: Readonly<Record<Phase, string>> = {
  make: "xl makes the nodes of the domain",
  build: "xl builds the domain and introduces it",
  vbd: "xl adds a disk, its backend driver probes it",
  "vbd-script": "the block script finds the device behind the disk",
  console: "xl adds the console, xenconsoled gives it a terminal",
  vif: "xl adds a network interface, its backend driver probes it",
  "vif-script": "the network script joins the interface to its bridge",
  finish: "xl waits for the terminal, then lets the domain run",
  guest: "the kernel boots, disks and network connect, the agent reports",
  destroy: "xl removes the devices and destroys the domain",
};

/** Prints each phase with the time at which it begins, from the first on. */
function phaseLines(): NonNullable<RunStormOptions["phase"]> {
  let start: number | undefined;
  return (_spec, phase) => {
    start ??= performance.now();
    const milliseconds = (performance.now() - start).toFixed(0).padStart(6);
    process.stdout.write(`${milliseconds} ms  ${phase.padEnd(10)}  ${PURPOSES[phase]}\n`);
  };
}
