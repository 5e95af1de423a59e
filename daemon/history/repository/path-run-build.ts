/**
 * Making runs of the path index: from touches in the order of the commits, and from older runs.
 *
 * Owns the two ways. Both are done in small steps: a generator pauses after some hundred microseconds of work.
 */
import type { Path } from "../../../protocol/identifiers.js";
import { enclosingKey, ownKey } from "./path-keys.js";
import { RunScan, type PathRun } from "./path-run.js";
import type { PathRunWriter } from "./path-run-writer.js";
import type { TouchList } from "./touch-list.js";

/** Small things that are done between two pauses. */
const STEP_TOUCHES = 4096;
const STEP_POSTINGS = 8192;
const STEP_ENTRIES = 512;
const SORTED_AT_ONCE = 512;

/** The keys of some paths: the own keys first, by the numbers of the paths, then those that enclose them. */
interface KeyTable {
  readonly keys: readonly string[];
  /** For each key the number of the innermost one that encloses it; -1 when none does. */
  readonly enclosing: readonly number[];
}

/**
 * Writes the touches as a run.
 *
 * @param touches - by ascending seqs
 * @param count - how many of them
 */
export function* writeTouches(
  writer: PathRunWriter,
  { touches, count, paths }: { readonly touches: TouchList; readonly count: number; readonly paths: readonly Path[] },
): Generator<void, void> {
  const { keys, enclosing } = yield* tableOf(paths);
  const postings = yield* postingsByKey({ touches, count, enclosing });
  let done = 0;
  for (const key of yield* sortedNumbers(keys)) {
    let at = postings.first[key] as number;
    if (at < 0) continue;
    writer.startKey(keys[key] as string);
    for (; at >= 0; at = postings.next[at] as number) {
      const touch = postings.touch[at] as number;
      writer.addPosting(touches.seq(touch), key < paths.length && touches.isRemoval(touch));
      if (++done % STEP_POSTINGS === 0) yield;
    }
  }
  writer.finish();
}

/** Lists of touches, the newest first: by key the number of the first posting, by posting its touch and the next one, or -1. */
interface PostingLists {
  readonly first: Int32Array;
  readonly touch: Int32Array;
  readonly next: Int32Array;
}

function* tableOf(paths: readonly Path[]): Generator<void, KeyTable> {
  const keys: string[] = paths.map(ownKey);
  const enclosing: number[] = [];
  const numbers = new Map<string, number>();
  // It grows while it is gone through: what encloses a key is enclosed itself.
  for (let index = 0; index < keys.length; index++) {
    if (index % STEP_TOUCHES === 0) yield;
    const key = enclosingKey(keys[index] as string);
    let number = key === undefined ? -1 : numbers.get(key);
    if (number === undefined) {
      number = keys.length;
      numbers.set(key as string, number);
      keys.push(key as string);
    }
    enclosing.push(number);
  }
  return { keys, enclosing };
}

/** The touches of each key; a commit is once in the list of a key that encloses others. */
function* postingsByKey({
  touches,
  count,
  enclosing,
}: {
  readonly touches: TouchList;
  readonly count: number;
  readonly enclosing: readonly number[];
}): Generator<void, PostingLists> {
  const first = new Int32Array(enclosing.length).fill(-1);
  const last = new Int32Array(enclosing.length);
  const lastSeqs = new Float64Array(enclosing.length);
  let touchOf = new Int32Array(8 * count);
  let next = new Int32Array(8 * count);
  let length = 0;
  for (let touch = count - 1; touch >= 0; touch--) {
    if (touch % STEP_TOUCHES === 0) yield;
    const seq = touches.seq(touch);
    const own = touches.pathNumber(touch);
    for (let key = own; key >= 0; key = enclosing[key] as number) {
      if (key !== own) {
        if (lastSeqs[key] === seq) break;
        lastSeqs[key] = seq;
      }
      if (length === next.length) {
        touchOf = enlarged(touchOf);
        next = enlarged(next);
      }
      touchOf[length] = touch;
      next[length] = -1;
      if (first[key] === -1) first[key] = length;
      else next[last[key] as number] = length;
      last[key] = length++;
    }
  }
  return { first, touch: touchOf, next };
}

function enlarged(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * array.length);
  larger.set(array);
  return larger;
}

/** The numbers of the keys, in the order of the keys: to sort them all at once may take long. */
function* sortedNumbers(keys: readonly string[]): Generator<void, number[]> {
  let parts: number[][] = [];
  for (let start = 0; start < keys.length; start += SORTED_AT_ONCE) {
    const part = Array.from({ length: Math.min(SORTED_AT_ONCE, keys.length - start) }, (_, index) => start + index);
    parts.push(part.sort((left, right) => ((keys[left] as string) < (keys[right] as string) ? -1 : 1)));
    yield;
  }
  while (parts.length > 1) {
    const merged: number[][] = [];
    for (let index = 0; index < parts.length; index += 2) {
      merged.push(yield* mergedNumbers(keys, parts[index] as number[], parts[index + 1] ?? []));
    }
    parts = merged;
  }
  return parts[0] ?? [];
}

function* mergedNumbers(
  keys: readonly string[],
  left: readonly number[],
  right: readonly number[],
): Generator<void, number[]> {
  const merged: number[] = [];
  for (let at = 0, other = 0; at < left.length || other < right.length;) {
    const isLeft =
      other === right.length ||
      (at < left.length && (keys[left[at] as number] as string) < (keys[right[other] as number] as string));
    merged.push((isLeft ? left[at++] : right[other++]) as number);
    if (merged.length % STEP_TOUCHES === 0) yield;
  }
  return merged;
}

/**
 * Writes the entries of several runs as one.
 *
 * @param runs - the newest first
 * @throws DamagedPathIndexError, and what the disk throws
 */
export function* writeMerged(writer: PathRunWriter, runs: readonly PathRun[]): Generator<void, void> {
  const scans = runs.map((run) => new RunScan(run));
  for (const scan of scans) scan.next();
  let done = 0;
  for (;;) {
    let least: string | undefined;
    for (const { entry } of scans)
      if (entry !== undefined && (least === undefined || entry.key < least)) least = entry.key;
    if (least === undefined) break;
    writer.startKey(least);
    for (const scan of scans) {
      while (scan.entry?.key === least) {
        writer.addEntry(scan.entry);
        scan.next();
        if (++done % STEP_ENTRIES === 0) yield;
      }
    }
  }
  writer.finish();
}
