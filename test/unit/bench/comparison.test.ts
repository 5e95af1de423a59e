import { describe, expect, test } from "vitest";
import type { BenchDaemon } from "../../bench/daemon.js";
import {
  compareRows,
  judge,
  valueOf,
  type Contender,
  type Measured,
  type RowResult,
  type Target,
  type Unit,
} from "../../bench/comparison.js";
import { comparisonFigures, formatMarkdown, formatTable } from "../../bench/comparison-report.js";

const PEERS = ["c", "o"];

/** A row's result, with each contender's rounds. */
function result(
  samples: Readonly<Record<string, readonly Measured[] | string>>,
  { target = {}, unit = "/s" }: { readonly target?: Target; readonly unit?: Unit } = {},
): RowResult {
  const cells = Object.entries(samples).map(([name, rounds]) => {
    const cell =
      typeof rounds === "string" ? { samples: [], failure: rounds } : { samples: rounds, failure: undefined };
    return [name, cell] as const;
  });
  return { row: { name: "a-row", unit, target }, cells: new Map(cells) };
}

const values = (...rounds: readonly number[]): readonly Measured[] => rounds.map((value) => ({ value }));

describe("judge", () => {
  test("takes the median of the rounds' ratios, and not the ratio of the medians", () => {
    // By rounds 1, 4 and 2; of the medians 30 / 10.
    const { ratio } = judge(result({ ours: values(10, 40, 30), c: values(10, 10, 15) }), "ours", PEERS);
    expect(ratio).toBe(2);
  });

  test("compares rates with the faster peer, and times with the one that takes less", () => {
    const samples = { ours: values(20), c: values(10), o: values(40) };
    expect(judge(result(samples), "ours", PEERS).ratio).toBe(0.5);
    expect(judge(result(samples, { unit: "s" }), "ours", PEERS).ratio).toBe(0.5);
    expect(judge(result({ ...samples, o: values(5) }), "ours", PEERS).ratio).toBe(2);
    expect(judge(result({ ...samples, o: values(5) }, { unit: "ms" }), "ours", PEERS).ratio).toBe(0.25);
  });

  test.each([
    [1.3, 13, "reached"],
    [1.3, 12.9, "FALLS SHORT"],
  ])("wants a ratio of at least %s: %s to 10 is %s", (ratio, ours, verdict) => {
    const judged = judge(result({ ours: values(ours), c: values(10) }, { target: { ratio } }), "ours", PEERS);
    expect(judged.verdict).toBe(verdict);
  });

  test("wants a 99% latency of at most so many times the better peer's, whichever has the better rate", () => {
    const samples = (p99Microseconds: number) => ({
      ours: [{ value: 100, p99Microseconds }],
      c: [{ value: 10, p99Microseconds: 90 }],
      o: [{ value: 5, p99Microseconds: 50 }],
    });
    const target = { ratio: 2, p99Ratio: 2 };
    expect(judge(result(samples(100), { target }), "ours", PEERS)).toMatchObject({ p99Ratio: 2, verdict: "reached" });
    expect(judge(result(samples(101), { target }), "ours", PEERS).verdict).toBe("FALLS SHORT");
  });

  test("wants ratios to single peers, and looks at each", () => {
    const target = { ratioTo: { c: 20, o: 1.3 } };
    const verdict = (c: number, o: number) =>
      judge(result({ ours: values(1), c: values(c), o: values(o) }, { target, unit: "s" }), "ours", PEERS).verdict;
    expect(verdict(20, 1.3)).toBe("reached");
    expect(verdict(19, 1.3)).toBe("FALLS SHORT");
    expect(verdict(20, 1.2)).toBe("FALLS SHORT");
  });

  test("says that nothing is wanted, that there is no peer, and that ours failed", () => {
    const target = { ratio: 1 };
    expect(judge(result({ ours: values(1), c: values(1) }), "ours", PEERS).verdict).toBe("no target");
    expect(judge(result({ ours: values(1) }, { target }), "ours", []).verdict).toBe("no peer");
    expect(judge(result({ ours: "it died", c: values(1) }, { target }), "ours", PEERS).verdict).toBe("FAILED");
    expect(judge(result({ ours: values(1), c: "it died" }, { target }), "ours", ["c"]).verdict).toBe("no peer");
  });

  test("compares with the peer that is left when the other failed", () => {
    const judged = judge(result({ ours: values(6), c: "it died", o: values(3) }), "ours", PEERS);
    expect(judged.ratio).toBe(2);
  });
});

