/**
 * The journal's follower: reads commits in order, up to ends that the writer publishes.
 *
 * Owns a reading position. Runs in another thread than the writer and shares nothing with it but the files; must never
 * read beyond a published end, because what lies there may be taken back (journal invariant 5). Recovery and normal
 * running are this one code path. Source: design.md, "Journal and recorder".
 */
import type { Seq } from "../../protocol/identifiers.js";
import type { FileSystem, OpenFile } from "../platform/file-system.js";
import type { Commit } from "../store/commit.js";
import { mayHoldLaterCommit, type PassedOver } from "./bad-line.js";
import { DamagedJournalError, ForeignJournalError } from "./errors.js";
import type { JournalPosition } from "./journal.js";
import { decodeRecord, seqOfRecord } from "./record.js";
import { decodeHeader, LineReader, listSegments, segmentName } from "./segment.js";

/** The segment that is being read. */
interface Reading {
  readonly name: string;
  readonly file: OpenFile;
  readonly reader: LineReader;
  /** Bytes that may be read of it: a segment that is not the last one does not grow any more. */
  limit: number;
  /** Whether its header has been read. */
  begun: boolean;
}

/** Reads a journal's commits after some seq. Segments may be discarded once their commits have been read. */
export class JournalFollower {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #after: Seq;
  /** The last commit that was returned or passed over. */
  #seq: Seq | undefined;
  #reading: Reading | undefined;
  readonly #passedOver: (bad: PassedOver) => void;
  /** Whether the line before was bad and passed over. */
  #followsBadLine = false;

  /**
   * @param directory - absolute path of a journal that has been opened, and so recovered, before
   * @param after - commits up to this seq are passed over unread
   * @param passedOver - told of each bad line among those
   */
  constructor(
    fileSystem: FileSystem,
    directory: string,
    after: Seq,
    passedOver: (bad: PassedOver) => void = () => undefined,
  ) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#after = after;
    this.#passedOver = passedOver;
  }

  /** The last commit that was returned, or `after`. */
  get seq(): Seq {
    return Math.max(this.#seq ?? 0, this.#after) as Seq;
  }

  /**
   * The next commits before `end`, in order; none when all of them have been read.
   *
   * Their changes come without what they replaced, see `decodeRecord`.
   *
   * @param end - what `append` or `position()` of the journal returned
   * @param commitsMax - at most so many; ask again for the rest
   * @throws DamagedJournalError when a line before `end` is bad
   */
  readUpTo(end: JournalPosition, commitsMax: number): Commit[] {
    const commits: Commit[] = [];
    while (commits.length < commitsMax && this.seq < end.seq) {
      const reading = (this.#reading ??= this.#openFirst());
      const line = reading.reader.next(reading.limit);
      if (line === undefined) {
        const limit = reading.name === end.segment ? end.offset : reading.file.size();
        if (limit > reading.limit) reading.limit = limit;
        else this.#leave(reading, end, limit);
      } else if (!reading.begun) this.#takeHeader(reading, line.text);
      else {
        const commit = this.#takeRecord(reading, line);
        if (commit !== undefined) commits.push(commit);
      }
    }
    return commits;
  }

  /** Closes the file that is being read; may be called again. */
  close(): void {
    this.#reading?.file.close();
    this.#reading = undefined;
  }

  #openFirst(): Reading {
    const segment = listSegments(this.#fileSystem, this.#directory).findLast(({ first }) => first <= this.#after + 1);
    const first = segment?.first ?? ((this.#after + 1) as Seq);
    this.#seq = (first - 1) as Seq;
    return this.#open(first);
  }

  #open(first: Seq): Reading {
    const name = segmentName(first);
    const file = this.#fileSystem.open(`${this.#directory}/${name}`, "read");
    return { name, file, reader: new LineReader(file), limit: 0, begun: false };
  }

  /** Goes on from a segment that has been read to its end to the next one. */
  #leave(reading: Reading, end: JournalPosition, limit: number): void {
    const last = this.#seq ?? 0;
    const isTorn = reading.reader.offset < limit && last >= this.#after;
    if (reading.name === end.segment || isTorn || !reading.begun) {
      const reason = `commits up to ${String(end.seq)} were written, but it ends after ${String(last)}`;
      throw new DamagedJournalError(
        { file: `${this.#directory}/${reading.name}`, offset: reading.reader.offset },
        reason,
      );
    }
    const next = this.#open((last + 1) as Seq);
    reading.file.close();
    this.#reading = next;
  }

  #takeHeader(reading: Reading, text: string): void {
    const header = decodeHeader(text);
    const at = { file: `${this.#directory}/${reading.name}`, offset: 0 };
    if (!header.ok) {
      if (header.isForeign) throw new ForeignJournalError({ ...at, directory: this.#directory }, header.damaged);
      if (header.intact || !this.#mayPassOver(text, (this.#seq ?? 0) + 1)) {
        throw new DamagedJournalError(at, header.damaged);
      }
      this.#passedOver({ ...at, lines: 1, reason: header.damaged });
    }
    reading.begun = true;
  }

  /** The commit of a line, or undefined for one to pass over; bad lines among those are passed over as in recovery. */
  #takeRecord(reading: Reading, line: { readonly offset: number; readonly text: string }): Commit | undefined {
    const expected = (this.#seq ?? 0) + 1;
    if (expected <= this.#after && seqOfRecord(line.text) === expected) {
      this.#seq = expected as Seq;
      this.#followsBadLine = false;
      return undefined;
    }
    const at = { file: `${this.#directory}/${reading.name}`, offset: line.offset };
    const record = decodeRecord(line.text);
    if (!record.ok) {
      if (!this.#mayPassOver(line.text, expected)) throw new DamagedJournalError(at, record.damaged);
      this.#passedOver({ ...at, lines: 1, reason: record.damaged });
      this.#followsBadLine = true;
      return undefined;
    }
    const { seq } = record.commit;
    if (seq < expected || (seq > expected && seq > this.#after + 1)) {
      const reason = `commit ${String(seq)} stands where ${String(expected)} was expected`;
      throw new DamagedJournalError(at, reason);
    }
    this.#seq = seq;
    this.#followsBadLine = false;
    return seq > this.#after ? record.commit : undefined;
  }

  #mayPassOver(text: string, expected: number): boolean {
    if (expected > this.#after) return false;
    return !mayHoldLaterCommit(text, { after: this.#after, followsBadLine: this.#followsBadLine });
  }
}
