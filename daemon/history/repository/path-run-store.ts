/**
 * The runs of a path index, and how they become fewer and complete.
 *
 * Owns all files of the index but the tail that grows, and the work of `path-index-writer.ts`, whose invariants hold here.
 */
import type { Seq } from "../../../protocol/identifiers.js";
import type { OpenFile } from "../../platform/file-system.js";
import { removeIfPresent, writeParts } from "./durable-file.js";
import { isErrno } from "../../platform/errno.js";
import { readCommitWithSeq, readPreviousCommit, type FoundCommit } from "./find-commit.js";
import { ObjectReader } from "./object-reader.js";
import { DamagedPathIndexError } from "./path-index-bytes.js";
import { listPathIndex, pathIndexDirectory, runName, tailName, UNFINISHED_SUFFIX } from "./path-index-files.js";
import { writeMerged, writeTouches } from "./path-run-build.js";
import { PathRun, type RunRange } from "./path-run.js";
import { PathRunWriter } from "./path-run-writer.js";
import { PathTail } from "./path-tail.js";
import { touchedNodes } from "./recorded-changes.js";
import { SeqIndex, type SeqIndexPlace } from "./seq-index.js";
import { readShallow, type Shallow } from "./shallow.js";
import { PathNumbers, TouchList } from "./touch-list.js";

/** How large the parts of the index become. */
export interface PathIndexLimits {
  /** A tail, or what was read of the commits' trees, becomes a run when the run has so many postings. */
  readonly postingsMax: number;
  /** The same for the paths of it. */
  readonly pathsMax: number;
  /** The same for the bytes of the tail's file. */
  readonly tailBytesMax: number;
  /** Runs are not merged into a larger one than this. */
  readonly runBytesMax: number;
}

/** The limits of a daemon. */
export const USUAL_LIMITS: PathIndexLimits = {
  postingsMax: 512 * 1024,
  pathsMax: 16 * 1024,
  tailBytesMax: 4 * 1024 * 1024,
  runBytesMax: 64 * 1024 * 1024,
};

/** So many runs are merged at a time: each commit is then rewritten once for each fourfold of the index. */
const MERGED_AT_ONCE = 4;
/** Full tails that may wait: each takes some milliseconds of who reads it first, and some of each look-up. */
const TAILS_WAITING_MAX = 8;
/** Between two pauses. */
const STEP_BLOCKS = 16;
const STEP_COMMITS = 2;
const STEP_NODES = 64;

/** Trees of a thousand entries are compared. */
const WALK_MEMORY = { windowBytesMax: 8 * 1024 * 1024, baseBytesMax: 4 * 1024 * 1024, openFilesMax: 32 };

/** A run that is known to be of this history. */
interface KnownRun extends RunRange {
  readonly bytes: number;
}

/** What a walk goes through. */
interface Walked {
  readonly reader: ObjectReader;
  readonly givenUp: Shallow;
}

/** The runs of one branch's index. */
export class PathRunStore {
  readonly #place: SeqIndexPlace;
  readonly #directory: string;
  readonly #limits: PathIndexLimits;
  readonly #seqs: SeqIndex;
  #isAdopted = false;
  /** By their seqs, the lowest first. */
  #runs: KnownRun[] = [];
  /** First seqs of the tails that grow no more. */
  #tails: number[] = [];
  /** First seq of what is left to the tail that grows. */
  #liveFirst: number;
  /** Commits before this one are not to be had. */
  #beginning = 1;

  /** @param next - the seq of the commit that will be recorded next */
  constructor(place: SeqIndexPlace, limits: PathIndexLimits, next: number) {
    this.#place = place;
    this.#directory = pathIndexDirectory(place);
    this.#limits = limits;
    this.#seqs = new SeqIndex(place);
    this.#liveFirst = next;
  }

  /** Whether too many tails wait. */
  get isPressing(): boolean {
    return this.#tails.length > TAILS_WAITING_MAX;
  }

  /** Says that a new tail begins; the one before grows no more. */
  noteTail(first: number): void {
    if (first !== this.#liveFirst && this.#fileSystem.exists(this.#pathOf(tailName(this.#liveFirst)))) {
      this.#tails.push(this.#liveFirst);
    }
    this.#liveFirst = first;
  }

  /** Removes the runs that end before a commit. To be called between two works. @throws what the disk throws */
  discardBefore(seq: Seq): void {
    this.#beginning = Math.max(this.#beginning, seq);
    for (const run of this.#runs.filter(({ last }) => last < seq)) this.#removeRun(run);
  }

  /** All that there is to do, with a pause after some hundred microseconds. @throws what the disk throws */
  *work(): Generator<void, void> {
    try {
      if (!this.#isAdopted) yield* this.#adopt();
      for (;;) {
        const tail = this.#tails[0];
        const gap = this.#highestGap();
        const sources = this.#mergeSources();
        if (tail !== undefined) yield* this.#makeRun(tail);
        else if (gap !== undefined) yield* this.#fill(gap);
        else if (sources !== undefined) yield* this.#merge(sources);
        else return;
      }
    } finally {
      this.#seqs.close();
    }
  }

  get #fileSystem(): SeqIndexPlace["fileSystem"] {
    return this.#place.fileSystem;
  }

  #pathOf(name: string): string {
    return `${this.#directory}/${name}`;
  }

