/**
 * What main and a fork have in common is what a walk over all parents finds, whatever was forked of what, deleted, made again
 * and merged before; and the merge from there is that of the states.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Oid } from "../../daemon/history/object/oid.js";
import { hexFromOid } from "../../daemon/history/object/oid.js";
import { openHistory, type History, type HistoryView } from "../../daemon/history/query/history.js";
import { findMergeBase } from "../../daemon/history/query/merge-base.js";
import { planMerge } from "../../daemon/history/query/plan-merge.js";
import type { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import { MAIN_REF } from "../../daemon/history/repository/layout.js";
import { RefStore } from "../../daemon/history/repository/ref-store.js";
import { applyChanges, diffRoots } from "../../daemon/store/diff.js";
import { mergeRoots, type Merge } from "../../daemon/store/merge/merge-roots.js";
import { emptyRoot, type Root } from "../../daemon/store/root.js";
import type { Seq } from "../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import { diskWithRepository, openFork, openRecorder, REPOSITORY } from "../support/recorded-history.js";
import { propertyParameters } from "../support/seed.js";
import { commitBetween, editRoot, type Edit } from "./history-generator.js";

const NAMES = ["a", "b", "c"];

type Action =
  | { readonly kind: "commit"; readonly branch: number; readonly edit: Edit }
  /** Of any commit that ever was, main's or a fork's, also of one that was deleted. */
  | { readonly kind: "fork"; readonly name: number; readonly of: number }
  | { readonly kind: "merge"; readonly branch: number };

const perms = parsePerms(["n0"]) as Perms;
const names = fc.constantFrom<string[]>(["x"], ["y"], ["x", "y"]);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("set" as const),
      names,
      value: fc.constantFrom("1", "2"),
      perms: fc.constant(perms),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove" as const), names }) },
);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("commit"), branch: fc.nat(), edit }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("fork"), name: fc.nat(), of: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("merge"), branch: fc.nat() }) },
);

interface Branch {
  readonly ref: string;
  readonly recorder: HistoryRecorder;
  tip: Oid;
  merge: { readonly tip: string; readonly seq: number } | undefined;
}

interface Made {
  readonly seq: number;
  readonly root: Root;
  readonly parents: readonly Oid[];
}

class World {
  readonly memory = diskWithRepository();
  readonly history: History = openHistory(this.memory, REPOSITORY);
  readonly refs = new RefStore(this.memory, REPOSITORY);
  readonly made = new Map<Oid, Made>();
  readonly main: Branch;
  readonly forks = new Map<string, Branch>();
  merges = 0;

  constructor() {
    this.main = { ref: MAIN_REF, recorder: openRecorder(this.memory), tip: "" as Oid, merge: undefined };
    this.commit(this.main, emptyRoot());
  }

  async run(step: Action): Promise<void> {
    const branches = [this.main, ...this.forks.values()];
    const chosen = branches[(step.kind === "fork" ? 0 : step.branch) % branches.length] as Branch;
    if (step.kind === "commit") {
      const { root, seq } = this.made.get(chosen.tip) as Made;
      this.commit(chosen, editRoot(root, step.edit, (seq + 1) as Seq));
    } else if (step.kind === "fork") this.fork(step);
    else if (chosen !== this.main) await this.merge(chosen);
  }

  commit(branch: Branch, after: Root, merged?: Oid): void {
    const before = this.made.get(branch.tip) ?? { seq: 0, root: emptyRoot() };
    const seq = before.seq + 1;
    const details = merged === undefined ? {} : { merged: hexFromOid(merged) };
    branch.recorder.record(commitBetween(before.root, after, seq, details));
    branch.recorder.seal();
    const parents = [...(branch.tip === "" ? [] : [branch.tip]), ...(merged === undefined ? [] : [merged])];
    branch.tip = this.refs.read(branch.ref) as Oid;
    this.made.set(branch.tip, { seq, root: after, parents });
  }

