/**
 * How a compaction rewrites packs: which stay, which go, which are rewritten together.
 *
 * Owns the decision, as a pure function of what the packs are like and how much of them is needed.
 *
 * A pack of ours ends with a commit, which is how it is known for ours (pack-facts.ts) and merged with others later. One whose
 * commits are all dropped, while something that they made is still in use, would lose that end, and each compaction would
 * leave one more such pack for ever. So what is left of those goes into the pack of the oldest commits that are kept.
 *
 * Worked example: the boundary is 500. Packs with the last commits 100, 300, 620 and 900 are needed by 2 of 90 objects, by
 * none, by 40 of 70 and wholly. The first and the third are rewritten into one, the second goes, the fourth stays.
 */
import type { Seq } from "../../../protocol/identifiers.js";
import type { PackNeed } from "./mark-needed.js";

/** What the plan needs to know of a pack. */
export interface RewritablePack extends PackNeed {
  /** Of pack and index. */
  readonly bytes: number;
  /** The `Seq` of its last commit; undefined for a pack that the recorder did not make. */
  readonly seq: number | undefined;
}

/** What is to be done; each pack is named once. */
export interface RewritePlan {
  /** Names of packs that become one, the oldest first. */
  readonly rewrites: readonly (readonly string[])[];
  /** Packs of which nothing is needed. */
  readonly useless: readonly string[];
}

/** How much is put into one pack. */
export interface RewriteLimits {
  readonly bytesMax: number;
  readonly objectsMax: number;
}

const LIMITS: RewriteLimits = { bytesMax: 1024 * 1024 * 1024, objectsMax: 4 * 1024 * 1024 };

/** Decides. */
export function planRewrites(
  packs: readonly RewritablePack[],
  want: { readonly boundary: Seq; readonly droppedPartMin: number },
  limits: RewriteLimits = LIMITS,
): RewritePlan {
  const { boundary, droppedPartMin } = want;
  const ordered = [...packs].sort((left, right) => (left.seq ?? Infinity) - (right.seq ?? Infinity));
  const isWorthwhile = ({ objects, needed }: RewritablePack): boolean =>
    objects > needed && objects - needed >= objects * droppedPartMin;
  const remains: RewritablePack[] = [];
  const alone: RewritablePack[] = [];
  for (const pack of ordered) {
    if (pack.needed === 0 || !isWorthwhile(pack)) continue;
    (pack.seq !== undefined && pack.seq < boundary ? remains : alone).push(pack);
  }
  const host = ordered.find(({ seq, needed }) => seq !== undefined && seq >= boundary && needed > 0);
  const guests = host === undefined ? [] : fitting(remains, host, limits);
  const together = guests.length > 0 && host !== undefined ? [...guests, host] : [];
  const apart = [...remains, ...alone].filter((pack) => !together.includes(pack));
  return {
    rewrites: [...(together.length > 0 ? [together] : []), ...apart.map((pack) => [pack])].map(namesOf),
    useless: namesOf(ordered.filter(({ needed, objects }) => needed === 0 && objects > 0)),
  };
}

/** Those that fit into one pack with the host, the oldest first. */
function fitting(remains: readonly RewritablePack[], host: RewritablePack, limits: RewriteLimits): RewritablePack[] {
  let objects = host.needed;
  let bytes = keptBytes(host);
  return remains.filter((pack) => {
    if (objects + pack.needed > limits.objectsMax || bytes + keptBytes(pack) > limits.bytesMax) return false;
    objects += pack.needed;
    bytes += keptBytes(pack);
    return true;
  });
}

/** About. */
function keptBytes({ bytes, needed, objects }: RewritablePack): number {
  return (bytes * needed) / objects;
}

function namesOf(packs: readonly RewritablePack[]): string[] {
  return packs.map(({ name }) => name);
}
