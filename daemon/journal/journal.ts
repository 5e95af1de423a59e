/**
 * The journal: the acknowledgement of commits, as append-only segments of one line per commit.
 *
 * Owns appending, rotation, the end of the journal and its failures. Must never leave a line behind for a commit that it
 * refused, nor report success before the line is as safe as was asked for. Source: design.md, "Journal and recorder".
 *
 * Invariants (tests cite them):
 *  1. Seqs in the journal go up by one from line to line, over segment boundaries too; a segment's name is its first seq.
 *  2. When `append` has returned, the lines of the whole batch are in the kernel (`process`, `none`) or on the disk, with the
 *     directory entry that leads to them (`power`).
 *  3. When `append` has thrown JournalAppendError, the journal is as before the call, also on the disk, and the next append may work.
 *  4. When that cannot be had (a truncate, a removal, a sync or the close of a full segment failed), the journal is stuck:
 *     every append throws JournalStuckError, and the position never moves again. A restart may find the commits that the
 *     failing call refused.
 *  5. `position()` never points beyond the lines of successful appends, so whoever reads up to it never sees a line that is
 *     taken back later.
 *  6. `synced` of a line is a seq that was on the disk before the line was written; under `process` and `none` none is claimed.
 *  7. A segment is removed only when the caller said that all its commits are sealed elsewhere, and never the current one.
 *  8. All lines of a segment are of one boot of the machine, which its header names; and before a segment of another boot is
 *     begun, those before it are on the disk. So recovery knows what a crash can have left (`recovery.ts`).
 *
 * States:
 *
 *     openJournal ──► open ──append──► appending ──written (and synced)──► open
 *                      │                  │
 *                      │                  ├─failed, #takeBack worked──► open   (JournalAppendError)
 *                      │                  └─sync, close or #takeBack failed──► stuck  (JournalStuckError, until restart)
 *                      └──close──► closed ◄──close── stuck
 */
import { Buffer } from "node:buffer";
import { dirname } from "node:path";
import type { Seq } from "../../protocol/identifiers.js";
import type { FileSystem, OpenFile } from "../platform/file-system.js";
import type { Commit } from "../store/commit.js";
import type { PassedOver } from "./bad-line.js";
import { JournalAppendError, JournalStuckError } from "./errors.js";
import { LineBuffer } from "./line-buffer.js";
import { recordBytesMax, writeRecord } from "./record.js";
import { MARKER_LENGTH } from "./redaction.js";
import { recoverJournal, type Cut, type Recovery, type Segment } from "./recovery.js";
import { encodeHeader, segmentName } from "./segment.js";
import { messageOf } from "../platform/error-message.js";

/**
 * What an acknowledged commit survives: the death of the daemon (`process`), a power cut too (`power`), or nothing for
 * certain (`none`). `none` promises nothing, so that replies need not wait for the journal; as things are it writes what
 * `process` writes, at the same moment.
 */
export type Durability = "none" | "process" | "power";

/** The end of the journal at some moment. */
export interface JournalPosition {
  /** File name of the segment. */
  readonly segment: string;
  /** End of the last line in it, in bytes. */
  readonly offset: number;
  /** The last commit before that; its line may be in an earlier segment. */
  readonly seq: Seq;
}

/** A segment of the journal. */
export interface JournalSegment {
  /** The seq of its first commit, or of the one that it will begin with. */
  readonly first: Seq;
  /** Up to the end of its last line. */
  readonly bytes: number;
}

/** How to open a journal. */
export interface JournalOptions {
  readonly fileSystem: FileSystem;
  /** Absolute path; created when it is missing. Nobody else may write there. */
  readonly directory: string;
  /** The branch that this is the journal of; `main` unless told. */
  readonly branch?: string;
  /** The last seq in sealed packs: commits up to it need not be in the journal. */
  readonly after: Seq;
  readonly durability: Durability;
  /**
   * The kernel's boot id, which tells recovery whether power was lost since a segment was written. Without one, as where the
   * system has none, each opening begins a segment and counts as after a power cut.
   */
  readonly bootId?: string | undefined;
  /**
   * Takes each recovered commit, in order, while the journal is being read, so that a long journal need not fit into memory;
   * when the journal then turns out to be damaged, `openJournal` throws, and what was taken means nothing.
   */
  readonly replay?: ((commit: Commit) => void) | undefined;
  /** What is written of each commit instead of all of it (`redaction.ts`); all of it unless told. */
  readonly redact?: ((commit: Commit) => Commit) | undefined;
  /** A segment that has reached this size, 16 MiB unless told, gets no more batches. */
  readonly segmentBytesMax?: number;
}

