/**
 * What the tests of repositories share: running git apart from the user's configuration, packs made by hand, and a disk
 * that dies at a given call.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { crc32, deflateSync } from "node:zlib";
import type { FileSystem, OpenFile } from "../../../../../daemon/platform/file-system.js";
import { hashObject, hexFromOid, oidFromHex, type Oid } from "../../../../../daemon/history/object/oid.js";
import type { ObjectType } from "../../../../../daemon/history/object/pack-decode.js";

const GIT_ENVIRONMENT = {
  PATH: process.env["PATH"],
  HOME: "/nonexistent",
  LC_ALL: "C",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_NAME: "a",
  GIT_AUTHOR_EMAIL: "a@b",
  GIT_COMMITTER_NAME: "a",
  GIT_COMMITTER_EMAIL: "a@b",
  GIT_AUTHOR_DATE: "1700000000 +0000",
  GIT_COMMITTER_DATE: "1700000000 +0000",
};

/** Runs git in `directory`; returns its output. Throws, with git's complaint, when it fails. */
export function gitBytes(directory: string, args: readonly string[], input: string | Uint8Array = ""): Buffer {
  return execFileSync("git", args, {
    cwd: directory,
    input,
    env: GIT_ENVIRONMENT,
    maxBuffer: 1 << 30,
    stdio: ["pipe", "pipe", "pipe"],
  });
}

/** As `gitBytes`; the output as trimmed text. */
export function git(directory: string, args: readonly string[], input: string | Uint8Array = ""): string {
  return gitBytes(directory, args, input).toString("utf8").trim();
}

/** Whether git finds an object. */
export function hasObject(directory: string, oid: string): boolean {
  try {
    git(directory, ["cat-file", "-e", oid]);
    return true;
  } catch {
    return false;
  }
}

/** What `git fsck --strict` complains about; empty when it is content. Dangling objects are no complaint. */
export function fsckComplaints(directory: string): string {
  try {
    execFileSync("git", ["fsck", "--strict", "--full", "--no-dangling"], {
      cwd: directory,
      env: GIT_ENVIRONMENT,
      stdio: ["ignore", "pipe", "pipe"],
    });
    return "";
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: Buffer; stderr?: Buffer };
    return `${String(stdout)}${String(stderr)}` || String(error);
  }
}

/** Every object of a repository as `git cat-file --batch` tells it. */
export function objectsByGit(directory: string): Map<Oid, { readonly type: ObjectType; readonly data: Buffer }> {
  const output = gitBytes(directory, ["cat-file", "--batch", "--batch-all-objects", "--unordered"]);
  const objects = new Map<Oid, { readonly type: ObjectType; readonly data: Buffer }>();
  for (let at = 0; at < output.length;) {
    const headerEnd = output.indexOf("\n", at);
    const [hex, type, size] = output.toString("latin1", at, headerEnd).split(" ") as [string, ObjectType, string];
    const dataEnd = headerEnd + 1 + Number(size);
    objects.set(oidFromHex(hex), { type, data: output.subarray(headerEnd + 1, dataEnd) });
    at = dataEnd + 1;
  }
  return objects;
}

/** An entry of a pack made by hand; a delta is given as its bytes. */
export interface HandMadeEntry {
  readonly oid: Oid;
  /** The pack's type number: 1 to 4, 6 offset delta, 7 oid delta. */
  readonly code: number;
  readonly data: Buffer;
  /** For 6: what the base distance says. For 7: the base. */
  readonly distance?: number;
  readonly base?: Oid;
  /** The size that the header states; that of `data` when not given. */
  readonly statedSize?: number;
}

/** A whole object as an entry. */
export function wholeEntry(type: "commit" | "tree" | "blob" | "tag", data: Buffer): HandMadeEntry {
  return { oid: hashObject(type, data), code: { commit: 1, tree: 2, blob: 3, tag: 4 }[type], data };
}

function entryHeader(entry: HandMadeEntry): Buffer {
  let size = entry.statedSize ?? entry.data.length;
  const bytes: number[] = [];
  let byte = (entry.code << 4) | (size & 15);
  for (size = Math.floor(size / 16); size > 0; size = Math.floor(size / 128)) {
    bytes.push(byte | 0x80);
    byte = size & 0x7f;
  }
  bytes.push(byte);
  if (entry.distance !== undefined) {
    let distance = entry.distance;
    const reversed = [distance & 0x7f];
    for (distance >>= 7; distance > 0; distance >>= 7) reversed.push(0x80 | (--distance & 0x7f));
    bytes.push(...reversed.reverse());
  }
  return Buffer.concat([Buffer.from(bytes), Buffer.from(entry.base ?? "", "latin1")]);
}