describe("compareRows", () => {
  const daemon = { socket: "/nowhere", program: "peer" } as BenchDaemon;

  /** A contender that notes its turns. */
  function contender(name: string, turns: string[]): Contender {
    const stop = async () => void turns.push(`${name} ends`);
    return {
      name,
      isPeer: name !== "ours",
      start: async () => {
        turns.push(`${name} starts`);
        return { ...daemon, stop };
      },
    };
  }

  test("gives everybody a turn in each round, with a daemon that has just started", async () => {
    const turns: string[] = [];
    const contenders = [contender("ours", turns), contender("c", turns)];
    let value = 0;
    const row = { name: "a-row", unit: "/s", target: {}, measure: async () => ({ value: ++value }) } as const;
    const [measured] = await compareRows([row], contenders, { rounds: 2, progress: () => undefined });
    const round = ["ours starts", "ours ends", "c starts", "c ends"];
    expect(turns).toEqual([...round, ...round]);
    expect(measured?.cells.get("ours")?.samples).toEqual(values(1, 3));
    expect(valueOf(measured?.cells ?? new Map(), "c")).toBe(3);
  });

  test("goes on without one that fails, ends its daemon, and tells why", async () => {
    const turns: string[] = [];
    const told: string[] = [];
    const contenders = [contender("ours", turns), contender("c", turns)];
    let measurements = 0;
    const measure = async () => {
      if (++measurements === 1) throw new Error("the daemon closed connection 7");
      return { value: 1 };
    };
    const [measured] = await compareRows([{ name: "a-row", unit: "/s", target: {}, measure }], contenders, {
      rounds: 2,
      progress: (line) => told.push(line),
    });
    expect(turns.filter((turn) => turn.startsWith("ours"))).toEqual(["ours starts", "ours ends"]);
    expect(measured?.cells.get("ours")).toEqual({ samples: [], failure: "the daemon closed connection 7" });
    expect(measured?.cells.get("c")?.samples).toHaveLength(2);
    expect(told[0]).toBe("a-row, round 1, ours FAILED: the daemon closed connection 7");
  });
});

describe("the report", () => {
  const contenders = [
    { name: "ours", isPeer: false },
    { name: "c", isPeer: true },
    { name: "o", isPeer: true },
  ];
  const target = { ratio: 1.3, p99Ratio: 2 };
  const samples = {
    ours: [{ value: 40_000, p99Microseconds: 300, details: { eagainPerSecond: 2 } }],
    c: [{ value: 20_000, p99Microseconds: 100 }],
    o: "it died",
  };
  const comparison = { contenders, results: [result(samples, { target })], notes: ["a note"] };

  test("is a table in Markdown with what is wanted and what became of it", () => {
    expect(formatMarkdown(comparison)).toBe(
      [
        "| row | ours | c | o | ratio | p99 ratio | target | verdict |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        "| a-row | 40,000/s, p99 0.30 ms | 20,000/s, p99 0.10 ms | failed | 2 | 3 | ≥ 1.3, p99 ≤ 2 | FALLS SHORT |",
        "",
        "a note",
        "",
      ].join("\n"),
    );
  });

  test("names each of several of ours, and tells ratios to single peers where these are wanted", () => {
    const ratioTo = { c: 20 };
    const storm = result(
      { ours: values(2), ipc: values(4), c: values(60), o: values(4) },
      { target: { ratioTo }, unit: "s" },
    );
    const several = [{ name: "ipc", isPeer: false }, ...contenders];
    const lines = formatTable({ contenders: several, results: [storm], notes: [] }).split("\n");
    expect(lines[1]).toMatch(/^a-row \(ipc\) +4\.00 s +60\.0 s +4\.00 s +15 \(c\), 1 \(o\) +≥ 20 \(c\) +FALLS SHORT$/);
    expect(lines[2]).toMatch(/^a-row \(ours\) +2\.00 s .* 30 \(c\), 2 \(o\) .* reached$/);
  });

  test("says where a time is but a bound", () => {
    const bound = result({ ours: values(2), c: [{ value: 60, isLeast: true }] }, { unit: "s" });
    expect(formatTable({ contenders, results: [bound], notes: [] })).toContain("> 60.0 s");
  });

  test("has all figures by row and contender", () => {
    expect(comparisonFigures(comparison)).toEqual({
      "a-row": {
        ours: {
          unit: "/s",
          value: 40_000,
          p99Microseconds: 300,
          eagainPerSecond: 2,
          ratio: 2,
          p99Ratio: 3,
          "ratioTo c": 2,
          target: "≥ 1.3, p99 ≤ 2",
          verdict: "FALLS SHORT",
        },
        c: { unit: "/s", value: 20_000, p99Microseconds: 100 },
        o: { unit: "/s", failure: "it died" },
      },
      "note 1": "a note",
    });
  });
});
