/**
 * Which earlier version of a directory one that its pack holds whole becomes a delta of, when packs are merged.
 *
 * Owns the choice. In a pack that was recorded a directory is whole once, at its first change, and the other versions lead
 * back to that one: it is their *anchor*. In the merged pack the anchor of each source becomes a delta of that of an earlier
 * source, as in a skip chain (`skip-chain.ts`): mostly of the one before, every eighth of the eighth before, every 64th of
 * the 64th before.
 *
 *     source 0      source 1      source 2   …     source 8
 *     A ◄─ · ◄─ ·   A ◄─ · ◄─ ·   A ◄─ · ◄─ ·      A ◄─ ·
 *     ▲             │ ▲           │                │
 *     ├─────────────┘ └───────────┘                │
 *     └────────────────────────────────────────────┘
 *
 * Were it a delta of its predecessor, the last version of the source before, what follows it would stand behind all of that
 * source's chain, and soon so deep that it had to be written whole.
 *
 * Invariants
 *  1. The anchor of an entry is at the beginning of its chain, or a delta of another anchor.
 *  2. An anchor has a number: 0 where it is whole, else one more than that of the anchor before it.
 */

/** An entry of the packs that are merged. */
export type EntryNumber = number;

/** How many anchors a delta skips, where the anchor's number is a multiple. */
const STEPS = [64, 8] as const;

interface Link {
  readonly number: number;
  readonly before: EntryNumber;
}

/** The anchors of all entries of one merge. */
export class AnchorChain {
  /** By entry: its anchor plus 1; 0 where it is an anchor itself. */
  readonly #anchors: Uint32Array;
  /** Of the anchors that have become deltas; the others' number is 0. */
  readonly #links = new Map<EntryNumber, Link>();

  /** @param entries - how many there are */
  constructor(entries: number) {
    this.#anchors = new Uint32Array(entries);
  }

  /** Says that an entry is a delta of `base` as it was in its source. */
  follow(entry: EntryNumber, base: EntryNumber): void {
    this.#anchors[entry] = this.#anchorOf(base) + 1;
  }

  /** Says that an anchor, which was whole in its source, has become a delta; `predecessor` is the version before it. */
  link(anchor: EntryNumber, predecessor: EntryNumber): void {
    const before = this.#anchorOf(predecessor);
    this.#links.set(anchor, { number: this.#numberOf(before) + 1, before });
  }

  /** What an anchor can be a delta of, the best for whoever reads first; the last is `predecessor`, the version before it. */
  basesAfter(predecessor: EntryNumber): EntryNumber[] {
    const before = this.#anchorOf(predecessor);
    const number = this.#numberOf(before) + 1;
    const bases = new Set<EntryNumber>();
    for (const step of STEPS) if (number % step === 0) bases.add(this.#back(before, step - 1));
    return [...bases.add(before).add(predecessor)];
  }

  #anchorOf(entry: EntryNumber): EntryNumber {
    const anchor = this.#anchors[entry] as number;
    return anchor === 0 ? entry : anchor - 1;
  }

  #numberOf(anchor: EntryNumber): number {
    return this.#links.get(anchor)?.number ?? 0;
  }

  #back(anchor: EntryNumber, steps: number): EntryNumber {
    let at = anchor;
    for (let step = 0; step < steps; step++) at = this.#links.get(at)?.before ?? at;
    return at;
  }
}
