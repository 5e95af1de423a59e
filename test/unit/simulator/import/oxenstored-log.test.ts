import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import type { LogEntry } from "../../../../simulator/import/log-entry.js";
import { parseOxenstoredLine, parseOxenstoredLog, unescapeOcaml } from "../../../../simulator/import/oxenstored-log.js";
import { propertyParameters } from "../../../support/seed.js";

/** From xen-devel 2020-09-21, jerome leseinne, "oxenstored performance issue when starting VMs in parallel" (Xen 4.13). */
const REAL = [
  "[20200918T15:15:18.045Z]  A41354       write     /local/domain/0/backend/qdisk/1311/5632",
  "[20200918T15:15:18.046Z]  A41248       w event   backend/qdisk/1311/5632 38ed11d9-9a38-4022-ad75-7c571d4886ed",
  "[20200918T15:15:18.047Z]  D0           w event   backend/qdisk/1311/5632 FFFFFFFF8276B520",
];

const line = (who: string, what: string): string => `[20200918T15:15:18.046Z]  ${who.padEnd(12)} ${what}`;

function shown({ line: at, connection, domid, action }: LogEntry): string {
  const head = `${String(at)} ${connection} d${String(domid)}`;
  switch (action.kind) {
    case "request":
      return `${head} ${action.operation} ${action.payload}${action.isCut ? " (cut)" : ""}`.replaceAll("\0", "|");
    case "commit":
      return `${head} commit ${String(action.transaction)}: ${action.requests.map((request) => request.line).join(" ")}`;
    default:
      return `${head} ${action.kind}`;
  }
}

const entriesOf = (...lines: readonly string[]): string[] => parseOxenstoredLog(lines).entries.map(shown);

describe("parseOxenstoredLog", () => {
  it("reads the lines of a real log", () => {
    expect(parseOxenstoredLine(REAL[0] ?? "")).toEqual({
      time: 1_600_442_118_045_000,
      connection: "A41354",
      transaction: undefined,
      retryOf: undefined,
      word: "write",
      data: "/local/domain/0/backend/qdisk/1311/5632",
    });
    expect(entriesOf(...REAL)).toEqual(["1 A41354 d0 WRITE /local/domain/0/backend/qdisk/1311/5632|"]);
    expect(parseOxenstoredLog(REAL)).toMatchObject({ understood: 3, skipped: [] });
  });

  it("reads every operation, connections of domains, values with blanks and escapes", () => {
    expect(
      entriesOf(
        line("D5", "write     data/x a b\\n\\255\\\\"),
        line("A1", "mkdir     /a "),
        line("A1", "rm        /a "),
        line("A1", "setperms  /a n0 r5 "),
        line("A1", "introduce 5 1 2 "),
        line("A1", "release   5 "),
        line("A1", "endconn   "),
      ),
    ).toEqual([
      "1 D5 d5 WRITE data/x|a b\n\xff\\",
      "2 A1 d0 MKDIR /a|",
      "3 A1 d0 RM /a|",
      "4 A1 d0 SET_PERMS /a|n0|r5|",
      "5 A1 d0 INTRODUCE 5|1|2|",
      "6 A1 d0 RELEASE 5|",
      "7 A1 d0 closed",
    ]);
  });

  it("applies a transaction at the line of its commit or coalesce, and none that conflicted or was given up", () => {
    const log = parseOxenstoredLog([
      line("A1.7", "t start   "),
      line("A1.7", "write     /a 1"),
      line("A2.7", "write     /b 1"),
      line("A1.7", "write     /c 1"),
      line("A1.7", "t end     "),
      line("A1.7", "commit    "),
      line("A2.7", "coalesce  "),
      line("A3.1", "write     /d 1"),
      line("A3.1", "conflict  "),
      line("A4.1", "write     /e 1"),
      line("A4", "endconn   "),
      line("A5.2", "commit    "),
    ]);
    expect(log.entries.map(shown)).toEqual(["6 A1 d0 commit 7: 2 4", "7 A2 d0 commit 7: 3", "11 A4 d0 closed"]);
    expect(log).toMatchObject({ conflicts: 1, abandoned: 1, notes: [] });
  });

  it("applies a transaction that oxenstored tried again by itself", () => {
    const log = parseOxenstoredLog([
      line("A3.1", "write     /d 1"),
      line("A3.1", "conflict  "),
      line("r(1):A3.2", "t start   "),
      line("r(1):A3.2", "write     /d 1"),
      line("r(1):A3.2", "commit    "),
    ]);
    expect(log.entries.map(shown)).toEqual(["5 A3 d0 commit 1: 1"]);
    expect(log.conflicts).toBe(0);
  });

  it("takes back a request that was answered with an error", () => {
    expect(
      entriesOf(
        line("A1", "write     /a 1"),
        line("A1", "error     EACCES"),
        line("A2.1", "write     /b 1"),
        line("A2.1", "write     /c 1"),
        line("A2.1", "error     EACCES"),
        line("A2.1", "commit    "),
      ),
    ).toEqual(["6 A2 d0 commit 1: 3"]);
  });

  it("says that the log does not tell how transactions end", () => {
    const { entries, skipped, notes } = parseOxenstoredLog([line("A1.7", "write     /a 1")]);
    expect(entries).toEqual([]);
    expect(skipped).toEqual([{ line: 1, reason: "transaction A1.7 has no end in the log" }]);
    expect(notes).toEqual([expect.stringContaining("access-log-transactions-ops = true")]);
  });

  it("keeps a cut value as it is, and skips what is cut before it", () => {
    const value = `/a ${"v".repeat(175)}..`;
    const path = `/${"a".repeat(177)}..`;
    const { entries, skipped } = parseOxenstoredLog([
      line("A1", `write     ${value}`),
      line("A1", `rm        ${path}`),
    ]);
    expect(entries.map(shown)).toEqual([`1 A1 d0 WRITE /a|${"v".repeat(175)}.. (cut)`]);
    expect(skipped).toEqual([{ line: 2, reason: "it is cut before its value" }]);
  });

  it("skips what it does not know, with its line", () => {
    expect(parseOxenstoredLog(["# a comment", "", "garbage", line("A1", "dance     /a")]).skipped).toEqual([
      { line: 3, reason: "no line of an access log" },
      { line: 4, reason: "no line of an access log" },
    ]);
  });

  test("never throws, whatever stands in the lines", () => {
    const words = fc.constantFrom(
      "write",
      "commit",
      "conflict",
      "error",
      "endconn",
      "rm",
      "setperms",
      "t end",
      "w event",
    );
    const who = fc.constantFrom("A1", "A1.2", "D5", "D99999.1", "r(2):A1.3");
    const near = fc.tuple(who, words, fc.string()).map(([name, word, data]) => line(name, `${word} ${data}`));
    fc.assert(
      fc.property(fc.array(fc.oneof(near, fc.string({ unit: "binary" }))), (lines) => {
        const log = parseOxenstoredLog(lines);
        expect(log.understood).toBeLessThanOrEqual(lines.length);
      }),
      propertyParameters(300),
    );
  });
});

describe("unescapeOcaml", () => {
  it("leaves an escape that is cut as it is", () => {
    expect(unescapeOcaml("a\\")).toBe("a\\");
    expect(unescapeOcaml("a\\25")).toBe("a\\25");
    expect(unescapeOcaml("\\999")).toBe("\\999");
  });
});
