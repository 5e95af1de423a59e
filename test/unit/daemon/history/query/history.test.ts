/** Commits by their seqs on forks. On main: `resolve-revision.test.ts`. */
import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { oidFromHex, type Oid } from "../../../../../daemon/history/object/oid.js";
import { openHistory, type History } from "../../../../../daemon/history/query/history.js";
import { RefStore } from "../../../../../daemon/history/repository/ref-store.js";
import { seqIndexPath, serializeSeqHeader } from "../../../../../daemon/history/repository/seq-index.js";
import { updateShallow } from "../../../../../daemon/history/repository/shallow.js";
import type { Seq } from "../../../../../protocol/identifiers.js";
import { BRANCHES, recordForkedHistory, refOf, type ForkedHistory } from "../../../../support/forked-history.js";
import type { MemoryFileSystem } from "../../../../support/memory-file-system.js";
import { openFork, recordAndSeal, REPOSITORY, walkedOids } from "../../../../support/recorded-history.js";

/** Some on each stretch, and on both sides of where they meet. */
const SEQS = [0, 1, 17, 699, 700, 701, 1499, 1500, 1501, 1599, 1600, 1601, 1640, 1650, 1699, 1700, 1701, 3000, 3001];

let recorded: ForkedHistory;
let oid: ForkedHistory["oid"];
let memory: MemoryFileSystem;

beforeAll(() => {
  recorded = recordForkedHistory();
  ({ oid } = recorded);
});

beforeEach(() => {
  memory = recorded.memory.fork();
});

function indexPath(branch: string): string {
  return seqIndexPath({ repositoryDirectory: REPOSITORY, ref: refOf(branch) });
}

function replaceIndex(branch: string, first: number, records: readonly (Oid | undefined)[]): void {
  if (memory.exists(indexPath(branch))) memory.remove(indexPath(branch));
  const file = memory.open(indexPath(branch), "create");
  const bytes = records.map((each) => each ?? "\0".repeat(20)).join("");
  file.write(Buffer.concat([serializeSeqHeader(first as Seq), Buffer.from(bytes, "latin1")]), 0);
  file.close();
}

/** Looks a commit up as of now; also tells how many objects were read for it. */
function lookUp(
  history: History,
  branch: string,
  seq: number,
): { readonly oid: Oid | undefined; readonly reads: number } {
  const read = vi.spyOn(history.reader, "read");
  const found = history.view().commitWithSeq(refOf(branch), seq);
  const reads = read.mock.calls.length;
  read.mockRestore();
  return { oid: found?.oid, reads };
}

/** Expects all seqs of all branches; returns the most objects that were read for one. */
function expectAll(history = openHistory(memory, REPOSITORY), branches: readonly string[] = BRANCHES): number {
  let most = 0;
  for (const branch of branches) {
    for (const seq of SEQS) {
      const found = lookUp(history, branch, seq);
      expect(found.oid, `${branch}@{${String(seq)}}`).toBe(oid(branch, seq));
      most = Math.max(most, found.reads);
    }
  }
  history.close();
  return most;
}

