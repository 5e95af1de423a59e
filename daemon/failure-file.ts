/**
 * The failed requests that the daemon remembers, on the disk: `STATE/failures.log`, of a fork `STATE/forks/NAME.failures.log`.
 *
 * Owns the file: a line of JSON for each failure (`dispatch/failure-log.ts`), appended now and then, and written anew when it
 * has become much longer than what is remembered. That is done in pieces, because the thread that serves does it: a second
 * file, `….new`, grows with each call and takes the place of the first when it has all; meanwhile the first goes on. Nobody was
 * promised anything: what the disk does not take is lost, a line that cannot be read is passed over, and the last seconds may
 * be missing after a sudden death.
 */
import { Buffer } from "node:buffer";
import { failureBytes, type FailedRequest, type NotedFailure } from "./dispatch/failure-log.js";
import { readIfPresent, removeIfPresent, writeParts } from "./history/repository/durable-file.js";
import { isErrno } from "./platform/errno.js";
import type { FileSystem, OpenFile } from "./platform/file-system.js";

/** A file that is longer is written anew. */
const FILE_BYTES_MAX: number = 4 * 1024 * 1024;
/** As long as what is remembered alone is longer than that, so many times its length. */
const GROWTH_MAX = 2;

/** A file that is being written anew. */
interface Rewriting {
  /** What was remembered when it began. */
  readonly failures: readonly FailedRequest[];
  /** How many of them it has. */
  readonly done: number;
  readonly bytes: number;
}

/** The file of failures. */
export class FailureFile {
  readonly #fileSystem: FileSystem;
  /** Absolute. */
  readonly path: string;
  #bytes = 0;
  #bytesMax = FILE_BYTES_MAX;
  #rewriting: Rewriting | undefined;

  constructor(fileSystem: FileSystem, path: string) {
    this.#fileSystem = fileSystem;
    this.path = path;
  }

  /** What an earlier life of the daemon remembered, in the order in which it failed last; nothing where there is no file. */
  read(): FailedRequest[] {
    const content = readIfPresent(this.#fileSystem, this.path);
    const failures: ReadFailure[] = [];
    for (const line of content === undefined ? [] : Buffer.from(content).toString("latin1").split("\n")) {
      const failure = parseLine(line);
      if (failure !== undefined) failures.push(failure);
    }
    this.#bytes = content?.length ?? 0;
    if (failures.every(isNumbered)) return lastLines(failures);
    // An earlier version gave no numbers: what gets them here is written anew with them.
    this.#bytes = Infinity;
    return numbered(failures);
  }

  /**
   * Adds failures, and goes on with a file that is being written anew.
   *
   * @param all - gives all that is remembered, also what is added, for a file that is written anew
   * @param pieceBytesMax - about so much of that is written now, as `failureBytes` reckons
   * @throws what the disk throws; a later call writes the file anew
   */
  append(fresh: readonly FailedRequest[], all: () => readonly FailedRequest[], pieceBytesMax: number): void {
    let rewriting = this.#rewriting;
    if (fresh.length === 0 && rewriting === undefined) return;
    this.#rewriting = undefined;
    const lines = linesOf(fresh);
    if (this.#bytes + lines.length > this.#bytesMax) rewriting ??= { failures: all(), done: 0, bytes: 0 };
    if (this.#bytes !== Infinity) this.#add(lines);
    if (rewriting !== undefined) this.#rewrite(rewriting, lines, pieceBytesMax);
  }

  #add(lines: Buffer): void {
    const start = this.#bytes;
    // Should it fail, nobody knows how the file ends.
    this.#bytes = Infinity;
    this.#write(this.path, lines, start);
    this.#bytes = start + lines.length;
  }

  #rewrite({ failures, done, bytes: start }: Rewriting, fresh: Buffer, pieceBytesMax: number): void {
    const temporary = `${this.path}.new`;
    if (start === 0) removeIfPresent(this.#fileSystem, temporary);
    const piece = failures.slice(done, endOfPiece(failures, done, pieceBytesMax));
    const lines = Buffer.concat([linesOf(piece), fresh]);
    this.#write(temporary, lines, start);
    const written: Rewriting = { failures, done: done + piece.length, bytes: start + lines.length };
    if (written.done < failures.length) {
      this.#rewriting = written;
      return;
    }
    this.#fileSystem.rename(temporary, this.path);
    this.#bytes = written.bytes;
    this.#bytesMax = Math.max(FILE_BYTES_MAX, GROWTH_MAX * written.bytes);
  }

  #write(path: string, lines: Buffer, start: number): void {
    const file = this.#openOrCreate(path);
    try {
      writeParts(file, path, [lines], start);
    } finally {
      file.close();
    }
  }

  #openOrCreate(path: string): OpenFile {
    try {
      return this.#fileSystem.open(path, "write");
    } catch (error) {
      if (isErrno(error, "ENOENT")) return this.#fileSystem.open(path, "create");
      throw error;
    }
  }
}

