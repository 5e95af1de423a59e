/**
 * What one tree object has that another has not, without parsing either as a whole.
 *
 * Owns the comparison. A directory of a thousand domains has 40 KB, and the next commit changes one entry of it: what is
 * equal at both ends is passed over by comparing memory, and only the entries around the difference are looked at. It
 * takes any Git tree, not only ours, and knows nothing of what stands below an entry.
 * Source: gitformat-tree (Git's `tree-walk.c`); the order of entries is that of `tree-object.ts`.
 *
 *   const difference = new TreeDifference(tree, before);
 *   while (difference.next()) … difference.kind, difference.oid(), difference.before() …
 */
import { OID_BYTES, oidFromBytes, type Oid } from "./oid.js";

/** The bytes are no tree object. */
export class MalformedTreeError extends Error {
  override readonly name = "MalformedTreeError";
  /** The place in the tree object's content. */
  readonly at: number;
  constructor(at: number) {
    super(`byte ${String(at)} does not begin an entry of a tree: mode, space, name, NUL, object id`);
    this.at = at;
  }
}

const SPACE = 0x20;
const SLASH = 0x2f;
/** First digits of the modes: 40000 is a directory, 160000 a commit of another repository, all else a file. */
const DIRECTORY_DIGIT = 0x34;
const LINK_DIGITS = 0x3136;
/** Longest mode: six digits. */
const MODE_BYTES_MAX = 6;
/** Below this, bytes are compared one by one. */
const COMPARE_BYTES_MIN = 64;
const NO_BYTES = Buffer.alloc(0);

/** A place in a tree object. */
class Cursor {
  readonly data: Buffer;
  /** Where the entry begins; the content's length at the end. */
  at = 0;
  nameAt = 0;
  nameEnd = 0;
  /** Where the entry ends. */
  end = 0;

  constructor(data: Buffer) {
    this.data = data;
  }

  get isAtEnd(): boolean {
    return this.at >= this.data.length;
  }

  get isDirectory(): boolean {
    return this.data[this.at] === DIRECTORY_DIGIT;
  }

  /** Looks at the entry that begins at `at`. */
  enter(at: number): void {
    const { data } = this;
    this.at = at;
    if (at >= data.length) return;
    let space = at;
    while (data[space] !== SPACE) if (++space > at + MODE_BYTES_MAX) throw new MalformedTreeError(at);
    this.nameAt = space + 1;
    this.nameEnd = data.indexOf(0, this.nameAt);
    this.end = this.nameEnd + 1 + OID_BYTES;
    if (this.nameEnd <= this.nameAt || this.end > data.length) throw new MalformedTreeError(at);
  }

  oid(): Oid {
    return oidFromBytes(this.data, this.end - OID_BYTES);
  }
}

/** The entries of `tree` that are not the same in `before`. */
export class TreeDifference {
  /** Of the entry that `next` found. */
  kind: "tree" | "blob" = "blob";
  readonly #tree: Cursor;
  readonly #before: Cursor;
  #hasCounterpart = false;

  /**
   * @param before - empty when everything counts
   * @throws MalformedTreeError, here and in `next`
   */
  constructor(tree: Buffer, before: Buffer = NO_BYTES) {
    this.#tree = new Cursor(tree);
    this.#before = new Cursor(before);
    const common = commonPrefix(tree, before);
    // Up to there both have the same entries at the same places.
    this.#tree.enter(0);
    while (!this.#tree.isAtEnd && this.#tree.end <= common) this.#tree.enter(this.#tree.end);
    this.#before.enter(this.#tree.at);
    // `next` begins by leaving the entry that was found last; there is none yet.
    this.#tree.end = this.#tree.at;
  }

  /** Goes to the next entry that differs; false when there is none. Entries of other repositories are passed over. */
  next(): boolean {
    const [tree, before] = [this.#tree, this.#before];
    tree.enter(tree.end);
    if (this.#hasCounterpart) before.enter(before.end);
    this.#hasCounterpart = false;
    while (!tree.isAtEnd) {
      if (this.#restIsEqual()) return false;
      const order = before.isAtEnd ? -1 : compareNames(tree, before);
      if (order > 0) {
        before.enter(before.end);
        continue;
      }
      if (order === 0 && isSameEntry(tree, before)) {
        tree.enter(tree.end);
        before.enter(before.end);
        continue;
      }
      if (tree.data.readUInt16BE(tree.at) === LINK_DIGITS) {
        tree.enter(tree.end);
        continue;
      }
      this.#hasCounterpart = order === 0;
      this.kind = tree.isDirectory ? "tree" : "blob";
      return true;
    }
    return false;
  }

  /** The object of the entry. */
  oid(): Oid {
    return this.#tree.oid();
  }

  /** The tree object that stands under the same name in the other tree, if there is one and the entry is a tree. */
  before(): Oid | undefined {
    return this.#hasCounterpart && this.#before.isDirectory && this.kind === "tree" ? this.#before.oid() : undefined;
  }

  #restIsEqual(): boolean {
    const [tree, before] = [this.#tree, this.#before];
    return (
      tree.data.length - tree.at === before.data.length - before.at &&
      tree.data.compare(before.data, before.at, before.data.length, tree.at, tree.data.length) === 0
    );
  }
}

/** How many bytes both begin with. */
function commonPrefix(left: Buffer, right: Buffer): number {
  let low = 0;
  // Everything before `low` is equal, and something before `high` is not, or `high` is where one ends.
  let high = Math.min(left.length, right.length);
  while (high - low > COMPARE_BYTES_MIN) {
    const middle = (low + high) >>> 1;
    if (left.compare(right, low, middle, low, middle) === 0) low = middle;
    else high = middle;
  }
  while (low < high && left[low] === right[low]) low++;
  return low;
}

function isSameEntry(left: Cursor, right: Cursor): boolean {
  return (
    left.end - left.at === right.end - right.at &&
    left.data.compare(right.data, right.at, right.end, left.at, left.end) === 0
  );
}

/** In Git's order: a directory as if its name ended in a slash. */
function compareNames(left: Cursor, right: Cursor): number {
  const leftLength = left.nameEnd - left.nameAt;
  const rightLength = right.nameEnd - right.nameAt;
  const length = Math.min(leftLength, rightLength);
  for (let index = 0; index < length; index++) {
    const difference = (left.data[left.nameAt + index] as number) - (right.data[right.nameAt + index] as number);
    if (difference !== 0) return difference;
  }
  return byteAfter(left, length) - byteAfter(right, length);
}

/** What stands behind the first `length` bytes of a name, as the order sees it. */
function byteAfter(cursor: Cursor, length: number): number {
  if (cursor.nameAt + length < cursor.nameEnd) return cursor.data[cursor.nameAt + length] as number;
  return cursor.isDirectory ? SLASH : 0;
}
