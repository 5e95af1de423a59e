/**
 * Reading objects: from any pack of the repository, ours or Git's, and from loose files.
 *
 * Owns the list of packs and the caches. It never writes, and never trusts what it reads: every damage ends in
 * `DamagedObjectError` with file and place. Not supported, and refused by `openRepository`: objects borrowed from another
 * repository (`objects/info/alternates`) and partial clones. Source: gitformat-pack(5), gitrepository-layout(5).
 *
 *   const reader = new ObjectReader(fileSystem, repositoryDirectory);
 *   const { type, data } = reader.read(oid);
 *   reader.close();
 *
 * Invariants
 *  1. Packs come and go while we read (`git gc`, our own consolidation). An object that is nowhere, or a pack that is
 *     gone, makes the reader list the pack directory again, until a listing brings nothing new; only what is missing
 *     then is missing.
 *  2. A delta's base stands in the same pack. An offset delta's base stands before it, so such a chain ends; one with
 *     oid deltas ends at `DELTA_CHAIN_MAX`.
 *  3. With `verifyOids` no data is returned whose SHA-1 is not the oid asked for.
 *  4. Memory is bounded: windows, cached bases and open files each have a limit, an object one of its own. Beside them are
 *     up to 2 MiB for reading ahead and for versions that only lead to others, and in `readEach` the places of a million.
 *  5. Damage is reported only when no other pack and no loose file has a copy that can be read. So a person repairs a
 *     history by adding a pack, from a clone for example, that has the damaged objects.
 */
import { Buffer } from "node:buffer";
import type { FileSystem } from "../../platform/file-system.js";
import { hashObject, hexFromOid, oidFromHex, type Oid } from "../object/oid.js";
import type { OidList } from "../object/oid-list.js";
import {
  applyDelta,
  decodeEntryHeader,
  decodeLooseObject,
  ENTRY_HEADER_BYTES_MAX,
  inflateStream,
  PackDamage,
  zlibStreamBytesUsual,
  type EntryHeader,
  type GitObject,
} from "../object/pack-decode.js";
import { ByteLru, type Shelf } from "./byte-lru.js";
import { listIfPresent, readIfPresent } from "./durable-file.js";
import { DamagedObjectError, MissingObjectError } from "./errors.js";
import { FileVanishedError, WindowedFile, WindowPool } from "./file-window.js";
import { packDirectory } from "./pack-file.js";
import { PackIndex, PlacedEntries } from "./pack-index.js";

/** What a reader may use, and how careful it is. */
export interface ObjectReaderOptions {
  /** Hash every object that `read` returns and compare (0.5 µs for a small one). Default false. */
  readonly verifyOids?: boolean;
  /** Bytes of files kept in memory. Default 32 MiB. */
  readonly windowBytesMax?: number;
  /** Bytes of delta bases kept in memory. Default 16 MiB. */
  readonly baseBytesMax?: number;
  /** Files open at a time; a pack in use takes two. Default 64. */
  readonly openFilesMax?: number;
  /** Bytes of the largest object that is read; a larger one is reported as damage. Default 512 MiB. */
  readonly objectBytesMax?: number;
}

const MEBIBYTE = 1024 * 1024;
/**
 * Few objects that are read one after the other are neighbours: those of a state were written whenever they changed, and so
 * were the deltas of a directory. A window holds the neighbours there are, and costs little where there are none.
 */
const PACK_WINDOW_BYTES = 4 * 1024;
/** Git itself writes chains of at most 4,095 (`pack.depth`). */
const DELTA_CHAIN_MAX = 4096;
/**
 * Of the versions on the way along a chain, one in so many is kept as a base of others, and the last. Somebody who goes from
 * commit to commit needs them all; making three from the fourth costs him little, and keeping each would cost who reads one.
 */
