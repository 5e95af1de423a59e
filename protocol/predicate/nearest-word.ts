/**
 * Which word somebody meant.
 *
 * Owns the distance between words and when two are near enough to ask "did you mean".
 */

/** Words up to this length may differ in one place from what was written, longer ones in two. */
const SHORT_WORD_MAX = 3;
/** What is longer is no misspelt word of ours, the longest of which is a fault's name; it bounds the work. */
const WRITTEN_MAX = 32;

/** The word of `words` that is nearest to `written`, whatever its case; undefined when none is near. */
export function nearestWord(written: string, words: readonly string[]): string | undefined {
  if (written.length > WRITTEN_MAX) return undefined;
  let nearest: string | undefined;
  let least = Infinity;
  for (const word of words) {
    const distance = distanceBetween(written.toLowerCase(), word);
    if (distance < least && distance <= (word.length > SHORT_WORD_MAX ? 2 : 1)) {
      nearest = word;
      least = distance;
    }
  }
  return nearest;
}

/** How many characters to insert, leave out, replace or exchange with their neighbour (optimal string alignment). */
function distanceBetween(left: string, right: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1];
      let distance = Math.min(
        (last[column] as number) + 1,
        (current[column - 1] as number) + 1,
        (last[column - 1] as number) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]) {
        distance = Math.min(distance, (beforeLast[column - 2] as number) + 1);
      }
      current.push(distance);
    }
    beforeLast = last;
    last = current;
  }
  return last[right.length] as number;
}
