import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { parseCLog, parseCMessage } from "../../../../simulator/import/c-log.js";
import type { LogEntry } from "../../../../simulator/import/log-entry.js";
import { propertyParameters } from "../../../support/seed.js";

/** From xen-devel 2023-01-21, Jason Andryuk, [PATCH 2/2] Revert "tools/xenstore: simplify loop handling connection I/O". */
const REAL = [
  "IN 0x559fae71f250 20230120 17:40:53 READ (/local/domain/3/image/device-model-domid )",
  "wrl: dom    0      1  msec      10000 credit     1000000 reserve        100 discard",
  "OUT 0x559fae71f250 20230120 17:40:53 ERROR (ENOENT )",
  "IN 0x559fae71f250 20230120 17:40:53 RELEASE (3 )",
  "DESTROY watch 0x559fae73f630",
  "DESTROY connection 0x559fae724290",
  "orphaned node /local/domain/3/device/suspend/event-channel deleted",
];

const A = "0xa1";
const message = (direction: "IN" | "OUT", connection: string, what: string): string =>
  `${direction} ${connection} 20230120 17:40:53 ${what}`;
/** A request and its reply. */
const asked = (connection: string, what: string, reply = "OK "): string[] => [
  message("IN", connection, what),
  message("OUT", connection, reply.startsWith("E") ? `ERROR (${reply} )` : `${what.split(" ")[0] ?? ""} (${reply})`),
];

function shown({ line, connection, domid, action }: LogEntry): string {
  const head = `${String(line)} ${connection} d${String(domid)}`;
  switch (action.kind) {
    case "request":
      return `${head} ${action.operation} ${action.payload}`.replaceAll("\0", "|");
    case "commit":
      return `${head} commit ${String(action.transaction)}: ${action.requests.map((request) => request.line).join(" ")}`;
    case "orphan":
      return `${head} orphan ${action.path}`;
    case "closed":
      return `${head} closed`;
  }
}

describe("parseCLog", () => {
  it("reads the lines of a real trace, and learns whose connection ended with a domain", () => {
    const log = parseCLog(REAL);
    expect(log.entries.map(shown)).toEqual([
      "4 0x559fae71f250 d0 RELEASE 3|",
      "6 0x559fae724290 d3 closed",
      "7 0x559fae71f250 d0 orphan /local/domain/3/device/suspend/event-channel",
    ]);
    expect(log).toMatchObject({ understood: 7, skipped: [] });
    expect(log.entries[0]?.time).toBe(1_674_236_453_000_000);
  });

  it("reads what newer daemons write", () => {
    expect(parseCMessage("io: IN 0xa1 (d3) 20230120 17:40:53 WRITE (data/x v)")).toMatchObject({
      connection: "0xa1",
      domid: 3,
      operation: "WRITE",
      data: "data/x v",
    });
  });

  it("takes values whole: with blanks, parentheses and newlines", () => {
    expect(parseCLog(asked(A, "WRITE (/a one (two) )")).entries.map(shown)).toEqual(["1 0xa1 d0 WRITE /a|one (two) "]);
    const split = parseCLog([...message("IN", A, "WRITE (/a one\ntwo)").split("\n"), message("OUT", A, "WRITE (OK )")]);
    expect(split.entries.map(shown)).toEqual(["1 0xa1 d0 WRITE /a|one\ntwo"]);
    // Nobody can tell that the value goes on: what is lost is listed.
    const ambiguous = parseCLog([
      ...message("IN", A, "WRITE (/a one)\ntwo)").split("\n"),
      message("OUT", A, "WRITE (OK )"),
    ]);
    expect(ambiguous.entries.map(shown)).toEqual(["1 0xa1 d0 WRITE /a|one"]);
    expect(ambiguous.skipped).toEqual([{ line: 2, reason: "no line of a trace" }]);
  });

  it("applies what succeeded, and a transaction at its END", () => {
    const log = parseCLog([
      ...asked(A, "WRITE (/no v)", "EACCES"),
      ...asked(A, "TRANSACTION_START ( )", "77 "),
      ...asked(A, "WRITE (/a v)"),
      ...asked("0xb2", "MKDIR (/b )"),
      ...asked(A, "SET_PERMS (/a n0 r5 )"),
      ...asked(A, "TRANSACTION_END (T )"),
      ...asked(A, "RM (/a )"),
      ...asked(A, "TRANSACTION_END (T )"),
    ]);
    expect(log.entries.map(shown)).toEqual(["7 0xb2 d0 MKDIR /b|", "11 0xa1 d0 commit 77: 5 9", "13 0xa1 d0 RM /a|"]);
    expect(log.skipped).toEqual([{ line: 15, reason: "the end of a transaction whose beginning is not in the trace" }]);
  });

  it("applies no transaction that conflicted or was given up, and counts them", () => {
    const transaction = (end: string, reply?: string) => [
      ...asked(A, "TRANSACTION_START ( )", "1 "),
      ...asked(A, "WRITE (/a v)"),
      ...asked(A, `TRANSACTION_END (${end} )`, reply),
    ];
    const log = parseCLog([
      ...transaction("T", "EAGAIN"),
      ...transaction("F"),
      ...asked(A, "TRANSACTION_START ( )", "1 "),
      ...asked(A, "WRITE (/a v)"),
      "DESTROY connection 0xa1",
    ]);
    expect(log.entries.map(shown)).toEqual(["17 0xa1 d0 closed"]);
    expect(log).toMatchObject({ conflicts: 1, abandoned: 2 });
  });

  it("knows a guest's connection by its introduction, until the address is used again", () => {
    const log = parseCLog([
      message("IN", A, "INTRODUCE (5 1 1 )"),
      "CREATE connection 0xc3",
      message("OUT", A, "INTRODUCE (OK )"),
      ...asked("0xc3", "WRITE (data/x v)"),
      "DESTROY connection 0xc3",
      ...asked("0xc3", "WRITE (data/y v)"),
      ...asked("0xc3", "WRITE (/z v)"),
    ]);
    expect(log.entries.map(shown)).toEqual([
      "1 0xa1 d0 INTRODUCE 5|1|1|",
      "4 0xc3 d5 WRITE data/x|v",
      "6 0xc3 d5 closed",
      "9 0xc3#2 d0 WRITE /z|v",
    ]);
    expect(log.skipped).toEqual([
      { line: 7, reason: "the path data/y is relative, and the trace does not tell whose it is" },
    ]);
  });

  test("never throws, whatever stands in the lines", () => {
    const what = fc.constantFrom(
      "WRITE (/a v",
      "WRITE (",
      "TRANSACTION_START ( )",
      "TRANSACTION_END (T )",
      "ERROR (EAGAIN )",
    );
    const near = fc
      .tuple(fc.constantFrom("IN", "OUT"), fc.constantFrom("0xa1", "0xb2"), what, fc.string())
      .map(([direction, connection, text, rest]) => `${direction} ${connection} 20230120 17:40:53 ${text}${rest}`);
    const other = fc.constantFrom("CREATE connection 0xa1", "DESTROY connection 0xa1", "orphaned node /a deleted");
    fc.assert(
      fc.property(fc.array(fc.oneof(near, other, fc.string({ unit: "binary" }))), (lines) => {
        expect(parseCLog(lines).understood).toBeLessThanOrEqual(lines.length);
      }),
      propertyParameters(300),
    );
  });
});
