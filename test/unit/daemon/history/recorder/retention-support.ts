/**
 * Histories for the tests of retention: recorded by the recorder into a repository on any file system.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import type { Seq } from "../../../../../protocol/identifiers.js";
import { hexFromOid, type Oid } from "../../../../../daemon/history/object/oid.js";
import {
  removeCompactionNote,
  runCompaction,
  type CompactionContext,
  type CompactionOutcome,
  type CompactionTarget,
} from "../../../../../daemon/history/recorder/compaction.js";
import { HistoryRecorder } from "../../../../../daemon/history/recorder/recorder.js";
import { MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import type { OwnForks } from "../../../../../daemon/history/recorder/own-forks.js";
import { RemovalGuard } from "../../../../../daemon/history/recorder/removal-guard.js";
import { RetiredPacks } from "../../../../../daemon/history/recorder/retired-packs.js";
import { ObjectReader } from "../../../../../daemon/history/repository/object-reader.js";
import { RefStore } from "../../../../../daemon/history/repository/ref-store.js";
import type { FileSystem } from "../../../../../daemon/platform/file-system.js";
import type { Commit } from "../../../../../daemon/store/commit.js";
import { emptyRoot, type Root } from "../../../../../daemon/store/root.js";
import { commitBetween, editRoot, type Edit } from "../../../../property/history-generator.js";

/** Commits and the roots after each of them; `roots[seq]`, and `roots[0]` is empty. */
export interface History {
  readonly commits: Commit[];
  readonly roots: Root[];
}

/** One commit for each edit. */
export function historyOfEdits(edits: readonly Edit[]): History {
  const roots = [emptyRoot()];
  const commits: Commit[] = [];
  for (const [index, edit] of edits.entries()) {
    const before = roots[index] as Root;
    const root = editRoot(before, edit, (index + 1) as Seq);
    roots.push(root);
    commits.push(commitBetween(before, root, index + 1));
  }
  return { commits, roots };
}

/** A history in which each commit writes a value nobody wrote before, so that much of it is of no use later. */
export function historyOfValues(length: number, valueBytes = 200): History {
  const { node } = emptyRoot();
  return historyOfEdits(
    Array.from({ length }, (_, index) => ({
      kind: "set",
      names: ["domain", String(index % 7), `n${String(index % 5)}`],
      value: `${String(index)} `.repeat(valueBytes / 5).slice(0, valueBytes),
      perms: node.perms,
    })),
  );
}

/** A recorder of a branch; of main unless told. */
export function openRecorder(fileSystem: FileSystem, repositoryDirectory: string, ref = MAIN_REF): HistoryRecorder {
  return new HistoryRecorder({ fileSystem, repositoryDirectory, ref, hostName: "host" });
}

/** A fork that is being recorded, and what it should hold. */
export interface RecordedFork {
  readonly ref: string;
  readonly recorder: HistoryRecorder;
  /** The commit that it started from. */
  readonly base: Seq;
  /** From that of the base on: `roots[seq - base]`. */
  readonly roots: Root[];
}

/** Starts a fork at a commit of main, and records it. */
export function startFork(
  fileSystem: FileSystem,
  repositoryDirectory: string,
  start: { readonly ref: string; readonly oid: Oid; readonly seq: number; readonly root: Root },
): RecordedFork {
  const { ref, oid, seq, root } = start;
  new RefStore(fileSystem, repositoryDirectory).update(ref, { expected: undefined, to: oid });
  // A recorder cleans up when it is opened, which must not take away what a compaction is writing.
  const others: FileSystem = {
    ...fileSystem,
    list: (directory) => fileSystem.list(directory).filter((name) => !name.startsWith("incoming-")),
  };
  return { ref, recorder: openRecorder(others, repositoryDirectory, ref), base: seq as Seq, roots: [root] };
}

