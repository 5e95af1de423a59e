/** Pages of a request trace: together they are the lines of the time in question, whatever becomes of the files meanwhile. */
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { tracePage } from "../../../../daemon/http/trace-page.js";
import type { TraceLineJson, TracePage, TraceQuery } from "../../../../protocol/http-api/trace.js";
import type { Microseconds } from "../../../../protocol/identifiers.js";
import type { TraceLine } from "../../../../protocol/request-trace.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../../../support/memory-file-system.js";
import { propertyParameters } from "../../../support/seed.js";
import { connectionLine, eventLine, header, requestLine, traceText } from "../../../support/trace-lines.js";

const TRACE = "/log/trace.json";

let memory: MemoryFileSystem;
/** Milliseconds that each look at the clock takes. */
let pace: number;

beforeEach(() => {
  memory = createMemoryFileSystem();
  memory.makeDirectory("/log");
  pace = 0;
});

function append(path: string, text: string): void {
  const file = memory.open(path, memory.exists(path) ? "write" : "create");
  file.write(Buffer.from(text, "latin1"), file.size());
  file.close();
}

/** Writes a file that begins with a header, of a daemon that started then. */
function write(path: string, lines: readonly TraceLine[], started = 1): void {
  const { time = 0 as Microseconds } = lines[0] ?? {};
  append(path, traceText([{ ...header(started), time }, ...lines]));
}

function ask(query: TraceQuery): TracePage {
  let now = 0;
  const clock = { nowMicroseconds: () => 0, monotonicMilliseconds: () => (now += pace) };
  return tracePage({ fileSystem: memory, clock }, TRACE, query);
}

function pagesOf(query: TraceQuery, between: () => void = () => undefined): TraceLineJson[][] {
  const pages: TraceLineJson[][] = [];
  for (let { cursor } = query; ;) {
    const { lines, next } = ask({ ...query, cursor });
    pages.push([...lines]);
    if (next === undefined) return pages;
    cursor = next;
    between();
  }
}

/** Events at these times. */
function eventsAt(...times: readonly number[]): TraceLine[] {
  return times.map((time) => eventLine("socket-1", `/at/${String(time)}`, "t", time));
}

const timesOf = (lines: readonly TraceLineJson[]): number[] => lines.map(({ time }) => time);
const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);
const MANY_AFTER = 2_000_000;

