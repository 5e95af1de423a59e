import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { activityPage } from "../../../../../daemon/history/query/activity.js";
import { openHistory, type FoundCommit, type History } from "../../../../../daemon/history/query/history.js";
import { MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { updateShallow } from "../../../../../daemon/history/repository/shallow.js";
import type { Change } from "../../../../../daemon/store/commit.js";
import type { ActivityPage, ActivityQuery } from "../../../../../protocol/http-api/activity.js";
import { QueryError } from "../../../../../protocol/http-api/history-queries.js";
import type { Microseconds, Path, Seq } from "../../../../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../../../../protocol/perms.js";
import { streamCommit } from "../../../../support/commit-stream.js";
import type { MemoryFileSystem } from "../../../../support/memory-file-system.js";
import { diskWithRepository, openRecorder, recordAndSeal, REPOSITORY } from "../../../../support/recorded-history.js";

let memory: MemoryFileSystem;
let history: History;
/** Milliseconds that each look at the clock takes. */
let pace: number;

beforeEach(() => {
  memory = diskWithRepository();
  const recorder = openRecorder(memory);
  recordAndSeal(recorder, 9);
  recorder.close();
  history = openHistory(memory, REPOSITORY);
  pace = 0;
});

afterEach(() => {
  history.close();
});

function ask(query: ActivityQuery): ActivityPage {
  let now = 0;
  const clock = { monotonicMilliseconds: () => (now += pace) };
  return activityPage({ view: history.view(), now: 0 as Microseconds, clock }, query);
}

/** The seqs of all pages, page by page. */
function pagesOf(query: ActivityQuery): (number | undefined)[][] {
  const pages: (number | undefined)[][] = [];
  let cursor: string | undefined;
  do {
    const page = ask({ ...query, cursor });
    pages.push(page.commits.map(({ seq }) => seq));
    cursor = page.next;
  } while (cursor !== undefined);
  return pages;
}

/** Records one more commit, with these changes. */
function record(changes: readonly Change[], details: object = {}): void {
  const recorder = openRecorder(memory);
  recorder.record({ ...streamCommit({ domains: 3 }, recorder.recordedSeq + 1), changes, ...details });
  recorder.seal();
  recorder.close();
}

function set(path: string, value: string, perms = "n0"): Change {
  const after = { value, perms: parsePerms([perms]) as Perms };
  return { kind: "node", path: path as Path, before: undefined, after };
}

describe("activityPage", () => {
  test("tells commits from the oldest to the newest, in pages without gap or double", () => {
    expect(pagesOf({})).toEqual([[1, 2, 3, 4, 5, 6, 7, 8, 9]]);
    expect(pagesOf({ from: "@{3}", to: "@{8}", limit: 2 })).toEqual([
      [3, 4],
      [5, 6],
      [7, 8],
    ]);
    expect(pagesOf({ from: "@{5}", to: "@{5}" })).toEqual([[5]]);
    expect(pagesOf({ from: "@{2020-01-01}", to: "@{2}", limit: 1 })).toEqual([[1], [2]]);
  });

  test("ends a page after a bounded time", () => {
    pace = 60;
    expect(pagesOf({ to: "@{5}" })).toEqual([[1, 2], [3, 4], [5]]);
    pace = 1000;
    expect(pagesOf({ to: "@{3}" })).toEqual([[1], [2], [3]]);
  });

  test("goes on from the first page's moment, whatever is committed meanwhile", () => {
    const { next } = ask({ from: "@{7}", limit: 1 });
    record([set("/a", "1")]);
    const { commits } = ask({ cursor: next });
    expect(commits.map(({ seq }) => seq)).toEqual([8, 9]);
  });

  test("tells of each what was asked, and each node's value before and after", () => {
    expect(ask({ from: "@{8}", to: "@{8}" }).commits).toEqual([
      {
        oid: expect.stringMatching(/^[0-9a-f]{40}$/) as string,
        seq: 8,
        time: "2026-01-01T00:00:00.000800Z",
        domain: 2,
        connection: "socket-1",
        subject: "dom2: WRITE /local/domain/2/device/vbd/51712/state",
        requests: ['WRITE /local/domain/2/device/vbd/51712/state "8"'],
        changes: [{ path: "/local/domain/2/device/vbd/51712/state", before: "5", after: "8" }],
      },
    ]);
  });

  test("leaves out what was before a node came, and after it went, with all below it", () => {
    record([set("/a", ""), set("/a/b", "1"), set("/a/b/c", "2")]);
    record([
      { kind: "node", path: "/a" as Path, before: { value: "", perms: parsePerms(["n0"]) as Perms }, after: undefined },
    ]);
    const [came, went] = ask({ from: "@{10}" }).commits;
    expect(came?.changes).toEqual([
      { path: "/a", after: "" },
      { path: "/a/b", after: "1" },
      { path: "/a/b/c", after: "2" },
    ]);
    expect(went?.changes).toEqual([
      { path: "/a", before: "" },
      { path: "/a/b", before: "1" },
      { path: "/a/b/c", before: "2" },
    ]);
  });

  test("tells a change of perms alone, and nothing of what is no node", () => {
    record([set("/a", "1")]);
    record([set("/a", "1", "r5"), { kind: "quota", name: "nodes", before: undefined, after: 7 }]);
    expect(ask({ from: "@{11}" }).commits[0]?.changes).toEqual([{ path: "/a", before: "1", after: "1" }]);
  });

  test("shows values as text, else as the xenstore-* tools do, and of a long one the beginning", () => {
    const emoji = Buffer.from("é🐧").toString("latin1");
    record([
      set("/a", emoji),
      set("/b", "\x00\xff\x07"),
      set("/c", "x".repeat(81)),
      set("/d", `${"x".repeat(79)}${emoji}`),
    ]);
    expect(ask({ from: "@{10}" }).commits[0]?.changes.map(({ after }) => after)).toEqual([
      "é🐧",
      "\\000\\xff\\007",
      "x".repeat(80),
      `${"x".repeat(79)}é`,
    ]);
  });

  test("tells the base of a transaction that did not begin with the commit before", () => {
    record([set("/a", "1")], { base: 4 as Seq });
    expect(ask({ from: "@{10}" }).commits[0]?.base).toBe(4);
  });

  test("leaves out what is too much, and says so", () => {
    const paths = Array.from({ length: 201 }, (_, index) => `/n${String(1000 + index)}`);
    record(paths.slice(0, 200).map((path) => set(path, "1")));
    record(paths.map((path) => set(path, "2")));
    const [all, some] = ask({ from: "@{10}" }).commits;
    expect([all?.changes.length, all?.hasMore]).toEqual([200, undefined]);
    expect([some?.changes.length, some?.hasMore]).toEqual([200, true]);
    expect(some?.changes.at(-1)?.path).toBe("/n1199");
  });

  test("knows no changes of the commit at which the history was cut", () => {
    const cut = history.view().commitWithSeq(MAIN_REF, 4) as FoundCommit;
    const { next } = ask({ limit: 2 });
    updateShallow(memory, REPOSITORY, { expected: new Set(), to: new Set([cut.oid]) });
    const [first, second] = ask({}).commits;
    expect([first?.seq, first?.requests.length, first?.changes, first?.hasMore]).toEqual([4, 1, [], undefined]);
    expect(second?.changes.length).toBe(1);
    expect(() => ask({ cursor: next })).toThrow(/the cursor's commit 3 is not in this history any more: begin anew/);
  });

  test.each<[ActivityQuery, RegExp]>([
    [{ cursor: "7" }, /"7" is no cursor/],
    [{ cursor: `10..${"0".repeat(40)}` }, /is not in this history any more/],
    [{ from: "@{5}", to: "@{3}" }, /from, @\{5\}, is later than to, @\{3\}/],
    [{ from: "@{10}" }, /there is no commit @\{10\}/],
  ])("refuses %j", (query, message) => {
    expect(() => ask(query)).toThrow(message);
  });

  test("refuses a cursor beyond its last commit", () => {
    const { next = "" } = ask({ to: "@{3}", limit: 1 });
    expect(() => ask({ cursor: next.replace(/^2/, "4") })).toThrow(QueryError);
  });
});
