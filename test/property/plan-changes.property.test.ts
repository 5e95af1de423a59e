/**
 * What rollback, revert and merge would change is what the states say: a rollback leads to the state that it names, a revert
 * undoes the commit's changes and nothing else, or says that it cannot, and a merge of commits is that of their states.
 */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { openHistory, type FoundCommit, type History, type HistoryView } from "../../daemon/history/query/history.js";
import { planMerge } from "../../daemon/history/query/plan-merge.js";
import { planRevert } from "../../daemon/history/query/plan-revert.js";
import { planRollback } from "../../daemon/history/query/plan-rollback.js";
import { MAIN_REF } from "../../daemon/history/query/refs.js";
import { applyChanges, diffRoots, sameRoot } from "../../daemon/store/diff.js";
import { graft } from "../../daemon/store/graft.js";
import { mergeRoots } from "../../daemon/store/merge/merge-roots.js";
import { getNode, type Root } from "../../daemon/store/root.js";
import type { Path, Seq } from "../../protocol/identifiers.js";
import { joinPath } from "../../protocol/path.js";
import { REPOSITORY } from "../support/recorded-history.js";
import { propertyParameters } from "../support/seed.js";
import { arbitraryEdit, type Edit } from "./history-generator.js";
import { recordEdits } from "./recorded-edits.js";

interface Recorded {
  readonly view: HistoryView;
  /** By seq; the first is the state before the first commit. */
  readonly roots: readonly Root[];
}

let history: History | undefined;

afterEach(() => {
  history?.close();
});

function record(lists: readonly (readonly Edit[])[]): Recorded {
  const { memory, roots } = recordEdits(lists);
  history?.close();
  history = openHistory(memory, REPOSITORY);
  return { view: history.view(), roots };
}

function commit(view: HistoryView, seq: number): FoundCommit {
  return view.commitWithSeq(MAIN_REF, seq) as FoundCommit;
}

function text(list: readonly object[]): string[] {
  return list.map((each) => JSON.stringify(each)).sort();
}

const commits = fc.array(fc.array(arbitraryEdit, { maxLength: 5 }), { minLength: 2, maxLength: 8 });
const prefers = fc.constantFrom("ours" as const, "theirs" as const, undefined);
const names = fc.array(fc.constantFrom("device", "device-model", "a", "0", "__proto__"), { maxLength: 3 });

describe("planRollback", () => {
  it("leads to the state that it goes back to, or to that of a subtree", () => {
    fc.assert(
      fc.property(commits, names, fc.nat(), (lists, list, pick) => {
        const { view, roots } = record(lists);
        const now = roots.at(-1) as Root;
        const to = 1 + (pick % lists.length);
        const wanted = roots[to] as Root;
        const path = joinPath(list);
        const goal = { from: commit(view, lists.length), to: commit(view, to) };
        const whole = applyChanges(now, planRollback(view, { ...goal, path: "/" as Path }), 99 as Seq);
        expect(sameRoot(whole, wanted)).toBe(true);
        if (list.length === 0) return;
        if (getNode(now, path) === undefined && getNode(wanted, path) === undefined) {
          expect(() => planRollback(view, { ...goal, path })).toThrow(/there is no node/);
          return;
        }
        const changes = planRollback(view, { ...goal, path });
        const expected = graft(now, wanted, path, 99 as Seq);
        expect(diffRoots(applyChanges(now, changes, 99 as Seq), expected)).toEqual([]);
        expect(changes.length).toBe(diffRoots(now, expected).length);
      }),
      propertyParameters(150),
    );
  });
});

describe("planRevert", () => {
  it("is the merge of the state of now with the one before the commit, on top of what the commit made", () => {
    fc.assert(
      fc.property(commits, fc.nat(), (lists, pick) => {
        const { view, roots } = record(lists);
        const undone = 2 + (pick % (lists.length - 1));
        const now = roots.at(-1) as Root;
        const sides = { base: roots[undone] as Root, ours: now, theirs: roots[undone - 1] as Root };
        const expected = mergeRoots(sides);
        const planned = planRevert(view, commit(view, lists.length), commit(view, undone));
        expect(text(planned.conflicts)).toEqual(text(expected.conflicts));
        if (expected.conflicts.length > 0) return;
        const [left, right] = [planned, expected].map(({ changes }) => applyChanges(now, changes, 99 as Seq));
        expect(sameRoot(left as Root, right as Root)).toBe(true);
      }),
      propertyParameters(150),
    );
  });

  it("refuses the commit that the history begins with", () => {
    const { view } = record([[], []]);
    expect(() => planRevert(view, commit(view, 2), commit(view, 1))).toThrow(
      /the history begins with it, and before it there was no store/,
    );
  });
});

describe("planMerge", () => {
  it("of any three commits is the merge of their states, whoever is preferred", () => {
    fc.assert(
      fc.property(commits, fc.tuple(fc.nat(), fc.nat(), fc.nat()), prefers, (lists, picks, prefer) => {
        const { view, roots } = record(lists);
        const [base, ours, theirs] = picks.map((pick) => 1 + (pick % lists.length)) as [number, number, number];
        const at = (seq: number): Root => roots[seq] as Root;
        const options = prefer === undefined ? {} : { prefer };
        const expected = mergeRoots({ base: at(base), ours: at(ours), theirs: at(theirs) }, options);
        const sides = { base: commit(view, base), ours: commit(view, ours), theirs: commit(view, theirs) };
        const planned = planMerge(view, sides, prefer);
        expect(text(planned.conflicts)).toEqual(text(expected.conflicts));
        expect(text(planned.settled)).toEqual(text(expected.settled));
        if (expected.conflicts.length > 0) return;
        const [left, right] = [planned, expected].map(({ changes }) => applyChanges(at(ours), changes, 99 as Seq));
        expect(sameRoot(left as Root, right as Root)).toBe(true);
      }),
      propertyParameters(300),
    );
  });
});
