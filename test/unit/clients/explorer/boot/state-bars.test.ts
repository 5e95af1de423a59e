import { describe, expect, test } from "vitest";
import { deviceEndOf, lowestStates, stateStretches } from "../../../../../clients/explorer/boot/state-bars.js";
import type { ActivityChange, ActivityCommit } from "../../../../../protocol/http-api/activity.js";
import { BOOT, iso, recordedBoot, START } from "./recorded-boot.js";

const STATE = "/local/domain/5/device/vif/0/state";

const commit = (
  seq: number,
  changes: readonly ActivityChange[],
  rest: Partial<ActivityCommit> = {},
): ActivityCommit => ({
  ...{ oid: String(seq), seq, time: iso(START + seq), subject: "", requests: [], changes, ...rest },
});

describe("deviceEndOf", () => {
  test.each([
    ["/local/domain/5/device/vif/0/state", { domain: 5, device: "vif/0", end: "frontend" }],
    ["/local/domain/0/backend/vbd/5/51712/state", { domain: 5, device: "vbd/51712", end: "backend" }],
    ["/local/domain/2/backend/vif/17/0/state", { domain: 17, device: "vif/0", end: "backend" }],
    ["/libxl/5/device/vif/0/state", undefined],
    ["/local/domain/5/device/vif/0", undefined],
  ])("of %s", (path, end) => {
    expect(deviceEndOf(path)).toEqual(end);
  });
});

describe("stateStretches", () => {
  test("lasts until the next state, and the last one lasts on", () => {
    const commits = [commit(1, [{ path: STATE, after: "1" }]), commit(4, [{ path: STATE, before: "1", after: "4" }])];
    expect(stateStretches(commits, START)).toMatchObject([
      { path: STATE, state: "1", from: START + 1, to: START + 4, seq: 1 },
      { path: STATE, state: "4", from: START + 4, to: undefined, seq: 4 },
    ]);
  });

  test("begins with what stood before the first change, and ends where the node went", () => {
    const commits = [commit(3, [{ path: STATE, before: "5", after: "6" }]), commit(9, [{ path: STATE, before: "6" }])];
    expect(
      stateStretches(commits, START).map(({ state, from, to, seq }) => [state, from - START, (to ?? 0) - START, seq]),
    ).toEqual([
      ["5", 0, 3, undefined],
      ["6", 3, 9, 3],
    ]);
  });

  test("is not ended by a change of perms", () => {
    const commits = [commit(1, [{ path: STATE, after: "1" }]), commit(2, [{ path: STATE, before: "1", after: "1" }])];
    expect(stateStretches(commits, START)).toHaveLength(1);
  });

  test("ends with a directory whose nodes are not all told", () => {
    const commits = [
      commit(1, [{ path: STATE, after: "1" }]),
      commit(2, [{ path: "/local/domain/5", before: "" }], { hasMore: true }),
    ];
    expect(stateStretches(commits, START)).toMatchObject([{ state: "1", to: START + 2 }]);
  });

  test("tells of a booted machine what both ends of its devices went through", () => {
    const { commits } = recordedBoot(BOOT);
    const stretches = stateStretches(commits, START);
    const statesOf = (device: string, end: string): string =>
      stretches
        .filter((each) => each.device === device && each.end === end)
        .map(({ state }) => state)
        .join("");
    expect(statesOf("vbd/51712", "backend")).toBe("12456");
    expect(statesOf("vbd/51712", "frontend")).toBe("13456");
    expect(statesOf("vif/0", "frontend")).toBe("1456");
    expect(stretches.every(({ domain, to }) => domain === 5 && to !== undefined)).toBe(true);
  });
});

describe("lowestStates", () => {
  test("is the state of the end that is furthest behind", () => {
    const commits = [
      commit(1, [{ path: STATE, after: "1" }]),
      commit(2, [{ path: "/local/domain/0/backend/vif/5/0/state", after: "2" }]),
      commit(3, [{ path: STATE, before: "1", after: "4" }]),
      commit(4, [{ path: STATE, before: "4" }]),
    ];
    expect(lowestStates(stateStretches(commits, START))).toEqual([
      { state: "1", from: START + 1, to: START + 3 },
      { state: "2", from: START + 3, to: undefined },
    ]);
  });
});
