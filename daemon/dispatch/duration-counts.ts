/**
 * Durations, counted by how long they were.
 *
 * Owns the bounds and the counts: adding one is two additions and a search among a dozen numbers, and nothing is allocated.
 */

/** Upper bounds of the classes, in seconds; what is longer than the last is in one more. */
export const DURATION_BOUNDS_SECONDS: readonly number[] = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5,
];

/** Counts as plain data. */
export interface DurationFigures {
  /** Upper bounds of the classes, in seconds. */
  readonly bounds: readonly number[];
  /** For each bound, and beyond the last: how many were in that class and in no lower one. */
  readonly counts: readonly number[];
  /** Of all together. */
  readonly seconds: number;
}

/** Counts durations. */
export class DurationCounts {
  readonly #counts: number[] = new Array<number>(DURATION_BOUNDS_SECONDS.length + 1).fill(0);
  #seconds = 0;

  /** Adds as many of the same length. */
  add(seconds: number, times = 1): void {
    let index = 0;
    while (index < DURATION_BOUNDS_SECONDS.length && seconds > (DURATION_BOUNDS_SECONDS[index] as number)) index++;
    this.#counts[index] = (this.#counts[index] as number) + times;
    this.#seconds += seconds * times;
  }

  figures(): DurationFigures {
    return { bounds: DURATION_BOUNDS_SECONDS, counts: [...this.#counts], seconds: this.#seconds };
  }
}