/** An opened journal. */
export interface OpenedJournal {
  readonly journal: Journal;
  /** The commits with seq > `after`, in order; without what their changes replaced, see `decodeRecord`. None where `replay` took them. */
  readonly recovered: Commit[];
  /** What a crash had left at the end and was removed, if there was something. */
  readonly cut?: Cut;
  /** Bad lines among those that `after` says are sealed: they were passed over. */
  readonly passedOver: readonly PassedOver[];
}

/** A journal that is open for appending. */
export interface Journal {
  /**
   * Appends a batch of commits, whose seqs follow that of `position()`, with one write (invariant 2).
   *
   * @returns the new end
   * @throws JournalAppendError when nothing was appended (invariant 3), and its kind JournalStuckError when no append
   *   will work any more (invariant 4)
   */
  append(commits: readonly Commit[]): JournalPosition;
  /** The most bytes that `append` would write for a commit, but for the header of a segment that it may begin. */
  lineBytesMax(commit: Commit): number;
  /**
   * Removes segments that hold no commit after `seq`, but for the current one. May throw what the file system throws;
   * the journal stays good, and a later call tries again.
   */
  discardThrough(seq: Seq): void;
  /** The end of the journal. */
  position(): JournalPosition;
  /** Bytes in all segments. */
  bytes(): number;
  /** The segments, oldest first, as they are at this moment. */
  segments(): readonly JournalSegment[];
  /** Closes the file; may be called again. Under `process` what was appended is in the kernel and need not be on the disk. */
  close(): void;
}

/** The size at which a segment is full, unless told. */
export const SEGMENT_BYTES_MAX: number = 16 * 1024 * 1024;

/**
 * Opens the journal in a directory, after recovering it (`recovery.ts`); an empty or missing directory becomes a journal
 * that starts with `after` + 1.
 *
 * @throws DamagedJournalError when it is damaged, ForeignJournalError when it is in another version of the format, and what
 *   the file system throws
 */
export function openJournal(options: JournalOptions): OpenedJournal {
  const { fileSystem, directory, after, durability, branch = "main", bootId, replay } = options;
  const parents = parentsToSync(fileSystem, directory);
  fileSystem.makeDirectory(directory);
  const recovery = recoverJournal({ fileSystem, directory, branch, after, bootId, replay });
  const { recovered, cut, passedOver } = recovery;
  syncSegments(fileSystem, directory, recovery.segments);
  if (durability === "power") for (const parent of parents) fileSystem.syncDirectory(parent);
  const journal = new SegmentedJournal(options, recovery);
  return { journal, recovered, passedOver, ...(cut === undefined ? {} : { cut }) };
}

/**
 * The directories whose entries lead to the journal: those in which something is about to be created, and the journal's
 * parents within the state directory, which an earlier life may have left unsynced.
 */
function parentsToSync(fileSystem: FileSystem, directory: string): Set<string> {
  const parents = new Set([dirname(directory), dirname(dirname(directory))]);
  for (let path = directory; !fileSystem.exists(path); path = dirname(path)) parents.add(dirname(path));
  return parents;
}

/**
 * Puts on the disk what an earlier life may have left in the kernel: it is about to be served as committed. Under every
 * durability, because it may be a cut whose sync was never reached (if a power cut undid it later, lines of before the cut
 * would stand behind those of after it), and because a segment of another boot may be about to follow (invariant 8).
 */
function syncSegments(fileSystem: FileSystem, directory: string, segments: readonly Segment[]): void {
  for (const { name } of segments) {
    const file = fileSystem.open(`${directory}/${name}`, "write");
    try {
      file.sync();
    } finally {
      file.close();
    }
  }
  fileSystem.syncDirectory(directory);
}

