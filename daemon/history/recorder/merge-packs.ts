/**
 * Rewriting packs into one: what consolidation and retention have in common.
 *
 * Owns what the new pack holds and how. It never decides which packs to rewrite (`merge-plan.ts`), never gives the new pack
 * its final name (`placeWrittenPack`) and never removes a source (`retired-packs.ts`). Synchronous and in small steps,
 * because it runs in the recorder's thread between two batches of commits. Source: design.md, "Journal and recorder".
 *
 *   read the indexes ─► choose (k-way merge by oid: twins, `keep`) ─► copy source by source, commit by commit ─► index
 *
 * What happens to an entry that stays:
 *   - nothing, mostly: its bytes are copied. A delta's distance is written anew where something between it and its base
 *     moved or went;
 *   - a directory that is stored whole becomes a delta of an earlier version (`anchor-chain.ts`), when its predecessor, the
 *     tree at the same path in the parent commit, is in the new pack. In our packs the objects of a commit stand before its
 *     commit object, which tells the commit of a tree; descending from both roots at once tells its predecessor;
 *   - a delta whose base does not stay, or stands too deep, is written whole;
 *   - a stored stream of over `DEFLATE_BYTES_MIN` bytes is deflated, once: deltas excepted, which are oids mostly.
 *
 * Invariants
 *  1. Of twins the one in the oldest source stays, so that a delta's base is always before it, whichever of them it meant.
 *  2. A chain of deltas, the sum of their `chainStepCost`, costs at most `CHAIN_COST_MAX` and a half: whoever wrote what is
 *     copied counted from the beginning of its chain. A delta that is made here leaves more than half of that to those behind.
 *  3. No byte is copied whose CRC-32 is not the one in the source's index: damage is never passed on with a fresh checksum.
 *  4. The order of the sources and of the entries within each is kept. So a pack made from packs that end with a commit
 *     object ends with one (`pack-facts.ts` tells our packs by that), and objects stand before their commit.
 *  5. Only correctness of the content matters to order and `keep`: whatever order the sources have, every kept object is
 *     in the new pack, with a base before it.
 */
import { Buffer } from "node:buffer";
import { crc32, deflateSync } from "node:zlib";
import type { FileSystem } from "../../platform/file-system.js";
import { hashObject, OID_BYTES, oidFromHex, type Oid } from "../object/oid.js";
import {
  decodeEntryHeader,
  inflateStream,
  PackDamage,
  type EntryHeader,
  type GitObject,
} from "../object/pack-decode.js";
import { CHAIN_COST_MAX, chainStepCost } from "../object/pack.js";
import {
  ENTRY_HEADER_ROOM,
  OFFSET_DELTA,
  putDistance,
  putEntryHeader,
  storedStream,
  TYPE_NUMBERS,
} from "../object/pack-entry.js";
import { encodeTreeDelta } from "../object/tree-delta.js";
import { changedDirectories } from "../object/tree-compare.js";
import { DamagedObjectError } from "../repository/errors.js";
import { WindowPool } from "../repository/file-window.js";
import type { ObjectReader } from "../repository/object-reader.js";
import { OidMerge } from "../repository/oid-merge.js";
import {
  entryEnd,
  indexPath,
  type OidCursor,
  PackStream,
  rankOfOffset,
  readPackEntries,
  type PackEntries,
} from "../repository/pack-entries.js";
import {
  discardWrittenPack,
  temporaryIndexPath,
  temporaryPackPath,
  type WrittenPack,
} from "../repository/pack-file.js";
import { PackIndex } from "../repository/pack-index.js";
import { IndexWriter, PackWriter } from "../repository/pack-writer.js";
import { AnchorChain } from "./anchor-chain.js";

/** What a rewrite works with. */
export interface RewriteContext {
  readonly fileSystem: FileSystem;
  readonly repositoryDirectory: string;
  /** Reads what must be known whole. Close it afterwards: it keeps the sources open. */
  readonly reader: ObjectReader;
}

/** What to rewrite. */
export interface RewriteRequest {
  /** The packs by their checksums in hexadecimal, the oldest first. */
  readonly sources: readonly string[];
  /**
   * Whether an object stays; all do unless told. Of an object that several sources have, one stays when it stays in any.
   *
   * @param pack - one of `sources`
   * @param position - the object's position in that pack's index (0 is the smallest oid)
   */
  readonly keep?: (pack: string, position: number) => boolean;
  /**
   * Whether time is short at the moment: then nothing is deflated, which takes a third of a rewrite; a later one does it.
   * Never unless told.
   */
  readonly isHurried?: () => boolean;
}

