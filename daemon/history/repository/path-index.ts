/**
 * Reading the index of paths: which commits touched a node.
 *
 * Owns the choice of the file that tells of a commit, and the look-up in it. The writer may be another thread or process, and goes on
 * meanwhile: files that are gone are looked for anew, a tail is read on. A file that is damaged, or that the index of seqs
 * does not know to be of this history, is none: whoever asks walks through the commits instead.
 *
 *     index.refresh();
 *     const part = index.partAt(seq, (each) => seqs.oidOfSeq(each));
 *     const touches = part?.touches(path);
 *     touches?.(seq)
 */
import type { Path } from "../../../protocol/identifiers.js";
import { isAtOrBelow } from "../../../protocol/path.js";
import type { OpenFile } from "../../platform/file-system.js";
import type { Oid } from "../object/oid.js";
import { isErrno } from "../../platform/errno.js";
import { DamagedPathIndexError } from "./path-index-bytes.js";
import { listPathIndex, pathIndexDirectory, type PathIndexFile } from "./path-index-files.js";
import { belowKey, ownKey, ownKeysAbove } from "./path-keys.js";
import { PathRun, postingsOf, RunScan, type PathEntry, type Posting } from "./path-run.js";
import { PathTail } from "./path-tail.js";
import type { SeqIndexPlace } from "./seq-index.js";

/** The newest commit at or before one; 0 for none. Each call asks for the same commit as the one before or an older one. */
export type NewestAtMost = (seq: number) => number;

/** The part of the index that tells of a stretch of commits. */
export interface PathIndexPart {
  readonly first: number;
  readonly last: number;
  /**
   * The commits that touched the node or one below it: all that did, and maybe some that removed a node above where this one
   * was not.
   *
   * @throws DamagedPathIndexError, as the answer does: then the part is of no use any more, and `partAt` may have another one
   */
  touches(path: Path): NewestAtMost;
  /**
   * Calls for each of the paths whose node a commit at or before `seq` has changed, with the newest such commit.
   *
   * @param paths - in ascending order; their nodes are there after the commit `seq`
   * @throws DamagedPathIndexError
   */
  newestChanges(paths: readonly Path[], seq: number, visit: (path: Path, seq: number) => void): void;
}

/** The index of one branch. One belongs to one thread. */
export class PathIndex {
  readonly #place: SeqIndexPlace;
  #files: readonly PathIndexFile[] = [];
  readonly #runs = new Map<string, PathRun>();
  readonly #tails = new Map<string, PathTail>();
  /** Files that are of no use, until the next refresh. */
  readonly #useless = new Set<string>();

  constructor(place: SeqIndexPlace) {
    this.#place = place;
  }