/** A new segment that is open and holds its first lines, and how to take it back. */
interface CreatedSegment {
  readonly segment: Segment;
  readonly file: OpenFile;
  readonly remove: () => void;
}

class SegmentedJournal implements Journal {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #branch: string;
  readonly #bootId: string | undefined;
  readonly #redact: ((commit: Commit) => Commit) | undefined;
  readonly #isPower: boolean;
  readonly #segmentBytesMax: number;
  /** Oldest first; the last one is the current one. */
  readonly #segments: Segment[];
  #current: Segment;
  #file: OpenFile;
  /** Whether `#file` need not be closed any more. A close that fails ends the descriptor too, and its number may be reused. */
  #isFileClosed = false;
  #seq: Seq;
  /** The lines that are being appended. */
  readonly #lines = new LineBuffer();
  #state: "open" | "stuck" | "closed" = "open";
  /** Why it is stuck. */
  #failure: unknown;

  constructor(options: JournalOptions, { segments, next, isLastOpen }: Recovery) {
    this.#fileSystem = options.fileSystem;
    this.#directory = options.directory;
    this.#branch = options.branch ?? "main";
    this.#bootId = options.bootId;
    this.#redact = options.redact;
    this.#isPower = options.durability === "power";
    this.#segmentBytesMax = options.segmentBytesMax ?? SEGMENT_BYTES_MAX;
    this.#segments = segments;
    this.#seq = (next - 1) as Seq;
    const last = segments.at(-1);
    if (last !== undefined && isLastOpen) {
      this.#current = last;
      this.#file = this.#fileSystem.open(this.#path(last), "write");
    } else {
      if (last?.first === next) {
        // It holds no commit, and the new one has its name. Without it the journal says the same.
        this.#fileSystem.remove(this.#path(last));
        segments.pop();
      }
      const created = this.#createSegment(new Uint8Array(0));
      segments.push(created.segment);
      this.#current = created.segment;
      this.#file = created.file;
    }
  }

