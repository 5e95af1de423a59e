import { describe, expect, it } from "vitest";
import type { LoadedTrace } from "../../../../simulator/replay/load-trace.js";
import { planReplay, type RequestStep } from "../../../../simulator/replay/replay-plan.js";
import { describeReport, makeReport } from "../../../../simulator/replay/report.js";
import { ReplayTally } from "../../../../simulator/replay/tally.js";
import { header, placed, requestLine } from "../../../support/trace-lines.js";

const lines = placed([header(), requestLine("socket-1", "READ", "/a|", "1", { txId: 3 })]);
const plan = planReplay([...lines, ...placed([requestLine("socket-1", "READ", "/b|", "1")])]);
const trace: LoadedTrace = {
  files: ["trace.json"],
  life: { number: 1, header: header(), lines },
  lives: 1,
  notes: [],
};

function stepOf(): RequestStep {
  for (const step of plan.moments[0]?.steps ?? []) if (step.kind === "request") return step;
  throw new Error("no request in the plan");
}

describe("describeReport", () => {
  it("tells figures, what is harmless, and each kind of difference with examples, the rest as a number", () => {
    const tally = new ReplayTally();
    for (let milliseconds = 1; milliseconds <= 100; milliseconds++) tally.answered(milliseconds);
    const step = stepOf();
    tally.compared("same", { step, copy: 0, expected: "1", got: "1" });
    tally.compared("race", { step, copy: 0, expected: "1", got: "2" });
    for (let copy = 0; copy < 30; copy++) tally.compared("data", { step, copy, expected: "1", got: "\x01" });
    tally.compared("lost", { step, copy: 0, expected: "1", got: { lost: "the daemon closed the connection" } });
    const { connection } = step;
    for (let number = 1; number <= 7; number++) {
      tally.eventsDiffer({
        kind: "missing",
        count: 2,
        path: `/${String(number)}`,
        token: "t\x01",
        connection,
        copy: 1,
      });
    }
    const report = makeReport({ trace, plan, copies: 30, tally, seconds: 2 });
    expect(report).toMatchObject({
      requests: 100,
      requestsPerSecond: 50,
      leftOut: 1,
      latencyMilliseconds: { p50: 51, p99: 100 },
      differences: { total: 31, byKind: { data: 30, lost: 1 } },
      harmless: { race: 1 },
    });
    expect(report.examples).toHaveLength(21);
    expect(report.events).toMatchObject({ missing: 14, extra: 0 });
    const text = describeReport(report);
    expect(text).toContain("100 requests over 0 connections in 2.0 s (50/s), 30 copies of the trace\n");
    expect(text).toContain("latency: half within 51 ms, 99% within 100 ms\n");
    expect(text).toContain("14 watch events of the trace did not come:\n  socket-1 (copy 2): 2 × /1, token t\\x01\n");
    expect(text).toContain("/5, token t\\x01\n  … 4 more\n");
    expect(text).not.toContain("that the trace has not");
    expect(text).toContain("harmless: 1 × another connection changed the same place at the same time\n");
    expect(text).toContain("31 differences from the trace:\n");
    expect(text).toContain('trace.json, line 1 (copy 1): socket-1 READ /b: "1" in the trace, "\\x01" now\n');
    expect(text).toContain("  … 25 more\n");
    expect(text).toContain("the daemon closed the connection now\n");
  });

  it("says that there are none", () => {
    const text = describeReport(makeReport({ trace, plan, copies: 1, tally: new ReplayTally(), seconds: 0 }));
    expect(text).toMatch(/\nno differences\n$/);
    expect(text).not.toMatch(/NaN|Infinity/);
  });
});
