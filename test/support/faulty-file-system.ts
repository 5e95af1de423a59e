/**
 * A file system that fails on command, in front of another one.
 *
 * Owns the count of calls and the faults. A fault strikes the nth call of one kind after it was set up, or every call from
 * the nth on; the other calls go through.
 */
import type { FileSystem, OpenFile } from "../../daemon/platform/file-system.js";

/** A call that can fail. */
export type FileSystemCall = Exclude<keyof FileSystem, "exists" | "isRegularFile"> | Exclude<keyof OpenFile, "size">;

/** What is to go wrong. */
export interface Fault {
  readonly call: FileSystemCall;
  /** Which call of this kind from now on, 1 for the next. */
  readonly nth: number;
  /** Only calls on paths that end so count; all unless told. */
  readonly path?: string;
  /** The error's code, such as ENOSPC; the call then has no effect, but for `close`: that ends the descriptor all the same. */
  readonly error?: string;
  /** For `write` and `read`: so many bytes are done, and with `error` it is thrown after them. */
  readonly bytes?: number;
  /** Whether the later calls fail in the same way. */
  readonly lasts?: boolean;
}

/** A file system with faults. */
export interface FaultyFileSystem extends FileSystem {
  /** Sets up a fault, in addition to those there are. */
  inject(fault: Fault): void;
  /** Removes all faults, also those that have not struck. */
  heal(): void;
  /** Every call so far, such as `write /dir/file`, but for reads, sizes and closes. */
  readonly calls: string[];
  /** Files that are open. */
  openFiles(): number;
}

/** Puts faults in front of a file system. */
export function createFaultyFileSystem(inner: FileSystem): FaultyFileSystem {
  let faults: { fault: Fault; left: number }[] = [];
  const calls: string[] = [];
  let openCount = 0;

  /** Counts a call; the fault that strikes it, if there is one. */
  const strike = (call: FileSystemCall, path: string): Fault | undefined => {
    if (call !== "read" && call !== "close") calls.push(`${call} ${path}`);
    let struck: Fault | undefined;
    for (const entry of faults) {
      if (entry.fault.call !== call || !path.endsWith(entry.fault.path ?? "")) continue;
      entry.left--;
      if (entry.left === 0 || (entry.left < 0 && entry.fault.lasts === true)) struck ??= entry.fault;
    }
    return struck;
  };
  const fail = (fault: Fault | undefined, path: string): void => {
    if (fault?.error === undefined) return;
    throw Object.assign(new Error(`${fault.error}: injected, ${fault.call} '${path}'`), {
      code: fault.error,
      syscall: fault.call,
      path,
    });
  };
  const guard = <T>(call: FileSystemCall, path: string, run: () => T): T => {
    fail(strike(call, path), path);
    return run();
  };
  /** Runs a transfer of bytes, cut short where the fault says so. */
  const transfer = (
    call: "read" | "write",
    path: string,
    data: Uint8Array,
    run: (part: Uint8Array) => number,
  ): number => {
    const fault = strike(call, path);
    if (fault?.bytes === undefined) fail(fault, path);
    const done = run(fault?.bytes === undefined ? data : data.subarray(0, fault.bytes));
    fail(fault, path);
    return done;
  };
  const wrap = (file: OpenFile, path: string): OpenFile => ({
    read: (target, position) => transfer("read", path, target, (part) => file.read(part, position)),
    write: (data, position) => transfer("write", path, data, (part) => file.write(part, position)),
    truncate: (length) => {
      guard("truncate", path, () => {
        file.truncate(length);
      });
    },
    syncData: () => {
      guard("syncData", path, () => {
        file.syncData();
      });
    },
    sync: () => {
      guard("sync", path, () => {
        file.sync();
      });
    },
    size: () => file.size(),
    close: () => {
      const fault = strike("close", path);
      file.close();
      openCount--;
      fail(fault, path);
    },
  });

  return {
    open: (path, mode) =>
      guard("open", path, () => {
        const file = inner.open(path, mode);
        openCount++;
        return wrap(file, path);
      }),
    readFile: (path) => guard("readFile", path, () => inner.readFile(path)),
    list: (directory) => guard("list", directory, () => inner.list(directory)),
    exists: (path) => inner.exists(path),
    isRegularFile: (path) => inner.isRegularFile(path),
    makeDirectory: (path) => {
      guard("makeDirectory", path, () => {
        inner.makeDirectory(path);
      });
    },
    rename: (from, to) => {
      guard("rename", to, () => {
        inner.rename(from, to);
      });
    },
    remove: (path) => {
      guard("remove", path, () => {
        inner.remove(path);
      });
    },
    syncDirectory: (directory) => {
      guard("syncDirectory", directory, () => {
        inner.syncDirectory(directory);
      });
    },
    inject: (fault) => {
      faults.push({ fault, left: fault.nth });
    },
    heal: () => {
      faults = [];
    },
    calls,
    openFiles: () => openCount,
  };
}
