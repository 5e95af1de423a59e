/**
 * From a revision to its commit.
 *
 * Owns which commit a revision comes to, and what is said where it comes to none. A ref goes before an abbreviated oid, a tag
 * before a branch, as in Git; a whole oid is never taken for a ref's name.
 */
import type { Microseconds } from "../../../protocol/identifiers.js";
import { nearestWord } from "../../../protocol/predicate/nearest-word.js";
import { isoTime } from "../../../protocol/iso-time.js";
import { hexFromOid, oidFromHex, type Oid } from "../object/oid.js";
import type { FoundCommit } from "../repository/find-commit.js";
import { MAIN_REF } from "../repository/layout.js";
import { ifPresent, peel } from "../repository/peel.js";
import { madeAt } from "./commit-time.js";
import type { HistoryView } from "./history.js";
import { BeforeHistoryError, parseRevision, RevisionError, type Revision, type RevisionStart } from "./revision.js";

/** In Git's order (gitrevisions(7)). */
const REF_PREFIXES = ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"] as const;
const BRANCHES = "refs/heads/";
const OID_START = /^[0-9a-f]{4,40}$/;
const OID_DIGITS = 40;
/** What a commit's number looks like. */
const NUMBER = /^[1-9][0-9]{0,14}$/;
/** Who writes so many digits of an object id means one: Git itself shows seven at least. */
const OID_DIGITS_SURE = 7;
/** So many of the commits that an abbreviation may mean are named. */
const CANDIDATES_NAMED = 5;

/**
 * The commit that a revision names.
 *
 * @param now - what `@{5 minutes ago}` is counted from
 * @param branch - the branch at hand: whose newest commit HEAD is, and whose commits `@{1234}` are; main unless given
 * @throws RevisionError; what `HistoryView.commit` throws when the history is damaged
 */
export function resolveRevision(view: HistoryView, text: string, now: Microseconds, branch?: string): FoundCommit {
  const revision = parseRevision(text, now);
  const start = branch === undefined ? revision.start : startOn(revision.start, branch);
  return goBack(view, resolveStart(view, start, text), revision);
}

/** What a revision begins with where there is a branch at hand. */
function startOn(start: RevisionStart, branch: string): RevisionStart {
  // By its whole name, for there may be a tag of that name.
  if (start.kind === "name") return start.name === "HEAD" ? { ...start, name: BRANCHES + branch } : start;
  return start.branch === undefined || isHead(start.branch) ? { ...start, branch } : start;
}

function isHead(branch: string): boolean {
  return branch === "HEAD" || branch === "@";
}

function resolveStart(view: HistoryView, start: RevisionStart, text: string): FoundCommit {
  switch (start.kind) {
    case "name":
      if (start.name.startsWith(BRANCHES)) branchRef(view, start.name, text);
      return view.commit(oidOfName(view, start.name, text));
    case "seq": {
      const ref = branchRef(view, start.branch, text);
      const found = view.commitWithSeq(ref, start.seq);
      if (found !== undefined) return found;
      throw new RevisionError(`there is no commit ${text}: ${extentOf(view, ref)}`);
    }
    case "time": {
      const ref = branchRef(view, start.branch, text);
      const found = commitAtTime(view, ref, start.time);
      if (found !== undefined) return found;
      throw new BeforeHistoryError(`there was no commit yet at ${text}: ${extentOf(view, ref)}`);
    }
  }
}

/** The full name of a branch; main when it is not named. */
function branchRef(view: HistoryView, branch: string | undefined, text: string): string {
  const ref = fullBranchName(view, branch);
  if (view.ref(ref) !== undefined) return ref;
  const names = view.refs.flatMap(({ name }) => (name.startsWith(BRANCHES) ? [name.slice(BRANCHES.length)] : []));
  if (names.length === 0) throw new RevisionError(`${text} names no commit: ${NO_BRANCHES}`);
  throw new RevisionError(`${text}: there is no branch ${ref.replace(BRANCHES, "")}; there is ${listed(names)}`);
}

const NO_BRANCHES = "nothing has been recorded yet, or this clone has no branches of its own";

function fullBranchName(view: HistoryView, branch: string | undefined): string {
  if (branch !== undefined && isHead(branch)) return view.headRef ?? MAIN_REF;
  if (branch !== undefined) return branch.startsWith("refs/") ? branch : BRANCHES + branch;
  // A clone may be of another branch.
  return view.ref(MAIN_REF) === undefined ? (view.headRef ?? MAIN_REF) : MAIN_REF;
}

/** Which commits a branch has, in words. */
function extentOf(view: HistoryView, ref: string): string {
  const tip = view.tip(ref);
  const oldest = view.oldest(ref);
  if (tip === undefined || oldest === undefined) return "nothing has been recorded yet";
  return `the commits of ${ref.replace(BRANCHES, "")} are ${describe(oldest)} to ${describe(tip)}`;
}

function describe({ oid, commit }: FoundCommit): string {
  const { seq, time } = commit.trailers;
  if (seq === undefined) return hexFromOid(oid);
  return time === undefined ? `@{${String(seq)}}` : `@{${String(seq)}} of ${isoTime(time)}`;
}

