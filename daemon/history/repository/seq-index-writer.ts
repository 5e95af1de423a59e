/**
 * Writing the index of seqs: by the recorder, as its commits reach the history.
 *
 * Owns the files of one branch's index (seq-index.ts has the format). It syncs nothing and fails nobody: what it cannot
 * write is written at the next seal or start, and who looks up a seq meanwhile walks (find-commit.ts). It must never
 * delay a start or a commit: what takes long is `repair`, which stops every few commits. A damaged `shallow` is to it as an
 * index that does not lead to the tip; who reads the history tells of the damage.
 *
 *   seq/main       what readers open; its last record is that of the ref's commit
 *   seq/main.old   an index that does not lead to the tip, kept because most of it may be true
 *   seq/main.walk  the records that `repair` found, in blocks from the highest down
 *   seq/main.new   what `repair` or `discardBefore` is about to rename to seq/main
 *
 *   open ──last record is the tip, or a few commits before it──► following ──publish──► following
 *     │                                                             ▲ │ the disk refuses
 *     └──anything else──► main becomes main.old; main begins with the tip │
 *                                        │                          │ ▼
 *                                        └──────────────────────────┘ stopped ──publish: open again──► …
 *   repair, between two commits: walks from the first record's parent to the beginning of the history, or to a commit that
 *   main.old has too, then puts the records together.
 *
 * The index of a fork begins after its base, the commit that it was made from: who looks for that one or for those before it finds
 * them in the index of the branch that has them. As long as the fork has no commit of its own there is no file.
 *
 * Invariants
 *  1. The records of seq/main are one after the other the first-parent history of the last one, which is the commit that the
 *     ref named when it was written.
 *  2. Nothing of an index is believed before a record of it is the commit that a walk from the tip has at this seq. Then all
 *     records before it are, because a commit names its parents.
 *  3. seq/main has no gaps: it is replaced by rename, or grows at its end, after an opening cut off what leads nowhere.
 *  4. Memory is bounded: a few blocks of `BLOCK_BYTES`, and what was noted since the last seal.
 */
import { Buffer } from "node:buffer";
import type { Seq } from "../../../protocol/identifiers.js";
import type { FileSystem, OpenFile } from "../../platform/file-system.js";
import { OID_BYTES, type Oid } from "../object/oid.js";
import { removeIfPresent, writeParts } from "./durable-file.js";
import { DamagedShallowError } from "./errors.js";
import { readCommitWithSeq, readPreviousCommit, type FoundCommit } from "./find-commit.js";
import { ObjectReader } from "./object-reader.js";
import {
  openSeqFile,
  readFully,
  readSeqRecord,
  SEQ_HEADER_BYTES,
  seqIndexPath,
  seqRecordAt,
  serializeSeqHeader,
  type SeqFile,
  type SeqIndexPlace,
} from "./seq-index.js";
import { readShallow, type Shallow } from "./shallow.js";

/** Commits that are walked at once when an index is opened: a seal or two, some milliseconds. */
const SHORT_WALK_COMMITS = 1024;
/** Records of a block that is collected while walking, or copied at once. */
const BLOCK_RECORDS = 3276;
const BLOCK_BYTES = BLOCK_RECORDS * OID_BYTES;
/** A walk reads commits alone, each once, from the newest pack to the oldest. */
const WALK_MEMORY = { windowBytesMax: 2 * 1024 * 1024, baseBytesMax: 0 };
const INITIAL_NOTED_BYTES = 16 * 1024;

/** A commit and its place. */
export interface IndexedCommit {
  readonly oid: Oid;
  readonly seq: Seq;
}

/** The history as a walk sees it. */
interface WalkedHistory {
  readonly reader: ObjectReader;
  readonly givenUp: Shallow;
  readonly close: () => void;
}

/** Takes records to a file that is being written from its start. */
type Append = (records: Uint8Array) => void;

/** Keeps one branch's index. Only the process that writes the ref has one. */
export class SeqIndexWriter {
  readonly #place: SeqIndexPlace;
  readonly #path: string;
  /** Undefined as long as there is nothing to index, or since the disk has refused. */
  #live: SeqFile | undefined;
  #noted: Buffer = Buffer.allocUnsafeSlow(INITIAL_NOTED_BYTES);
  #notedBytes = 0;
  #repair: Generator<void, void> | undefined;
  /** Commits up to this one are not the branch's own; 0 for main. */
  readonly #baseSeq: number;
  /** Whether a repair failed: the next start tries again. */
  #isRepairRefused = false;

