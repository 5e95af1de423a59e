/**
 * The files of a request trace: FILE, and FILE.1, FILE.2, … from the last one back to the oldest.
 *
 * Owns appending, changing files by size, and what happens when the disk does not do what it should. It looks at lines only
 * to find where they end. A trace is not worth a client's wait or the daemon's life: nothing is synced, nothing is thrown
 * once it is open, and what cannot be written is dropped and counted. Nobody locks the file: two daemons have two.
 *
 * Invariants (tests cite them):
 *  1. No file becomes larger than `bytesMax`, and there are at most `filesMax`. (Files beyond that, of an earlier run that
 *     was allowed more, stay.)
 *  2. Every file that was begun here begins with a header, and every line but those that a kill or a full disk cut short is
 *     whole: what follows a torn one begins on a new line.
 *  3. A header comes before whatever does not follow what is before it in the file: at a start, in a new file, after a
 *     truncation by somebody else.
 *  4. What was dropped is told in a gap line as soon as something can be written again, exactly where it is missing.
 *  5. After an error nothing is tried for `RETRY_MILLISECONDS`.
 *
 *   open ──► writing ──an error──► failing ──it works again──► writing
 *              └──close──► closed ◄──close──┘
 */
import type { Clock } from "../platform/clock.js";
import { messageOf } from "../platform/error-message.js";
import type { FileSystem, OpenFile } from "../platform/file-system.js";
import type { RateLimitedLog } from "../platform/log.js";
import type { Microseconds, Seq } from "../../protocol/identifiers.js";
import { AsciiBuffer } from "../../protocol/ascii-buffer.js";
import { TRACE_FRAME_BYTES_MAX, writeTraceLine, type TraceLine } from "../../protocol/request-trace.js";

/** How long nothing is tried after an error. */
export const RETRY_MILLISECONDS = 1000;

const NEWLINE = 0x0a;
/** Bytes that a header, a gap and the end of a torn line may take in a file. */
const FRAMES_BYTES_MAX: number = 2 * TRACE_FRAME_BYTES_MAX + 1;
/** What is wrong with the disk and not with what the operator asked for: the daemon starts all the same. */
const DISK_ERRORS: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "EIO", "EROFS"]);

/** What a trace file works with. */
export interface TraceFileOptions {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly log: RateLimitedLog;
  /** Absolute path of FILE; its directory must be there. */
  readonly path: string;
  /** Most bytes of one file. */
  readonly bytesMax: number;
  /** Most files, FILE included. */
  readonly filesMax: number;
  /** The daemon's version, for headers. */
  readonly daemon: string;
}

/** The files of one trace. */
export class TraceFile {
  readonly #options: TraceFileOptions;
  readonly #started: Microseconds;
  readonly #frames = new AsciiBuffer();
  #file: OpenFile | undefined;
  /** Bytes in the file, as far as they are known. */
  #bytes = 0;
  /** Whether the file ends within a line. */
  #isTorn = false;
  #needsHeader = true;
  /** Whether FILE is full and could not be moved away yet. */
  #mustRotate = false;
  /** Lines that were dropped and that no gap has told yet. */
  #dropped = 0;
  #isFailing = false;
  #retryMilliseconds = -Infinity;
  #isClosed = false;

  /**
   * Opens FILE; what is appended goes behind what is in it.
   *
   * @throws an error for people when FILE cannot be opened; but a disk that is full or broken is no reason not to start
   */
  constructor(options: TraceFileOptions) {
    this.#options = options;
    this.#started = options.clock.nowMicroseconds() as Microseconds;
    try {
      this.#open();
    } catch (error) {
      if (!DISK_ERRORS.has(codeOf(error))) {
        throw new Error(`the trace file ${options.path} cannot be opened: ${messageOf(error)}`, { cause: error });
      }
      this.#fail(error);
    }
  }

  /** Bytes of lines that a new file has room for. */
  get newRoomBytes(): number {
    return this.#options.bytesMax - FRAMES_BYTES_MAX;
  }

  /** Bytes of lines that the file at hand has room for. */
  get roomBytes(): number {
    return this.#file === undefined ? this.newRoomBytes : Math.max(0, this.newRoomBytes - this.#bytes);
  }

