/**
 * Three-way merges: against a merge of plain maps, in both orders, and with either side preferred.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Path, Seq } from "../../protocol/identifiers.js";
import { parentPath } from "../../protocol/path.js";
import { samePerms } from "../../protocol/perms.js";
import { applyChanges } from "../../daemon/store/diff.js";
import { mergeRoots, type Conflict, type Merge, type MergeSides } from "../../daemon/store/merge/merge-roots.js";
import type { NodeState } from "../../daemon/store/commit.js";
import { emptyRoot, type Root } from "../../daemon/store/root.js";
import { edits, editRoot, nodesOf, rebuiltRoot, textOfRoot } from "../support/model/root-generator.js";
import { propertyParameters } from "../support/seed.js";

const SEQ = 9 as Seq;
const RUNS = 3000;

/** A few edits, so that merges without conflicts are not rare. */
const few = edits.map((list) => list.slice(0, 4));
const sides: fc.Arbitrary<MergeSides> = fc.record({ base: edits, ours: few, theirs: few }).map((each) => {
  const base = editRoot(emptyRoot(), each.base, 1);
  return { base, ours: editRoot(base, each.ours, 2), theirs: editRoot(base, each.theirs, 3) };
});

function swapped({ base, ours, theirs }: MergeSides): MergeSides {
  return { base, ours: theirs, theirs: ours };
}

/** What the merge makes of ours. */
function result({ ours }: MergeSides, { changes }: Merge): Root {
  return applyChanges(ours, changes, SEQ);
}

function isDomainRule({ kind }: Conflict): boolean {
  return kind === "ours released" || kind === "theirs released";
}

/** The merge by maps: a text for each node, or the paths in conflict. */
function naiveNodes({ base, ours, theirs }: MergeSides): Map<Path, NodeState> | undefined {
  const [was, our, their] = [nodesOf(base), nodesOf(ours), nodesOf(theirs)] as const;
  const merged = new Map<Path, NodeState>();
  for (const path of new Set([...was.keys(), ...our.keys(), ...their.keys()])) {
    const [from, left, right] = [was.get(path), our.get(path), their.get(path)];
    let node: NodeState | undefined;
    if (same(left, right)) node = left;
    else if (same(from, left)) node = right;
    else if (same(from, right)) node = left;
    else {
      if (left === undefined || right === undefined) return undefined;
      const value = left.value === right.value || from?.value === right.value ? left.value : right.value;
      if (left.value !== right.value && from?.value !== left.value && from?.value !== right.value) return undefined;
      const isTheirs = from !== undefined && samePerms(from.perms, left.perms);
      const isOurs = from !== undefined && samePerms(from.perms, right.perms);
      if (!samePerms(left.perms, right.perms) && !isOurs && !isTheirs) return undefined;
      node = { value, perms: isTheirs ? right.perms : left.perms };
    }
    if (node !== undefined) merged.set(path, node);
  }
  const isOrphan = (path: Path): boolean => {
    const parent = parentPath(path);
    return parent !== undefined && !merged.has(parent);
  };
  return [...merged.keys()].some(isOrphan) ? undefined : merged;
}

type Nodes = ReadonlyMap<Path, NodeState>;

function same(left: NodeState | undefined, right: NodeState | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return left.value === right.value && samePerms(left.perms, right.perms);
}

function textOfNodes(nodes: Nodes): string {
  return [...nodes]
    .map(([path, { value, perms }]) => `${path} ${value} ${JSON.stringify(perms)}`)
    .sort()
    .join("\n");
}

const NODE_KINDS: readonly Conflict["kind"][] = ["value", "perms", "ours removed", "theirs removed"];

