import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Microseconds } from "../../../../protocol/identifiers.js";
import { columnOf, loadTrace, traceFiles, TraceDamageError } from "../../../../simulator/replay/load-trace.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";
import { header, requestLine, traceText } from "../../../support/trace-lines.js";

const write = (name: string, time: number, seq?: number) =>
  requestLine("socket-1", "WRITE", `/${name}|v`, "OK|", { time, ...(seq === undefined ? {} : { seq }) });

function fileWith(text: string): string {
  const file = join(temporaryDirectory(), "trace.json");
  writeFileSync(file, text, "latin1");
  return file;
}

async function payloadsOf(file: string, life?: number): Promise<string[]> {
  const { life: chosen } = await loadTrace(file, life);
  return chosen.lines.flatMap(({ line }) => (line.kind === "request" ? [line.payload ?? ""] : []));
}

async function damageOf(file: string, life?: number): Promise<string> {
  const error: unknown = await loadTrace(file, life).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof TraceDamageError)) throw new Error(`no TraceDamageError but ${String(error)}`);
  return error.message;
}

describe("loadTrace", () => {
  it("reads rotated files from the oldest on", async () => {
    const file = fileWith(traceText([header(1, 2), write("c", 3, 3)]));
    writeFileSync(`${file}.1`, traceText([header(1, 1), write("b", 2, 2)]));
    writeFileSync(`${file}.2`, traceText([header(1, 0), write("a", 1, 1)]));
    writeFileSync(`${file}.20261128`, "not one of them, since it is a date");
    expect(traceFiles(file)).toEqual([`${file}.2`, `${file}.1`, file]);
    expect(await payloadsOf(file)).toEqual(["/a\0v", "/b\0v", "/c\0v"]);
    const { lives, notes } = await loadTrace(file);
    expect([lives, notes]).toEqual([1, []]);
  });

  it("goes on across files that are not there, and says which", async () => {
    const file = fileWith(traceText([header(1, 2), write("c", 3, 3)]));
    writeFileSync(`${file}.2`, traceText([header(1, 1), write("b", 2, 2)]));
    writeFileSync(`${file}.5`, traceText([header(1, 0), write("a", 1, 1)]));
    expect(traceFiles(file)).toEqual([`${file}.5`, `${file}.2`, file]);
    expect(await payloadsOf(file)).toEqual(["/a\0v", "/b\0v", "/c\0v"]);
    expect((await loadTrace(file)).notes).toEqual([
      expect.stringContaining(`${file}.3 to ${file}.4 are not there, and ${file}.5 is`),
      expect.stringContaining(`${file}.1 is not there, and ${file}.2 is`),
    ]);
  });

  it("says which commits are missing between two files", async () => {
    const file = fileWith(traceText([header(1, 7), write("c", 3, 8)]));
    writeFileSync(`${file}.1`, traceText([header(1, 0), write("a", 2, 1)]));
    expect((await loadTrace(file)).notes).toEqual([
      `${file}, line 1: the lines before it end at commit 1, and it goes on from commit 7; what is between is missing`,
    ]);
  });

  it("plays the last life unless told another, and says so, and what state it begins from", async () => {
    const file = fileWith(traceText([header(1), write("a", 1, 1), header(2, 1), write("b", 2, 2)]));
    expect(await payloadsOf(file)).toEqual(["/b\0v"]);
    expect(await payloadsOf(file, 1)).toEqual(["/a\0v"]);
    const { notes } = await loadTrace(file);
    expect(notes).toEqual([
      expect.stringContaining("2 lives of the daemon; the last one is played"),
      expect.stringContaining("begins behind commit 1: its requests were asked of the store at @{1}"),
    ]);
    expect(await damageOf(file, 3)).toBe(`${file} holds 2 lives of the daemon, and no life 3`);
  });

  it("leaves out the torn line of a killed daemon, at the end and before the next life", async () => {
    const whole = traceText([header(1), write("a", 1)]);
    const torn = traceText([write("b", 2)]).slice(0, 40);
    const atEnd = fileWith(whole + torn);
    expect(await payloadsOf(atEnd)).toEqual(["/a\0v"]);
    expect((await loadTrace(atEnd)).notes).toEqual([expect.stringContaining("line 3 is unfinished")]);
    expect(await payloadsOf(fileWith(`${whole}${torn}\n${traceText([header(2)])}`), 1)).toEqual(["/a\0v"]);
  });

  it("refuses a bad line anywhere else, with its line and column", async () => {
    const [first, second] = [traceText([header(1), write("a", 1)]), traceText([write("b", 2)])];
    const torn = fileWith(`${first}${second.slice(0, 40)}\n${second}`);
    expect(await damageOf(torn)).toBe(`${torn}, line 3, column 35: it is not JSON, or only the beginning of a line`);
    const wrong = fileWith(`${first}${second.replace('"domain":0', '"domain":-1')}${second}`);
    expect(await damageOf(wrong)).toMatch(/line 3, column \d+: `domain` is not a domain id$/);
  });

  it("minds no damage in a life that is not played", async () => {
    const line = traceText([write("b", 2)]);
    expect(
      await payloadsOf(fileWith(`${traceText([header(1)])}nonsense\n${line}${traceText([header(2)])}${line}`)),
    ).toEqual(["/b\0v"]);
  });

  it("refuses what is no trace, what is empty and what is not there", async () => {
    const log = fileWith("[20200918T15:15:18.045Z] A1 write /a\n");
    expect(await damageOf(log)).toBe(
      `${log}, line 1, column 1: a trace begins with a header, and this is no line of a trace: it is not JSON, or only the beginning of a line`,
    );
    expect(await damageOf(fileWith(traceText([write("a", 1)])))).toContain("this is a line of the kind request");
    expect(await damageOf(fileWith(""))).toContain("is empty");
    expect(await damageOf("/nowhere/trace.json")).toMatch(/^\/nowhere\/trace.json cannot be read: ENOENT/);
  });

  it("tells of lines that could not be written", async () => {
    const file = fileWith(traceText([header(1), { kind: "gap", time: 1 as Microseconds, dropped: 4 }]));
    expect((await loadTrace(file)).notes).toEqual([expect.stringContaining("4 lines could not be written there")]);
  });
});

describe("columnOf", () => {
  it("is where JSON ends to make sense, or the key that is named", () => {
    expect(columnOf('{"a":}', "it is not JSON")).toBe(6);
    expect(columnOf('{"time":"x"}', "`time` is not in microseconds")).toBe(2);
    expect(columnOf('{"x":1}', "it is of no kind that is known")).toBe(1);
  });
});