/** A pack that is written and synced under temporary names; `placeWrittenPack` or `discardWrittenPack` takes it on. */
export interface RewrittenPack extends WrittenPack {
  /** The pack's checksum in hexadecimal. It is a source's own when nothing had to be changed: do not remove that one. */
  readonly name: string;
  readonly objects: number;
  readonly packBytes: number;
  readonly indexBytes: number;
}

/** Invariant 2. A skip chain that is made here is 14 deltas deep, and one that was recorded within a second hardly more. */
const MADE_CHAIN_COST_MAX = 0.7 * CHAIN_COST_MAX;
const COPIED_CHAIN_COST_MAX = 1.5 * CHAIN_COST_MAX;
/** A delta of an earlier version than the predecessor has at most this part of the directory: the predecessor's is shorter. */
const SKIPPING_DELTA_PART_MAX = 1 / 8;
const DELTA_PART_MAX = 1 / 2;
const COST_UNIT_BYTES = 256;

/** Shorter streams gain nothing, and are faster to read as they are. */
const DEFLATE_BYTES_MIN = 128;
/** From here on the fastest level: three times as fast for a few percent, because directories are oids mostly. */
const FAST_DEFLATE_BYTES_MIN = 4096;
/** Finding the predecessor of a smaller directory costs more than its delta saves. */
const TREE_DELTA_BYTES_MIN = 256;

/**
 * In a source with more objects, a directory that is stored whole begins a chain that is about as deep as it may be. Deltas
 * that would become too deep behind another chain would be written whole, many for the one saved.
 */
const SHORT_SOURCE_OBJECTS_MAX = 1024;

/** Most entries and bytes that are looked at as one commit; what is more is copied without a look at its directories. */
const GROUP_ENTRIES_MAX = 2048;
const GROUP_BYTES_MAX = 16 * 1024 * 1024;
/** Most pairs of trees compared for one commit. */
const DESCENTS_MAX = 256;
/** Trees kept from one commit to the next, and their bytes. */
const KNOWN_TREES_MAX = 64;
const KNOWN_TREE_BYTES_MAX = 16 * 1024 * 1024;

/** Work between two yields, in units of about a microsecond. */
const SLICE_WORK = 1000;
const WORK = { entry: 1, deflate: 15, bytesPerUnit: 1000, tree: 30, oid: 0.5 } as const;

/** Where the indexes of the sources are searched. */
const INDEX_LIMITS = { windowBytesMax: 8 * 1024 * 1024, openFilesMax: 32 };

/** Entries of one table of the index written at a time. */
const TABLE_PART = 32 * 1024;
/** In `winners`: the object is not in the new pack. */
const DROPPED = 0xffffffff;
/** Packs over 2 GiB need far places in their index. */
const PACK_BYTES_MAX = 0x7fffffff;

/** What is kept does not fit into a pack. */
export class PackTooLargeError extends Error {
  override readonly name = "PackTooLargeError";
  constructor(sources: readonly string[]) {
    super(
      `pack-${sources.join(", pack-")}: what is kept would become a pack larger than 2 GiB; repack with git to split it`,
    );
  }
}

/** One pack that is rewritten. */
interface Source {
  readonly name: string;
  readonly entries: PackEntries;
  readonly index: PackIndex;
  /** The number of its position 0: entries of all sources are numbered one source after the other. */
  readonly first: number;
}

/** Entries that are looked at together: those of one commit, where all is well. */
interface Group {
  readonly source: Source;
  readonly stream: PackStream;
  readonly pack: PackWriter;
  /** Ranks. */
  readonly from: number;
  readonly to: number;
}

/** An entry that is being copied; the stream is at it. */
interface Entry {
  readonly group: Group;
  readonly rank: number;
  readonly offset: number;
  /** `dataAt` counts from the entry's beginning. */
  readonly header: EntryHeader;
}

/** An entry that is written anew. */
interface WrittenEntry {
  /** The type's number. */
  readonly type: number;
  /** Of the inflated data. */
  readonly size: number;
  /** For a delta: how far before it its base begins. */
  readonly distance?: number;
  readonly stream: Buffer;
}

/** A commit object that was passed, as far as it had to be read. */
interface PassedCommit {
  readonly source: Source;
  readonly offset: number;
  links: { readonly oid: Oid; readonly tree: Oid } | undefined;
}