  /** Looks which files there are. To be called before each question. */
  refresh(): void {
    this.#files = listPathIndex(this.#place.fileSystem, pathIndexDirectory(this.#place));
    this.#useless.clear();
    const names = new Set(this.#files.map(({ name }) => name));
    for (const opened of [this.#runs, this.#tails]) {
      for (const name of opened.keys()) if (!names.has(name)) this.#forget(name);
    }
  }

  /** Whether there are any files. */
  get isPresent(): boolean {
    return this.#files.length > 0;
  }

  /**
   * The part that tells of a commit; undefined when there is none. It is of use until the next refresh.
   *
   * @param oidOfSeq - which commit the history has at a seq, if that is known
   * @throws what the disk throws
   */
  partAt(seq: number, oidOfSeq: (seq: number) => Oid | undefined): PathIndexPart | undefined {
    for (let tries = 0; ; tries++) {
      try {
        return this.#partAt(seq, oidOfSeq);
      } catch (error) {
        // The writer has put another file in the place of some.
        if (!isErrno(error, "ENOENT") || tries > 0) throw error;
        this.refresh();
      }
    }
  }

  /** Closes the files; it may be used again. */
  close(): void {
    for (const name of [...this.#runs.keys(), ...this.#tails.keys()]) this.#forget(name);
  }

  #partAt(seq: number, oidOfSeq: (seq: number) => Oid | undefined): PathIndexPart | undefined {
    for (const file of this.#files) {
      if (file.kind === "unfinished" || file.first > seq || this.#useless.has(file.name)) continue;
      if (file.kind === "run" && file.last < seq) continue;
      const part = this.#guarded(file.name, () =>
        file.kind === "run" ? this.#runPart(file.name, oidOfSeq) : this.#tailPart(file.name, oidOfSeq),
      );
      if (part !== undefined && part.first <= seq && seq <= part.last) return part;
    }
    return undefined;
  }

  /** What damage makes undefined, and the file useless. */
  #guarded<T>(name: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof DamagedPathIndexError)) throw error;
      this.#forget(name);
      this.#useless.add(name);
      return undefined;
    }
  }

  /** As `#guarded`; the damage is told, and that the run was closed since. */
  #using<T>(name: string, run: PathRun, read: () => T): T {
    if (this.#runs.get(name) !== run) throw new DamagedPathIndexError("it is gone");
    try {
      return read();
    } catch (error) {
      if (error instanceof DamagedPathIndexError) {
        this.#forget(name);
        this.#useless.add(name);
      }
      throw error;
    }
  }

  #forget(name: string): void {
    this.#runs.get(name)?.close();
    this.#tails.get(name)?.close();
    this.#runs.delete(name);
    this.#tails.delete(name);
  }

  #open<T>(name: string, use: (file: OpenFile) => T): T {
    const file = this.#place.fileSystem.open(`${pathIndexDirectory(this.#place)}/${name}`, "read");
    try {
      return use(file);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  #runPart(name: string, oidOfSeq: (seq: number) => Oid | undefined): PathIndexPart | undefined {
    let run = this.#runs.get(name);
    if (run === undefined) {
      run = this.#open(name, (file) => PathRun.open(file));
      this.#runs.set(name, run);
    }
    const { first, last, lastOid } = run.range;
    if (oidOfSeq(last) !== lastOid) {
      // The next question looks at the file of this name again.
      this.#forget(name);
      this.#useless.add(name);
      return undefined;
    }
    const opened = run;
    return {
      first,
      last,
      touches: (path) => {
        const newest = this.#using(name, opened, () => runTouches(opened, path));
        return (seq) => this.#using(name, opened, () => newest(seq));
      },
      newestChanges: (paths, seq, visit) => {
        this.#using(name, opened, () => {
          runChanges(opened, paths, seq, visit);
        });
      },
    };
  }

  #tailPart(name: string, oidOfSeq: (seq: number) => Oid | undefined): PathIndexPart | undefined {
    let tail = this.#tails.get(name);
    if (tail === undefined) {
      tail = this.#open(name, (file) => PathTail.open(file));
      this.#tails.set(name, tail);
    }
    while (tail.readRecord());
    const { first, records, paths, touches } = tail;
    const record = newestRecord(records, ({ last, lastOid }) => oidOfSeq(last) === lastOid);
    if (record === undefined || record !== records.at(-1)) {
      // There may be another file of this name by now.
      this.#useless.add(name);
      this.#forget(name);
    }
    if (record === undefined) return undefined;
    const part = { paths, touches, count: record.touches };
    return {
      first,
      last: record.last,
      touches: (path) => tailTouches(part, path),
      newestChanges: (wanted, seq, visit) => {
        tailChanges(part, wanted, seq, visit);
      },
    };
  }
}

/** The newest that is of this history; then all before it are. */
function newestRecord<T>(records: readonly T[], isOurs: (record: T) => boolean): T | undefined {
  const newest = records.at(-1);
  if (newest !== undefined && isOurs(newest)) return newest;
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isOurs(records[middle] as T)) low = middle + 1;
    else high = middle;
  }
  return records[low - 1];
}

