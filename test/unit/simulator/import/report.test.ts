import { describe, expect, it } from "vitest";
import { describeImport } from "../../../../simulator/import/report.js";
import type { ImportReport } from "../../../../simulator/import/run-import.js";

const REPORT: ImportReport = {
  file: "old.log",
  format: "c",
  repository: "/state/store.git",
  lines: 1,
  commits: 1,
  changes: 1,
  requests: 1,
  transactions: 1,
  conflicts: 1,
  abandoned: 0,
  cutValues: 0,
  standIns: 0,
  earlierNodes: 1,
  impliedDomains: 0,
  emptyRemovals: [],
  skipped: [],
  refused: [{ line: 7, reason: "RM /a/b: ENOENT" }],
  notes: [],
};

describe("describeImport", () => {
  it("tells one of a kind in the singular, and what the import made itself", () => {
    expect(describeImport(REPORT)).toBe(
      [
        "old.log: a trace of C xenstored, 1 line",
        "1 commit from 1 request, 1 transaction",
        "1 node from before the log begins: made by `import`",
        "1 transaction ended in a conflict and changed nothing",
        "1 request refused; any change made then is not in the history:",
        "  line 7: RM /a/b: ENOENT",
        "Git repository: /state/store.git",
        "",
      ].join("\n"),
    );
  });

  it("tells several in the plural", () => {
    expect(describeImport({ ...REPORT, commits: 2, requests: 0, transactions: 2 })).toContain(
      "2 commits from 0 requests, 2 transactions",
    );
  });
});
