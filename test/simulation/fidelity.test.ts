/**
 * The actors' traffic against the trace of one guest's life, which was made from the sources of the programs that they
 * stand for.
 *
 * Owns the comparison: for each actor and phase the same requests and the same watch events, as often, in any order, since
 * the order of different actors is nobody's to choose. Every difference is listed here with its reason; one that is not
 * found any more fails too.
 */
import { describe, expect, test } from "vitest";
import { MessageParser } from "../../protocol/parser.js";
import { getOperation, WATCH_EVENT } from "../../protocol/operation.js";
import { startHost } from "../../simulator/host.js";
import { readFixture } from "../../simulator/trace/fixture.js";
import { vmSpec } from "../../simulator/vm/vm.js";
import { World } from "../../simulator/world/world.js";
import { seed } from "../support/seed.js";

const LIVES = 10;

/** What an actor did or was told in a phase, such as `make xl READ /a`, and how often. */
type Tally = Map<string, number>;

function count(tally: Tally, line: string): void {
  tally.set(line, (tally.get(line) ?? 0) + 1);
}

/** The machine's number gives its name and uuid; the trace has others. */
const spec = vmSpec(1);

function withoutNames(path: string): string {
  return path.replace(/\/vm\/[0-9a-f-]{36}/, "/vm/UUID");
}

function requestLine(phase: string, actor: string, type: number, payload: string): string {
  const operation = getOperation(type)?.name ?? String(type);
  // Values, perms and tokens are in the tree and in the events.
  const [subject = ""] = payload.split("\0");
  return `${phase} ${actor} ${operation} ${withoutNames(subject)}`;
}

function eventLine(phase: string, actor: string, path: string): string {
  return `${phase} ${actor} < ${withoutNames(path)}`;
}

/** Plays one machine's life in a world, each phase after the one before it has come to rest. */
async function playLife(worldSeed: number): Promise<Tally> {
  const tally: Tally = new Map();
  let phase = "setup";
  const world = new World(worldSeed, {
    observer: {
      connected: (_domid, actor) => {
        const [toDaemon, toClient] = [new MessageParser(), new MessageParser()];
        const phaseOf = (): string => (actor === "agent" ? "agent" : phase);
        return {
          sent: (chunk) => {
            toDaemon.push(chunk);
            for (let message = toDaemon.next(); message !== undefined; message = toDaemon.next()) {
              count(tally, requestLine(phaseOf(), actor, message.type, message.payload));
            }
          },
          received: (chunk) => {
            toClient.push(chunk);
            for (let message = toClient.next(); message !== undefined; message = toClient.next()) {
              if (message.type !== WATCH_EVENT) continue;
              count(tally, eventLine(phaseOf(), actor, message.payload.split("\0")[0] ?? ""));
            }
          },
        };
      },
    },
  });
  /** Who waits for the rest before it goes on. */
  let waiting: { readonly phase: string; readonly goOn: () => void } | undefined;
  const come = async (next: string): Promise<void> => {
    await new Promise<void>((resolve) => {
      waiting = { phase: next, goOn: resolve };
    });
  };
  await world.startDaemon();
  const host = await world.runUntil(
    startHost({
      environment: world.environment,
      observer: {
        phase: (_spec, next) => come(next),
        trouble: (actor, error) => {
          throw new Error(`${actor} met an error`, { cause: error });
        },
      },
    }),
  );
  const life = async (): Promise<void> => {
    const vm = await host.create(spec);
    await vm.connected;
    await come("shutdown");
    await host.shutDown(vm);
  };
  const living = life();
  const progress = { isOver: false };
  const over = (): void => {
    progress.isOver = true;
  };
  living.then(over, over);
  while (!progress.isOver) {
    await world.scheduler.run(() => progress.isOver || waiting !== undefined);
    await world.scheduler.runUntilQuiet();
    if (waiting === undefined) continue;
    ({ phase } = waiting);
    const { goOn } = waiting;
    waiting = undefined;
    goOn();
  }
  await living;
  await world.scheduler.runUntilQuiet();
  expect(world.errors).toEqual([]);
  return tally;
}

