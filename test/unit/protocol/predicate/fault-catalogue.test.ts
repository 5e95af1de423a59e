/**
 * The faults of a guest's life that the simulator injects, written as predicates, on histories in which each is there and not.
 *
 * They show that the language says what has to be said; small states stand for a boot.
 */
import { describe, expect, test } from "vitest";
import { parsePredicate } from "../../../../protocol/predicate/parse-predicate.js";
import { PredicateMonitor } from "../../../../protocol/predicate/predicate-monitor.js";
import { stateOf, type StateNodes } from "../../../support/states.js";

const bindings = new Map([
  ["D", "7"],
  ["L", "/local/domain/7"],
  ["FE", "/local/domain/7/device"],
  ["BE", "/local/domain/0/backend"],
  ["K", "3"],
  ["OLD", "4"],
  ["QUOTA", "6"],
]);

/** States one after the other; the answer is about the last. A number before a state repeats it. */
type History = readonly (StateNodes | readonly [times: number, state: StateNodes])[];

interface Fault {
  readonly name: string;
  readonly predicate: string;
  readonly bad: readonly History[];
  readonly good: readonly History[];
}

const L = "/local/domain/7";
const FE = `${L}/device`;
const BE = "/local/domain/0/backend";
const vbd = (frontend: string, backend: string): StateNodes => ({
  [`${FE}/vbd/51712/state`]: frontend,
  [`${BE}/vbd/7/51712/state`]: backend,
});