const VERSIONS_PER_KEPT = 4;
const SCRATCH_BYTES_MAX = 64 * 1024;
const PACK_HEADER_BYTES = 12;
const PACK_MAGIC = 0x5041434b;
const CHECKSUM_BYTES = 20;
/** A read gives up when the packs vanish under it this often; each time somebody has repacked the whole repository. */
const RESCANS_MAX = 16;
/** Objects that `readEach` looks for at a time. */
const BATCH_OBJECTS = 2 ** 20;
/** Objects of a batch that are read one by one first. */
const BATCH_SAMPLE = 64;
/** Bytes of a pack that are read with one call, and bytes between two entries that are not worth a call of their own. */
const READ_AHEAD_BYTES = 256 * 1024;
const READ_AHEAD_GAP_MAX = 4096;
const PACK_INDEX_NAME = /^(.+)\.idx$/;
const LOOSE_NAME = /^[0-9a-f]{38}$/;

interface Pack {
  /** File name without `.pack` and `.idx`. */
  readonly name: string;
  readonly index: PackIndex;
  readonly file: WindowedFile;
  /** Objects that were the base of a delta, by place. */
  readonly bases: Shelf<GitObject>;
}

/** An entry whose data still lacks its base. */
interface PendingDelta {
  readonly offset: number;
  readonly header: EntryHeader;
}

/** What one look-up has met so far. */
interface Search {
  /** Names of the packs whose copy cannot be used. */
  passed: Set<string> | undefined;
  /** The first damage. */
  damage: DamagedObjectError | undefined;
}

/** Where an object is that is in no pack. */
export function looseObjectPath(repositoryDirectory: string, oid: Oid): string {
  const hex = hexFromOid(oid);
  return `${repositoryDirectory}/objects/${hex.slice(0, 2)}/${hex.slice(2)}`;
}

/** Reads the objects of one repository. Synchronous; one reader belongs to one thread. */
export class ObjectReader {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #verifyOids: boolean;
  readonly #objectBytesMax: number;
  readonly #pool: WindowPool;
  readonly #bases: ByteLru<GitObject>;
  /** Names of the packs that the last listing found; undefined before the first. */
  #names: readonly string[] | undefined;
  /** Opened when first asked for an object; the pack that answered last is the first to be asked. */
  #packs: Pack[] = [];
  #unopened: string[] = [];
  /** For versions that only lead to others: each is made of the one in the other half. */
  readonly #scratches: [Buffer, Buffer] = [Buffer.alloc(0), Buffer.alloc(0)];
  readonly #scratch = (size: number): Buffer => {
    this.#scratches.reverse();
    if (size > SCRATCH_BYTES_MAX) return Buffer.allocUnsafeSlow(size);
    if (this.#scratches[0].length < size) this.#scratches[0] = Buffer.allocUnsafeSlow(2 * size);
    return this.#scratches[0].subarray(0, size);
  };

