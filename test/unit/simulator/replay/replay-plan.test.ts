import { describe, expect, it } from "vitest";
import type { TraceLine } from "../../../../protocol/request-trace.js";
import { mayRace, planReplay, type ReplayPlan, type RequestStep } from "../../../../simulator/replay/replay-plan.js";
import { connectionLine, header, placed, requestLine } from "../../../support/trace-lines.js";

const planOf = (...lines: readonly TraceLine[]): ReplayPlan => planReplay(placed([header(), ...lines]));

function shown(plan: ReplayPlan): string[] {
  return plan.moments.map(({ microseconds, steps, answers }) =>
    `${String(microseconds)}: ${steps.map((step) => (step.kind === "request" ? step.payload : step.kind)).join(" ")} / ${answers.map(({ payload }) => payload).join(" ")}`.replaceAll(
      "\0",
      "",
    ),
  );
}

function requestOf(plan: ReplayPlan, payload: string): RequestStep {
  for (const { steps } of plan.moments)
    for (const step of steps) if (step.kind === "request" && step.payload === `${payload}\0`) return step;
  throw new Error(`no request ${payload}`);
}

const read = (connection: string, path: string, rest: Parameters<typeof requestLine>[4]) =>
  requestLine(connection, "READ", `${path}|`, "v", rest);

describe("planReplay", () => {
  it("lets requests of one tick overlap, and those of the next wait for them (invariant 1)", () => {
    const plan = planOf(
      connectionLine("opened", "a", { time: 5 }),
      read("a", "/1", { time: 10 }),
      read("b", "/2", { time: 10 }),
      read("a", "/3", { time: 20 }),
      connectionLine("closed", "a", { time: 30 }),
    );
    expect(shown(plan)).toEqual(["0: open / ", "5: /1 open /2 / /1 /2", "15: /3 / /3", "25: close / "]);
    expect(plan).toMatchObject({ requests: 3, leftOut: 0 });
  });

  it("sends what waited for its answer when it was asked (invariant 2)", () => {
    const plan = planOf(
      read("a", "/0", { time: 10 }),
      read("b", "/1", { time: 20 }),
      read("b", "/2", { time: 30 }),
      requestLine("a", "CONTROL", "flush|", "OK|", { time: 30, asked: 20 }),
      read("a", "/after", { time: 30, asked: 10 }),
    );
    expect(shown(plan)).toEqual(["0: open /0 / /0", "10: open /1 flush /after / /1", "20: /2 / /2 flush /after"]);
  });

  it("goes on when the wall clock steps back", () => {
    const plan = planOf(read("a", "/1", { time: 100 }), read("a", "/2", { time: 50 }), read("a", "/3", { time: 130 }));
    expect(shown(plan)).toEqual(["0: open /1 / /1", "0: /2 / /2", "30: /3 / /3"]);
  });

  it("leaves out what was redacted and what belongs to a transaction of before the trace, and counts it", () => {
    const plan = planOf(
      { ...read("a", "/1", {}), payload: undefined, redacted: true },
      read("a", "/2", { txId: 9 }),
      requestLine("a", "READ", "/3|", { error: "ENOENT" }, { txId: 9 }),
      requestLine("a", "WATCH", "/4|t|", "OK|", { txId: 9 }),
    );
    expect(plan).toMatchObject({ leftOut: 2, requests: 2 });
  });

  it("knows a transaction's requests by its id, and a new one by the same id again", () => {
    const transaction = (time: number, path: string) => [
      requestLine("a", "TRANSACTION_START", "|", "1|", { time }),
      read("a", path, { time: time + 1, txId: 1 }),
      requestLine("a", "TRANSACTION_END", "T|", "OK|", { time: time + 2, txId: 1 }),
    ];
    const plan = planOf(...transaction(1, "/1"), ...transaction(11, "/2"));
    const [first, second] = [requestOf(plan, "/1"), requestOf(plan, "/2")];
    expect(first.transaction?.start).not.toBe(second.transaction?.start);
    expect(first.transaction?.requests).toEqual([first]);
  });
});

describe("mayRace", () => {
  const write = (connection: string, path: string, time: number, txId = 0) =>
    requestLine(connection, "WRITE", `${path}|v`, "OK|", { time, txId });

  it("is true for a change of the same place by another connection in the same tick, and only for that", () => {
    const plan = planOf(
      read("a", "/x/y", { time: 1 }),
      write("b", "/x", 1),
      read("a", "/z", { time: 1 }),
      write("a", "/z", 1),
      read("a", "/q", { time: 2 }),
      write("b", "/q", 3),
    );
    expect(["/x/y", "/z", "/q"].map((path) => mayRace(plan, requestOf(plan, path)))).toEqual([true, false, false]);
  });

  it("takes a transaction's changes for those of its END, and its reads for old as its START", () => {
    const plan = planOf(
      requestLine("a", "TRANSACTION_START", "|", "1|", { time: 1 }),
      requestLine("b", "TRANSACTION_START", "|", "1|", { time: 1 }),
      write("b", "/k", 2, 1),
      read("c", "/k", { time: 2 }),
      requestLine("b", "TRANSACTION_END", "T|", "OK|", { time: 3, txId: 1 }),
      read("a", "/k/in", { time: 4, txId: 1 }),
    );
    expect(mayRace(plan, requestOf(plan, "/k"))).toBe(false);
    expect(mayRace(plan, requestOf(plan, "/k/in"))).toBe(true);
  });
});
