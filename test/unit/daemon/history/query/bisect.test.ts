import { rmSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { answerBisect } from "../../../../../daemon/history/query/bisect.js";
import { openHistory } from "../../../../../daemon/history/query/history.js";
import { hexFromOid, type Oid } from "../../../../../daemon/history/object/oid.js";
import { updateShallow } from "../../../../../daemon/history/repository/shallow.js";
import { MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import type { FoundCommit } from "../../../../../daemon/history/repository/find-commit.js";
import { nodeFileSystem } from "../../../../../daemon/platform/node-file-system.js";
import type { BisectQuery } from "../../../../../protocol/http-api/bisect.js";
import { QueryError } from "../../../../../protocol/http-api/history-queries.js";
import { recordForkedHistory } from "../../../../support/forked-history.js";
import { REPOSITORY } from "../../../../support/recorded-history.js";
import { questionAbout, recordSteps } from "../../../../support/stepped-history.js";
import { git } from "../repository/repository-support.js";

/** Thirty commits; the node breaks with the 20th, and `/flap` comes and goes. */
const repository = recordSteps(
  Array.from({ length: 30 }, (_, index) => {
    const seq = index + 1;
    return {
      "/count": String(seq),
      "/local/domain/7/state": seq >= 20 ? "6" : "4",
      "/flap": seq % 10 === 0 ? "x" : undefined,
      ...(seq === 1 ? { "/local/domain/7/vm": "/vm/1", "/vm/1/name": "one" } : {}),
    };
  }),
);
// So that it is known how many commits are passed over: the index of paths leaves few to look at.
rmSync(`${repository}/xenstore-tng/paths`, { recursive: true });
const { question } = questionAbout(repository);

function ask(query: BisectQuery): ReturnType<typeof answerBisect> {
  return answerBisect(question, query);
}

describe("answerBisect on a fork", () => {
  const { memory, oid } = recordForkedHistory();

  test.each([
    ["try", 1700, 2],
    ["deeper", 1650, 0],
    ["hand", 1640, 2],
  ])("halves between a commit of main and the tip of %s, and walks neither", (bad, tip, domain) => {
    const history = openHistory(memory, REPOSITORY);
    const read = vi.spyOn(history.reader, "read");
    const predicate = `value /local/domain/${String(domain)}/device/vbd/51712/state = ${String(tip)}`;
    const asked = { ...question, view: history.view() };
    const { first, steps } = answerBisect(asked, { predicate, good: "main@{17}", bad, flips: 1 });
    expect(first.oid).toBe(hexFromOid(oid(bad, tip) as Oid));
    expect(steps).toBe(11);
    expect(read.mock.calls.length).toBeLessThan(250);
    expect(() => answerBisect(asked, { predicate, good: "@{1501}", bad, flips: 1 })).toThrow(
      /they part after @\{1500\}/,
    );
    expect(read.mock.calls.length).toBeLessThan(400);
    history.close();
  });
});

describe("answerBisect", () => {
  test("answers the first bad commit in full, the ends, the steps and the flips", () => {
    const answer = ask({ predicate: "value /local/domain/$D/state = 6", domain: 7, good: "@{1}", bad: "main" });
    expect(answer).toMatchObject({
      predicate: "value /local/domain/7/state = 6",
      good: { seq: 1 },
      bad: { seq: 30 },
      first: { seq: 20, oid: git(repository, ["rev-parse", "main~10"]) },
      flips: { count: 1, looked: 29, commits: 29 },
    });
    expect(answer.first.changes).toContainEqual({
      kind: "node",
      path: "/local/domain/7/state",
      before: { value: "4", perms: ["n0"] },
      after: { value: "6", perms: ["n0"] },
    });
    expect(answer.steps).toBeLessThanOrEqual(5);
    expect(answer.tried.map(({ seq }) => seq)).toEqual([15, 22, 18, 20, 19]);
    expect(answer.tried.length).toBe(answer.steps);
    for (const { seq, isBad } of answer.tried) expect([seq, isBad]).toEqual([seq, seq >= 20]);
  });

  test("takes the first commit and HEAD where no ends are given, and a time before the history for the first", () => {
    const predicate = "value /local/domain/7/state = 6";
    for (const good of [undefined, "@{2020-01-01}"]) {
      expect(ask({ predicate, good })).toMatchObject({ good: { seq: 1 }, bad: { seq: 30 }, first: { seq: 20 } });
    }
  });

  test("goes up to the newest bad commit where the tip is good again and nobody named a bad one", () => {
    const answer = ask({ predicate: "exists /flap", bad: undefined, good: "@{5}" });
    expect(answer).toMatchObject({ bad: { seq: 30 } });
    expect(answer.tip).toBeUndefined();
    const over = ask({ predicate: 'value /count ~ "^1[2-7]$"' });
    expect(over).toMatchObject({ good: { seq: 1 }, bad: { seq: 17 }, tip: { seq: 30 }, first: { seq: 12 } });
    expect(over.flips).toEqual({ count: 1, looked: 16, commits: 16 });
    const window = ask({ predicate: 'value /count ~ "^1[2-7]$" for 3 commits' });
    expect(window).toMatchObject({ bad: { seq: 17 }, first: { seq: 14 } });
  });

  test("names the end that would be fit where a person named another", () => {
    const middle = 'value /count ~ "^1[2-7]$"';
    expect(() => ask({ predicate: middle, bad: "main" })).toThrow(
      /: it holds at neither; it held last at @\{17\}: name that one with --bad @\{17\}$/,
    );
    expect(() => ask({ predicate: `not ${middle}`, bad: "main" })).toThrow(
      /: it holds at both; it did not hold last at @\{17\}: name that one with --good @\{17\}$/,
    );
  });

  test("says how far it looked for a fit end where there was no time for all", () => {
    let now = 0;
    const clock = { monotonicMilliseconds: () => (now += 100) };
    const predicate = "value /count = 5";
    expect(() => answerBisect({ ...question, clock, patienceMilliseconds: 0 }, { predicate })).toThrow(
      /it holds at neither, nor in the last 5 commits$/,
    );
  });

  test("knows the predicates of faults by name", () => {
    const repository = recordSteps([
      { "/local/domain/1/name": "a" },
      { "/local/domain/2/name": "b" },
      { "/local/domain/2/name": "a" },
    ]);
    expect(answerBisect(questionAbout(repository).question, { predicate: "duplicate-name" }).first.seq).toBe(3);
  });

  test("evaluates windows over the commits before", () => {
    const predicate = "value /local/domain/7/state = 6 for 4 commits";
    expect(ask({ predicate, good: "@{21}" })).toMatchObject({ first: { seq: 23 }, flips: { count: 1, looked: 9 } });
  });

  test("counts flips, and says how far back it looked for them", () => {
    expect(ask({ predicate: "exists /flap" }).flips).toEqual({ count: 5, looked: 29, commits: 29 });
    // The 30th is a flip, the 29th is not.
    for (const [flips, count] of [
      [0, 0],
      [1, 1],
      [9, 1],
      [10, 2],
      [11, 3],
      [28, 5],
      [1000, 5],
    ] as const) {
      expect(ask({ predicate: "exists /flap", flips }).flips).toEqual({
        count,
        looked: Math.min(29, flips),
        commits: 29,
      });
    }
  });

  test("looks for flips as long as there is time", () => {
    let now = 0;
    const clock = { monotonicMilliseconds: () => (now += 1) };
    const { flips } = answerBisect({ ...question, clock }, { predicate: "exists /flap" });
    expect(flips.looked).toBe(29);
    const slow = { monotonicMilliseconds: () => (now += 20) };
    const patient = { ...question, clock: slow, patienceMilliseconds: 80 };
    expect(answerBisect(patient, { predicate: "exists /flap" }).flips).toMatchObject({ looked: 2 });
  });

  test("breaks off where a predicate takes long and others wait, and tells what it knows by then", () => {
    let now = 0;
    const clockOf = (step: number) => ({ monotonicMilliseconds: () => (now += step) });
    const asked = (step: number) => answerBisect({ ...question, clock: clockOf(step) }, { predicate: "exists /flap" });
    expect(() => asked(400)).toThrow(/takes longer than 2 s, and others wait meanwhile: .*xs bisect --repo/);
    const { first, flips } = asked(60);
    expect([first.seq, flips.looked]).toEqual([30, 0]);
  });

  test.each<[BisectQuery, RegExp]>([
    [
      { predicate: "value /local/domain/7/state = 6", good: "@{20}" },
      /must not hold at good, @\{20\}, and must hold at bad, HEAD \(@\{30\}\): it holds at both, and between them$/,
    ],
    [{ predicate: "value /local/domain/7/state = 6", bad: "@{19}" }, /it holds at neither, nor between them$/],
    [{ predicate: "value /local/domain/7/state = 4" }, /it is the other way round; write not \(…\)/],
    [
      { predicate: "value /local/domian/7/state = 6" },
      /neither, nor between them\nthere is no \/local\/domian\/7\/state at either: did you mean \/local\/domain\/7\/state\?$/,
    ],
    [
      { predicate: "not exists /local/domain/8" },
      /both, and between them\nthere is no \/local\/domain\/8 at either: below \/local\/domain there is 7$/,
    ],
    [{ predicate: "value /x = $D" }, /the predicate is about one domain, \$D: say which with --domain$/],
    [{ predicate: "duplicate-nam" }, /did you mean duplicate-name\?$/],
    [{ predicate: "exist /flap" }, /^Column 1: .*\n {2}exist \/flap\n {2}\^$/],
    [{ predicate: "exists /flap", good: "@{31}" }, /the commits of main are @\{1\} of .* to @\{30\} of/],
    [{ predicate: "exists /flap", bad: "mian" }, /there is no "mian" in this history: did you mean main\?/],
    [
      { predicate: "exists /flap", good: "@{7}", bad: "main~23" },
      /good and bad are the same commit, main~23 \(@\{7\}\): there is nothing between them/,
    ],
    [
      { predicate: "exists /flap", good: "@{9}", bad: "@{7}" },
      /good, @\{9\}, is later than bad, @\{7\}: good is the older one; .* exchange them and write not/,
    ],
  ])("says of %j what would be right", (query, message) => {
    expect(() => ask(query)).toThrow(message);
  });

  test("refuses commits of two branches, and says where they part", () => {
    const tree = (name: string) => git(repository, ["rev-parse", `${name}^{tree}`]);
    const commit = (parent: string, seq: number) =>
      git(repository, ["commit-tree", tree("main"), "-p", parent, "-m", `dom0: WRITE /a\n\nSeq: ${String(seq)}`]);
    const fork = commit(commit(git(repository, ["rev-parse", "main~20"]), 11), 12);
    git(repository, ["update-ref", "refs/heads/try", fork]);
    const { question: later } = questionAbout(repository);
    for (const [good, bad] of [
      ["@{11}", "try"],
      ["try", "main"],
      ["try~1", "@{11}"],
    ] as const) {
      const run = () => answerBisect(later, { predicate: "exists /flap", good, bad });
      expect(run).toThrow(/is none of the commits that led to bad, .*: they part after @\{10\}$/);
    }
    // A commit that no branch has is searched by a walk.
    git(repository, ["update-ref", "-d", "refs/heads/try"]);
    const { question: without } = questionAbout(repository);
    const answer = answerBisect(without, { predicate: "value /local/domain/7/state = 6", good: "@{5}", bad: fork });
    expect(answer).toMatchObject({ first: { seq: 11 }, flips: { count: 1, looked: 7, commits: 7 } });
  });

  test("refuses histories that have nothing in common, and commits without a number", () => {
    const orphan = git(repository, ["commit-tree", git(repository, ["rev-parse", "main^{tree}"]), "-m", "x\n\nSeq: 9"]);
    const stranger = git(repository, ["commit-tree", git(repository, ["rev-parse", "main^{tree}"]), "-m", "x"]);
    expect(() => ask({ predicate: "exists /flap", good: orphan })).toThrow(/they have no commit in common$/);
    expect(() => ask({ predicate: "exists /flap", bad: stranger })).toThrow(QueryError);
    expect(() => ask({ predicate: "exists /flap", bad: stranger })).toThrow(
      /did not make: it has no number; use git bisect/,
    );
  });

  test("begins where the history was cut", () => {
    const cut = recordSteps(Array.from({ length: 12 }, (_, index) => ({ "/a": String(index + 1) })));
    const boundary = questionAbout(cut).question.view.commitWithSeq(MAIN_REF, 5) as FoundCommit;
    updateShallow(nodeFileSystem, cut, { expected: new Set(), to: new Set([boundary.oid]) });
    const answer = answerBisect(questionAbout(cut).question, { predicate: 'value /a ~ "^([89]|1.)$"' });
    expect(answer).toMatchObject({ good: { seq: 5, oid: hexFromOid(boundary.oid) }, first: { seq: 8 } });
    expect(answer.flips).toEqual({ count: 1, looked: 7, commits: 7 });
    // A window does not look beyond the cut.
    const window = answerBisect(questionAbout(cut).question, { predicate: "exists /a for 3 commits" });
    expect(window).toMatchObject({ first: { seq: 7 }, flips: { count: 1, looked: 7 } });
  });
});
