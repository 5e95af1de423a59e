/**
 * What the daemon knows of its forks beside their commits: `STATE/forks/NAME.json`, one for each.
 *
 * Owns the format. A note is there before its fork's ref is and after it is gone, so that a start finds whatever a crash left
 * half made or half deleted. A branch without a note is somebody's own: the daemon leaves it alone. Notes are replaced by
 * rename, and durable when a call returns.
 *
 *     {"format":"xenstore-tng fork","version":1,"base":"4f1c…","baseSeq":17,"merge":{"tip":"09ab…","seq":41}}
 *
 * `merge` is the last merge into main: the commit that was merged, and the seq of main's commit that did it. Before one is
 * made, `"pending":{"tip":"77c0…","after":53}` is written: the commit that is merged, and main's newest commit at that time.
 * Who finds it there later looks whether main has that merge.
 *
 * The note of a fork that is being deleted is `NAME.deleted`: on a full disk a file can be renamed, and none written.
 */
import { isErrno } from "./platform/errno.js";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import type { Seq } from "../protocol/identifiers.js";
import { readIfPresent, removeIfPresent, listIfPresent, writeDurableFile } from "./history/repository/durable-file.js";
import type { FileSystem } from "./platform/file-system.js";

/** One fork. */
export interface ForkNote {
  readonly name: string;
  /** The commit that it began with, 40 hexadecimal digits. */
  readonly base: string;
  readonly baseSeq: Seq;
  /** The last merge; the commit that was merged is 40 hexadecimal digits. */
  readonly merge?: { readonly tip: string; readonly seq: number } | undefined;
  /** A merge that was begun. */
  readonly pending?: { readonly tip: string; readonly after: number } | undefined;
  /** Whether it is being deleted: nobody is to see it again. */
  readonly isDeleted: boolean;
}

const FORMAT = "xenstore-tng fork";
const VERSION = 1;
const SUFFIX = ".json";
const DELETED_SUFFIX = ".deleted";
const OID = /^[0-9a-f]{40}$/;

/** Where the failed requests of a fork are remembered. */
export function forkFailuresFile(stateDirectory: string, name: string): string {
  return join(directoryOf(stateDirectory), `${name}.failures.log`);
}

/** The names of all forks, sorted. */
export function listForkNotes(fileSystem: FileSystem, stateDirectory: string): string[] {
  const names = listIfPresent(fileSystem, directoryOf(stateDirectory)).flatMap((name) => {
    const suffix = [SUFFIX, DELETED_SUFFIX].find((each) => name.endsWith(each));
    return suffix === undefined ? [] : [name.slice(0, -suffix.length)];
  });
  return [...new Set(names)].sort();
}

/** The base in the note of a fork of which nothing is known. */
export const UNKNOWN_BASE: string = "0".repeat(40);

/** Of a fork whose note cannot be read; it can be deleted all the same. */
export function unknownNote(name: string): ForkNote {
  return { name, base: UNKNOWN_BASE, baseSeq: 0 as Seq, isDeleted: false };
}

/** Reads a note; one of a fork that is being deleted may be damaged. @throws an error for people when it is damaged, or of another version */
export function readForkNote(fileSystem: FileSystem, stateDirectory: string, name: string): ForkNote | undefined {
  const path = fileOf(stateDirectory, name);
  const live = readIfPresent(fileSystem, path);
  const content = live ?? readIfPresent(fileSystem, deletedFileOf(stateDirectory, name));
  if (content === undefined) return undefined;
  const note = parseNote(name, Buffer.from(content).toString("latin1"));
  // Whatever it was, it goes.
  if (live === undefined) return { ...(note ?? unknownNote(name)), isDeleted: true };
  if (note !== undefined) return note;
  throw new Error(`${path} is not the note of a fork that this version reads: mend it, or delete the fork`);
}