function oidOfName(view: HistoryView, name: string, text: string): Oid {
  const isWhole = name.length === OID_DIGITS && OID_START.test(name.toLowerCase());
  for (const prefix of isWhole ? [] : REF_PREFIXES) {
    const full = prefix + name;
    const oid = view.ref(full);
    if (oid === undefined) continue;
    const peeled = peel(view.reader, { name: full, oid });
    if (peeled.type === "commit") return peeled.oid;
    const what = peeled.type === "missing" ? "an object that is not there" : `a ${peeled.type}`;
    throw new RevisionError(`${text} names no commit: ${full} leads to ${what}`);
  }
  // Object ids are in small letters here; people write them as they like, and so does Git take them.
  const digits = name.toLowerCase();
  if (OID_START.test(digits)) return commitWithPrefix(view, digits, text);
  if (name === "HEAD") throw new RevisionError(`${text} names no commit: ${NO_BRANCHES}`);
  const near = nearestWord(name, shortNames(view));
  if (near !== undefined) {
    throw new RevisionError(`there is no ${JSON.stringify(name)} in this history: did you mean ${near}?`);
  }
  throw new RevisionError(
    `there is no ${JSON.stringify(name)} in this history: ` +
      (numberHint(name) ?? `${EXAMPLES}${name.length < 4 ? " (of at least four digits)" : ""}`),
  );
}

/** The names of branches and tags, as people write them. */
function shortNames(view: HistoryView): string[] {
  return view.refs.flatMap(({ name }) => /^refs\/(?:heads|tags)\/(.+)$/.exec(name)?.[1] ?? []);
}

const EXAMPLES = "name a branch, a tag, @{1234}, @{5 minutes ago}, or an object id";

function commitWithPrefix(view: HistoryView, prefix: string, text: string): Oid {
  const candidates = prefix.length === OID_DIGITS ? [oidFromHex(prefix)] : view.reader.withPrefix(prefix);
  const commits = new Set<Oid>();
  let other: string | undefined;
  for (const oid of candidates) {
    const found = ifPresent(() => peel(view.reader, { name: hexFromOid(oid), oid }));
    if (found?.type === "commit") commits.add(found.oid);
    else other ??= found?.type;
  }
  const [commit, second] = commits;
  if (commit !== undefined && second === undefined) {
    refuseNumber(view, prefix, text);
    return commit;
  }
  if (commit === undefined) {
    const what = other === undefined || other === "missing" ? "no object begins so" : `it is a ${other}, not a commit`;
    const hint = numberHint(prefix);
    throw new RevisionError(`there is no commit ${text}: ${what}${hint === undefined ? "" : `; ${hint}`}`);
  }
  const named = [...commits].slice(0, CANDIDATES_NAMED).map((oid) => hexFromOid(oid));
  throw new RevisionError(`more than one commit begins with ${prefix}: give more digits of ${listed(named)}`);
}

/** What somebody may have meant who wrote digits alone; undefined where they are no number. */
function numberHint(name: string): string | undefined {
  return NUMBER.test(name) ? `commit number ${name} is @{${name}}` : undefined;
}

/** Few digits that begin an object id by accident were meant for a commit's number, where there is such a commit. */
function refuseNumber(view: HistoryView, digits: string, text: string): void {
  if (!NUMBER.test(digits) || digits.length >= OID_DIGITS_SURE) return;
  if (view.commitWithSeq(branchRef(view, undefined, text), Number(digits)) === undefined) return;
  throw new RevisionError(
    `${digits} is the beginning of an object id and a commit's number: write @{${digits}}, or more of the id`,
  );
}

function listed(words: readonly string[]): string {
  return words.length > 1 ? `${words.slice(0, -1).join(", ")} or ${String(words.at(-1))}` : words.join("");
}

/** So many commits before one; by seqs where it is on a branch of ours, for a walk of a million commits takes minutes. */
function goBack(view: HistoryView, from: FoundCommit, { before, text }: Revision): FoundCommit {
  if (before === 0) return from;
  const { seq } = from.commit.trailers;
  const branch = seq === undefined ? undefined : view.branchWith(from);
  if (seq !== undefined && branch !== undefined) {
    const found = view.commitWithSeq(branch, seq - before);
    if (found !== undefined) return found;
    throw new RevisionError(`there is no commit ${text}: ${extentOf(view, branch)}`);
  }
  let at = from;
  for (let step = 0; step < before; step++) {
    const previous = view.previous(at);
    if (previous === undefined) {
      const whole = step === 1 ? "only one commit is" : `only ${String(step)} commits are`;
      const there = step === 0 ? "the history begins with what it counts from" : `${whole} before what it counts from`;
      throw new RevisionError(`there is no commit ${text}: ${there}`);
    }
    at = previous;
  }
  return at;
}

/**
 * The last commit of a branch that had been made at a time; undefined when there was none yet. It halves the branch, going
 * by committer dates, which never decrease; so where the clock was set back it is one of the commits around that.
 */
export function commitAtTime(view: HistoryView, ref: string, time: Microseconds): FoundCommit | undefined {
  const tip = view.tip(ref);
  if (tip === undefined || isAtOrBefore(tip, time)) return tip;
  const { seq: tipSeq } = tip.commit.trailers;
  if (tipSeq === undefined) return walkTo(view, tip, time);
  let low = (view.oldest(ref)?.commit.trailers.seq ?? tipSeq) - 1;
  let high: number = tipSeq;
  let best: FoundCommit | undefined;
  // Commit `low` had been made (or is before the beginning), commit `high` had not.
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    const found = view.commitWithSeq(ref, middle);
    if (found === undefined || isAtOrBefore(found, time)) {
      low = middle;
      best = found ?? best;
    } else high = middle;
  }
  return best;
}

function walkTo(view: HistoryView, tip: FoundCommit, time: Microseconds): FoundCommit | undefined {
  let at: FoundCommit | undefined = tip;
  while (at !== undefined && !isAtOrBefore(at, time)) at = view.previous(at);
  return at;
}

function isAtOrBefore(found: FoundCommit, time: Microseconds): boolean {
  return madeAt(found) <= time;
}
