/**
 * The file system port over `node:fs`.
 *
 * Owns modes: directories are 0700 and files 0600, because the journal holds what guests wrote. Adds nothing to what the
 * system calls do; errors pass through as Node throws them.
 */
import {
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import type { FileSystem, OpenFile, OpenMode } from "./file-system.js";

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};

function openFile(path: string, mode: OpenMode): OpenFile {
  const descriptor = openSync(path, FLAGS[mode], FILE_MODE);
  return {
    read: (target, position) => readSync(descriptor, target, 0, target.length, position),
    write: (data, position) => writeSync(descriptor, data, 0, data.length, position),
    truncate: (length) => {
      ftruncateSync(descriptor, length);
    },
    syncData: () => {
      fdatasyncSync(descriptor);
    },
    sync: () => {
      fsyncSync(descriptor);
    },
    size: () => fstatSync(descriptor).size,
    close: () => {
      closeSync(descriptor);
    },
  };
}

/** The machine's own disk. */
export const nodeFileSystem: FileSystem = {
  open: openFile,
  readFile: (path) => readFileSync(path),
  list: (directory) => readdirSync(directory).sort(),
  exists: (path) => existsSync(path),
  isRegularFile: (path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true,
  makeDirectory: (path) => {
    mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE });
  },
  rename: (from, to) => {
    renameSync(from, to);
  },
  remove: (path) => {
    unlinkSync(path);
  },
  syncDirectory: (directory) => {
    const descriptor = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  },
};
