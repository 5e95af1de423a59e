/**
 * Which packs to merge.
 *
 * Owns the policy, as a pure function of what the packs are like. Packs of about one size are merged into one of the next,
 * so that each object is rewritten a logarithmic number of times and the count stays logarithmic too.
 *
 * A pack's level is ⌊log₄(objects)⌋, but at least `BOTTOM_LEVEL`: the smallest packs, of up to 255 objects, are one level.
 * Where a level has `MERGE_FROM` packs (the bottom: `BOTTOM_MERGE_FROM`, because at one commit a second each merge costs a
 * handful of syncs, and rewriting so little costs nothing), they are merged, with the smaller packs that lie between them.
 * No result has more than `RESULT_BYTES_MAX` or `RESULT_OBJECTS_MAX`: a merge needs 30 bytes of memory for each object.
 *
 * How many packs there can be when nothing is left to merge, at 1,000,000 commits of 9 objects and 3 KB, whatever was
 * sealed when: 7 at the bottom level and 3 at each of the levels 4 to 11, and besides those only packs of which no two of a
 * level fit into one. Of these all but one of a level have over 512 MiB or over 2,097,152 objects: 3 GB make at most 5 such,
 * 9,000,000 objects at most 4. Together 7 + 24 + 9 = 40.
 */

/** What the plan needs to know of a pack. */
export interface PackSize {
  /** The pack's checksum in hexadecimal. */
  readonly name: string;
  readonly objects: number;
  /** Of pack and index. */
  readonly bytes: number;
  /** The `Seq` of its last commit. */
  readonly seq: number;
}

/** Bounds of what a merge makes. */
export interface MergeLimits {
  readonly bytesMax: number;
  readonly objectsMax: number;
}

const BOTTOM_LEVEL = 3;
const BOTTOM_MERGE_FROM = 8;
const MERGE_FROM = 4;
/** Most packs merged at once: each has files open and a share of the memory. */
const SOURCES_MAX = 32;

const LIMITS: MergeLimits = { bytesMax: 1024 * 1024 * 1024, objectsMax: 4 * 1024 * 1024 };

/** The level of a pack with so many objects. */
export function levelOf(objects: number): number {
  // log2 of a power of two is exact, and Math.clz32 would end at 2³².
  return Math.max(BOTTOM_LEVEL, Math.floor(Math.log2(Math.max(1, objects)) / 2));
}

/**
 * The packs to merge next, the oldest first; none when all is well.
 *
 * Worked example: objects 5000, 9, 9, 4500, 9, 4100, 20, 4800, from old to new. Level 6 has four packs; they are merged
 * with the 9, 9, 9 and 20 between them.
 *
 * @param packs - the packs that may be merged, in any order
 */
export function planMerge(packs: readonly PackSize[], limits: MergeLimits = LIMITS): PackSize[] {
  const ordered = [...packs].sort((left, right) => left.seq - right.seq || (left.name < right.name ? -1 : 1));
  const levels = new Map<number, PackSize[]>();
  for (const pack of ordered) {
    const level = levelOf(pack.objects);
    const peers = levels.get(level);
    if (peers === undefined) levels.set(level, [pack]);
    else peers.push(pack);
  }
  // The smallest first: they are the many, and what they make may be needed above.
  for (const level of [...levels.keys()].sort((left, right) => left - right)) {
    const peers = levels.get(level) as PackSize[];
    if (peers.length < (level === BOTTOM_LEVEL ? BOTTOM_MERGE_FROM : MERGE_FROM)) continue;
    const chosen = fitting(peers, limits);
    if (chosen.length > 1) return withSmallerBetween(ordered, chosen, limits);
  }
  return [];
}

/** The oldest peers that fit into one pack; where the oldest two do not, the two that make the smallest one. */
function fitting(peers: readonly PackSize[], limits: MergeLimits): readonly PackSize[] {
  const chosen = prefixWithin(peers, limits);
  if (chosen.length > 1) return chosen;
  let best: readonly PackSize[] = [];
  let bestBytes = Infinity;
  for (const [index, left] of peers.entries()) {
    for (const right of peers.slice(index + 1)) {
      const bytes = left.bytes + right.bytes;
      if (bytes >= bestBytes || prefixWithin([left, right], limits).length < 2) continue;
      best = [left, right];
      bestBytes = bytes;
    }
  }
  return best;
}

function prefixWithin(packs: readonly PackSize[], limits: MergeLimits): PackSize[] {
  const chosen: PackSize[] = [];
  let bytes = 0;
  let objects = 0;
  for (const pack of packs) {
    bytes += pack.bytes;
    objects += pack.objects;
    if (chosen.length === SOURCES_MAX || bytes > limits.bytesMax || objects > limits.objectsMax) break;
    chosen.push(pack);
  }
  return chosen;
}

/** Adds the packs of lower levels that lie between the first and the last, as far as they fit. */
function withSmallerBetween(
  ordered: readonly PackSize[],
  chosen: readonly PackSize[],
  limits: MergeLimits,
): PackSize[] {
  const first = ordered.indexOf(chosen[0] as PackSize);
  const last = ordered.indexOf(chosen[chosen.length - 1] as PackSize);
  const level = levelOf((chosen[0] as PackSize).objects);
  const between = ordered.slice(first, last).filter(({ objects }) => levelOf(objects) < level);
  const all = new Set(prefixWithin([...chosen, ...between], limits));
  return ordered.filter((pack) => all.has(pack));
}
