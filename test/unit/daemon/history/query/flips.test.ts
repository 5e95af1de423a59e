import { describe, expect, test } from "vitest";
import { lineTo } from "../../../../../daemon/history/query/commit-line.js";
import { countFlips, type Flips } from "../../../../../daemon/history/query/flips.js";
import type { CommitsTouching, SeqRange } from "../../../../../daemon/history/query/touching-commits.js";
import { MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import type { FoundCommit } from "../../../../../daemon/history/repository/find-commit.js";
import { parsePredicate } from "../../../../../protocol/predicate/parse-predicate.js";
import { questionAbout, recordSteps, type Step } from "../../../../support/stepped-history.js";

/** `/a` is there in the commits 2 to 4, 7, and from 12 on; `/vm` says which of two nodes is meant. */
const STEPS: readonly Step[] = Array.from({ length: 15 }, (_, index) => {
  const seq = index + 1;
  const isThere = (seq >= 2 && seq <= 4) || seq === 7 || seq >= 12;
  return {
    "/other": String(seq),
    "/a": isThere ? "1" : undefined,
    "/vm": seq < 10 ? "/one" : "/two",
    "/one/state": seq >= 5 ? "6" : "4",
    "/two/state": seq >= 13 ? "6" : "4",
  };
});
const { view } = questionAbout(recordSteps(STEPS)).question;
const line = lineTo(view, view.tip(MAIN_REF) as FoundCommit);

interface Counted {
  readonly flips: Flips;
  /** Trees that were read. */
  readonly trees: number;
  readonly asked: readonly { readonly paths: readonly string[]; readonly range: SeqRange }[];
}

/** Counts with an index that knows which commits touch a path. */
function count(
  text: string,
  { touched, lookedFrom = 1 }: { touched: Readonly<Record<string, readonly number[]>>; lookedFrom?: number },
  good = 1,
): Counted {
  const asked: { paths: string[]; range: SeqRange }[] = [];
  const commitsTouching: CommitsTouching = function* (paths, range) {
    asked.push({ paths: [...paths], range });
    const least = Math.max(lookedFrom, range.from);
    const seqs = new Set([...paths].flatMap((path) => touched[path] ?? []));
    yield* [...seqs].filter((seq) => seq >= least && seq <= range.to).sort((left, right) => right - left);
    return least;
  };
  const trees = new Set<string>();
  const tops = new Set(STEPS.map((_, index) => line.find(index + 1)?.commit.tree));
  const source = {
    read: (oid: Parameters<typeof view.reader.read>[0]) => {
      if (tops.has(oid)) trees.add(oid);
      return view.reader.read(oid);
    },
  };
  const flips = countFlips(parsePredicate(text), { line, source, commitsTouching }, { good, bad: STEPS.length });
  return { flips, trees: trees.size, asked };
}

const A = { touched: { "/a": [2, 5, 7, 8, 12] } };

describe("countFlips", () => {
  test("evaluates once for each commit that touches what the predicate reads", () => {
    const { flips, trees, asked } = count("exists /a", A);
    expect(flips).toEqual({ count: 5, looked: 14 });
    expect(trees).toBe(6);
    expect(asked).toEqual([{ paths: ["/a"], range: { from: 2, to: 15 } }]);
  });

  test("takes commits that touch and change nothing", () => {
    expect(count("exists /a", { touched: { "/a": [2, 3, 4, 5, 6, 7, 8, 9, 12, 14] } }).flips.count).toBe(5);
  });

  test("says how many commits it looked at where the search gave up", () => {
    expect(count("exists /a", { ...A, lookedFrom: 8 }).flips).toEqual({ count: 2, looked: 8 });
    expect(count("exists /a", { ...A, lookedFrom: 9 }).flips).toEqual({ count: 1, looked: 7 });
    expect(count("exists /a", { ...A, lookedFrom: 16 }).flips).toEqual({ count: 0, looked: 0 });
  });

  test("asks for other paths where a value leads elsewhere", () => {
    const touched = { "/vm": [1, 10], "/one/state": [1, 5], "/two/state": [1, 13] };
    const { flips, asked } = count("value {/vm}/state = 6", { touched });
    // Bad from 5 to 9 at the one, and from 13 on at the other.
    expect(flips).toEqual({ count: 3, looked: 14 });
    expect(asked.map(({ paths }) => paths)).toEqual([
      ["/vm", "/two/state"],
      ["/vm", "/one/state"],
    ]);
    expect(asked[1]?.range).toEqual({ from: 2, to: 9 });
  });

  test("counts the commits of windows between those that touch", () => {
    // It holds at 4, and from 14 on.
    expect(count("exists /a for 3 commits", A).flips).toEqual({ count: 3, looked: 14 });
    expect(count("not exists /a for 3 commits", A).flips).toEqual({ count: 3, looked: 14 });
    // Before the good commit too: at 5 it held for one, and a window of 3 must know of 3 and 4.
    expect(count("exists /a for 3 commits", A, 4).flips).toEqual({ count: 2, looked: 11 });
  });

  test("does not claim to know of windows that reach behind what was looked at", () => {
    // The states from 9 on are known, so the window is from 11 on.
    expect(count("exists /a for 3 commits", { ...A, lookedFrom: 10 }).flips).toEqual({ count: 1, looked: 4 });
    expect(count("exists /a for 3 commits", { ...A, lookedFrom: 15 }).flips).toEqual({ count: 0, looked: 0 });
  });
});
