/**
 * Whatever is asked about a fork, the answer is what a walk from its tip finds, with whatever indexes there are: after any forks of
 * forks, seals, repairs, lost indexes, cuts, and branches that were removed and made anew.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Oid } from "../../daemon/history/object/oid.js";
import { blame } from "../../daemon/history/query/blame.js";
import { lineTo } from "../../daemon/history/query/commit-line.js";
import { countFlips } from "../../daemon/history/query/flips.js";
import { openHistory, type History, type HistoryView } from "../../daemon/history/query/history.js";
import { walkLog } from "../../daemon/history/query/log.js";
import { rememberingSource, walkingCommitsTouching } from "../../daemon/history/query/touching-commits.js";
import { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import type { FoundCommit } from "../../daemon/history/repository/find-commit.js";
import { MAIN_REF } from "../../daemon/history/repository/layout.js";
import { RefStore } from "../../daemon/history/repository/ref-store.js";
import { seqIndexPath } from "../../daemon/history/repository/seq-index.js";
import type { IndexedCommit } from "../../daemon/history/repository/seq-index-writer.js";
import { readShallow, updateShallow } from "../../daemon/history/repository/shallow.js";
import { emptyRoot, type Root } from "../../daemon/store/root.js";
import type { Path, Seq } from "../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import { parsePredicate } from "../../protocol/predicate/parse-predicate.js";
import type { MemoryFileSystem } from "../support/memory-file-system.js";
import { diskWithRepository, REPOSITORY } from "../support/recorded-history.js";
import { propertyParameters } from "../support/seed.js";
import { commitBetween, editRoot, type Edit } from "./history-generator.js";

/** So small that runs are made and merged. */
const LIMITS = { postingsMax: 12, pathsMax: 7, tailBytesMax: 600, runBytesMax: 100_000 };
const PATHS = ["/", "/a", "/a/a", "/a/b", "/b", "/never"] as Path[];
const PREDICATE = parsePredicate('exists /a/b or value /b = "1"');

const names = fc.constantFrom<string[]>(["a"], ["b"], ["a", "a"], ["a", "b"], ["c"]);
const perms = fc.constantFrom("n0", "r5").map((text) => parsePerms([text]) as Perms);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("set" as const), names, value: fc.constantFrom("", "1"), perms }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove" as const), names }) },
);

type Action =
  | { readonly kind: "commits"; readonly branch: number; readonly lists: readonly (readonly Edit[])[] }
  | { readonly kind: "steps"; readonly branch: number; readonly count: number }
  /** A branch is made of a commit of another; one of the name is removed before. By hand nobody records on it. */
  | {
      readonly kind: "fork";
      readonly from: number;
      readonly at: number;
      readonly name: number;
      readonly isByHand: boolean;
    }
  /** The recorder of a branch stops, its index of seqs is lost, and it starts. */
  | { readonly kind: "lost"; readonly branch: number }
  /** What is before a commit is given up. */
  | { readonly kind: "cut"; readonly branch: number; readonly at: number };

const fraction = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const branch = fc.nat(30);
const lists = fc.array(fc.array(edit, { maxLength: 2 }), { minLength: 1, maxLength: 12 });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("commits"), branch, lists }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("steps"), branch, count: fc.integer({ min: 1, max: 100 }) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("fork"),
      from: branch,
      at: fraction,
      name: fc.nat(3),
      isByHand: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("lost"), branch }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cut"), branch, at: fraction }) },
);

/** A branch, and what its commits are. */
interface Branch {
  readonly ref: string;
  readonly base: IndexedCommit | undefined;
  /** Undefined where somebody made the branch by hand. */
  recorder: HistoryRecorder | undefined;
  /** The states after commit 0, 1, 2, … */
  readonly roots: Root[];
}

/** A repository with its branches, and somebody who has read it from the beginning. */
class World {
  readonly memory: MemoryFileSystem = diskWithRepository();
  readonly history: History = openHistory(this.memory, REPOSITORY);
  /** Some sort before main. */
  readonly branches = new Map<string, Branch>();

  constructor(first: readonly (readonly Edit[])[]) {
    const main: Branch = { ref: MAIN_REF, base: undefined, recorder: undefined, roots: [emptyRoot()] };
    this.branches.set(MAIN_REF, main);
    main.recorder = this.open(main);
    this.commit(main, first);
  }

  open({ ref, base }: Branch): HistoryRecorder {
    const place = { fileSystem: this.memory, repositoryDirectory: REPOSITORY, ref, hostName: ref.slice(11) };
    return new HistoryRecorder({ ...place, forkedFrom: base, pathIndexLimits: LIMITS });
  }

  commit({ recorder, roots }: Branch, edits: readonly (readonly Edit[])[]): void {
    if (recorder === undefined) return;
    for (const list of edits) {
      const seq = roots.length as Seq;
      const before = roots.at(-1) as Root;
      let after = before;
      for (const each of list) after = editRoot(after, each, seq);
      roots.push(after);
      recorder.record(commitBetween(before, after, seq));
    }
    recorder.seal();
  }