function runTouches(run: PathRun, path: Path): NewestAtMost {
  const lists = [
    new PostingList(run.find(ownKey(path))),
    new PostingList(run.find(belowKey(path))),
    ...ownKeysAbove(path).map((key) => new PostingList(run.find(key), true)),
  ];
  return (seq) => {
    let newest = 0;
    for (const list of lists) newest = Math.max(newest, list.newestAtMost(seq));
    return newest;
  };
}

/** The postings of one key, from the newest to the oldest. */
class PostingList {
  readonly #entries: Iterator<PathEntry, undefined>;
  readonly #removalsOnly: boolean;
  #postings: Iterator<Posting, undefined> | undefined;
  #posting: Posting | undefined;
  #isAtEnd = false;

  constructor(entries: Iterator<PathEntry, undefined>, removalsOnly = false) {
    this.#entries = entries;
    this.#removalsOnly = removalsOnly;
  }

  newestAtMost(seq: number): number {
    while (!this.#isAtEnd) {
      const posting = this.#posting;
      if (posting !== undefined && posting.seq <= seq && (posting.isRemoval || !this.#removalsOnly)) return posting.seq;
      this.#posting = this.#postings?.next().value;
      if (this.#posting === undefined) this.#nextEntry(seq);
    }
    return 0;
  }

  #nextEntry(seq: number): void {
    let entry: PathEntry | undefined;
    do entry = this.#entries.next().value;
    while (entry !== undefined && entry.oldest > seq);
    this.#isAtEnd = entry === undefined;
    this.#postings = entry === undefined ? undefined : postingsOf(entry);
  }
}

function runChanges(run: PathRun, paths: readonly Path[], seq: number, visit: (path: Path, seq: number) => void): void {
  const scan = new RunScan(run);
  for (const path of paths) {
    const key = ownKey(path);
    scan.seek(key);
    for (let isFound = false; scan.entry?.key === key && !isFound;) {
      const posting = scan.entry.oldest > seq ? undefined : firstAtMost(scan.entry, seq);
      if (posting !== undefined) {
        isFound = true;
        checkIsThere(path, posting.isRemoval);
        visit(path, posting.seq);
      } else scan.next();
    }
  }
}

function firstAtMost(entry: PathEntry, seq: number): Posting | undefined {
  for (const posting of postingsOf(entry)) if (posting.seq <= seq) return posting;
  return undefined;
}

/** A node that is there was not removed last. */
function checkIsThere(path: Path, isRemoval: boolean): void {
  if (isRemoval) throw new DamagedPathIndexError(`it has ${path} removed, which is there`);
}

/** The touches of a tail that are of this history. */
interface TailTouches extends Pick<PathTail, "paths" | "touches"> {
  readonly count: number;
}

function tailTouches({ paths, touches, count }: TailTouches, path: Path): NewestAtMost {
  const isBelow = paths.map((each) => isAtOrBelow(each, path));
  const isAbove = paths.map((each) => isAtOrBelow(path, each));
  let at = count - 1;
  return (seq) => {
    for (; at >= 0; at--) {
      const number = touches.pathNumber(at);
      if (touches.seq(at) > seq) continue;
      if (isBelow[number] === true || (isAbove[number] === true && touches.isRemoval(at))) return touches.seq(at);
    }
    return 0;
  };
}

function tailChanges(
  { paths, touches, count }: TailTouches,
  wanted: readonly Path[],
  seq: number,
  visit: (path: Path, seq: number) => void,
): void {
  const left = new Set<Path>(wanted);
  const isWanted = paths.map((path) => left.has(path));
  for (let at = count - 1; at >= 0; at--) {
    const number = touches.pathNumber(at);
    if (isWanted[number] !== true || touches.seq(at) > seq) continue;
    const path = paths[number] as Path;
    checkIsThere(path, touches.isRemoval(at));
    visit(path, touches.seq(at));
    isWanted[number] = false;
  }
}
