/**
 * The actors' traffic against the trace of one guest's life, which was made from the sources of the programs that they
 * stand for.
 *
 * Owns the comparison. The simulator plays the life of the machine that the trace has, with its name, uuid, disk and MAC, so
 * that whole payloads are compared: paths, values, perms, tokens. For each actor:
 *
 * 1. the same requests and watch events in each phase, as often, and requests inside of a transaction where the trace has
 *    them inside;
 * 2. the same transactions, each with the same requests in the same order;
 * 3. requests in the same order: all of an actor with one thread, those for one device, and for none, of a kernel;
 * 4. as many connections from the same domain, which end when the program does.
 *
 * What one actor must not do before another has done something is a list of its own, since a trace is but one order.
 *
 * Not compared: replies (their errors are the replay's and the daemon's tests' business); the words that kernels take as
 * tokens, but that each watch has its own; when events arrive, but for their phase, for order among the events of one actor
 * is the daemon's; the order of what a kernel does for different devices, and of what it and its bus answer to events; which
 * connection a request comes on, and when one ends; times. Since each phase begins when the one before it has come to rest,
 * nobody is seen to wait for what an earlier phase has done already. Machines of another shape, a device's failure and lost
 * connections are other tests' matter.
 *
 * Every difference is listed here with its reason; one that must be and is not found any more fails too.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { readFixture } from "../../simulator/trace/fixture.js";
import type { VmSpec } from "../../simulator/vm/vm.js";
import { seed } from "../support/seed.js";
import { recordLife, stepLine, tracedTraffic, type Traffic, type TrafficStep } from "../support/traffic.js";

const LIVES = 10;

/** The trace's machine. */
const MACHINE: VmSpec = {
  name: "vm",
  uuid: "d0c35fb5-3bd1-4b5e-9f0a-6c3d1f7a9e21",
  type: "pvh",
  vcpus: 1,
  memoryKibibytes: 1_048_576,
  disks: [{ virtualDevice: 51712, name: "xvda", params: "/dev/vg/d", major: 0xfd, minor: 3 }],
  vifs: [{ handle: 0, mac: "00:16:3e:00:00:01", bridge: "xenbr0" }],
};

const BACK_DISK = "backend/vbd/1/51712";
const BACK_VIF = "backend/vif/1/0";
const FRONT_DISK = "device/vbd/51712";
const FRONT_VIF = "device/vif/0";

/** Linux's xenbus: several threads, and a token for each watch that is an address. */
const KERNELS: ReadonlySet<string> = new Set(["dom0k", "guest"]);

/** What a value must look like on both sides where it is not the trace's, and why it is another one. */
interface Chosen {
  readonly shape: RegExp;
  readonly reason: string;
}

const DECIMAL = /^(?:0|[1-9][0-9]*)$/;
const A_GUEST = "each guest has its own system, and runs another version of the agent";
const A_DISK = "each disk has its own size";
const A_NUMBER = "which numbers are free is the guest's business";
const CALENDAR_TIME = /^(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat) [A-Z][a-z]{2} [ 1-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} [0-9]{4}$/;

function chosenWith(shape: RegExp, reason: string, paths: readonly string[]): (readonly [path: string, Chosen])[] {
  return paths.map((path) => [path, { shape, reason }] as const);
}

/** By path: written values that differ, and must look alike. */
const CHOSEN: ReadonlyMap<string, Chosen> = new Map([
  ...chosenWith(/^[0-9]+\.[0-9]{2}$/, "a world has its own time", [`/vm/${MACHINE.uuid}/start_time`]),
  ...chosenWith(/^[14]$/, "a queue for each of dom0's processors, of which the trace's network driver sees one", [
    `${BACK_VIF}/multi-queue-max-queues`,
  ]),
  ...chosenWith(DECIMAL, A_DISK, [`${BACK_DISK}/sectors`, "data/volumes/0/size", "data/volumes/0/free"]),
  ...chosenWith(DECIMAL, A_NUMBER, [
    `${FRONT_DISK}/event-channel`,
    ...["tx-ring-ref", "rx-ring-ref", "event-channel-tx", "event-channel-rx"].map((key) => `${FRONT_VIF}/${key}`),
  ]),
  ...chosenWith(/^Debian GNU\/Linux [0-9]+ \([a-z]+\)$/, A_GUEST, ["data/os_name"]),
  ...chosenWith(/^[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9]+)?-amd64$/, A_GUEST, ["data/os_uname"]),
  ...chosenWith(DECIMAL, A_GUEST, [
    "data/os_majorver",
    "data/os_minorver",
    ...["MajorVersion", "MinorVersion", "BuildVersion"].map((key) => `attr/PVAddons/${key}`),
  ]),
  ...chosenWith(/^(?:[0-9]{1,3}\.){3}(?!0$|255$)[0-9]{1,3}$/, "each network has its own addresses", [
    "attr/vif/0/ipv4/0",
  ]),
  ...chosenWith(/^2001:db8::[1-9a-f][0-9a-f]{0,3}$/, "each network has its own addresses", ["attr/vif/0/ipv6/0"]),
  ...chosenWith(DECIMAL, "a kernel keeps some for itself, and how much is free changes", [
    "data/meminfo_total",
    "data/meminfo_free",
  ]),
  ...chosenWith(CALENDAR_TIME, "a world has its own time", ["data/updated"]),
]);

