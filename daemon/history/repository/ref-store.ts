/**
 * Refs: the names of commits, as files of the repository.
 *
 * Owns reading refs (loose, packed, symbolic) and the one way in which this project writes and deletes them. It never
 * writes a reflog, writes `packed-refs` only to delete a ref, and never asks whether the object that a ref names exists: the
 * caller has put the pack in place first (pack-file.ts). Source: gitrepository-layout(5), git-check-ref-format(1), Git's
 * lockfile.h and refs/files-backend.c.
 *
 * Calling sequence of a writer:
 *
 *   const refs = new RefStore(fileSystem, repositoryDirectory);
 *   refs.removeStaleLocks(["refs/heads/main"]);          // once, at start, for the refs that this process alone writes
 *   let tip = refs.read("refs/heads/main");              // undefined in a new repository
 *   placePack(…);
 *   refs.update("refs/heads/main", { expected: tip, to: oid });
 *   removeKeep(…);
 *
 * `update`: 1 create NAME.lock exclusively   → RefLockedError when somebody holds it
 *           2 read NAME                      → RefMovedError when it is not `expected`; the lock is taken back
 *           3 write the oid to the lock, fsync
 *           4 rename the lock to NAME        from here on everybody sees the new value
 *           5 fsync the directory            the new value outlives a power cut
 *
 * `delete`: 1 create NAME.lock exclusively, write "delete" to it, fsync   → RefLockedError when somebody holds it
 *           2 create packed-refs.lock exclusively                         → RefLockedError; NAME.lock is taken back
 *           3 read NAME                                                   → RefMovedError; both locks are taken back
 *           4 where packed-refs lists NAME: write packed-refs.new without it, fsync, rename it to packed-refs
 *           5 fsync the repository                                        no old value can come back
 *           6 remove NAME, fsync its directory                            from here on everybody sees it gone
 *           7 remove its reflog
 *           8 remove packed-refs.lock, fsync the repository; remove NAME.lock
 *
 * Invariants
 *  1. A ref's file is replaced by rename alone, so that a reader sees the old value or the new one.
 *  2. Between 1 and 4 nobody else writes the ref: Git takes the same lock, also when `git pack-refs` (in `git gc`) moves
 *     a loose ref to `packed-refs` and removes its file. A loose ref therefore outranks a packed one.
 *  3. When `update` throws before 4, the ref is unchanged and the lock is gone. An error of 5 (the disk is failing)
 *     leaves the ref moved: read it again, and `sync` it.
 *  4. Whatever cuts a deletion short, the ref has its last value or none: a packed value, which may be an older one, goes
 *     before the loose one that hides it, and durably. `git pack-refs` cannot put the ref back in between, because
 *     packed-refs.lock is held to the end, also where packed-refs is left as it is. Git does the same.
 *  5. A deletion can be repeated until it returns: each of its steps is right when it has been done before.
 *  6. Where a dead daemon left packed-refs.lock there is, on the disk too, a NAME.lock with the word "delete". That tells it
 *     from the lock of a living `git pack-refs`.
 */
import { isErrno } from "../../platform/errno.js";
import { Buffer } from "node:buffer";
import type { FileSystem, OpenFile } from "../../platform/file-system.js";
import { hexFromOid, oidFromHex, type Oid } from "../object/oid.js";
import { listIfPresent, readIfPresent, removeIfPresent, writeDurableFile, writeParts } from "./durable-file.js";
import { DamagedRefError, InvalidRefNameError, RefConflictError, RefLockedError, RefMovedError } from "./errors.js";

/** A ref and the object that it names. */
export interface Ref {
  /** In full, such as `refs/heads/main`. */
  readonly name: string;
  readonly oid: Oid;
}

/** What an update demands of the ref and makes of it. */
export interface RefUpdate {
  /** The value that the ref must have now; undefined: it must not exist. */
  readonly expected: Oid | undefined;
  readonly to: Oid;
}

/** What a deletion demands of the ref. */
export interface RefDeletion {
  /** The value that the ref must have now, if it exists. */
  readonly expected: Oid;
}

