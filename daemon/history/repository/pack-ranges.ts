/**
 * Which pack has the commits around a seq, as far as has been seen.
 *
 * Owns a guess, which costs nothing when it is wrong: whoever asks it looks into that pack first, and then into the others.
 * Our packs hold neighbouring commits, so where there are fifty of them it saves looking into twenty-five. It reads nothing.
 */

/** Seqs of which commits were seen in one pack. */
interface Range {
  from: number;
  to: number;
}

/** More packs than a repository of ours has; beyond that the one known longest is forgotten. */
const PACKS_MAX = 256;

/** Where commits were found. */
export class PackRanges {
  readonly #ranges = new Map<string, Range>();

  /** Commit `seq` was found in the pack of this name. */
  note(seq: number, pack: string): void {
    const range = this.#ranges.get(pack);
    if (range === undefined) {
      this.#ranges.set(pack, { from: seq, to: seq });
      if (this.#ranges.size > PACKS_MAX) this.forget(this.#ranges.keys().next().value as string);
      return;
    }
    range.from = Math.min(range.from, seq);
    range.to = Math.max(range.to, seq);
  }

  /** There is no such pack any more. */
  forget(pack: string): void {
    this.#ranges.delete(pack);
  }

  /** The pack with the smallest range around `seq`, else the one whose range is nearest; undefined when none is known. */
  guess(seq: number): string | undefined {
    let best: string | undefined;
    let bestDistance = Infinity;
    let bestWidth = Infinity;
    for (const [pack, { from, to }] of this.#ranges) {
      const distance = Math.max(0, from - seq, seq - to);
      const width = to - from;
      if (distance > bestDistance || (distance === bestDistance && width >= bestWidth)) continue;
      best = pack;
      bestDistance = distance;
      bestWidth = width;
    }
    return best;
  }
}
