/**
 * Checked runs: a host whose machines boot, run and end in a world in which much goes wrong, and a checker that looks on.
 *
 * Owns the course of one run; all of it follows from the seed. What is done to a run besides its machines: visitors that
 * come at any moment and may leave in the midst of a transaction, in some a daemon that is killed and started again, in
 * half of them what is sent arrives in pieces.
 */
import type { Domid } from "../../protocol/identifiers.js";
import { StoreAccess } from "../actors/store-access.js";
import { startHost } from "../host.js";
import { Storm } from "../storm/storm.js";
import { SMALLEST_VM } from "../vm/vm.js";
import { createRandom, type Random } from "../world/random.js";
import { World, type Mistakes } from "../world/world.js";
import { Checker, type CheckedCounts } from "./checker.js";
import type { Mutation } from "./model/state.js";
import type { Violation } from "./violation.js";
import { Visitor } from "./visitor.js";
import { VISITOR_DOMAINS, VISITOR_PATH } from "./visitor-requests.js";

const DOM0 = 0 as Domid;
const RUN_MILLISECONDS = 5000;
const CONNECT_MILLISECONDS_MAX = 60_000;
/** A machine's life has about so many steps. */
const STEPS_PER_VM = 2300;
const VISITS_PER_VM = 15;
/** A run with more steps for each machine does not come to an end. */
const STEPS_PER_VM_MAX = 20_000;
/** Of so many seeds in a row, one has a restart of the daemon. */
const RUNS_PER_RESTART = 4;

/** What is to be run. */
export interface CheckedRunPlan {
  readonly seed: number;
  readonly vms: number;
  readonly mistakes?: Mistakes;
  /** Has the checker's model make a mistake, to the same end. */
  readonly mutation?: Mutation;
}

/** What became of a run. */
export interface CheckedRun {
  readonly violation: Violation | undefined;
  /** What else went wrong: machines that failed, nodes left behind, actors in trouble, errors that the daemon logged. */
  readonly troubles: readonly string[];
  /**
   * What went wrong with machines in a run with a restart. A client whose reply was lost with a daemon cannot know whether
   * its request was carried out, and asks again. Worked example: the transaction in which the toolstack makes a device is
   * committed, and its reply lost; the driver goes to work on the device, and the toolstack makes it anew beneath it. So
   * this is nobody's mistake but the simulated toolstack's, and is counted only.
   */
  readonly setbacks: readonly string[];
  readonly counts: Readonly<CheckedCounts>;
  /** How often requests of each operation were answered so: `READ OK`, `WRITE EACCES`. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly steps: number;
}

/** What happens to a run besides its machines, and when. */
interface Incident {
  readonly step: number;
  readonly happen: () => Promise<void>;
}

/** Runs a seed to its end, or to the first violation. */
export async function runChecked(plan: CheckedRunPlan): Promise<CheckedRun> {
  const { seed, mistakes, mutation } = plan;
  const random = createRandom({ seed, stream: 3 });
  const checker: Checker = new Checker({ seed, mutation, steps: () => world.scheduler.steps });
  const world: World = new World(seed, {
    observer: checker.observer,
    cutsChunks: random.below(2) === 0,
    ...(mistakes === undefined ? {} : { mistakes }),
  });
  const troubles: string[] = [];
  try {
    await live(world, checker, { ...plan, random, troubles });
  } catch (error) {
    // What follows from a violation is no trouble of its own.
    if (checker.violation === undefined) troubles.push(String(error));
  }
  const isRestarted = checker.counts.daemons > 1;
  return {
    violation: checker.violation,
    troubles: [...(isRestarted ? [] : troubles), ...world.errors],
    setbacks: isRestarted ? troubles : [],
    counts: checker.counts,
    outcomes: checker.outcomes,
    steps: world.scheduler.steps,
  };
}

interface Life {
  readonly seed: number;
  readonly vms: number;
  readonly random: Random;
  readonly troubles: string[];
}

async function live(world: World, checker: Checker, { seed, vms, random, troubles }: Life): Promise<void> {
  const { environment, scheduler } = world;
  await world.startDaemon();
  const observer = {
    phase: () => undefined,
    trouble: (actor: string, error: unknown) => {
      if (checker.violation === undefined) troubles.push(`${actor} met ${String(error)}`);
    },
  };
  const visitors = [DOM0, DOM0, 1, 2, 3, ...VISITOR_DOMAINS, ...VISITOR_DOMAINS].map(
    (domid) => new Visitor(world, random, domid),
  );
  const life = (async () => {
    const host = await startHost({ environment, observer });
    const store = new StoreAccess(await environment.connect(DOM0, "onlooker"));
    const storm = new Storm(
      {
        vms,
        aliveMax: vms,
        startsPerSecond: Infinity,
        runMilliseconds: RUN_MILLISECONDS,
        connectMillisecondsMax: CONNECT_MILLISECONDS_MAX,
        shape: SMALLEST_VM,
      },
      {
        host,
        store,
        monotonicMilliseconds: () => scheduler.monotonicMilliseconds(),
        delay: (milliseconds, signal) => scheduler.delay(milliseconds, signal),
        signal: new AbortController().signal,
      },
    );
    return storm.run();
  })();
  const progress = { isOver: false };
  const over = (): void => {
    progress.isOver = true;
  };
  life.then(over, over);
  const mayStop = (): boolean => progress.isOver || checker.violation !== undefined;
  for (const { step, happen } of incidents(world, { seed, vms, random, visitors })) {
    await scheduler.run(() => mayStop() || scheduler.steps >= step);
    if (mayStop()) break;
    await happen();
  }
  const stepsMax = STEPS_PER_VM_MAX * vms;
  const canGoOn = await scheduler.run(() => mayStop() || scheduler.steps >= stepsMax);
  if (checker.violation !== undefined) return;
  if (!canGoOn) throw new Error("everybody waits: nothing can happen any more, and the machines are not gone");
  if (!progress.isOver) throw new Error(`after ${String(stepsMax)} steps the machines are not gone`);
  const { failures, leaks } = await life;
  for (const { vm, phase, reason } of failures) troubles.push(`${vm} failed in ${phase}: ${reason}`);
  for (const leak of leaks) if (!leak.includes(VISITOR_PATH)) troubles.push(`left behind: ${leak}`);
  await scheduler.runUntilQuiet();
  checker.finish(world.state);
}

function incidents(
  world: World,
  { seed, vms, random, visitors }: Omit<Life, "troubles"> & { readonly visitors: readonly Visitor[] },
): Incident[] {
  const stepsMax = STEPS_PER_VM * vms;
  const incidents: Incident[] = [];
  for (let count = 0; count < VISITS_PER_VM * vms; count++) {
    // Two at once get in each other's way.
    const [first, second] = [0, 1].map(() => visitors[random.below(visitors.length)]);
    const happen = async (): Promise<void> => {
      await first?.visit();
      await second?.visit();
    };
    incidents.push({ step: random.below(stepsMax), happen });
  }
  if (seed % RUNS_PER_RESTART === 0) {
    incidents.push({
      step: random.below(stepsMax),
      happen: async () => {
        world.stopDaemon();
        await world.startDaemon();
      },
    });
  }
  return incidents.sort((left, right) => left.step - right.step);
}
