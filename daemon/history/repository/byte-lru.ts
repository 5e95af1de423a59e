/**
 * A cache bounded in bytes, shared by many owners, that forgets what was unused longest.
 *
 * Owns the accounting. It never copies what it holds and never asks whether it is still true: an owner that goes away
 * clears its shelf.
 *
 * Invariants
 *  1. The costs of all entries sum up to at most `bytesMax`, except that a single larger entry is not kept at all.
 *  2. The ring holds every entry of every shelf once, the most recently used next to the head.
 */

interface Entry<Value> {
  readonly shelf: Shelf<Value>;
  readonly key: number;
  readonly value: Value;
  readonly cost: number;
  newer: Entry<Value>;
  older: Entry<Value>;
}

/** What an entry costs besides its value: the map's slot and the ring's links, about. */
const ENTRY_BYTES = 128;

/** The part of the cache that belongs to one owner; its keys are its own. */
export class Shelf<Value> {
  readonly #cache: ByteLru<Value>;
  /** For the cache alone. */
  readonly entries = new Map<number, Entry<Value>>();

  constructor(cache: ByteLru<Value>) {
    this.#cache = cache;
  }

  /** The value under `key`, which becomes the most recently used one. */
  get(key: number): Value | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    this.#cache.touch(entry);
    return entry.value;
  }

  /** Keeps `value`, of `bytes` bytes, for as long as there is room. */
  set(key: number, value: Value, bytes: number): void {
    this.#cache.insert({ shelf: this, key, value, bytes });
  }

  /** Forgets everything on this shelf. */
  clear(): void {
    for (const entry of this.entries.values()) this.#cache.drop(entry);
    this.entries.clear();
  }
}

/** The cache; its owners use it through their shelves. */
export class ByteLru<Value> {
  readonly #bytesMax: number;
  readonly #forgotten: (value: Value) => void;
  #bytes = 0;
  /** The most recently used entry; its `newer` is the one unused longest. */
  #head: Entry<Value> | undefined;

  /**
   * @param bytesMax - most bytes of all entries together; 0 keeps nothing
   * @param forgotten - is given each value that the cache had and has no longer
   */
  constructor(bytesMax: number, forgotten: (value: Value) => void = () => undefined) {
    this.#bytesMax = bytesMax;
    this.#forgotten = forgotten;
  }

  /** Bytes held now, including what the entries cost themselves. */
  get bytes(): number {
    return this.#bytes;
  }

  shelf(): Shelf<Value> {
    return new Shelf(this);
  }

  /** For shelves: makes an entry the most recently used one. */
  touch(entry: Entry<Value>): void {
    if (this.#head === entry) return;
    unlink(entry);
    this.#linkFirst(entry);
  }

  /** For shelves. */
  insert({ shelf, key, value, bytes }: { shelf: Shelf<Value>; key: number; value: Value; bytes: number }): void {
    const old = shelf.entries.get(key);
    if (old !== undefined) this.#forget(old);
    const cost = bytes + ENTRY_BYTES;
    if (cost > this.#bytesMax) return;
    while (this.#head !== undefined && this.#bytes + cost > this.#bytesMax) this.#forget(this.#head.newer);
    const entry = { shelf, key, value, cost } as Entry<Value>;
    this.#linkFirst(entry);
    this.#bytes += cost;
    shelf.entries.set(key, entry);
  }

  /** For shelves: takes an entry from the ring; the shelf forgets it itself. */
  drop(entry: Entry<Value>): void {
    if (this.#head === entry) this.#head = entry.older === entry ? undefined : entry.older;
    unlink(entry);
    this.#bytes -= entry.cost;
    this.#forgotten(entry.value);
  }

  #forget(entry: Entry<Value>): void {
    entry.shelf.entries.delete(entry.key);
    this.drop(entry);
  }

  #linkFirst(entry: Entry<Value>): void {
    const head = this.#head;
    if (head === undefined) {
      entry.newer = entry.older = entry;
    } else {
      entry.older = head;
      entry.newer = head.newer;
      head.newer.older = entry;
      head.newer = entry;
    }
    this.#head = entry;
  }
}

function unlink<Value>(entry: Entry<Value>): void {
  entry.newer.older = entry.older;
  entry.older.newer = entry.newer;
}
