/**
 * What else than the branch itself holds on to its history: tags, other branches, work trees, reflogs.
 *
 * Owns the question which refs count and how far down the branch each of them reaches. It reads only.
 *
 * A tag asks for its own commit's tree and for nothing before it. Everything else under `refs/`, and what a work tree has
 * under its own (`worktrees/NAME/refs/bisect`), is somebody's place in the history (a fork, a remote-tracking branch, a
 * bisection, a note), and a detached `HEAD` is one too: what they reach stays reachable, so the boundary does not pass the
 * newest commits of the branch that they are built on. What was merged into the branch holds on to nothing: when its ref is
 * deleted, it is kept as far as the branch is (mark-needed.ts).
 *
 * A line of a reflog counts as a tag: `git fsck` wants its commits, and `git checkout @{1}` their trees. Git expires them
 * after 90 days, ours has none. What such a line names may be gone. What an index names stays too, as it does in `git gc`.
 *
 * Worked example: `try` was forked at commit 100 and has two commits of its own; `v1` is a tag on commit 20; main is at
 * 500. The boundary may go up to 100. At 100, commit 20 is kept as an island: its tree, not its parents.
 */
import { Buffer } from "node:buffer";
import type { Seq } from "../../../protocol/identifiers.js";
import type { FileSystem } from "../../platform/file-system.js";
import { oidFromHex, type Oid } from "../object/oid.js";
import { listIfPresent, readIfPresent } from "../repository/durable-file.js";
import type { ObjectReader } from "../repository/object-reader.js";
import { DamagedObjectError } from "../repository/errors.js";
import { ifPresent, peel } from "../repository/peel.js";
import { RefStore, type Ref } from "../repository/ref-store.js";
import { indexedObjects, type IndexedObjects } from "../repository/work-tree-index.js";
import type { Shallow } from "../repository/shallow.js";
import { NotACommitError, readCommit } from "../repository/walk.js";
import type { CommitChain } from "./commit-chain.js";

const TAG_PREFIX = "refs/tags/";
const DETACHED = /^([0-9a-f]{40})\s*$/;
const REFLOG_NAME = /^(?:worktrees\/[^/]+\/)?logs\//;
const REFLOG_LINE = /^([0-9a-f]{40}) ([0-9a-f]{40}) /;
const NO_OBJECT = "0".repeat(40);
const SLICE_COMMITS = 32;

/** What holds on to the history beside the branch. */
export interface LiveRefs {
  /** Among them lines of reflogs, by the name of their file. */
  readonly tags: readonly Ref[];
  /** Other branches and whatever else; a detached `HEAD` has the name of its file. */
  readonly others: readonly Ref[];
  /** What indexes of work trees name. */
  readonly staged: IndexedObjects;
}

/** How far down a branch something else reaches. */
export interface Pin {
  readonly ref: string;
  /** The oldest commit of the branch that it is built on. */
  readonly seq: Seq;
}

/**
 * Lists them as they are now.
 *
 * @param branch - full name of the ref that is left out
 * @throws DamagedRefError
 */
export function listLiveRefs(fileSystem: FileSystem, repositoryDirectory: string, branch: string): LiveRefs {
  const tags: Ref[] = [];
  const others: Ref[] = [];
  for (const ref of new RefStore(fileSystem, repositoryDirectory).list()) {
    if (ref.name === branch) continue;
    (ref.name.startsWith(TAG_PREFIX) ? tags : others).push(ref);
  }
  const staged: IndexedObjects = { blobs: new Set(), trees: new Set() };
  const own = listIfPresent(fileSystem, `${repositoryDirectory}/worktrees`).map((name) => `worktrees/${name}/`);
  const place = { fileSystem, repositoryDirectory };
  const inWorktrees = own.flatMap((prefix) => filesBelow(place, `${prefix}refs`));
  for (const { name, text } of [...["", ...own].map((prefix) => readText(place, `${prefix}HEAD`)), ...inWorktrees]) {
    const hex = DETACHED.exec(text)?.[1];
    if (hex !== undefined) others.push({ name, oid: oidFromHex(hex) });
  }
  for (const prefix of ["", ...own]) {
    for (const { name, text } of filesBelow(place, `${prefix}logs`)) {
      for (const ref of reflogEntries(text, name)) tags.push(ref);
    }
    for (const { blobs, trees } of readIndexes(place, prefix)) {
      for (const blob of blobs) staged.blobs.add(blob);
      for (const tree of trees) staged.trees.add(tree);
    }
  }
  return { tags, others, staged };
}

interface Place {
  readonly fileSystem: FileSystem;
  readonly repositoryDirectory: string;
}

interface NamedText {
  /** Path from the repository on. */
  readonly name: string;
  readonly text: string;
}

function readText({ fileSystem, repositoryDirectory }: Place, name: string): NamedText {
  const content = readIfPresent(fileSystem, `${repositoryDirectory}/${name}`);
  return { name, text: Buffer.from(content ?? []).toString("latin1") };
}

