import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openHistory, type History } from "../../../../../daemon/history/query/history.js";
import { localHistory } from "../../../../../daemon/history/query/local-history.js";
import { logPage } from "../../../../../daemon/history/query/log-page.js";
import type { Question } from "../../../../../daemon/history/query/question.js";
import { QueryError, type LogPage, type LogQuery } from "../../../../../protocol/http-api/history-queries.js";
import type { Microseconds } from "../../../../../protocol/identifiers.js";
import { diskWithRepository, openRecorder, recordAndSeal, REPOSITORY } from "../../../../support/recorded-history.js";
import type { MemoryFileSystem } from "../../../../support/memory-file-system.js";

let memory: MemoryFileSystem;
let history: History;
/** Milliseconds that each look at the clock takes. */
let pace: number;

beforeEach(() => {
  memory = diskWithRepository();
  const recorder = openRecorder(memory);
  recordAndSeal(recorder, 30);
  recorder.close();
  history = openHistory(memory, REPOSITORY);
  pace = 0;
});

afterEach(() => {
  history.close();
});

function ask(query: LogQuery): LogPage {
  let now = 0;
  const clock = { monotonicMilliseconds: () => (now += pace) };
  const question: Question = { view: history.view(), now: 0 as Microseconds, clock };
  return logPage(question, query);
}

/** The seqs of all pages, page by page. */
function pagesOf(query: LogQuery): (number | undefined)[][] {
  const pages: (number | undefined)[][] = [];
  let cursor: string | undefined;
  do {
    const page = ask({ ...query, cursor });
    pages.push(page.commits.map(({ seq }) => seq));
    cursor = page.next;
  } while (cursor !== undefined);
  return pages;
}

describe("logPage", () => {
  test("hands out what is wanted in pages without gap or double", () => {
    expect(pagesOf({ to: "@{9}", from: "@{3}", limit: 3 })).toEqual([[9, 8, 7], [6, 5, 4], [3]]);
    expect(pagesOf({ to: "@{9}", from: "@{4}", limit: 3 })).toEqual([
      [9, 8, 7],
      [6, 5, 4],
    ]);
    expect(pagesOf({ limit: 1000 })).toEqual([Array.from({ length: 30 }, (_, index) => 30 - index)]);
  });

  test("goes on from the first page's moment, whatever is committed meanwhile", () => {
    const first = ask({ limit: 2 });
    const recorder = openRecorder(memory);
    recordAndSeal(recorder, 5);
    recorder.close();
    const second = ask({ limit: 2, cursor: first.next });
    expect(second.commits.map(({ seq }) => seq)).toEqual([28, 27]);
  });

  test("looks for an expression in each line by itself, from its begin to its end", () => {
    expect(pagesOf({ grep: "^Seq: 4$" }).flat()).toEqual([4]);
    expect(pagesOf({ grep: "^Seq: [^x]*Time" }).flat()).toEqual([]);
  });

  test("gives up a message that takes too long, and says why", () => {
    pace = 400;
    expect(() => ask({ grep: "nothing{9}" })).toThrow(QueryError);
    expect(() => ask({ grep: "nothing{9}" })).toThrow(
      '--grep "nothing{9}" takes too long on a commit\'s message: make what it repeats shorter.',
    );
  });

  test("ends a page after a bounded time, though it has found nothing", () => {
    pace = 40;
    const pages = pagesOf({ grep: "^Seq: 4$" });
    expect(pages.flat()).toEqual([4]);
    expect(pages.length).toBeGreaterThan(5);
    expect(pages[0]).toEqual([]);
  });

  test.each([
    [{ cursor: "7" }, /"7" is no cursor/],
    [{ path: "local" }, /"local" is no path of a node/],
    [{ path: "/a//b" }, /is no path of a node/],
    [{ grep: "(" }, /no regular expression/],
    [{ grep: "(?!Seq)" }, /--grep "\(\?!Seq\)": .* looks neither ahead nor behind/],
  ])("refuses %j", (query, message) => {
    expect(() => ask(query)).toThrow(QueryError);
    expect(() => ask(query)).toThrow(message);
  });
});

describe("localHistory", () => {
  test("makes a QueryError of a revision that names no commit", async () => {
    const clock = { nowMicroseconds: () => 0, monotonicMilliseconds: () => 0 };
    const asked = localHistory(history, clock).ask("commit", { revision: "@{31}" });
    await expect(asked).rejects.toThrow(QueryError);
    await expect(asked).rejects.toThrow(/there is no commit @\{31\}/);
  });
});
