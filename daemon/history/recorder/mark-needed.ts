/**
 * Which objects a history still needs once its beginning is dropped.
 *
 * Owns the walk and the result: one bit for each object of each pack, by the object's place in the pack's index. It reads
 * only. A million commits bring nine million objects, so there is nothing per object but that bit, and the walk is a
 * generator that pauses after a few milliseconds at most.
 *
 * Needed are: every commit from the boundary to the tip with its tree; what other branches reach; each tag with its
 * commit's tree. The walk finds at the same time what `shallow` must list: the boundary, and every commit before it that
 * is kept for a tag's or a merge's sake, without its parents.
 *
 * How it walks: a line of commits from its oldest to its newest. Of the first the whole tree is marked, of each other what
 * differs from the one before. Invariants:
 *  1. When a commit has been handled, all that its tree brings is marked. Hence a tree that is found marked needs no look
 *     inside: it belongs to a commit that has been handled, or to the one that is being handled.
 *  2. When the walk is done, an object that is in several packs is needed in all of them or in none: whichever of them are
 *     rewritten, and whichever Git removes meanwhile because it saw another copy, one stays.
 *  3. An object that is in none of the packs is loose, or in a pack that came later. Nothing is said of those; but that it
 *     exists is checked, so that a branch which is not whole ends the walk with an error instead of losing more. What
 *     another ref needs and is not there is noted; what is there is kept.
 */
import type { Buffer } from "node:buffer";
import type { Seq } from "../../../protocol/identifiers.js";
import type { FileSystem } from "../../platform/file-system.js";
import { hexFromOid, type Oid } from "../object/oid.js";
import { MalformedTreeError, TreeDifference } from "../object/tree-difference.js";
import type { ParsedCommit } from "../object/commit-object.js";
import { MissingObjectError } from "../repository/errors.js";
import { WindowPool } from "../repository/file-window.js";
import type { ObjectReader } from "../repository/object-reader.js";
import { OidMerge } from "../repository/oid-merge.js";
import type { OidCursor } from "../repository/pack-entries.js";
import { packDirectory } from "../repository/pack-file.js";
import { PackIndex } from "../repository/pack-index.js";
import type { Ref } from "../repository/ref-store.js";
import type { Shallow } from "../repository/shallow.js";
import { readCommit } from "../repository/walk.js";
import type { CommitChain } from "./commit-chain.js";
import { onBehalfOf, type LiveRefs } from "./live-refs.js";
import { ifPresent, peel } from "../repository/peel.js";

/** What the walk works with. */
export interface MarkContext {
  readonly fileSystem: FileSystem;
  readonly repositoryDirectory: string;
  readonly reader: ObjectReader;
}

/** What is to be kept. */
export interface MarkRequest {
  readonly chain: CommitChain;
  /** A commit of the chain. */
  readonly boundary: Seq;
  readonly refs: LiveRefs;
  /** The repository's list as it is now. */
  readonly shallow: Shallow;
  /** The packs whose objects are marked, by their checksums in hexadecimal. */
  readonly packs: readonly string[];
}

/** The walk's result. */
export interface Marked {
  readonly needed: NeededObjects;
  /** What `shallow` must list; empty when the history is whole. */
  readonly shallow: Shallow;
  /** Objects that other refs need and that are not there, with one of those refs. */
  readonly missing: ReadonlyMap<Oid, Ref>;
}

interface PackMarks {
  readonly name: string;
  readonly index: PackIndex;
  readonly bits: Uint8Array;
  count: number;
}

/** How much of a pack is needed. */
export interface PackNeed {
  /** The pack's checksum in hexadecimal. */
  readonly name: string;
  readonly objects: number;
  readonly needed: number;
}

const INDEX_MEMORY = { windowBytesMax: 16 * 1024 * 1024, openFilesMax: 32 };

/** The marks. */
export class NeededObjects {
  /** The pack that answered last comes first: neighbours in a tree are neighbours in a pack. */
  readonly #packs: PackMarks[] = [];
  readonly #byName = new Map<string, PackMarks>();
  /** Needed objects that are in none of the packs. */
  readonly #elsewhere = new Set<Oid>();
  readonly #reader: ObjectReader;
  readonly #directory: string;

