/**
 * Random numbers from a seed.
 *
 * Owns the generator: mulberry32, small, and good enough to choose what happens next. The same seed gives the same numbers.
 */

/** A source of random numbers. */
export interface Random {
  /** At least 0 and below 1. */
  fraction(): number;
  /** An integer, at least 0 and below `end`. */
  below(end: number): number;
}

/** Makes a source; `stream` tells sources of one seed apart. */
export function createRandom({ seed, stream = 0 }: { readonly seed: number; readonly stream?: number }): Random {
  let state = (seed ^ Math.imul(stream + 1, 0x9e3779b1)) | 0;
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  return { fraction, below: (end) => Math.floor(fraction() * end) };
}
