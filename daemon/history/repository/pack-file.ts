/**
 * Packs as files: how a new pack comes into a repository, and what a crash leaves of it.
 *
 * Owns the order of writes, renames and syncs. It never looks inside a pack, and never touches a ref: the caller moves
 * the ref between `placePack` and `removeKeep`.
 *
 *   placePack      1 write and fsync incoming-X.pack-part and incoming-X.idx-part
 *                  2 write and fsync incoming-X.keep-part, rename to pack-X.keep
 *                  3 rename to pack-X.pack
 *                  4 rename to pack-X.idx          from here on Git and we see the pack
 *                  5 fsync the directory
 *   the caller     6 moves the ref (RefStore.update)
 *   removeKeep     7 remove pack-X.keep
 *
 * Invariants
 *  1. Git sees a pack only when it is whole: it looks for `*.idx` that has a `*.pack` beside it, and the index is renamed
 *     last. Temporary names end in neither, and do not begin with `tmp_` either: `git prune --expire=now` removes those.
 *  2. From the moment that Git sees the pack until a ref reaches its objects, `pack-X.keep` exists. Without it a
 *     `git repack -a -d` in between would delete the pack, because nothing in it is reachable yet.
 *  3. What a crash leaves is told apart by name and by marker: `incoming-*` is never anything but a torn write, and a
 *     `.keep` is ours only when it holds our marker. A person's `.keep` is never removed.
 *  4. A pack's name is a hash of its content, so placing a pack again (the recorder seals the same commits after a crash)
 *     replaces a file by an equal one.
 */
import { Buffer } from "node:buffer";
import type { FileSystem } from "../../platform/file-system.js";
import { listIfPresent, readIfPresent, removeIfPresent, writeDurableFile } from "./durable-file.js";

/** What `placePack` writes. */
export interface NewPack {
  /** The pack, whole or in parts that follow each other. */
  readonly pack: Uint8Array | readonly Uint8Array[];
  /** The index, version 2. */
  readonly index: Uint8Array | readonly Uint8Array[];
  /** The pack's own checksum in hexadecimal (40 digits): the X of `pack-X.pack`. */
  readonly name: string;
}

const KEEP_MARKER = "xenstore-tng: a pack whose commits no ref reaches yet\n";
const TEMPORARY_PREFIX = "incoming-";
const PACK_NAME = /^[0-9a-f]{40}$/;
const KEEP_FILE = /^pack-([0-9a-f]{40})\.keep$/;

/** Where the packs of a repository are. */
export function packDirectory(repositoryDirectory: string): string {
  return `${repositoryDirectory}/objects/pack`;
}

function asParts(data: Uint8Array | readonly Uint8Array[]): readonly Uint8Array[] {
  return data instanceof Uint8Array ? [data] : data;
}

/**
 * Makes `path` with our marker, whole from its first moment (else a crash would leave an empty one, which we could not
 * tell from a person's `touch`). A person, or an earlier attempt of ours, may have kept this very pack: that serves too.
 */
function createKeep(fileSystem: FileSystem, paths: { readonly temporary: string; readonly keep: string }): void {
  if (fileSystem.exists(paths.keep)) return;
  writeDurableFile(fileSystem, paths.temporary, [Buffer.from(KEEP_MARKER, "latin1")]);
  fileSystem.rename(paths.temporary, paths.keep);
}

/** A pack that stands, whole and synced, under temporary names in the pack directory (step 1 is done). */
export interface WrittenPack {
  /** The pack's own checksum in hexadecimal. */
  readonly name: string;
  /** Paths that `temporaryPackPath` and `temporaryIndexPath` gave. */
  readonly temporaryPack: string;
  readonly temporaryIndex: string;
}

/** Where a pack is written before it is placed; `label` tells it from others that are being written. */
export function temporaryPackPath(repositoryDirectory: string, label: string): string {
  return `${packDirectory(repositoryDirectory)}/${TEMPORARY_PREFIX}${label}.pack-part`;
}

/** Where the index of such a pack is written. */
export function temporaryIndexPath(repositoryDirectory: string, label: string): string {
  return `${packDirectory(repositoryDirectory)}/${TEMPORARY_PREFIX}${label}.idx-part`;
}

/**
 * Puts a pack and its index into the repository (steps 1 to 5); Git sees both or neither.
 *
 * When it returns, both are durable and protected by `pack-X.keep` until `removeKeep`. When it throws (the disk is full,
 * say), no temporary file is left, and either nothing or the whole pack is visible; calling it again is right.
 */
export function placePack(fileSystem: FileSystem, repositoryDirectory: string, newPack: NewPack): void {
  checkPackName(newPack.name);
  const temporaryPack = temporaryPackPath(repositoryDirectory, newPack.name);
  const temporaryIndex = temporaryIndexPath(repositoryDirectory, newPack.name);
  const temporaries = [temporaryPack, temporaryIndex];
  for (const path of temporaries) removeIfPresent(fileSystem, path);
  try {
    writeDurableFile(fileSystem, temporaryPack, asParts(newPack.pack));
    writeDurableFile(fileSystem, temporaryIndex, asParts(newPack.index));
  } catch (error) {
    cleanUpQuietly(fileSystem, temporaries);
    throw error;
  }
  placeWrittenPack(fileSystem, repositoryDirectory, { name: newPack.name, temporaryPack, temporaryIndex });
}

