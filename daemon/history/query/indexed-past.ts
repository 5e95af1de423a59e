/**
 * What the index of paths knows of the commits before one.
 *
 * Owns the way from a commit to the parts of the index of a branch that has it, and back to commits. It never decides that a commit touched a
 * node, and nothing depends on the index: where it has nothing to say, the answer is the commit that was asked about, and who asks
 * goes on with the one before that.
 */
import type { Path } from "../../../protocol/identifiers.js";
import { readCommitWithSeq, type FoundCommit } from "../repository/find-commit.js";
import { LookSchedule } from "../repository/look-schedule.js";
import { DamagedPathIndexError } from "../repository/path-index-bytes.js";
import type { NewestAtMost, PathIndexPart } from "../repository/path-index.js";
import type { BranchReaders, HistoryView } from "./history.js";

/** The index of a branch that has a commit. */
export class IndexedPast {
  readonly #view: HistoryView;
  readonly #readers: BranchReaders;
  /** The oldest commit that can be asked for: the index may tell of older ones. */
  readonly oldest: number;

  private constructor(view: HistoryView, readers: BranchReaders, oldest: number) {
    this.#view = view;
    this.#readers = readers;
    this.oldest = oldest;
  }

  /** Finds the index that tells of a commit's past; undefined when there is none. @throws what `HistoryView.commit` throws */
  static of(view: HistoryView, { oid, commit }: FoundCommit): IndexedPast | undefined {
    const { seq } = commit.trailers;
    if (seq === undefined) return undefined;
    for (const name of view.branchesWithPaths) {
      const readers = view.readers(name);
      if (readers.index.oidOfSeq(seq) === oid) return new IndexedPast(view, readers, view.cutSeq(name) ?? 1);
    }
    return undefined;
  }

  /** The part of the index that tells of a commit, and of more than the oldest one. */
  partAt(seq: number): PathIndexPart | undefined {
    if (seq <= this.oldest) return undefined;
    return this.#readers.paths.partAt(seq, (each) => this.#readers.index.oidOfSeq(each));
  }

  /** The commit with this seq; undefined when the index of seqs does not know it. */
  commitWithSeq(seq: number): FoundCommit | undefined {
    return readCommitWithSeq(this.#view.reader, this.#readers.index.oidOfSeq(seq), seq);
  }
}

/**
 * Looks for the index that tells of the past of the commits of a walk, from the newest to the oldest: a fork's own commits are in none,
 * those before them are in that of the branch that it was made from.
 */
export class PastSearch {
  readonly #view: HistoryView;
  readonly #looks = new LookSchedule();
  #past: IndexedPast | undefined;

  constructor(view: HistoryView) {
    this.#view = view;
  }

  /** The index, once it was found; to be asked at each commit that is passed. @throws what `HistoryView.commit` throws */
  at(found: FoundCommit): IndexedPast | undefined {
    if (this.#past !== undefined || found.commit.trailers.seq === undefined) return this.#past;
    if (this.#looks.isDue()) this.#past = IndexedPast.of(this.#view, found);
    return this.#past;
  }
}

/** The commits that may have touched a node or one below it, found from the newest to the oldest. */
export class PathTouches {
  readonly #path: Path;
  readonly #search: PastSearch;
  #part: { readonly first: number; readonly newestAtMost: NewestAtMost } | undefined;

  constructor(view: HistoryView, path: Path) {
    this.#path = path;
    this.#search = new PastSearch(view);
  }

  /**
   * The newest commit, this one or one before it, that may have touched the node; no commit between the two has. Each call asks
   * about an older commit of the same history.
   *
   * @throws what `HistoryView.commit` throws
   */
  newestAtMost(found: FoundCommit): FoundCommit {
    const { seq } = found.commit.trailers;
    if (seq === undefined) return found;
    const past = this.#search.at(found);
    if (past === undefined) return found;
    const candidate = Math.max(this.#candidateAtMost(past, seq), past.oldest);
    if (candidate >= seq) return found;
    return past.commitWithSeq(candidate) ?? found;
  }

  #candidateAtMost(past: IndexedPast, seq: number): number {
    for (let at = seq; ;) {
      try {
        if (this.#part === undefined || at < this.#part.first) {
          this.#part = undefined;
          const part = past.partAt(at);
          if (part === undefined) return at;
          this.#part = { first: part.first, newestAtMost: part.touches(this.#path) };
        }
        const candidate = this.#part.newestAtMost(at);
        if (candidate > 0) return candidate;
        at = this.#part.first - 1;
      } catch (error) {
        if (!(error instanceof DamagedPathIndexError)) throw error;
        // The part is of no use any more; there may be another one.
        this.#part = undefined;
      }
    }
  }
}
