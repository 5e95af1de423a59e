/**
 * Recorded roots without a repository.
 *
 * Owns a reader of what was encoded, which counts.
 */
import { hashObject, type Oid } from "../../daemon/history/object/oid.js";
import type { GitObject } from "../../daemon/history/object/pack-decode.js";
import { encodeRoot } from "../../daemon/history/object/root-encoder.js";
import { MissingObjectError } from "../../daemon/history/repository/errors.js";
import { ObjectReader } from "../../daemon/history/repository/object-reader.js";
import type { Root } from "../../daemon/store/root.js";
import { createMemoryFileSystem } from "./memory-file-system.js";

/** Reads what was encoded, and counts. */
export class EncodedObjects extends ObjectReader {
  reads = 0;
  readonly #objects = new Map<Oid, GitObject>();

  constructor() {
    super(createMemoryFileSystem(), "/nowhere");
  }

  encode(root: Root): Oid {
    return encodeRoot(root, (type, content) => {
      const oid = hashObject(type, content);
      this.#objects.set(oid, { type, data: Buffer.from(content, "latin1") });
      return oid;
    });
  }

  override read(oid: Oid): GitObject {
    this.reads++;
    const object = this.#objects.get(oid);
    if (object === undefined) throw new MissingObjectError(oid, "memory");
    return object;
  }
}