  /**
   * Appends lines; changes files before that if they do not fit any more.
   *
   * @param lines - whole ones, at most what a new file has room for; none of them to have the header written at least
   * @param seq - of the last commit before them
   */
  append(lines: Uint8Array, seq: Seq): void {
    if (this.#isClosed) return;
    if (this.#options.clock.monotonicMilliseconds() < this.#retryMilliseconds) {
      this.#dropped += countLines(lines);
      return;
    }
    let rest = lines;
    try {
      this.#prepare(lines.length, seq);
      while (rest.length > 0) rest = rest.subarray(this.#writeSome(rest));
      this.#isFailing = false;
    } catch (error) {
      this.#dropped += countLines(rest);
      this.#fail(error);
    }
  }

  /** Counts lines that did not come so far, which are missing behind the last that was appended. */
  noteDropped(count: number): void {
    this.#dropped += count;
  }

  /** Opens FILE anew, after somebody renamed it; then what follows goes there. */
  reopen(seq: Seq): void {
    if (this.#isClosed) return;
    this.#release();
    this.#retryMilliseconds = -Infinity;
    this.append(new Uint8Array(0), seq);
  }

  /** Ends it, and tells the log what was dropped at last; may be called again. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#release();
    if (this.#dropped > 0) this.#log("warn", "end", `${String(this.#dropped)} lines at its end could not be written`);
  }

  /** Has a file open that has room for so many bytes, with all that stands before them. */
  #prepare(length: number, seq: Seq): void {
    this.#look();
    if (this.#file === undefined && !this.#mustRotate) this.#open();
    if (this.#bytes > 0 && this.#bytes + length > this.newRoomBytes) this.#mustRotate = true;
    if (this.#mustRotate) this.#rotate();
    this.#writeFrames(seq);
  }

  /** Notices what others did to the file. */
  #look(): void {
    if (this.#file === undefined) return;
    if (!this.#options.fileSystem.exists(this.#options.path)) {
      this.#log("warn", "gone", "it was renamed or removed, and is begun anew");
      this.#release();
      return;
    }
    const size = this.#file.size();
    if (size < this.#bytes) this.#needsHeader = true;
    if (size !== this.#bytes) this.#goToEnd(this.#file, size);
  }

  /** What is appended goes to the end that the file has, wherever it was when we knew it last. */
  #goToEnd(file: OpenFile, size: number): void {
    const last = new Uint8Array(1);
    this.#isTorn = size > 0 && (file.read(last, size - 1) === 0 || last[0] !== NEWLINE);
    this.#bytes = size;
  }

  /** Writes what must stand before the next line. */
  #writeFrames(seq: Seq): void {
    if (this.#isTorn) this.#write(new Uint8Array([NEWLINE]));
    if (!this.#needsHeader && this.#dropped === 0) return;
    const { clock, daemon } = this.#options;
    const time = clock.nowMicroseconds() as Microseconds;
    if (this.#needsHeader) {
      this.#writeFrame({ kind: "header", daemon, started: this.#started, time, seq });
      this.#needsHeader = false;
    }
    if (this.#dropped === 0) return;
    this.#writeFrame({ kind: "gap", time, dropped: this.#dropped });
    if (this.#isFailing)
      this.#log("info", "recovered", `it is written again; ${String(this.#dropped)} lines are missing`);
    this.#dropped = 0;
  }

  #writeFrame(line: TraceLine): void {
    this.#frames.clear();
    writeTraceLine(this.#frames, line);
    this.#write(this.#frames.bytes);
  }

  #write(data: Uint8Array): void {
    for (let rest = data; rest.length > 0;) rest = rest.subarray(this.#writeSome(rest));
  }

  /** Writes some bytes at least; returns how many. */
  #writeSome(data: Uint8Array): number {
    const count = this.#file?.write(data, this.#bytes) ?? 0;
    if (count === 0) throw new Error("it takes no more bytes");
    this.#bytes += count;
    this.#isTorn = data[count - 1] !== NEWLINE;
    return count;
  }

  #open(): void {
    const { fileSystem, path } = this.#options;
    const isThere = fileSystem.exists(path);
    // A pipe would block, and neither it nor a device can be renamed when it is full.
    if (isThere && !fileSystem.isRegularFile(path)) throw new Error("it is no regular file, which a trace must be");
    const file = fileSystem.open(path, isThere ? "write" : "create");
    this.#file = file;
    this.#needsHeader = true;
    this.#goToEnd(file, file.size());
  }

  /** Moves each file one on and begins FILE anew. Where that fails midway it goes on from there the next time. */
  #rotate(): void {
    const { fileSystem, path, filesMax } = this.#options;
    this.#release();
    for (let number = filesMax - 1; number > 0; number--) {
      const from = number === 1 ? path : `${path}.${String(number - 1)}`;
      if (fileSystem.exists(from)) fileSystem.rename(from, `${path}.${String(number)}`);
    }
    if (filesMax === 1 && fileSystem.exists(path)) fileSystem.remove(path);
    this.#mustRotate = false;
    this.#open();
  }

  #release(): void {
    const file = this.#file;
    this.#file = undefined;
    this.#bytes = 0;
    this.#needsHeader = true;
    try {
      file?.close();
    } catch (error) {
      this.#log("warn", "close", `its close failed, so that its last lines may be missing: ${messageOf(error)}`);
    }
  }

  #fail(error: unknown): void {
    this.#retryMilliseconds = this.#options.clock.monotonicMilliseconds() + RETRY_MILLISECONDS;
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#log("error", "failed", `it cannot be written, and lines are dropped until it can: ${messageOf(error)}`);
  }

  #log(level: "error" | "warn" | "info", kind: string, what: string): void {
    this.#options.log.log(level, `trace ${kind}`, `the request trace ${this.#options.path}: ${what}`);
  }
}

function countLines(lines: Uint8Array): number {
  let count = 0;
  for (let at = lines.indexOf(NEWLINE); at >= 0; at = lines.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
