import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { diffPage } from "../../../../../daemon/history/query/diff-page.js";
import { openHistory, type History } from "../../../../../daemon/history/query/history.js";
import { QueryError, type DiffPage, type DiffQuery } from "../../../../../protocol/http-api/history-queries.js";
import type { Change } from "../../../../../daemon/store/commit.js";
import type { Microseconds } from "../../../../../protocol/identifiers.js";
import { streamCommit } from "../../../../support/commit-stream.js";
import type { MemoryFileSystem } from "../../../../support/memory-file-system.js";
import { diskWithRepository, openRecorder, recordAndSeal, REPOSITORY } from "../../../../support/recorded-history.js";

let memory: MemoryFileSystem;
let history: History;

beforeAll(() => {
  memory = diskWithRepository();
  const recorder = openRecorder(memory);
  recordAndSeal(recorder, 10);
  const changes: readonly Change[] = [{ kind: "quota", name: "nodes", before: undefined, after: 7 }];
  recorder.record({ ...streamCommit({ domains: 3 }, 11), changes });
  recorder.seal();
  recorder.close();
  history = openHistory(memory, REPOSITORY);
});
afterAll(() => {
  history.close();
});

function ask(query: DiffQuery, pace = 0): DiffPage {
  let now = 0;
  const clock = { monotonicMilliseconds: () => (now += pace) };
  return diffPage({ view: history.view(), now: 0 as Microseconds, clock }, query);
}

/** The paths of all pages, page by page. */
function pagesOf(query: DiffQuery, pace = 0): string[][] {
  const pages: string[][] = [];
  for (let cursor: string | undefined; ;) {
    const page = ask({ ...query, cursor }, pace);
    pages.push(page.changes.map((change) => ("path" in change ? change.path : change.kind)));
    if (page.next === undefined) return pages;
    cursor = page.next;
  }
}

const STATES = [1, 2, 0].map((domid) => `/local/domain/${String(domid)}/device/vbd/51712/state`).sort();

describe("diffPage", () => {
  test("tells both commits and what differs", () => {
    expect(ask({ from: "@{9}", to: "@{10}" })).toMatchObject({
      from: { seq: 9 },
      to: { seq: 10 },
      changes: [
        {
          kind: "node",
          path: "/local/domain/1/device/vbd/51712/state",
          before: { value: "7" },
          after: { value: "10" },
        },
      ],
      next: undefined,
    });
  });

  test("goes on where the page before ended, and ends with an empty page at the latest", () => {
    const query = { from: "@{2}", to: "@{10}" };
    expect(pagesOf(query)).toEqual([STATES]);
    expect(pagesOf({ ...query, limit: 2 })).toEqual([STATES.slice(0, 2), STATES.slice(2)]);
    expect(pagesOf({ ...query, limit: 1 })).toEqual([...STATES.map((path) => [path]), []]);
    expect(pagesOf({ ...query, limit: 0 })).toEqual([...STATES.map((path) => [path]), []]);
  });

  test("ends a page when it took too long, but never without a change", () => {
    expect(pagesOf({ from: "@{2}", to: "@{10}" }, 60)).toEqual([STATES.slice(0, 2), STATES.slice(2)]);
    expect(pagesOf({ from: "@{2}", to: "@{10}" }, 1000)).toEqual([...STATES.map((path) => [path]), []]);
  });

  test("has on the last page alone what is not a node, and only where the path is /", () => {
    const query = { from: "@{2}", to: "@{11}", limit: 2 };
    expect(pagesOf(query)).toEqual([STATES.slice(0, 2), [...STATES.slice(2), "quota"]]);
    expect(pagesOf({ ...query, path: "/local" })).toEqual([STATES.slice(0, 2), STATES.slice(2)]);
  });

  test("keeps to the commits of its first page", () => {
    const { next } = ask({ from: "@{2}", to: "@{10}", limit: 2 });
    expect(ask({ from: "@{1}", to: "@{1}", cursor: next })).toMatchObject({
      from: { seq: 2 },
      to: { seq: 10 },
      changes: [{ path: STATES[2] }],
    });
  });

  test("refuses a path that neither has, and a cursor that is none of this question's", () => {
    const query = { from: "@{2}", to: "@{10}" };
    expect(() => ask({ ...query, path: "/nowhere" })).toThrow(QueryError);
    const { next = "" } = ask({ ...query, limit: 1 });
    for (const cursor of ["", "x", next.slice(42), next.replace(":", "/:"), `${next}/`]) {
      expect(() => ask({ ...query, cursor })).toThrow(/is no cursor of \/: give the "next" of a page/);
    }
    expect(() => ask({ ...query, path: "/local/domain/2", cursor: next })).toThrow(
      /is no cursor of \/local\/domain\/2/,
    );
  });
});
