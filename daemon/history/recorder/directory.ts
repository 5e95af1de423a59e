/**
 * One directory of the recorded tree: its tree object, kept as the bytes that Git hashes, and edited in place.
 *
 * Owns bytes, keys and the trace of the edits since the last commit. It knows nothing of nodes, values and perms beyond
 * holding them: what they mean is `mirror.ts`.
 *
 * Why bytes: a leaf costs its tree entry and nothing else (no node object, no value: its oid stands in the entry), and a
 * changed oid is twenty bytes written, one hash over bytes that are already there, and a delta known without a search.
 *
 * Invariants
 *  1. `content` is the tree object whose entries are `keys`, in this order, with the oids that were set. Asking for any of
 *     them ends what is pending (4).
 *  2. `keys` is sorted (Git's order); `children` is parallel to it and has a directory exactly where the key ends in `/`.
 *  3. Between commits, `edit` is undefined. While it is not, it leads from the content at the last commit to `content`.
 *  4. When many entries of a large directory come or go in one commit, they are pending until the lists or bytes are asked
 *     for, and then put in at once; `hash` asks, so that nothing is pending between commits. Meanwhile an entry's index is a
 *     number that `find` tells, not a place in `keys`; indexes from before the lists or bytes were asked for are void.
 */
import type { Perms } from "../../../protocol/perms.js";
import { indexOfName } from "../../store/node.js";
import { hashBytes, OID_BYTES, type Oid } from "../object/oid.js";
import type { EntryIndex } from "../object/pack.js";
import { PrefixHasher } from "../object/prefix-hasher.js";
import type { TreeEdit } from "../object/tree-edit.js";
import {
  entryBytes,
  entryPrefixBytes,
  isDirectoryKey,
  putLatin1,
  serializeEntryPrefix,
  type EntryKey,
} from "../object/tree-object.js";
import { PendingEntries, type PendingEntry } from "./pending-entries.js";
import type { SkipChain } from "./skip-chain.js";

/** Room in front of the content for `tree SIZE NUL`, which is hashed with it. */
const HEADER_ROOM = 16;
/** Up to so many entries an entry is found by adding up those before it; a larger directory keeps a table while it is busy. */
const STARTS_FROM = 16;

/** From this size on a hash is continued from a state before the change; below it, hashing all is quicker. */
const PREFIX_HASHED_FROM_BYTES = 6144;

/**
 * How many entries come to a directory or go from it one by one before others are kept pending, and the least size at which
 * that is done: below it all is moved in less time than the pass takes.
 */
const PENDING_FROM_MOVES = 8;
const PENDING_FROM_ENTRIES = 64;

const NO_CHILDREN: readonly undefined[] = [];

/** How a directory begins. */
export interface NewDirectory {
  readonly parent: Directory | undefined;
  /** Its own key in the parent; empty for the top. */
  readonly key: EntryKey;
  readonly perms: Perms | undefined;
}

/** A directory. */
export class Directory {
  readonly parent: Directory | undefined;
  /** Its own key in the parent; empty for the top. */
  readonly key: EntryKey;
  /** Levels below the top. */
  readonly depth: number;
  /** Perms of the node; undefined for `.domains`, which is none. */
  perms: Perms | undefined;
  /** Perms of the childless children that differ from `perms`. */
  exceptions: Map<string, Perms> | undefined;
  /** Whether `.perms` must be written anew at the end of the commit. */
  isPermsStale = false;
  /** Whether the commit under way has touched it. */
  isTouched = false;
  /** Whether it was taken out of the tree. */
  isRemoved = false;
  /** Its entry in the pack of the builder's generation `packGeneration`; void when the builder has moved on. */
  packEntry: EntryIndex = -1;
  packGeneration = -1;
  /** What the commit under way does to the bytes, when that is worth knowing: the content before it is in this pack. */
  edit: TreeEdit | undefined;
  /** Of a large directory that changes often: which of its versions the next one is stored as a delta of. */
  chain: SkipChain | undefined;

  #keys: EntryKey[];
  /** Undefined as long as no entry is a directory. */
  #children: (Directory | undefined)[] | undefined;
  #bytes: Uint8Array;
  #end = HEADER_ROOM;
  /** Header and content, as they are hashed; void when the size or the bytes' place has changed. */
  #hashed: Uint8Array | undefined;
  /** Of a large directory: knows the hash of what stands before the last changes. */
  #hasher: PrefixHasher | undefined;
  /** Where each entry starts, as long as nothing came or went. */
  #starts: Uint32Array | undefined;
  /** The entry whose oid was last asked for, and where that is; -1 when entries have moved since. */
  #locatedIndex = -1;
  #locatedStart = 0;
  /** Where it was last found in the parent. */
  #slot = 0;
  /** How many entries came or went since the last hash. */
  #moves = 0;
  #pending: PendingEntries<Directory> | undefined;

