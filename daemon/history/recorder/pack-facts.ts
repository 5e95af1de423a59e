/**
 * What a pack on disk is like, and whether it is one of ours.
 *
 * Owns the mark of our packs: the last entry is a commit object of the recorder's, with a trailer `Seq`. The recorder makes
 * them so (a commit's objects stand before it), merging keeps it so, and Git writes commits first, so a pack of Git's has
 * another end unless it holds nothing but commits. A pack of ours that is taken for Git's is left alone; one of Git's that is taken
 * for ours would be merged, which loses nothing. It never writes.
 */
import { Buffer } from "node:buffer";
import type { FileSystem } from "../../platform/file-system.js";
import { parseCommit } from "../object/commit-object.js";
import { INDEX_HEADER_BYTES } from "../object/pack-decode.js";
import { OID_BYTES } from "../object/oid.js";
import { DamagedObjectError } from "../repository/errors.js";
import type { ObjectReader } from "../repository/object-reader.js";
import {
  indexPath,
  openToRead,
  packPath,
  readExactly,
  readFanOut,
  type PackPlace,
} from "../repository/pack-entries.js";
import type { PackSize } from "./merge-plan.js";

/** What a pack is like. */
export interface PackFacts extends Omit<PackSize, "seq"> {
  /** The `Seq` of its last commit; undefined for a pack that the recorder did not make. */
  readonly seq: number | undefined;
}

const COMMITTER = "xenstore-tng";
const TABLE_PART = 16 * 1024;
const FAR = 0x80000000;

/**
 * Looks at a pack. Yields about every millisecond: the offsets of all its entries are read, to find the last.
 *
 * @throws FileVanishedError, DamagedObjectError
 */
export function* readPackFacts(
  fileSystem: FileSystem,
  reader: ObjectReader,
  place: PackPlace,
): Generator<void, PackFacts> {
  const pack = openToRead(fileSystem, packPath(place));
  const packBytes = pack.size();
  pack.close();
  const path = indexPath(place);
  const index = openToRead(fileSystem, path);
  try {
    const objects = readFanOut(index, path)[255] as number;
    const bytes = packBytes + index.size();
    let last = 0;
    const table = Buffer.allocUnsafe(Math.min(objects, TABLE_PART) * 4);
    for (let done = 0; done < objects; done += TABLE_PART) {
      if (done > 0) yield;
      const part = table.subarray(0, Math.min(TABLE_PART, objects - done) * 4);
      readExactly(index, path, part, INDEX_HEADER_BYTES + objects * (OID_BYTES + 4) + done * 4);
      for (let at = 0; at < part.length; at += 4) last = Math.max(last, part.readUInt32BE(at));
    }
    // Packs with far places are over 2 GiB, which ours never are.
    const seq = objects === 0 || last >= FAR ? undefined : seqAt(reader, place, last);
    return { name: place.name, objects, bytes, seq };
  } finally {
    index.close();
  }
}

/** The `Seq` of the commit object at a place; undefined when there is something else. */
function seqAt(reader: ObjectReader, place: PackPlace, offset: number): number | undefined {
  const { type, data } = reader.readAt(`pack-${place.name}`, offset);
  if (type !== "commit") return undefined;
  const commit = parseCommit(data);
  if (commit === undefined) throw new DamagedObjectError(packPath(place), offset, "this is no commit object");
  return commit.committer.name === COMMITTER ? commit.trailers.seq : undefined;
}