describe("tracePage", () => {
  test("tells what each line says, but for headers", () => {
    const time = 5;
    write(TRACE, [
      connectionLine("opened", "socket-1", { time, domid: 7 }),
      requestLine("socket-1", "READ", "/a\xc3\xa9|", "x\xff", { time, domid: 7, txId: 3, asked: 4 }),
      requestLine("socket-1", "WRITE", "/a|1", "OK|", { time, seq: 9 }),
      requestLine("socket-1", 99, "", { error: "EINVAL" }, { time }),
      { ...requestLine("socket-1", "READ", "/s|", "", { time }), reply: undefined, redacted: true },
      eventLine("socket-1", "/a", "token", time),
      { kind: "gap", time, dropped: 3 } as TraceLine,
      connectionLine("closed", "socket-1", { time, domid: 7 }),
    ]);
    const origin = { time, connection: "socket-1", domain: 0 };
    expect(ask({})).toEqual({
      lines: [
        { kind: "opened", ...origin, domain: 7 },
        {
          kind: "request",
          ...origin,
          domain: 7,
          tx: 3,
          operation: "READ",
          payload: "/aé\0",
          reply: "x\ufffd",
          asked: 4,
        },
        { kind: "request", ...origin, operation: "WRITE", payload: "/a\u00001", reply: "OK\0", seq: 9 },
        { kind: "request", ...origin, operation: "99", payload: "", error: "EINVAL" },
        { kind: "request", ...origin, operation: "READ", payload: "/s\0" },
        { kind: "event", ...origin, path: "/a", token: "token" },
        { kind: "gap", time, dropped: 3 },
        { kind: "closed", ...origin, domain: 7 },
      ],
    });
  });

  test("tells the beginning of what is long", () => {
    write(TRACE, [requestLine("socket-1", "WRITE", `/a|${"x".repeat(3000)}`, "OK|")]);
    expect(ask({}).lines).toMatchObject([{ payload: `/a\0${"x".repeat(197)}` }]);
  });

  test("goes from the oldest file to the newest", () => {
    write(TRACE, eventsAt(7, 8, 9));
    write(`${TRACE}.1`, eventsAt(4, 5, 6), 2);
    write(`${TRACE}.2`, eventsAt(1, 2, 3), 3);
    append(`${TRACE}.old`, "something else\n");
    for (const limit of [1, 2, 3, 4, 9, 10]) {
      const pages = pagesOf({ limit });
      expect(timesOf(pages.flat())).toEqual(numbers(1, 9));
      expect(pages[0]?.length).toBe(Math.min(limit, 9));
    }
    expect(timesOf(pagesOf({ from: 3, to: 7, limit: 2 }).flat())).toEqual([3, 4, 5, 6, 7]);
    expect(pagesOf({ from: 10 })).toEqual([[]]);
    expect(pagesOf({ to: 0 })).toEqual([[]]);
  });

  test("finds a time in a large file without reading all of it", () => {
    const times = numbers(MANY_AFTER, MANY_AFTER + 30_000);
    write(TRACE, eventsAt(...times));
    let bytes = 0;
    const counting = {
      ...memory,
      open: (path: string, mode: "read") => {
        const file = memory.open(path, mode);
        return { ...file, read: (target: Uint8Array, at: number) => ((bytes += target.length), file.read(target, at)) };
      },
    };
    const clock = { nowMicroseconds: () => 0, monotonicMilliseconds: () => 0 };
    const from = MANY_AFTER + 20_000;
    const { lines, next } = tracePage({ fileSystem: counting, clock }, TRACE, { from, limit: 10 });
    expect(timesOf(lines)).toEqual(numbers(from, from + 9));
    expect(next).toBeDefined();
    const file = memory.open(TRACE, "read");
    expect(file.size()).toBeGreaterThan(2_500_000);
    file.close();
    expect(bytes).toBeLessThan(1_000_000);
    for (const first of [0, 1, 1234, 29_999, 30_000])
      expect(timesOf(ask({ from: MANY_AFTER + first, limit: 3 }).lines)).toEqual(times.slice(first, first + 3));
    expect(ask({ from: MANY_AFTER + 30_001 })).toEqual({ lines: [] });
  });

  test("ends a page after a bounded time", () => {
    write(TRACE, eventsAt(1, 2, 3, 4, 5));
    pace = 60;
    const pages = pagesOf({ from: 5 });
    expect(pages.flat().length).toBe(1);
    expect(pages.length).toBeGreaterThan(2);
    expect(pages[0]).toEqual([]);
  });

  test("leaves a line that is being written for later, and passes over what is no line", () => {
    write(TRACE, eventsAt(1));
    const whole = traceText(eventsAt(3));
    append(TRACE, `{"time":2,"conn\n${"x".repeat(200_000)}\n\n${whole}${whole.slice(0, 20)}`);
    expect(timesOf(ask({}).lines)).toEqual([1, 3]);
    const first = ask({ limit: 1 });
    append(TRACE, whole.slice(20));
    expect(timesOf(pagesOf({ cursor: first.next }).flat())).toEqual([3, 3]);
  });

  test("goes on in a file that was renamed, and then in the one that was begun meanwhile", () => {
    write(TRACE, eventsAt(...numbers(11, 15)), 11);
    write(`${TRACE}.1`, eventsAt(...numbers(1, 10)));
    let next = 16;
    const rotate = (): void => {
      if (next > 40) return;
      for (const number of [3, 2, 1]) {
        const from = number === 1 ? TRACE : `${TRACE}.${String(number - 1)}`;
        if (memory.exists(from)) memory.rename(from, `${TRACE}.${String(number)}`);
      }
      write(TRACE, eventsAt(next, next + 1), next);
      next += 2;
    };
    expect(timesOf(pagesOf({ limit: 12 }, rotate).flat()).slice(0, 17)).toEqual(numbers(1, 17));
  });

  test("meets a file once that is renamed while the files are opened", () => {
    write(TRACE, eventsAt(3, 4), 3);
    write(`${TRACE}.1`, eventsAt(1, 2));
    const racing = {
      ...memory,
      open: (path: string, mode: "read") => {
        const file = memory.open(path, mode);
        if (path === TRACE) {
          memory.rename(`${TRACE}.1`, `${TRACE}.2`);
          memory.rename(TRACE, `${TRACE}.1`);
          write(TRACE, eventsAt(5), 5);
        }
        return file;
      },
    };
    const clock = { nowMicroseconds: () => 0, monotonicMilliseconds: () => 0 };
    const { lines } = tracePage({ fileSystem: racing, clock }, TRACE, {});
    expect(timesOf(lines)).toEqual([1, 2, 3, 4]);
  });

  test("refuses to go on in a file that has gone, or was cut", () => {
    write(TRACE, eventsAt(1, 2, 3));
    const { next = "" } = ask({ limit: 1 });
    for (const cursor of ["x", "0123456789abcdef:0", next.replace(/:\d+$/, ":99999"), `${"0".repeat(16)}:7`])
      expect(() => ask({ cursor })).toThrow(/is no cursor|begin anew/);
    memory.remove(TRACE);
    write(TRACE, eventsAt(1, 2, 3), 9);
    expect(() => ask({ cursor: next })).toThrow(/has been removed: begin anew/);
  });

  test("is empty where nothing has been written yet", () => {
    expect(ask({})).toEqual({ lines: [] });
    append(TRACE, '{"form');
    expect(ask({ from: 3 })).toEqual({ lines: [] });
  });

  test("has pages that together are all lines of a time, in files of any size", () => {
    const times = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 40 });
    const sizes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 });
    const range = fc.tuple(fc.integer({ min: 0, max: 80 }), fc.integer({ min: 0, max: 80 }));
    fc.assert(
      fc.property(times, sizes, range, fc.integer({ min: 1, max: 50 }), (steps, counts, [from, to], limit) => {
        memory = createMemoryFileSystem();
        memory.makeDirectory("/log");
        let time = 0;
        const all = steps.map((step) => (time += step));
        for (let [at, file] = [all.length, 0]; at > 0; file++) {
          const begin = Math.max(0, at - (counts[file % counts.length] ?? 1));
          write(file === 0 ? TRACE : `${TRACE}.${String(file)}`, eventsAt(...all.slice(begin, at)), file + 1);
          at = begin;
        }
        const wanted = all.filter((each) => each >= from && each <= to);
        expect(timesOf(pagesOf({ from, to, limit }).flat())).toEqual(wanted);
      }),
      propertyParameters(100),
    );
  });
});
