/**
 * The files of a request trace, for reading while they are written: FILE, and FILE.1, FILE.2, … from the last one back to the oldest.
 *
 * Owns which files are opened, what tells them apart, whatever they are called by then, and where in one a time begins. They are opened from
 * the newest to the oldest, the way on which they are renamed: so one that is renamed meanwhile is met again, and none is missed. Nothing is
 * read of what came after the opening. It knows no more of lines than their times.
 */
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { isErrno } from "../platform/errno.js";
import type { FileSystem, OpenFile } from "../platform/file-system.js";
import { parseTraceLine } from "../../protocol/request-trace.js";

/** More than any line of ours has: a request with its reply takes up to 48 KiB. */
const PIECE_BYTES: number = 64 * 1024;
/** By so much of its beginning a file is known. It is only appended to. */
const BEGINNING_BYTES_MAX = 4096;
/** So far a line is looked for behind a place; then there is none of ours. */
const LOOK_BYTES_MAX: number = 1024 * 1024;
const NEWLINE = 0x0a;
const DIGEST_DIGITS = 16;

/** A line of a file. */
export interface PlacedTraceLine {
  /** Without its newline. Empty for a piece of what is no line of ours, because it is too long. */
  readonly text: string;
  readonly start: number;
  /** Where the next one begins. */
  readonly end: number;
}

/** A file of a trace, as it was when it was opened. */
export class OpenTraceFile {
  readonly #file: OpenFile;
  readonly size: number;

  constructor(file: OpenFile) {
    this.#file = file;
    this.size = file.size();
  }

  /** The whole lines from a place on; one without a newline is being written. */
  *lines(from: number): Generator<PlacedTraceLine> {
    for (let at = from; at < this.size;) {
      const piece = this.#read(at, PIECE_BYTES);
      let start = 0;
      for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
        yield { text: piece.toString("latin1", start, end), start: at + start, end: at + end + 1 };
        start = end + 1;
      }
      if (start === 0) {
        if (piece.length < PIECE_BYTES) return;
        start = piece.length;
        yield { text: "", start: at, end: at + start };
      }
      at += start;
    }
  }

  /** What the file is known by to who has read so many bytes of it. */
  digest(read: number): string {
    const beginning = this.#read(0, Math.min(read, BEGINNING_BYTES_MAX));
    return createHash("sha256").update(beginning).digest("hex").slice(0, DIGEST_DIGITS);
  }

  /** Whether two are one file. */
  isSame(other: OpenTraceFile): boolean {
    const bytes = Math.min(this.size, other.size);
    return this.digest(bytes) === other.digest(bytes);
  }

  /** When the first line was written; undefined where there is none. */
  firstTime(): number | undefined {
    return this.#timedLine(this.lines(0))?.time;
  }

  /**
   * Where the lines of a time begin, or a little before that, by halving: times are in order but for a clock that was set back, so that it is
   * then the place of one of the lines around.
   */
  placeOf(time: number): number {
    let low = 0;
    let high = this.size;
    // What begins before `low` is older; nothing else needs to be read from a piece on.
    while (high - low > PIECE_BYTES) {
      const middle = low + Math.floor((high - low) / 2);
      const lines = this.lines(middle);
      // The rest of a line, or a whole one.
      lines.next();
      const line = this.#timedLine(lines);
      if (line !== undefined && line.start < high && line.time < time) low = line.start;
      else high = middle;
    }
    return low;
  }

  /** The first line of ours, unless it is far. */
  #timedLine(lines: Iterable<PlacedTraceLine>): { readonly start: number; readonly time: number } | undefined {
    let begin: number | undefined;
    for (const { text, start, end } of lines) {
      const parsed = parseTraceLine(text);
      if (parsed.ok) return { start, time: parsed.line.time };
      begin ??= start;
      if (end - begin > LOOK_BYTES_MAX) return undefined;
    }
    return undefined;
  }

  /** So many bytes, or what there is of them. */
  #read(position: number, bytesMax: number): Buffer {
    const piece = Buffer.allocUnsafe(Math.min(bytesMax, Math.max(0, this.size - position)));
    let filled = 0;
    while (filled < piece.length) {
      const count = this.#file.read(piece.subarray(filled), position + filled);
      // Somebody has cut it.
      if (count <= 0) break;
      filled += count;
    }
    return piece.subarray(0, filled);
  }

  close(): void {
    this.#file.close();
  }
}

/**
 * Opens the files of a trace from the newest back to the first that is enough, and closes them when `use` is done.
 *
 * @param path - absolute, that of FILE
 * @param isEnough - asked about each file that is opened
 * @param use - given the files, the oldest first
 */
export function withTraceFiles<T>(
  fileSystem: FileSystem,
  path: string,
  { isEnough, use }: { isEnough: (file: OpenTraceFile) => boolean; use: (files: readonly OpenTraceFile[]) => T },
): T {
  const opened: OpenTraceFile[] = [];
  try {
    for (const each of pathsOf(fileSystem, path)) {
      const file = openFile(fileSystem, each);
      if (file === undefined) continue;
      const newer = opened.at(-1);
      opened.push(file);
      // It was renamed after it had been opened.
      if (newer?.isSame(file) === true) {
        opened.pop();
        file.close();
      } else if (isEnough(file)) break;
    }
    return use(opened.toReversed());
  } finally {
    for (const file of opened) file.close();
  }
}

/** The newest first, each also by the name that it has once it is renamed. */
function pathsOf(fileSystem: FileSystem, path: string): string[] {
  const prefix = `${basename(path)}.`;
  const numbers = new Set([1]);
  for (const name of fileSystem.list(dirname(path))) {
    const digits = name.startsWith(prefix) ? name.slice(prefix.length) : "";
    if (/^[1-9][0-9]{0,3}$/.test(digits)) numbers.add(Number(digits)).add(Number(digits) + 1);
  }
  const sorted = [...numbers].sort((left, right) => left - right);
  return [path, ...sorted.map((number) => join(dirname(path), `${prefix}${String(number)}`))];
}

/** Undefined where there is no such file, or no whole line in it yet. */
function openFile(fileSystem: FileSystem, path: string): OpenTraceFile | undefined {
  // Whoever opens a pipe waits for its writer.
  if (!fileSystem.isRegularFile(path)) return undefined;
  let file: OpenTraceFile;
  try {
    file = new OpenTraceFile(fileSystem.open(path, "read"));
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
  if (file.lines(0).next().done !== true) return file;
  file.close();
  return undefined;
}
