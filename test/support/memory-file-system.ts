/**
 * A file system in memory that can lose power.
 *
 * Owns the model: every file has its content now and the content on the disk, with the operations between the two in
 * order; so has every directory. A sync of a file moves its content to the disk, a sync of a directory its entries; a new
 * file needs both. `crash` decides for each operation that was not synced whether the disk has it.
 *
 * That is meant to be as bad as a real disk may be, and in some points is worse than ext4 is known to be:
 *  - of a write, each sector of 512 bytes is lost or kept for itself, in any order with other writes; where a sector is lost,
 *    the old bytes stay, or zeros where there were none;
 *  - a write that makes the file longer does two things, the bytes and the length: the length may be there without the
 *    bytes (XFS, ext4 with `data=writeback`), which reads as zeros. Truncates are lost or kept in the same way;
 *  - the sync of a file says nothing of the entry that leads to it, nor of the directories above (ext4 writes those too);
 *  - a rename, a creation or a removal reaches the disk as a whole. Those of one directory are kept up to the first that is
 *    lost, as a journaling file system has them (`in order`), or each for itself (`any`), as POSIX allows; those of
 *    different directories know nothing of each other.
 *
 * The death of the process (`nothing` is lost) leaves what was not synced in the kernel: it is served, and the next power cut
 * can still take it.
 *
 * What it does not model: a disk that lies about a sync, and a sync that fails (that is `faulty-file-system.ts`).
 *
 * Errors have the codes that Node's have. Paths are absolute and without `.` or `..`.
 */
import type { FileSystem, OpenFile, OpenMode } from "../../daemon/platform/file-system.js";

const SECTOR_BYTES = 512;

/**
 * What a crash takes of what was not synced: nothing (the process died), all of it, or what the function says for each
 * sector that was written, for each change of a file's length and for each change of a directory's entries.
 */
export type Loss = "nothing" | "everything" | ((what: string) => boolean);

type PowerLoss = Exclude<Loss, "nothing">;

/** Whether a directory that lost one change of its entries has lost the later ones too. */
export type EntryOrder = "in order" | "any";

/** A file system in memory. */
export interface MemoryFileSystem extends FileSystem {
  /**
   * Ends every open file and forgets what `loss` says; the file system goes on with what is left.
   *
   * @param entryOrder - `in order` unless told
   */
  crash(loss: Loss, entryOrder?: EntryOrder): void;
  /** An independent copy, with what is not synced; no file is open in it. */
  fork(): MemoryFileSystem;
  /** How often files were synced. */
  syncs(): number;
}

/** An operation on a file since its last sync. */
type FileOperation = { readonly position: number; readonly data: Uint8Array } | { readonly length: number };

interface FileNode {
  readonly kind: "file";
  now: Content;
  disk: Content;
  pending: FileOperation[];
}

/** A change of a directory's entries, which reaches the disk as a whole: one name goes, or one comes, or both (a rename). */
interface EntryChange {
  readonly gone: string | undefined;
  readonly come: { readonly name: string; readonly inode: Inode } | undefined;
}

interface DirectoryNode {
  readonly kind: "directory";
  now: Map<string, Inode>;
  disk: Map<string, Inode>;
  /** Since the last sync. */
  pending: EntryChange[];
}

type Inode = FileNode | DirectoryNode;

/** A byte array that grows. Copies share their bytes until one of them changes. */
class Content {
  #bytes = new Uint8Array(0);
  #isShared = false;
  length = 0;

