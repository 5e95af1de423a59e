/**
 * Which packs a `multi-pack-index` lists.
 *
 * Owns the reading of its list of names, and nothing else of it: we find objects by the packs' own indexes. A person makes
 * one with `git multi-pack-index write` or `git repack --write-midx`; Git then expects every pack that it names to be there.
 * Source: gitformat-pack(5), "multi-pack-index (MIDX) files have the following format".
 *
 *   "MIDX" version oid-version chunks base-files packs(4) │ (chunks + 1) × (id 4, offset 8) │ … PNAM: names, each with NUL …
 */
import { Buffer } from "node:buffer";
import type { FileSystem } from "../../platform/file-system.js";
import { isErrno } from "../../platform/errno.js";
import { DamagedObjectError } from "./errors.js";
import { readExactly } from "./pack-entries.js";

const HEADER_BYTES = 12;
const CHUNK_ENTRY_BYTES = 12;
const CHUNKS_AT = 6;
const NAME = /^pack-([0-9a-f]{40})\.(?:idx|pack)$/;

/**
 * The names (40 digits) of the packs that the directory's multi-pack-index lists; "all" when that cannot be told (it is
 * damaged, or a chain of several), so that whoever asks leaves every pack alone.
 */
export function listedPacks(fileSystem: FileSystem, directory: string): ReadonlySet<string> | "all" {
  if (fileSystem.exists(`${directory}/multi-pack-index.d`)) return "all";
  try {
    return readNames(fileSystem, `${directory}/multi-pack-index`);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return new Set();
    if (error instanceof DamagedObjectError) return "all";
    throw error;
  }
}

function readNames(fileSystem: FileSystem, path: string): ReadonlySet<string> | "all" {
  const file = fileSystem.open(path, "read");
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    readExactly(file, path, header, 0);
    if (header.toString("latin1", 0, 4) !== "MIDX") return "all";
    const chunks = Buffer.alloc(((header[CHUNKS_AT] as number) + 1) * CHUNK_ENTRY_BYTES);
    readExactly(file, path, chunks, HEADER_BYTES);
    for (let at = 0; at + CHUNK_ENTRY_BYTES < chunks.length; at += CHUNK_ENTRY_BYTES) {
      if (chunks.toString("latin1", at, at + 4) !== "PNAM") continue;
      const start = Number(chunks.readBigUInt64BE(at + 4));
      const end = Number(chunks.readBigUInt64BE(at + CHUNK_ENTRY_BYTES + 4));
      if (start > end || end > file.size()) return "all";
      const names = Buffer.alloc(end - start);
      readExactly(file, path, names, start);
      return new Set(
        names
          .toString("latin1")
          .split("\0")
          .flatMap((name) => NAME.exec(name)?.[1] ?? []),
      );
    }
    return "all";
  } finally {
    file.close();
  }
}
