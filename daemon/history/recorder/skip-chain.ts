/**
 * Which earlier version of a large directory the next one is a delta of.
 *
 * Owns the choice and the edits that lead from those versions to the current bytes. If each version were a delta of the
 * one before it, reading version n would rebuild n versions of 30 KB each, so chains would have to be short (the pack
 * bounds what they may cost) and the directory would be stored whole every 21 commits: over a kilobyte a commit. Here every
 * eighth version skips back eight, and every 64th skips back 64:
 *
 *     0 ◄─ 1 ◄─ … ◄─ 7      8 ◄─ 9 …      16 …            64 …
 *     0 ◄────────────────── 8 ◄────────── 16 ◄─ …
 *     0 ◄──────────────────────────────────────────────── 64
 *
 * so version n is at most 7 + 7 + n / 64 deltas away from version 0, for deltas that are a few times larger.
 *
 * Invariants
 *  1. The edit of a level leads from the content of that level's base to the current content.
 *  2. All bases are entries of one pack; a new pack starts the chain anew.
 *  3. Where a level's edit has become too fine for a delta, a lower level's is taken: many changes in one commit, or in the
 *     few before it, do not make the directory be stored whole.
 */
import type { EntryIndex } from "../object/pack.js";
import { TreeEdit } from "../object/tree-edit.js";

/** A directory this large has a skip chain; for a smaller one, whole every thirty versions costs less than collecting edits. */
export const SKIP_CHAIN_FROM_BYTES = 2048;

/** How many versions a level skips. Three levels: at four, collecting the edits would cost more than the hash. */
const LEVEL_STEPS = [1, 8, 64] as const;

interface Level {
  base: EntryIndex;
  edit: TreeEdit;
}

/** The chain of one directory in one pack. */
export class SkipChain {
  readonly #levels: readonly Level[];
  /** The number of the version that was stored last. */
  #version = 0;

  /** @param whole - the entry of version 0, whose content has `contentBytes` bytes */
  constructor(whole: EntryIndex, contentBytes: number) {
    this.#levels = LEVEL_STEPS.map(() => ({ base: whole, edit: new TreeEdit(contentBytes) }));
  }

  /** Says what happens to the bytes, as `TreeEdit.splice`. */
  splice(position: number, removed: number, inserted: number): void {
    for (const { edit } of this.#levels) edit.splice(position, removed, inserted);
  }

  /** What the next version is a delta of. */
  next(): { readonly base: EntryIndex; readonly edit: TreeEdit } {
    let level = this.#levelOf(this.#version + 1);
    while (level > 0 && (this.#levels[level] as Level).edit.isWhole) level--;
    return this.#levels[level] as Level;
  }

  /** Says that the next version was stored as `entry`, a delta of `next()`; its content has `contentBytes` bytes. */
  advance(entry: EntryIndex, contentBytes: number): void {
    this.#version++;
    for (let level = this.#levelOf(this.#version); level >= 0; level--) {
      const state = this.#levels[level] as Level;
      state.base = entry;
      state.edit = new TreeEdit(contentBytes);
    }
  }

  /** The highest level whose step divides the version's number. */
  #levelOf(version: number): number {
    return LEVEL_STEPS.findLastIndex((step) => version % step === 0);
  }
}