const faults: readonly Fault[] = [
  {
    name: "node not made guest-owned",
    predicate: `exists $L/vm and not (perms $L/control/sysrq = n$D and perms $L/control/feature-reboot = n$D and perms $L/error = n$D)`,
    bad: [
      [{ [`${L}/vm`]: "" }],
      [
        {
          [`${L}/vm`]: "",
          [`${L}/control/sysrq`]: ["", "n7"],
          [`${L}/control/feature-reboot`]: ["", "n0 r7"],
          [`${L}/error`]: ["", "n7"],
        },
      ],
    ],
    good: [
      [
        {
          [`${L}/vm`]: "",
          [`${L}/control/sysrq`]: ["", "n7"],
          [`${L}/control/feature-reboot`]: ["", "n7"],
          [`${L}/error`]: ["", "n7"],
        },
      ],
      [{}],
    ],
  },
  {
    name: "frontend perms wrong",
    predicate: `perms $FE/vif/0 != n$D,r0`,
    bad: [[{ [`${FE}/vif/0`]: ["", "n7"] }], [{ [`${FE}/vif/0`]: ["", "n7 r1"] }]],
    good: [[{ [`${FE}/vif/0`]: ["", "n7 r0"] }], [{}]],
  },
  {
    name: "ring-ref or event-channel missing",
    predicate: `value $FE/vbd/51712/state = 3 and (not exists $FE/vbd/51712/ring-ref or not exists $FE/vbd/51712/event-channel)`,
    bad: [[vbd("3", "2")], [{ ...vbd("3", "2"), [`${FE}/vbd/51712/ring-ref`]: "8" }]],
    good: [
      [{ ...vbd("3", "2"), [`${FE}/vbd/51712/ring-ref`]: "8", [`${FE}/vbd/51712/event-channel`]: "9" }],
      [vbd("1", "2")],
    ],
  },
  {
    name: "event channel refused",
    predicate: `exists $L/error/device/vif/0/error and value $FE/vif/0/state = 6 and value $BE/vif/$D/0/state = 6`,
    bad: [[{ [`${L}/error/device/vif/0/error`]: "22 x", [`${FE}/vif/0/state`]: "6", [`${BE}/vif/7/0/state`]: "6" }]],
    good: [
      [{ [`${FE}/vif/0/state`]: "6", [`${BE}/vif/7/0/state`]: "6" }],
      [{ [`${L}/error/device/vif/0/error`]: "22 x", [`${FE}/vif/0/state`]: "4", [`${BE}/vif/7/0/state`]: "4" }],
    ],
  },
  {
    name: "hotplug script fails",
    predicate: `value $BE/*/$D/*/hotplug-status ~ "^(error|busy)$"`,
    bad: [[{ [`${BE}/vif/7/0/hotplug-status`]: "error" }], [{ [`${BE}/vbd/7/51712/hotplug-status`]: "busy" }]],
    good: [
      [{ [`${BE}/vif/7/0/hotplug-status`]: "connected", [`${BE}/vif/4/0/hotplug-status`]: "error" }],
      [{ [`${BE}/vif/7/0/hotplug-status`]: "" }],
    ],
  },
  {
    name: "hotplug script never ends",
    predicate: `(value $FE/vbd/*/state = 3 and value $BE/vbd/$D/51712/state = 2
      and not exists $BE/vbd/$D/51712/physical-device) for $K commits`,
    bad: [[vbd("1", "2"), [3, vbd("3", "2")]]],
    good: [
      [[2, vbd("3", "2")]],
      [[2, vbd("3", "2")], { ...vbd("3", "2"), [`${BE}/vbd/7/51712/physical-device`]: "fd:3" }],
    ],
  },
  {
    name: "backend jumps from 2 to 4",
    predicate: `value $BE/vif/$D/*/state = 4 and not exists $BE/vif/$D/*/hotplug-status`,
    bad: [[{ [`${BE}/vif/7/0/state`]: "4" }]],
    good: [
      [{ [`${BE}/vif/7/0/state`]: "4", [`${BE}/vif/7/0/hotplug-status`]: "connected" }],
      [{ [`${BE}/vif/7/0/state`]: "2" }],
    ],
  },
  {
    name: "backend never probes",
    predicate: `value $BE/vbd/$D/51712/state = 1 for $K commits`,
    bad: [[[3, vbd("1", "1")]], [[4, vbd("1", "1")]]],
    good: [[[2, vbd("1", "1")]], [[2, vbd("1", "1")], vbd("1", "2")]],
  },
  {
    name: "stale backend directory",
    predicate: `exists $BE/vif/$OLD and not exists /local/domain/$OLD`,
    bad: [[{ [`${BE}/vif/4/0/state`]: "6" }]],
    good: [[{ [`${BE}/vif/4/0/state`]: "4", "/local/domain/4/vm": "" }], [{}]],
  },
  {
    name: "tree resurrected after destroy",
    predicate: `exists $L/memory/target and not exists $L/vm`,
    bad: [[{ [`${L}/vm`]: "", [`${L}/memory/target`]: "1" }, {}, { [`${L}/memory/target`]: "1" }]],
    good: [[{ [`${L}/vm`]: "", [`${L}/memory/target`]: "1" }], [{}]],
  },
  {
    name: "duplicate names",
    predicate: `not distinct /local/domain/*/name`,
    bad: [[{ "/local/domain/1/name": "web", "/local/domain/2/name": "db", "/local/domain/3/name": "web" }]],
    good: [[{ "/local/domain/1/name": "web", "/local/domain/2/name": "db", "/vm/x/name": "web" }], [{}]],
  },
  {
    name: "rename half done",
    predicate: `exists {$L/vm}/name and not same {$L/vm}/name $L/name`,
    bad: [[{ [`${L}/vm`]: "/vm/1b", "/vm/1b/name": "old", [`${L}/name`]: "new" }]],
    good: [[{ [`${L}/vm`]: "/vm/1b", "/vm/1b/name": "new", [`${L}/name`]: "new" }], [{ [`${L}/name`]: "new" }]],
  },
  {
    name: "duplicate device",
    predicate: `not same /libxl/$D/device/vbd/51712/params $BE/vbd/$D/51712/params and exists $BE/vbd/$D/51712/params`,
    bad: [[{ "/libxl/7/device/vbd/51712/params": "/dev/b", [`${BE}/vbd/7/51712/params`]: "/dev/a" }]],
    good: [[{ "/libxl/7/device/vbd/51712/params": "/dev/a", [`${BE}/vbd/7/51712/params`]: "/dev/a" }], [{}]],
  },
  {
    name: "node quota hit",
    predicate: `count $L/data/** >= $QUOTA and not exists $L/data/updated`,
    bad: [[{ [`${L}/data/a/b/c`]: "", [`${L}/data/d`]: "", [`${L}/data/e`]: "" }]],
    good: [
      [{ [`${L}/data/a/b/c`]: "", [`${L}/data/d`]: "", [`${L}/data/updated`]: "" }],
      [{ [`${L}/data/a/b/c`]: "", [`${L}/data/d`]: "" }],
    ],
  },
  {
    name: "EAGAIN storm: others commit, this VM does not",
    predicate: `(exists $L/vm and not exists $L/device/*) for $K commits`,
    bad: [[[3, { [`${L}/vm`]: "", "/local/domain/8/device/vif": "" }]]],
    good: [[[2, { [`${L}/vm`]: "" }], { [`${L}/vm`]: "", [`${L}/device/vbd`]: "" }], [[3, {}]]],
  },
  {
    name: "shutdown never acknowledged",
    predicate: `value $L/control/shutdown != "" for $K commits`,
    bad: [[{}, [3, { [`${L}/control/shutdown`]: "poweroff" }]]],
    good: [
      [[2, { [`${L}/control/shutdown`]: "poweroff" }], { [`${L}/control/shutdown`]: "" }],
      [[3, { [`${L}/control/shutdown`]: "" }]],
      [[3, {}]],
    ],
  },
];

function holdsAtEnd(text: string, history: History): boolean {
  const monitor = new PredicateMonitor(parsePredicate(text, bindings));
  const states = history.flatMap((step) =>
    isRepeated(step) ? Array.from({ length: step[0] }, () => step[1]) : [step],
  );
  return states.map((nodes) => monitor.next(stateOf(nodes))).at(-1) === true;
}

function isRepeated(step: History[number]): step is readonly [times: number, state: StateNodes] {
  return Array.isArray(step);
}

describe("fault catalogue", () => {
  test("has its 16 faults", () => {
    expect(new Set(faults.map(({ name }) => name)).size).toBe(16);
  });

  test.each(faults)("$name", ({ predicate, bad, good }) => {
    expect(bad.map((history) => holdsAtEnd(predicate, history))).toEqual(bad.map(() => true));
    expect(good.map((history) => holdsAtEnd(predicate, history))).toEqual(good.map(() => false));
  });
});