/**
 * Rewrites packs into one; undefined when nothing is kept.
 *
 * Yields after at most a few milliseconds of work. However it ends without a result (an error, `return()`), no temporary
 * file is left.
 *
 * @throws FileVanishedError when a source is gone: somebody else has repacked, plan again; DamagedObjectError;
 *   PackTooLargeError
 */
export function* rewritePacks(
  context: RewriteContext,
  request: RewriteRequest,
): Generator<void, RewrittenPack | undefined> {
  const rewrite = new Rewrite(context, request);
  try {
    return yield* rewrite.run();
  } finally {
    rewrite.close();
  }
}

class Rewrite {
  readonly #context: RewriteContext;
  readonly #request: RewriteRequest;
  readonly #temporaryPack: string;
  readonly #temporaryIndex: string;
  readonly #pool: WindowPool;
  readonly #sources: Source[] = [];
  /** By entry: which entry stands for it in the new pack, itself mostly. */
  #winners = new Uint32Array(0);
  /** How many winners have an oid with this first byte. */
  readonly #firstBytes = new Uint32Array(256);
  /** By entry: where it begins in the new pack; 0 before it is written. */
  #places = new Uint32Array(0);
  /** By entry that is written: the cost of its chain, in `COST_UNIT_BYTES`. */
  #costs = new Uint16Array(0);
  #anchors = new AnchorChain(0);
  #pack: PackWriter | undefined;
  #index: IndexWriter | undefined;
  #stream: PackStream | undefined;
  #isFinished = false;
  #work = 0;
  /** The group under way: the headers of its entries, and the stretch of untouched entries that is not written yet. */
  readonly #headers: EntryHeader[] = [];
  #runFrom = 0;
  #runTo = 0;
  readonly #headerBytes = Buffer.alloc(ENTRY_HEADER_ROOM);
  #previousCommit: PassedCommit | undefined;
  readonly #knownTrees = new Map<Oid, Buffer>();
  #knownTreeBytes = 0;

  constructor(context: RewriteContext, request: RewriteRequest) {
    this.#context = context;
    this.#request = request;
    const { fileSystem, repositoryDirectory } = context;
    this.#pool = new WindowPool(fileSystem, INDEX_LIMITS);
    const label = `rewrite-${request.sources[0] ?? ""}`;
    this.#temporaryPack = temporaryPackPath(repositoryDirectory, label);
    this.#temporaryIndex = temporaryIndexPath(repositoryDirectory, label);
  }