  /** Looks at all that an earlier life left (invariants 1 and 2). */
  *#adopt(): Generator<void, void> {
    const found: KnownRun[] = [];
    const tails: number[] = [];
    for (const file of listPathIndex(this.#fileSystem, this.#directory)) {
      if (file.kind === "unfinished") removeIfPresent(this.#fileSystem, this.#pathOf(file.name));
      else if (file.kind === "tail") {
        if (file.first !== this.#liveFirst && !this.#tails.includes(file.first)) tails.push(file.first);
      } else {
        const run = yield* this.#examine(file);
        if (run !== undefined) found.push(run);
        else removeIfPresent(this.#fileSystem, this.#pathOf(file.name));
      }
    }
    found.sort((left, right) => left.first - right.first || right.last - left.last);
    this.#runs = [];
    for (const run of found) {
      if (run.first > (this.#runs.at(-1)?.last ?? 0)) this.#runs.push(run);
      else removeIfPresent(this.#fileSystem, this.#pathOf(runName(run)));
    }
    this.#tails.push(...tails);
    this.#isAdopted = true;
  }

  /** Reads a run once; undefined when it is damaged, or of another history. */
  *#examine(name: { readonly first: number; readonly last: number }): Generator<void, KnownRun | undefined> {
    let run: PathRun | undefined;
    try {
      run = this.#open(name);
      const { range, size, blockCount } = run;
      if (range.first !== name.first || range.last !== name.last) return undefined;
      if (this.#seqs.oidOfSeq(range.last) !== range.lastOid) return undefined;
      for (let block = 0; block < blockCount; block++) {
        run.readBlock(block);
        if (block % STEP_BLOCKS === 0) yield;
      }
      return { ...range, bytes: size };
    } catch (error) {
      if (error instanceof DamagedPathIndexError || isErrno(error, "ENOENT")) return undefined;
      throw error;
    } finally {
      run?.close();
    }
  }

  #open(range: { readonly first: number; readonly last: number }): PathRun {
    const file = this.#fileSystem.open(this.#pathOf(runName(range)), "read");
    try {
      return PathRun.open(file);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Makes a run of a tail, as far as it is whole and of this history. */
  *#makeRun(first: number): Generator<void, void> {
    const tail = this.#openTail(first);
    try {
      if (tail !== undefined) yield* this.#makeRunOf(tail);
    } finally {
      tail?.close();
    }
    removeIfPresent(this.#fileSystem, this.#pathOf(tailName(first)));
    this.#tails = this.#tails.filter((each) => each !== first);
  }

  #openTail(first: number): PathTail | undefined {
    let file: OpenFile | undefined;
    try {
      file = this.#fileSystem.open(this.#pathOf(tailName(first)), "read");
      const tail = PathTail.open(file);
      if (tail.first === first) return tail;
    } catch (error) {
      if (!(error instanceof DamagedPathIndexError) && !isErrno(error, "ENOENT")) {
        file?.close();
        throw error;
      }
    }
    file?.close();
    return undefined;
  }

  *#makeRunOf(tail: PathTail): Generator<void, void> {
    while (tail.readRecord()) yield;
    const record = tail.records.findLast(
      ({ last, lastOid }) => last < this.#liveFirst && this.#seqs.oidOfSeq(last) === lastOid,
    );
    if (record === undefined || this.#runs.some(({ first, last }) => first <= record.last && tail.first <= last))
      return;
    const { last, lastOid, touches: count } = record;
    const { touches, paths } = tail;
    yield* this.#write({ first: tail.first, last, lastOid }, (writer) =>
      writeTouches(writer, { touches, count, paths }),
    );
  }

  /** Writes a run and puts it into its place. */
  *#write(range: RunRange, write: (writer: PathRunWriter) => Generator<void, void>): Generator<void, void> {
    const path = this.#pathOf(runName(range));
    const unfinished = path + UNFINISHED_SUFFIX;
    this.#fileSystem.makeDirectory(this.#directory);
    removeIfPresent(this.#fileSystem, unfinished);
    const file = this.#fileSystem.open(unfinished, "create");
    let bytes = 0;
    let isPlaced = false;
    try {
      const writer = new PathRunWriter(range, (piece) => {
        writeParts(file, unfinished, [piece], bytes);
        bytes += piece.length;
      });
      yield* write(writer);
      this.#fileSystem.rename(unfinished, path);
      isPlaced = true;
    } finally {
      file.close();
      if (!isPlaced) removeIfPresent(this.#fileSystem, unfinished);
    }
    this.#runs.push({ ...range, bytes });
    this.#runs.sort((left, right) => left.first - right.first);
  }

  /** The highest commits that are in no run, and in no tail. */
  #highestGap(): { readonly first: number; readonly last: number } | undefined {
    let last = this.#liveFirst - 1;
    for (const run of this.#runs.toReversed()) {
      if (last < this.#beginning) break;
      if (run.last < last) return { first: Math.max(run.last + 1, this.#beginning), last };
      last = run.first - 1;
    }
    return last < this.#beginning ? undefined : { first: this.#beginning, last };
  }

  /** Makes a run of the highest commits of a gap, from their trees. */
  *#fill(gap: { readonly first: number; readonly last: number }): Generator<void, void> {
    const { fileSystem, repositoryDirectory } = this.#place;
    const givenUp = readShallow(fileSystem, repositoryDirectory);
    const reader = new ObjectReader(fileSystem, repositoryDirectory, WALK_MEMORY);
    try {
      const above = readCommitWithSeq(reader, this.#seqs.oidOfSeq(gap.last + 1), gap.last + 1);
      const newest =
        above === undefined
          ? readCommitWithSeq(reader, this.#seqs.oidOfSeq(gap.last), gap.last)
          : readPreviousCommit(reader, above, givenUp);
      if (newest === undefined) this.#beginning = gap.last + 1;
      else yield* this.#fillFrom({ reader, givenUp }, newest, gap.first);
    } finally {
      reader.close();
    }
  }

  *#fillFrom({ reader, givenUp }: Walked, newest: FoundCommit, lowest: number): Generator<void, void> {
    const { postingsMax, pathsMax } = this.#limits;
    const numbers = new PathNumbers();
    const touches = new TouchList();
    let postings = 0;
    let seq = newest.commit.trailers.seq as Seq;
    let first: number = seq + 1;
    for (let at: FoundCommit | undefined = newest; at !== undefined && seq >= lowest;) {
      const previous = readPreviousCommit(reader, at, givenUp);
      // Invariant 3: what is not the first of all has a parent that cannot be read any more.
      if (previous === undefined && (seq > 1 || at.commit.parents.length > 0)) {
        this.#beginning = seq + 1;
        break;
      }
      for (const { path, isRemoval } of touchedNodes(reader, previous?.commit.tree, at.commit.tree)) {
        const number = numbers.find(path) ?? numbers.add(path);
        touches.add(seq, number, isRemoval);
        postings += numbers.depth(number);
        if (touches.length % STEP_NODES === 0) yield;
      }
      first = seq;
      if (postings >= postingsMax || numbers.paths.length >= pathsMax) break;
      seq = (seq - 1) as Seq;
      at = previous;
      if (seq % STEP_COMMITS === 0) yield;
    }
    const range = { first: first as Seq, last: newest.commit.trailers.seq as Seq, lastOid: newest.oid };
    if (range.first > range.last) return;
    const { paths } = numbers;
    yield* this.#write(range, (writer) =>
      writeTouches(writer, { touches: touches.reversed(), count: touches.length, paths }),
    );
  }

  /** The oldest four runs in a row of which none is larger than the others together; the newest of them first. */
  #mergeSources(): KnownRun[] | undefined {
    for (let end = MERGED_AT_ONCE; end <= this.#runs.length; end++) {
      const sources = this.#runs.slice(end - MERGED_AT_ONCE, end).reverse();
      const bytes = sources.reduce((sum, run) => sum + run.bytes, 0);
      const isRow = sources.every((run, index) => index === 0 || run.last + 1 === sources[index - 1]?.first);
      const isEven = sources.every((run) => 2 * run.bytes <= bytes);
      if (isRow && isEven && bytes <= this.#limits.runBytesMax) return sources;
    }
    return undefined;
  }

  *#merge(sources: readonly KnownRun[]): Generator<void, void> {
    const runs: PathRun[] = [];
    try {
      for (const source of sources) runs.push(this.#open(source));
      const { last, lastOid } = sources[0] as KnownRun;
      const { first } = sources.at(-1) as KnownRun;
      yield* this.#write({ first, last, lastOid }, (writer) => writeMerged(writer, runs));
      this.#runs = this.#runs.filter((run) => !sources.includes(run));
      for (const source of sources) removeIfPresent(this.#fileSystem, this.#pathOf(runName(source)));
    } catch (error) {
      if (!(error instanceof DamagedPathIndexError) && !isErrno(error, "ENOENT")) throw error;
      // All are looked at again; the commits of those that are damaged are read anew.
      this.#isAdopted = false;
      yield* this.#adopt();
    } finally {
      for (const run of runs) run.close();
    }
  }

  #removeRun(run: KnownRun): void {
    removeIfPresent(this.#fileSystem, this.#pathOf(runName(run)));
    this.#runs = this.#runs.filter((each) => each !== run);
  }
}
