/**
 * How a directory's new bytes came from its old ones, kept so that a delta need not be searched for.
 *
 * Owns a list of pieces: the new bytes are, in this order, copies of stretches of the old bytes and stretches that are new.
 * Every edit of the bytes is told to it as a splice, at the position that it has in the bytes *at that moment*.
 */

/** A start that says: these bytes are new. */
const NEW = -1;

/** Past so many pieces a delta is no longer worth its search; the directory is then stored whole. */
const PIECES_MAX = 512;

/** The pieces of one directory between two commits. */
export class TreeEdit {
  /** Pairs: where the piece starts in the old bytes (or `NEW`), and its length. */
  #pieces: number[];
  #isWhole = false;
  /** How long the old content is. */
  readonly oldBytes: number;

  constructor(oldBytes: number) {
    this.oldBytes = oldBytes;
    this.#pieces = [0, oldBytes];
  }

  /** Whether the edit has become too fine for a delta. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** How many pieces there are. */
  get count(): number {
    return this.#pieces.length / 2;
  }

  /** Where piece `index` starts in the old bytes; -1 when its bytes are new. */
  startOf(index: number): number {
    return this.#pieces[index * 2] as number;
  }

  /** Bytes of piece `index`. */
  lengthOf(index: number): number {
    return this.#pieces[index * 2 + 1] as number;
  }

  /** Says that at `position` of the current bytes `removed` bytes gave way to `inserted` new ones. */
  splice(position: number, removed: number, inserted: number): void {
    if (this.#isWhole) return;
    const old = this.#pieces;
    const next: number[] = [];
    let at = 0;
    let isInserted = false;
    const end = position + removed;
    for (let index = 0; index < old.length; index += 2) {
      const start = old[index] as number;
      const length = old[index + 1] as number;
      const before = Math.min(length, Math.max(0, position - at));
      const after = Math.min(length, Math.max(0, at + length - end));
      pushPiece(next, start, before);
      if (!isInserted && at + length >= position) {
        pushPiece(next, NEW, inserted);
        isInserted = true;
      }
      pushPiece(next, start === NEW ? NEW : start + length - after, after);
      at += length;
    }
    if (!isInserted) pushPiece(next, NEW, inserted);
    this.#pieces = next;
    if (next.length > PIECES_MAX * 2) this.#isWhole = true;
  }
}

/** Appends a piece, to the last one where the two are one stretch. */
function pushPiece(pieces: number[], start: number, length: number): void {
  if (length === 0) return;
  const last = pieces.length - 2;
  if (last >= 0) {
    const lastStart = pieces[last] as number;
    const lastLength = pieces[last + 1] as number;
    const joins = start === NEW ? lastStart === NEW : lastStart !== NEW && lastStart + lastLength === start;
    if (joins) {
      pieces[last + 1] = lastLength + length;
      return;
    }
  }
  pieces.push(start, length);
}