/** Up to where the failures from a place on are so many bytes; at least one. */
function endOfPiece(failures: readonly FailedRequest[], start: number, bytesMax: number): number {
  let bytes = 0;
  const end = failures.findIndex((failure, index) => index >= start && (bytes += failureBytes(failure)) >= bytesMax);
  return end === -1 ? failures.length : end + 1;
}

function linesOf(failures: readonly FailedRequest[]): Buffer {
  return Buffer.from(failures.map((failure) => `${JSON.stringify(failure)}\n`).join(""), "latin1");
}

/** As earlier versions wrote it. */
type ReadFailure = NotedFailure & Partial<FailedRequest>;

function isNumbered(failure: ReadFailure): failure is FailedRequest {
  return failure.id !== undefined && failure.lastId !== undefined;
}

/** One that was counted again has a line for each count. */
function lastLines(failures: readonly FailedRequest[]): FailedRequest[] {
  const last = new Map<number, FailedRequest>();
  for (const failure of failures) {
    if (failure.lastId >= (last.get(failure.id)?.lastId ?? 0)) last.set(failure.id, failure);
  }
  return [...last.values()].sort((left, right) => left.lastId - right.lastId);
}

/** Where numbers are missing, a failure that was counted again is known by what it was about. */
function numbered(failures: readonly ReadFailure[]): FailedRequest[] {
  const last = new Map<string, NotedFailure>();
  for (const failure of failures) {
    const { time, connection, operation, transaction, subject, error } = failure;
    last.set(JSON.stringify([time, connection, operation, transaction, subject, error]), failure);
  }
  const inOrder = [...last.values()].sort((left, right) => left.lastTime - right.lastTime);
  return inOrder.map((failure, index) => ({ ...failure, id: index + 1, lastId: index + 1 }));
}

const NUMBERS = ["time", "lastTime", "count", "domid", "seq"] as const;
const OPTIONAL_NUMBERS = ["transaction", "id", "lastId"] as const;
const TEXTS = ["connection", "operation", "subject", "error"] as const;

function parseLine(line: string): ReadFailure | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const fields = parsed as Partial<Record<keyof FailedRequest, unknown>>;
  const isWhole =
    NUMBERS.every((name) => Number.isSafeInteger(fields[name])) &&
    TEXTS.every((name) => typeof fields[name] === "string") &&
    OPTIONAL_NUMBERS.every((name) => fields[name] === undefined || Number.isSafeInteger(fields[name])) &&
    (fields.conflict === undefined || isConflict(fields.conflict));
  return isWhole ? (parsed as ReadFailure) : undefined;
}

function isConflict(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { base, operation, path, commit } = value as Partial<Record<string, unknown>>;
  const areNumbers = Number.isSafeInteger(base) && (commit === undefined || Number.isSafeInteger(commit));
  return areNumbers && typeof operation === "string" && typeof path === "string";
}
