import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Seq } from "../../../../../protocol/identifiers.js";
import { hashObject, hexFromOid, oidFromHex, type Oid } from "../../../../../daemon/history/object/oid.js";
import { CommitChain } from "../../../../../daemon/history/recorder/commit-chain.js";
import {
  isLimited,
  isWorthwhile,
  resolveRevision,
  wantedBoundary,
  withinPins,
  type RetentionLimits,
} from "../../../../../daemon/history/recorder/retention-plan.js";
import { propertyParameters } from "../../../../support/seed.js";
import { finish } from "./retention-support.js";

const extent = (oldest: number, tip: number) => ({ oldest: oldest as Seq, tip: tip as Seq });

const limits = (keepCommits: number | undefined, keepSeconds?: number): RetentionLimits => ({
  keepCommits,
  keepSeconds,
});

describe("wantedBoundary", () => {
  test("keeps so many commits, at least the tip, and never brings back what is gone", () => {
    const at = (keep: number): number => wantedBoundary(limits(keep), extent(11, 100), () => 0);
    expect([at(1), at(2), at(10), at(90), at(91), at(1000)]).toEqual([100, 99, 91, 11, 11, 11]);
    expect(wantedBoundary(limits(undefined), extent(11, 100), () => 0)).toBe(11);
    expect([isLimited(limits(undefined)), isLimited(limits(1)), isLimited(limits(undefined, 1))]).toEqual([
      false,
      true,
      true,
    ]);
  });

  test("counts ages back from the newest commit, whatever the clock says now", () => {
    const dates = [0, 0, 50, 50, 60, 100, 100];
    const secondsAt = (seq: Seq): number => dates[seq] as number;
    const at = (keep: number): number => wantedBoundary(limits(undefined, keep), extent(1, 6), secondsAt);
    expect([at(0), at(39), at(40), at(49), at(50), at(99), at(100), at(1e9)]).toEqual([5, 5, 4, 4, 2, 2, 1, 1]);
  });

  test("keeps what either option wants: no commit that one of them keeps is dropped, and none is kept for neither", () => {
    const dates = fc.array(fc.nat(20), { minLength: 1, maxLength: 40 }).map((steps) => {
      let now = 1000;
      return steps.map((step) => (now += step));
    });
    const option = fc.option(fc.nat(300), { nil: undefined });
    fc.assert(
      fc.property(dates, option, option, fc.nat(10), (seconds, keep, keepSeconds, dropped) => {
        const keepCommits = keep === undefined ? undefined : keep + 1;
        const oldest = Math.min(1 + dropped, seconds.length);
        const history = extent(oldest, seconds.length);
        const secondsAt = (seq: Seq): number => seconds[seq - 1] as number;
        const boundary = wantedBoundary({ keepCommits, keepSeconds }, history, secondsAt);
        for (let seq = oldest; seq <= seconds.length; seq++) {
          const isYoung =
            keepSeconds !== undefined && secondsAt(seq as Seq) >= (seconds.at(-1) as number) - keepSeconds;
          const isRecent = keepCommits !== undefined && seq > seconds.length - keepCommits;
          const isUnlimited = keepCommits === undefined && keepSeconds === undefined;
          expect(seq >= boundary).toBe(isYoung || isRecent || isUnlimited);
        }
      }),
      propertyParameters(300),
    );
  });
});

describe("isWorthwhile", () => {
  test("waits for a tenth, and for 1,000 commits, too many", () => {
    expect(isWorthwhile(1000 as Seq, extent(1, 1099))).toBe(false);
    expect(isWorthwhile(1001 as Seq, extent(1, 1100))).toBe(true);
    expect(isWorthwhile(10_000 as Seq, extent(1, 110_000))).toBe(false);
    expect(isWorthwhile(10_001 as Seq, extent(1, 110_000))).toBe(true);
    expect(isWorthwhile(5 as Seq, extent(5, 10), { commitsMin: 0, partMin: 0 })).toBe(false);
    expect(isWorthwhile(6 as Seq, extent(5, 10), { commitsMin: 0, partMin: 0 })).toBe(true);
  });
});

describe("withinPins", () => {
  test("does not pass what another branch is built on", () => {
    const pins = [
      { ref: "refs/heads/a", seq: 30 as Seq },
      { ref: "refs/heads/b", seq: 20 as Seq },
    ];
    expect([withinPins(40 as Seq, pins), withinPins(10 as Seq, pins), withinPins(40 as Seq, [])]).toEqual([20, 10, 40]);
  });
});

describe("resolveRevision", () => {
  const oids: Oid[] = [];
  for (let seq = 20; seq >= 11; seq--) oids.push(hashObject("blob", String(seq)));
  const twin = oidFromHex(`${hexFromOid(oids[0] as Oid).slice(0, 8)}${"0".repeat(32)}`);
  const chain = new CommitChain(21 as Seq, Buffer.from([twin, ...oids].join(""), "latin1"));
  const oidOf = (seq: number): Oid => chain.oidAt(seq as Seq);
  const named = [
    { name: "refs/heads/main", commit: oidOf(21) },
    { name: "refs/heads/v1", commit: oidOf(12) },
    { name: "refs/tags/v1", commit: oidOf(13) },
    { name: "refs/tags/beef", commit: oidOf(14) },
    { name: "refs/tags/elsewhere", commit: hashObject("blob", "elsewhere") },
  ];
  const resolve = (revision: string) => finish(resolveRevision(revision, { chain, named }));

  test("finds a seq, an oid, a unique abbreviation, a tag before a branch, and a ref's full name", () => {
    expect(resolve("@{11}")).toEqual({ seq: 11 });
    expect(resolve(hexFromOid(oidOf(15)))).toEqual({ seq: 15 });
    for (const digits of [4, 5, 11, 39]) expect(resolve(hexFromOid(oidOf(16)).slice(0, digits))).toEqual({ seq: 16 });
    expect(resolve(hexFromOid(twin).slice(0, 9))).toEqual({ seq: 21 });
    expect([resolve("v1"), resolve("heads/v1"), resolve("refs/heads/v1"), resolve("main"), resolve("beef")]).toEqual([
      { seq: 13 },
      { seq: 12 },
      { seq: 12 },
      { seq: 21 },
      { seq: 14 },
    ]);
  });

  test("says what is wrong with everything else, and which commits there are", () => {
    for (const [revision, reason] of [
      ["@{10}", "there is no commit @{10} in the history: its commits are @{11} to @{21}"],
      ["@{22}", "there is no commit"],
      ["@{011}", "is no commit of this history"],
      ["elsewhere", "refs/tags/elsewhere is not on a commit of this history"],
      [hexFromOid(twin).slice(0, 8), "give more digits"],
      [hexFromOid(oidOf(16)).slice(0, 3), "is no commit of this history"],
      ["0".repeat(40), "is no commit of this history"],
      ["", "is no commit of this history"],
      ["v2\n", '"v2\\n" is no commit'],
    ] as const) {
      expect(resolve(revision)).toEqual({ refusal: expect.stringContaining(reason) as string });
    }
  });
});
