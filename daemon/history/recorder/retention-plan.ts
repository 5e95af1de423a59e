/**
 * Where a history shall begin: the decision, without doing anything.
 *
 * Owns the meaning of `--keep-commits`, `--keep-age` and the revisions of CONTROL `compact`. Pure but for looking things
 * up in what it is given.
 *
 * The *boundary* is the oldest commit that is kept; it becomes a root. Where both options are given, a commit stays when
 * either wants it: options that are called "keep" never make each other drop more.
 *
 * Ages are counted back from the newest commit, not from the clock of this moment: a store at rest keeps its last days
 * however long it rests, and a clock that runs ahead drops nothing by itself. The dates are those of the committer, which
 * never decrease along a branch.
 *
 * Dropping costs a rewrite of packs, so it is not done for each commit: `isWorthwhile` waits until a good part is too much.
 */
import type { Seq } from "../../../protocol/identifiers.js";
import { hexFromOid, type Oid } from "../object/oid.js";
import type { CommitChain } from "./commit-chain.js";
import type { Pin } from "./live-refs.js";

/** How much history is wanted; without either, all of it. */
export interface RetentionLimits {
  /** So many of the newest commits stay. */
  readonly keepCommits: number | undefined;
  /** So do those that are at most so old, in seconds. */
  readonly keepSeconds: number | undefined;
}

/** When dropping is worth the work. */
export interface RetentionThreshold {
  /** Least number of commits that are dropped at once. */
  readonly commitsMin: number;
  /** Least part of the wanted history that is dropped at once, such as 0.1. */
  readonly partMin: number;
}

/** Of the daemon; tests take smaller ones. */
export const USUAL_THRESHOLD: RetentionThreshold = { commitsMin: 1000, partMin: 0.1 };

/** A history that has a beginning and an end. */
export interface HistoryExtent {
  readonly oldest: Seq;
  readonly tip: Seq;
}

/** Whether anything is ever dropped. */
export function isLimited(limits: RetentionLimits): boolean {
  return limits.keepCommits !== undefined || limits.keepSeconds !== undefined;
}

/**
 * The oldest commit that the limits keep.
 *
 * @param secondsAt - the committer date of a commit of the history
 */
export function wantedBoundary(limits: RetentionLimits, history: HistoryExtent, secondsAt: (seq: Seq) => number): Seq {
  const { oldest, tip } = history;
  const { keepCommits, keepSeconds } = limits;
  if (!isLimited(limits)) return oldest;
  // Never beyond the tip: there is always a commit to begin with.
  let boundary: number = tip;
  if (keepCommits !== undefined) boundary = Math.min(boundary, Math.max(oldest, tip - keepCommits + 1));
  if (keepSeconds !== undefined) {
    const since = secondsAt(tip) - keepSeconds;
    let [low, high] = [oldest as number, tip as number];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (secondsAt(middle as Seq) < since) low = middle + 1;
      else high = middle;
    }
    boundary = Math.min(boundary, low);
  }
  return boundary as Seq;
}

/** Whether so much lies before the boundary that dropping it is worth the work. */
export function isWorthwhile(boundary: Seq, history: HistoryExtent, threshold = USUAL_THRESHOLD): boolean {
  const excess = boundary - history.oldest;
  const wanted = history.tip - boundary + 1;
  return excess >= Math.max(1, threshold.commitsMin, Math.ceil(wanted * threshold.partMin));
}

/** The boundary moved back to where no other branch loses what it is built on. */
export function withinPins(boundary: Seq, pins: readonly Pin[]): Seq {
  return Math.min(boundary, ...pins.map(({ seq }) => seq)) as Seq;
}

/** A ref and the commit that it leads to. */
export interface NamedCommit {
  /** In full, such as `refs/tags/v1`. */
  readonly name: string;
  readonly commit: Oid;
}

/** What a revision was found to be, or why it is of no use. */
export type Resolution = { readonly seq: Seq } | { readonly refusal: string };

const SEQ_REVISION = /^@\{(0|[1-9][0-9]{0,15})\}$/;
const HEX_REVISION = /^[0-9a-f]{4,40}$/;
/** In Git's order (gitrevisions(7)), as far as it concerns a bare repository. */
const REF_PREFIXES = ["", "refs/", "refs/tags/", "refs/heads/"] as const;

/**
 * Finds the commit of the branch that a person named: `@{1234}` (its seq), a tag, a branch, an oid or at least four of its
 * first digits. A whole oid is never taken for a ref's name; a ref goes before an abbreviated oid.
 */
export function* resolveRevision(
  revision: string,
  history: { readonly chain: CommitChain; readonly named: readonly NamedCommit[] },
): Generator<void, Resolution> {
  const { chain, named } = history;
  const extent = `its commits are @{${String(chain.oldest)}} to @{${String(chain.tip)}}`;
  const digits = SEQ_REVISION.exec(revision)?.[1];
  if (digits !== undefined) {
    const seq = Number(digits);
    return chain.has(seq) ? { seq } : { refusal: `there is no commit ${revision} in the history: ${extent}` };
  }
  const isWhole = revision.length === 40 && HEX_REVISION.test(revision);
  for (const prefix of isWhole ? [] : REF_PREFIXES) {
    const ref = named.find(({ name }) => name === prefix + revision);
    if (ref === undefined) continue;
    const [seq] = yield* chain.withPrefix(hexFromOid(ref.commit));
    return seq === undefined ? { refusal: `${ref.name} is not on a commit of this history: ${extent}` } : { seq };
  }
  if (HEX_REVISION.test(revision)) {
    const [seq, other] = yield* chain.withPrefix(revision);
    if (seq !== undefined && other === undefined) return { seq };
    if (seq !== undefined) return { refusal: `more than one commit begins with ${revision}: give more digits` };
  }
  return {
    refusal: `${JSON.stringify(revision)} is no commit of this history: name a tag, a branch, an object id, or @{N}; ${extent}`,
  };
}