  /** @param repositoryDirectory - a repository that `openRepository` accepted */
  constructor(fileSystem: FileSystem, repositoryDirectory: string, options: ObjectReaderOptions = {}) {
    this.#fileSystem = fileSystem;
    this.#directory = repositoryDirectory;
    this.#verifyOids = options.verifyOids ?? false;
    this.#objectBytesMax = options.objectBytesMax ?? 512 * MEBIBYTE;
    this.#pool = new WindowPool(fileSystem, {
      windowBytesMax: options.windowBytesMax ?? 32 * MEBIBYTE,
      openFilesMax: options.openFilesMax ?? 64,
    });
    this.#bases = new ByteLru(options.baseBytesMax ?? 16 * MEBIBYTE);
  }

  /**
   * The object with this oid.
   *
   * The data may be shared with the reader's cache: never write to it.
   *
   * @throws MissingObjectError when the repository does not have it, DamagedObjectError when what it has is damaged
   */
  read(oid: Oid): GitObject {
    const object = this.#look(
      oid,
      (pack, offset) => this.#readEntry(pack, offset),
      (path) => this.#readLoose(path),
      (found, path, offset) => {
        this.#verify(oid, found, path, offset);
      },
    );
    if (object === undefined) throw new MissingObjectError(hexFromOid(oid), this.#directory);
    return object;
  }

  /**
   * Reads many objects, in the order in which they are cheapest to find: by oid through each index, then by place through
   * each pack. One by one, the objects of a large state take several times as long, because each search lands in another
   * part of another index.
   *
   * @param visit - gets the index of each oid and its object; for equal oids (among a million) the same object, one right
   *   after the other. It must not read in turn, and will have been called for some when an error is thrown.
   * @throws what `read` throws for the first object that cannot be read
   */
  readEach(oids: OidList, visit: (index: number, object: GitObject) => void): void {
    for (let start = 0; start < oids.length; start += BATCH_OBJECTS) {
      this.#readBatch(oids, oids.sorted(start, Math.min(oids.length, start + BATCH_OBJECTS)), visit);
    }
  }

  /**
   * Whether the repository has the object; that it can be read is not checked. A missing one costs a listing of the pack
   * directory each time.
   *
   * @throws DamagedObjectError when a pack or index is damaged
   */
  has(oid: Oid): boolean {
    const found = this.#look(
      oid,
      () => true,
      (path) => (this.#fileSystem.exists(path) ? true : undefined),
      () => undefined,
    );
    return found ?? false;
  }

  /**
   * The oids that begin with these digits, each once and in no order: what a person's abbreviation may mean. It lists the pack
   * directory, because what is abbreviated is often new.
   *
   * @param prefix - from 4 to 40 hexadecimal digits in lower case
   * @throws DamagedObjectError when an index is damaged, for what it has may begin so too
   */
  withPrefix(prefix: string): ReadonlySet<Oid> {
    const found = new Set<Oid>();
    for (let rescans = 0; ; rescans++) {
      this.#list();
      try {
        this.#addPackedWithPrefix(prefix, found);
        break;
      } catch (error) {
        if (!(error instanceof FileVanishedError) || rescans === RESCANS_MAX) throw error;
      }
    }
    const start = prefix.slice(0, 2);
    for (const rest of listIfPresent(this.#fileSystem, `${this.#directory}/objects/${start}`)) {
      if (LOOSE_NAME.test(rest) && `${start}${rest}`.startsWith(prefix)) found.add(oidFromHex(`${start}${rest}`));
    }
    return found;
  }

  #addPackedWithPrefix(prefix: string, found: Set<Oid>): void {
    const search: Search = { passed: undefined, damage: undefined };
    for (const pack of [...this.#packs, ...this.#openRest(search)]) {
      for (const oid of pack.index.withPrefix(prefix)) found.add(oid);
    }
    if (search.damage !== undefined) throw search.damage;
  }

  /** The name, without `.pack`, of the pack that is asked first: that of the last packed object, unless one was preferred since. */
  get recentPack(): string | undefined {
    return this.#packs[0]?.name;
  }

  /** Makes a pack the first to be asked for the next object; says whether it is known to be there. */
  prefer(name: string): boolean {
    const position = this.#packs.findIndex((pack) => pack.name === name);
    if (position > 0) this.#packs.unshift(...this.#packs.splice(position, 1));
    return position !== -1 || this.#unopened.includes(name);
  }

  /** Bytes of windows and bases in memory now. */
  get cachedBytes(): number {
    return this.#pool.windows.bytes + this.#bases.bytes;
  }

  /**
   * The object whose entry begins at `offset` of a pack, for whoever has found the place: no index is searched.
   *
   * @param name - the pack's file name without `.pack`
   * @throws FileVanishedError when the pack is gone, DamagedObjectError
   */
  readAt(name: string, offset: number): GitObject {
    let pack = this.#packs.find((open) => open.name === name);
    if (pack === undefined) {
      pack = this.#openPack(name);
      this.#unopened = this.#unopened.filter((unopened) => unopened !== name);
      this.#packs.push(pack);
    }
    return this.#readEntry(pack, offset);
  }

  /** Closes all files and forgets all caches. The reader may be used again, and then starts from nothing. */
  close(): void {
    for (const pack of this.#packs) this.#closePack(pack);
    this.#packs = [];
    this.#unopened = [];
    this.#names = undefined;
    this.#pool.close();
  }

  /** Packs, then loose, then both again as long as a new listing brings something new (invariants 1 and 5). */
  #look<Found>(
    oid: Oid,
    packed: (pack: Pack, offset: number) => Found,
    loose: (path: string) => Found | undefined,
    check: (found: Found, path: string, offset: number) => void,
  ): Found | undefined {
    if (this.#names === undefined) this.#list();
    const path = looseObjectPath(this.#directory, oid);
    let damage: DamagedObjectError | undefined;
    for (let rescans = 0; rescans < RESCANS_MAX; rescans++) {
      const search: Search = { passed: undefined, damage: undefined };
      try {
        const found = this.#lookInPacks(oid, search, packed, check) ?? lookInLooseFile(path, search, loose, check);
        if (found !== undefined) return found;
        damage = search.damage;
        if (!this.#list()) break;
      } catch (error) {
        if (!(error instanceof FileVanishedError)) throw error;
        this.#list();
      }
    }
    if (damage !== undefined) throw damage;
    return undefined;
  }

  #lookInPacks<Found>(
    oid: Oid,
    search: Search,
    packed: (pack: Pack, offset: number) => Found,
    check: (found: Found, path: string, offset: number) => void,
  ): Found | undefined {
    for (;;) {
      const place = this.#find(oid, search);
      if (place === undefined) return undefined;
      const { pack, offset } = place;
      try {
        const found = packed(pack, offset);
        check(found, pack.file.path, offset);
        return found;
      } catch (error) {
        noteDamage(search, error);
        (search.passed ??= new Set()).add(pack.name);
      }
    }
  }

  /**
   * What is in no pack, or cannot be read from the first that has it, is left to `read`, which tries everything.
   *
   * @param sorted - indexes in the order of the oids
   */
  #readBatch(oids: OidList, sorted: Uint32Array, visit: (index: number, object: GitObject) => void): void {
    // Oids are random, so a few of them tell which packs have most of the others: those are now the first to be asked.
    let sampled = Math.min(BATCH_SAMPLE, sorted.length);
    while (sampled < sorted.length && oids.areEqual(sorted[sampled - 1] as number, sorted[sampled] as number))
      sampled++;
    this.#readSingly(oids, sorted.subarray(0, sampled), visit);
    let wanted = sorted.subarray(sampled);
    let failed: readonly number[] = [];
    const search: Search = { passed: undefined, damage: undefined };
    for (const pack of this.#packsToAsk(search)) {
      if (wanted.length === 0) break;
      const entries = new PlacedEntries();
      const missing = tolerant(() => pack.index.findEach(oids, wanted, entries));
      if (missing === undefined) continue;
      wanted = missing;
      failed = failed.concat(this.#readEntries(pack, entries, { oids, visit }));
    }
    this.#readSingly(oids, failed, visit);
    this.#readSingly(oids, wanted, visit);
  }

  #readSingly(oids: OidList, indexes: Iterable<number>, visit: (index: number, object: GitObject) => void): void {
    let before: { readonly oid: Oid; readonly object: GitObject } | undefined;
    for (const index of indexes) {
      const oid = oids.at(index);
      if (before?.oid !== oid) before = { oid, object: this.read(oid) };
      visit(index, before.object);
    }
  }

  /**
   * Reads entries of one pack; returns the indexes of those that it leaves to others. Those are all from the first on that
   * cannot be read: its pack may be gone, or each attempt at a bad part of the disk take seconds, and `read` asks other
   * packs first.
   */
  #readEntries(
    pack: Pack,
    entries: PlacedEntries,
    { oids, visit }: { readonly oids: OidList; readonly visit: (index: number, object: GitObject) => void },
  ): readonly number[] {
    const { indexes, places } = entries.inOrder();
    let aheadEnd = 0;
    let object: GitObject | undefined;
    for (const [turn, index] of indexes.entries()) {
      // Of a damaged index two oids may have one place.
      if (turn === 0 || !oids.areEqual(indexes[turn - 1] as number, index)) {
        const place = places[turn] as number;
        object = tolerant(() => {
          if (place >= aheadEnd) aheadEnd = readAhead(pack, places, turn);
          const found = this.#readEntry(pack, place);
          if (this.#verifyOids) this.#verify(oids.at(index), found, pack.file.path, place);
          return found;
        });
      }
      if (object === undefined) return indexes.slice(turn);
      visit(index, object);
    }
    return [];
  }

  /** The open packs, those that were of use lately first, then the others, which it opens; until one is gone. */
  *#packsToAsk(search: Search): Generator<Pack> {
    yield* [...this.#packs];
    try {
      yield* this.#openRest(search);
    } catch (error) {
      if (!(error instanceof FileVanishedError)) throw error;
    }
  }

  /** Opens the packs that are not open yet; a damaged one stays on the list, so that whoever asks for its objects is told too. */
  *#openRest(search: Search): Generator<Pack> {
    for (let index = this.#unopened.length - 1; index >= 0; index--) {
      const name = this.#unopened[index] as string;
      let pack: Pack;
      try {
        pack = this.#openPack(name);
      } catch (error) {
        noteDamage(search, error);
        continue;
      }
      this.#unopened.splice(index, 1);
      this.#packs.unshift(pack);
      yield pack;
    }
  }

  /** The next pack with the object that was not passed over, and where in it; the pack becomes the first to be asked. */
  #find(oid: Oid, search: Search): { readonly pack: Pack; readonly offset: number } | undefined {
    for (const [position, pack] of this.#packs.entries()) {
      const offset = findIn(pack, oid, search);
      if (offset === undefined) continue;
      if (position > 0) {
        this.#packs.splice(position, 1);
        this.#packs.unshift(pack);
      }
      return { pack, offset };
    }
    for (const pack of this.#openRest(search)) {
      const offset = findIn(pack, oid, search);
      if (offset !== undefined) return { pack, offset };
    }
    return undefined;
  }

  /** Reads the directory again: packs that are gone are closed, new ones opened at need. Says whether there is a new one. */
  #list(): boolean {
    const present = new Set(listIfPresent(this.#fileSystem, packDirectory(this.#directory)));
    const names: string[] = [];
    for (const file of present) {
      const name = PACK_INDEX_NAME.exec(file)?.[1];
      if (name !== undefined && present.has(`${name}.pack`)) names.push(name);
    }
    const kept: Pack[] = [];
    for (const pack of this.#packs) {
      if (names.includes(pack.name)) kept.push(pack);
      else this.#closePack(pack);
    }
    const open = new Set(kept.map(({ name }) => name));
    this.#packs = kept;
    this.#unopened = names.filter((name) => !open.has(name));
    const known = new Set(this.#names);
    this.#names = names;
    return names.some((name) => !known.has(name));
  }

  #openPack(name: string): Pack {
    const path = `${packDirectory(this.#directory)}/${name}`;
    const index = new PackIndex(this.#pool, `${path}.idx`);
    let file: WindowedFile | undefined;
    try {
      file = new WindowedFile(this.#pool, `${path}.pack`, PACK_WINDOW_BYTES);
      checkPack(file, index);
      return { name, index, file, bases: this.#bases.shelf() };
    } catch (error) {
      index.close();
      file?.close();
      throw error;
    }
  }

  #closePack(pack: Pack): void {
    pack.index.close();
    pack.file.close();
    pack.bases.clear();
  }

  /** The object whose entry begins at `offset`, its deltas applied. */
  #readEntry(pack: Pack, offset: number): GitObject {
    try {
      return this.#decodeEntry(pack, offset);
    } catch (error) {
      if (error instanceof PackDamage) {
        throw new DamagedObjectError(pack.file.path, pack.file.start + error.at, error.message);
      }
      throw error;
    }
  }

  /** @throws PackDamage, whose place is one in the bytes that the pack's file has located last */
  #decodeEntry(pack: Pack, offset: number): GitObject {
    const deltas: PendingDelta[] = [];
    let at = offset;
    let object: GitObject | undefined;
    for (;;) {
      object = deltas.length === 0 && pack.bases.entries.size === 0 ? undefined : pack.bases.get(at);
      if (object !== undefined) break;
      const header = this.#readHeader(pack, at);
      if (header.kind === "object") {
        const data = this.#readData(pack, { offset: at, header }, deltas.length > 0);
        object = { type: header.type, data };
        if (deltas.length > 0) pack.bases.set(at, object, data.length);
        break;
      }
      deltas.push({ offset: at, header });
      if (deltas.length > DELTA_CHAIN_MAX) {
        throw new DamagedObjectError(
          pack.file.path,
          offset,
          `more than ${String(DELTA_CHAIN_MAX)} deltas build on each other, probably in a circle`,
        );
      }
      at = baseOffset(pack, at, header);
    }
    for (let pending = deltas.pop(); pending !== undefined; pending = deltas.pop()) {
      const delta = this.#readData(pack, pending, false);
      const isKept = deltas.length % VERSIONS_PER_KEPT === 0;
      const data: Buffer = this.#applyDelta(pack, pending.offset, { base: object.data, delta, isKept });
      object = { type: object.type, data };
      if (isKept) pack.bases.set(pending.offset, object, data.length);
    }
    return object;
  }

  #readHeader(pack: Pack, offset: number): EntryHeader {
    const { file } = pack;
    if (offset < PACK_HEADER_BYTES || offset >= file.size - CHECKSUM_BYTES) {
      throw new DamagedObjectError(
        file.path,
        offset,
        `the index or a delta refers to this place, and objects stand between ${String(PACK_HEADER_BYTES)} and ${String(file.size - CHECKSUM_BYTES)}`,
      );
    }
    file.locate(offset, ENTRY_HEADER_BYTES_MAX);
    const header = decodeEntryHeader(file.bytes, file.at, file.start);
    if (header.size > this.#objectBytesMax) {
      throw new DamagedObjectError(
        file.path,
        offset,
        `the object would have ${String(header.size)} bytes; at most ${String(this.#objectBytesMax)} are read`,
      );
    }
    return header;
  }

  /** Inflates an entry's stream. Its length is stated nowhere, so more and more of the file is offered. */
  #readData(pack: Pack, { offset, header }: PendingDelta, lasting: boolean): Buffer {
    const { file } = pack;
    const position = header.dataAt;
    const left = file.size - CHECKSUM_BYTES - position;
    for (let offered = Math.min(left, zlibStreamBytesUsual(header.size), MEBIBYTE); ;) {
      file.locate(position, offered);
      const { bytes, at } = file;
      const data = inflateStream({ bytes, at, size: header.size, lasting });
      if (data !== undefined) return data;
      if (offered >= left) throw new DamagedObjectError(file.path, offset, "the pack ends before the object does");
      // Step by step when it is much: a damaged size must not make us read the whole pack.
      const wanted = Math.min(zlibStreamBytesUsual(header.size), Math.max(MEBIBYTE, 4 * offered));
      offered = Math.min(left, Math.max(wanted, 2 * offered, bytes.length - at + 1));
    }
  }

  #applyDelta(
    pack: Pack,
    offset: number,
    { base, delta, isKept }: { readonly base: Buffer; readonly delta: Buffer; readonly isKept: boolean },
  ): Buffer {
    try {
      return applyDelta(base, delta, this.#objectBytesMax, isKept ? undefined : this.#scratch);
    } catch (error) {
      // A place in the inflated delta is no place in the file.
      if (error instanceof PackDamage) {
        throw new DamagedObjectError(
          pack.file.path,
          offset,
          `${error.message} (byte ${String(error.at)} of the delta)`,
        );
      }
      throw error;
    }
  }

  #readLoose(path: string): GitObject | undefined {
    const content = readIfPresent(this.#fileSystem, path);
    if (content === undefined) return undefined;
    try {
      return decodeLooseObject(
        Buffer.from(content.buffer, content.byteOffset, content.byteLength),
        this.#objectBytesMax,
      );
    } catch (error) {
      if (error instanceof PackDamage) throw new DamagedObjectError(path, error.at, error.message);
      throw error;
    }
  }

  #verify(oid: Oid, object: GitObject, path: string, offset: number): void {
    if (!this.#verifyOids) return;
    const actual = hashObject(object.type, object.data);
    if (actual === oid) return;
    throw new DamagedObjectError(
      path,
      offset,
      `here stands object ${hexFromOid(actual)} instead of ${hexFromOid(oid)}`,
    );
  }
}

