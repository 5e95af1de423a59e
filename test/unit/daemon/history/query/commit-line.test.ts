import { describe, expect, test } from "vitest";
import { lineTo } from "../../../../../daemon/history/query/commit-line.js";
import { oidFromHex } from "../../../../../daemon/history/object/oid.js";
import { MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import type { FoundCommit } from "../../../../../daemon/history/repository/find-commit.js";
import { questionAbout, recordSteps } from "../../../../support/stepped-history.js";
import { git } from "../repository/repository-support.js";

const repository = recordSteps(Array.from({ length: 9 }, (_, index) => ({ "/a": String(index) })));

describe("lineTo", () => {
  test("finds the commits up to one of a branch, and none after it", () => {
    const { view } = questionAbout(repository).question;
    const line = lineTo(view, view.commitWithSeq(MAIN_REF, 6) as FoundCommit);
    for (let seq = 1; seq <= 6; seq++) expect(line.find(seq)?.oid).toBe(view.commitWithSeq(MAIN_REF, seq)?.oid);
    expect([line.find(0), line.find(7), line.find(100)]).toEqual([undefined, undefined, undefined]);
    expect(line.oldest().commit.trailers.seq).toBe(1);
  });

  test("walks from a commit that no branch has, in any order", () => {
    const tree = git(repository, ["rev-parse", "main^{tree}"]);
    const oid = git(repository, ["commit-tree", tree, "-p", "main~4", "-m", "dom0: WRITE /a\n\nSeq: 6"]);
    const { view } = questionAbout(repository).question;
    const newest = view.commit(oidFromHex(oid));
    const line = lineTo(view, newest);
    expect(line.find(6)?.oid).toBe(newest.oid);
    expect(line.find(2)?.oid).toBe(view.commitWithSeq(MAIN_REF, 2)?.oid);
    expect(line.find(5)?.oid).toBe(view.commitWithSeq(MAIN_REF, 5)?.oid);
    expect([line.find(7), line.find(0)]).toEqual([undefined, undefined]);
    expect(lineTo(view, newest).oldest().oid).toBe(view.commitWithSeq(MAIN_REF, 1)?.oid);
  });
});
