/**
 * Bisecting random histories by random predicates: what is found is a commit that turned the predicate, and the flips are all
 * there are. The truth is what the predicate says of decoded roots, commit by commit.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { answerBisect } from "../../daemon/history/query/bisect.js";
import { lineTo } from "../../daemon/history/query/commit-line.js";
import { countFlips } from "../../daemon/history/query/flips.js";
import { newestHeld } from "../../daemon/history/query/held-commits.js";
import { openHistory, type History } from "../../daemon/history/query/history.js";
import type { Question } from "../../daemon/history/query/question.js";
import type { StretchSearch } from "../../daemon/history/query/stretches.js";
import { rememberingSource, walkingCommitsTouching } from "../../daemon/history/query/touching-commits.js";
import { decodeRoot } from "../../daemon/history/object/root-decoder.js";
import type { FoundCommit } from "../../daemon/history/repository/find-commit.js";
import { MAIN_REF } from "../../daemon/history/repository/layout.js";
import { emptyRoot, getNode } from "../../daemon/store/root.js";
import { QueryError } from "../../protocol/http-api/history-queries.js";
import type { Microseconds, Seq } from "../../protocol/identifiers.js";
import { evaluate } from "../../protocol/predicate/evaluate.js";
import type { Predicate } from "../../protocol/predicate/predicate.js";
import { serializePredicate } from "../../protocol/predicate/serialize-predicate.js";
import { diskWithRepository, openRecorder, REPOSITORY } from "../support/recorded-history.js";
import { propertyParameters } from "../support/seed.js";
import { commitBetween, editRoot, type Edit } from "./history-generator.js";
import { arbitraryName, arbitraryPerms, arbitraryPredicate, arbitraryStateValue } from "./predicate-generator.js";

const names = fc.array(arbitraryName, { minLength: 1, maxLength: 3 });
const edit: fc.Arbitrary<Edit> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("set" as const),
      names,
      value: arbitraryStateValue,
      perms: arbitraryPerms,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove" as const), names }) },
);
const histories = fc.array(fc.array(edit, { maxLength: 2 }), { minLength: 2, maxLength: 14 });

/** Records a history. */
function record(lists: readonly (readonly Edit[])[]): History {
  const memory = diskWithRepository();
  const recorder = openRecorder(memory);
  let before = emptyRoot();
  for (const [index, edits] of lists.entries()) {
    const seq = (index + 1) as Seq;
    let after = before;
    for (const each of edits) after = editRoot(after, each, seq);
    recorder.record(commitBetween(before, after, seq));
    before = after;
  }
  recorder.seal();
  recorder.close();
  return openHistory(memory, REPOSITORY);
}

/** Whether a predicate holds at each commit; the first stands for none. */
function truths(history: History, predicate: Predicate, commits: number): readonly boolean[] {
  const view = history.view();
  const roots = Array.from({ length: commits }, (_, index) => {
    const found = view.commitWithSeq(MAIN_REF, index + 1) as FoundCommit;
    return decodeRoot(view.reader, found.commit.tree, (index + 1) as Seq);
  });
  return [
    false,
    ...roots.map((_, index) =>
      evaluate(predicate, (back) => {
        const root = roots[index - back];
        return root && { node: (path) => getNode(root, path) };
      }),
    ),
  ];
}

function flipsIn(held: readonly boolean[], after: number, to: number): number {
  let flips = 0;
  for (let seq = after + 1; seq <= to; seq++) if (held[seq] !== held[seq - 1]) flips++;
  return flips;
}

function questionOf(history: History): Question {
  return {
    view: history.view(),
    now: 1_790_000_000_000_000 as Microseconds,
    clock: { monotonicMilliseconds: () => 0 },
  };
}

/** A search of main that is broken off after so many commits. */
function searchOf(history: History, budget: number): StretchSearch {
  const view = history.view();
  const line = lineTo(view, view.tip(MAIN_REF) as FoundCommit);
  const source = rememberingSource(view.reader);
  let left = budget;
  return { line, source, commitsTouching: walkingCommitsTouching(view, line, { source, mayGoOn: () => left-- > 0 }) };
}

describe("answerBisect", () => {
  it("finds a commit that turns the predicate between any two that fit, and counts all flips", () => {
    let found = 0;
    fc.assert(
      fc.property(histories, arbitraryPredicate, fc.nat(), (lists, predicate, choice) => {
        const history = record(lists);
        const held = truths(history, predicate, lists.length);
        const question = questionOf(history);
        const text = serializePredicate(predicate);
        for (let bad = 2; bad <= lists.length; bad++) {
          const goods = held.flatMap((each, seq) => (seq > 0 && seq < bad && !each ? [seq] : []));
          for (const good of new Set([
            1 + (choice % (bad - 1)),
            ...goods.slice(choice % (goods.length + 1)).slice(0, 1),
          ])) {
            const ends = { good: `@{${String(good)}}`, bad: `@{${String(bad)}}` };
            const ask = () => answerBisect(question, { predicate: text, ...ends });
            if (held[good] === true || held[bad] !== true) {
              expect(ask).toThrow(QueryError);
              const newest = held.lastIndexOf(held[good] === false, bad);
              const named = newest > good ? `@{${String(newest)}}` : "between them";
              if (held[good] === held[bad]) expect(ask).toThrow(named);
              continue;
            }
            const { first, steps, flips } = ask();
            const seq = first.seq ?? 0;
            expect([held[seq - 1], held[seq]]).toEqual([false, true]);
            expect(steps).toBeLessThanOrEqual(Math.ceil(Math.log2(bad - good)));
            expect(flips).toEqual({ count: flipsIn(held, good, bad), looked: bad - good, commits: bad - good });
            found++;
          }
        }
        history.close();
      }),
      propertyParameters(150),
    );
    expect(found).toBeGreaterThan(0);
  });
});

describe("newestHeld", () => {
  it("finds the newest commit at which a predicate holds, or does not, wherever it is broken off", () => {
    fc.assert(
      fc.property(histories, arbitraryPredicate, fc.nat(14), (lists, predicate, budget) => {
        const history = record(lists);
        const held = truths(history, predicate, lists.length);
        const bad = lists.length;
        for (let good = 1; good < bad; good++) {
          for (const isHeld of [true, false]) {
            const { seq, lookedFrom } = newestHeld(predicate, searchOf(history, budget), { good, bad, isHeld });
            const newest = held.lastIndexOf(isHeld);
            expect(seq).toBe(newest >= lookedFrom ? newest : undefined);
            expect(lookedFrom).toBeGreaterThan(good);
            if (budget >= lists.length && seq === undefined) expect(lookedFrom).toBe(good + 1);
          }
        }
        history.close();
      }),
      propertyParameters(300),
    );
  });
});

describe("countFlips", () => {
  it("counts those of the newest commits, wherever it is broken off, and says how many that are", () => {
    fc.assert(
      fc.property(histories, arbitraryPredicate, fc.nat(14), (lists, predicate, budget) => {
        const history = record(lists);
        const held = truths(history, predicate, lists.length);
        for (let good = 1; good < lists.length; good++) {
          const { count, looked } = countFlips(predicate, searchOf(history, budget), { good, bad: lists.length });
          expect(looked).toBeLessThanOrEqual(lists.length - good);
          expect(count).toBe(flipsIn(held, lists.length - looked, lists.length));
        }
        history.close();
      }),
      propertyParameters(300),
    );
  });
});
