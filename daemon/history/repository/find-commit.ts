/**
 * The commit with a given seq on a branch.
 *
 * Owns the answer, whatever state the index of seqs is in: a record is believed when the commit that it names says that it
 * has this seq, and where none is, first parents are followed from the nearest commit above that is known. It only reads.
 *
 * Worked example: commit 500 of 1,000,000 is asked for, and the disk lost the index's page with the records 460 to 663. The
 * records of 501, 502, 504, … 628 are no help, that of 756 is: 256 parents are followed from there.
 */
import type { ParsedCommit } from "../object/commit-object.js";
import type { Oid } from "../object/oid.js";
import { MissingObjectError } from "./errors.js";
import type { ObjectReader } from "./object-reader.js";
import type { PackRanges } from "./pack-ranges.js";
import type { SeqIndex } from "./seq-index.js";
import type { Shallow } from "./shallow.js";
import { NotACommitError, readCommit } from "./walk.js";

/** A commit of ours and its name. */
export interface FoundCommit {
  readonly oid: Oid;
  readonly commit: ParsedCommit;
}

/** Where to look. */
export interface CommitSearch {
  readonly reader: ObjectReader;
  readonly index: SeqIndex;
  /** The branch's tip. */
  readonly tip: Oid;
  /** What `readShallow` gave: commits whose parents were given up. */
  readonly givenUp: Shallow;
  /** Kept from one search to the next, with the reader. */
  readonly packs: PackRanges;
}

/**
 * Finds commit `seq` of a branch; undefined when the branch does not have it (any more).
 *
 * @throws DamagedObjectError when a commit on the way is damaged
 */
export function findCommit(search: CommitSearch, seq: number): FoundCommit | undefined {
  const { reader, index, tip, packs } = search;
  const guess = packs.guess(seq);
  if (guess !== undefined && !reader.prefer(guess)) packs.forget(guess);
  const found = readCommitWithSeq(reader, index.oidOfSeq(seq), seq);
  if (found !== undefined) {
    if (reader.recentPack !== undefined) packs.note(seq, reader.recentPack);
    return found;
  }
  for (let distance = 1; ; distance *= 2) {
    const oid = index.oidOfSeq(seq + distance);
    const above = readCommitWithSeq(reader, oid, seq + distance);
    if (above !== undefined) return walkDown(search, above, seq);
    if (oid === undefined && index.isBeyond(seq + distance)) break;
  }
  const commit = readCommit(reader, tip);
  return walkDown(search, { oid: tip, commit }, seq);
}

/** The commit with this oid when there is one that says that it has this seq. */
export function readCommitWithSeq(reader: ObjectReader, oid: Oid | undefined, seq: number): FoundCommit | undefined {
  if (oid === undefined) return undefined;
  try {
    const commit = readCommit(reader, oid);
    return commit.trailers.seq === seq ? { oid, commit } : undefined;
  } catch (error) {
    if (error instanceof MissingObjectError || error instanceof NotACommitError) return undefined;
    throw error;
  }
}

/** The commit before this one on its branch; undefined at the beginning of the history, or when it is none of ours. */
export function readPreviousCommit(
  reader: ObjectReader,
  { oid, commit }: FoundCommit,
  givenUp: Shallow,
): FoundCommit | undefined {
  const { seq } = commit.trailers;
  if (seq === undefined || givenUp.has(oid)) return undefined;
  return readCommitWithSeq(reader, commit.parents[0], seq - 1);
}

function walkDown({ reader, givenUp }: CommitSearch, from: FoundCommit, seq: number): FoundCommit | undefined {
  let at: FoundCommit | undefined = from;
  while (at !== undefined && (at.commit.trailers.seq ?? 0) > seq) at = readPreviousCommit(reader, at, givenUp);
  return at?.commit.trailers.seq === seq ? at : undefined;
}