/** Writes a note, durably. */
export function writeForkNote(fileSystem: FileSystem, stateDirectory: string, note: ForkNote): void {
  const { name, base, baseSeq, merge, pending, isDeleted } = note;
  const directory = directoryOf(stateDirectory);
  const path = fileOf(stateDirectory, name);
  const temporary = `${path}.new`;
  const told = { base, baseSeq, merge, pending, isDeleted: isDeleted ? true : undefined };
  const text = JSON.stringify({ format: FORMAT, version: VERSION, ...told });
  fileSystem.makeDirectory(directory);
  fileSystem.syncDirectory(stateDirectory);
  removeIfPresent(fileSystem, temporary);
  writeDurableFile(fileSystem, temporary, [Buffer.from(`${text}\n`, "latin1")]);
  fileSystem.rename(temporary, path);
  fileSystem.syncDirectory(directory);
}

/** Notes that a fork is being deleted, durably; a note that is there is not looked at, so it may be damaged. */
export function noteForkDeletion(fileSystem: FileSystem, stateDirectory: string, note: ForkNote): void {
  try {
    fileSystem.rename(fileOf(stateDirectory, note.name), deletedFileOf(stateDirectory, note.name));
    fileSystem.syncDirectory(directoryOf(stateDirectory));
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
    // Somebody has removed it, or it was renamed by an attempt before this one.
    if (readIfPresent(fileSystem, deletedFileOf(stateDirectory, note.name)) !== undefined) {
      fileSystem.syncDirectory(directoryOf(stateDirectory));
      return;
    }
    writeForkNote(fileSystem, stateDirectory, { ...note, isDeleted: true });
  }
}

/** Removes a note, and what else is kept of the fork beside it; durable when it returns. */
export function removeForkNote(fileSystem: FileSystem, stateDirectory: string, name: string): void {
  const failures = forkFailuresFile(stateDirectory, name);
  for (const path of [failures, `${failures}.new`]) removeIfPresent(fileSystem, path);
  removeIfPresent(fileSystem, `${fileOf(stateDirectory, name)}.new`);
  const files = [fileOf(stateDirectory, name), deletedFileOf(stateDirectory, name)];
  if (files.filter((file) => removeIfPresent(fileSystem, file)).length > 0) {
    fileSystem.syncDirectory(directoryOf(stateDirectory));
  }
}

function directoryOf(stateDirectory: string): string {
  return join(stateDirectory, "forks");
}

function fileOf(stateDirectory: string, name: string): string {
  return join(directoryOf(stateDirectory), name + SUFFIX);
}

function deletedFileOf(stateDirectory: string, name: string): string {
  return join(directoryOf(stateDirectory), name + DELETED_SUFFIX);
}

function parseNote(name: string, text: string): ForkNote | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof fields !== "object" || fields === null) return undefined;
  const { format, version, base, baseSeq, merge, pending, isDeleted } = fields as Readonly<Record<string, unknown>>;
  if (format !== FORMAT || version !== VERSION || !isOid(base) || !isSeq(baseSeq)) return undefined;
  const [made, begun] = [parseMerge(merge, "seq"), parseMerge(pending, "after")];
  if (made === null || begun === null) return undefined;
  return { name, base, baseSeq, merge: made, pending: begun, isDeleted: isDeleted === true };
}

type Merge<Key extends string> = { readonly tip: string } & Readonly<Record<Key, number>>;

/** Undefined for none, null for what is none. */
function parseMerge<Key extends string>(value: unknown, key: Key): Merge<Key> | undefined | null {
  if (value === undefined) return undefined;
  if (typeof value !== "object" || value === null) return null;
  const { tip, [key]: seq } = value as Readonly<Record<string, unknown>>;
  return isOid(tip) && isSeq(seq) ? ({ tip, [key]: seq } as Merge<Key>) : null;
}

function isOid(value: unknown): value is string {
  return typeof value === "string" && OID.test(value);
}

function isSeq(value: unknown): value is Seq {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