  *run(): Generator<void, RewrittenPack | undefined> {
    const total = yield* this.#openSources();
    const order = yield* this.#chooseWinners(total);
    if (order.length === 0) return undefined;
    this.#places = new Uint32Array(total);
    this.#costs = new Uint16Array(total);
    this.#anchors = new AnchorChain(total);
    const pack = new PackWriter(this.#context.fileSystem, this.#temporaryPack, order.length);
    this.#pack = pack;
    for (const source of this.#sources) yield* this.#copySource(source, pack);
    const checksum = pack.finish();
    yield;
    const indexBytes = yield* this.#writeIndex(order, checksum);
    const name = checksum.toString("hex");
    const written = this.#renameFor(name);
    this.#isFinished = true;
    return {
      ...written,
      name,
      objects: order.length,
      packBytes: pack.position,
      indexBytes,
    };
  }

  /** Names the temporary files after the pack, so that another rewrite of the same sources leaves them alone. */
  #renameFor(name: string): Omit<WrittenPack, "name"> {
    const { fileSystem, repositoryDirectory } = this.#context;
    const written = {
      temporaryPack: temporaryPackPath(repositoryDirectory, name),
      temporaryIndex: temporaryIndexPath(repositoryDirectory, name),
    };
    fileSystem.rename(this.#temporaryPack, written.temporaryPack);
    try {
      fileSystem.rename(this.#temporaryIndex, written.temporaryIndex);
    } catch (error) {
      discardWrittenPack(fileSystem, written);
      throw error;
    }
    return written;
  }

  /** Closes everything; a pack that is not finished goes. */
  close(): void {
    this.#stream?.close();
    this.#pack?.close();
    this.#index?.close();
    for (const { index } of this.#sources) index.close();
    if (this.#pack !== undefined && !this.#isFinished) {
      discardWrittenPack(this.#context.fileSystem, {
        temporaryPack: this.#temporaryPack,
        temporaryIndex: this.#temporaryIndex,
      });
    }
  }

  /** Reads all indexes; returns how many entries there are together. */
  *#openSources(): Generator<void, number> {
    const { fileSystem, repositoryDirectory } = this.#context;
    let first = 0;
    for (const name of this.#request.sources) {
      const place = { repositoryDirectory, name };
      const entries = yield* readPackEntries(fileSystem, place);
      this.#sources.push({ name, entries, index: new PackIndex(this.#pool, indexPath(place)), first });
      first += entries.count;
      yield;
    }
    return first;
  }

  /** Merges the sorted lists of oids; fills `winners`, and returns the winners by growing oid. */
  *#chooseWinners(total: number): Generator<void, Uint32Array> {
    this.#winners = new Uint32Array(total).fill(DROPPED);
    const order = new Uint32Array(total);
    const merge = this.#mergeOids();
    try {
      const { cursors, tied } = merge;
      let count = 0;
      while (merge.find()) {
        const winner = this.#winnerAmong(tied, cursors);
        if (winner !== DROPPED) {
          order[count++] = winner;
          const { bytes, at } = cursors[tied[0] as number] as OidCursor;
          const first = bytes[at] as number;
          this.#firstBytes[first] = (this.#firstBytes[first] as number) + 1;
        }
        for (const number of tied) {
          const { position } = cursors[number] as OidCursor;
          this.#winners[(this.#sources[number] as Source).first + position] = winner;
        }
        merge.advance();
        if (this.#isSliceDone(WORK.oid * cursors.length)) yield;
      }
      return order.subarray(0, count);
    } finally {
      merge.close();
    }
  }

  #mergeOids(): OidMerge {
    const { fileSystem, repositoryDirectory } = this.#context;
    const packs = this.#sources.map(({ name, entries }) => ({ name, count: entries.count }));
    return new OidMerge(fileSystem, repositoryDirectory, packs);
  }

  #winnerAmong(tied: readonly number[], cursors: readonly OidCursor[]): number {
    const { keep } = this.#request;
    for (const number of tied) {
      const { name, first } = this.#sources[number] as Source;
      const { position } = cursors[number] as OidCursor;
      if (keep === undefined || keep(name, position)) return first + position;
    }
    return DROPPED;
  }

