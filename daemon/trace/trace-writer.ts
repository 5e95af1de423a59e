/**
 * Makes lines of records and hands them to the trace's files.
 *
 * Owns where a file is full and the next one begins, and the seq that its header tells. `protocol/request-trace.ts` is the
 * format.
 *
 * Invariants (tests cite them):
 *  1. Each part that the file is given has the seq of the last commit before it, so that headers tell the truth.
 *  2. Lines reach the file in the order of their records, a gap where one was recorded, and as soon as they are taken.
 */
import { AsciiBuffer } from "../../protocol/ascii-buffer.js";
import type { Seq } from "../../protocol/identifiers.js";
import { writeTraceLine } from "../../protocol/request-trace.js";
import { readTraceRecords, type TraceRecord } from "./trace-record.js";
import type { TraceFile } from "./trace-file.js";

/** Most bytes of lines that are made before they are written. */
const PART_BYTES_MAX = 1024 * 1024;

/** Writes a trace. */
export class TraceWriter {
  readonly #file: TraceFile;
  readonly #lines = new AsciiBuffer();
  /** The last commit before the next line. */
  #seq: Seq;
  /** The last commit before the first of the lines that are made and not written. */
  #partSeq: Seq;
  #partBytesMax = 0;

  /** @param seq - of the last commit */
  constructor(file: TraceFile, seq: Seq) {
    this.#file = file;
    this.#seq = this.#partSeq = seq;
    file.append(new Uint8Array(0), seq);
    this.#beginPart();
  }

  /** Writes the lines of a segment. @param length - bytes of records in it */
  take(memory: SharedArrayBuffer, length: number): void {
    readTraceRecords(memory, length, (record) => {
      this.#add(record);
    });
    this.#flush();
  }

  /** Goes on in a new file, after somebody renamed the one at hand. */
  reopen(): void {
    this.#file.reopen(this.#seq);
    this.#beginPart();
  }

  /** Closes the file. @param dropped - lines that are missing behind the last */
  close(dropped: number): void {
    this.#file.noteDropped(dropped);
    this.#file.close();
  }

  #add(record: TraceRecord): void {
    if (record.kind === "gap") {
      this.#flush();
      this.#file.noteDropped(record.dropped);
      return;
    }
    const { length: start } = this.#lines;
    writeTraceLine(this.#lines, record);
    if (this.#lines.length > this.#partBytesMax && start > 0) this.#flushBefore(start);
    if (record.kind === "request" && record.seq !== undefined) this.#seq = record.seq;
  }

  #flush(): void {
    if (this.#lines.length === 0) return;
    this.#file.append(this.#lines.bytes, this.#partSeq);
    this.#lines.clear();
    this.#beginPart();
  }

  /** Writes all lines but the last, which begins at `start` and goes to another file. */
  #flushBefore(start: number): void {
    const { bytes } = this.#lines;
    this.#file.append(bytes.subarray(0, start), this.#partSeq);
    const last = bytes.toString("latin1", start);
    this.#lines.clear();
    this.#lines.ascii(last);
    this.#beginPart();
  }

  /** What is made from here on has the last commit before it, and as much room as the file. */
  #beginPart(): void {
    this.#partSeq = this.#seq;
    this.#partBytesMax = Math.min(PART_BYTES_MAX, this.#file.roomBytes);
  }
}
