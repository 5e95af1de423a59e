/**
 * The files of a trace, on a disk in memory that fails on command.
 */
import { beforeEach, describe, expect, it } from "vitest";
import type { Seq } from "../../../../protocol/identifiers.js";
import { parseTraceLine, type TraceLine } from "../../../../protocol/request-trace.js";
import { RETRY_MILLISECONDS, TraceFile, type TraceFileOptions } from "../../../../daemon/trace/trace-file.js";
import { createFaultyFileSystem, type FaultyFileSystem } from "../../../support/faulty-file-system.js";
import { createMemoryFileSystem } from "../../../support/memory-file-system.js";

const PATH = "/trace/trace.json";
const BYTES_MAX = 64 * 1024;

let fileSystem: FaultyFileSystem;
let logged: string[];
let milliseconds: number;

beforeEach(() => {
  fileSystem = createFaultyFileSystem(createMemoryFileSystem());
  fileSystem.makeDirectory("/trace");
  logged = [];
  milliseconds = 0;
});

function open(options: Partial<TraceFileOptions> = {}, seq = 0): TraceFile {
  const file = new TraceFile({
    fileSystem,
    clock: { nowMicroseconds: () => 1000 + milliseconds, monotonicMilliseconds: () => milliseconds },
    log: { log: (level, _key, message) => logged.push(`${level} ${message}`), flush: () => undefined },
    path: PATH,
    bytesMax: BYTES_MAX,
    filesMax: 3,
    daemon: "1.2.3",
    ...options,
  });
  file.append(new Uint8Array(0), seq as Seq);
  return file;
}

function append(file: TraceFile, text: string, seq = 0): void {
  file.append(Buffer.from(text, "latin1"), seq as Seq);
}

function textOf(path = PATH): string {
  return Buffer.from(fileSystem.readFile(path)).toString("latin1");
}

/** The lines of a file: what is no line of a trace as it is, a header as `header SEQ`, a gap as `gap COUNT`. */
function linesOf(path = PATH): string[] {
  const lines = textOf(path).split("\n");
  expect(lines.pop(), "the file ends in a whole line").toBe("");
  return lines.map((text) => {
    const parsed = parseTraceLine(text);
    return parsed.ok ? shown(parsed.line) : text;
  });
}

function shown(line: TraceLine): string {
  if (line.kind === "header") return `header ${String(line.seq)}`;
  return line.kind === "gap" ? `gap ${String(line.dropped)}` : line.kind;
}