  /** @throws FileVanishedError, DamagedObjectError */
  constructor({ fileSystem, repositoryDirectory, reader }: MarkContext, names: readonly string[]) {
    this.#reader = reader;
    this.#directory = repositoryDirectory;
    const pool = new WindowPool(fileSystem, INDEX_MEMORY);
    try {
      for (const name of names) {
        const index = new PackIndex(pool, `${packDirectory(repositoryDirectory)}/pack-${name}.idx`);
        const pack = { name, index, bits: new Uint8Array((index.count + 7) >>> 3), count: 0 };
        this.#packs.push(pack);
        this.#byName.set(name, pack);
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Marks an object; says whether it was not marked before.
   *
   * @throws MissingObjectError when the repository does not have it
   */
  mark(oid: Oid): boolean {
    for (let place = 0; place < this.#packs.length; place++) {
      const pack = this.#packs[place] as PackMarks;
      const position = pack.index.positionOf(oid);
      if (position === undefined) continue;
      if (place > 0) {
        this.#packs.copyWithin(1, 0, place);
        this.#packs[0] = pack;
      }
      return set(pack, position);
    }
    if (this.#elsewhere.has(oid)) return false;
    if (!this.#reader.has(oid)) throw new MissingObjectError(hexFromOid(oid), this.#directory);
    this.#elsewhere.add(oid);
    return true;
  }

  /** Whether an object is marked, in whichever pack. */
  has(oid: Oid): boolean {
    if (this.#elsewhere.has(oid)) return true;
    return this.#packs.some(({ index, bits }) => {
      const position = index.positionOf(oid);
      return position !== undefined && isSet(bits, position);
    });
  }

  /** Whether the object at this place of the pack's index is marked. */
  isNeeded(pack: string, position: number): boolean {
    const marks = this.#byName.get(pack);
    if (marks === undefined) throw new RangeError(`pack ${pack} was not looked at`);
    return isSet(marks.bits, position);
  }

  /**
   * Marks the twins of what is marked (invariant 2).
   *
   * @throws FileVanishedError, DamagedObjectError
   */
  *markTwins(fileSystem: FileSystem): Generator<void, void> {
    const packs = [...this.#byName.values()];
    const counts = packs.map(({ name, index }) => ({ name, count: index.count }));
    const merge = new OidMerge(fileSystem, this.#directory, counts);
    try {
      const { cursors, tied } = merge;
      const isMarked = (number: number): boolean =>
        isSet((packs[number] as PackMarks).bits, (cursors[number] as OidCursor).position);
      for (let passed = 1; merge.find(); passed++) {
        if (tied.length > 1 && tied.some(isMarked)) {
          for (const number of tied) set(packs[number] as PackMarks, (cursors[number] as OidCursor).position);
        }
        merge.advance();
        if (passed % SLICE_TWINS === 0) yield;
      }
    } finally {
      merge.close();
    }
  }

  /** How much of each pack is marked, in the order in which the packs were given. */
  summary(): PackNeed[] {
    return [...this.#byName.values()].map(({ name, index, count }) => ({ name, objects: index.count, needed: count }));
  }

  /** Closes the indexes. `isNeeded` and `summary` still work. */
  close(): void {
    for (const { index } of this.#packs) index.close();
  }
}

/** Marks the object at a place; says whether it was not marked before. */
function set(pack: PackMarks, position: number): boolean {
  const byte = position >>> 3;
  const bit = 1 << (position & 7);
  const bits = pack.bits[byte] as number;
  if ((bits & bit) !== 0) return false;
  pack.bits[byte] = bits | bit;
  pack.count++;
  return true;
}

function isSet(bits: Uint8Array, position: number): boolean {
  return ((bits[position >>> 3] as number) & (1 << (position & 7))) !== 0;
}

/**
 * Walks over what is to be kept and marks it. The marks belong to the caller, who closes them; after an error, or when the
 * generator is returned early, they are closed.
 *
 * @throws FileVanishedError when one of the packs is gone (begin again), MissingObjectError, DamagedObjectError, and for
 *   what other refs need what `onBehalfOf` throws
 */
export function* markNeeded(context: MarkContext, request: MarkRequest): Generator<void, Marked> {
  const needed = new NeededObjects(context, request.packs);
  let isDone = false;
  try {
    const walk = new Walk(context.reader, request, needed);
    yield* walk.run();
    yield* needed.markTwins(context.fileSystem);
    isDone = true;
    return { needed, shallow: walk.listed, missing: walk.missing };
  } finally {
    if (!isDone) needed.close();
  }
}

/** In the place of a ref's name. */
const INDEX = "the index of a work tree";
/** Objects marked between two pauses. */
const SLICE_OBJECTS = 256;
/** Objects whose twins are looked for between two pauses. */
const SLICE_TWINS = 4096;
/** Tree objects that are kept because the next commit's are compared with them. */
const TREE_BYTES_MAX = 32 * 1024 * 1024;

class Walk {
  readonly listed = new Set<Oid>();
  readonly missing = new Map<Oid, Ref>();
  /** The ref for whose sake is walked; none for the branch, of which nothing may be missing. */
  #ref: Ref | undefined;
  readonly #reader: ObjectReader;
  readonly #request: MarkRequest;
  readonly #needed: NeededObjects;
  /** In the order of last use, the oldest first. */
  readonly #trees = new Map<Oid, Buffer>();
  #treeBytes = 0;
  #objects = 0;

  constructor(reader: ObjectReader, request: MarkRequest, needed: NeededObjects) {
    this.#reader = reader;
    this.#request = request;
    this.#needed = needed;
  }

  *run(): Generator<void, void> {
    const { refs } = this.#request;
    const merged = yield* this.#walkBranch();
    for (const ref of refs.others) yield* onBehalfOf(ref, this.#walkRef(ref, false));
    for (const ref of refs.tags) yield* onBehalfOf(ref, this.#walkRef(ref, true));
    yield* this.#walkStaged();
    this.#ref = undefined;
    yield* this.#walkLines(merged, true);
  }

  /** The branch from its boundary to its tip; returns what was merged into it. */
  *#walkBranch(): Generator<void, Oid[]> {
    const { chain, boundary, shallow } = this.#request;
    const merged: Oid[] = [];
    let before: Oid | undefined;
    for (let seq = boundary; seq <= chain.tip; seq = (seq + 1) as Seq) {
      const oid = chain.oidAt(seq);
      const commit = readCommit(this.#reader, oid, shallow);
      if (seq > boundary) merged.push(...commit.parents.slice(1));
      else if (commit.parents.length > 0 || shallow.has(oid)) this.listed.add(oid);
      this.#needed.mark(oid);
      if (++this.#objects % SLICE_OBJECTS === 0) yield;
      yield* this.#markTree(commit.tree, before);
      before = commit.tree;
    }
    return merged;
  }

  *#walkRef(ref: Ref, isCut: boolean): Generator<void, void> {
    this.#ref = ref;
    const { tagObjects, oid, type } = peel(this.#reader, ref);
    for (const tagObject of tagObjects) this.#needed.mark(tagObject);
    if (type === "commit") yield* this.#walkLines([oid], isCut);
    else if (type === "tree") yield* this.#markTree(oid, undefined);
    else this.#markIfPresent(oid);
  }

  *#walkStaged(): Generator<void, void> {
    const { blobs, trees } = this.#request.refs.staged;
    for (const blob of blobs) {
      this.#ref = { name: INDEX, oid: blob };
      this.#markIfPresent(blob);
      if (++this.#objects % SLICE_OBJECTS === 0) yield;
    }
    for (const tree of trees) {
      this.#ref = { name: INDEX, oid: tree };
      yield* this.#markTree(tree, undefined);
    }
  }

  /** Whether the object was not marked before; false when it is missing and may be. */
  #markIfPresent(oid: Oid): boolean {
    const ref = this.#ref;
    if (ref === undefined) return this.#needed.mark(oid);
    try {
      return this.#needed.mark(oid);
    } catch (error) {
      if (!(error instanceof MissingObjectError)) throw error;
      this.missing.set(oid, ref);
      return false;
    }
  }

  /**
   * Commits that are not of the branch, or lie before its boundary, with all their ancestors.
   *
   * @param isCut - a commit that comes before the boundary by its seq is the last that is kept
   */
  *#walkLines(starts: readonly Oid[], isCut: boolean): Generator<void, void> {
    const pending = [...starts];
    for (let start = pending.pop(); start !== undefined; start = pending.pop()) {
      const line: { readonly oid: Oid; readonly tree: Oid }[] = [];
      let next: Oid | undefined = start;
      while (next !== undefined && !this.#needed.has(next)) {
        if (++this.#objects % SLICE_OBJECTS === 0) yield;
        const oid: Oid = next;
        const commit = this.#commitIfPresent(oid);
        if (commit === undefined) {
          next = undefined;
          break;
        }
        line.push({ oid, tree: commit.tree });
        const parents = this.#keptParents(oid, commit, isCut);
        pending.push(...parents.slice(1));
        next = parents[0];
      }
      // A commit that is marked already has its tree marked (invariant 1): what differs from it is enough.
      let before = next === undefined || line.length === 0 ? undefined : readCommit(this.#reader, next).tree;
      for (let last = line.pop(); last !== undefined; last = line.pop()) {
        this.#needed.mark(last.oid);
        yield* this.#markTree(last.tree, before);
        before = last.tree;
      }
    }
  }

  #commitIfPresent(oid: Oid): ParsedCommit | undefined {
    const ref = this.#ref;
    if (ref === undefined) return readCommit(this.#reader, oid);
    const commit = ifPresent(() => readCommit(this.#reader, oid));
    if (commit === undefined) this.missing.set(oid, ref);
    return commit;
  }

  #keptParents(oid: Oid, commit: ParsedCommit, isCut: boolean): readonly Oid[] {
    const { boundary, shallow } = this.#request;
    const { seq } = commit.trailers;
    const isBefore = isCut && seq !== undefined && seq < boundary;
    if (!shallow.has(oid) && (!isBefore || commit.parents.length === 0)) return commit.parents;
    this.listed.add(oid);
    return [];
  }

  /** Marks a tree with all that it brings, or with what it brings that `before`, whose content is marked, does not. */
  *#markTree(tree: Oid, before: Oid | undefined): Generator<void, void> {
    if (tree === before) return;
    const pending: { readonly tree: Oid; readonly before: Oid | undefined }[] = [{ tree, before }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (!this.#markIfPresent(next.tree)) continue;
      if (++this.#objects % SLICE_OBJECTS === 0) yield;
      const difference = this.#difference(next);
      while (difference.next()) {
        if (difference.kind === "tree") pending.push({ tree: difference.oid(), before: difference.before() });
        else {
          this.#markIfPresent(difference.oid());
          if (++this.#objects % SLICE_OBJECTS === 0) yield;
        }
      }
    }
  }

  #difference({ tree, before }: { readonly tree: Oid; readonly before: Oid | undefined }): TreeDifference {
    const content = this.#readTree(tree);
    try {
      return new TreeDifference(content, before === undefined ? undefined : this.#readTree(before));
    } catch (error) {
      if (error instanceof MalformedTreeError) throw new Error(`tree object ${hexFromOid(tree)}: ${error.message}`);
      throw error;
    }
  }

  #readTree(oid: Oid): Buffer {
    const known = this.#trees.get(oid);
    if (known !== undefined) {
      this.#trees.delete(oid);
      this.#trees.set(oid, known);
      return known;
    }
    const { type, data } = this.#reader.read(oid);
    if (type !== "tree") throw new Error(`object ${hexFromOid(oid)} should be a tree and is a ${type}`);
    this.#trees.set(oid, data);
    this.#treeBytes += data.length;
    for (const [oldest, content] of this.#trees) {
      if (this.#treeBytes <= TREE_BYTES_MAX) break;
      this.#trees.delete(oldest);
      this.#treeBytes -= content.length;
    }
    return data;
  }
}