  *#copySource(source: Source, pack: PackWriter): Generator<void, void> {
    const { fileSystem, repositoryDirectory } = this.#context;
    const { entries } = source;
    const stream = new PackStream(fileSystem, { repositoryDirectory, name: source.name }, entries.end);
    this.#stream = stream;
    for (let rank = 0; rank < entries.count;) {
      const end = this.#readGroup(source, stream, rank);
      yield* this.#copyGroup({ source, stream, pack, from: rank, to: end });
      rank = end;
    }
    stream.close();
    this.#stream = undefined;
  }

  /**
   * Reads the headers of the entries from `from` on up to the next commit object; returns the rank after it. All the
   * entries' bytes are in the stream's buffer then.
   */
  #readGroup(source: Source, stream: PackStream, from: number): number {
    const { entries } = source;
    const headers = this.#headers;
    headers.length = 0;
    const needed = entries.offsets[from] as number;
    for (let rank = from; rank < entries.count; rank++) {
      const offset = entries.offsets[rank] as number;
      const end = entryEnd(entries, rank);
      stream.locate({ from: offset, to: end, needed });
      const header = inStream(stream, offset, () => decodeEntryHeader(stream.bytes, stream.at));
      if (offset + header.dataAt - stream.at >= end) {
        throw new DamagedObjectError(stream.path, offset, "the entry ends within its header");
      }
      // Relative to the entry: the buffer may be another one when the entry is copied.
      headers.push({ ...header, dataAt: header.dataAt - stream.at });
      const isCommit = header.kind === "object" && header.type === "commit";
      if (isCommit || headers.length >= GROUP_ENTRIES_MAX || end - needed >= GROUP_BYTES_MAX) return rank + 1;
    }
    return entries.count;
  }

  *#copyGroup(group: Group): Generator<void, void> {
    const { source, stream, pack, from, to } = group;
    const { entries } = source;
    const needed = entries.offsets[from] as number;
    const predecessors = this.#findPredecessors(group);
    for (let rank = from; rank < to; rank++) {
      const offset = entries.offsets[rank] as number;
      stream.locate({ from: offset, to: entryEnd(entries, rank), needed });
      this.#copyEntry(
        { group, rank, offset, header: this.#headers[rank - from] as EntryHeader },
        predecessors?.get(rank),
      );
      if (this.#isSliceDone(WORK.entry)) yield;
    }
    this.#flushRun(stream, pack);
    if (pack.position > PACK_BYTES_MAX) throw new PackTooLargeError(this.#request.sources);
  }

  #copyEntry(entry: Entry, predecessor: number | undefined): void {
    const { group, rank, header } = entry;
    const { source, stream, pack } = group;
    const { positions } = source.entries;
    const number = source.first + (positions[rank] as number);
    if (this.#winners[number] !== number) {
      this.#flushRun(stream, pack);
      return;
    }
    this.#checkSum(entry);
    this.#places[number] = pack.position + this.#runTo - this.#runFrom;
    if (header.kind !== "object") {
      this.#copyDelta(entry, number);
      return;
    }
    if (predecessor !== undefined && this.#writeAsDelta(entry, number, predecessor)) return;
    if (header.size > DEFLATE_BYTES_MIN && isStored(entry) && this.#request.isHurried?.() !== true) {
      const content = inStream(stream, entry.offset, () => mustInflate(entry));
      const deflated = this.#deflate(content);
      if (deflated.length < content.length) {
        this.#writeEntry(entry, number, { type: TYPE_NUMBERS[header.type], size: header.size, stream: deflated });
        return;
      }
    }
    this.#keepUntouched(entry);
  }

  #copyDelta(entry: Entry, number: number): void {
    const { group, header, offset } = entry;
    if (header.kind === "object") return;
    const base = this.#winnerOf(group.source, baseOffset(group.source, entry));
    const place = base === DROPPED ? 0 : (this.#places[base] as number);
    if (place === 0 || !this.#chain(number, base, resultBytes(entry), COPIED_CHAIN_COST_MAX)) {
      this.#writeWhole(entry, number);
      return;
    }
    this.#anchors.follow(number, base);
    const distance = (this.#places[number] as number) - place;
    if (header.kind === "offset-delta" && distance === header.distance) {
      this.#keepUntouched(entry);
      return;
    }
    const { bytes, at } = group.stream;
    const end = at + entryEnd(group.source.entries, entry.rank) - offset;
    const data = bytes.subarray(at + header.dataAt, end);
    this.#writeEntry(entry, number, { type: OFFSET_DELTA, size: header.size, distance, stream: data });
  }

  /** Sets the cost of a delta's chain; says whether that is allowed (invariant 2). */
  #chain(number: number, base: number, bytes: number, costMax: number): boolean {
    const cost = (this.#costs[base] as number) + Math.ceil(chainStepCost(bytes) / COST_UNIT_BYTES);
    if (cost > costMax / COST_UNIT_BYTES) return false;
    this.#costs[number] = cost;
    return true;
  }

  /** Which entry stands for the one that begins at `offset` of a source. */
  #winnerOf(source: Source, offset: number): number {
    const rank = rankOfOffset(source.entries, offset);
    if (rank === undefined) return DROPPED;
    return this.#winners[source.first + (source.entries.positions[rank] as number)] as number;
  }

  #writeWhole(entry: Entry, number: number): void {
    const { type, data } = this.#context.reader.readAt(`pack-${entry.group.source.name}`, entry.offset);
    this.#costs[number] = 0;
    this.#work += WORK.tree;
    const stream = data.length > DEFLATE_BYTES_MIN ? this.#deflate(data) : storedStream(data);
    this.#writeEntry(entry, number, { type: TYPE_NUMBERS[type], size: data.length, stream });
  }

  /** Writes a whole tree as a delta of `predecessor`, or of a version before it; false where that gains nothing. */
  #writeAsDelta(entry: Entry, number: number, predecessor: number): boolean {
    const { group, offset } = entry;
    let content: Buffer | undefined;
    for (const base of this.#anchors.basesAfter(predecessor)) {
      const part = base === predecessor ? DELTA_PART_MAX : SKIPPING_DELTA_PART_MAX;
      content ??= inStream(group.stream, offset, () => mustInflate(entry));
      const delta = this.#deltaOf(base, content);
      if (delta === undefined || delta.length > content.length * part) continue;
      if (!this.#chain(number, base, content.length, MADE_CHAIN_COST_MAX)) continue;
      this.#anchors.link(number, predecessor);
      const distance = (this.#places[number] as number) - (this.#places[base] as number);
      const stream = delta.length > DEFLATE_BYTES_MIN ? this.#deflate(delta) : storedStream(delta);
      this.#writeEntry(entry, number, { type: OFFSET_DELTA, size: delta.length, distance, stream });
      return true;
    }
    return false;
  }

  /** The delta that makes a tree of an entry that is written; undefined when that is no tree. */
  #deltaOf(base: number, content: Buffer): Buffer | undefined {
    const { type, data } = this.#readEntryNumber(base);
    this.#work += WORK.tree + content.length / WORK.bytesPerUnit;
    return type === "tree" ? encodeTreeDelta(data, content) : undefined;
  }

  #readEntryNumber(number: number): GitObject {
    const source = this.#sourceOf(number);
    const offset = source.index.placeAt(number - source.first);
    return this.#context.reader.readAt(`pack-${source.name}`, offset);
  }

  #sourceOf(number: number): Source {
    let found = this.#sources[0] as Source;
    for (const source of this.#sources) if (source.first <= number) found = source;
    return found;
  }

  #deflate(content: Buffer): Buffer {
    this.#work += WORK.deflate + content.length / 50;
    return deflateSync(content, { level: content.length >= FAST_DEFLATE_BYTES_MIN ? 1 : 6 });
  }

  #keepUntouched({ group, rank, offset }: Entry): void {
    const { stream } = group;
    if (this.#runTo === this.#runFrom) this.#runFrom = stream.at;
    this.#runTo = stream.at + entryEnd(group.source.entries, rank) - offset;
  }

  #flushRun(stream: PackStream, pack: PackWriter): void {
    if (this.#runTo > this.#runFrom) {
      pack.append(stream.bytes, this.#runFrom, this.#runTo);
      this.#work += (this.#runTo - this.#runFrom) / WORK.bytesPerUnit;
    }
    this.#runFrom = this.#runTo = 0;
  }

  #writeEntry({ group, rank }: Entry, number: number, written: WrittenEntry): void {
    const { stream, pack, source } = group;
    this.#flushRun(stream, pack);
    if (pack.position !== this.#places[number]) throw new Error("an entry is not written where it was placed");
    const header = this.#headerBytes;
    let end = putEntryHeader(header, 0, written);
    if (written.distance !== undefined) end = putDistance(header, end, written.distance);
    pack.append(header, 0, end);
    pack.append(written.stream, 0, written.stream.length);
    source.entries.checksums[source.entries.positions[rank] as number] = crc32(
      written.stream,
      crc32(header.subarray(0, end)),
    );
    this.#work += written.stream.length / WORK.bytesPerUnit;
  }

  /** Invariant 3. */
  #checkSum({ group, rank, offset }: Entry): void {
    const { entries } = group.source;
    const { bytes, at, path } = group.stream;
    const actual = crc32(bytes.subarray(at, at + entryEnd(entries, rank) - offset));
    if (actual === entries.checksums[entries.positions[rank] as number]) return;
    throw new DamagedObjectError(path, offset, "the entry's CRC-32 is not the one in the pack's index");
  }

  /** For the whole trees of a group, by rank: the entry of the tree at the same path in the parent commit. */
  #findPredecessors(group: Group): Map<number, number> | undefined {
    const { source, from, to } = group;
    const { offsets } = source.entries;
    const last = this.#headers[to - 1 - from];
    if (last?.kind !== "object" || last.type !== "commit") return undefined;
    const parent = this.#previousCommit;
    const commit: PassedCommit = { source, offset: offsets[to - 1] as number, links: undefined };
    this.#previousCommit = commit;
    if (parent === undefined) return undefined;
    const wanted = this.#wholeTrees(group);
    if (wanted.size === 0) return undefined;
    const content = this.#context.reader.readAt(`pack-${source.name}`, commit.offset).data;
    const links = commitLinks(content);
    if (links === undefined) return undefined;
    commit.links = { oid: hashObject("commit", content), tree: links.tree };
    parent.links ??= this.#linksOf(parent);
    if (parent.links === undefined || parent.links.oid !== links.parent) return undefined;
    return this.#descend({ before: parent.links.tree, after: links.tree }, wanted, source);
  }

  #linksOf({ source, offset }: PassedCommit): PassedCommit["links"] {
    const content = this.#context.reader.readAt(`pack-${source.name}`, offset).data;
    const links = commitLinks(content);
    return links === undefined ? undefined : { oid: hashObject("commit", content), tree: links.tree };
  }

  /** The ranks of the whole trees of a group that stay and are large enough, by oid. */
  #wholeTrees({ source, from, to }: Group): Map<Oid, number> {
    const wanted = new Map<Oid, number>();
    const { positions, count } = source.entries;
    if (count > SHORT_SOURCE_OBJECTS_MAX) return wanted;
    for (let rank = from; rank < to; rank++) {
      const header = this.#headers[rank - from] as EntryHeader;
      if (header.kind !== "object" || header.type !== "tree" || header.size < TREE_DELTA_BYTES_MIN) continue;
      const position = positions[rank] as number;
      if (this.#winners[source.first + position] === source.first + position) {
        wanted.set(source.index.oidAt(position), rank);
      }
    }
    return wanted;
  }

  #descend(
    roots: { readonly before: Oid; readonly after: Oid },
    wanted: Map<Oid, number>,
    newest: Source,
  ): Map<number, number> {
    const found = new Map<number, number>();
    const pairs = [roots];
    const enter = (before: Oid, after: Oid): void => {
      const rank = wanted.get(after);
      if (rank === undefined) return;
      wanted.delete(after);
      const predecessor = this.#numberOf(before, newest);
      if (predecessor !== undefined && this.#places[predecessor] !== 0) found.set(rank, predecessor);
    };
    enter(roots.before, roots.after);
    for (let descents = 0; descents < DESCENTS_MAX && wanted.size > 0; descents++) {
      const pair = pairs.pop();
      if (pair === undefined) break;
      const before = this.#readTree(pair.before, newest);
      const after = this.#readTree(pair.after, newest);
      if (before === undefined || after === undefined) continue;
      this.#work += WORK.tree + after.length / WORK.bytesPerUnit;
      for (const changed of changedDirectories(before, after)) {
        enter(changed.before, changed.after);
        pairs.push(changed);
      }
    }
    return found;
  }

  /** The entry that stands for an object in the new pack; undefined when no source has it, or it does not stay. */
  #numberOf(oid: Oid, newest: Source): number | undefined {
    const place = this.#locate(oid, newest);
    if (place === undefined) return undefined;
    const winner = this.#winnerOf(place.source, place.offset);
    return winner === DROPPED ? undefined : winner;
  }

  /** Searches the sources, from the one that is being copied back to the oldest. */
  #locate(oid: Oid, newest: Source): { readonly source: Source; readonly offset: number } | undefined {
    for (let number = this.#sources.indexOf(newest); number >= 0; number--) {
      const source = this.#sources[number] as Source;
      const offset = source.index.find(oid);
      if (offset !== undefined) return { source, offset };
    }
    return undefined;
  }

  #readTree(oid: Oid, newest: Source): Buffer | undefined {
    const known = this.#knownTrees.get(oid);
    if (known !== undefined) return known;
    const place = this.#locate(oid, newest);
    if (place === undefined) return undefined;
    const { data } = this.#context.reader.readAt(`pack-${place.source.name}`, place.offset);
    this.#knownTrees.set(oid, data);
    this.#knownTreeBytes += data.length;
    for (const [oldest, { length }] of this.#knownTrees) {
      if (this.#knownTrees.size <= KNOWN_TREES_MAX && this.#knownTreeBytes <= KNOWN_TREE_BYTES_MAX) break;
      this.#knownTrees.delete(oldest);
      this.#knownTreeBytes -= length;
    }
    return data;
  }

  /** Writes the index; returns its size. */
  *#writeIndex(order: Uint32Array, checksum: Buffer): Generator<void, number> {
    const index = new IndexWriter(this.#context.fileSystem, this.#temporaryIndex, cumulated(this.#firstBytes));
    this.#index = index;
    yield* this.#writeOids(order, index);
    const words = new Uint32Array(Math.min(order.length, TABLE_PART));
    const bytes = Buffer.from(words.buffer);
    for (const valueOf of [this.#checksumOf, this.#placeOf]) {
      for (let done = 0; done < order.length; done += TABLE_PART) {
        const part = Math.min(TABLE_PART, order.length - done);
        for (let at = 0; at < part; at++) words[at] = valueOf(order[done + at] as number);
        index.append(bytes.swap32(), 0, part * 4);
        yield;
      }
    }
    index.finish(checksum);
    return index.position;
  }

  *#writeOids(order: Uint32Array, index: IndexWriter): Generator<void, void> {
    const merge = this.#mergeOids();
    const { cursors } = merge;
    try {
      for (const number of order) {
        const source = this.#sourceOf(number);
        const cursor = cursors[this.#sources.indexOf(source)] as OidCursor;
        while (cursor.position < number - source.first) cursor.next();
        index.append(cursor.bytes, cursor.at, cursor.at + OID_BYTES);
        if (this.#isSliceDone(WORK.oid)) yield;
      }
    } finally {
      merge.close();
    }
  }

  readonly #placeOf = (number: number): number => this.#places[number] as number;

  readonly #checksumOf = (number: number): number => {
    const { entries, first } = this.#sourceOf(number);
    return entries.checksums[number - first] as number;
  };

  #isSliceDone(units: number): boolean {
    this.#work += units;
    if (this.#work < SLICE_WORK) return false;
    this.#work = 0;
    return true;
  }
}