function traceTally(): Tally {
  const tally: Tally = new Map();
  for (const { name, steps } of readFixture("pvh-boot-and-destroy.trace").phases) {
    for (const step of steps) {
      const actor = step.actor.name;
      if (step.kind === "event") {
        count(tally, eventLine(name, actor, step.path));
        continue;
      }
      const [subject = ""] = step.payload.split("\0");
      count(tally, `${name} ${actor} ${step.operation} ${withoutNames(subject)}`);
    }
  }
  return tally;
}

/** How often a line may be there beyond what the trace says, and why. */
interface Explained {
  readonly least: number;
  readonly most: number;
  readonly reason: string;
}

const EARLY_WATCH =
  "the toolstack waits while the driver is still at work, and looks once more for each change; in the trace nobody is slow";
const STANDS_STILL =
  "the model lets a guest answer the events of its own destruction; the processors of one that has shut down stand still";
const GONE = "the domain is destroyed right after its nodes are removed, and may not live to be told";
const NEVER_REMOVED = "made before the first machine, so that the last one leaves the store as the first one found it";

const EXPLAINED = new Map<string, Explained>([
  ...[
    "vbd xl < /local/domain/0/backend/vbd/1/51712/state",
    "vbd xl READ /local/domain/0/backend/vbd/1/51712/state",
    "vif xl < /local/domain/0/backend/vif/1/0/state",
    "vif xl READ /local/domain/0/backend/vif/1/0/state",
    "shutdown xl-shut < /local/domain/1/control/shutdown",
    "shutdown xl-shut READ /local/domain/1/control/shutdown",
  ].map((line) => [line, { least: 0, most: 1, reason: EARLY_WATCH }] as const),
  ...[
    "destroy guest DIRECTORY device/vbd/51712",
    "destroy guest DIRECTORY device/vif/0",
    "destroy guest READ /local/domain/0/backend/vbd/1/51712/state",
    "destroy guest READ /local/domain/0/backend/vif/1/0/state",
    "destroy guest TRANSACTION_START ",
    "destroy guest READ control/sysrq",
    "destroy guest TRANSACTION_END F",
    "destroy guest READ memory/target",
  ].map((line) => [line, { least: -1, most: -1, reason: STANDS_STILL }] as const),
  ...["control/shutdown", "control/sysrq", "cpu", "device", "memory/target"].map(
    (path) => [`destroy guest < ${path}`, { least: -1, most: 0, reason: GONE }] as const,
  ),
  ["destroy xl < @releaseDomain", { least: -1, most: 0, reason: "the process ends, and may not live to be told" }],
  ...["/libxl", "/vm"].map(
    (path) => [`setup init-dom0 MKDIR ${path}`, { least: 1, most: 1, reason: NEVER_REMOVED }] as const,
  ),
]);

/** What is more or less often there than the trace and the explanations have it, such as `+2 make xl READ /a`. */
function unexplained(actual: Tally, expected: Tally): string[] {
  const lines: string[] = [];
  for (const line of new Set([...actual.keys(), ...expected.keys(), ...EXPLAINED.keys()])) {
    const more = (actual.get(line) ?? 0) - (expected.get(line) ?? 0);
    const { least, most } = EXPLAINED.get(line) ?? { least: 0, most: 0 };
    if (more < least || more > most) lines.push(`${more > 0 ? "+" : ""}${String(more)} ${line}`);
  }
  return lines.sort();
}

describe("One machine's life", () => {
  test("has the trace's requests and events, by actor and phase, in whatever order things happen", async () => {
    const expected = traceTally();
    for (let run = 0; run < LIVES; run++) expect(unexplained(await playLife(seed() + run), expected)).toEqual([]);
  });
});
