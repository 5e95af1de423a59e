/**
 * The tree of a machine that is connected, against what `xenstore-ls` printed on real hosts.
 *
 * Owns two comparisons. Keys and values: with the listing of a host that has one connected guest, which the simulator boots
 * too; no agent runs in it, so what an agent writes is compared with what the trace's wrote. That listing has no perms. Perms: with another host's listing, and where that one lacks a node with the perms that the
 * requests of the trace give. Every difference is listed here with its reason; one that is not found any more fails too.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { serializePerms } from "../../protocol/perms.js";
import { readFixture } from "../../simulator/trace/fixture.js";
import type { ModelState } from "../../simulator/checker/model/state.js";
import { vmPath, type VmSpec } from "../../simulator/vm/vm.js";
import { seed } from "../support/seed.js";
import { stateAfter } from "../support/trace-state.js";
import { startWorldHost } from "../support/world-host.js";
import { listingOf, readListing, type ListedNode, type Listing } from "../support/xenstore-listing.js";

const BOOTS = 5;

/** The machine of `connected-pvh.txt`; the first domain of a host has the domid that it has there. */
const MACHINE: VmSpec = {
  name: "guest2",
  uuid: "d81ec5a9-5bf9-4f2b-89e8-0f60d6da948f",
  type: "pvh",
  vcpus: 2,
  memoryKibibytes: 2_097_152,
  disks: [
    {
      virtualDevice: 51712,
      name: "xvda",
      params: "/home/root/guest2/xen-guest-image-minimal-raspberrypi4-64.ext3",
      major: 7,
      minor: 0,
    },
  ],
  vifs: [{ handle: 0, mac: "e4:5f:01:cd:7b:dd", bridge: "xenbr0" }],
};

/** Boots the machine and lists the store when everything has come to rest. */
async function bootAndList(worldSeed: number): Promise<Listing> {
  const { world, host } = await startWorldHost(worldSeed, {
    trouble: (actor, error) => {
      throw new Error(`${actor} met an error`, { cause: error });
    },
  });
  const vm = await world.runUntil(host.create(MACHINE));
  await world.runUntil(vm.connected);
  await world.scheduler.runUntilQuiet();
  expect(world.errors).toEqual([]);
  return listingOf(world.state.root);
}

/** A difference in words, and why it is right that it is there. */
type Explanations = ReadonlyMap<string, string>;

function because(reason: string, differences: readonly string[]): (readonly [difference: string, reason: string])[] {
  return differences.map((difference) => [difference, reason] as const);
}

const DECIMAL = /^(?:0|[1-9][0-9]*)$/;
const SECONDS = /^[0-9]+\.[0-9]{2}$/;
const WORDS = /^[A-Z].*[0-9a-z)]$/;
const CALENDAR_TIME = /^(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat) [A-Z][a-z]{2} [ 1-3][0-9] [0-9:]{8} [0-9]{4}$/;

/** By a path's end: values that each host, guest and boot chooses for itself, and so must only look alike. */
const CHOSEN: ReadonlyMap<string, RegExp> = new Map([
  ["start_time", SECONDS],
  ["sectors", DECIMAL],
  ["data/os_name", WORDS],
  ...["data/os_majorver", "data/os_minorver", "data/meminfo_total", "data/meminfo_free", "0/size", "0/free"].map(
    (name) => [name, DECIMAL] as const,
  ),
  ["data/os_uname", /^[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9]+)?-amd64$/],
  ...["MajorVersion", "MinorVersion", "BuildVersion"].map((name) => [`PVAddons/${name}`, DECIMAL] as const),
  // Neither the network's own address nor that of all its hosts.
  ["ipv4/0", /^(?:[0-9]{1,3}\.){3}(?!0$|255$)[0-9]{1,3}$/],
  ["ipv6/0", /^2001:db8::(?:[0-9a-f]{1,4}:)?[1-9a-f][0-9a-f]{0,3}$/],
  ["data/updated", CALENDAR_TIME],
  ...["ring-ref", "tx-ring-ref", "rx-ring-ref", "event-channel", "event-channel-tx", "event-channel-rx"].map(
    (name) => [name, DECIMAL] as const,
  ),
]);

