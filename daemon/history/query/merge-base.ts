/**
 * What main and a fork have in common: the base of a merge.
 *
 * Owns the answer, which is that of `git merge-base main FORK`. Only main has commits with two parents, and its second parents
 * are tips of forks. So of a fork's commits main has those that are on main itself, and those at or before a tip that was merged,
 * be it of this fork, of a fork of it, or of one that it was made from. As a fork's line has no branches, there is one newest.
 *
 *     main   1───2───3───4───5      5 merged b; b was made of a's commit 3
 *             \             /
 *     a        2───3───4   /        in common with main: its 3, though a was never merged
 *                   \     /
 *     b              4───5
 */
import { oidFromHex, type Oid } from "../object/oid.js";
import type { FoundCommit, HistoryView } from "./history.js";
import { MAIN_REF } from "./refs.js";

/** Commits that are looked at between two pauses: for some ten milliseconds. */
const SLICE_COMMITS = 500;

/** What is asked about. */
export interface MergeSide {
  /** The fork's branch, by its full name. */
  readonly ref: string;
  /** Its commit that is merged. */
  readonly tip: FoundCommit;
  /** Main's last merge of the fork, where one is known; the commit that was merged is 40 hexadecimal digits. */
  readonly merge?: { readonly tip: string; readonly seq: number } | undefined;
}

/** What is in common. */
export interface MergeBase {
  readonly commit: FoundCommit;
  /** Main's commit that merged it; undefined where it is on main. */
  readonly mergedIn: number | undefined;
}

/**
 * The newest commit that main and a fork have in common; undefined where the history has none (any more). All of main's commits
 * since the fork parted from it, or was merged last, are looked at, at some 40,000 a second.
 *
 * @param pause - awaited now and then, so that others get their turn
 * @throws what `HistoryView.commit` throws
 */
export async function findMergeBase(
  view: HistoryView,
  side: MergeSide,
  pause: () => Promise<unknown>,
): Promise<MergeBase | undefined> {
  return await new BaseSearch(view, side, pause).run();
}

/** The newest commit of main from which a branch leads on; undefined where there is none (any more). @throws what `HistoryView.commit` throws */
export function partedFromMain(view: HistoryView, ref: string): FoundCommit | undefined {
  const [left, right] = [view.tip(MAIN_REF), view.tip(ref)].map((tip) => tip?.commit.trailers.seq);
  const oldest = view.oldest(MAIN_REF)?.commit.trailers.seq;
  const oldestOfBranch = view.oldest(ref)?.commit.trailers.seq;
  if (left === undefined || right === undefined || oldest === undefined || oldestOfBranch === undefined)
    return undefined;
  // From there on downwards they are the same, because a commit names its parent.
  const common = (seq: number): FoundCommit | undefined => {
    const found = view.commitWithSeq(MAIN_REF, seq);
    return found !== undefined && found.oid === view.commitWithSeq(ref, seq)?.oid ? found : undefined;
  };
  let newest: FoundCommit | undefined;
  let [low, high] = [Math.max(oldest, oldestOfBranch) - 1, Math.min(left, right) + 1];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    const found = common(middle);
    if (found === undefined) high = middle;
    else [low, newest] = [middle, found];
  }
  return newest;
}

class BaseSearch {
  readonly #view: HistoryView;
  readonly #side: MergeSide;
  readonly #pause: () => Promise<unknown>;
  /** The newest that was found. */
  #best: MergeBase | undefined;
  /** Second parents from which it was gone back. */
  readonly #seen = new Set<Oid>();
  #steps = 0;

  constructor(view: HistoryView, side: MergeSide, pause: () => Promise<unknown>) {
    [this.#view, this.#side, this.#pause] = [view, side, pause];
  }

  async run(): Promise<MergeBase | undefined> {
    const commit = partedFromMain(this.#view, this.#side.ref);
    this.#best = commit && { commit, mergedIn: undefined };
    for (let seq = this.#firstToLookAt(); ; seq++) {
      const found = this.#view.commitWithSeq(MAIN_REF, seq);
      if (found === undefined) return this.#best;
      const [, merged] = found.commit.parents;
      if (merged !== undefined) await this.#goBack(merged, seq);
      await this.#step();
    }
  }

  /** What was merged before is no newer than the best that is known. */
  #firstToLookAt(): number {
    const { merge } = this.#side;
    const merged = merge && this.#view.commitWithSeq(MAIN_REF, merge.seq)?.commit.parents[1];
    if (merge !== undefined && merged === oidFromHex(merge.tip)) return merge.seq;
    return this.#best === undefined ? (this.#view.oldest(MAIN_REF)?.commit.trailers.seq ?? 1) : this.#bestSeq() + 1;
  }

  /** From a commit that was merged to where its line is that of the fork. */
  async #goBack(merged: Oid, mergedIn: number): Promise<void> {
    const { ref, tip } = this.#side;
    let next: Oid | undefined = merged;
    while (next !== undefined && !this.#seen.has(next)) {
      const at: FoundCommit = this.#view.commit(next);
      const { seq } = at.commit.trailers;
      if (seq === undefined || seq <= this.#bestSeq() || this.#has(MAIN_REF, seq, at.oid)) break;
      if (seq <= (tip.commit.trailers.seq ?? 0) && this.#has(ref, seq, at.oid)) {
        this.#best = { commit: at, mergedIn };
        break;
      }
      next = this.#view.previous(at)?.oid;
      await this.#step();
    }
    this.#seen.add(merged);
  }

  #has(ref: string, seq: number, oid: Oid): boolean {
    return this.#view.commitWithSeq(ref, seq)?.oid === oid;
  }

  #bestSeq(): number {
    return this.#best?.commit.commit.trailers.seq ?? 0;
  }

  async #step(): Promise<void> {
    if (++this.#steps % SLICE_COMMITS === 0) await this.#pause();
  }
}