/** Git itself follows at most this many symbolic refs (SYMREF_MAXDEPTH). */
const SYMBOLIC_DEPTH_MAX = 5;
const LOCK_SUFFIX = ".lock";
const LOCK_ATTEMPTS_MAX = 3;
/** What stands in the lock of a ref that is being deleted (invariant 6). */
const DELETION = "delete\n";
const PACKED_REFS = "packed-refs";
/** Git's name for it too: who holds packed-refs.lock may remove one that is left over. */
const NEW_PACKED_REFS = "packed-refs.new";
const OID_LINE = /^([0-9a-f]{40})\s*$/;
const SYMBOLIC_LINE = /^ref:\s*(\S+)\s*$/;
const PACKED_LINE = /^([0-9a-f]{40}) (\S+)$/;

/** Control characters, space and `~ ^ : ? * [ \` stand nowhere in a ref name. */
const FORBIDDEN_IN_REF = /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{/;

/** Whether Git accepts `name` as the full name of a ref: below `refs/`, by the rules of git-check-ref-format(1). */
export function isValidRefName(name: string): boolean {
  if (!name.startsWith("refs/") || FORBIDDEN_IN_REF.test(name) || name.endsWith(".")) return false;
  const parts = name.split("/");
  return (
    parts.length >= 2 && parts.every((part) => part !== "" && !part.startsWith(".") && !part.endsWith(LOCK_SUFFIX))
  );
}

type LooseRef = { readonly kind: "oid"; readonly oid: Oid } | { readonly kind: "symbolic"; readonly target: string };

/** The refs of one repository. It keeps nothing in memory: every read is of the disk. */
export class RefStore {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;

  /** @param repositoryDirectory - a repository that `openRepository` accepted */
  constructor(fileSystem: FileSystem, repositoryDirectory: string) {
    this.#fileSystem = fileSystem;
    this.#directory = repositoryDirectory;
  }

  /**
   * The object that a ref names, or undefined when there is no such ref. Symbolic refs are followed.
   *
   * @param name - `HEAD` or a full name such as `refs/heads/main`
   * @throws InvalidRefNameError, DamagedRefError
   */
  read(name: string): Oid | undefined {
    let current = name;
    for (let depth = 0; depth <= SYMBOLIC_DEPTH_MAX; depth++) {
      assertReadable(current);
      const loose = this.#readLoose(current);
      if (loose === undefined) return this.#readPacked().get(current);
      if (loose.kind === "oid") return loose.oid;
      current = loose.target;
    }
    throw new DamagedRefError(
      `${this.#directory}/${name}`,
      `more than ${String(SYMBOLIC_DEPTH_MAX)} symbolic refs in a row, probably in a circle`,
    );
  }

  /**
   * The ref that a symbolic ref points to (for `HEAD` the current branch, which need not exist yet), or undefined when
   * `name` is not a symbolic ref.
   */
  readSymbolic(name: string): string | undefined {
    assertReadable(name);
    const loose = this.#readLoose(name);
    return loose?.kind === "symbolic" ? loose.target : undefined;
  }

  /**
   * All refs whose names begin with `prefix`, sorted by name; a loose ref hides a packed one. Symbolic refs that lead
   * nowhere are left out, as are files whose names are no ref names (locks, an editor's backup).
   *
   * @param prefix - such as `refs/tags/`
   * @param damaged - told of a loose ref that cannot be read, which is then left out; without it that is thrown
   * @throws DamagedRefError
   */
  list(prefix = "refs/", damaged?: (error: DamagedRefError) => void): Ref[] {
    // Loose first: a ref that is packed in between is then found in packed-refs.
    const loose = this.#looseNames();
    const found = this.#readPacked();
    for (const name of loose) {
      try {
        const oid = this.read(name);
        if (oid !== undefined) found.set(name, oid);
      } catch (error) {
        if (!(error instanceof DamagedRefError) || damaged === undefined) throw error;
        found.delete(name);
        damaged(error);
      }
    }
    return [...found]
      .filter(([name]) => name.startsWith(prefix))
      .sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0))
      .map(([name, oid]) => ({ name, oid }));
  }

  /**
   * Moves or creates a ref, if it has the expected value; see the sequence at the top.
   *
   * @param name - a full name below `refs/`; a symbolic ref is refused rather than followed
   * @throws InvalidRefNameError, RefLockedError, RefMovedError, RefConflictError, DamagedRefError
   */
  update(name: string, update: RefUpdate): void {
    assertWritable(name);
    const file = `${this.#directory}/${name}`;
    const lockFile = file + LOCK_SUFFIX;
    const { lock, newDirectories } = this.#lock(name, lockFile);
    try {
      try {
        this.#checkBeforeUpdate(name, update.expected);
        writeParts(lock, lockFile, [Buffer.from(`${hexFromOid(update.to)}\n`, "latin1")]);
        lock.sync();
      } finally {
        lock.close();
      }
      this.#renameLock(name, lockFile);
    } catch (error) {
      removeIfPresent(this.#fileSystem, lockFile);
      throw error;
    }
    this.#syncEntry(file, newDirectories);
  }

  /**
   * Deletes a ref with its reflog, if it has the expected value; see the sequence at the top. Says whether there was one.
   * That there is none is no error: so a caller can repeat what a crash cut short, after `removeStaleLocks`. When it
   * returns, that the ref is gone is durable.
   *
   * The directories that a name with several parts was in stay, empty: the file system port cannot remove them.
   *
   * @param name - a full name below `refs/`; a symbolic ref is refused rather than followed
   * @throws InvalidRefNameError, RefLockedError (`packed-refs` may be locked too: `git gc` holds it for a moment),
   *   RefMovedError, RefConflictError, DamagedRefError: the ref is unchanged. What the disk throws: calling again is right
   */
  delete(name: string, { expected }: RefDeletion): boolean {
    assertWritable(name);
    const lockFile = `${this.#directory}/${name}${LOCK_SUFFIX}`;
    const { lock, newDirectories } = this.#lock(name, lockFile);
    let wasThere: boolean;
    try {
      try {
        writeParts(lock, lockFile, [Buffer.from(DELETION, "latin1")]);
        lock.sync();
      } finally {
        lock.close();
      }
      this.#syncEntry(lockFile, newDirectories);
      wasThere = this.#deleteLocked(name, expected);
    } finally {
      removeIfPresent(this.#fileSystem, lockFile);
    }
    this.#syncEntry(lockFile);
    return wasThere;
  }

  #deleteLocked(name: string, expected: Oid): boolean {
    const packedLock = `${this.#directory}/${PACKED_REFS}${LOCK_SUFFIX}`;
    this.#createLock(name, packedLock).close();
    try {
      const actual = this.#readDirect(name);
      if (actual !== undefined && actual !== expected) throw movedError(name, { expected, actual });
      this.#removePacked(name);
      this.#removeLoose(name);
      this.#removeReflog(name);
      return actual !== undefined;
    } finally {
      this.#unlockPacked();
    }
  }

  /** The line of a ref and, after a tag, the one that repeats what the tag points to; all others stay byte for byte. */
  #removePacked(name: string): void {
    const file = `${this.#directory}/${PACKED_REFS}`;
    if (this.#readPacked().has(name)) {
      const lines = Buffer.from(this.#fileSystem.readFile(file)).toString("latin1").split("\n");
      const nameBytes = Buffer.from(name, "utf8").toString("latin1");
      const at = lines.findIndex((line) => PACKED_LINE.exec(line)?.[2] === nameBytes);
      lines.splice(at, lines[at + 1]?.startsWith("^") === true ? 2 : 1);
      const newFile = `${this.#directory}/${NEW_PACKED_REFS}`;
      removeIfPresent(this.#fileSystem, newFile);
      try {
        writeDurableFile(this.#fileSystem, newFile, [Buffer.from(lines.join("\n"), "latin1")]);
        this.#fileSystem.rename(newFile, file);
      } catch (error) {
        removeIfPresent(this.#fileSystem, newFile);
        throw error;
      }
    }
    // Also where nothing was written: a deletion before this one may have ended here.
    this.#fileSystem.syncDirectory(this.#directory);
  }

  /** A directory of this name holds other refs. */
  #removeLoose(name: string): void {
    const file = `${this.#directory}/${name}`;
    if (this.#fileSystem.isRegularFile(file)) this.#fileSystem.remove(file);
    this.#syncEntry(file);
  }

  #removeReflog(name: string): void {
    const reflog = `${this.#directory}/logs/${name}`;
    if (!this.#fileSystem.isRegularFile(reflog)) return;
    this.#fileSystem.remove(reflog);
    this.#syncEntry(reflog);
  }

  /** Before NAME.lock goes, and durably (invariant 6). */
  #unlockPacked(): void {
    removeIfPresent(this.#fileSystem, `${this.#directory}/${PACKED_REFS}${LOCK_SUFFIX}`);
    this.#fileSystem.syncDirectory(this.#directory);
  }

  #syncEntry(file: string, newDirectories: readonly string[] = []): void {
    this.#fileSystem.syncDirectory(parentOf(file));
    for (const directory of newDirectories) this.#fileSystem.syncDirectory(parentOf(directory));
  }

  /** Makes the value that a ref has now durable: step 5 again, for who found that an `update` ended before it. */
  sync(name: string): void {
    // Git may have moved it to packed-refs.
    this.#fileSystem.syncDirectory(this.#directory);
    for (let parent = parentOf(name); parent !== ""; parent = parentOf(parent)) {
      this.#fileSystem.syncDirectory(`${this.#directory}/${parent}`);
    }
  }

  /**
   * Removes the locks of refs that a dead daemon left behind, and that of `packed-refs` where it died while it deleted one
   * of them; returns the names whose lock was removed. A deletion that was cut short is to be repeated after it.
   *
   * Only for refs that no other program writes, and only at start, before the first `update`: a lock does not tell who
   * holds it. (`git gc` holds one for the moment in which it packs a loose ref; a start within that moment is the risk.)
   */
  removeStaleLocks(names: readonly string[]): string[] {
    return names.filter((name) => {
      assertWritable(name);
      const lockFile = `${this.#directory}/${name}${LOCK_SUFFIX}`;
      if (Buffer.from(readIfPresent(this.#fileSystem, lockFile) ?? []).toString("latin1") === DELETION) {
        removeIfPresent(this.#fileSystem, `${this.#directory}/${NEW_PACKED_REFS}`);
        this.#unlockPacked();
      }
      return removeIfPresent(this.#fileSystem, lockFile);
    });
  }

  #readLoose(name: string): LooseRef | undefined {
    const file = `${this.#directory}/${name}`;
    const content = readIfPresent(this.#fileSystem, file);
    if (content === undefined) return undefined;
    const text = Buffer.from(content).toString("utf8");
    const hex = OID_LINE.exec(text)?.[1];
    if (hex !== undefined) return { kind: "oid", oid: oidFromHex(hex) };
    const target = SYMBOLIC_LINE.exec(text)?.[1];
    if (target !== undefined) return { kind: "symbolic", target };
    throw new DamagedRefError(file, "expected 40 hexadecimal digits or `ref: NAME`");
  }

  /** Lines `OID NAME`; a line `^OID` after a tag repeats what the tag points to, and `#` is a header. */
  #readPacked(): Map<string, Oid> {
    const found = new Map<string, Oid>();
    const file = `${this.#directory}/${PACKED_REFS}`;
    const content = readIfPresent(this.#fileSystem, file);
    if (content === undefined) return found;
    for (const [index, line] of Buffer.from(content).toString("utf8").split("\n").entries()) {
      if (line === "" || line.startsWith("#") || line.startsWith("^")) continue;
      const [, hex, name] = PACKED_LINE.exec(line) ?? [];
      if (hex === undefined || name === undefined)
        throw new DamagedRefError(file, `line ${String(index + 1)} is not "OID NAME"`);
      found.set(name, oidFromHex(hex));
    }
    return found;
  }

  /** Names of the files below `refs/` that can be refs; the file system port tells files from directories by listing. */
  #looseNames(): string[] {
    const names: string[] = [];
    const pending = ["refs"];
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      const entries = this.#listDirectory(name);
      if (entries === undefined) names.push(name);
      else for (const entry of entries) if (isValidRefName(`${name}/${entry}`)) pending.push(`${name}/${entry}`);
    }
    return names;
  }

  /** The names in a directory of refs, or undefined when it is a file. One that vanished meanwhile is empty. */
  #listDirectory(name: string): string[] | undefined {
    try {
      return this.#fileSystem.list(`${this.#directory}/${name}`);
    } catch (error) {
      if (isErrno(error, "ENOTDIR")) return undefined;
      if (isErrno(error, "ENOENT")) return [];
      throw error;
    }
  }

  /** Makes the directories above a ref; returns those that were missing, which have to be made durable too. */
  #makeParents(name: string): string[] {
    const missing: string[] = [];
    for (let parent = parentOf(name); parent !== ""; parent = parentOf(parent)) {
      const directory = `${this.#directory}/${parent}`;
      if (this.#fileSystem.exists(directory)) break;
      missing.push(directory);
    }
    const parent = parentOf(name);
    try {
      if (missing.length > 0) this.#fileSystem.makeDirectory(`${this.#directory}/${parent}`);
    } catch (error) {
      if (isErrno(error, "EEXIST", "ENOTDIR")) throw new RefConflictError(name, `a part of ${parent} is itself a ref`);
      throw error;
    }
    return missing;
  }

  /** `git pack-refs` removes directories that it emptied, perhaps between our making one and using it: then again. */
  #lock(name: string, lockFile: string): { readonly lock: OpenFile; readonly newDirectories: readonly string[] } {
    const newDirectories = new Set<string>();
    for (let attempt = 1; ; attempt++) {
      for (const directory of this.#makeParents(name)) newDirectories.add(directory);
      try {
        return { lock: this.#createLock(name, lockFile), newDirectories: [...newDirectories] };
      } catch (error) {
        if (!isErrno(error, "ENOENT") || attempt === LOCK_ATTEMPTS_MAX) throw error;
      }
    }
  }

  #createLock(name: string, lockFile: string): OpenFile {
    try {
      return this.#fileSystem.open(lockFile, "create");
    } catch (error) {
      if (isErrno(error, "EEXIST")) throw new RefLockedError(name, lockFile);
      if (isErrno(error, "ENOTDIR")) throw new RefConflictError(name, `${parentOf(name)} is itself a ref`);
      throw error;
    }
  }

  #checkBeforeUpdate(name: string, expected: Oid | undefined): void {
    const actual = this.#readDirect(name);
    if (actual !== expected) throw movedError(name, { expected, actual });
    if (actual !== undefined) return;
    for (const other of this.list()) {
      if (other.name.startsWith(`${name}/`) || name.startsWith(`${other.name}/`)) {
        throw new RefConflictError(name, `${other.name} exists, and one cannot be a directory of the other`);
      }
    }
  }

  /** What a ref itself holds. */
  #readDirect(name: string): Oid | undefined {
    const loose = this.#readLoose(name);
    if (loose?.kind === "symbolic")
      throw new RefConflictError(name, `it is a symbolic ref to ${loose.target}; name that one instead`);
    return loose?.oid ?? this.#readPacked().get(name);
  }

  #renameLock(name: string, lockFile: string): void {
    try {
      this.#fileSystem.rename(lockFile, `${this.#directory}/${name}`);
    } catch (error) {
      if (isErrno(error, "EISDIR", "ENOTEMPTY", "EEXIST")) {
        const inTheWay = listIfPresent(this.#fileSystem, `${this.#directory}/${name}`);
        const holding = inTheWay.length === 0 ? "an empty one: remove it" : `which holds ${inTheWay.join(", ")}`;
        throw new RefConflictError(name, `a directory has this name (${holding})`);
      }
      throw error;
    }
  }
}

function assertReadable(name: string): void {
  if (name !== "HEAD" && !isValidRefName(name)) {
    throw new InvalidRefNameError(name, "it must be HEAD or a full name such as refs/heads/main");
  }
}

function assertWritable(name: string): void {
  if (!isValidRefName(name)) throw new InvalidRefNameError(name, "it must be a full name such as refs/heads/main");
}

function movedError(
  name: string,
  { expected, actual }: { readonly expected: Oid | undefined; readonly actual: Oid | undefined },
): RefMovedError {
  return new RefMovedError(name, {
    expected: expected === undefined ? undefined : hexFromOid(expected),
    actual: actual === undefined ? undefined : hexFromOid(actual),
  });
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
