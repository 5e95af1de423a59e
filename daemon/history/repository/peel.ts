/**
 * From a ref to what it leads to: tag objects are followed.
 *
 * Owns reading tag objects. Source: git-mktag(1).
 */
import type { Buffer } from "node:buffer";
import { oidFromHex, type Oid } from "../object/oid.js";
import type { ObjectType } from "../object/pack-decode.js";
import { MissingObjectError } from "./errors.js";
import type { ObjectReader } from "./object-reader.js";
import type { Ref } from "./ref-store.js";

const TAG_TARGET = /^object ([0-9a-f]{40})\n/;
/** Tags of tags of tags: nobody goes deeper than this except to do harm. */
const TAG_DEPTH_MAX = 64;

/** What `read` gives; undefined when an object is missing. */
export function ifPresent<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof MissingObjectError) return undefined;
    throw error;
  }
}

/** What a ref leads to. */
export interface Peeled {
  /** The tag objects on the way, the ref's own first; none for a branch and for a lightweight tag. */
  readonly tagObjects: readonly Oid[];
  readonly oid: Oid;
  /** "missing" when the object is not there: somebody broke the ref. */
  readonly type: Exclude<ObjectType, "tag"> | "missing";
}

/**
 * Follows tag objects to what they are put on.
 *
 * @throws what `ObjectReader.read` throws, but for a missing object; DamagedTagError for a tag object that names nothing
 */
export function peel(reader: ObjectReader, ref: Ref): Peeled {
  const tagObjects: Oid[] = [];
  let { oid } = ref;
  while (tagObjects.length <= TAG_DEPTH_MAX) {
    const at = oid;
    const found = ifPresent(() => reader.read(at));
    if (found?.type !== "tag") return { tagObjects, oid, type: found?.type ?? "missing" };
    tagObjects.push(oid);
    const target = tagTarget(found.data);
    if (target === undefined)
      throw new DamagedTagError(`the tag object that ${ref.name} leads to does not name an object`);
    oid = target;
  }
  throw new DamagedTagError(`${ref.name} leads to more than ${String(TAG_DEPTH_MAX)} tags of tags`);
}

/** What a tag object is put on; undefined when it does not say. */
export function tagTarget(data: Buffer): Oid | undefined {
  const hex = TAG_TARGET.exec(data.toString("latin1", 0, 64))?.[1];
  return hex === undefined ? undefined : oidFromHex(hex);
}

/** A tag object that cannot be followed. */
export class DamagedTagError extends Error {
  override readonly name = "DamagedTagError";
}