/** The files in a directory and below it, sorted by name. */
function filesBelow({ fileSystem, repositoryDirectory }: Place, directory: string): NamedText[] {
  const files: NamedText[] = [];
  const pending = [directory];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const entry of listIfPresent(fileSystem, `${repositoryDirectory}/${next}`)) {
      const name = `${next}/${entry}`;
      const content = readIfPresent(fileSystem, `${repositoryDirectory}/${name}`);
      if (content === undefined) pending.push(name);
      else files.push({ name, text: Buffer.from(content).toString("latin1") });
    }
  }
  return files.sort((left, right) => (left.name < right.name ? -1 : 1));
}

/** The index of a work tree, and those that it shares (`git update-index --split-index`). */
function readIndexes({ fileSystem, repositoryDirectory }: Place, prefix: string): IndexedObjects[] {
  const directory = `${repositoryDirectory}/${prefix}`;
  const names = listIfPresent(fileSystem, directory).filter(
    (name) => name === "index" || name.startsWith("sharedindex."),
  );
  return names.flatMap((name) => {
    const content = readIfPresent(fileSystem, directory + name);
    // Git replaces an index by rename; one that cannot be read is of no use to Git either.
    const objects = content === undefined ? undefined : indexedObjects(content);
    return objects === undefined ? [] : [objects];
  });
}

/** Lines `OLD NEW WHO WHEN\tWHAT`; each object once. */
function reflogEntries(text: string, name: string): Ref[] {
  const found = new Set<string>();
  for (const line of text.split("\n")) {
    const [, ...both] = REFLOG_LINE.exec(line) ?? [];
    for (const hex of both) if (hex !== NO_OBJECT) found.add(hex);
  }
  return [...found].map((hex) => ({ name, oid: oidFromHex(hex) }));
}

/** Refs that lead somewhere, and those whose object is gone: a line of an old reflog, or a ref that somebody broke. */
export interface SortedRefs {
  readonly present: LiveRefs;
  readonly broken: readonly Ref[];
}

/** Parts the refs whose object is not there from the others; nothing can be kept for their sake. */
export function* withoutBroken(reader: ObjectReader, { tags, others, staged }: LiveRefs): Generator<void, SortedRefs> {
  const broken: Ref[] = [];
  let looked = 0;
  function* present(refs: readonly Ref[]): Generator<void, Ref[]> {
    const found: Ref[] = [];
    for (const ref of refs) {
      if (++looked % SLICE_COMMITS === 0) yield;
      (reader.has(ref.oid) ? found : broken).push(ref);
    }
    return found;
  }
  const whole = { tags: yield* present(tags), others: yield* present(others), staged };
  return { present: whole, broken };
}

/** Whether it is a person's to mend: lines of reflogs may lead nowhere. */
export function isReported({ name }: Ref): boolean {
  return !REFLOG_NAME.test(name);
}

/**
 * Runs a walk from a ref.
 *
 * @throws what the walk throws; damage with the ref's name before it
 */
export function* onBehalfOf<Result>(ref: Ref, walk: Generator<void, Result>): Generator<void, Result> {
  try {
    return yield* walk;
  } catch (error) {
    if (!(error instanceof DamagedObjectError || error instanceof NotACommitError)) throw error;
    throw new Error(`${ref.name} cannot be followed: ${error.message}`, { cause: error });
  }
}

/**
 * How far down the branch the other refs reach; refs that have nothing in common with it are not among the pins.
 *
 * @param shallow - what `readShallow` gave
 * @throws what `onBehalfOf` throws
 */
export function* findPins(
  reader: ObjectReader,
  history: { readonly chain: CommitChain; readonly shallow: Shallow; readonly refs: LiveRefs },
): Generator<void, Pin[]> {
  const { chain, shallow, refs } = history;
  const seen = new Set<Oid>();
  const pins: Pin[] = [];
  function* lowestOf(ref: Ref): Generator<void, Seq | undefined> {
    const { oid, type } = peel(reader, ref);
    const pending = type === "commit" ? [oid] : [];
    let lowest: Seq | undefined;
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      if (seen.size % SLICE_COMMITS === 0) yield;
      const commit = next;
      const found = ifPresent(() => readCommit(reader, commit, shallow));
      if (found === undefined) continue;
      const { parents, trailers } = found;
      const { seq } = trailers;
      if (seq === undefined || !chain.has(seq) || chain.oidAt(seq) !== next) pending.push(...parents);
      else if (lowest === undefined || seq < lowest) lowest = seq;
    }
    return lowest;
  }
  for (const ref of refs.others) {
    const lowest = yield* onBehalfOf(ref, lowestOf(ref));
    if (lowest !== undefined) pins.push({ ref: ref.name, seq: lowest });
  }
  return pins;
}
