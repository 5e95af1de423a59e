import { describe, expect, test } from "vitest";
import { bootOf } from "../../../../../clients/explorer/boot/boot-steps.js";
import {
  compareBoots,
  isDifference,
  type ComparedStep,
  type Comparison,
} from "../../../../../clients/explorer/boot/compare.js";
import { BOOT, recordedBoot, START, type BootChoice } from "./recorded-boot.js";

const OTHER: BootChoice = {
  ...{
    domain: 17,
    uuid: "77777777-2222-4333-8444-999999999999",
    name: "mail",
    start: START + 3_000_000,
    firstSeq: 2000,
  },
};

const compared = (other: Partial<BootChoice>): Comparison =>
  compareBoots(bootOf(5, recordedBoot(BOOT).commits), bootOf(17, recordedBoot({ ...OTHER, ...other }).commits));

const firstOf = ({ steps, firstDifference }: Comparison): ComparedStep | undefined => steps[firstDifference ?? -1];

/** The fixture's lines with one of them made another, or left out. */
const editing =
  (start: string, to: string | undefined) =>
  (line: string): string | undefined =>
    line.replace(/ +/g, " ").startsWith(start) ? to : line;

describe("compareBoots", () => {
  test("finds no difference between boots with other domids, uuids, names and times", () => {
    const comparison = compared({});
    expect(comparison.steps.length).toBeGreaterThan(300);
    expect(comparison.steps.filter(isDifference)).toEqual([]);
    expect(comparison.firstDifference).toBeUndefined();
  });

  test("takes ports, grant references, addresses and times for the same", () => {
    const comparison = compared({
      edit: (line) =>
        line
          .replace(/(ring-ref|event-channel) "\d+"/, '$1 "987"')
          .replace(/mac "[^"]*"/, 'mac "00:16:3e:ab:cd:ef"')
          .replace(/start_time "[^"]*"/, 'start_time "1720600000.11"'),
    });
    expect(comparison.differences).toBe(0);
  });

  test("finds a state that is another, and names it as the first", () => {
    const path = "backend/vbd/1/51712/state";
    const comparison = compared({ edit: editing(`dom0k T WRITE ${path} "2"`, `dom0k T WRITE ${path} "5"`) });
    expect(comparison.differences).toBe(1);
    expect(firstOf(comparison)).toMatchObject({
      verdict: "other value",
      a: { path: "/local/domain/0/backend/vbd/5/51712/state", value: "2" },
      b: { path: "/local/domain/0/backend/vbd/17/51712/state", value: "5" },
    });
  });

  test("finds what is missing in one of them, on either side", () => {
    const edit = editing('xl T WRITE /local/domain/1/console/limit "', undefined);
    const perms = (line: string): string | undefined =>
      line.includes("/local/domain/1/console/limit n0") ? undefined : edit(line);
    const missing = compared({ edit: perms });
    expect(firstOf(missing)).toMatchObject({
      verdict: "missing in B",
      a: { key: "/local/domain/$D/console/limit" },
      b: undefined,
    });
    const [a, b] = [bootOf(5, recordedBoot({ ...BOOT, edit: perms }).commits), bootOf(17, recordedBoot(OTHER).commits)];
    expect(firstOf(compareBoots(a, b))).toMatchObject({
      verdict: "missing in A",
      b: { key: "/local/domain/$D/console/limit" },
    });
  });

  test("finds perms that are others", () => {
    const node = "/local/domain/1/control/sysrq";
    const comparison = compared({ edit: editing(`xl T SET_PERMS ${node} n1`, `xl T SET_PERMS ${node} n0`) });
    expect(firstOf(comparison)).toMatchObject({ verdict: "other value", a: { value: "n5" }, b: { value: "n0" } });
  });

  test("names the earliest of two differences, which has the least time from its beginning", () => {
    const comparison = compared({
      edit: (line) =>
        line.replace('51712/mode "w"', '51712/mode "r"').replace('1/console/output "pty"', '1/console/output "file:x"'),
    });
    expect(comparison.differences).toBe(3);
    expect(firstOf(comparison)?.a?.path).toMatch(/\/mode$/);
  });

  test("does not depend on how the actors took turns, nor on how long they took", () => {
    const { commits } = recordedBoot({ ...OTHER, stepMicroseconds: 900 });
    const slow = bootOf(17, commits);
    expect(compareBoots(bootOf(5, recordedBoot(BOOT).commits), { ...slow, length: slow.length }).differences).toBe(0);
  });

  test("says nothing of what is later than the other one was looked at", () => {
    const whole = bootOf(5, recordedBoot(BOOT).commits);
    const cut = bootOf(17, recordedBoot(OTHER).commits.slice(0, 60));
    const comparison = compareBoots(whole, cut);
    expect(comparison.differences).toBe(0);
    expect(comparison.steps.some(({ verdict }) => verdict === "not known")).toBe(true);
  });

  test("matches as many steps as it can where one is missing in a sequence", () => {
    const path = "backend/vbd/1/51712/state";
    const comparison = compared({ edit: editing(`dom0k T WRITE ${path} "2"`, `dom0k T READ ${path}`) });
    expect(comparison.differences).toBe(1);
    expect(firstOf(comparison)).toMatchObject({ verdict: "missing in B", a: { value: "2" } });
  });
});

describe("bootOf", () => {
  test("begins with the first change of what is about the domain", () => {
    const { commits } = recordedBoot(BOOT);
    const boot = bootOf(5, commits);
    expect(boot.steps[0]).toMatchObject({ at: 0, key: "/libxl/$D", value: "" });
    expect(boot.name).toBe("web");
    expect(boot.steps.some(({ key }) => key === "/vm/$U/name")).toBe(true);
  });

  test("is the last one where the number was used before", () => {
    const first = recordedBoot(BOOT).commits;
    const second = recordedBoot({ ...OTHER, domain: 5 }).commits;
    const boot = bootOf(5, [...first, ...second]);
    expect(boot.name).toBe("mail");
    expect(boot.start).toBeGreaterThan(OTHER.start);
    expect(compareBoots(bootOf(5, first), boot).differences).toBe(0);
  });

  test("knows whether it has seen the domain made", () => {
    const { commits } = recordedBoot(BOOT);
    expect([commits, commits.slice(10)].map((loaded) => bootOf(5, loaded).hasBeginning)).toEqual([true, false]);
  });

  test("has no beginning where there is nothing about a domain", () => {
    expect(bootOf(99, recordedBoot(BOOT).commits)).toMatchObject({ start: undefined, steps: [], length: 0 });
  });
});
