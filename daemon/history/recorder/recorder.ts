/**
 * The recorder: commits in, packs and a moved ref out.
 *
 * Owns the pack under construction and the branch's ref. Synchronous; the worker decides when it runs. It reads no clock:
 * what it writes depends on the commits alone, so that commits which are recorded again after a crash become the same
 * objects. Source: design.md, "Journal and recorder".
 *
 *   record(commit) ──► pack under construction ──seal()──► finished pack ──placePack, ref, keep──► sealed
 *                                                            │ the disk refuses: the pack waits
 *                                                            └── seal() again
 *
 * Invariants
 *  1. The ref only ever names a commit whose objects are in packs that are durable: it moves after `placePack` returned.
 *  2. Commits are recorded in the order of their seqs without a gap; the parent of each is the one before.
 *  3. At any moment the packs on disk that a ref reaches are complete: an object is left out of a pack only when the root
 *     of the parent commit has it (mirror invariant 2).
 *  4. While a finished pack waits for the disk nothing is recorded, so memory is bounded by one pack and the journal keeps
 *     the rest.
 *  5. At start the mirror is the tip's tree byte for byte, and every dot file in it is what we would write: else an
 *     unchanged root would get another oid, and the history would show changes that nobody made. Nothing is recorded then.
 *  6. Every commit makes a commit object, also one without changes; its tree is then the parent's.
 */
import type { Seq } from "../../../protocol/identifiers.js";
import type { FileSystem } from "../../platform/file-system.js";
import type { Commit } from "../../store/commit.js";
import { emptyRoot } from "../../store/root.js";
import { committerSecondsOf, serializeCommit } from "../object/commit-object.js";
import { hashObject, hexFromOid, oidFromHex, type Oid } from "../object/oid.js";
import { PackBuilder, type FinishedPack } from "../object/pack.js";
import { placePack, removeKeep, removeStaleKeeps, removeTemporaryFiles } from "../repository/pack-file.js";
import { ObjectReader } from "../repository/object-reader.js";
import { RefStore } from "../repository/ref-store.js";
import type { PathIndexLimits } from "../repository/path-run-store.js";
import { PathIndexWriter } from "../repository/path-index-writer.js";
import { SeqIndexWriter, type IndexedCommit } from "../repository/seq-index-writer.js";
import { loadRecordedTree, recordedNothing } from "./load-mirror.js";
import { readTipCommit, type TipCommit } from "./load-tip.js";
import { Mirror } from "./mirror.js";

/**
 * A pack that has reached this size should be sealed: the cost of a seal is small against it, and so is its memory. With
 * 4 MiB, whose tables stay in the processor's cache, recording takes a tenth less; but in a long flood four times as many
 * packs would have to be merged, which costs more than recording them did.
 */
const PACK_BYTES_DUE = 16 * 1024 * 1024;

/** The tip is read once, and a cache of that would only stay behind as freed memory; much less thrashes at 100,000 nodes. */
const START_MEMORY = { windowBytesMax: 8 * 1024 * 1024, baseBytesMax: 1024 * 1024 };

/** A step of the index of paths takes some hundred microseconds: as long as it takes to find so many commits. */
const COMMITS_OF_A_STEP = 32;

/** Where a recorder records. */
export interface RecorderOptions {
  readonly fileSystem: FileSystem;
  /** A repository that `createRepository` made. Nobody else may write the ref. */
  readonly repositoryDirectory: string;
  /** Full name of the branch's ref. */
  readonly ref: string;
  /** Part of the addresses in commits. */
  readonly hostName: string;
  /**
   * For a fork: the commit that it was made from, at which its ref is, unless it has commits of its own by now. The fork's recorder
   * leaves to main's, which is there before it and in the same thread, what is done for the whole repository; and it indexes the
   * fork's own commits alone, by seqs.
   */
  readonly forkedFrom?: IndexedCommit | undefined;
  /** The usual ones unless told. */
  readonly pathIndexLimits?: PathIndexLimits;
}

/** What a recorder has done. */
export interface RecorderProgress {
  /** The commit object that the ref names, in hexadecimal; undefined before the first seal of a new repository. */
  readonly tip: string | undefined;
  /** The last commit that the ref reaches. */
  readonly sealedSeq: Seq;
  /** The last commit that is in a pack, placed or not. */
  readonly recordedSeq: Seq;
  /** Packs placed since the start. */
  readonly packsSealed: number;
  /** Bytes of the packs placed since the start. */
  readonly bytesSealed: number;
}

