import { describe, expect, test } from "vitest";
import { courseOf } from "../../../../../clients/explorer/boot/happenings.js";
import type { Recording } from "../../../../../clients/explorer/boot/recording.js";
import {
  domainsIn,
  machineNames,
  sceneOf,
  type Scene,
  type SceneChoice,
} from "../../../../../clients/explorer/boot/scene.js";
import { BOOT, iso, recordedBoot, START, type BootChoice } from "./recorded-boot.js";

const OTHER: BootChoice = {
  ...{ domain: 7, uuid: "77777777-2222-4333-8444-555555555555", name: "mail", start: START + 1_000_000, firstSeq: 500 },
};

const sceneFrom = (recording: Recording, choice: SceneChoice = {}): Scene =>
  sceneOf(recording, courseOf(recording), choice);
const counts = ({ arrows }: Scene): Readonly<Record<string, number>> => {
  const found: Record<string, number> = {};
  for (const { arrow } of arrows) found[arrow] = (found[arrow] ?? 0) + 1;
  return found;
};

describe("sceneOf", () => {
  test("has a lane for each actor of one boot, and each request and event as an arrow of its kind", () => {
    const recording = recordedBoot(BOOT);
    const scene = sceneFrom(recording);
    expect(scene.mode).toBe("actor");
    const titles = scene.lanes.map(({ title }) => title);
    expect(titles).toContain("domain 5");
    expect(titles.some((title) => title.startsWith("toolstack ("))).toBe(true);
    expect(titles.some((title) => title.startsWith("backends ("))).toBe(true);
    expect(titles.some((title) => title.startsWith("console ("))).toBe(true);
    expect(titles.some((title) => /^dom0, \d+ short$/.test(title))).toBe(true);
    const { lines } = recording;
    const failed = lines.filter((line) => line.kind === "request" && line.error !== undefined).length;
    const events = lines.filter(({ kind }) => kind === "event").length;
    const { change = 0, read = 0 } = counts(scene);
    expect(counts(scene)).toMatchObject({ failed, event: events });
    expect(change + read).toBe(lines.length - failed - events);
    expect(change).toBeGreaterThan(250);
  });

  test("has one lane for dom0 by domain", () => {
    const scene = sceneFrom(recordedBoot(BOOT), { mode: "domain" });
    expect(scene.lanes.map(({ title }) => title)).toEqual(["dom0", "domain 5"]);
  });

  test("shows by domain where actors would have too many lanes", () => {
    const boots = Array.from({ length: 6 }, (_none, index) =>
      recordedBoot({
        ...OTHER,
        domain: 10 + index,
        uuid: `${String(index)}2222222-2222-4333-8444-555555555555`,
        firstSeq: 1 + 1000 * index,
      }),
    );
    const own = boots.map(({ lines }, index) =>
      lines.map((line) =>
        "connection" in line ? { ...line, connection: `${String(index)}-${line.connection}` } : line,
      ),
    );
    const scene = sceneFrom({ commits: boots.flatMap(({ commits }) => commits), lines: own.flat(), failures: [] });
    expect(scene.mode).toBe("domain");
    expect(scene.lanes).toHaveLength(7);
  });

  test("has the states of both ends in the machine's lane, a row for each", () => {
    const scene = sceneFrom(recordedBoot(BOOT), { mode: "domain" });
    expect(scene.lanes[1]?.ends).toEqual([
      "console/0 backend",
      "vbd/51712 backend",
      "vbd/51712 frontend",
      "vif/0 backend",
      "vif/0 frontend",
    ]);
    expect(scene.bars.every(({ lane }) => lane === 1)).toBe(true);
    expect(scene.lanes[1]?.lowest[0]?.state).toBe("1");
  });

  test("has what can be chosen by time", () => {
    const { entries, arrows, brackets, bars } = sceneFrom(recordedBoot(BOOT));
    expect(entries).toHaveLength(arrows.length + brackets.length + bars.length);
    expect(entries.every(({ time }, index) => time >= (entries[index - 1]?.time ?? 0))).toBe(true);
  });

  test("gives overlapping transactions of a lane rows of their own", () => {
    const commit = (seq: number, base: number, connection: string) => ({
      ...{ oid: "", seq, time: iso(START + seq * 10), domain: 0, connection, transaction: 1, base, subject: "" },
      ...{ requests: ['WRITE /a "b"'], changes: [] },
    });
    const commits = [commit(1, 0, "a"), commit(2, 1, "a"), commit(3, 1, "b"), commit(4, 3, "a")];
    const { brackets } = sceneFrom({ commits, lines: undefined, failures: [] }, { mode: "domain" });
    expect(brackets.map(({ seq, row }) => [seq, row])).toEqual([
      [1, 0],
      [2, 0],
      [3, 1],
      [4, 0],
    ]);
  });

  test("has nothing of another domain where one is chosen, but all of what touches it", () => {
    const [first, second] = [recordedBoot(BOOT), recordedBoot(OTHER)];
    const both = {
      commits: [...first.commits, ...second.commits],
      lines: [...first.lines, ...second.lines],
      failures: [],
    };
    const scene = sceneFrom(both, { domain: 7 });
    expect(scene.lanes.map(({ title }) => title)).not.toContain("domain 5");
    expect(scene.lanes.map(({ title }) => title)).toContain("domain 7");
    const ofOther = scene.arrows.filter(({ subject }) =>
      /^\/local\/domain\/5\b|\/backend\/[a-z]+\/5\b|^\/libxl\/5\b/.test(subject),
    );
    expect(ofOther).toEqual([]);
    expect(scene.arrows.some(({ subject }) => subject === `/vm/${OTHER.uuid}/name`)).toBe(true);
    expect(scene.arrows.some(({ operation, subject }) => operation === "INTRODUCE" && subject === "7")).toBe(true);
    const ends = scene.arrows.filter(({ operation }) => operation === "TRANSACTION_END");
    expect(ends).toHaveLength(scene.brackets.length);
    expect(scene.brackets.length).toBe(sceneFrom(second).brackets.length);
  });

  test("is empty where nothing is recorded", () => {
    const scene = sceneFrom({ commits: [], lines: undefined, failures: [] });
    expect([scene.lanes, scene.arrows, scene.entries]).toEqual([[], [], []]);
  });
});

describe("domainsIn", () => {
  test("are all domains but dom0, also those that did nothing yet", () => {
    const { commits } = recordedBoot(BOOT);
    const recording = { commits: commits.slice(0, 4), lines: undefined, failures: [] };
    expect(domainsIn(recording, courseOf(recording))).toEqual([5]);
  });
});

describe("machineNames", () => {
  test("are those that the toolstack gave", () => {
    expect(machineNames(recordedBoot(BOOT).commits).get(5)).toBe("web");
  });
});
