/**
 * Which commit made a predicate true.
 *
 * Owns the answer for expressions: the two ends are looked at, the line between them is halved, and flips are looked for as
 * far as a moment allows, because halving finds *a* commit that turned the predicate, and the only one where it turns once.
 * Where the tip is not bad any more, because what failed was cleaned away, the newest bad commit is looked for.
 * A program that judges states is run by whoever asks (`bisection.ts` has the search, `bisect-ends.ts` the ends).
 */
import type { BisectAnswer, BisectQuery } from "../../../protocol/http-api/bisect.js";
import { QueryError } from "../../../protocol/http-api/history-queries.js";
import type { Domid } from "../../../protocol/identifiers.js";
import { NamedPredicateError, parseNamedPredicate } from "../../../protocol/predicate/named-predicate.js";
import type { Predicate } from "../../../protocol/predicate/predicate.js";
import { serializePredicate } from "../../../protocol/predicate/serialize-predicate.js";
import type { ObjectSource } from "../repository/read-path.js";
import { endAt, resolveEnds, type BisectRange } from "./bisect-ends.js";
import { bisect } from "./bisection.js";
import { commitJson, summaryJson } from "./commit-json.js";
import { summarizeCommit } from "./commit-summary.js";
import { countFlips, type Flips } from "./flips.js";
import { holdsAtCommit, newestHeld, type NewestHeld } from "./held-commits.js";
import { PATIENCE_MILLISECONDS, type Question } from "./question.js";
import { recordedState } from "./recorded-state.js";
import { showCommit } from "./show.js";
import type { StretchSearch } from "./stretches.js";
import { rememberingSource, walkingCommitsTouching } from "./touching-commits.js";
import { missingPaths } from "./missing-paths.js";

/** So long flips are looked for in any case, unless somebody says how far. */
const FLIPS_MILLISECONDS_MIN = 15;
/** Longest that a commit is looked for which would be a fit end, where nobody has more patience. */
const LOOK_BACK_MILLISECONDS_MAX = 500;
/** Longest that a predicate is evaluated at all where others wait; guests choose the values that it searches. */
const EVALUATION_MILLISECONDS_MAX = 2000;

/** Answers `bisect`. @throws QueryError, RevisionError, and what `HistoryView.commit` and `findPath` throw */
export function answerBisect(question: Question, query: BisectQuery): BisectAnswer {
  const { view, clock } = question;
  const begin = clock.monotonicMilliseconds();
  const predicate = predicateOf(query);
  const source = limitedSource(question, rememberingSource(view.reader));
  const given = { predicate, range: resolveEnds(question, query), source };
  const range = fitRange(question, given, query);
  const { good, bad, line } = range;
  const holdsAt = (seq: number): boolean => holdsAtCommit(predicate, { line, source }, seq);
  const { end, tried } = bisect({ good: good.seq, bad: bad.seq }, (seq) => (holdsAt(seq) ? "bad" : "good"));
  const first = end.kind === "found" ? line.find(end.seq) : undefined;
  if (first === undefined) throw new Error("a bisection without skips ended without a commit");
  const tip = given.range.bad;
  return {
    predicate: serializePredicate(predicate),
    good: summaryJson(summarizeCommit(good.found)),
    bad: summaryJson(summarizeCommit(bad.found)),
    ...(bad.seq === tip.seq ? {} : { tip: summaryJson(summarizeCommit(tip.found)) }),
    first: commitJson(showCommit(view, first)),
    steps: tried.length,
    tried: tried.map(({ seq, verdict }) => ({ seq, isBad: verdict === "bad" })),
    flips: {
      ...flipsOf(question, { predicate, range, source }, { begin, flips: query.flips }),
      commits: bad.seq - good.seq,
    },
  };
}

/** A predicate takes too long. */
class TooLongError extends QueryError {}

/** A source that is read no more when the time is up: evaluating a predicate reads each value that it looks at. */
function limitedSource({ clock, patienceMilliseconds }: Question, source: ObjectSource): ObjectSource {
  if (patienceMilliseconds !== undefined) return source;
  const deadline = clock.monotonicMilliseconds() + EVALUATION_MILLISECONDS_MAX;
  return {
    read(oid) {
      if (clock.monotonicMilliseconds() <= deadline) return source.read(oid);
      throw new TooLongError(
        `to look at this predicate takes longer than ${String(EVALUATION_MILLISECONDS_MAX / 1000)} s, and others wait ` +
          "meanwhile: name fewer nodes, a simpler expression, or the repository itself (xs bisect --repo)",
      );
    },
  };
}

