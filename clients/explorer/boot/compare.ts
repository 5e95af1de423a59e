/**
 * Two boots step by step.
 *
 * Owns what is a difference. The actors of two boots take turns as it happens, so steps are compared node by node: for each, what became of
 * it one after the other in one boot, and in the other; equal steps are matched so that as many as possible have an equal. What is left is
 * another value where both have something between the same equal steps, and missing where one has nothing. A step later than the other boot
 * was looked at tells nothing.
 *
 *     vif/0/state    1 2 4          vif/0/state of the other    1 4
 *     matched        1 - 1, 4 - 4   left                        2, which is missing in the other
 */
import type { Boot, BootStep } from "./boot-steps.js";

/** What can be said of a step. */
export type Verdict = "same" | "other value" | "missing in A" | "missing in B" | "not known";

/** A step of one boot beside that of the other. */
export interface ComparedStep {
  readonly verdict: Verdict;
  readonly a: BootStep | undefined;
  readonly b: BootStep | undefined;
  /** Since the beginning: of the earlier one. */
  readonly at: number;
}

/** Two boots compared. */
export interface Comparison {
  /** By time. */
  readonly steps: readonly ComparedStep[];
  /** The place of the first difference; undefined where there is none. */
  readonly firstDifference: number | undefined;
  readonly differences: number;
}

/** Longer sequences are compared place by place: what matches best would take too long. */
const SEQUENCE_MAX = 400;

/** Compares boots. */
export function compareBoots(a: Boot, b: Boot): Comparison {
  const [ofA, ofB] = [byKey(a.steps), byKey(b.steps)];
  const steps: ComparedStep[] = [];
  for (const key of new Set([...ofA.keys(), ...ofB.keys()])) {
    for (const [left, right] of paired(ofA.get(key) ?? [], ofB.get(key) ?? [])) {
      const at = Math.min(left?.at ?? Infinity, right?.at ?? Infinity);
      steps.push({ verdict: verdictOf({ left, right, a, b }), a: left, b: right, at });
    }
  }
  steps.sort((left, right) => left.at - right.at);
  const first = steps.findIndex(isDifference);
  return {
    steps,
    firstDifference: first === -1 ? undefined : first,
    differences: steps.filter(isDifference).length,
  };
}

/** Whether a step differs. */
export function isDifference({ verdict }: Pick<ComparedStep, "verdict">): boolean {
  return verdict !== "same" && verdict !== "not known";
}

interface Pair {
  readonly left: BootStep | undefined;
  readonly right: BootStep | undefined;
  readonly a: Boot;
  readonly b: Boot;
}

function verdictOf({ left, right, a, b }: Pair): Verdict {
  if (left !== undefined && right !== undefined) return left.meaning === right.meaning ? "same" : "other value";
  if (left !== undefined) return left.at > b.length ? "not known" : "missing in B";
  return (right?.at ?? 0) > a.length ? "not known" : "missing in A";
}

function byKey(steps: readonly BootStep[]): ReadonlyMap<string, readonly BootStep[]> {
  const found = new Map<string, BootStep[]>();
  for (const step of steps) {
    const same = found.get(step.key);
    if (same === undefined) found.set(step.key, [step]);
    else same.push(step);
  }
  return found;
}

type Paired = readonly [BootStep | undefined, BootStep | undefined];

function paired(left: readonly BootStep[], right: readonly BootStep[]): readonly Paired[] {
  const isSame = left.length === right.length && left.every(({ meaning }, index) => meaning === right[index]?.meaning);
  if (isSame || left.length > SEQUENCE_MAX || right.length > SEQUENCE_MAX) return besideEachOther(left, right);
  const pairs: Paired[] = [];
  let [fromLeft, fromRight] = [0, 0];
  for (const [atLeft, atRight] of matches(left, right)) {
    pairs.push(...besideEachOther(left.slice(fromLeft, atLeft), right.slice(fromRight, atRight)));
    pairs.push([left[atLeft], right[atRight]]);
    [fromLeft, fromRight] = [atLeft + 1, atRight + 1];
  }
  return [...pairs, ...besideEachOther(left.slice(fromLeft), right.slice(fromRight))];
}

function besideEachOther(left: readonly BootStep[], right: readonly BootStep[]): readonly Paired[] {
  const count = Math.max(left.length, right.length);
  return Array.from({ length: count }, (_none, index) => [left[index], right[index]] as const);
}

/** The places of the longest common subsequence, in both. */
function matches(left: readonly BootStep[], right: readonly BootStep[]): readonly (readonly [number, number])[] {
  const width = right.length + 1;
  /** How many equal steps there are from these places on. */
  const lengths = new Uint16Array((left.length + 1) * width);
  const at = (row: number, column: number): number => lengths[row * width + column] ?? 0;
  const isEqual = (row: number, column: number): boolean => left[row]?.meaning === right[column]?.meaning;
  for (let row = left.length - 1; row >= 0; row--) {
    for (let column = right.length - 1; column >= 0; column--) {
      lengths[row * width + column] = isEqual(row, column)
        ? at(row + 1, column + 1) + 1
        : Math.max(at(row + 1, column), at(row, column + 1));
    }
  }
  const places: (readonly [number, number])[] = [];
  for (let [row, column] = [0, 0]; row < left.length && column < right.length;) {
    if (isEqual(row, column)) places.push([row++, column++]);
    else if (at(row + 1, column) >= at(row, column + 1)) row++;
    else column++;
  }
  return places;
}