describe("mergeRoots", () => {
  test("gives what a merge of plain maps gives, or conflicts where that has some", () => {
    let [clean, conflicting] = [0, 0];
    fc.assert(
      fc.property(sides, (each) => {
        const merge = mergeRoots(each);
        const expected = naiveNodes(each);
        const isConflict = merge.conflicts.some(
          ({ kind, subject }) => NODE_KINDS.includes(kind) && subject.startsWith("/"),
        );
        expect(isConflict, JSON.stringify(merge.conflicts)).toBe(expected === undefined);
        if (expected === undefined) conflicting++;
        else if (merge.conflicts.length === 0) {
          clean++;
          expect(textOfNodes(nodesOf(result(each, merge)))).toBe(textOfNodes(expected));
        }
      }),
      propertyParameters(RUNS),
    );
    const least = propertyParameters(RUNS).numRuns / 10;
    expect([clean > least, conflicting > least]).toEqual([true, true]);
  });

  test("is the same in both orders where nothing is in conflict, and else has the same conflicts", () => {
    const swappedKinds: Partial<Record<Conflict["kind"], Conflict["kind"]>> = {
      "ours removed": "theirs removed",
      "theirs removed": "ours removed",
      "ours released": "theirs released",
      "theirs released": "ours released",
    };
    fc.assert(
      fc.property(sides, (each) => {
        const [merge, other] = [mergeRoots(each), mergeRoots(swapped(each))];
        const texts = ({ conflicts }: Pick<Merge, "conflicts">): string[] =>
          conflicts.map(({ subject, kind }) => `${subject}: ${kind}`).sort();
        const turned = other.conflicts.map(({ subject, kind }) => ({ subject, kind: swappedKinds[kind] ?? kind }));
        expect(texts(merge)).toEqual(texts({ conflicts: turned }));
        if (merge.conflicts.length > 0) return;
        expect(textOfRoot(result(each, merge))).toBe(textOfRoot(result(swapped(each), other)));
      }),
      propertyParameters(RUNS),
    );
  });

  test("changes nothing where one side did nothing, or both did the same", () => {
    fc.assert(
      fc.property(sides, ({ base, ours, theirs }) => {
        expect(mergeRoots({ base, ours, theirs: rebuiltRoot(base) })).toEqual({
          changes: [],
          conflicts: [],
          settled: [],
        });
        expect(mergeRoots({ base, ours, theirs: rebuiltRoot(ours) })).toEqual({
          changes: [],
          conflicts: [],
          settled: [],
        });
        const forward = { base, ours: base, theirs };
        const merge = mergeRoots(forward);
        expect(merge.conflicts).toEqual([]);
        expect(textOfRoot(result(forward, merge))).toBe(textOfRoot(theirs));
      }),
      propertyParameters(1000),
    );
  });

  test("settles every conflict but those of released domains for the side that is preferred", () => {
    let settled = 0;
    fc.assert(
      fc.property(sides, fc.constantFrom("ours" as const, "theirs" as const), (each, prefer) => {
        const open = mergeRoots(each);
        const merge = mergeRoots(each, { prefer });
        expect(merge.conflicts.every(isDomainRule)).toBe(true);
        expect(merge.settled).toEqual(open.conflicts.filter((conflict) => !isDomainRule(conflict)));
        settled += merge.settled.length;
        const nodes = nodesOf(result(each, merge));
        const preferred = nodesOf(each[prefer]);
        for (const { subject, kind } of merge.settled) {
          const path = subject as Path;
          if (kind === "value" || (kind === "perms" && subject.startsWith("/"))) {
            expect(nodes.get(path)?.[kind]).toEqual(preferred.get(path)?.[kind]);
          } else if (kind === "ours removed" || kind === "theirs removed") {
            expect(nodes.has(path)).toBe(preferred.has(path));
          }
        }
      }),
      propertyParameters(RUNS),
    );
    expect(settled).toBeGreaterThan(0);
  });

  test("is preferred to ours as it is to theirs the other way round", () => {
    fc.assert(
      fc.property(sides, (each) => {
        const ours = result(each, mergeRoots(each, { prefer: "ours" }));
        const theirs = result(swapped(each), mergeRoots(swapped(each), { prefer: "theirs" }));
        expect(textOfRoot(theirs)).toBe(textOfRoot(ours));
      }),
      propertyParameters(RUNS),
    );
  });
});
