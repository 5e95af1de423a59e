/**
 * What else than the branch itself holds on to its history: tags, other branches, work trees, reflogs.
 *
 * Owns the question which refs count and how far down the branch each of them reaches. It reads only.
 *
 * A tag asks for its own commit's tree and for nothing before it. Everything else under `refs/`, and what a work tree has
 * under its own (`worktrees/NAME/refs/bisect`), is somebody's place in the history (a fork, a remote-tracking branch, a
 * bisection, a note), and a detached `HEAD` is one too: what they reach stays reachable, so the boundary does not pass the
 * newest commits of the branch that they are built on.
 *
 * A line of a reflog counts as a tag: `git fsck` wants its commits, `git checkout @{1}` their trees, and a work tree's index
 * names files of the last of them. Git expires them after 90 days, ours has none. What such a line names may be gone.
 *
 * Worked example: `try` was forked at commit 100 and has two commits of its own; `v1` is a tag on commit 20; main is at
 * 500. The boundary may go up to 100. At 100, commit 20 is kept as an island: its tree, not its parents.
 */
import { Buffer } from "node:buffer";
import type { Seq } from "../../../protocol/identifiers.js";
import type { FileSystem } from "../../platform/file-system.js";
import { oidFromHex, type Oid } from "../object/oid.js";
import type { ObjectType } from "../object/pack-decode.js";
import { listIfPresent, readIfPresent } from "../repository/durable-file.js";
import type { ObjectReader } from "../repository/object-reader.js";
import { RefStore, type Ref } from "../repository/ref-store.js";
import type { Shallow } from "../repository/shallow.js";
import { readCommit } from "../repository/walk.js";
import type { CommitChain } from "./commit-chain.js";

const TAG_PREFIX = "refs/tags/";
const DETACHED = /^([0-9a-f]{40})\s*$/;
const REFLOG_NAME = /^(?:worktrees\/[^/]+\/)?logs\//;
const REFLOG_LINE = /^([0-9a-f]{40}) ([0-9a-f]{40}) /;
const NO_OBJECT = "0".repeat(40);
const TAG_TARGET = /^object ([0-9a-f]{40})\n/;
/** Tags of tags of tags: nobody goes deeper than this except to do harm. */
const TAG_DEPTH_MAX = 64;
const SLICE_COMMITS = 32;

/** What holds on to the history beside the branch. */
export interface LiveRefs {
  /** Among them lines of reflogs, by the name of their file. */
  readonly tags: readonly Ref[];
  /** Other branches and whatever else; a detached `HEAD` has the name of its file. */
  readonly others: readonly Ref[];
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
  const own = listIfPresent(fileSystem, `${repositoryDirectory}/worktrees`).map((name) => `worktrees/${name}/`);
  const inWorktrees = own.flatMap((prefix) => filesBelow(fileSystem, repositoryDirectory, `${prefix}refs`));
  for (const name of ["HEAD", ...own.map((prefix) => `${prefix}HEAD`), ...inWorktrees]) {
    const hex = DETACHED.exec(readText(fileSystem, `${repositoryDirectory}/${name}`))?.[1];
    if (hex !== undefined) others.push({ name, oid: oidFromHex(hex) });
  }
  for (const prefix of ["", ...own]) {
    for (const name of filesBelow(fileSystem, repositoryDirectory, `${prefix}logs`)) {
      tags.push(...reflogEntries(readText(fileSystem, `${repositoryDirectory}/${name}`), name));
    }
  }
  return { tags, others };
}

function readText(fileSystem: FileSystem, path: string): string {
  return Buffer.from(readIfPresent(fileSystem, path) ?? []).toString("latin1");
}

/** The files in a directory and below it, by their paths from the repository on. */
function filesBelow(fileSystem: FileSystem, repositoryDirectory: string, directory: string): string[] {
  const files: string[] = [];
  const pending = [directory];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const name of listIfPresent(fileSystem, `${repositoryDirectory}/${next}`)) {
      const path = `${next}/${name}`;
      if (readIfPresent(fileSystem, `${repositoryDirectory}/${path}`) === undefined) pending.push(path);
      else files.push(path);
    }
  }
  return files.sort();
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
  /** Without lines of reflogs, which may lead nowhere. */
  readonly broken: readonly Ref[];
}

/** Parts the refs whose object is not there from the others; nothing can be kept for their sake. */
export function withoutBroken(reader: ObjectReader, { tags, others }: LiveRefs): SortedRefs {
  const isThere = ({ oid }: Ref): boolean => reader.has(oid);
  return {
    present: { tags: tags.filter(isThere), others: others.filter(isThere) },
    broken: [...tags, ...others].filter((ref) => !isThere(ref) && !isInReflog(ref)),
  };
}

function isInReflog({ name }: Ref): boolean {
  return REFLOG_NAME.test(name);
}

/** What a ref leads to. */
export interface Peeled {
  /** The tag objects on the way, the ref's own first; none for a branch and for a lightweight tag. */
  readonly tagObjects: readonly Oid[];
  readonly oid: Oid;
  readonly type: Exclude<ObjectType, "tag">;
}

/**
 * Follows tag objects to what they are put on.
 *
 * @throws what `ObjectReader.read` throws; Error for a tag object that names nothing
 */
export function peel(reader: ObjectReader, ref: Ref): Peeled {
  const tagObjects: Oid[] = [];
  let { oid } = ref;
  while (tagObjects.length <= TAG_DEPTH_MAX) {
    const { type, data } = reader.read(oid);
    if (type !== "tag") return { tagObjects, oid, type };
    tagObjects.push(oid);
    const hex = TAG_TARGET.exec(data.toString("latin1", 0, 64))?.[1];
    if (hex === undefined) throw new Error(`the tag object that ${ref.name} leads to does not name an object`);
    oid = oidFromHex(hex);
  }
  throw new Error(`${ref.name} leads to more than ${String(TAG_DEPTH_MAX)} tags of tags`);
}

/**
 * How far down the branch the other refs reach; refs that have nothing in common with it are not among the pins.
 *
 * @param shallow - what `readShallow` gave
 */
export function* findPins(
  reader: ObjectReader,
  history: { readonly chain: CommitChain; readonly shallow: Shallow; readonly refs: LiveRefs },
): Generator<void, Pin[]> {
  const { chain, shallow, refs } = history;
  const seen = new Set<Oid>();
  const pins: Pin[] = [];
  for (const ref of refs.others) {
    const { oid, type } = peel(reader, ref);
    const pending = type === "commit" ? [oid] : [];
    let lowest: Seq | undefined;
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      if (seen.size % SLICE_COMMITS === 0) yield;
      const { parents, trailers } = readCommit(reader, next, shallow);
      const { seq } = trailers;
      if (seq === undefined || !chain.has(seq) || chain.oidAt(seq) !== next) pending.push(...parents);
      else if (lowest === undefined || seq < lowest) lowest = seq;
    }
    if (lowest !== undefined) pins.push({ ref: ref.name, seq: lowest });
  }
  return pins;
}
