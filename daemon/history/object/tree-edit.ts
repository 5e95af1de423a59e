/**
 * How a directory's new bytes came from its old ones, kept so that a delta need not be searched for.
 *
 * Owns a list of pieces: the new bytes are, in this order, copies of stretches of the old bytes and stretches that are new.
 * Every edit of the bytes is told to it as a splice, at the position that it has in the bytes *at that moment*.
 */

/** A start that says: these bytes are new. */
const NEW = -1;
const NONE = -1;

/** Past so many pieces a delta is no longer worth its search; the directory is then stored whole. */
const PIECES_MAX = 512;

/** The pieces of one directory between two of its versions. */
export class TreeEdit {
  /**
   * Pairs: where the piece starts in the old bytes (or `NEW`), and its length. Undefined before the second splice, as long
   * as one stretch at most was replaced by as many bytes: in most edits one oid is, and that needs no list.
   */
  #pieces: number[] | undefined;
  #replacedAt = NONE;
  #replacedBytes = 0;
  #isWhole = false;
  #oldBytes: number;

  constructor(oldBytes: number) {
    this.#oldBytes = oldBytes;
  }

  /** How long the old content is. */
  get oldBytes(): number {
    return this.#oldBytes;
  }

  /** Where the one stretch is that was replaced by as many bytes, if that is all that has happened; else -1. */
  get replacedAt(): number {
    return this.#pieces === undefined ? this.#replacedAt : NONE;
  }

  /** How long that stretch is. */
  get replacedBytes(): number {
    return this.#replacedBytes;
  }

  /** Whether the edit has become too fine for a delta. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** How many pieces there are. */
  get count(): number {
    return this.#list().length / 2;
  }

  /** Where piece `index` starts in the old bytes; -1 when its bytes are new. */
  startOf(index: number): number {
    return this.#list()[index * 2] as number;
  }

  /** Bytes of piece `index`. */
  lengthOf(index: number): number {
    return this.#list()[index * 2 + 1] as number;
  }

  /** Starts anew: nothing is different from old content of `oldBytes` bytes. */
  restart(oldBytes: number): void {
    this.#oldBytes = oldBytes;
    this.#pieces = undefined;
    this.#replacedAt = NONE;
    this.#isWhole = false;
  }

  /** Says that at `position` of the current bytes `removed` bytes gave way to `inserted` new ones. */
  splice(position: number, removed: number, inserted: number): void {
    if (this.#isWhole || removed + inserted === 0) return;
    if (this.#pieces === undefined && this.#replacedAt === NONE && removed === inserted) {
      this.#replacedAt = position;
      this.#replacedBytes = inserted;
      return;
    }
    const pieces = this.#list();
    // The first piece that the change reaches, and where it begins.
    let index = 0;
    let at = 0;
    while (index < pieces.length && at + (pieces[index + 1] as number) < position) {
      at += pieces[index + 1] as number;
      index += 2;
    }
    const replacement: number[] = [];
    const first = index;
    let isInserted = false;
    // One piece more than the change covers, so that what touches it can join.
    for (let isPast = false; index < pieces.length && !isPast; index += 2) {
      const start = pieces[index] as number;
      const length = pieces[index + 1] as number;
      const before = Math.min(length, Math.max(0, position - at));
      const after = Math.min(length, Math.max(0, at + length - position - removed));
      pushPiece(replacement, start, before);
      if (!isInserted && at + length >= position) {
        pushPiece(replacement, NEW, inserted);
        isInserted = true;
      }
      pushPiece(replacement, start === NEW ? NEW : start + length - after, after);
      isPast = at >= position + removed;
      at += length;
    }
    if (!isInserted) pushPiece(replacement, NEW, inserted);
    pieces.splice(first, index - first, ...replacement);
    if (pieces.length > PIECES_MAX * 2) this.#isWhole = true;
  }

  #list(): number[] {
    if (this.#pieces !== undefined) return this.#pieces;
    const pieces: number[] = [];
    const [at, length] = [this.#replacedAt, this.#replacedBytes];
    if (at === NONE) pushPiece(pieces, 0, this.oldBytes);
    else {
      pushPiece(pieces, 0, at);
      pushPiece(pieces, NEW, length);
      pushPiece(pieces, at + length, this.oldBytes - at - length);
    }
    return (this.#pieces = pieces);
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