const BACKENDS = "/local/domain/0/backend";
const DEVICES = "/local/domain/1/device";
const BACK_DISK = `${BACKENDS}/vbd/1/51712`;
const FRONT_DISK = `${DEVICES}/vbd/51712`;
const FRONT_VIF = `${DEVICES}/vif/0`;

const KEYS_AND_VALUES: Explanations = new Map([
  ...because("QEMU serves frame buffer and keyboard; the simulator has no QEMU", [
    "no /local/domain/0/device-model",
    `no ${BACKENDS}/vfb`,
    `no ${BACKENDS}/vkbd`,
    `no ${DEVICES}/vfb`,
    `no ${DEVICES}/vkbd`,
    "no /local/domain/1/console/vnc-listen",
    "no /local/domain/1/console/vnc-port",
    "no /local/domain/1/image",
    "no /libxl/1/device/vfb",
    "no /libxl/1/device/vkbd",
  ]),
  ...because(
    "dom0's kernel says how dom0 can be shut down when it boots, which is not simulated and not in the trace",
    ["no /local/domain/0/control"],
  ),
  ...because("the disk is a file there, to which the script binds a loop device; simulated disks are block devices", [
    `no ${BACK_DISK}/node`,
    `${BACK_DISK}/physical-device-path = ${JSON.stringify(MACHINE.disks[0]?.params)}, not "/dev/loop0"`,
  ]),
  ...because("toolstacks write it since Xen 4.17, and so does that of the trace; the real host's is older", [
    `also ${BACK_DISK}/specification`,
    "also /libxl/1/device/vbd/51712/specification",
    `also ${FRONT_DISK}/trusted`,
    `also ${FRONT_VIF}/trusted`,
  ]),
  ...because("the host is an ARM host: its rings have another layout, and its Linux cannot be suspended", [
    `${FRONT_DISK}/protocol = "x86_64-abi", not "arm-abi"`,
    '/local/domain/1/control/feature-suspend = "1", not ""',
  ]),
]);

