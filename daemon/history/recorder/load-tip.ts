/**
 * The state at the tip of a branch's history.
 *
 * Owns the start of everything that goes on from there: the daemon's store and the recorder. It reads only.
 */
import type { Seq } from "../../../protocol/identifiers.js";
import type { FileSystem } from "../../platform/file-system.js";
import type { Root } from "../../store/root.js";
import { hexFromOid, type Oid } from "../object/oid.js";
import { decodeRoot } from "../object/root-decoder.js";
import { MAIN_REF } from "../repository/layout.js";
import { ObjectReader } from "../repository/object-reader.js";
import { RefStore } from "../repository/ref-store.js";
import { readCommit } from "../repository/walk.js";

/** The tip of a branch. */
export interface Tip {
  readonly root: Root;
  readonly seq: Seq;
  /** Of the commit object. */
  readonly oid: Oid;
  /** Of the root's tree object. */
  readonly tree: Oid;
  /** The commit's committer date, in seconds since the epoch. */
  readonly committerSeconds: number;
}

/**
 * Loads the tip of a branch; undefined when there is no commit yet.
 *
 * The seq of the tip becomes the `modified` of every node, because trees do not tell it.
 *
 * @param repositoryDirectory - a repository that `openRepository` accepted
 * @param ref - full name; `refs/heads/main` unless told
 * @throws when the tip is not a commit of ours, its tree no state of a XenStore, or something cannot be read
 */
export function loadTip(fileSystem: FileSystem, repositoryDirectory: string, ref = MAIN_REF): Tip | undefined {
  const oid = new RefStore(fileSystem, repositoryDirectory).read(ref);
  if (oid === undefined) return undefined;
  const reader = new ObjectReader(fileSystem, repositoryDirectory);
  try {
    const { tree, committer, trailers } = readCommit(reader, oid);
    const { seq } = trailers;
    if (seq === undefined) {
      const reason =
        "has no trailer Seq, so nobody knows which journal lines follow it; point the branch at a commit of the daemon";
      throw new Error(`${repositoryDirectory}: the tip of ${ref}, ${hexFromOid(oid)}, ${reason}`);
    }
    const root = decodeRoot((wanted) => reader.read(wanted), tree, seq);
    return { root, seq, oid, tree, committerSeconds: committer.seconds };
  } finally {
    reader.close();
  }
}
