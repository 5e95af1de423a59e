import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { densityAnswer } from "../../../../../daemon/history/query/density.js";
import { openHistory, type FoundCommit, type History } from "../../../../../daemon/history/query/history.js";
import type { Question } from "../../../../../daemon/history/query/question.js";
import { MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { updateShallow } from "../../../../../daemon/history/repository/shallow.js";
import { emptyRoot } from "../../../../../daemon/store/root.js";
import type { DensityQuery } from "../../../../../protocol/http-api/density.js";
import { QueryError } from "../../../../../protocol/http-api/history-queries.js";
import type { Microseconds } from "../../../../../protocol/identifiers.js";
import { commitBetween } from "../../../../property/history-generator.js";
import { recordForkedHistory } from "../../../../support/forked-history.js";
import type { MemoryFileSystem } from "../../../../support/memory-file-system.js";
import { diskWithRepository, openRecorder, REPOSITORY } from "../../../../support/recorded-history.js";
import { questionAbout, recordSteps } from "../../../../support/stepped-history.js";
import { git } from "../repository/repository-support.js";

const START = 1_780_000_000_000_000;

/** A history whose commits were made at these seconds. */
function recordedAt(seconds: readonly number[]): MemoryFileSystem {
  const memory = diskWithRepository();
  const recorder = openRecorder(memory);
  for (const [index, second] of seconds.entries()) {
    const time = (START + Math.round(second * 1e6)) as Microseconds;
    recorder.record(commitBetween(emptyRoot(), emptyRoot(), index + 1, { time }));
  }
  recorder.seal();
  recorder.close();
  return memory;
}

function questionOf(history: History): Question {
  return { view: history.view(), now: START as Microseconds, clock: { monotonicMilliseconds: () => 0 } };
}

function endsAt(seconds: readonly number[], query: DensityQuery): readonly number[] {
  const history = openHistory(recordedAt(seconds), REPOSITORY);
  const { ends } = densityAnswer(questionOf(history), query);
  history.close();
  return ends;
}

describe("densityAnswer", () => {
  test("tells for each part the last commit at its end, the one that was made just then included", () => {
    expect(endsAt([0, 1, 2, 2.5, 7, 10], { parts: 4 })).toEqual([4, 4, 5, 6]);
    expect(endsAt([0, 1, 2, 2.5, 7, 10], { parts: 1 })).toEqual([6]);
    expect(endsAt([0, 1, 2, 2.5, 7, 10], { parts: 5, from: "@{2}", to: "@{5}" })).toEqual([3, 4, 4, 4, 5]);
  });

  test("has as many parts as a client may ask for, unless told", () => {
    const ends = endsAt([0, 10], {});
    expect(ends.length).toBe(500);
    expect(new Set(ends.slice(0, -1))).toEqual(new Set([1]));
    expect(ends.at(-1)).toBe(2);
  });

  test("is about one commit, and about commits of one moment", () => {
    expect(endsAt([3], { parts: 3 })).toEqual([1, 1, 1]);
    expect(endsAt([3, 3, 3], { parts: 2 })).toEqual([3, 3]);
  });

  test("never goes back where the clock did, and ends with the last commit", () => {
    for (const seconds of [
      [5, 9, 2, 3, 8, 9.5, 4],
      [5.9, 5.1],
      [5.5, 5.9, 5.1, 5.7],
    ]) {
      for (const parts of [1, 2, 3, 7, 50]) {
        const ends = endsAt(seconds, { parts });
        expect(ends.toSorted((left, right) => left - right)).toEqual(ends);
        expect([ends.length, ends.at(-1)]).toEqual([parts, seconds.length]);
      }
    }
  });

  test("tells the two commits, from the oldest that is left to HEAD unless told", () => {
    const memory = recordedAt([0, 1, 2, 3, 4]);
    let history = openHistory(memory, REPOSITORY);
    expect(densityAnswer(questionOf(history), { parts: 1 })).toMatchObject({ from: { seq: 1 }, to: { seq: 5 } });
    expect(densityAnswer(questionOf(history), { from: "@{2020-01-01}", parts: 1 })).toMatchObject({ from: { seq: 1 } });
    const cut = history.view().commitWithSeq(MAIN_REF, 3) as FoundCommit;
    updateShallow(memory, REPOSITORY, { expected: new Set(), to: new Set([cut.oid]) });
    history.close();
    history = openHistory(memory, REPOSITORY);
    expect(densityAnswer(questionOf(history), { parts: 2 })).toMatchObject({ from: { seq: 3 }, ends: [4, 5] });
    history.close();
  });
});

describe("densityAnswer on commits of somebody else", () => {
  test("refuses them: they have no numbers, or are of another history", () => {
    const repository = recordSteps([{ "/a": "1" }, { "/a": "2" }]);
    const made = (...words: readonly string[]): string =>
      git(repository, ["commit-tree", git(repository, ["rev-parse", "main^{tree}"]), ...words]);
    const stranger = made("-m", "x", "-p", "main");
    const orphan = made("-m", "x\n\nSeq: 1");
    const { history, question } = questionAbout(repository);
    expect(() => densityAnswer(question, { to: stranger })).toThrow(/did not make: it has no number; name one such as/);
    expect(() => densityAnswer(question, { from: stranger })).toThrow(QueryError);
    expect(() => densityAnswer(question, { from: orphan })).toThrow(/they have no commit in common$/);
    history.close();
  });
});

describe("densityAnswer on a history with forks", () => {
  let history: History;
  let question: Question;
  beforeAll(() => {
    history = openHistory(recordForkedHistory().memory, REPOSITORY);
    question = questionOf(history);
  });
  afterAll(() => {
    history.close();
  });

  test("reads a few commits of a long history", () => {
    const read = vi.spyOn(history.reader, "read");
    const { ends } = densityAnswer(question, { parts: 10 });
    // The commits are evenly spaced.
    expect(ends).toEqual(Array.from({ length: 10 }, (_, part) => Math.floor(1 + ((part + 1) * 2999) / 10)));
    expect(read.mock.calls.length).toBeLessThan(10 * Math.log2(3000 / 10) + 50);
    read.mockRestore();
  });

  test("goes over from a fork to the branch that it was made from", () => {
    expect(densityAnswer(question, { from: "@{1401}", to: "try", parts: 3 }).ends).toEqual([1500, 1600, 1700]);
  });

  test.each<[DensityQuery, RegExp]>([
    [{ from: "@{9}", to: "@{5}" }, /^from, @\{9\}, is later than to, @\{5\}: from is the older one, so exchange them$/],
    [
      { from: "try", to: "main" },
      /^from, try \(@\{1700\}\), is none of the commits that led to to, main \(@\{3000\}\): they part after @\{1500\}$/,
    ],
    [{ to: "@{3001}" }, /there is no commit @\{3001\}/],
  ])("refuses %j", (query, message) => {
    expect(() => densityAnswer(question, query)).toThrow(message);
  });

  test("refuses with an error that is for who asks", () => {
    expect(() => densityAnswer(question, { from: "@{9}", to: "@{5}" })).toThrow(QueryError);
  });
});