describe("HistoryView.commitWithSeq", () => {
  test("reads a few objects for any commit of a fork, of a fork of a fork, and of a branch without an index", () => {
    expect(expectAll()).toBeLessThan(12);
  });

  test("reads one object for each of the commits before the base, once one was found", () => {
    const history = openHistory(memory, REPOSITORY);
    const view = history.view();
    view.commitWithSeq(refOf("deeper"), 900);
    const read = vi.spyOn(history.reader, "read");
    for (let seq = 1; seq <= 1500; seq += 50)
      expect(view.commitWithSeq(refOf("deeper"), seq)?.oid).toBe(oid("main", seq));
    expect(read).toHaveBeenCalledTimes(30);
    history.close();
  });

  test.each([[["main"]], [["try"]], [["deeper"]], [["try", "deeper"]], [["main", "try", "deeper"]]])(
    "walks where the indexes of %j are missing, but only through what is in no other",
    (missing) => {
      for (const branch of missing) memory.remove(indexPath(branch));
      const most = expectAll();
      if (!missing.includes("main")) expect(most).toBeLessThan(300);
    },
  );

  test("finds it where records of either index are lost or wrong", () => {
    const blob = oidFromHex("ab".repeat(20));
    const own = walkedOids(memory, refOf("try")).slice(1500);
    for (const wrong of [undefined, blob, oid("main", 3)]) {
      replaceIndex(
        "try",
        1501,
        own.map((each, before) => (before < 50 ? wrong : each)),
      );
      const main = walkedOids(memory).map((each, before) => (before > 1400 && before < 1600 ? wrong : each));
      replaceIndex("main", 1, main);
      expect(expectAll()).toBeLessThan(1000);
    }
  });

  test("does not believe what an earlier branch of the name has left, on the disk or open", () => {
    const history = openHistory(memory, REPOSITORY);
    expect(lookUp(history, "try", 1550).oid).toBe(oid("try", 1550));
    const refs = new RefStore(memory, REPOSITORY);
    const stale = memory.readFile(indexPath("try"));
    const base = { oid: oid("main", 1520) as Oid, seq: 1520 as Seq };
    refs.update(refOf("try"), { expected: oid("try", 1700), to: base.oid });
    const expectNew = (): void => {
      const walked = walkedOids(memory, refOf("try"));
      for (const seq of [17, 1501, 1520, 1521, 1530, 1531, 1700]) {
        expect(lookUp(history, "try", seq).oid, String(seq)).toBe(walked[seq - 1]);
      }
    };
    // Somebody has moved the branch by hand.
    expectNew();
    const recorder = openFork(memory, refOf("try"), base);
    expectNew();
    recordAndSeal(recorder, 10);
    recorder.close();
    expectNew();
    // What ends before the tip does not say whose it is.
    for (const content of [stale, stale.subarray(0, 24 + 20 * 27)]) {
      memory.remove(indexPath("try"));
      const file = memory.open(indexPath("try"), "create");
      file.write(content, 0);
      file.close();
      expectNew();
    }
    history.close();
  });

  test("finds nothing that was given up, whichever branch it was given up on", () => {
    const to = new Set([oid("main", 800), oid("try", 1600)] as Oid[]);
    updateShallow(memory, REPOSITORY, { expected: new Set(), to });
    const history = openHistory(memory, REPOSITORY);
    const view = history.view();
    const beginnings = { main: 800, fresh: 1, try: 1600, deeper: 1600, hand: 1600 };
    for (const [branch, beginning] of Object.entries(beginnings)) {
      const ref = refOf(branch);
      expect(view.oldest(ref)?.oid).toBe(oid(branch, beginning));
      expect(view.cutSeq(ref)).toBe(beginning === 1 ? undefined : beginning);
      expect(view.commitWithSeq(ref, beginning)?.oid).toBe(oid(branch, beginning));
      expect(view.commitWithSeq(ref, beginning - 1)).toBeUndefined();
    }
    history.close();
  });
});

describe("HistoryView.oldest", () => {
  test("is found without a walk on a fork", () => {
    const history = openHistory(memory, REPOSITORY);
    const read = vi.spyOn(history.reader, "read");
    expect(history.view().oldest(refOf("deeper"))?.oid).toBe(oid("main", 1));
    expect(read.mock.calls.length).toBeLessThan(12);
    history.close();
  });
});

describe("HistoryView.branchWith", () => {
  test("prefers the branch whose tip the commit is, and main, and finds those of forks alone", () => {
    const history = openHistory(memory, REPOSITORY);
    const view = history.view();
    const branchWith = (branch: string, seq: number): string | undefined =>
      view.branchWith(view.commit(oid(branch, seq) as Oid));
    expect(branchWith("main", 3000)).toBe(refOf("main"));
    expect(branchWith("main", 700)).toBe(refOf("fresh"));
    expect(branchWith("main", 1500)).toBe(refOf("main"));
    expect(branchWith("try", 1501)).toBe(refOf("deeper"));
    expect(branchWith("try", 1601)).toBe(refOf("hand"));
    expect(branchWith("try", 1641)).toBe(refOf("try"));
    history.close();
  });
});

describe("a damaged ref", () => {
  function damage(branch: string): void {
    const path = `${REPOSITORY}/${refOf(branch)}`;
    if (memory.exists(path)) memory.remove(path);
    const file = memory.open(path, "create");
    file.write(Buffer.from("garbage\n"), 0);
    file.close();
  }

  test("of one branch leaves the others' history readable; that of HEAD does not", () => {
    const history = openHistory(memory, REPOSITORY);
    damage("broken");
    expect(history.view().commitWithSeq(refOf("main"), 2)?.oid).toBe(oid("main", 2));
    expect(history.view().ref(refOf("broken"))).toBeUndefined();
    damage("main");
    expect(() => history.view()).toThrow(/damaged ref: .*refs\/heads\/main/);
    history.close();
  });
});
