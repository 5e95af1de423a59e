/**
 * A file system in memory that can lose power.
 *
 * Owns the model: every file has its content now and the content on the disk, with the operations between the two in
 * order; so has every directory. A sync of a file moves its content to the disk, a sync of a directory its entries; a new
 * file needs both. `crash` decides for each operation that was not synced whether the disk has it. That is as bad as a
 * real disk may be: writes reach it in any order and in part (sectors), entries in order (a journaling file system).
 *
 * Errors have the codes that Node's have. Paths are absolute and without `.` or `..`.
 */
import type { FileSystem, OpenFile, OpenMode } from "../../daemon/platform/file-system.js";

const SECTOR_BYTES = 512;

/**
 * What a crash takes of what was not synced: nothing (the process died), all of it, or what the function says for each
 * sector that was written and for each file's length.
 */
export type Loss = "nothing" | "everything" | ((what: string) => boolean);

/** A file system in memory. */
export interface MemoryFileSystem extends FileSystem {
  /** Ends every open file and forgets what `loss` says; the file system goes on with what is left. */
  crash(loss: Loss): void;
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

interface DirectoryNode {
  readonly kind: "directory";
  now: Map<string, Inode>;
  disk: Map<string, Inode>;
  /** Changes of the entries since the last sync, each of which reaches the disk as a whole. */
  pending: ((entries: Map<string, Inode>) => void)[];
}

type Inode = FileNode | DirectoryNode;

/** A byte array that grows. */
class Content {
  #bytes = new Uint8Array(0);
  length = 0;

  view(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  resize(length: number): void {
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#bytes.length));
      grown.set(this.view());
      this.#bytes = grown;
    }
    if (length < this.length) this.#bytes.fill(0, length, this.length);
    this.length = length;
  }

  write(data: Uint8Array, position: number): void {
    if (position + data.length > this.length) this.resize(position + data.length);
    this.#bytes.set(data, position);
  }

  copy(): Content {
    const copy = new Content();
    copy.write(this.view(), 0);
    return copy;
  }
}

function applyOperation(content: Content, operation: FileOperation): void {
  if ("data" in operation) content.write(operation.data, operation.position);
  else content.resize(operation.length);
}

function systemError(code: string, syscall: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${syscall} '${path}'`), { code, syscall, path });
}

function newDirectory(): DirectoryNode {
  return { kind: "directory", now: new Map(), disk: new Map(), pending: [] };
}

/** Makes an empty one. */
export function createMemoryFileSystem(): MemoryFileSystem {
  const root = newDirectory();
  /** Open files of an earlier generation are dead. */
  let generation = 0;
  let syncCount = 0;

  const namesOf = (path: string): string[] => {
    if (!path.startsWith("/")) throw new Error(`${path} is not absolute`);
    return path.split("/").filter((name) => name !== "");
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
  const change = (directory: DirectoryNode, operation: (entries: Map<string, Inode>) => void): void => {
    operation(directory.now);
    directory.pending.push(operation);
  };

  return {
    open: (path, mode) => {
      const { directory, name } = parentOf(path, "open");
      let inode = directory.now.get(name);
      if (mode === "create") {
        if (inode !== undefined) throw systemError("EEXIST", "open", path);
        const created: FileNode = { kind: "file", now: new Content(), disk: new Content(), pending: [] };
        change(directory, (entries) => entries.set(name, created));
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
        if (inode === undefined) change(directory, (entries) => entries.set(name, next));
        directory = next;
      }
    },
    rename: (from, to) => {
      const source = parentOf(from, "rename");
      const target = parentOf(to, "rename");
      const inode = source.directory.now.get(source.name);
      if (inode === undefined) throw systemError("ENOENT", "rename", from);
      if (source.directory === target.directory) {
        change(source.directory, (entries) => {
          entries.delete(source.name);
          entries.set(target.name, inode);
        });
        return;
      }
      change(target.directory, (entries) => entries.set(target.name, inode));
      change(source.directory, (entries) => entries.delete(source.name));
    },
    remove: (path) => {
      const { directory, name } = parentOf(path, "unlink");
      const inode = directory.now.get(name);
      if (inode === undefined) throw systemError("ENOENT", "unlink", path);
      if (inode.kind === "directory") throw systemError("EISDIR", "unlink", path);
      change(directory, (entries) => entries.delete(name));
    },
    syncDirectory: (path) => {
      const directory = mustFindDirectory(path, "open");
      for (const operation of directory.pending.splice(0)) operation(directory.disk);
    },
    crash: (loss) => {
      generation++;
      crashDirectory(root, "", loss);
    },
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

function crashDirectory(directory: DirectoryNode, path: string, loss: Loss): void {
  const pending = directory.pending.splice(0);
  const kept = loss === "nothing" ? pending.length : loss === "everything" ? 0 : keptPrefix(pending.length, path, loss);
  for (const operation of pending.slice(0, kept)) operation(directory.disk);
  directory.now = new Map(directory.disk);
  for (const [name, inode] of directory.now) {
    if (inode.kind === "directory") crashDirectory(inode, `${path}/${name}`, loss);
    else crashFile(inode, `${path}/${name}`, loss);
  }
}

function keptPrefix(length: number, path: string, loses: (what: string) => boolean): number {
  for (let index = 0; index < length; index++) if (loses(`${path} entry ${String(index)}`)) return index;
  return length;
}

function crashFile(file: FileNode, path: string, loss: Loss): void {
  for (const operation of file.pending.splice(0)) {
    if (loss === "everything") break;
    if (loss === "nothing") applyOperation(file.disk, operation);
    else if (!("data" in operation)) {
      if (!loss(`${path} length ${String(operation.length)}`)) applyOperation(file.disk, operation);
    } else crashWrite(file.disk, operation, (sector) => loss(`${path} byte ${String(sector)}`));
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