/**
 * Reads ahead what the next entries, in order from `turn` on, probably need, as long as they stand close together; a single
 * one is left to the windows. Returns what the entries that it was for begin before.
 */
function readAhead({ file }: Pack, places: readonly number[], turn: number): number {
  const start = places[turn] as number;
  let end = start;
  let last = turn;
  for (; last + 1 < places.length; last++) {
    const next = places[last + 1] as number;
    // Places beyond 4 GiB are in no order.
    if (next < end || next > end + READ_AHEAD_GAP_MAX || next > start + READ_AHEAD_BYTES) break;
    end = next;
  }
  if (end === start) return start;
  file.readAhead(start, end + READ_AHEAD_GAP_MAX - start);
  return end + 1;
}

/** The result, or undefined when the object cannot be had this way. */
function tolerant<Result>(attempt: () => Result): Result | undefined {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof DamagedObjectError || error instanceof FileVanishedError) return undefined;
    throw error;
  }
}

/** Remembers damage, so that another copy can be tried; throws what is none. */
function noteDamage(search: Search, error: unknown): void {
  if (!(error instanceof DamagedObjectError)) throw error;
  search.damage ??= error;
}

function findIn(pack: Pack, oid: Oid, search: Search): number | undefined {
  if (search.passed?.has(pack.name) === true) return undefined;
  try {
    return pack.index.find(oid);
  } catch (error) {
    noteDamage(search, error);
    return undefined;
  }
}

