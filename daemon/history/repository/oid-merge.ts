/**
 * The oids of several packs in one order: who goes through them meets each object once, with all its copies.
 *
 * Owns the merge of the sorted indexes and its cursors. It never looks into a pack.
 *
 *   while (merge.find()) { … merge.tied: the packs that have the smallest oid not yet passed … merge.advance() }
 */
import type { FileSystem } from "../../platform/file-system.js";
import { compareOids } from "../object/oid.js";
import { OidCursor } from "./pack-entries.js";

/** One of the packs. */
export interface MergedIndex {
  /** The pack's checksum in hexadecimal. */
  readonly name: string;
  /** Its entries. */
  readonly count: number;
}

/** A k-way merge. Close it. */
export class OidMerge {
  /** In the order in which the packs were given. */
  readonly cursors: readonly OidCursor[];
  /** After `find`: which cursors are at the smallest oid, by growing number. */
  readonly tied: number[] = [];
  readonly #leads: Float64Array;

  /** @throws FileVanishedError, DamagedObjectError */
  constructor(fileSystem: FileSystem, repositoryDirectory: string, packs: readonly MergedIndex[]) {
    const cursors: OidCursor[] = [];
    this.cursors = cursors;
    try {
      for (const { name, count } of packs) {
        cursors.push(new OidCursor(fileSystem, { repositoryDirectory, name }, count));
      }
    } catch (error) {
      this.close();
      throw error;
    }
    this.#leads = Float64Array.from(cursors, leadOf);
  }

  /** Finds the cursors that are at the smallest oid; false when all are at the end. */
  find(): boolean {
    const { tied, cursors } = this;
    tied.length = 0;
    let least = Infinity;
    for (let number = 0; number < cursors.length; number++) {
      const lead = this.#leads[number] as number;
      if (lead > least || lead === Infinity) continue;
      if (lead < least) tied.length = 0;
      else {
        const { bytes, at } = cursors[tied[0] as number] as OidCursor;
        const cursor = cursors[number] as OidCursor;
        const order = compareOids(cursor.bytes, cursor.at, bytes, at);
        if (order > 0) continue;
        if (order < 0) tied.length = 0;
      }
      least = lead;
      tied.push(number);
    }
    return tied.length > 0;
  }

  /**
   * Goes on behind the oid that `find` found.
   *
   * @throws DamagedObjectError
   */
  advance(): void {
    for (const number of this.tied) {
      const cursor = this.cursors[number] as OidCursor;
      cursor.next();
      this.#leads[number] = leadOf(cursor);
    }
  }

  /** May be called again. */
  close(): void {
    for (const cursor of this.cursors) cursor.close();
  }
}

/** The first bytes of the cursor's oid as a number, for a fast comparison; beyond all at the end. */
function leadOf(cursor: OidCursor): number {
  return cursor.position < cursor.count ? cursor.bytes.readUInt32BE(cursor.at) : Infinity;
}