  append(commits: readonly Commit[]): JournalPosition {
    if (this.#state === "closed") throw new Error("the journal is closed");
    if (this.#state === "stuck") throw this.#stuckError();
    const last = commits.at(-1);
    if (last === undefined) return this.position();
    this.#encode(commits);
    const isFull = this.#current.bytes >= this.#segmentBytesMax && this.#current.first <= this.#seq;
    if (isFull) this.#appendToNewSegment(this.#lines.bytes);
    else this.#appendToCurrent(this.#lines.bytes);
    this.#seq = last.seq;
    return this.position();
  }

  lineBytesMax(commit: Commit): number {
    return recordBytesMax(commit, this.#redact === undefined ? 0 : MARKER_LENGTH);
  }

  discardThrough(seq: Seq): void {
    for (;;) {
      const [oldest, second] = this.#segments;
      if (oldest === undefined || second === undefined || second.first > seq + 1) return;
      this.#fileSystem.remove(this.#path(oldest));
      this.#segments.shift();
    }
  }

  position(): JournalPosition {
    return { segment: this.#current.name, offset: this.#current.bytes, seq: this.#seq };
  }

  bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  segments(): readonly JournalSegment[] {
    return this.#segments.map(({ first, bytes }) => ({ first, bytes }));
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    if (this.#isFileClosed) return;
    this.#isFileClosed = true;
    this.#file.close();
  }

  #path(segment: { readonly name: string }): string {
    return `${this.#directory}/${segment.name}`;
  }

  #encode(commits: readonly Commit[]): void {
    let expected = this.#seq;
    for (const { seq } of commits) {
      if (seq !== ++expected)
        throw new Error(`commit ${String(seq)} cannot be appended where ${String(expected)} is next`);
    }
    const lines = this.#lines;
    lines.clear();
    try {
      for (const whole of commits) {
        const commit = this.#redact === undefined ? whole : this.#redact(whole);
        // Whatever was appended before has been synced under `power`: append does not return earlier (invariant 6).
        const synced = lines.length === 0 && this.#isPower ? this.#seq : undefined;
        writeRecord(lines, commit, synced);
      }
    } catch (error) {
      throw new JournalAppendError("a commit could not be encoded", error);
    }
  }

  #appendToCurrent(lines: Uint8Array): void {
    const { bytes } = this.#current;
    try {
      this.#write(this.#file, lines, bytes);
    } catch (error) {
      this.#takeBack(() => {
        this.#file.truncate(bytes);
        if (this.#isPower) this.#file.syncData();
      }, error);
      throw new JournalAppendError(`${this.#path(this.#current)} could not be written`, error);
    }
    if (this.#isPower) {
      try {
        this.#file.syncData();
      } catch (error) {
        this.#becomeStuck(error, () => {
          this.#file.truncate(bytes);
        });
      }
    }
    this.#current.bytes += lines.length;
  }

  /**
   * The full segment is closed before the new one counts. Some file systems, such as NFS, tell only there that they could
   * not keep what was written: lines that were acknowledged long ago may be lost then, and nothing may be put behind them.
   */
  #appendToNewSegment(lines: Uint8Array): void {
    const { segment, file, remove } = this.#createSegment(lines);
    try {
      this.#isFileClosed = true;
      this.#file.close();
    } catch (error) {
      this.#becomeStuck(
        new Error(`${this.#path(this.#current)} could not be closed: ${messageOf(error)}`, { cause: error }),
        remove,
      );
    }
    this.#segments.push(segment);
    this.#current = segment;
    this.#file = file;
    this.#isFileClosed = false;
  }

  /** Creates the segment for the next seq with its header and `lines`; it counts when the caller has taken it up. */
  #createSegment(lines: Uint8Array): CreatedSegment {
    const first = (this.#seq + 1) as Seq;
    const name = segmentName(first);
    const path = this.#path({ name });
    const header = Buffer.from(encodeHeader({ branch: this.#branch, first, boot: this.#bootId }), "latin1");
    const content = Buffer.concat([header, lines]);
    let file: OpenFile;
    try {
      file = this.#fileSystem.open(path, "create");
    } catch (error) {
      throw new JournalAppendError(`${path} could not be created`, error);
    }
    const remove = (): void => {
      try {
        file.close();
      } finally {
        this.#fileSystem.remove(path);
        if (this.#isPower) this.#fileSystem.syncDirectory(this.#directory);
      }
    };
    try {
      this.#write(file, content, 0);
    } catch (error) {
      this.#takeBack(() => {
        remove();
      }, error);
      throw new JournalAppendError(`${path} could not be written`, error);
    }
    if (this.#isPower) {
      try {
        file.syncData();
        this.#fileSystem.syncDirectory(this.#directory);
      } catch (error) {
        this.#becomeStuck(error, remove);
      }
    }
    return { segment: { name, first, bytes: content.length }, file, remove };
  }

  /** Writes at an offset, going on after short writes. */
  #write(file: OpenFile, bytes: Uint8Array, offset: number): void {
    for (let written = 0; written < bytes.length;) {
      const count = file.write(written === 0 ? bytes : bytes.subarray(written), offset + written);
      if (count <= 0) throw new Error("the file system wrote nothing and named no error");
      written += count;
    }
  }

  /** Undoes a failed write; a journal that cannot do that is stuck, because a restart could find what was refused. */
  #takeBack(undo: () => void, cause: unknown): void {
    try {
      undo();
    } catch (error) {
      this.#becomeStuck(
        new AggregateError([cause, error], `${messageOf(cause)}, and taking it back failed: ${messageOf(error)}`),
      );
    }
  }

  /** @param undo - removes the refused lines as far as that still works; a failure of it changes nothing */
  #becomeStuck(cause: unknown, undo?: () => void): never {
    this.#state = "stuck";
    this.#failure = cause;
    try {
      undo?.();
    } catch {
      // The journal is stuck already, and the first failure says more.
    }
    throw this.#stuckError();
  }

  #stuckError(): JournalStuckError {
    return new JournalStuckError("the journal takes no commits until the daemon is restarted", this.#failure);
  }
}