/** The journal and the history do not belong together: recording on would do harm. */
export class RecorderMismatchError extends Error {
  override readonly name = "RecorderMismatchError";
}

/** The last recorded commit. */
interface Last {
  readonly oid: Oid;
  readonly seconds: number;
}

/** Records one branch. */
export class HistoryRecorder {
  readonly #options: RecorderOptions;
  readonly #refs: RefStore;
  readonly #pack = new PackBuilder();
  readonly #seqIndex: SeqIndexWriter;
  /** Undefined for a fork. */
  readonly #pathIndex: PathIndexWriter | undefined;
  #mirror = new Mirror(recordedNothing(emptyRoot()), this.#pack);
  #last: Last | undefined;
  #recordedSeq: Seq;
  #sealed: { readonly oid: Oid | undefined; readonly seq: Seq };
  #waiting: FinishedPack | undefined;
  /** Packs that the ref reaches and whose `.keep` is still there. */
  readonly #keeps = new Set<string>();
  #packsSealed = 0;
  #bytesSealed = 0;

  /**
   * Cleans up what a crash left in the repository, unless the branch is a fork, and loads the tip.
   *
   * @throws MirrorMismatchError, RecorderMismatchError for a fork whose ref is not at its base or after it, and what
   *   `readTipCommit` throws
   */
  constructor(options: RecorderOptions) {
    const { fileSystem, repositoryDirectory, ref, forkedFrom } = options;
    this.#options = options;
    if (forkedFrom === undefined) {
      removeTemporaryFiles(fileSystem, repositoryDirectory);
      removeStaleKeeps(fileSystem, repositoryDirectory);
    }
    this.#refs = new RefStore(fileSystem, repositoryDirectory);
    this.#refs.removeStaleLocks([ref]);
    const tip = this.#loadTip();
    if (forkedFrom !== undefined) checkIsAfter(forkedFrom, tip, ref);
    this.#last = tip === undefined ? undefined : { oid: tip.oid, seconds: tip.committerSeconds };
    this.#recordedSeq = tip?.seq ?? (0 as Seq);
    this.#sealed = { oid: tip?.oid, seq: this.#recordedSeq };
    this.#seqIndex = new SeqIndexWriter(options, tip, forkedFrom);
    if (forkedFrom === undefined) this.#pathIndex = new PathIndexWriter(options, tip, options.pathIndexLimits);
  }

  /** Builds the mirror of the tip (invariant 5). */
  #loadTip(): TipCommit | undefined {
    const reader = new ObjectReader(this.#options.fileSystem, this.#options.repositoryDirectory, START_MEMORY);
    try {
      const tip = readTipCommit(reader, this.#options);
      if (tip !== undefined)
        this.#mirror = new Mirror(
          loadRecordedTree((oid) => reader.read(oid), tip.tree),
          this.#pack,
        );
      return tip;
    } finally {
      reader.close();
    }
  }

  /** The last recorded commit's seq. */
  get recordedSeq(): Seq {
    return this.#recordedSeq;
  }

  /** Whether there are recorded commits that the ref does not reach yet. */
  get isSealDue(): boolean {
    return this.#recordedSeq > this.#sealed.seq;
  }

  /** Whether it records no more until a seal succeeds: the pack is large enough, or waits for the disk. */
  get isFull(): boolean {
    return this.#waiting !== undefined || this.#pack.byteLength >= PACK_BYTES_DUE;
  }

  /** The tree object of the last recorded commit. */
  get treeOid(): Oid {
    return this.#mirror.treeOid;
  }

  /** Whether there is something for `repairIndex` to do. */
  get isIndexIncomplete(): boolean {
    return this.#seqIndex.isRepairing || (this.#seqIndex.isComplete && this.#pathIndex?.isWorkDue === true);
  }

