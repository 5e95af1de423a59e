/**
 * Giving a commit a name.
 *
 * Owns what is said where a tag cannot be made. A tag is a ref to the commit itself, as `git tag NAME` makes it; it keeps its
 * commit's state from a compaction. It is removed with Git.
 */
import { QueryError } from "../../../protocol/http-api/history-queries.js";
import type { FileSystem } from "../../platform/file-system.js";
import type { Oid } from "../object/oid.js";
import { InvalidRefNameError, RefConflictError, RefLockedError, RefMovedError } from "../repository/errors.js";
import { RefStore } from "../repository/ref-store.js";
import { TAG_PREFIX } from "./refs.js";

/** Where and what to tag. */
export interface NewTag {
  readonly fileSystem: FileSystem;
  /** Absolute. */
  readonly repositoryDirectory: string;
  /** Without `refs/tags/`. */
  readonly name: string;
  readonly commit: Oid;
}

/** Makes a tag; when it returns, it is on the disk. @throws QueryError when it cannot be made */
export function makeTag({ fileSystem, repositoryDirectory, name, commit }: NewTag): void {
  const refs = new RefStore(fileSystem, repositoryDirectory);
  if (name.startsWith("-") || name === "HEAD") {
    throw new QueryError(`${JSON.stringify(name)} can be no tag's name: write one such as before-the-upgrade`);
  }
  try {
    if (refs.read(`refs/heads/${name}`) !== undefined) {
      throw new QueryError(`there is a branch ${name}, and a tag of that name would hide it: choose another name`);
    }
    refs.update(TAG_PREFIX + name, { expected: undefined, to: commit });
  } catch (error) {
    if (error instanceof InvalidRefNameError) {
      throw new QueryError(`${JSON.stringify(name)} can be no tag's name: write one such as before-the-upgrade`);
    }
    if (error instanceof RefMovedError) {
      throw new QueryError(`there is a tag ${name} already: choose another name, or remove it with git tag -d ${name}`);
    }
    if (error instanceof RefConflictError || error instanceof RefLockedError) throw new QueryError(error.message);
    throw error;
  }
}
