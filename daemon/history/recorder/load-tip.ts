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

/** The commit at the tip of a branch. */
export interface TipCommit {
  readonly seq: Seq;
  /** Of the commit object. */
  readonly oid: Oid;
  /** Of the root's tree object. */
  readonly tree: Oid;
  /** The commit's committer date, in seconds since the epoch. */
  readonly committerSeconds: number;
}

/** The tip of a branch, with its state. */
export interface Tip extends TipCommit {
  readonly root: Root;
}

/** Which repository, and which of its branches. */
export interface BranchPlace {
  readonly fileSystem: FileSystem;
  readonly repositoryDirectory: string;
  /** Full name. */
  readonly ref: string;
}

/**
 * Reads the commit at the tip of a branch; undefined when there is no commit yet.
 *
 * @throws when the tip is not a commit of ours, or cannot be read
 */
export function readTipCommit(reader: ObjectReader, place: BranchPlace): TipCommit | undefined {
  const { fileSystem, repositoryDirectory, ref } = place;
  const oid = new RefStore(fileSystem, repositoryDirectory).read(ref);
  if (oid === undefined) return undefined;
  const { tree, committer, trailers } = readCommit(reader, oid);
  const { seq } = trailers;
  if (seq === undefined) {
    throw new Error(
      `${repositoryDirectory}: the tip of ${ref}, ${hexFromOid(oid)}, has no trailer Seq, so nobody knows which journal lines ` +
        "follow it; point the branch at a commit of the daemon",
    );
  }
  return { seq, oid, tree, committerSeconds: committer.seconds };
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
  const reader = new ObjectReader(fileSystem, repositoryDirectory);
  try {
    const commit = readTipCommit(reader, { fileSystem, repositoryDirectory, ref });
    if (commit === undefined) return undefined;
    return { ...commit, root: decodeRoot(reader, commit.tree, commit.seq) };
  } finally {
    reader.close();
  }
}