/** A predicate and where it is evaluated. */
interface Bisected {
  readonly predicate: Predicate;
  readonly range: BisectRange;
  readonly source: ObjectSource;
}

function predicateOf({ predicate, domain }: BisectQuery): Predicate {
  try {
    return parseNamedPredicate(predicate, domain as Domid | undefined).predicate;
  } catch (error) {
    if (error instanceof NamedPredicateError) throw new QueryError(error.message, { cause: error });
    throw error;
  }
}

/**
 * The range to halve: the one that is asked for, or, where no bad commit is named and the predicate does not hold at HEAD, that
 * up to the newest commit at which it does.
 *
 * @throws QueryError where the ends are not what they are said to be
 */
function fitRange(question: Question, bisected: Bisected, { bad: badGiven }: BisectQuery): BisectRange {
  const { predicate, range, source } = bisected;
  const { good, bad, line } = range;
  const [heldAtGood, heldAtBad] = [good, bad].map(({ seq }) => holdsAtCommit(predicate, { line, source }, seq));
  if (heldAtGood === false && heldAtBad === true) return range;
  const message = `the predicate must not hold at good, ${good.name}, and must hold at bad, ${bad.name}: it`;
  if (heldAtGood !== heldAtBad) {
    throw new QueryError(`${message} is the other way round; write not (…) to find what ended it`);
  }
  const wanted = heldAtGood === false;
  const { seq, lookedFrom } = lookBack(question, bisected, wanted);
  if (seq !== undefined && wanted && badGiven === undefined) return { ...range, bad: endAt(line, seq) };
  const everywhere = wanted ? "holds at neither, nor" : "holds at both, and";
  if (seq === undefined) {
    const where =
      lookedFrom <= good.seq + 1 ? "between them" : `in the last ${String(bad.seq - lookedFrom + 1)} commits`;
    const states = [bad, good].map(({ found }) => recordedState(source, found.commit.tree));
    throw new QueryError([`${message} ${everywhere} ${where}`, ...missingPaths(predicate, states)].join("\n"));
  }
  const [ends, last, option] = wanted ? ["neither", "held", "--bad"] : ["both", "did not hold", "--good"];
  const at = `@{${String(seq)}}`;
  throw new QueryError(`${message} holds at ${ends}; it ${last} last at ${at}: name that one with ${option} ${at}`);
}

/** The newest commit between the ends at which the predicate holds, or does not, if it can be found in time. */
function lookBack(question: Question, bisected: Bisected, isHeld: boolean): NewestHeld {
  const { predicate, range } = bisected;
  const { clock } = question;
  const { patienceMilliseconds = 0 } = question;
  const deadline = clock.monotonicMilliseconds() + Math.max(patienceMilliseconds, LOOK_BACK_MILLISECONDS_MAX);
  const search = stretchSearch(question, bisected, () => clock.monotonicMilliseconds() < deadline);
  return newestHeld(predicate, search, { good: range.good.seq, bad: range.bad.seq, isHeld });
}

function stretchSearch(
  { view }: Question,
  { range: { line }, source }: Bisected,
  mayGoOn: () => boolean,
): StretchSearch {
  return { line, source, commitsTouching: walkingCommitsTouching(view, line, { source, mayGoOn }) };
}

function flipsOf(
  question: Question,
  bisected: Bisected,
  { begin, flips }: { readonly begin: number; readonly flips: number | undefined },
): Flips {
  const { clock, patienceMilliseconds = PATIENCE_MILLISECONDS } = question;
  const { good, bad } = bisected.range;
  const deadline = Math.max(begin + patienceMilliseconds, clock.monotonicMilliseconds() + FLIPS_MILLISECONDS_MIN);
  const isInTime = (): boolean => clock.monotonicMilliseconds() < deadline;
  let left = flips ?? 0;
  const mayGoOn = flips === undefined ? isInTime : () => left-- > 0;
  const search = stretchSearch(question, bisected, mayGoOn);
  try {
    return countFlips(bisected.predicate, search, { good: good.seq, bad: bad.seq });
  } catch (error) {
    // The first bad commit is known, which is what was asked.
    if (error instanceof TooLongError) return { count: 0, looked: 0 };
    throw error;
  }
}