/** The steps with a word in the place of each value that is chosen, if it looks as it must, and of each kernel's token. */
function comparable(steps: readonly TrafficStep[]): TrafficStep[] {
  /** The paths of the kernels' watches. */
  const watched = new Map<string, string>();
  return steps.map((step) => {
    const { actor, flag, operation, subject, rest } = step;
    if (operation === "WRITE") {
      const shape = CHOSEN.get(subject)?.shape;
      return shape?.test(JSON.parse(rest) as string) === true ? { ...step, rest: "<chosen>" } : step;
    }
    if (!KERNELS.has(actor) || (flag !== "<" && operation !== "WATCH" && operation !== "UNWATCH")) return step;
    const watch = `${actor} ${rest}`;
    // A token that another watch has already stays as it is, and so differs.
    if (operation === "WATCH" && !watched.has(watch)) watched.set(watch, subject);
    else if (operation === "WATCH") return step;
    return { ...step, rest: `<token of ${watched.get(watch) ?? rest}>` };
  });
}

type Tally = Map<string, number>;

function count(tally: Tally, line: string): void {
  tally.set(line, (tally.get(line) ?? 0) + 1);
}

/** Each request and event, and each transaction as a whole, with how often it is there. */
function tallyOf(steps: readonly TrafficStep[]): Tally {
  const tally: Tally = new Map();
  const transactions = new Map<string, string[]>();
  for (const step of steps) {
    count(tally, stepLine(step));
    if (step.transaction === undefined) continue;
    const { phase, actor, operation, subject, rest } = step;
    const key = `${actor} ${String(step.transaction)}`;
    const inside = transactions.get(key) ?? [];
    transactions.set(key, inside);
    if (operation !== "TRANSACTION_END") inside.push(`${operation} ${subject} ${rest}`.trimEnd());
    else {
      transactions.delete(key);
      count(tally, `${phase} ${actor} {${inside.join("; ")}} ${subject}`);
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

function explain(
  lines: readonly string[],
  least: number,
  most: number,
  reason: string,
): (readonly [line: string, Explained])[] {
  return lines.map((line) => [line, { least, most, reason }] as const);
}

const EARLY_WATCH =
  "the toolstack waits while the driver is still at work, and looks once more for each change; in the trace nobody is slow";
const STANDS_STILL =
  "the model lets a guest answer the events of its own destruction; the processors of one that has shut down stand still";
const GONE = "the domain is destroyed right after its nodes are removed, and may not live to be told";
const NEVER_REMOVED = "made before the first machine, so that the last one leaves the store as the first one found it";

const EXPLAINED: ReadonlyMap<string, Explained> = new Map([
  ...explain(
    [
      "vbd xl < /local/domain/0/backend/vbd/1/51712/state 3/0",
      "vbd xl . READ /local/domain/0/backend/vbd/1/51712/state",
      "vif xl < /local/domain/0/backend/vif/1/0/state 3/1",
      "vif xl . READ /local/domain/0/backend/vif/1/0/state",
      "shutdown xl-shut < /local/domain/1/control/shutdown 3/0",
      "shutdown xl-shut . READ /local/domain/1/control/shutdown",
    ],
    0,
    1,
    EARLY_WATCH,
  ),
  ...explain(
    [
      "destroy guest . DIRECTORY device/vbd/51712",
      "destroy guest . DIRECTORY device/vif/0",
      "destroy guest . READ /local/domain/0/backend/vbd/1/51712/state",
      "destroy guest . READ /local/domain/0/backend/vif/1/0/state",
      "destroy guest . TRANSACTION_START",
      "destroy guest T READ control/sysrq",
      "destroy guest . TRANSACTION_END F",
      "destroy guest {READ control/sysrq} F",
      "destroy guest . READ memory/target",
    ],
    -1,
    -1,
    STANDS_STILL,
  ),
  ...explain(
    ["control/shutdown", "control/sysrq", "cpu", "device", "memory/target"].map(
      (path) => `destroy guest < ${path} <token of ${path}>`,
    ),
    -1,
    0,
    GONE,
  ),
  ...explain(["destroy xl < @releaseDomain 3/3"], -1, 0, "the process ends, and may not live to be told"),
  ...explain(["setup init-dom0 . MKDIR /libxl", "setup init-dom0 . MKDIR /vm"], 1, 1, NEVER_REMOVED),
]);

/** What is more or less often there than the trace and the explanations have it, such as `+2 make xl . READ /a`. */
function unexplained(actual: Tally, expected: Tally): string[] {
  const lines: string[] = [];
  for (const line of new Set([...actual.keys(), ...expected.keys(), ...EXPLAINED.keys()])) {
    const more = (actual.get(line) ?? 0) - (expected.get(line) ?? 0);
    const { least, most } = EXPLAINED.get(line) ?? { least: 0, most: 0 };
    if (more < least || more > most) lines.push(`${more > 0 ? "+" : ""}${String(more)} ${line}`);
  }
  return lines.sort();
}

/** Requests that come one after the other: those of an actor, or of a kernel's drivers for one device. */
type Sequences = ReadonlyMap<string, readonly string[]>;

/** The ends of the paths below which a device's nodes are, by its name. */
const DEVICES: readonly (readonly [device: string, directories: readonly string[]])[] = [
  ["the disk", [BACK_DISK, FRONT_DISK]],
  ["the network card", [BACK_VIF, FRONT_VIF]],
];

/** Why a kernel's driver may read a path at another place among its requests than the trace has. */
interface ReadElsewhere {
  /** Only once the driver watches the path: what it reads before has its place. */
  readonly whenWatched: boolean;
  readonly reason: string;
}

const ONE_THREAD: ReadElsewhere = {
  whenWatched: true,
  reason: "the answer to a watch's first event: in the trace at once, here as in Linux after what the driver is at",
};

/** By path. */
const READ_ELSEWHERE: ReadonlyMap<string, ReadElsewhere> = new Map([
  [`${BACK_DISK}/physical-device`, ONE_THREAD],
  [`${BACK_VIF}/rate`, ONE_THREAD],
  [`/local/domain/1/${FRONT_VIF}/request-multicast-control`, ONE_THREAD],
  [
    `/local/domain/1/${FRONT_DISK}/ring-page-order`,
    {
      whenWatched: false,
      reason:
        "one number for all queues: Linux reads it before any of their rings, the trace among those of the only one",
    },
  ],
]);

/** Whose turn a request is: an actor's with one thread, a kernel's for a device or none; undefined where order says nothing. */
function sequenceOf({ actor, flag, operation, subject }: TrafficStep): string | undefined {
  if (flag === "<") return undefined;
  if (!KERNELS.has(actor)) return actor;
  // Xenbus asks for each change below its own directory whether the device is still there, whatever its driver does.
  const isOfBus = operation === "DIRECTORY" && /^(?:backend|device)\//.test(subject);
  // What else events ask for comes when it comes: one thread boots the guest, another answers them.
  const isAnswer = actor === "guest" && operation === "READ" && /^(?:cpu|memory)\//.test(subject);
  if (isOfBus || isAnswer) return undefined;
  const found = DEVICES.find(([, directories]) => directories.some((directory) => subject.includes(directory)));
  if (found !== undefined) return `${actor} for ${found[0]}`;
  // Whose device a transaction is for, its start and end do not say; the others answer events.
  return flag === "T" || operation.startsWith("TRANSACTION_") ? undefined : `${actor} for no device`;
}

function sequencesIn(
  steps: readonly TrafficStep[],
  readElsewhere: ReadonlyMap<string, ReadElsewhere> = READ_ELSEWHERE,
): Sequences {
  const sequences = new Map<string, string[]>();
  const watched = new Set<string>();
  for (const step of steps) {
    const name = sequenceOf(step);
    if (name === undefined) continue;
    const { actor, operation, subject } = step;
    if (operation === "WATCH") watched.add(subject);
    if (KERNELS.has(actor) && operation === "READ") {
      const elsewhere = readElsewhere.get(subject);
      if (elsewhere !== undefined && (!elsewhere.whenWatched || watched.has(subject))) continue;
    }
    const sequence = sequences.get(name) ?? [];
    sequences.set(name, sequence);
    sequence.push(stepLine(step));
  }
  return sequences;
}

/** Where each sequence first differs in a way that nothing explains, such as `xl: READ /a, not READ /b`. */
function outOfOrder(actual: Sequences, expected: Sequences): string[] {
  const differences: string[] = [];
  for (const name of new Set([...actual.keys(), ...expected.keys()])) {
    const [is, due] = [actual.get(name) ?? [], expected.get(name) ?? []];
    let at = 0;
    for (let dueAt = 0; at < is.length || dueAt < due.length;) {
      const [line = "nothing", dueLine = "nothing"] = [is[at], due[dueAt]];
      if (line === dueLine) {
        at++;
        dueAt++;
      } else if ((EXPLAINED.get(line)?.most ?? 0) > 0) at++;
      else if ((EXPLAINED.get(dueLine)?.least ?? 0) < 0) dueAt++;
      else {
        differences.push(`${name}: ${line}, not ${dueLine}`);
        break;
      }
    }
  }
  return differences;
}

/** What must have been sent before something else is, for the first time each, and by whom. */
const BEFORE: readonly (readonly [earlier: string, later: string])[] = [
  // The disk: each side waits for the other's state, and the driver for the script.
  [`dom0k T WRITE ${BACK_DISK}/state "2"`, `guest T WRITE ${FRONT_DISK}/state "3"`],
  [`hotplug . WRITE /local/domain/0/${BACK_DISK}/physical-device "fd:3"`, `dom0k T WRITE ${BACK_DISK}/state "4"`],
  [`guest T WRITE ${FRONT_DISK}/state "3"`, `dom0k T WRITE ${BACK_DISK}/sectors <chosen>`],
  [`dom0k T WRITE ${BACK_DISK}/state "4"`, `guest T WRITE ${FRONT_DISK}/state "4"`],
  // The network card.
  [`dom0k T WRITE ${BACK_VIF}/state "2"`, `guest T WRITE ${FRONT_VIF}/state "4"`],
  [`guest T WRITE ${FRONT_VIF}/state "4"`, `dom0k T WRITE ${BACK_VIF}/state "4"`],
  [`hotplug . WRITE /local/domain/0/${BACK_VIF}/hotplug-status "connected"`, `dom0k T WRITE ${BACK_VIF}/state "4"`],
  // The domain: introduced when its ring is known, told of its console, reported on when it has its devices.
  ["xl . INTRODUCE 1 233473 1", "xenconsoled . WATCH /local/domain/1/console dom1"],
  [
    'xl T WRITE /local/domain/1/console/ring-ref "233472"',
    'xenconsoled . WRITE /local/domain/1/console/tty "/dev/pts/1"',
  ],
  [`guest T WRITE ${FRONT_DISK}/state "4"`, "agent . READ unique-domain-id"],
  [`guest T WRITE ${FRONT_VIF}/state "4"`, "agent . READ unique-domain-id"],
  // The end: command, acknowledgement, devices, domain.
  ['xl-shut . WRITE /local/domain/1/control/shutdown "poweroff"', 'guest T WRITE control/shutdown ""'],
  ['guest T WRITE control/shutdown ""', `guest T WRITE ${FRONT_DISK}/state "5"`],
  ...[
    [BACK_DISK, FRONT_DISK],
    [BACK_VIF, FRONT_VIF],
  ].flatMap(([back = "", front = ""]) => [
    [`guest T WRITE ${front}/state "5"`, `dom0k T WRITE ${back}/state "5"`] as const,
    [`dom0k T WRITE ${back}/state "5"`, `guest T WRITE ${front}/state "6"`] as const,
    [`guest T WRITE ${front}/state "6"`, `dom0k T WRITE ${back}/state "6"`] as const,
    [`dom0k T WRITE ${back}/state "6"`, "hypervisor . CONTROL domain shutdown 1"] as const,
  ]),
  ["hypervisor . CONTROL domain shutdown 1", "xl . DIRECTORY /libxl/1/device/pci"],
  ["xl . RM /libxl/1", "hypervisor . CONTROL domain destroy 1"],
];

/** The pairs whose order is not kept, and those of which one is missing. */
function tooEarly(steps: readonly TrafficStep[]): string[] {
  const lines = steps.map((step) => stepLine(step).slice(step.phase.length + 1));
  return BEFORE.filter(([earlier, later]) => {
    const at = lines.indexOf(earlier);
    return at === -1 || at > lines.indexOf(later);
  }).map(([earlier, later]) => `${later}, before ${earlier}`);
}

/** Who goes on when the machine is gone. */
const SERVES_THE_HOST: ReadonlySet<string> = new Set(["dom0k", "xenconsoled", "hypervisor"]);

/** How an actor's connections differ from what the trace says of it. */
function connectionDifferences(actual: Traffic["connections"], expected: Traffic["connections"]): string[] {
  const differences: string[] = [];
  for (const actor of new Set([...actual.keys(), ...expected.keys()])) {
    const due = { domid: 0, opened: 0, ...expected.get(actor), left: SERVES_THE_HOST.has(actor) ? 1 : 0 };
    const is = { domid: 0, opened: 0, left: 0, ...actual.get(actor) };
    const [found, wanted] = [is, due].map(
      ({ domid, opened, left }) => `${String(opened)} of domain ${String(domid)}, ${String(left)} left open`,
    );
    if (found !== wanted) differences.push(`${actor}: ${found ?? ""}, not ${wanted ?? ""}`);
  }
  return differences;
}

/** All that differs. */
function differences(actual: Traffic, expected: Traffic): string[] {
  const [is, due] = [comparable(actual.steps), comparable(expected.steps)];
  return [
    ...unexplained(tallyOf(is), tallyOf(due)),
    ...outOfOrder(sequencesIn(is), sequencesIn(due)),
    ...tooEarly(is),
    ...connectionDifferences(actual.connections, expected.connections),
  ];
}

describe("One machine's life", () => {
  const traced = tracedTraffic(readFixture("pvh-boot-and-destroy.trace"));
  const lives: Traffic[] = [];
  beforeAll(async () => {
    for (let life = 0; life < LIVES; life++) lives.push(await recordLife(seed() + life, MACHINE));
  });

  test("has the trace's requests, events and transactions, by actor and phase", () => {
    const expected = tallyOf(comparable(traced.steps));
    for (const { steps } of lives) expect(unexplained(tallyOf(comparable(steps)), expected)).toEqual([]);
  });

  test("has each actor's requests in the trace's order, and a kernel's for each device and for none", () => {
    const expected = sequencesIn(comparable(traced.steps));
    for (const { steps } of lives) expect(outOfOrder(sequencesIn(comparable(steps)), expected)).toEqual([]);
  });

  test("has nobody act before what it waits for, as in the trace", () => {
    for (const { steps } of [traced, ...lives]) expect(tooEarly(comparable(steps))).toEqual([]);
  });

  test("has each actor's connections, and those of who is gone are closed", () => {
    for (const { connections } of lives) expect(connectionDifferences(connections, traced.connections)).toEqual([]);
  });

  test("has other values than the trace wherever it is said to choose them", () => {
    const valuesIn = ({ steps }: Traffic, path: string): string[] =>
      steps.filter(({ operation, subject }) => operation === "WRITE" && subject === path).map(({ rest }) => rest);
    const same = [...CHOSEN.keys()].filter((path) =>
      lives.every((life) => String(valuesIn(life, path)) === String(valuesIn(traced, path))),
    );
    expect(same).toEqual([]);
  });

  test("has another order than the trace wherever a driver is said to read in another one", () => {
    const needless = [...READ_ELSEWHERE.keys()].filter((path) => {
      const others = new Map([...READ_ELSEWHERE].filter(([other]) => other !== path));
      const expected = sequencesIn(comparable(traced.steps), others);
      return lives.every(({ steps }) => outOfOrder(sequencesIn(comparable(steps), others), expected).length === 0);
    });
    expect(needless).toEqual([]);
  });
});

describe("A machine that is destroyed while it runs", () => {
  test("has the toolstack say of each device that it is offline, and then that it closes", async () => {
    const { steps } = await recordLife(seed(), MACHINE, "destroy");
    const writes = steps.filter(
      ({ actor, phase, operation }) => actor === "xl" && phase === "destroy" && operation === "WRITE",
    );
    expect(writes.map(stepLine)).toEqual(
      [BACK_DISK, BACK_VIF].flatMap((backend) => [
        `destroy xl T WRITE /local/domain/0/${backend}/online "0"`,
        `destroy xl T WRITE /local/domain/0/${backend}/state "5"`,
      ]),
    );
  });
});

describe("The comparison", () => {
  const traced = tracedTraffic(readFixture("pvh-boot-and-destroy.trace"));
  let life: Traffic = { steps: [], connections: new Map() };
  beforeAll(async () => {
    life = await recordLife(seed(), MACHINE);
  });

  /** The life with the first step that has this line as `change` makes it. */
  const altered = (line: string, change: (step: TrafficStep) => readonly TrafficStep[]): Traffic => {
    const at = life.steps.findIndex((step) => stepLine(step).startsWith(line));
    const step = life.steps[at];
    if (step === undefined) throw new Error(`no step is ${line}`);
    return { ...life, steps: life.steps.toSpliced(at, 1, ...change(step)) };
  };
  /** The life with one step moved to stand before another. */
  const moved = (line: string, before: string): Traffic => {
    const step = life.steps.find((candidate) => stepLine(candidate).startsWith(line));
    if (step === undefined) throw new Error(`no step is ${line}`);
    const { steps } = altered(line, () => []);
    const at = steps.findIndex((candidate) => stepLine(candidate).startsWith(before));
    return { ...life, steps: steps.toSpliced(at, 0, step) };
  };
  const valueOf =
    (value: string) =>
    (step: TrafficStep): TrafficStep[] => [{ ...step, rest: JSON.stringify(value) }];
  const withConnections = (actor: string, opened: number, left: number): Traffic => ({
    ...life,
    connections: new Map([...life.connections, [actor, { domid: 0, opened, left }]]),
  });

  test("finds nothing in a life as it was recorded", () => {
    expect(differences(life, traced)).toEqual([]);
  });

  test.each<readonly [mistake: string, alteredLife: () => Traffic]>([
    ["a request is missing", () => altered("build xl . INTRODUCE", () => [])],
    ["a request comes twice", () => altered("build xl . INTRODUCE", (step) => [step, step])],
    [
      "a write is outside of its transaction",
      () => altered("make xl T WRITE", (step) => [{ ...step, flag: ".", transaction: undefined }]),
    ],
    [
      "a read is inside of one that has none",
      () => altered(`guest dom0k . READ ${BACK_DISK}/discard-enable`, (step) => [{ ...step, flag: "T" }]),
    ],
    [
      "a transaction lacks a write that another one has",
      () => altered("make xl T WRITE", (step) => [{ ...step, transaction: 0 }]),
    ],
    ["a value is another one", () => altered("shutdown xl-shut . WRITE", valueOf("halt"))],
    ["a chosen value has no such look", () => altered("agent agent . WRITE data/updated", valueOf(""))],
    ["perms are others", () => altered("make xl T SET_PERMS", (step) => [{ ...step, rest: "n0" }])],
    ["a port is another one", () => altered("build xl . INTRODUCE", (step) => [{ ...step, rest: "233473 2" }])],
    ["a watch has another token", () => altered("vbd xl . WATCH", (step) => [{ ...step, rest: "3/1" }])],
    [
      "a kernel's watch has the token of another",
      () => {
        const first = life.steps.find(({ actor, operation }) => actor === "guest" && operation === "WATCH");
        return altered("guest guest . WATCH cpu", (step) => [{ ...step, rest: first?.rest ?? "" }]);
      },
    ],
    [
      "an actor does things in another order",
      () => moved("destroy xl . RM /libxl/1", "destroy xl . RM /local/domain/1"),
    ],
    [
      "a driver says that it is ready before it has said for what",
      () => moved(`vbd dom0k T WRITE ${BACK_DISK}/state`, `vbd dom0k . WRITE ${BACK_DISK}/multi-queue-max-queues`),
    ],
    [
      "a kernel watches before its old watches are gone",
      () => moved("guest guest . WATCH control/shutdown", "guest guest . RESET_WATCHES"),
    ],
    [
      "an actor does not wait for another",
      () => moved("agent agent . READ unique-domain-id", "guest guest . WATCH cpu"),
    ],
    ["an actor has a connection more", () => withConnections("xl-shut", 2, 0)],
    ["an actor leaves its connection open", () => withConnections("xl-shut", 1, 1)],
    ["a script uses one connection for all", () => withConnections("hotplug", 1, 0)],
  ])("tells when %s", (_mistake, alteredLife) => {
    expect(differences(alteredLife(), traced)).not.toEqual([]);
  });
});
