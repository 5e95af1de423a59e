/** The index of paths below a fork. That all answers are those of a walk: `test/property/forks.property.test.ts`. */
import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { blame } from "../../../../../daemon/history/query/blame.js";
import { openHistory, type History } from "../../../../../daemon/history/query/history.js";
import { IndexedPast, PathTouches } from "../../../../../daemon/history/query/indexed-past.js";
import { walkLog } from "../../../../../daemon/history/query/log.js";
import type { Oid } from "../../../../../daemon/history/object/oid.js";
import type { FoundCommit } from "../../../../../daemon/history/repository/find-commit.js";
import type { Path } from "../../../../../protocol/identifiers.js";
import { recordForkedHistory, refOf, type ForkedHistory } from "../../../../support/forked-history.js";
import { REPOSITORY } from "../../../../support/recorded-history.js";

/** Only commit 1 of main has written it. */
const RARE = "/local/domain/0/name" as Path;

let recorded: ForkedHistory;
let history: History;

beforeAll(() => {
  recorded = recordForkedHistory();
});

beforeEach(() => {
  history = openHistory(recorded.memory, REPOSITORY);
  return () => {
    history.close();
  };
});

describe("IndexedPast.of", () => {
  test("finds main's index for the commits up to a fork's base, and none for its own", () => {
    const view = history.view();
    const at = (branch: string, seq: number): FoundCommit => view.commit(recorded.oid(branch, seq) as Oid);
    expect(IndexedPast.of(view, at("try", 1501))).toBeUndefined();
    expect(IndexedPast.of(view, at("try", 1500))?.partAt(1500)).toBeDefined();
  });
});

describe("PathTouches.newestAtMost", () => {
  test("goes through a fork's own commits, and leaps as soon as it looks for an index after them", () => {
    const view = history.view();
    const touches = new PathTouches(view, RARE);
    let at = view.tip(refOf("try")) as FoundCommit;
    const passed: number[] = [];
    for (let seq = 1700; seq > 1; seq = at.commit.trailers.seq ?? 0) {
      passed.push(seq);
      const candidate = touches.newestAtMost(at);
      at = candidate === at ? (view.previous(at) as FoundCommit) : candidate;
    }
    expect(passed.slice(0, 200)).toEqual(Array.from({ length: 200 }, (_, index) => 1700 - index));
    expect(passed.length).toBeLessThan(200 + 64);
    expect(at.oid).toBe(recorded.oid("main", 1));
  });
});

describe("walkLog and blame", () => {
  test.each([
    ["main", 0],
    ["fresh", 0],
    ["try", 200],
    ["deeper", 150],
    ["hand", 140],
  ])("read of %s hardly more commits than are not main's", (branch, own) => {
    const view = history.view();
    const to = view.tip(refOf(branch)) as FoundCommit;
    const commit = vi.spyOn(view, "commit");
    expect([...walkLog(view, { to }, { path: RARE })].map(({ oid }) => oid)).toEqual([recorded.oid("main", 1)]);
    expect(commit.mock.calls.length).toBeLessThan(own === 0 ? 5 : own + 64);
    commit.mockClear();
    expect(blame(view, to, RARE).map((node) => node.commit?.seq)).toEqual([1]);
    expect(commit.mock.calls.length).toBeLessThan(own === 0 ? 5 : own + 64);
  });
});
