/**
 * Giving a commit a name.
 *
 * Owns what is said where a tag cannot be made. A tag is a ref to the commit itself, as `git tag NAME` makes it; it keeps its
 * commit's state from a compaction. It is removed with Git.
 */
import { ConflictError, QueryError } from "../../../protocol/http-api/history-queries.js";
import type { Microseconds } from "../../../protocol/identifiers.js";
import { messageOf } from "../../platform/error-message.js";
import type { FileSystem } from "../../platform/file-system.js";
import type { Oid } from "../object/oid.js";
import { InvalidRefNameError, RefConflictError, RefLockedError, RefMovedError } from "../repository/errors.js";
import { RefStore } from "../repository/ref-store.js";
import { TAG_PREFIX } from "./refs.js";
import { parseRevision } from "./revision.js";

const NAME_LENGTH_MAX = 200;
const OID = /^[0-9a-f]{40}$/i;

/** Where and what to tag. */
export interface NewTag {
  readonly fileSystem: FileSystem;
  /** Absolute. */
  readonly repositoryDirectory: string;
  /** Without `refs/tags/`. */
  readonly name: string;
  readonly commit: Oid;
}

/** Makes a tag; when it returns, it is on the disk. @throws QueryError when it cannot be made; ConflictError when not now */
export function makeTag({ fileSystem, repositoryDirectory, name, commit }: NewTag): void {
  const refs = new RefStore(fileSystem, repositoryDirectory);
  if (name.startsWith("-") || !isReadAsName(name)) throw noName(name);
  if (name.length > NAME_LENGTH_MAX) {
    throw new QueryError(`a tag's name has at most ${String(NAME_LENGTH_MAX)} characters: choose a shorter one`);
  }
  try {
    if (refs.read(`refs/heads/${name}`) !== undefined) {
      throw new QueryError(`there is a branch ${name}, and a tag of that name would hide it: choose another name`);
    }
    refs.update(TAG_PREFIX + name, { expected: undefined, to: commit });
  } catch (error) {
    if (error instanceof InvalidRefNameError) {
      throw noName(name);
    }
    if (error instanceof RefMovedError) {
      throw new QueryError(`there is a tag ${name} already: choose another name, or remove it with git tag -d ${name}`);
    }
    if (error instanceof RefConflictError || error instanceof RefLockedError) throw new QueryError(error.message);
    // A full disk, or a read-only one.
    if (error instanceof Error && "errno" in error) {
      throw new ConflictError(`the tag ${name} cannot be made now: ${messageOf(error)}`, [], { cause: error });
    }
    throw error;
  }
}

/** Whether a revision of this text is a ref's name, and of none that every repository has. */
function isReadAsName(text: string): boolean {
  if (text === "HEAD" || OID.test(text)) return false;
  try {
    const { start, before } = parseRevision(text, 0 as Microseconds);
    return start.kind === "name" && start.name === text && before === 0;
  } catch {
    return false;
  }
}

function noName(name: string): QueryError {
  return new QueryError(`${JSON.stringify(name)} can be no tag's name: write one such as before-the-upgrade`);
}