describe("TraceFile", () => {
  it("begins with a header and appends (trace file invariant 2)", () => {
    const file = open({}, 7);
    append(file, "one\n");
    append(file, "two\n");
    expect(linesOf()).toEqual(["header 7", "one", "two"]);
    const [header = ""] = textOf().split("\n");
    expect(parseTraceLine(header)).toEqual({
      ok: true,
      line: { kind: "header", daemon: "1.2.3", started: 1000, time: 1000, seq: 7 },
    });
  });

  it("goes on behind what was there, on a new line where a kill tore the last one (trace file invariants 2 and 3)", () => {
    const first = open();
    append(first, "one\n");
    append(first, "torn");
    first.close();
    const second = open({}, 3);
    append(second, "two\n");
    second.close();
    append(open({}, 4), "three\n");
    expect(linesOf()).toEqual(["header 0", "one", "torn", "header 3", "two", "header 4", "three"]);
  });

  it("changes files before one is too large, and keeps only so many (trace file invariant 1)", () => {
    const file = open();
    const sizes = (): number[] => fileSystem.list("/trace").map((name) => fileSystem.readFile(`/trace/${name}`).length);
    for (let index = 1; index <= 5; index++) {
      append(file, `${"x".repeat(40_000)}\n`, index);
      expect(Math.max(...sizes())).toBeLessThanOrEqual(BYTES_MAX);
    }
    expect(fileSystem.list("/trace")).toEqual(["trace.json", "trace.json.1", "trace.json.2"]);
    expect([PATH, `${PATH}.1`, `${PATH}.2`].map((path) => linesOf(path)[0])).toEqual([
      "header 5",
      "header 4",
      "header 3",
    ]);
    expect(fileSystem.openFiles()).toBe(1);
  });

  it("fills a file to the brim that it tells, and not further (trace file invariant 1)", () => {
    const file = open({ filesMax: 1 });
    append(file, `${"a".repeat(file.roomBytes - 1)}\n`);
    expect(fileSystem.list("/trace")).toEqual(["trace.json"]);
    expect(linesOf()).toHaveLength(2);
    append(file, `${"b".repeat(file.newRoomBytes - 1)}\n`, 9);
    expect(linesOf().map((line) => line.slice(0, 8))).toEqual(["header 9", "bbbbbbbb"]);
    expect(textOf().length).toBeLessThanOrEqual(BYTES_MAX);
    expect(fileSystem.list("/trace")).toEqual(["trace.json"]);
  });

  it("moves a file away at start that is full", () => {
    append(open(), `${"a".repeat(60_000)}\n`);
    open({ bytesMax: 50_000 }, 5);
    expect(linesOf()).toEqual(["header 5"]);
    expect(linesOf(`${PATH}.1`)).toHaveLength(2);
  });

  it("drops what a full disk does not take, tells it once, and says in the file how much (trace file invariants 4 and 5)", () => {
    const file = open();
    fileSystem.inject({ call: "write", nth: 1, bytes: 6 });
    fileSystem.inject({ call: "write", nth: 2, error: "ENOSPC", lasts: true });
    append(file, "one\ntwo\nthree\n");
    append(file, "four\n");
    const { length: calls } = fileSystem.calls;
    append(file, "five\n");
    expect(fileSystem.calls.length, "nothing is tried for a while").toBe(calls);
    fileSystem.heal();
    append(file, "six\n");
    milliseconds += RETRY_MILLISECONDS;
    append(file, "seven\n");
    append(file, "eight\n");
    expect(linesOf()).toEqual(["header 0", "one", "tw", "gap 5", "seven", "eight"]);
    expect(logged).toEqual([
      `error the request trace ${PATH}: it cannot be written, and lines are dropped until it can: ENOSPC: injected, write '${PATH}'`,
      `info the request trace ${PATH}: it is written again; 5 lines are missing`,
    ]);
  });

  it("tells one failure that lasts once, and at the end what is missing", () => {
    const file = open();
    fileSystem.inject({ call: "write", nth: 1, error: "EIO", lasts: true });
    for (let index = 0; index < 5; index++) {
      append(file, "line\n");
      milliseconds += RETRY_MILLISECONDS;
    }
    file.close();
    file.close();
    append(file, "late\n");
    expect(logged).toEqual([
      expect.stringMatching(/^error .*: EIO: /),
      `warn the request trace ${PATH}: 5 lines at its end could not be written`,
    ]);
    expect(fileSystem.openFiles()).toBe(0);
  });

  it("goes on where the kernel takes a part only", () => {
    const file = open();
    fileSystem.inject({ call: "write", nth: 1, bytes: 2 });
    append(file, "one\ntwo\n");
    expect(linesOf()).toEqual(["header 0", "one", "two"]);
    expect(logged).toEqual([]);
  });

  it("goes on behind what a write left that failed", () => {
    const file = open();
    const long = "x".repeat(300);
    fileSystem.inject({ call: "write", nth: 1, bytes: 200, error: "EIO" });
    append(file, `${long}\n`);
    milliseconds += RETRY_MILLISECONDS;
    append(file, "two\n");
    expect(linesOf()).toEqual(["header 0", long.slice(0, 200), "gap 1", "two"]);
  });

  it("says what was counted elsewhere as dropped behind the lines before", () => {
    const file = open();
    append(file, "one\n");
    file.noteDropped(3);
    append(file, "two\n");
    expect(linesOf()).toEqual(["header 0", "one", "gap 3", "two"]);
  });

  it.each(["rename", "open", "close"] as const)(
    "loses no file and stays within its bounds when a %s fails while files are changed (trace file invariant 1)",
    (call) => {
      const file = open();
      const big = (letter: string): string => `${letter.repeat(40_000)}\n`;
      append(file, big("a"), 1);
      append(file, big("b"), 2);
      fileSystem.inject({ call, nth: 1, error: "EACCES" });
      append(file, big("c"), 3);
      milliseconds += RETRY_MILLISECONDS;
      append(file, "last\n", 4);
      const all = fileSystem.list("/trace").map((name) => `/trace/${name}`);
      expect(all.length).toBeLessThanOrEqual(3);
      const kept = all.flatMap((path) => linesOf(path).map((line) => line[0]));
      expect(kept).toEqual(expect.arrayContaining(["a", "b", "l"]));
      for (const path of all) expect(textOf(path).length).toBeLessThanOrEqual(BYTES_MAX);
      if (call !== "close") expect(linesOf()).toEqual(["header 4", "gap 1", "last"]);
      expect(logged.length).toBeGreaterThan(0);
      expect(fileSystem.openFiles()).toBe(1);
    },
  );

  it("begins anew when somebody removed it", () => {
    const file = open();
    append(file, "one\n");
    fileSystem.remove(PATH);
    append(file, "two\n", 2);
    expect(linesOf()).toEqual(["header 2", "two"]);
    expect(logged).toEqual([`warn the request trace ${PATH}: it was renamed or removed, and is begun anew`]);
    expect(fileSystem.openFiles()).toBe(1);
  });

  it("leaves no hole where somebody emptied it (trace file invariant 3)", () => {
    const file = open();
    append(file, "one\ntwo\n");
    fileSystem.open(PATH, "write").truncate(0);
    append(file, "three\n", 2);
    expect(linesOf()).toEqual(["header 2", "three"]);
  });

  it("goes on in a new file when it is reopened after a rename, and in the same one otherwise", () => {
    const file = open();
    append(file, "one\n");
    fileSystem.rename(PATH, "/trace/old");
    file.reopen(5 as Seq);
    expect(linesOf(), "at once").toEqual(["header 5"]);
    append(file, "two\n");
    file.reopen(6 as Seq);
    append(file, "three\n");
    expect(linesOf("/trace/old")).toEqual(["header 0", "one"]);
    expect(linesOf()).toEqual(["header 5", "two", "header 6", "three"]);
    expect(fileSystem.openFiles()).toBe(1);
  });

  it("refuses a path that cannot be opened, with an error for people, but for a disk that is full", () => {
    expect(() => open({ path: "/nowhere/trace.json" })).toThrow(
      /^the trace file \/nowhere\/trace\.json cannot be opened: ENOENT/,
    );
    fileSystem.inject({ call: "open", nth: 1, error: "ENOSPC" });
    const file = open();
    append(file, "one\n");
    milliseconds += RETRY_MILLISECONDS;
    append(file, "two\n", 3);
    expect(linesOf()).toEqual(["header 3", "gap 1", "two"]);
  });
});