function cumulated(counts: Uint32Array): Uint32Array {
  let sum = 0;
  return counts.map((count) => (sum += count));
}

/** Calls `decode`; what is wrong in the stream's buffer is wrong in the pack. */
function inStream<Result>(stream: PackStream, offset: number, decode: () => Result): Result {
  try {
    return decode();
  } catch (error) {
    if (error instanceof PackDamage) {
      throw new DamagedObjectError(stream.path, offset + error.at - stream.at, error.message);
    }
    throw error;
  }
}

/** Whether the entry's stream begins with a stored block: then nobody has compressed it yet. */
function isStored({ group, header }: Entry): boolean {
  const { bytes, at } = group.stream;
  return (((bytes[at + header.dataAt + 2] ?? 0) >> 1) & 3) === 0;
}

/** The entry's data, inflated. */
function mustInflate({ group, rank, offset, header }: Entry): Buffer {
  const { bytes, at } = group.stream;
  const end = at + entryEnd(group.source.entries, rank) - offset;
  const data = inflateStream({
    bytes: bytes.subarray(0, end),
    at: at + header.dataAt,
    size: header.size,
    lasting: false,
  });
  if (data === undefined) throw new PackDamage(end, "the entry ends before its data does");
  return data;
}

/** Where the base of a delta begins in its pack. */
function baseOffset(source: Source, { header, offset, group }: Entry): number {
  if (header.kind === "offset-delta") return offset - header.distance;
  if (header.kind === "object") return offset;
  const base = source.index.find(header.base);
  if (base !== undefined) return base;
  throw new DamagedObjectError(group.stream.path, offset, "the delta's base is not in this pack");
}

