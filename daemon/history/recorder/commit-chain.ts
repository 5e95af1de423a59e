/**
 * The commits of a branch by their seqs: its first-parent history, from where it begins to the tip.
 *
 * Owns the table, 20 bytes a commit, and the walk that fills it. It reads only. The walk is a generator that pauses often,
 * because a history may have millions of commits and the recorder's thread has other things to do.
 *
 * Invariant: seqs have no gaps (design.md, "Words"), so a commit's place in the table is its seq less the oldest one's.
 * The walk counts down from the tip's seq and believes the result only when the commit that it ends at agrees.
 */
import { Buffer } from "node:buffer";
import type { Seq } from "../../../protocol/identifiers.js";
import { hexFromOid, OID_BYTES, oidFromBytes, oidFromHex, type Oid } from "../object/oid.js";
import { DamagedObjectError, MissingObjectError } from "../repository/errors.js";
import type { ObjectReader } from "../repository/object-reader.js";
import type { Shallow } from "../repository/shallow.js";
import { NotACommitError, readCommit } from "../repository/walk.js";

/** Commits read between two pauses. */
const SLICE_COMMITS = 64;
/** Commits looked at between two pauses when nothing is read. */
const SLICE_SEARCHED = 16 * 1024;
const INITIAL_COMMITS = 1024;
/** Where a commit object names its first parent: behind `tree `, 40 digits and a newline. */
const PARENT_AT = 46;
const PARENT = "parent ";

/** The history has commits that the recorder did not make, so that seqs say nothing. */
export class BrokenChainError extends Error {
  override readonly name = "BrokenChainError";
  constructor(oid: Oid, found: Seq | undefined, expected: number) {
    super(
      `commit ${hexFromOid(oid)} should have the trailer Seq: ${String(expected)} and has ${found === undefined ? "none" : String(found)}: ` +
        "somebody changed the branch; nothing is dropped from it",
    );
  }
}

/** The first-parent history of a branch. */
export class CommitChain {
  readonly tip: Seq;
  /** The first commit that is still there and can be read. */
  readonly oldest: Seq;
  /** Why the walk went no further, when it should have. */
  readonly damage: Error | undefined;
  /** The oids, the tip's first. */
  readonly #oids: Buffer;

  constructor(tip: Seq, oids: Buffer, damage?: Error) {
    this.tip = tip;
    this.damage = damage;
    this.#oids = oids;
    this.oldest = (tip - oids.length / OID_BYTES + 1) as Seq;
  }

  /** Whether there is a commit with this seq. */
  has(seq: number): seq is Seq {
    return Number.isSafeInteger(seq) && seq >= this.oldest && seq <= this.tip;
  }

  /** The commit with this seq; asking for one that is not there is a mistake. */
  oidAt(seq: Seq): Oid {
    if (!this.has(seq)) throw new RangeError(`there is no commit ${String(seq)} in this history`);
    const at = (this.tip - seq) * OID_BYTES;
    return oidFromBytes(this.#oids, at);
  }

  /**
   * The seqs of the commits whose oids begin with these hexadecimal digits, at most two: one is what the caller hopes
   * for, and two are as good as more.
   */
  *withPrefix(digits: string): Generator<void, Seq[]> {
    const whole = Buffer.from(digits.slice(0, digits.length & ~1), "hex");
    const half = digits.length % 2 === 0 ? undefined : parseInt(digits.slice(-1), 16);
    const found: Seq[] = [];
    for (let at = 0, count = 0; at < this.#oids.length && found.length < 2; at += OID_BYTES, count++) {
      if (count % SLICE_SEARCHED === SLICE_SEARCHED - 1) yield;
      if (this.#oids.compare(whole, 0, whole.length, at, at + whole.length) !== 0) continue;
      if (half !== undefined && (this.#oids[at + whole.length] as number) >> 4 !== half) continue;
      found.push((this.tip - at / OID_BYTES) as Seq);
    }
    return found;
  }
}

/**
 * Walks from the tip to the first commit that is there; or to one that cannot be read, because what lies before it may be
 * what is to be dropped.
 *
 * @param shallow - what `readShallow` gave
 * @throws BrokenChainError, NotACommitError; for the tip what `ObjectReader.read` throws, and what the disk throws
 */
export function* walkChain(reader: ObjectReader, tip: Oid, shallow: Shallow): Generator<void, CommitChain> {
  const tipSeq = readCommit(reader, tip).trailers.seq;
  if (tipSeq === undefined) throw new BrokenChainError(tip, undefined, 1);
  let oids = Buffer.allocUnsafeSlow(INITIAL_COMMITS * OID_BYTES);
  let count = 0;
  let last = tip;
  let damage: Error | undefined;
  for (let next: Oid | undefined = tip; next !== undefined; count++) {
    if (count % SLICE_COMMITS === SLICE_COMMITS - 1) yield;
    if ((count + 1) * OID_BYTES > oids.length) {
      const larger = Buffer.allocUnsafeSlow(oids.length * 2);
      larger.set(oids);
      oids = larger;
    }
    oids.write(next, count * OID_BYTES, "latin1");
    try {
      const parent = readFirstParent(reader, next);
      last = next;
      next = shallow.has(next) ? undefined : parent;
    } catch (error) {
      if (!(error instanceof DamagedObjectError || error instanceof MissingObjectError)) throw error;
      damage = error;
      break;
    }
  }
  const oldest = tipSeq - count + 1;
  const found = readCommit(reader, last).trailers.seq;
  if (found !== oldest) throw new BrokenChainError(last, found, oldest);
  return new CommitChain(tipSeq, oids.subarray(0, count * OID_BYTES), damage);
}

/** Only the first parent: parsing all of a million commits would take most of the walk's time. */
function readFirstParent(reader: ObjectReader, oid: Oid): Oid | undefined {
  const { type, data } = reader.read(oid);
  if (type !== "commit") throw new NotACommitError(oid, `it is a ${type}`);
  const from = PARENT_AT + PARENT.length;
  if (data.toString("latin1", PARENT_AT, from) !== PARENT) return undefined;
  return oidFromHex(data.toString("latin1", from, from + 2 * OID_BYTES));
}
