/**
 * The failed requests that the daemon remembers, on the disk: `STATE/failures.log`, of a fork `STATE/forks/NAME.failures.log`.
 *
 * Owns the file: a line of JSON for each failure (`dispatch/failure-log.ts`), appended now and then, and written anew when it
 * has become much longer than what is remembered. Nobody was promised anything: what the disk does not take is lost, a line
 * that cannot be read is passed over, and the last second may be missing after a sudden death.
 */
import { Buffer } from "node:buffer";
import type { FailedRequest, NotedFailure } from "./dispatch/failure-log.js";
import { isErrno, readIfPresent, writeParts } from "./history/repository/durable-file.js";
import type { FileSystem } from "./platform/file-system.js";

/** A file that is longer is written anew. */
const FILE_BYTES_MAX: number = 4 * 1024 * 1024;
/** As long as what is remembered alone is longer than that, so many times its length. */
const GROWTH_MAX = 2;

/** The file of failures. */
export class FailureFile {
  readonly #fileSystem: FileSystem;
  /** Absolute. */
  readonly path: string;
  #bytes = 0;
  #bytesMax = FILE_BYTES_MAX;

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
   * Adds failures.
   *
   * @param all - gives all that is remembered, for a file that is written anew
   * @throws what the disk throws; the next call writes the file anew
   */
  append(fresh: readonly FailedRequest[], all: () => readonly FailedRequest[]): void {
    if (fresh.length === 0) return;
    const lines = linesOf(fresh);
    if (this.#bytes + lines.length > this.#bytesMax) {
      this.#replace(linesOf(all()));
      return;
    }
    const start = this.#bytes;
    // Should it fail, nobody knows how the file ends.
    this.#bytes = Infinity;
    const file = this.#open();
    try {
      writeParts(file, this.path, [lines], start);
    } finally {
      file.close();
    }
    this.#bytes = start + lines.length;
  }

  #open(): ReturnType<FileSystem["open"]> {
    try {
      return this.#fileSystem.open(this.path, "write");
    } catch (error) {
      if (isErrno(error, "ENOENT")) return this.#fileSystem.open(this.path, "create");
      throw error;
    }
  }

  #replace(lines: Buffer): void {
    const temporary = `${this.path}.new`;
    if (this.#fileSystem.exists(temporary)) this.#fileSystem.remove(temporary);
    const file = this.#fileSystem.open(temporary, "create");
    try {
      writeParts(file, temporary, [lines]);
    } finally {
      file.close();
    }
    this.#fileSystem.rename(temporary, this.path);
    this.#bytes = lines.length;
    this.#bytesMax = Math.max(FILE_BYTES_MAX, GROWTH_MAX * lines.length);
  }
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