/** Records commits on a fork, each with a value that no other branch has, and seals them. Returns the new pack. */
export function recordOnFork({ ref, recorder, base, roots }: RecordedFork, count = 1): string {
  for (let index = 0; index < count; index++) {
    const before = roots.at(-1) as Root;
    const seq = base + roots.length;
    const after = writeValue(before, ["fork", String(seq % 3)], { value: `${ref} ${String(seq)}`, seq });
    roots.push(after);
    recorder.record(commitBetween(before, after, seq));
  }
  return recorder.seal() as string;
}

/** Records the merge of a commit on main as its next commit, and seals it. Returns the new pack. */
export function recordMerge(recorder: HistoryRecorder, roots: Root[], merged: Oid): string {
  const before = roots.at(-1) as Root;
  const seq = roots.length;
  const after = writeValue(before, ["merged"], { value: hexFromOid(merged), seq });
  roots.push(after);
  recorder.record(commitBetween(before, after, seq, { merged: hexFromOid(merged) }));
  return recorder.seal() as string;
}

function writeValue(
  root: Root,
  names: string[],
  { value, seq }: { readonly value: string; readonly seq: number },
): Root {
  return editRoot(root, { kind: "set", names, value, perms: emptyRoot().node.perms }, seq as Seq);
}

/** Records and seals; a pack for each `packCommits` commits. Returns their names. */
export function recordAll(recorder: HistoryRecorder, commits: readonly Commit[], packCommits: number): string[] {
  const packs: (string | undefined)[] = [];
  for (const [index, commit] of commits.entries()) {
    recorder.record(commit);
    if (index % packCommits === packCommits - 1) packs.push(recorder.seal());
  }
  packs.push(recorder.seal());
  return packs.filter((pack) => pack !== undefined);
}

/** Runs a generator to its end. */
export function finish<Result>(steps: Generator<unknown, Result>): Result {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** A compaction's surroundings, on a clock that stands still until it is told. */
export interface Surroundings {
  readonly context: CompactionContext;
  readonly retired: RetiredPacks;
  /** Lets the time pass after which superseded packs are removed, as the daemon does some minutes later. */
  readonly removeRetired: () => void;
}

/** Makes the surroundings of a compaction of the branch main. */
export function surround(fileSystem: FileSystem, repositoryDirectory: string, forks?: OwnForks): Surroundings {
  let now = 0;
  const retired = new RetiredPacks({
    fileSystem,
    repositoryDirectory,
    monotonicMilliseconds: () => now,
    leastMilliseconds: 1000,
    mostMilliseconds: 1000,
    isInUse: () => false,
  });
  retired.load();
  const reader = new ObjectReader(fileSystem, repositoryDirectory);
  const repository = { fileSystem, repositoryDirectory, reader, branch: MAIN_REF, forks };
  const context: CompactionContext = { ...repository, retired, guard: new RemovalGuard(repository) };
  const removeRetired = (): void => {
    now += 1000;
    retired.removeDue(() => (context.guard.objection() === undefined ? "remove" : "give back"));
    removeCompactionNote(context);
  };
  return { context, retired, removeRetired };
}

/** Compacts, and removes what was retired. */
export function compactNow(
  fileSystem: FileSystem,
  repositoryDirectory: string,
  target: CompactionTarget,
): CompactionOutcome {
  const { context, removeRetired } = surround(fileSystem, repositoryDirectory);
  const outcome = finish(runCompaction(context, target));
  removeRetired();
  return outcome;
}

/** Copies everything below `from` to a directory of the real disk, for git to look at. */
export function copyToDisk(fileSystem: FileSystem, from: string, to: string): void {
  const pending: [string, string][] = [[from, to]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [source, target] = next;
    let names: string[];
    try {
      names = fileSystem.list(source);
    } catch {
      writeFileSync(target, fileSystem.readFile(source));
      continue;
    }
    mkdirSync(target, { recursive: true });
    for (const name of names) pending.push([`${source}/${name}`, `${target}/${name}`]);
  }
}
