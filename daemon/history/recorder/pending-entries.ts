/**
 * Entries that come to a directory and go from it in one commit, kept aside until all are known.
 *
 * Owns them, and the one pass that puts them into the directory's lists and bytes. Put in one by one, each moves all that stands
 * behind it: a commit that brings 100,000 children of one node took the recorder half a minute.
 *
 * Invariants
 *  1. The lists and bytes that it was made for stay as they are until `merge`, but for oids and children that are set in place.
 *  2. A key is in the lists, in what came, or in neither; what went of the lists and comes again is in the lists.
 */
import type { Oid } from "../object/oid.js";
import { entryBytes, putLatin1, serializeEntryPrefix, type EntryKey } from "../object/tree-object.js";

/** An entry that came; `Child` is what a directory is to the caller. */
export interface PendingEntry<Child> {
  readonly key: EntryKey;
  oid: Oid;
  readonly child: Child | undefined;
}

/** A directory's lists and bytes. */
export interface EntryLists<Child> {
  readonly keys: EntryKey[];
  /** Parallel to `keys`; undefined as long as no entry is a directory. */
  readonly children: (Child | undefined)[] | undefined;
  readonly bytes: Uint8Array;
}

/** What is told of the pass: at `position` of the bytes as they are then, `removed` bytes gave way to `inserted` new ones. */
export type NoteSplice = (position: number, removed: number, inserted: number) => void;

/** What came to one directory and went from it. */
export class PendingEntries<Child> {
  readonly #size: number;
  /** By its place in the lists: 1 where the entry went. */
  readonly #gone: Uint8Array;
  readonly #came = new Map<EntryKey, number>();
  /** What came, in that order; undefined where it went again. */
  readonly #entries: (PendingEntry<Child> | undefined)[] = [];

  /** @param size - how many entries the lists have; what came is numbered from there on */
  constructor(size: number) {
    this.#size = size;
    this.#gone = new Uint8Array(size);
  }

  /** Whether an entry of the lists went. */
  isGone(index: number): boolean {
    return this.#gone[index] === 1;
  }

  /** The number of an entry that came; undefined where there is none. */
  numberOf(key: EntryKey): number | undefined {
    return this.#came.get(key);
  }

  /** The entry that came with this number; undefined for a number of the lists. */
  entryAt(number: number): PendingEntry<Child> | undefined {
    return number < this.#size ? undefined : this.#entries[number - this.#size];
  }

  /** Adds an entry. Its key is not in the lists, not even as one that went: `takeBack` that one. */
  add(entry: PendingEntry<Child>): void {
    this.#came.set(entry.key, this.#size + this.#entries.length);
    this.#entries.push(entry);
  }

  /** Removes an entry, of the lists or one that came. */
  remove(number: number): void {
    if (number < this.#size) this.#gone[number] = 1;
    else {
      this.#came.delete((this.entryAt(number) as PendingEntry<Child>).key);
      this.#entries[number - this.#size] = undefined;
    }
  }

  /** Says that an entry of the lists did not go. */
  takeBack(index: number): void {
    this.#gone[index] = 0;
  }

  /**
   * The lists and bytes with what came and without what went, the bytes with no room to spare.
   *
   * @param old - the lists and bytes as they are
   * @param starts - where each entry's bytes begin, and where the last one's end
   */
  merge(old: EntryLists<Child>, starts: Uint32Array, noteSplice: NoteSplice): EntryLists<Child> {
    const came = this.#entries.filter((entry) => entry !== undefined);
    came.sort((left, right) => (left.key < right.key ? -1 : 1));
    const keys: EntryKey[] = [];
    const hasChildren = old.children !== undefined || came.some(({ child }) => child !== undefined);
    const children: (Child | undefined)[] | undefined = hasChildren ? [] : undefined;
    const bytes = new ByteMerge(old.bytes, this.#bytesAfter(starts, came), starts[0] as number, noteSplice);
    let next = 0;
    for (let index = 0; index <= this.#size; index++) {
      const key = old.keys[index];
      for (
        let entry = came[next];
        entry !== undefined && (key === undefined || entry.key < key);
        entry = came[++next]
      ) {
        bytes.put(starts[index] as number, entry);
        keys.push(entry.key);
        children?.push(entry.child);
      }
      if (key === undefined) break;
      if (this.isGone(index)) bytes.skip(starts[index] as number, starts[index + 1] as number);
      else {
        keys.push(key);
        children?.push(old.children?.[index]);
      }
    }
    bytes.copyTo(starts[this.#size] as number);
    bytes.endSplice();
    return { keys, children, bytes: bytes.merged };
  }

  #bytesAfter(starts: Uint32Array, came: readonly PendingEntry<Child>[]): number {
    let bytes = starts[this.#size] as number;
    for (const { key } of came) bytes += entryBytes(key);
    for (let index = 0; index < this.#size; index++) {
      if (this.isGone(index)) bytes -= (starts[index + 1] as number) - (starts[index] as number);
    }
    return bytes;
  }
}

/** Makes the new bytes from the old ones, from the first to the last; neighbouring changes are told as one splice. */
class ByteMerge {
  readonly merged: Uint8Array;
  readonly #old: Uint8Array;
  readonly #noteSplice: NoteSplice;
  /** How far the old bytes were copied or skipped, and how far the new ones are made. */
  #from: number;
  #end: number;
  #removed = 0;
  #inserted = 0;

  /** @param first - where the first entry begins, in both */
  constructor(old: Uint8Array, size: number, first: number, noteSplice: NoteSplice) {
    this.#old = old;
    this.merged = new Uint8Array(size);
    this.#from = first;
    this.#end = first;
    this.#noteSplice = noteSplice;
  }

  put(at: number, { key, oid }: PendingEntry<unknown>): void {
    this.copyTo(at);
    const size = entryBytes(key);
    putLatin1(this.merged, putLatin1(this.merged, this.#end, serializeEntryPrefix(key)), oid);
    this.#end += size;
    this.#inserted += size;
  }

  skip(start: number, end: number): void {
    this.copyTo(start);
    this.#from = end;
    this.#removed += end - start;
  }

  copyTo(end: number): void {
    if (end === this.#from) return;
    this.endSplice();
    this.merged.set(this.#old.subarray(this.#from, end), this.#end);
    this.#end += end - this.#from;
    this.#from = end;
  }

  endSplice(): void {
    if (this.#removed + this.#inserted > 0) {
      this.#noteSplice(this.#end - this.#inserted, this.#removed, this.#inserted);
    }
    this.#removed = 0;
    this.#inserted = 0;
  }
}