/** A pack and its index (version 2) with these entries in this order, however wrong they are. */
export function handMadePack(entries: readonly HandMadeEntry[]): {
  readonly pack: Buffer;
  readonly index: Buffer;
  readonly name: string;
  readonly offsets: readonly number[];
} {
  const header = Buffer.from("PACK\0\0\0\x02\0\0\0\0", "latin1");
  header.writeUInt32BE(entries.length, 8);
  const parts: Buffer[] = [header];
  const offsets: number[] = [];
  let at = header.length;
  for (const entry of entries) {
    const part = Buffer.concat([entryHeader(entry), deflateSync(entry.data)]);
    offsets.push(at);
    parts.push(part);
    at += part.length;
  }
  const sha1 = (bytes: Buffer): Buffer => createHash("sha1").update(bytes).digest();
  const body = Buffer.concat(parts);
  const checksum = sha1(body);
  const sorted = entries
    .map(({ oid }, position) => ({
      hex: hexFromOid(oid),
      offset: offsets[position] as number,
      crc: crc32(parts[position + 1] as Buffer),
    }))
    .sort((left, right) => (left.hex < right.hex ? -1 : 1));
  const index = Buffer.alloc(8 + 1024 + sorted.length * 28);
  index.writeUInt32BE(0xff744f63, 0);
  index.writeUInt32BE(2, 4);
  for (let first = 0; first < 256; first++) {
    index.writeUInt32BE(sorted.filter(({ hex }) => parseInt(hex.slice(0, 2), 16) <= first).length, 8 + first * 4);
  }
  for (const [position, { hex, offset, crc }] of sorted.entries()) {
    index.write(hex, 1032 + position * 20, "hex");
    index.writeUInt32BE(crc, 1032 + sorted.length * 20 + position * 4);
    index.writeUInt32BE(offset, 1032 + sorted.length * 24 + position * 4);
  }
  const indexBody = Buffer.concat([index, checksum]);
  return {
    pack: Buffer.concat([body, checksum]),
    index: Buffer.concat([indexBody, sha1(indexBody)]),
    name: checksum.toString("hex"),
    offsets,
  };
}

/** The process died here. */
export class CrashError extends Error {
  override readonly name = "CrashError";
}

/**
 * A disk on which the process dies at its `callsBefore + 1`th change: that write gets half its bytes to the disk, any
 * other change does not happen, and nothing can be done afterwards.
 */
export function crashingFileSystem(
  real: FileSystem,
  callsBefore: number,
): FileSystem & { readonly calls: () => number } {
  let calls = 0;
  const step = (atCrash?: () => void): void => {
    if (calls === callsBefore) atCrash?.();
    if (calls >= callsBefore) {
      calls = callsBefore + 1;
      throw new CrashError("the process died");
    }
    calls++;
  };
  const crashingFile = (file: OpenFile): OpenFile => ({
    read: (target, position) => file.read(target, position),
    write: (data, position) => {
      step(() => file.write(data.subarray(0, data.length >> 1), position));
      return file.write(data, position);
    },
    truncate: (length) => {
      step();
      file.truncate(length);
    },
    syncData: () => {
      step();
      file.syncData();
    },
    sync: () => {
      step();
      file.sync();
    },
    size: () => file.size(),
    close: () => {
      file.close();
    },
  });
  return {
    calls: () => calls,
    open: (path, mode) => {
      if (mode !== "read") step();
      return crashingFile(real.open(path, mode));
    },
    readFile: (path) => real.readFile(path),
    list: (directory) => real.list(directory),
    exists: (path) => real.exists(path),
    isRegularFile: (path) => real.isRegularFile(path),
    makeDirectory: (path) => {
      step();
      real.makeDirectory(path);
    },
    rename: (from, to) => {
      step();
      real.rename(from, to);
    },
    remove: (path) => {
      step();
      real.remove(path);
    },
    syncDirectory: (directory) => {
      step();
      real.syncDirectory(directory);
    },
  };
}

/** A disk that fails one kind of call, chosen by `fails`, with an errno; the process lives on. */
export function failingFileSystem(
  real: FileSystem,
  code: string,
  fails: (call: "write" | "sync" | "rename" | "syncDirectory", path: string) => boolean,
): FileSystem {
  const check = (call: "write" | "sync" | "rename" | "syncDirectory", path: string): void => {
    if (fails(call, path)) throw Object.assign(new Error(`${code}: ${call} ${path}`), { code });
  };
  return {
    ...real,
    open: (path, mode) => {
      const file = real.open(path, mode);
      return {
        ...file,
        write: (data, position) => {
          check("write", path);
          return file.write(data, position);
        },
        sync: () => {
          check("sync", path);
          file.sync();
        },
      };
    },
    rename: (from, to) => {
      check("rename", to);
      real.rename(from, to);
    },
    syncDirectory: (directory) => {
      check("syncDirectory", directory);
      real.syncDirectory(directory);
    },
  };
}
