/**
 * Nodes that are not where somebody looks for them.
 *
 * Owns what is said of one besides that: which commit removed it, or what there is instead of it, for then the path is misspelt.
 */
import type { Path } from "../../../protocol/identifiers.js";
import { shortOid } from "../../../protocol/short-oid.js";
import { hexFromOid } from "../object/oid.js";
import { lineTo } from "./commit-line.js";
import type { FoundCommit, HistoryView } from "./history.js";
import { walkLog } from "./log.js";
import { insteadOf } from "./missing-paths.js";
import { PAGE_MILLISECONDS_MAX, type Question } from "./question.js";
import { recordedState } from "./recorded-state.js";

/**
 * Why a commit's state does not have a node, in words that go on behind "there is no node PATH at REVISION: ". Commits are looked at for a
 * bounded time; after that nothing is said of what was before.
 *
 * @throws what `walkLog` throws
 */
export function absence({ view, clock }: Question, found: FoundCommit, path: Path): string {
  const deadline = clock.monotonicMilliseconds() + PAGE_MILLISECONDS_MAX;
  const newest = walkLog(view, { to: found }, { path }, () => clock.monotonicMilliseconds() > deadline).next();
  if (newest.done !== true) return `${shortName(newest.value)} removed it`;
  const instead = insteadOf(path, recordedState(view.reader, found.commit.tree));
  return newest.value === undefined ? `there was none ${beginningOf(view, found)}; ${instead}` : instead;
}

function beginningOf(view: HistoryView, found: FoundCommit): string {
  const oldest = lineTo(view, found).oldest();
  return view.isCut(oldest) ? `since ${shortName(oldest)} either, where this history begins` : "before either";
}

function shortName({ oid, commit }: FoundCommit): string {
  const { seq } = commit.trailers;
  return seq === undefined ? shortOid(hexFromOid(oid)) : `@{${String(seq)}}`;
}
