/**
 * Commits by oid: what a walk over history reads at each step.
 *
 * Owns "read it and insist that it is a commit", and the end of every walk: a commit that `shallow` lists is a root,
 * whatever its text says of parents, because they are no longer there. The text of a commit is
 * `object/commit-object.ts`'s.
 */
import { parseCommit, type ParsedCommit } from "../object/commit-object.js";
import { hexFromOid, type Oid } from "../object/oid.js";
import type { ObjectReader } from "./object-reader.js";
import type { Shallow } from "./shallow.js";

/** The object is not a commit, or its header is not Git's. */
export class NotACommitError extends Error {
  override readonly name = "NotACommitError";
  constructor(oid: Oid, reason: string) {
    super(`object ${hexFromOid(oid)} is not a commit that can be walked: ${reason}`);
  }
}

/**
 * Reads a commit: its tree, its parents (the first is the branch's own history) and its text, ours or a stranger's.
 *
 * @param shallow - what `readShallow` gave: these have no parents. Whoever looks at parents must pass it
 * @throws NotACommitError, and what `ObjectReader.read` throws
 */
export function readCommit(reader: ObjectReader, oid: Oid, shallow?: Shallow): ParsedCommit {
  const { type, data } = reader.read(oid);
  if (type !== "commit") throw new NotACommitError(oid, `it is a ${type}`);
  const commit = parseCommit(data);
  if (commit === undefined)
    throw new NotACommitError(oid, "it does not begin with tree, parents, author and committer");
  return shallow?.has(oid) === true ? { ...commit, parents: [] } : commit;
}