function lookInLooseFile<Found>(
  path: string,
  search: Search,
  loose: (path: string) => Found | undefined,
  check: (found: Found, path: string, offset: number) => void,
): Found | undefined {
  try {
    const found = loose(path);
    if (found !== undefined) check(found, path, 0);
    return found;
  } catch (error) {
    noteDamage(search, error);
    return undefined;
  }
}

function baseOffset(pack: Pack, offset: number, header: EntryHeader): number {
  if (header.kind === "offset-delta") {
    if (header.distance > 0 && header.distance < offset) return offset - header.distance;
    throw new DamagedObjectError(
      pack.file.path,
      offset,
      `the delta's base would begin ${String(header.distance)} bytes before it`,
    );
  }
  if (header.kind === "object") return offset;
  const base = pack.index.find(header.base);
  if (base !== undefined) return base;
  throw new DamagedObjectError(
    pack.file.path,
    offset,
    `the delta's base ${hexFromOid(header.base)} is not in this pack`,
  );
}

/** Compares what the pack says of itself with what its index says of it. */
function checkPack(file: WindowedFile, index: PackIndex): void {
  if (file.size < PACK_HEADER_BYTES + CHECKSUM_BYTES) {
    throw new DamagedObjectError(file.path, file.size, "the file is too short to be a pack");
  }
  file.locate(0, PACK_HEADER_BYTES);
  const { bytes, at } = file;
  if (bytes.readUInt32BE(at) !== PACK_MAGIC) throw new DamagedObjectError(file.path, 0, 'a pack begins with "PACK"');
  const version = bytes.readUInt32BE(at + 4);
  if (version !== 2 && version !== 3)
    throw new DamagedObjectError(file.path, 4, `the pack has version ${String(version)}; we know 2 and 3`);
  const count = bytes.readUInt32BE(at + 8);
  if (count !== index.count) {
    throw new DamagedObjectError(
      file.path,
      8,
      `the pack has ${String(count)} objects and its index ${String(index.count)}`,
    );
  }
  const checksumAt = file.size - CHECKSUM_BYTES;
  file.locate(checksumAt, CHECKSUM_BYTES);
  if (file.bytes.toString("latin1", file.at, file.at + CHECKSUM_BYTES) !== index.packChecksum) {
    throw new DamagedObjectError(
      file.path,
      checksumAt,
      "the pack's checksum is not the one in its index: they do not belong together",
    );
  }
}