  /**
   * Adds up to so many commits to the index of seqs, some microseconds each; when that is whole, brings the index of paths
   * nearer to being so, for about as long, but while recording lags only when that cannot wait.
   */
  repairIndex(commitsMax: number, isLagging = false): void {
    if (this.#seqIndex.isRepairing) this.#seqIndex.repairSome(commitsMax);
    else if (this.#seqIndex.isComplete && (!isLagging || this.#pathIndex?.isPressing === true))
      this.#pathIndex?.step(Math.ceil(commitsMax / COMMITS_OF_A_STEP));
  }

  /** Closes what it holds open; what was not sealed is lost to it. */
  close(): void {
    this.#seqIndex.close();
    this.#pathIndex?.close();
  }

  /** What it has done so far. */
  progress(): RecorderProgress {
    return {
      tip: this.#sealed.oid === undefined ? undefined : hexFromOid(this.#sealed.oid),
      sealedSeq: this.#sealed.seq,
      recordedSeq: this.#recordedSeq,
      packsSealed: this.#packsSealed,
      bytesSealed: this.#bytesSealed,
    };
  }

  /**
   * Turns the next commit into objects. Nothing reaches the disk before `seal`.
   *
   * @throws RecorderMismatchError when the commit does not follow the last one, ChangeMisfitError when its changes do not fit.
   *   After the latter the recorder is of no more use.
   */
  record(commit: Commit): void {
    if (this.#waiting !== undefined) throw new Error("a finished pack waits for the disk: seal first");
    if (commit.seq !== this.#recordedSeq + 1) {
      throw new RecorderMismatchError(
        `commit ${String(commit.seq)} cannot be recorded after ${String(this.#recordedSeq)}: the journal and the history do not belong together`,
      );
    }
    const treeBefore = this.#mirror.treeOid;
    const tree = this.#mirror.apply(commit.changes);
    const last = this.#last;
    const content = serializeCommit(commit, {
      tree,
      parents: [
        ...(last === undefined ? [] : [last.oid]),
        ...(commit.merged === undefined ? [] : [oidFromHex(commit.merged)]),
      ],
      parentSeconds: last?.seconds ?? 0,
      hostName: this.#options.hostName,
    });
    const oid = hashObject("commit", content);
    this.#pack.addObject("commit", oid, content);
    this.#seqIndex.note(oid);
    this.#pathIndex?.note(commit.seq, tree === treeBefore ? [] : commit.changes);
    this.#last = { oid, seconds: committerSecondsOf(commit, last?.seconds ?? 0) };
    this.#recordedSeq = commit.seq;
  }

  /** A `.keep` too many only keeps its pack from being merged; the seal stands, and the next one tries again. */
  #removeKeeps(): void {
    const { fileSystem, repositoryDirectory } = this.#options;
    for (const name of this.#keeps) {
      try {
        removeKeep(fileSystem, repositoryDirectory, name);
        this.#keeps.delete(name);
      } catch {
        return;
      }
    }
  }

  /**
   * Brings what was recorded into the repository and moves the ref; does nothing when there is nothing to bring. Returns
   * the new pack's checksum in hexadecimal.
   *
   * @throws what the disk or the ref's lock throws; the pack is kept, and calling again is right. RefMovedError is final:
   *   somebody else has written the ref.
   */
  seal(): string | undefined {
    const last = this.#last;
    if (last === undefined || !this.isSealDue) return undefined;
    const { fileSystem, repositoryDirectory, ref } = this.#options;
    const finished = (this.#waiting ??= this.#pack.finish());
    placePack(fileSystem, repositoryDirectory, finished);
    // A try before this one may have moved the ref and then failed to make that durable.
    if (this.#refs.read(ref) === last.oid) this.#refs.sync(ref);
    else this.#refs.update(ref, { expected: this.#sealed.oid, to: last.oid });
    const sealed = { oid: last.oid, seq: this.#recordedSeq };
    this.#sealed = sealed;
    this.#seqIndex.publish(sealed);
    this.#pathIndex?.publish(sealed.oid);
    this.#waiting = undefined;
    this.#packsSealed++;
    this.#bytesSealed += finished.pack.length;
    this.#keeps.add(finished.name);
    this.#removeKeeps();
    return finished.name;
  }

  /** Says that the history begins with this commit now. */
  noteBeginning(oldest: Seq): void {
    this.#seqIndex.discardBefore(oldest);
    this.#pathIndex?.discardBefore(oldest);
  }
}

/** The journal of a fork begins after its base, so what else its ref may be on belongs to another one. */
function checkIsAfter(base: IndexedCommit, tip: TipCommit | undefined, ref: string): void {
  if (tip !== undefined && (tip.seq > base.seq || tip.oid === base.oid)) return;
  const place = tip === undefined ? "is not there" : `is on ${hexFromOid(tip.oid)}, commit ${String(tip.seq)}`;
  throw new RecorderMismatchError(
    `${ref} ${place}, which is not after ${hexFromOid(base.oid)}, commit ${String(base.seq)}, that the fork was made from`,
  );
}
