import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { LiveView } from "../../../../simulator/storm/live-view.js";
import type { Stage } from "../../../../simulator/storm/storm.js";
import { SMALLEST_VM } from "../../../../simulator/vm/vm.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
});
afterEach(() => {
  vi.useRealTimers();
});

interface Shown {
  readonly written: string[];
  readonly counts: Map<Stage, number>;
  readonly totals: { requests: number; events: number; conflicts: number; commits: number | undefined };
  readonly storm: { slowest: { vm: string; milliseconds: number } | undefined };
  readonly view: LiveView;
  /** Lets time go on. */
  readonly pass: (milliseconds: number) => void;
}

/** A view of a storm that stands still where the test has put it. */
function show(options: { readonly isTerminal: boolean; readonly columns?: number; readonly vms?: number }): Shown {
  const { isTerminal, columns = 200, vms = 20 } = options;
  const written: string[] = [];
  const counts = new Map<Stage, number>([["waiting", vms]]);
  const totals: Shown["totals"] = { requests: 0, events: 0, conflicts: 0, commits: 0 };
  const plan = {
    vms,
    aliveMax: vms,
    startsPerSecond: 1,
    runMilliseconds: 0,
    connectMillisecondsMax: 0,
    shape: SMALLEST_VM,
  };
  const storm = {
    plan,
    count: (stage: Stage) => counts.get(stage) ?? 0,
    slowest: undefined as Shown["storm"]["slowest"],
  };
  let now = 1000;
  const view = new LiveView(
    { write: (text) => written.push(text), isTerminal, columns },
    {
      storm,
      traffic: () => ({ connections: 0, transactions: 0, errors: 0, ...totals }),
      commits: () => totals.commits,
      monotonicMilliseconds: () => now,
    },
  );
  const pass = (milliseconds: number): void => {
    now += milliseconds;
    vi.advanceTimersByTime(milliseconds);
  };
  return { written, counts, totals, storm, view, pass };
}

describe("LiveView in a log", () => {
  test("writes one line every five seconds, with rates since the last one and no control characters", () => {
    const { written, counts, totals, storm, view, pass } = show({ isTerminal: false });
    pass(4999);
    expect(written).toEqual([]);
    counts.set("booting", 3).set("running", 2).set("ending", 1).set("done", 5).set("failed", 4);
    Object.assign(totals, { requests: 5000, events: 1000, conflicts: 7, commits: 50 });
    pass(1);
    Object.assign(totals, { requests: 5500, events: 1020, conflicts: 9, commits: 50 });
    storm.slowest = { vm: "vm7", milliseconds: 1234 };
    pass(5000);
    view.stop();
    const stages = "3 booting, 2 running, 1 ending, 5 done, 4 failed of 20 machines";
    expect(written).toEqual([
      `5 s: ${stages}; 1000 requests/s, 10 commits/s, 200 events/s, 7 EAGAIN; no machine has booted yet\n`,
      `10 s: ${stages}; 100 requests/s, 0 commits/s, 4 events/s, 9 EAGAIN; slowest boot: vm7, 1.23 s\n`,
    ]);
  });

  test("says nothing of commits where the daemon does not tell", () => {
    const { written, totals, pass, view } = show({ isTerminal: false });
    totals.commits = undefined;
    pass(5000);
    view.stop();
    expect(written.join("")).toContain("0 requests/s, 0 events/s");
  });
});

describe("LiveView on a terminal", () => {
  test("draws bar and lines five times a second, each time in the place of the last, and takes them away in the end", () => {
    const { written, view, pass } = show({ isTerminal: true });
    pass(200);
    pass(200);
    view.stop();
    const [first = "", second = "", last = "", ...rest] = written;
    const lines = first.split("\n");
    expect(lines).toHaveLength(5);
    expect(lines[0]).toBe(`[${".".repeat(40)}]`);
    expect(lines[1]).toMatch(/^0 s: 0 booting/);
    expect(lines[4]).toBe("");
    expect(second).toBe(`\u001b[4A\u001b[J${first}`);
    expect([last, rest]).toEqual(["\u001b[4A\u001b[J", []]);
  });

  test("takes nothing away before it has drawn anything", () => {
    const { written, view } = show({ isTerminal: true });
    view.stop();
    expect(written.join("")).toBe("");
  });

  test("draws nothing any more after its end", () => {
    const { written, view, pass } = show({ isTerminal: true });
    pass(200);
    view.stop();
    const { length } = written;
    pass(1000);
    expect(written).toHaveLength(length);
  });

  test.each([
    [{ done: 5, failed: 5, running: 4, ending: 1, booting: 3 }, "####################==========------...."],
    [{ done: 20 }, "#".repeat(40)],
    [{ booting: 20 }, "-".repeat(40)],
  ])("has a bar of what is over, alive and booting: %j", (stages, bar) => {
    const { written, counts, view, pass } = show({ isTerminal: true });
    for (const [stage, count] of Object.entries(stages)) counts.set(stage as Stage, count);
    pass(200);
    view.stop();
    expect(written[0]).toContain(`[${bar}]\n`);
  });

  test.each([1, 3, 7, 19])("has a bar of 40 cells, however the parts of %d machines are rounded", (vms) => {
    for (let over = 0; over <= vms; over++) {
      for (let alive = 0; over + alive <= vms; alive++) {
        const { written, counts, view, pass } = show({ isTerminal: true, vms });
        counts
          .set("done", over)
          .set("running", alive)
          .set("booting", vms - over - alive);
        pass(200);
        view.stop();
        expect(written[0]).toMatch(/^\[#*=*-*\.*\]\n/);
        expect(written[0]?.indexOf("]")).toBe(41);
      }
    }
  });

  test("cuts every line where a narrow terminal would wrap it: what wraps is not taken away", () => {
    const columns = 30;
    const { written, view, pass } = show({ isTerminal: true, columns });
    pass(200);
    view.stop();
    const lines = written[0]?.split("\n") ?? [];
    expect(lines).toHaveLength(5);
    for (const line of lines) expect(line.length).toBeLessThan(columns);
  });
});
