/**
 * The watch table: which watches an event concerns.
 *
 * Owns the index of all watches: a trie of path names, so that an event costs the depth of its path and the number of
 * watches it meets, not the number of all watches; and a map for special paths. It decides no permissions
 * (`delivery.ts`). Source: xenstore.txt, "Watches".
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { Path } from "../../protocol/identifiers.js";
import { splitPath } from "../../protocol/path.js";

/** One watch of an owner. */
export interface Watch<Owner> {
  readonly owner: Owner;
  /** Absolute path, or `@…`. */
  readonly path: ByteString;
  readonly token: ByteString;
  /** Levels below `path` that it covers; undefined for all. */
  readonly depth: number | undefined;
  /** Leading characters of an event's path that are cut, because the watch was set relatively. */
  readonly relativeBase: number;
  /** Grows with each registration: watches of one owner fire in this order. */
  readonly order: number;
}

/** A place in the trie: the watches of one path, and the places below; most places lack one of the two. */
export class WatchPlace<Owner> {
  #watches: Set<Watch<Owner>> | undefined;
  #below: Map<string, WatchPlace<Owner>> | undefined;

  get watches(): Iterable<Watch<Owner>> {
    return this.#watches ?? [];
  }

  /** The names of the places below, unordered. */
  get names(): Iterable<string> {
    return this.#below?.keys() ?? [];
  }

  get isEmpty(): boolean {
    return this.#watches === undefined && this.#below === undefined;
  }

  get(name: string): WatchPlace<Owner> | undefined {
    return this.#below?.get(name);
  }

  /** The place below with this name, made if it is missing. */
  make(name: string): WatchPlace<Owner> {
    let place = this.#below?.get(name);
    if (place === undefined) (this.#below ??= new Map()).set(name, (place = new WatchPlace()));
    return place;
  }

  /** Removes an empty place below. */
  drop(name: string): void {
    this.#below?.delete(name);
    if (this.#below?.size === 0) this.#below = undefined;
  }

  add(watch: Watch<Owner>): void {
    (this.#watches ??= new Set()).add(watch);
  }

  remove(watch: Watch<Owner>): void {
    this.#watches?.delete(watch);
    if (this.#watches?.size === 0) this.#watches = undefined;
  }
}

/** All watches. */
export class WatchTable<Owner> {
  readonly #top = new WatchPlace<Owner>();
  readonly #special = new Map<string, Set<Watch<Owner>>>();
  #count = 0;

  /** How many watches there are. */
  get count(): number {
    return this.#count;
  }

  add(watch: Watch<Owner>): void {
    this.#count++;
    if (watch.path.charCodeAt(0) === 0x40) {
      const watches = this.#special.get(watch.path);
      if (watches === undefined) this.#special.set(watch.path, new Set([watch]));
      else watches.add(watch);
      return;
    }
    let place = this.#top;
    for (const name of splitPath(watch.path as Path)) place = place.make(name);
    place.add(watch);
  }

  /** Removes a watch that is in the table. */
  remove(watch: Watch<Owner>): void {
    this.#count--;
    if (watch.path.charCodeAt(0) === 0x40) {
      const watches = this.#special.get(watch.path);
      watches?.delete(watch);
      if (watches?.size === 0) this.#special.delete(watch.path);
      return;
    }
    const names = splitPath(watch.path as Path);
    const places = [this.#top];
    for (const name of names) {
      const next = places.at(-1)?.get(name);
      if (next === undefined) throw new Error(`no watch on ${watch.path} is in the table`);
      places.push(next);
    }
    places.at(-1)?.remove(watch);
    for (let level = names.length; level > 0; level--) {
      const place = places[level];
      if (place?.isEmpty !== true) break;
      places[level - 1]?.drop(names[level - 1] as string);
    }
  }

  /**
   * The watches of a node and of its ancestors whose depth reaches it, in the order of their registration; and the
   * place of the node itself, if any watch is set there or below.
   */
  matchSubtree(path: Path): { readonly watches: Watch<Owner>[]; readonly place: WatchPlace<Owner> | undefined } {
    const names = splitPath(path);
    const watches: Watch<Owner>[] = [];
    let place: WatchPlace<Owner> | undefined = this.#top;
    for (let level = 0; ; level++) {
      const distance = names.length - level;
      for (const watch of place.watches) {
        if (watch.depth === undefined || watch.depth >= distance) watches.push(watch);
      }
      if (level === names.length) break;
      place = place.get(names[level] as string);
      if (place === undefined) break;
    }
    return { watches: sortByOrder(watches), place };
  }

  /** The watches whose path is exactly this special path. */
  matchSpecial(path: string): Watch<Owner>[] {
    return [...(this.#special.get(path) ?? [])];
  }
}

/** Sorts watches by their registration, in place; a watch that an undone removal brought back is out of order in its set. */
export function sortByOrder<Owner>(watches: Watch<Owner>[]): Watch<Owner>[] {
  return watches.sort((left, right) => left.order - right.order);
}
