/**
 * The commit with a given seq on a branch.
 *
 * Owns the answer, whatever state the index of seqs is in: a record is believed when the commit that it names says that it
 * has this seq, and where none is, first parents are followed from the nearest commit above that is known. It only reads.
 *
 * Worked example: commit 500 of 1,000,000 is asked for, and the disk lost the index's page with the records 460 to 663. The
 * records of 501, 502, 504, … 628 are no help, that of 756 is: 256 parents are followed from there.
 *
 * A fork's index begins after the commit that the fork was made from, and a branch that somebody made has none. Where another
 * branch's index has a commit of this history, all that is before it there is of this history too, because a commit names its parents:
 * so one is looked for that has a commit at which a walk arrives.
 *
 * Worked example: commit 17 of a fork of commit 1,000,000 is asked for. The fork's first commit, 1,000,001, is in no index but
 * its own; its parent is in main's, and there the record of 17 is read.
 */
import type { ParsedCommit } from "../object/commit-object.js";
import type { Oid } from "../object/oid.js";
import { MissingObjectError } from "./errors.js";
import { LookSchedule } from "./look-schedule.js";
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

/** Indexes of other branches, and of earlier ones of the same name. */
export interface OtherIndexes {
  /** The likeliest first. */
  indexes(): readonly SeqIndex[];
  /** Up to which commit an index is known to have this history. Kept from one search to the next, as long as the tip stays. */
  readonly known: Map<SeqIndex, number>;
}

/** Where to look. */
export interface CommitSearch {
  readonly reader: ObjectReader;
  /** The branch's own; undefined when that may be of another history. */
  readonly index: SeqIndex | undefined;
  /** Others, which may have a part of this history. */
  readonly elsewhere?: OtherIndexes;
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
  const { reader, tip, packs } = search;
  const guess = packs.guess(seq);
  if (guess !== undefined && !reader.prefer(guess)) packs.forget(guess);
  const found = findRecorded(search, seq);
  if (found !== undefined) {
    if (reader.recentPack !== undefined) packs.note(seq, reader.recentPack);
    return found;
  }
  const above = nearestAbove(search, search.index, seq) ?? { oid: tip, commit: readCommit(reader, tip) };
  return walkDown(search, above, seq);
}

/** What the record of an index that is known to have this history leads to. */
function findRecorded({ reader, index, elsewhere }: CommitSearch, seq: number): FoundCommit | undefined {
  for (const [other, last] of elsewhere?.known ?? []) {
    const found = seq > last ? undefined : readCommitWithSeq(reader, other.oidOfSeq(seq), seq);
    if (found !== undefined) return found;
  }
  return readCommitWithSeq(reader, index?.oidOfSeq(seq), seq);
}

/** The commit of a record after that of `seq`: the next one or, where it is no help, one twice as far on. */
function nearestAbove({ reader }: CommitSearch, index: SeqIndex | undefined, seq: number): FoundCommit | undefined {
  if (index === undefined) return undefined;
  for (let at = Math.max(seq + 1, index.firstSeq() ?? 0), step = 1; ; at += step, step *= 2) {
    const oid = index.oidOfSeq(at);
    const above = readCommitWithSeq(reader, oid, at);
    if (above !== undefined || (oid === undefined && index.isBeyond(at))) return above;
  }
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

function walkDown(search: CommitSearch, from: FoundCommit, seq: number): FoundCommit | undefined {
  const { reader, givenUp } = search;
  let looks = new LookSchedule();
  let at: FoundCommit | undefined = from;
  while (at !== undefined && seqOf(at) > seq) {
    const leapt: FoundCommit | undefined = looks.isDue() ? leapDown(search, at, seq) : undefined;
    if (leapt !== undefined) looks = new LookSchedule();
    at = leapt ?? readPreviousCommit(reader, at, givenUp);
  }
  return at?.commit.trailers.seq === seq ? at : undefined;
}

function seqOf({ commit }: FoundCommit): number {
  return commit.trailers.seq ?? 0;
}

/** Commit `seq`, or one between it and `at`, by the index of another branch that has `at`; undefined when there is none. */
function leapDown(search: CommitSearch, at: FoundCommit, seq: number): FoundCommit | undefined {
  const { reader, elsewhere } = search;
  for (const other of elsewhere?.indexes() ?? []) {
    if (other.oidOfSeq(seqOf(at)) !== at.oid) continue;
    elsewhere?.known.set(other, Math.max(elsewhere.known.get(other) ?? 0, seqOf(at)));
    const found = readCommitWithSeq(reader, other.oidOfSeq(seq), seq) ?? nearestAbove(search, other, seq);
    if (found !== undefined && seqOf(found) < seqOf(at)) return found;
  }
  return undefined;
}