  constructor({ parent, key, perms }: NewDirectory) {
    this.parent = parent;
    this.key = key;
    this.perms = perms;
    this.depth = parent === undefined ? 0 : parent.depth + 1;
    this.#keys = [];
    this.#bytes = new Uint8Array(HEADER_ROOM);
  }

  /** The entries' keys, sorted. */
  get keys(): readonly EntryKey[] {
    this.#endPending();
    return this.#keys;
  }

  /** Parallel to `keys`, or empty when no entry is a directory. */
  get children(): readonly (Directory | undefined)[] {
    this.#endPending();
    return this.#children ?? NO_CHILDREN;
  }

  /** `tree SIZE NUL` and the content, which ends with it; a view that the next edit may change. */
  get hashed(): Uint8Array {
    this.#endPending();
    return (this.#hashed ??= this.#withHeader());
  }

  /** Where in `hashed` the content starts. */
  get contentStart(): number {
    return this.hashed.length - this.contentBytes;
  }

  /** Bytes of the content. */
  get contentBytes(): number {
    this.#endPending();
    return this.#end - HEADER_ROOM;
  }

  /** Fills an empty directory from its tree object; takes both lists, which are parallel, as its own. */
  load(content: Uint8Array, keys: EntryKey[], children: (Directory | undefined)[] | undefined): void {
    this.#bytes = new Uint8Array(HEADER_ROOM + content.length);
    this.#bytes.set(content, HEADER_ROOM);
    this.#end = HEADER_ROOM + content.length;
    this.#entriesMoved();
    this.#keys = keys;
    this.#children = children;
  }

  /** Puts a child that was loaded later into its slot. */
  adopt(slot: number, child: Directory): void {
    if (this.#children !== undefined) this.#children[slot] = child;
  }

  /** The index of a key, or `-(insertion point) - 1`. */
  find(key: EntryKey): number {
    const index = indexOfName(this.#keys, key);
    if (this.#pending === undefined) return index;
    if (index >= 0) return this.#pending.isGone(index) ? -index - 1 : index;
    return this.#pending.numberOf(key) ?? index;
  }

  /** The index of a child directory of this one. */
  slotOf(child: Directory): number {
    if (this.#pending !== undefined || this.#keys[child.#slot] !== child.key) child.#slot = this.find(child.key);
    return child.#slot;
  }

  /** The child directory at an index; undefined for a file. */
  childAt(index: number): Directory | undefined {
    const came = this.#pending?.entryAt(index);
    return came === undefined ? this.#children?.[index] : came.child;
  }

  /** The oid of an entry. */
  oidAt(index: number): Oid {
    const came = this.#pending?.entryAt(index);
    if (came !== undefined) return came.oid;
    const at = this.#oidStart(index);
    return String.fromCharCode(...this.#bytes.subarray(at, at + OID_BYTES)) as Oid;
  }

  /** Whether an entry has this oid. */
  hasOidAt(index: number, oid: Oid): boolean {
    const came = this.#pending?.entryAt(index);
    if (came !== undefined) return came.oid === oid;
    const bytes = this.#bytes;
    const at = this.#oidStart(index);
    for (let byte = 0; byte < OID_BYTES; byte++) if (bytes[at + byte] !== oid.charCodeAt(byte)) return false;
    return true;
  }

  /** Gives an entry another oid. */
  setOidAt(index: number, oid: Oid): void {
    const came = this.#pending?.entryAt(index);
    if (came !== undefined) {
      came.oid = oid;
      return;
    }
    const bytes = this.#bytes;
    const at = this.#oidStart(index);
    for (let byte = 0; byte < OID_BYTES; byte++) bytes[at + byte] = oid.charCodeAt(byte);
    this.#noteSplice(at, OID_BYTES, OID_BYTES);
  }

  /** Inserts an entry at its insertion point; a directory comes with its child. `key` outlives the call: pass it flat. */
  insertAt(index: number, key: EntryKey, oid: Oid, child: Directory | undefined): void {
    const pending = this.#pendingMoves();
    if (pending !== undefined) {
      this.#insertPending(pending, index, { key, oid, child });
      return;
    }
    const at = this.#startOf(index);
    const size = entryBytes(key);
    this.#makeRoom(size);
    this.#bytes.copyWithin(at + size, at, this.#end);
    this.#end += size;
    putLatin1(this.#bytes, putLatin1(this.#bytes, at, serializeEntryPrefix(key)), oid);
    this.#keys.splice(index, 0, key);
    this.#makeChildren(child, this.#keys.length - 1)?.splice(index, 0, child);
    this.#entriesMoved();
    this.#noteSplice(at, 0, size);
  }

  /** Removes an entry. */
  removeAt(index: number): void {
    const pending = this.#pendingMoves();
    if (pending !== undefined) {
      pending.remove(index);
      return;
    }
    const at = this.#startOf(index);
    const size = entryBytes(this.#keys[index] as EntryKey);
    this.#bytes.copyWithin(at, at + size, this.#end);
    this.#end -= size;
    this.#keys.splice(index, 1);
    this.#children?.splice(index, 1);
    this.#entriesMoved();
    this.#noteSplice(at, size, 0);
  }

  /** What is pending, or is from now on; undefined while entries are moved one by one. */
  #pendingMoves(): PendingEntries<Directory> | undefined {
    this.#moves++;
    if (this.#moves > PENDING_FROM_MOVES && this.#keys.length >= PENDING_FROM_ENTRIES) {
      this.#pending ??= new PendingEntries(this.#keys.length);
    }
    return this.#pending;
  }

  #insertPending(
    pending: PendingEntries<Directory>,
    index: number,
    { key, oid, child }: PendingEntry<Directory>,
  ): void {
    if (this.#keys[index] !== key) {
      pending.add({ key, oid, child });
      return;
    }
    // It went in this commit and comes again.
    pending.takeBack(index);
    this.setOidAt(index, oid);
    const children = this.#makeChildren(child, this.#keys.length);
    if (children !== undefined) children[index] = child;
  }

  #endPending(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    this.#pending = undefined;
    this.#moves = 0;
    const starts = (this.#starts ??= this.#computeStarts());
    const old = { keys: this.#keys, children: this.#children, bytes: this.#bytes };
    const { keys, children, bytes } = pending.merge(old, starts, (...splice) => {
      this.#noteSplice(...splice);
    });
    this.#keys = keys;
    this.#children = children;
    this.#bytes = bytes;
    this.#end = bytes.length;
    this.#entriesMoved();
  }

  /** The list of children, made where this is the first of `size` entries that is one. */
  #makeChildren(child: Directory | undefined, size: number): (Directory | undefined)[] | undefined {
    if (child !== undefined) this.#children ??= new Array<Directory | undefined>(size).fill(undefined);
    return this.#children;
  }

  #noteSplice(at: number, removed: number, inserted: number): void {
    this.edit?.splice(at - HEADER_ROOM, removed, inserted);
    this.chain?.splice(at - HEADER_ROOM, removed, inserted);
    if (removed === inserted) this.#hasher?.changed(at - HEADER_ROOM);
    // The size stands at the very beginning of what is hashed.
    else this.#hasher = undefined;
  }

  #entriesMoved(): void {
    this.#starts = undefined;
    this.#hashed = undefined;
    this.#locatedIndex = -1;
  }

  /** The oid of the tree object. */
  hash(): Oid {
    const { hashed } = this;
    this.#moves = 0;
    if (hashed.length < PREFIX_HASHED_FROM_BYTES) return hashBytes(hashed);
    return (this.#hasher ??= new PrefixHasher()).hash(hashed);
  }

  #withHeader(): Uint8Array {
    const header = `tree ${String(this.contentBytes)}\0`;
    const start = HEADER_ROOM - header.length;
    putLatin1(this.#bytes, start, header);
    return this.#bytes.subarray(start, this.#end);
  }

  /** Where an entry's oid is; the last answer is kept, since who asks whether it differs goes on to change it. */
  #oidStart(index: number): number {
    if (index === this.#locatedIndex) return this.#locatedStart;
    const start = this.#startOf(index) + entryPrefixBytes(this.#keys[index] as EntryKey);
    this.#locatedIndex = index;
    this.#locatedStart = start;
    return start;
  }

  #startOf(index: number): number {
    if (this.#keys.length > STARTS_FROM) return (this.#starts ??= this.#computeStarts())[index] as number;
    let at = HEADER_ROOM;
    for (let before = 0; before < index; before++) at += entryBytes(this.#keys[before] as EntryKey);
    return at;
  }

  #computeStarts(): Uint32Array {
    const starts = new Uint32Array(this.#keys.length + 1);
    let at = HEADER_ROOM;
    for (let index = 0; index < this.#keys.length; index++) {
      starts[index] = at;
      at += entryBytes(this.#keys[index] as EntryKey);
    }
    starts[this.#keys.length] = at;
    return starts;
  }

  /** Grows by an eighth, so that a directory which is filled entry by entry is not copied whole each time. */
  #makeRoom(more: number): void {
    const needed = this.#end + more;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(needed + (needed >>> 3) + entryBytes("expected"));
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = larger;
  }
}

/** Whether a key is that of a node: those of dot files cannot be. */
export function isNodeKey(key: EntryKey): boolean {
  return key.charCodeAt(0) !== 0x2e;
}

/** The name of the node that a key stands for. */
export function nameOfKey(key: EntryKey): string {
  return isDirectoryKey(key) ? key.slice(0, -1) : key;
}