function above(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

/** The topmost nodes of one tree that another has not; what is below a node goes with it. */
function missingTops(tree: ReadonlyMap<string, unknown>, other: ReadonlyMap<string, unknown>): string[] {
  const isMissing = (path: string): boolean => tree.has(path) && !other.has(path);
  return [...tree.keys()].filter((path) => isMissing(path) && !isMissing(above(path)));
}

/** How the keys and values differ; adds to `chosen` the paths' ends whose values only look alike. */
function keyAndValueDifferences(actual: Listing, expected: Listing, chosen = new Set<string>()): string[] {
  const differences = [
    ...missingTops(expected, actual).map((path) => `no ${path}`),
    ...missingTops(actual, expected).map((path) => `also ${path}`),
  ];
  for (const [path, { value }] of actual) {
    const due = expected.get(path)?.value;
    if (due === undefined || due === value) continue;
    const [end, shape] = [...CHOSEN].find(([suffix]) => path.endsWith(`/${suffix}`)) ?? [];
    if (end !== undefined && shape?.test(value) === true && shape.test(due)) chosen.add(end);
    else differences.push(`${path} = ${JSON.stringify(value)}, not ${JSON.stringify(due)}`);
  }
  return differences;
}

/** What differs without an explanation, and what is explained and does not differ. */
function unexplained(differences: readonly string[], explanations: Explanations): string[] {
  return [
    ...differences.filter((difference) => !explanations.has(difference)),
    ...[...explanations.keys()].filter((line) => !differences.includes(line)).map((line) => `not found: ${line}`),
  ].sort();
}

/**
 * In `perms-pvh.txt` the guest is domain 2, and domain 1 serves its network interface. Here dom0 does: the nodes of domain 1
 * that have another purpose are left out.
 */
const REAL_GUEST_PATHS: readonly (readonly [there: RegExp, here: string])[] = [
  [/^\/local\/domain\/1\/backend\/vif\/2\/0(?=\/|$)/, "/local/domain/0/backend/vif/1/0"],
  [/^\/local\/domain\/0\/backend\/console\/2(?=\/|$)/, "/local/domain/0/backend/console/1"],
  [/^\/local\/domain\/2(?=\/|$)/, "/local/domain/1"],
  [/^\/libxl\/2(?=\/|$)/, "/libxl/1"],
  [/^\/vm\/f6dca20a-54bb-43af-9a62-67c55cb75708(?=\/|$)/, vmPath(MACHINE.uuid)],
  [/^\/local\/domain\/0\/(?:domid|name|backend|backend\/console)$/, "$&"],
  [/^\/(?:tool|tool\/xenstored|local|local\/domain|local\/domain\/0|vm|libxl)$/, "$&"],
];

/** Perms by path. */
type PermsTree = ReadonlyMap<string, string>;

/** The perms of the real host's nodes, with the paths and domids that they have here. */
function realPerms(): PermsTree {
  const tree = new Map<string, string>();
  for (const [path, { perms = "" }] of readListing("perms-pvh.txt")) {
    const rule = REAL_GUEST_PATHS.find(([there]) => there.test(path));
    if (rule === undefined) continue;
    // Domain 2 becomes 1 as domain 1 becomes 0.
    const mapped = perms.replace(/[12]/g, (domid) => String(Number(domid) - 1));
    tree.set(path.replace(...rule), mapped);
  }
  return tree;
}

function tracedNodes(lastPhase: string): ReturnType<ModelState["tree"]["nodes"]> {
  return stateAfter(readFixture("pvh-boot-and-destroy.trace"), lastPhase).tree.nodes();
}

/** What the trace's agent wrote: the real host's guest has none. */
function agentNodes(): Listing {
  const pathsBefore = new Set(tracedNodes("guest").map(([path]) => path));
  const nodes = tracedNodes("agent").filter(([path]) => !pathsBefore.has(path));
  return new Map(nodes.map(([path, { value, perms }]) => [path, { value, perms: serializePerms(perms) }]));
}

/** The perms of all nodes after the requests of the trace, until the guest and its agent are at rest. */
function tracedPerms(): PermsTree {
  const pathHere = (path: string): string => path.replace(/^\/vm\/[0-9a-f-]{36}/, vmPath(MACHINE.uuid));
  // Listings leave out `/`.
  const nodes = tracedNodes("agent").filter(([path]) => path !== "/");
  return new Map(nodes.map(([path, { perms }]) => [pathHere(path), serializePerms(perms)]));
}

const QUEUES = ["queue-0", "queue-1"] as const;
const DISK_RING = ["ring-ref", "event-channel"] as const;
const VIF_RINGS = ["tx-ring-ref", "rx-ring-ref", "event-channel-tx", "event-channel-rx"] as const;

const PERMS: Explanations = new Map([
  ...because("the trace's guest has one processor, and so its rings' places in the directories of its devices", [
    ...DISK_RING.map((name) => `no ${FRONT_DISK}/${name}`),
    ...VIF_RINGS.map((name) => `no ${FRONT_VIF}/${name}`),
  ]),
  ...because("this guest has two, and so queues; what it makes in its own device's directory has the perms of that", [
    `also ${FRONT_DISK}/multi-queue-num-queues (n1 r0)`,
    ...QUEUES.flatMap((queue) => [
      `also ${FRONT_DISK}/${queue} (n1 r0)`,
      ...DISK_RING.map((name) => `also ${FRONT_DISK}/${queue}/${name} (n1 r0)`),
      `also ${FRONT_VIF}/${queue} (n1 r0)`,
      ...VIF_RINGS.map((name) => `also ${FRONT_VIF}/${queue}/${name} (n1 r0)`),
    ]),
  ]),
  ...because("the real guest's network driver was refused an event channel", ["no /local/domain/1/error/device"]),
]);

/** How the perms differ. Of a node that is not expected they are told too, so that no node's perms go unseen. */
function permsDifferences(actual: Listing, expected: PermsTree): string[] {
  const differences = missingTops(expected, actual).map((path) => `no ${path}`);
  for (const [path, { perms = "" }] of actual) {
    const due = expected.get(path);
    if (due === undefined) differences.push(`also ${path} (${perms})`);
    else if (due !== perms) differences.push(`${path} (${perms}), not (${due})`);
  }
  return differences;
}

/** A listing with one node changed or, for undefined, left out. */
function withNode(listing: Listing, path: string, node: ListedNode | undefined): Listing {
  const changed = new Map(listing);
  if (node === undefined) changed.delete(path);
  else changed.set(path, node);
  return changed;
}

describe("The tree of a connected machine", () => {
  const real: Listing = new Map([...readListing("connected-pvh.txt"), ...agentNodes()]);
  const perms: PermsTree = new Map([...tracedPerms(), ...realPerms()]);
  const trees: Listing[] = [];
  beforeAll(async () => {
    for (let boot = 0; boot < BOOTS; boot++) trees.push(await bootAndList(seed() + boot));
  });

  test("has the keys and values of the real host's, but for what is explained", () => {
    for (const tree of trees) {
      const chosen = new Set<string>();
      const differences = keyAndValueDifferences(tree, real, chosen);
      expect(unexplained(differences, KEYS_AND_VALUES)).toEqual([]);
      expect([...chosen].sort()).toEqual([...CHOSEN.keys()].sort());
    }
  });

  test("has the perms of the other real host's, and elsewhere those that the trace's requests give", () => {
    for (const tree of trees) expect(unexplained(permsDifferences(tree, perms), PERMS)).toEqual([]);
  });

  test("is compared with perms in which the real host and the trace agree", () => {
    const [fromHost, fromTrace] = [realPerms(), tracedPerms()];
    const common = [...fromHost].filter(([path]) => fromTrace.has(path));
    expect(common.length).toBeGreaterThan(100);
    expect(common.filter(([path, there]) => fromTrace.get(path) !== there)).toEqual([]);
  });

  test("is told apart from one in which a node is missing, new or different, or nothing is left to explain", () => {
    const [tree = new Map<string, ListedNode>()] = trees;
    const told = (changed: Listing): string[] => [
      ...unexplained(keyAndValueDifferences(changed, real), KEYS_AND_VALUES),
      ...unexplained(permsDifferences(changed, perms), PERMS),
    ];
    const state = `${FRONT_DISK}/state`;
    expect(told(tree)).toEqual([]);
    expect(told(withNode(tree, state, undefined))).toEqual([`no ${state}`, `no ${state}`]);
    expect(told(withNode(tree, "/new", { value: "", perms: "n0" }))).toEqual(["also /new", "also /new (n0)"]);
    expect(told(withNode(tree, state, { value: "3", perms: "n1 r0" }))).toEqual([`${state} = "3", not "4"`]);
    expect(told(withNode(tree, state, { value: "4", perms: "n1" }))).toEqual([`${state} (n1), not (n1 r0)`]);
    const ring = `${FRONT_DISK}/queue-0/ring-ref`;
    expect(told(withNode(tree, ring, { value: "gone", perms: "n1 r0" }))).toEqual([`${ring} = "gone", not "8"`]);
    const protocol = `${FRONT_DISK}/protocol`;
    expect(told(withNode(tree, protocol, { value: "arm-abi", perms: "n1 r0" }))).toEqual([
      `not found: ${protocol} = "x86_64-abi", not "arm-abi"`,
    ]);
  });
});