  run(step: Action): void {
    const all = [...this.branches.values()];
    const chosen = all[(step.kind === "fork" ? step.from : step.branch) % all.length] as Branch;
    if (step.kind === "commits") this.commit(chosen, step.lists);
    else if (step.kind === "steps") {
      for (let count = 0; count < step.count; count++) chosen.recorder?.repairIndex(1);
    } else if (step.kind === "lost") {
      if (chosen.recorder === undefined) return;
      chosen.recorder.close();
      const path = seqIndexPath({ repositoryDirectory: REPOSITORY, ref: chosen.ref });
      if (this.memory.exists(path)) this.memory.remove(path);
      chosen.recorder = this.open(chosen);
    } else if (step.kind === "fork") this.fork(chosen, step);
    else this.cut(chosen, step.at);
  }

  fork(from: Branch, { at, name, isByHand }: Extract<Action, { kind: "fork" }>): void {
    const found = this.commitAt(from, at);
    const ref = `refs/heads/${["a", "b/c", "x", "y"][name] as string}`;
    const { seq } = found.commit.trailers as { seq: Seq };
    const roots = from.roots.slice(0, seq + 1);
    const refs = new RefStore(this.memory, REPOSITORY);
    this.branches.get(ref)?.recorder?.close();
    refs.update(ref, { expected: refs.read(ref), to: found.oid });
    const made: Branch = { ref, base: { oid: found.oid, seq }, recorder: undefined, roots };
    this.branches.set(ref, made);
    if (!isByHand) made.recorder = this.open(made);
  }

  /** A commit that a branch has not given up. */
  commitAt({ ref }: Branch, at: number): FoundCommit {
    const line = walk(this.history.view(), ref);
    return line[Math.floor(at * line.length)] as FoundCommit;
  }

  cut(branch: Branch, at: number): void {
    const { oid, commit } = this.commitAt(branch, at);
    const seq = commit.trailers.seq as Seq;
    if (seq === 1) return;
    const expected = readShallow(this.memory, REPOSITORY);
    updateShallow(this.memory, REPOSITORY, { expected, to: new Set([...expected, oid]) });
    if (branch.base === undefined) branch.recorder?.noteBeginning(seq);
  }

  check(): void {
    const bare = this.memory.fork();
    for (const kind of ["seq", "paths"]) removeAll(bare, `${REPOSITORY}/xenstore-tng/${kind}`);
    const walked = openHistory(bare, REPOSITORY);
    for (const { ref } of this.branches.values()) {
      const expected = walk(walked.view(), ref);
      checkSeqs(this.history.view(), ref, expected);
      checkSeqs(walked.view(), ref, expected);
      expect(answers(this.history.view(), ref)).toEqual(answers(walked.view(), ref));
    }
    walked.close();
  }

  close(): void {
    this.history.close();
    for (const { recorder } of this.branches.values()) recorder?.close();
  }
}

function removeAll(memory: MemoryFileSystem, directory: string): void {
  if (!memory.exists(directory)) return;
  for (const name of memory.list(directory)) {
    try {
      memory.remove(`${directory}/${name}`);
    } catch {
      removeAll(memory, `${directory}/${name}`);
    }
  }
}

/** The commits of a branch, newest first, from parent to parent. */
function walk(view: HistoryView, ref: string): FoundCommit[] {
  const line: FoundCommit[] = [];
  for (let at = view.tip(ref); at !== undefined; at = view.previous(at)) line.push(at);
  return line;
}

function checkSeqs(view: HistoryView, ref: string, line: readonly FoundCommit[]): void {
  const tip = line[0]?.commit.trailers.seq ?? 0;
  const expected = new Map<number, Oid>(line.map(({ oid, commit }) => [commit.trailers.seq ?? 0, oid]));
  for (let seq = 0; seq <= tip + 1; seq++) {
    expect(view.commitWithSeq(ref, seq)?.oid, `${ref}@{${String(seq)}}`).toBe(expected.get(seq));
  }
  expect(view.oldest(ref)?.oid).toBe(line.at(-1)?.oid);
}

function answers(view: HistoryView, ref: string): unknown[] {
  const to = view.tip(ref) as FoundCommit;
  const line = lineTo(view, to);
  const source = rememberingSource(view.reader);
  const commitsTouching = walkingCommitsTouching(view, line, { source, mayGoOn: () => true });
  const ends = { good: line.oldest().commit.trailers.seq ?? 0, bad: to.commit.trailers.seq ?? 0 };
  return [
    countFlips(PREDICATE, { line, source, commitsTouching }, ends),
    ...PATHS.map((path) => [
      path,
      [...walkLog(view, { to }, { path })].map(({ oid }) => oid),
      blame(view, to, path).map((each) => [each.path, each.commit?.seq]),
    ]),
  ];
}

describe("forks", () => {
  it("give the answers of a walk: commits by seq, log, blame and flips", () => {
    fc.assert(
      fc.property(lists, fc.array(action, { minLength: 1, maxLength: 14 }), (first, actions) => {
        const world = new World(first);
        for (const [index, step] of actions.entries()) {
          world.run(step);
          if (index % 4 === 3) world.check();
        }
        world.check();
        for (const { recorder } of world.branches.values())
          while (recorder?.isIndexIncomplete === true) recorder.repairIndex(1000);
        world.check();
        world.close();
      }),
      propertyParameters(60),
    );
  });
});