  view(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  resize(length: number): void {
    if (length > this.#bytes.length) this.#moveTo(Math.max(length, 2 * this.#bytes.length));
    else this.#unshare();
    if (length < this.length) this.#bytes.fill(0, length, this.length);
    this.length = length;
  }

  write(data: Uint8Array, position: number): void {
    if (position + data.length > this.length) this.resize(position + data.length);
    else this.#unshare();
    this.#bytes.set(data, position);
  }

  copy(): Content {
    const copy = new Content();
    copy.#bytes = this.#bytes;
    copy.length = this.length;
    copy.#isShared = this.#isShared = true;
    return copy;
  }

  #unshare(): void {
    if (this.#isShared) this.#moveTo(this.#bytes.length);
  }

  #moveTo(capacity: number): void {
    const bytes = new Uint8Array(capacity);
    bytes.set(this.view());
    this.#bytes = bytes;
    this.#isShared = false;
  }
}

function applyOperation(content: Content, operation: FileOperation): void {
  if ("data" in operation) content.write(operation.data, operation.position);
  else content.resize(operation.length);
}

function applyChange(entries: Map<string, Inode>, { gone, come }: EntryChange): void {
  if (gone !== undefined) entries.delete(gone);
  if (come !== undefined) entries.set(come.name, come.inode);
}

/** Without a stack: most of these are expected, and the stack would take a tenth of the time of a crash campaign. */
function systemError(code: string, syscall: string, path: string): Error {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  const error = new Error(`${code}: ${syscall} '${path}'`);
  Error.stackTraceLimit = stackTraceLimit;
  return Object.assign(error, { code, syscall, path });
}

function newDirectory(): DirectoryNode {
  return { kind: "directory", now: new Map(), disk: new Map(), pending: [] };
}

/** Makes an empty one. */
export function createMemoryFileSystem(): MemoryFileSystem {
  return fileSystemOf(newDirectory());
}

function fileSystemOf(root: DirectoryNode): MemoryFileSystem {
  /** Open files of an earlier generation are dead. */
  let generation = 0;
  let syncCount = 0;

  const namesOf = (path: string): string[] => {
    if (!path.startsWith("/")) throw new Error(`${path} is not absolute`);
    return path === "/" ? [] : path.slice(1).split("/");
  };
  const find = (path: string, syscall: string): Inode | undefined => {
    let inode: Inode | undefined = root;
    for (const name of namesOf(path)) {
      if (inode?.kind === "file") throw systemError("ENOTDIR", syscall, path);
      inode = inode?.now.get(name);
    }
    return inode;
  };
  const mustFind = (path: string, syscall: string): Inode => {
    const inode = find(path, syscall);
    if (inode === undefined) throw systemError("ENOENT", syscall, path);
    return inode;
  };
  const mustFindDirectory = (path: string, syscall: string): DirectoryNode => {
    const inode = mustFind(path, syscall);
    if (inode.kind === "file") throw systemError("ENOTDIR", syscall, path);
    return inode;
  };
  const parentOf = (path: string, syscall: string): { directory: DirectoryNode; name: string } => {
    const names = namesOf(path);
    const name = names.pop() ?? "";
    return { directory: mustFindDirectory(`/${names.join("/")}`, syscall), name };
  };
  const change = (directory: DirectoryNode, entryChange: EntryChange): void => {
    applyChange(directory.now, entryChange);
    directory.pending.push(entryChange);
  };

  return {
    open: (path, mode) => {
      const { directory, name } = parentOf(path, "open");
      let inode = directory.now.get(name);
      if (mode === "create") {
        if (inode !== undefined) throw systemError("EEXIST", "open", path);
        const created: FileNode = { kind: "file", now: new Content(), disk: new Content(), pending: [] };
        change(directory, { gone: undefined, come: { name, inode: created } });
        inode = created;
      }
      if (inode === undefined) throw systemError("ENOENT", "open", path);
      if (inode.kind === "directory") throw systemError("EISDIR", "open", path);
      const opened = generation;
      return openFile(inode, { path, mode, isAlive: () => opened === generation, synced: () => syncCount++ });
    },
    readFile: (path) => {
      const inode = mustFind(path, "open");
      if (inode.kind === "directory") throw systemError("EISDIR", "read", path);
      return inode.now.view().slice();
    },
    list: (path) => [...mustFindDirectory(path, "scandir").now.keys()].sort(),
    isRegularFile: (path) => {
      try {
        return find(path, "stat")?.kind === "file";
      } catch {
        return false;
      }
    },
    exists: (path) => {
      try {
        return find(path, "access") !== undefined;
      } catch {
        return false;
      }
    },
    makeDirectory: (path) => {
      let directory = root;
      for (const name of namesOf(path)) {
        const inode = directory.now.get(name);
        if (inode?.kind === "file") throw systemError("EEXIST", "mkdir", path);
        const next = inode ?? newDirectory();
        if (inode === undefined) change(directory, { gone: undefined, come: { name, inode: next } });
        directory = next;
      }
    },
    rename: (from, to) => {
      const source = parentOf(from, "rename");
      const target = parentOf(to, "rename");
      const inode = source.directory.now.get(source.name);
      if (inode === undefined) throw systemError("ENOENT", "rename", from);
      if (source.directory === target.directory) {
        change(source.directory, { gone: source.name, come: { name: target.name, inode } });
        return;
      }
      change(target.directory, { gone: undefined, come: { name: target.name, inode } });
      change(source.directory, { gone: source.name, come: undefined });
    },
    remove: (path) => {
      const { directory, name } = parentOf(path, "unlink");
      const inode = directory.now.get(name);
      if (inode === undefined) throw systemError("ENOENT", "unlink", path);
      if (inode.kind === "directory") throw systemError("EISDIR", "unlink", path);
      change(directory, { gone: name, come: undefined });
    },
    syncDirectory: (path) => {
      const directory = mustFindDirectory(path, "open");
      for (const entryChange of directory.pending.splice(0)) applyChange(directory.disk, entryChange);
    },
    crash: (loss, entryOrder = "in order") => {
      generation++;
      // What the process had not synced is still the kernel's, and a later crash can take it.
      if (loss !== "nothing") crashDirectory(root, "", { loss, entryOrder });
    },
    fork: () => fileSystemOf(forkInode(root, new Map()) as DirectoryNode),
    syncs: () => syncCount,
  };
}

interface OpenContext {
  readonly path: string;
  readonly mode: OpenMode;
  readonly isAlive: () => boolean;
  readonly synced: () => void;
}

function openFile(inode: FileNode, { path, mode, isAlive, synced }: OpenContext): OpenFile {
  let isOpen = true;
  const check = (syscall: string, writes = false): void => {
    if (!isOpen || !isAlive() || (writes && mode === "read")) throw systemError("EBADF", syscall, path);
  };
  const apply = (operation: FileOperation): void => {
    applyOperation(inode.now, operation);
    inode.pending.push(operation);
  };
  const sync = (): void => {
    check("fsync");
    for (const operation of inode.pending.splice(0)) applyOperation(inode.disk, operation);
    synced();
  };
  return {
    read: (target, position) => {
      check("read");
      const source = inode.now.view().subarray(position, position + target.length);
      target.set(source);
      return source.length;
    },
    write: (data, position) => {
      check("write", true);
      // Not data.slice(): of a Buffer that is a view.
      apply({ position, data: Uint8Array.from(data) });
      return data.length;
    },
    truncate: (length) => {
      if (mode === "read") throw systemError("EINVAL", "ftruncate", path);
      check("ftruncate");
      apply({ length });
    },
    syncData: sync,
    sync,
    size: () => {
      check("fstat");
      return inode.now.length;
    },
    close: () => {
      check("close");
      isOpen = false;
    },
  };
}

/** Copies an inode and all that it leads to, on the disk too; `copies` holds what has been copied. */
function forkInode(inode: Inode, copies: Map<Inode, Inode>): Inode {
  const known = copies.get(inode);
  if (known !== undefined) return known;
  if (inode.kind === "file") {
    const copy: FileNode = { ...inode, now: inode.now.copy(), disk: inode.disk.copy(), pending: [...inode.pending] };
    copies.set(inode, copy);
    return copy;
  }
  const copy = newDirectory();
  copies.set(inode, copy);
  for (const [name, entry] of inode.now) copy.now.set(name, forkInode(entry, copies));
  for (const [name, entry] of inode.disk) copy.disk.set(name, forkInode(entry, copies));
  copy.pending = inode.pending.map(({ gone, come }) => ({
    gone,
    come: come === undefined ? undefined : { name: come.name, inode: forkInode(come.inode, copies) },
  }));
  return copy;
}

interface Crash {
  readonly loss: PowerLoss;
  readonly entryOrder: EntryOrder;
}

function crashDirectory(directory: DirectoryNode, path: string, crash: Crash): void {
  for (const entryChange of keptChanges(directory.pending.splice(0), path, crash)) {
    applyChange(directory.disk, entryChange);
  }
  directory.now = new Map(directory.disk);
  for (const [name, inode] of directory.now) {
    if (inode.kind === "directory") crashDirectory(inode, `${path}/${name}`, crash);
    else crashFile(inode, `${path}/${name}`, crash.loss);
  }
}

function keptChanges(
  pending: readonly EntryChange[],
  path: string,
  { loss, entryOrder }: Crash,
): readonly EntryChange[] {
  if (loss === "everything") return [];
  const isLost = (index: number): boolean => loss(`${path} entry ${String(index)}`);
  if (entryOrder === "any") return pending.filter((_, index) => !isLost(index));
  const firstLost = pending.findIndex((_, index) => isLost(index));
  return firstLost === -1 ? pending : pending.slice(0, firstLost);
}

function crashFile(file: FileNode, path: string, loss: PowerLoss): void {
  for (const operation of file.pending.splice(0)) {
    if (loss === "everything") break;
    if (!("data" in operation)) {
      if (!loss(`${path} length ${String(operation.length)}`)) applyOperation(file.disk, operation);
    } else {
      const end = operation.position + operation.data.length;
      if (end > file.disk.length && !loss(`${path} size ${String(end)}`)) file.disk.resize(end);
      crashWrite(file.disk, operation, (sector) => loss(`${path} byte ${String(sector)}`));
    }
  }
  file.now = file.disk.copy();
}

/** A lost sector within what was kept reads as it was before, zeros where the file was shorter. */
function crashWrite(
  disk: Content,
  { position, data }: { position: number; data: Uint8Array },
  loses: (at: number) => boolean,
): void {
  for (let start = 0; start < data.length;) {
    const end = Math.min(data.length, start + SECTOR_BYTES - ((position + start) % SECTOR_BYTES));
    if (!loses(position + start)) disk.write(data.subarray(start, end), position + start);
    start = end;
  }
}