/**
 * Puts a pack that is already in temporary files into the repository (steps 2 to 5), with the promises of `placePack`;
 * after an error it cannot be called again, because the temporary files are gone.
 */
export function placeWrittenPack(fileSystem: FileSystem, repositoryDirectory: string, written: WrittenPack): void {
  checkPackName(written.name);
  const directory = packDirectory(repositoryDirectory);
  const temporaryKeep = `${directory}/${TEMPORARY_PREFIX}${written.name}.keep-part`;
  const final = `${directory}/pack-${written.name}`;
  try {
    removeIfPresent(fileSystem, temporaryKeep);
    createKeep(fileSystem, { temporary: temporaryKeep, keep: `${final}.keep` });
    fileSystem.rename(written.temporaryPack, `${final}.pack`);
    fileSystem.rename(written.temporaryIndex, `${final}.idx`);
    fileSystem.syncDirectory(directory);
  } catch (error) {
    cleanUpQuietly(fileSystem, [written.temporaryPack, written.temporaryIndex, temporaryKeep]);
    throw error;
  }
}

/** Removes the temporary files of a pack that is not to be placed; never throws: the next start comes back to them. */
export function discardWrittenPack(fileSystem: FileSystem, written: Omit<WrittenPack, "name">): void {
  cleanUpQuietly(fileSystem, [written.temporaryPack, written.temporaryIndex]);
}

function checkPackName(name: string): void {
  if (!PACK_NAME.test(name)) throw new RangeError(`a pack's name is 40 hexadecimal digits, not ${name}`);
}

/** The error that brought us here is the one to report; what cannot be removed now is removed at the next start. */
function cleanUpQuietly(fileSystem: FileSystem, paths: readonly string[]): void {
  for (const path of paths) {
    try {
      removeIfPresent(fileSystem, path);
    } catch {
      // removeTemporaryFiles comes back to it
    }
  }
}

function isOurKeep(fileSystem: FileSystem, path: string): boolean {
  const content = readIfPresent(fileSystem, path);
  if (content === undefined) return false;
  return Buffer.from(content).toString("latin1") === KEEP_MARKER;
}

/**
 * Takes the protection from a pack that a ref reaches now (step 7). A missing `.keep` or a person's own is left alone.
 *
 * Not synced: a `.keep` that comes back after a power cut is removed at start.
 *
 * @param name - the pack's checksum in hexadecimal
 */
export function removeKeep(fileSystem: FileSystem, repositoryDirectory: string, name: string): void {
  const path = `${packDirectory(repositoryDirectory)}/pack-${name}.keep`;
  if (isOurKeep(fileSystem, path)) removeIfPresent(fileSystem, path);
}

/**
 * Removes every `.keep` that a crash of ours left, at start, before anything is placed; returns the names of the packs.
 *
 * A half-placed pack (step 3 or 4 is missing) goes with it: nobody has seen it, and neither Git nor we would ever use or
 * remove it. A whole pack stays; Git may drop it later if no ref reaches its objects, which the journal still has.
 */
export function removeStaleKeeps(fileSystem: FileSystem, repositoryDirectory: string): string[] {
  const directory = packDirectory(repositoryDirectory);
  const names = listIfPresent(fileSystem, directory);
  const present = new Set(names);
  const removed: string[] = [];
  for (const name of names) {
    const digits = KEEP_FILE.exec(name)?.[1];
    if (digits === undefined || !isOurKeep(fileSystem, `${directory}/${name}`)) continue;
    const pack = `pack-${digits}.pack`;
    const index = `pack-${digits}.idx`;
    if (!present.has(pack) || !present.has(index)) {
      // The index first: an index without a pack is skipped by Git, yet it is the name that Git looks for.
      removeIfPresent(fileSystem, `${directory}/${index}`);
      removeIfPresent(fileSystem, `${directory}/${pack}`);
    }
    removeIfPresent(fileSystem, `${directory}/${name}`);
    removed.push(digits);
  }
  if (removed.length > 0) fileSystem.syncDirectory(directory);
  return removed;
}

/** Removes what torn writes of ours left in the pack directory, at start; returns the file names. */
export function removeTemporaryFiles(fileSystem: FileSystem, repositoryDirectory: string): string[] {
  const directory = packDirectory(repositoryDirectory);
  const removed = listIfPresent(fileSystem, directory).filter((name) => name.startsWith(TEMPORARY_PREFIX));
  for (const name of removed) removeIfPresent(fileSystem, `${directory}/${name}`);
  if (removed.length > 0) fileSystem.syncDirectory(directory);
  return removed;
}
