import { describe, expect, test } from "vitest";
import { numberOf, parseLoadLine, runLoadProgram } from "../../bench/wire-load.js";

const LINE =
  "op=shared conns=10 depth=1 ops=2713 ops_s=2713 eagain=318 errors=0 p50_us=2670.6 p99_us=13041.7 p999_us=29229.1 max_us=31950\n";

describe("parseLoadLine", () => {
  test("reads the numbers of a line, and nothing else", () => {
    expect(parseLoadLine(LINE)).toEqual({
      conns: 10,
      depth: 1,
      ops: 2713,
      ops_s: 2713,
      eagain: 318,
      errors: 0,
      p50_us: 2670.6,
      p99_us: 13041.7,
      p999_us: 29229.1,
      max_us: 31950,
    });
  });

  test.each([
    ["op=read ops=10 ops_s=10 errors=3 first_error=ENOENT p99_us=1.0\n"],
    ["op=play machines=2 done=2 seconds=0.1 unexpected=1\n"],
  ])("refuses figures of requests that were answered wrongly: %s", (line) => {
    expect(() => parseLoadLine(line)).toThrow(`the load was answered with errors: ${line.trim()}`);
  });

  test("refuses figures of a load that was not answered", () => {
    expect(() => parseLoadLine("op=tx ops=0 ops_s=0 errors=0\n")).toThrow("nothing was answered");
  });
});

describe("numberOf", () => {
  test("says what is missing", () => {
    expect(() => numberOf({ ops: 1, errors: 0 }, "p99_us")).toThrow("the load's line has no p99_us: ops, errors");
  });
});

describe("runLoadProgram", () => {
  test("reads what a program prints", async () => {
    expect(await runLoadProgram("printf", ["op=x ops=%s", 5], 1)).toEqual({ ops: 5 });
  });

  test("rejects with what a program says when it fails", async () => {
    await expect(runLoadProgram("sh", ["-c", "echo the daemon closed it >&2; exit 1"], 1)).rejects.toThrow(
      /^the daemon closed it$/,
    );
  });
});