  fork({ name, of }: Extract<Action, { kind: "fork" }>): void {
    const ref = `refs/heads/${NAMES[name % NAMES.length] as string}`;
    const all = [...this.made.keys()];
    const base = all[of % all.length] as Oid;
    this.forks.get(ref)?.recorder.close();
    const before = this.refs.read(ref);
    if (before !== undefined) this.refs.delete(ref, { expected: before });
    const { seq } = this.made.get(base) as Made;
    const recorder = openFork(this.memory, ref, { oid: base, seq: seq as Seq });
    this.forks.set(ref, { ref, recorder, tip: base, merge: undefined });
  }

  /** Merges a fork as the daemon does. */
  async merge(fork: Branch): Promise<void> {
    const view = this.history.view();
    const base = await this.base(view, fork);
    if (base === fork.tip) return;
    const [ours, theirs] = [view.commit(this.main.tip), view.commit(fork.tip)];
    const now = (this.made.get(this.main.tip) as Made).root;
    const { changes } = planMerge(view, { base: view.commit(base), ours, theirs }, "theirs");
    this.commit(this.main, applyChanges(now, changes, 99 as Seq), fork.tip);
    fork.merge = { tip: hexFromOid(fork.tip), seq: (this.made.get(this.main.tip) as Made).seq };
    this.merges++;
  }

  async base(view: HistoryView, { ref, tip, merge }: Branch): Promise<Oid> {
    const side = { ref, tip: view.commit(tip) };
    const pause = (): Promise<unknown> => Promise.resolve();
    const found = await findMergeBase(view, side, pause);
    const knowing = await findMergeBase(view, { ...side, merge }, pause);
    expect(knowing?.commit.oid).toBe(found?.commit.oid);
    return found?.commit.oid as Oid;
  }

  /** All commits that lead to one, itself too. */
  ancestors(oid: Oid): Set<Oid> {
    const found = new Set<Oid>();
    const pending = [oid];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (found.has(next)) continue;
      found.add(next);
      pending.push(...(this.made.get(next) as Made).parents);
    }
    return found;
  }

  async check(): Promise<void> {
    const view = this.history.view();
    const mains = this.ancestors(this.main.tip);
    for (const fork of this.forks.values()) {
      const common = [...this.ancestors(fork.tip)].filter((oid) => mains.has(oid));
      const inOthers = new Set(common.flatMap((oid) => [...this.ancestors(oid)].filter((each) => each !== oid)));
      const base = await this.base(view, fork);
      expect(common.filter((oid) => !inOthers.has(oid)).map(hexFromOid)).toEqual([hexFromOid(base)]);
      const [from, ours, theirs] = [base, this.main.tip, fork.tip].map((oid) => (this.made.get(oid) as Made).root);
      const sides = { base: from as Root, ours: ours as Root, theirs: theirs as Root };
      const expected = mergeRoots(sides);
      const planned = planMerge(view, {
        base: view.commit(base),
        ours: view.commit(this.main.tip),
        theirs: view.commit(fork.tip),
      });
      // Each tells them in the order of its own walk.
      const told = ({ conflicts }: Merge): readonly string[] => conflicts.map((each) => JSON.stringify(each)).sort();
      expect(told(planned)).toEqual(told(expected));
      if (expected.conflicts.length > 0) continue;
      const [left, right] = [planned, expected].map(({ changes }) => applyChanges(sides.ours, changes, 99 as Seq));
      expect(diffRoots(left as Root, right as Root)).toEqual([]);
    }
  }

  close(): void {
    this.history.close();
    for (const { recorder } of [this.main, ...this.forks.values()]) recorder.close();
  }
}

describe("findMergeBase", () => {
  it("is the best common ancestor after any forks of forks and merges, and the merge from it that of the states", async () => {
    let merges = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 4, maxLength: 30 }), async (actions) => {
        const world = new World();
        for (const step of actions) {
          await world.run(step);
          await world.check();
        }
        merges += world.merges;
        world.close();
      }),
      propertyParameters(100),
    );
    expect(merges).toBeGreaterThan(0);
  });
});
