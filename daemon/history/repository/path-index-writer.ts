/**
 * Writing the index of paths: by the recorder, as its commits reach the history.
 *
 * Owns the files of one branch's index (`path-index-files.ts` has their names). It syncs nothing and fails nobody: who looks for
 * the commits of a path walks where the index does not reach. What takes long is `step`, in which the recorder gives
 * it time between two batches and when it is idle.
 *
 *   note, publish: a record is appended to the tail ──tail is full──► the next publish begins another
 *   step, in this order: adopt what is there at the start ► a full tail becomes a run ► commits that are in no file are read and
 *   become a run, the newest first ► four runs of like size become one
 *   the disk refuses: publish leaves the tail as it is and the next begins another; step ends until then
 *
 * Invariants
 *  1. A file is believed when the index of seqs has the same commit for the last seq that it tells of. Then all of it is of this
 *     history, because a commit names its parents. It is asked when that index is whole.
 *  2. Runs are disjoint. A merged one is renamed to its place before its sources go, and what is within another is
 *     removed at the next start.
 *  3. A commit is in the index with all nodes that it touched, or is in no file's stretch. Whoever reads passes over the
 *     commit at which a history was cut: what that one touched is not known any more, and no new file has it.
 *  4. Memory is bounded, but for what a single seal brings: `USUAL_LIMITS` make a tail 64 K touches at a usual depth and its run
 *     takes some 4 MiB to build; a path that is nowhere else is kept as long as its tail grows, 4 MiB of them at most. A merge holds
 *     a block and the table of four runs, 1.5 MiB each at the most.
 */
import type { Seq } from "../../../protocol/identifiers.js";
import type { OpenFile } from "../../platform/file-system.js";
import type { Change } from "../../store/commit.js";
import type { Oid } from "../object/oid.js";
import { removeIfPresent, writeParts } from "./durable-file.js";
import type { IndexedCommit } from "./seq-index-writer.js";
import { pathIndexDirectory, tailName } from "./path-index-files.js";
import { PathRunStore, type PathIndexLimits, USUAL_LIMITS } from "./path-run-store.js";
import { serializeTailHeader, TailEncoder } from "./path-tail.js";
import type { SeqIndexPlace } from "./seq-index.js";

/** A tail that grows. */
interface LiveTail {
  readonly file: OpenFile;
  size: number;
}

/** Keeps one branch's index of paths. Only the process that writes the ref has one. */
export class PathIndexWriter {
  readonly #place: SeqIndexPlace;
  readonly #directory: string;
  readonly #limits: PathIndexLimits;
  readonly #store: PathRunStore;
  /** What makes the records of the tail; undefined before its first note. */
  #encoder: TailEncoder | undefined;
  /** Undefined before its first record. */
  #live: LiveTail | undefined;
  #work: Generator<void, void> | undefined;

  /** @param tip - the commit that the ref names; undefined when there is no ref */
  constructor(place: SeqIndexPlace, tip: IndexedCommit | undefined, limits: PathIndexLimits = USUAL_LIMITS) {
    this.#place = place;
    this.#directory = pathIndexDirectory(place);
    this.#limits = limits;
    this.#store = new PathRunStore(place, limits, (tip?.seq ?? 0) + 1);
    if (tip !== undefined) this.#work = this.#store.work();
  }

  /** Whether `step` has something to do. */
  get isWorkDue(): boolean {
    return this.#work !== undefined;
  }

  /** Whether so much waits for `step` that looking for a path becomes slow. */
  get isPressing(): boolean {
    return this.#store.isPressing;
  }

  /** Takes down what the next commit that was recorded has changed; nothing is written before `publish`. */
  note(seq: Seq, changes: readonly Change[]): void {
    this.#encoder ??= new TailEncoder(seq);
    this.#encoder.note(changes);
  }

  /** Writes what was noted, now that the ref names its last commit. */
  publish(tip: Oid): void {
    const encoder = this.#encoder;
    if (encoder?.hasNotes !== true) return;
    const record = encoder.takeRecord(tip);
    try {
      const live = (this.#live ??= this.#begin(encoder));
      writeParts(live.file, this.#directory, [record], live.size);
      live.size += record.length;
      if (!this.#isFull(encoder, live)) return;
    } catch {
      // The numbers of paths that this record has are lost with it.
    }
    this.#endTail();
  }

  /** Does so many steps of some hundred microseconds; to be called while the index of seqs is whole. */
  step(steps: number): void {
    try {
      for (let done = 0; done < steps && this.#work !== undefined; done++) {
        if (this.#work.next().done === true) this.#work = undefined;
      }
    } catch {
      // What the disk refuses is tried again when the next tail begins.
      this.#work = undefined;
    }
  }

  /** Gives up what tells only of commits before `seq`, which the history no longer has; call it when `shallow` says so. */
  discardBefore(seq: Seq): void {
    this.#work?.return();
    try {
      this.#store.discardBefore(seq);
      this.#work = this.#store.work();
    } catch {
      this.#work = undefined;
    }
  }

  /** Closes the files. */
  close(): void {
    this.#work?.return();
    this.#work = undefined;
    this.#live?.file.close();
    this.#live = undefined;
    this.#encoder = undefined;
  }

  #isFull(encoder: TailEncoder, live: LiveTail): boolean {
    const { postingsMax, pathsMax, tailBytesMax } = this.#limits;
    return encoder.postings >= postingsMax || encoder.pathCount >= pathsMax || live.size >= tailBytesMax;
  }

  #begin({ first }: TailEncoder): LiveTail {
    const { fileSystem } = this.#place;
    fileSystem.makeDirectory(this.#directory);
    const name = tailName(first);
    const path = `${this.#directory}/${name}`;
    // Of another history, or of a life whose ref did not move.
    removeIfPresent(fileSystem, path);
    const file = fileSystem.open(path, "create");
    this.#store.noteTail(first);
    this.#work ??= this.#store.work();
    try {
      const header = serializeTailHeader(first);
      writeParts(file, path, [header]);
      return { file, size: header.length };
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** The tail grows no more; it is made a run when the next one begins. */
  #endTail(): void {
    const live = this.#live;
    this.#live = undefined;
    this.#encoder = undefined;
    try {
      live?.file.close();
    } catch {
      // It is closed all the same.
    }
  }
}
