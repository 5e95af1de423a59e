/**
 * Rewriting packs into one: what consolidation and retention have in common.
 */
import type { FileSystem } from "../../platform/file-system.js";
import type { ObjectReader } from "../repository/object-reader.js";

/** What a rewrite works with. */
export interface RewriteContext {
  readonly fileSystem: FileSystem;
  readonly repositoryDirectory: string;
  /** Reads objects that must be stored whole, from the very pack and place: it may be used for other things too. */
  readonly reader: ObjectReader;
}

/** What to rewrite. */
export interface RewriteRequest {
  /** The packs by their checksums in hexadecimal, the oldest first. */
  readonly sources: readonly string[];
  /**
   * Whether an object stays; all do unless told.
   *
   * @param pack - one of `sources`
   * @param position - the object's position in that pack's index (0 is the smallest oid)
   */
  readonly keep?: (pack: string, position: number) => boolean;
}

/** A pack that is written and synced under temporary names, not yet placed: see `placeWrittenPack`. */
export interface RewrittenPack {
  /** The pack's checksum in hexadecimal. It is one of the sources' when nothing had to be changed. */
  readonly name: string;
  readonly objects: number;
  readonly packBytes: number;
  readonly indexBytes: number;
  /** Paths of the temporary files. */
  readonly temporaryPack: string;
  readonly temporaryIndex: string;
}

/**
 * Rewrites packs into one; undefined when nothing is kept.
 *
 * Yields after at most a few milliseconds of work. However it ends without a result (an error, `return()`), no temporary
 * file is left.
 *
 * @throws FileVanishedError when a source is gone: somebody else has repacked, plan again; DamagedObjectError
 */
export function* rewritePacks(
  context: RewriteContext,
  request: RewriteRequest,
): Generator<void, RewrittenPack | undefined> {
  yield;
  throw new Error(`${context.repositoryDirectory}: cannot rewrite ${request.sources.join(", ")} yet`);
}
