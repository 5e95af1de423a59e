import { describe, expect, test } from "vitest";
import { courseOf } from "../../../../../clients/explorer/boot/happenings.js";
import type { ActivityCommit } from "../../../../../protocol/http-api/activity.js";
import type { FailureJson } from "../../../../../protocol/http-api/failures.js";
import type { TraceLineJson } from "../../../../../protocol/http-api/trace.js";
import { BOOT, iso, recordedBoot, START } from "./recorded-boot.js";

const line = (time: number, rest: object): TraceLineJson =>
  ({ kind: "request", time: START + time, connection: "socket-1", domain: 0, ...rest }) as TraceLineJson;

const commit = (seq: number, time: number, rest: Partial<ActivityCommit> = {}): ActivityCommit => ({
  ...{ oid: String(seq), seq, time: iso(START + time), domain: 0, connection: "socket-1", subject: "" },
  ...{ requests: [`WRITE /a "${String(seq)}"`], changes: [], ...rest },
});

const EAGAIN: FailureJson = {
  ...{ time: iso(START + 60), firstTime: iso(START + 60), count: 1, connection: "socket-1", domain: 0 },
  ...{ operation: "TRANSACTION_END", transaction: 3, subject: "", error: "EAGAIN", seq: 2 },
  conflict: { base: 1, operation: "READ", path: "/a" },
};

describe("courseOf", () => {
  test("tells each request and event of a traced boot once", () => {
    const recording = recordedBoot(BOOT);
    const { happenings, transactions } = courseOf(recording);
    expect(happenings).toHaveLength(recording.lines.length);
    const [requests, events] = [
      happenings.filter(({ kind }) => kind === "request"),
      happenings.filter(({ kind }) => kind === "event"),
    ];
    expect(requests.length).toBeGreaterThan(800);
    expect(events.length).toBeGreaterThan(150);
    const starts = recording.lines.filter((each) => each.kind === "request" && each.operation === "TRANSACTION_START");
    expect(transactions).toHaveLength(starts.length);
    expect(transactions.every(({ isStartKnown }) => isStartKnown)).toBe(true);
    const outcomes = transactions.map(({ outcome }) => outcome);
    const aborted = recording.lines.filter((each) => each.kind === "request" && each.payload === "F\0");
    expect(outcomes.filter((outcome) => outcome === "aborted")).toHaveLength(aborted.length);
    expect(outcomes.filter((outcome) => outcome === "committed")).toHaveLength(starts.length - aborted.length);
  });

  test("tells without a trace what commits tell, with transactions whose begin is not known", () => {
    const { commits } = recordedBoot(BOOT);
    const { happenings, transactions } = courseOf({ commits, lines: undefined, failures: [] });
    expect(happenings).toHaveLength(commits.reduce((sum, { requests }) => sum + requests.length, 0));
    expect(transactions).toHaveLength(commits.filter((each) => each.transaction !== undefined).length);
    expect(transactions.some(({ isStartKnown }) => isStartKnown)).toBe(false);
    expect(transactions.every(({ base, seq }) => base !== undefined && seq !== undefined && base < seq)).toBe(true);
  });

  test("tells a transaction that ended in EAGAIN with its base, and with the conflict that the failures tell", () => {
    const commits = [commit(1, 0), commit(2, 40)];
    const lines = [
      line(0, { operation: "WRITE", payload: "/a\x001", reply: "OK\0", seq: 1 }),
      line(10, { operation: "TRANSACTION_START", payload: "\0", reply: "3\0" }),
      line(20, { operation: "READ", payload: "/a\0", tx: 3, reply: "1" }),
      line(40, { operation: "WRITE", payload: "/a\x002", connection: "socket-2", reply: "OK\0", seq: 2 }),
      line(60, { operation: "TRANSACTION_END", payload: "T\0", tx: 3, error: "EAGAIN" }),
    ];
    const { happenings, transactions } = courseOf({ commits, lines, failures: [EAGAIN] });
    expect(transactions).toEqual([
      {
        ...{ connection: "socket-1", domain: 0, id: 3, start: START + 10, isStartKnown: true, end: START + 60 },
        ...{ outcome: "EAGAIN", error: "EAGAIN", seq: undefined, base: 1, baseTime: START, conflict: EAGAIN.conflict },
      },
    ]);
    expect(happenings).toHaveLength(lines.length);
  });

  test("lays failures over a history without a trace", () => {
    const { happenings, transactions } = courseOf({
      commits: [commit(1, 0), commit(2, 40)],
      lines: undefined,
      failures: [EAGAIN],
    });
    expect(happenings.map(({ operation, error }) => [operation, error])).toEqual([
      ["WRITE", undefined],
      ["WRITE", undefined],
      ["TRANSACTION_END", "EAGAIN"],
    ]);
    expect(transactions).toMatchObject([{ id: 3, outcome: "EAGAIN", base: 1, start: START, isStartKnown: false }]);
  });

  test("adds what commits tell of the time before the trace", () => {
    const commits = [commit(1, 0), commit(2, 40)];
    const lines = [line(40, { operation: "WRITE", payload: "/a\x002", reply: "OK\0", seq: 2 })];
    expect(courseOf({ commits, lines, failures: [] }).happenings.map(({ seq }) => seq)).toEqual([1, 2]);
  });

  test("tells apart what was aborted, what its connection left, and what is open", () => {
    const start = (time: number, connection: string): TraceLineJson =>
      line(time, { operation: "TRANSACTION_START", payload: "\0", reply: "1\0", connection });
    const { transactions } = courseOf({
      ...{ commits: [], failures: [] },
      lines: [
        start(1, "a"),
        start(2, "b"),
        start(3, "c"),
        line(4, { operation: "TRANSACTION_END", payload: "F\0", tx: 1, reply: "OK\0", connection: "a" }),
        { kind: "closed", time: START + 5, connection: "b", domain: 0 },
      ],
    });
    expect(transactions.map(({ connection, outcome, end }) => [connection, outcome, end])).toEqual([
      ["a", "aborted", START + 4],
      ["b", "aborted", START + 5],
      ["c", "open", undefined],
    ]);
  });

  test("tells where lines of the trace are missing", () => {
    const lines: TraceLineJson[] = [{ kind: "gap", time: START, dropped: 17 }];
    expect(courseOf({ commits: [], lines, failures: [] }).gaps).toMatchObject([{ time: START, dropped: 17 }]);
  });
});
