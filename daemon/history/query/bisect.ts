/**
 * Which commit made a predicate true.
 *
 * Owns the answer for expressions: the two ends are looked at, the line between them is halved, and flips are looked for as
 * far as a moment allows, because halving finds *a* commit that turned the predicate, and the only one where it turns once.
 * A program that judges states is run by whoever asks (`bisection.ts` has the search, `bisect-ends.ts` the ends).
 */
import type { BisectAnswer, BisectQuery } from "../../../protocol/http-api/bisect.js";
import { QueryError } from "../../../protocol/http-api/history-queries.js";
import type { Domid } from "../../../protocol/identifiers.js";
import { evaluate } from "../../../protocol/predicate/evaluate.js";
import { NamedPredicateError, parseNamedPredicate } from "../../../protocol/predicate/named-predicate.js";
import type { Predicate } from "../../../protocol/predicate/predicate.js";
import { serializePredicate } from "../../../protocol/predicate/serialize-predicate.js";
import type { ObjectSource } from "../repository/read-path.js";
import { resolveEnds, type BisectRange } from "./bisect-ends.js";
import { bisect } from "./bisection.js";
import { commitJson, summaryJson } from "./commit-json.js";
import type { CommitLine } from "./commit-line.js";
import { summarizeCommit } from "./commit-summary.js";
import { countFlips, type Flips } from "./flips.js";
import type { Question } from "./question.js";
import { recordedState } from "./recorded-state.js";
import { showCommit } from "./show.js";
import { rememberingSource, walkingCommitsTouching } from "./touching-commits.js";
import { missingPaths } from "./missing-paths.js";

/** What the search leaves of this, flips are looked for, unless somebody says how far; and this long in any case. */
const ANSWER_MILLISECONDS = 80;
const FLIPS_MILLISECONDS_MIN = 15;

/** Answers `bisect`. @throws QueryError, RevisionError, and what `HistoryView.commit` and `findPath` throw */
export function answerBisect(question: Question, query: BisectQuery): BisectAnswer {
  const { view, clock } = question;
  const begin = clock.monotonicMilliseconds();
  const predicate = predicateOf(query);
  const range = resolveEnds(question, query);
  const { good, bad, line } = range;
  const source = rememberingSource(view.reader);
  const holdsAt = (seq: number): boolean => holdsAtCommit(predicate, { line, source }, seq);
  checkEnds({ predicate, range, source }, { good: holdsAt(good.seq), bad: holdsAt(bad.seq) });
  const { end, tried } = bisect({ good: good.seq, bad: bad.seq }, (seq) => (holdsAt(seq) ? "bad" : "good"));
  const first = end.kind === "found" ? line.find(end.seq) : undefined;
  if (first === undefined) throw new Error("a bisection without skips ended without a commit");
  return {
    predicate: serializePredicate(predicate),
    good: summaryJson(summarizeCommit(good.found)),
    bad: summaryJson(summarizeCommit(bad.found)),
    first: commitJson(showCommit(view, first)),
    steps: tried.length,
    tried: tried.map(({ seq, verdict }) => ({ seq, isBad: verdict === "bad" })),
    flips: {
      ...flipsOf(question, { predicate, range, source }, { begin, flips: query.flips }),
      commits: bad.seq - good.seq,
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

function holdsAtCommit(
  predicate: Predicate,
  { line, source }: { readonly line: CommitLine; readonly source: ObjectSource },
  seq: number,
): boolean {
  return evaluate(predicate, (commitsBack) => {
    const found = line.find(seq - commitsBack);
    return found === undefined ? undefined : recordedState(source, found.commit.tree);
  });
}

/** @param holdsAt - whether the predicate holds at either end */
function checkEnds(
  { predicate, range: { good, bad }, source }: Bisected,
  holdsAt: { readonly good: boolean; readonly bad: boolean },
): void {
  if (!holdsAt.good && holdsAt.bad) return;
  const where = `at good, ${good.name}, and at bad, ${bad.name}`;
  let message = `the predicate must not hold ${where.replace(", and at", ", and must hold at")}`;
  if (holdsAt.good !== holdsAt.bad) {
    message += ": it is the other way round; write not (…) to find what ended it";
  } else message += holdsAt.good ? ": it holds at both" : ": it holds at neither";
  const states = [bad, good].map(({ found }) => recordedState(source, found.commit.tree));
  throw new QueryError([message, ...missingPaths(predicate, states)].join("\n"));
}

function flipsOf(
  { view, clock }: Question,
  { predicate, range: { good, bad, line }, source }: Bisected,
  { begin, flips }: { readonly begin: number; readonly flips: number | undefined },
): Flips {
  const deadline = Math.max(begin + ANSWER_MILLISECONDS, clock.monotonicMilliseconds() + FLIPS_MILLISECONDS_MIN);
  const isInTime = (): boolean => clock.monotonicMilliseconds() < deadline;
  let left = flips ?? 0;
  const mayGoOn = flips === undefined ? isInTime : () => left-- > 0;
  const commitsTouching = walkingCommitsTouching(view, line, { source, mayGoOn });
  return countFlips(predicate, { line, source, commitsTouching }, { good: good.seq, bad: bad.seq });
}