  /**
   * @param tip - the commit that the ref names; undefined when there is no ref
   * @param base - the commit that a fork was made from
   */
  constructor(place: SeqIndexPlace, tip: IndexedCommit | undefined, base?: IndexedCommit) {
    this.#place = place;
    this.#path = seqIndexPath(place);
    this.#baseSeq = base?.seq ?? 0;
    if (tip === undefined) return;
    if (tip.seq > this.#baseSeq) this.#openQuietly(tip, Buffer.from(tip.oid, "latin1"));
    else this.#removeQuietly();
  }

  /** Whether `repairSome` has more to do. */
  get isRepairing(): boolean {
    return this.#repair !== undefined;
  }

  /** Whether all of the history's commits that were published are in the index. */
  get isComplete(): boolean {
    return this.#live !== undefined && this.#repair === undefined && !this.#isRepairRefused;
  }

  /** Takes down the oid of the next commit that was recorded; nothing is written before `publish`. */
  note(oid: Oid): void {
    if (this.#notedBytes + OID_BYTES > this.#noted.length) {
      const larger = Buffer.allocUnsafeSlow(this.#noted.length * 2);
      this.#noted.copy(larger, 0, 0, this.#notedBytes);
      this.#noted = larger;
    }
    for (let index = 0; index < OID_BYTES; index++) this.#noted[this.#notedBytes++] = oid.charCodeAt(index);
  }

  /** Writes what was noted, now that the ref names its last commit. */
  publish(tip: IndexedCommit): void {
    const records = this.#noted.subarray(0, this.#notedBytes);
    this.#notedBytes = 0;
    const live = this.#live;
    const last = (live?.last ?? 0) + records.length / OID_BYTES;
    if (live === undefined || last !== tip.seq) {
      this.#openQuietly(tip, records);
      return;
    }
    try {
      writeParts(live.file, this.#path, [records], seqRecordAt(live.first, live.last + 1));
      live.last = last;
    } catch {
      this.close();
    }
  }

  /** Walks on for a while; does nothing when the index is whole. */
  repairSome(commitsMax: number): void {
    try {
      for (let steps = 0; steps < commitsMax && this.#repair !== undefined; steps++) {
        if (this.#repair.next().done === true) this.#repair = undefined;
      }
    } catch {
      this.#repair = undefined;
      this.#isRepairRefused = true;
    }
  }

  /**
   * Gives up the records before `seq`, whose commits the history no longer has; call it when `shallow` says so. The file
   * is written anew, so it does nothing as long as less than half of the records would go.
   */
  discardBefore(seq: Seq): void {
    const live = this.#live;
    if (live === undefined || seq > live.last || seq - live.first < (live.last - live.first + 1) / 2) return;
    this.#stopRepair();
    try {
      const steps = this.#replace(live, { first: seq, from: seq, before: noRecords });
      while (steps.next().done !== true);
      this.#repair = this.#extend();
    } catch {
      this.close();
    }
  }

  /** Closes the files. */
  close(): void {
    this.#stopRepair();
    this.#live?.file.close();
    this.#live = undefined;
  }

  #stopRepair(): void {
    this.#repair?.return();
    this.#repair = undefined;
  }

  /** What is there is of an earlier branch of this name. */
  #removeQuietly(): void {
    try {
      for (const suffix of ["", ".old", ".new", ".walk"]) removeIfPresent(this.#place.fileSystem, this.#path + suffix);
    } catch {
      // The first publish looks whether it leads to the tip.
    }
  }

  /** @param records - at least one; they end with the tip's */
  #openQuietly(tip: IndexedCommit, records: Uint8Array): void {
    this.close();
    const { fileSystem } = this.#place;
    try {
      // What a crash left of a repair.
      for (const suffix of [".new", ".walk"]) removeIfPresent(fileSystem, this.#path + suffix);
      this.#live = this.#openLeadingTo(tip) ?? this.#begin(tip, records);
      if (!this.#isRepairRefused) this.#repair = this.#extend();
    } catch {
      this.close();
    }
  }

  /** Opens the index and brings it to the tip, if that is a short walk; else it becomes the old one. */
  #openLeadingTo(tip: IndexedCommit): SeqFile | undefined {
    const { fileSystem } = this.#place;
    const found = openSeqFile(fileSystem, this.#path, "write");
    if (found === undefined) return undefined;
    let isUsed = false;
    try {
      const records = this.#recordsSinceAgreement(found, tip);
      if (records === undefined) {
        this.#keepAsOld(found);
        return undefined;
      }
      const agreed = tip.seq - records.length / OID_BYTES;
      found.file.truncate(seqRecordAt(found.first, agreed + 1));
      writeParts(found.file, this.#path, [records], seqRecordAt(found.first, agreed + 1));
      found.last = tip.seq;
      isUsed = true;
      return found;
    } finally {
      if (!isUsed) found.file.close();
    }
  }

  /** The records that lead from one that agrees with the history to the tip; undefined when none is near (invariant 2). */
  #recordsSinceAgreement(found: SeqFile, tip: IndexedCommit): Uint8Array | undefined {
    // An index of more than the fork's own commits is cut by being made anew.
    if (found.first <= this.#baseSeq) return undefined;
    if (readSeqRecord(found, tip.seq) === tip.oid) return new Uint8Array(0);
    if (tip.seq - found.last > SHORT_WALK_COMMITS || tip.seq < found.first) return undefined;
    const history = this.#openHistory();
    if (history === undefined) return undefined;
    const { reader, givenUp, close } = history;
    try {
      const records = Buffer.alloc(SHORT_WALK_COMMITS * OID_BYTES);
      let at = readCommitWithSeq(reader, tip.oid, tip.seq);
      for (let start = records.length; at !== undefined && start > 0;) {
        const { oid, commit } = at;
        if (readSeqRecord(found, commit.trailers.seq ?? 0) === oid) return records.subarray(start);
        start -= OID_BYTES;
        records.write(oid, start, "latin1");
        at = readPreviousCommit(reader, at, givenUp);
      }
      return undefined;
    } finally {
      close();
    }
  }

  /** Of two indexes that do not lead to the tip the longer one may save more of the walk. */
  #keepAsOld(found: SeqFile): void {
    const { fileSystem } = this.#place;
    const old = openSeqFile(fileSystem, `${this.#path}.old`, "read");
    old?.file.close();
    if (old !== undefined && old.last - old.first > found.last - found.first) return;
    fileSystem.rename(this.#path, `${this.#path}.old`);
  }

  /** Makes an index of these records alone. */
  #begin({ seq: last }: IndexedCommit, records: Uint8Array): SeqFile {
    const { fileSystem } = this.#place;
    fileSystem.makeDirectory(this.#path.slice(0, this.#path.lastIndexOf("/")));
    removeIfPresent(fileSystem, this.#path);
    const first = (last - records.length / OID_BYTES + 1) as Seq;
    const file = fileSystem.open(this.#path, "create");
    try {
      writeParts(file, this.#path, [serializeSeqHeader(first), records]);
    } catch (error) {
      file.close();
      throw error;
    }
    return { file, first, last };
  }

  /** Undefined when `shallow` is damaged: where a walk must end is not known then, so none is begun. */
  #openHistory(): WalkedHistory | undefined {
    const { fileSystem, repositoryDirectory } = this.#place;
    let givenUp: Shallow;
    try {
      givenUp = readShallow(fileSystem, repositoryDirectory);
    } catch (error) {
      if (error instanceof DamagedShallowError) return undefined;
      throw error;
    }
    const reader = new ObjectReader(fileSystem, repositoryDirectory, WALK_MEMORY);
    const close = (): void => {
      reader.close();
    };
    return { reader, givenUp, close };
  }

  /** The repair: leads the index back to the beginning of the history, or of the fork. */
  *#extend(): Generator<void, void> {
    const history = this.#openHistory();
    if (history === undefined) {
      // What main.old has is of use again when `shallow` has been mended.
      this.#isRepairRefused = true;
      return;
    }
    const { reader, givenUp, close } = history;
    const previous = (at: FoundCommit): FoundCommit | undefined =>
      (at.commit.trailers.seq ?? 0) - 1 > this.#baseSeq ? readPreviousCommit(reader, at, givenUp) : undefined;
    try {
      for (let live = this.#live; live !== undefined; live = this.#live) {
        const first = readCommitWithSeq(reader, readSeqRecord(live, live.first), live.first);
        const start = first === undefined ? undefined : previous(first);
        if (start === undefined) break;
        yield* this.#extendOnce(live, start, previous);
      }
      removeIfPresent(this.#place.fileSystem, `${this.#path}.old`);
    } finally {
      close();
    }
  }

  /** Puts before the index what a walk from `start` finds, and what the old index has before that. */
  *#extendOnce(
    live: SeqFile,
    start: FoundCommit,
    previous: (at: FoundCommit) => FoundCommit | undefined,
  ): Generator<void, void> {
    const { fileSystem } = this.#place;
    const walked = new WalkedRecords(fileSystem, `${this.#path}.walk`);
    const old = openSeqFile(fileSystem, `${this.#path}.old`, "read");
    try {
      let first = live.first;
      let agreed: number | undefined;
      for (let at: FoundCommit | undefined = start; at !== undefined; at = previous(at)) {
        const seq = (first - 1) as Seq;
        if (old !== undefined && readSeqRecord(old, seq) === at.oid) {
          agreed = seq;
          first = Math.max(old.first, this.#baseSeq + 1) as Seq;
          break;
        }
        walked.addBefore(at.oid);
        first = seq;
        yield;
      }
      const before = function* (append: Append): Generator<void, void> {
        if (old !== undefined && agreed !== undefined)
          yield* copyRecords(old, { from: first, to: () => agreed, append });
        yield* walked.copy(append);
      };
      yield* this.#replace(live, { first, from: live.first, before });
    } finally {
      walked.close();
      old?.file.close();
    }
  }

  /** Puts a new file in the place of the index: what `before` appends, then the index's own records from `from` on. */
  *#replace(
    live: SeqFile,
    {
      first,
      from,
      before,
    }: { readonly first: Seq; readonly from: Seq; readonly before: (append: Append) => Generator<void, void> },
  ): Generator<void, void> {
    const { fileSystem } = this.#place;
    const path = `${this.#path}.new`;
    removeIfPresent(fileSystem, path);
    const file = fileSystem.open(path, "create");
    let isPlaced = false;
    try {
      writeParts(file, path, [serializeSeqHeader(first)]);
      let end = SEQ_HEADER_BYTES;
      const append = (records: Uint8Array): void => {
        writeParts(file, path, [records], end);
        end += records.length;
      };
      yield* before(append);
      // Between its last block and the rename nothing is published, because there is no pause.
      yield* copyRecords(live, { from, to: () => live.last, append });
      fileSystem.rename(path, this.#path);
      live.file.close();
      this.#live = { file, first, last: live.last };
      isPlaced = true;
    } finally {
      if (!isPlaced) file.close();
    }
  }
}

function* noRecords(): Generator<void, void> {
  // What is before the boundary is given up.
}

/** Copies records in order, with a pause between two blocks, until `to()` as it is then. */
function* copyRecords(
  source: SeqFile,
  { from, to, append }: { readonly from: number; readonly to: () => number; readonly append: Append },
): Generator<void, void> {
  for (let seq = from; seq <= to();) {
    if (seq > from) yield;
    const records = Buffer.alloc(Math.min(BLOCK_RECORDS, to() - seq + 1) * OID_BYTES);
    if (!readFully(source.file, records, seqRecordAt(source.first, seq))) throw new Error("the index became shorter");
    append(records);
    seq += records.length / OID_BYTES;
  }
}

/** Records that come from the highest to the lowest: all but the last block wait in a file. */
class WalkedRecords {
  readonly #fileSystem: FileSystem;
  readonly #path: string;
  readonly #block = Buffer.alloc(BLOCK_BYTES);
  /** Where in the block the last record begins. */
  #start = BLOCK_BYTES;
  #file: OpenFile | undefined;
  #fileBytes = 0;

  constructor(fileSystem: FileSystem, path: string) {
    this.#fileSystem = fileSystem;
    this.#path = path;
  }

  addBefore(oid: Oid): void {
    if (this.#start === 0) {
      this.#file ??= this.#create();
      writeParts(this.#file, this.#path, [this.#block], this.#fileBytes);
      this.#fileBytes += BLOCK_BYTES;
      this.#start = BLOCK_BYTES;
    }
    this.#start -= OID_BYTES;
    this.#block.write(oid, this.#start, "latin1");
  }

  /** Appends the records, the lowest first. */
  *copy(append: Append): Generator<void, void> {
    append(this.#block.subarray(this.#start));
    const block = Buffer.alloc(BLOCK_BYTES);
    for (let at = this.#fileBytes - BLOCK_BYTES; this.#file !== undefined && at >= 0; at -= BLOCK_BYTES) {
      yield;
      if (!readFully(this.#file, block, at)) throw new Error(`${this.#path} became shorter`);
      append(block);
    }
  }

  close(): void {
    if (this.#file === undefined) return;
    this.#file.close();
    this.#file = undefined;
    removeIfPresent(this.#fileSystem, this.#path);
  }

  #create(): OpenFile {
    removeIfPresent(this.#fileSystem, this.#path);
    return this.#fileSystem.open(this.#path, "create");
  }
}

/** Removes all files of a branch's index: the branch is gone. @throws what the disk throws */
export function removeSeqIndex(place: SeqIndexPlace): void {
  for (const suffix of ["", ".old", ".walk", ".new"]) removeIfPresent(place.fileSystem, seqIndexPath(place) + suffix);
}