/** Where a stored stream's data begins: after the stream's header and the block's. */
const STORED_DATA_AT = 2 + 1 + 4;

/** How many bytes the delta makes. */
function resultBytes(entry: Entry): number {
  const { group, header, offset } = entry;
  const { stream } = group;
  return inStream(stream, offset, () => {
    if (!isStored(entry)) return secondVarint(mustInflate(entry), 0);
    return secondVarint(stream.bytes, stream.at + header.dataAt + STORED_DATA_AT);
  });
}

/** The second of two numbers of seven bits a byte, the lowest first. */
function secondVarint(bytes: Buffer, start: number): number {
  let at = start;
  while ((byteAt(bytes, at) & 0x80) !== 0) at++;
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = byteAt(bytes, ++at);
    value += (byte & 0x7f) * scale;
    if ((byte & 0x80) === 0) return value;
    if (value > Number.MAX_SAFE_INTEGER) throw new PackDamage(at, "the delta's size is beyond any file");
  }
}

function byteAt(bytes: Buffer, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new PackDamage(at, "the delta ends within its sizes");
  return byte;
}

const COMMIT_LINKS = /^tree ([0-9a-f]{40})\n(?:parent ([0-9a-f]{40})\n)?/;
const COMMIT_LINKS_BYTES = 2 * ("parent ".length + 41);

/** A commit's tree and first parent; undefined when it is no commit object. */
function commitLinks(content: Buffer): { readonly tree: Oid; readonly parent: Oid | undefined } | undefined {
  const [, tree, parent] = COMMIT_LINKS.exec(content.toString("latin1", 0, COMMIT_LINKS_BYTES)) ?? [];
  if (tree === undefined) return undefined;
  return { tree: oidFromHex(tree), parent: parent === undefined ? undefined : oidFromHex(parent) };
}
