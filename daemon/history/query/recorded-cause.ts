/**
 * The commit that changed an answer, from the history alone.
 *
 * Owns how what `store/answer-cause.ts` asks of commits is read from their trees. The core knows better, as it has both answers, and
 * remembers some commits; this is for what it has forgotten.
 */
import type { Domid, Path } from "../../../protocol/identifiers.js";
import { findCause, likelyCausesOf, touchedBy, type Touched } from "../../store/answer-cause.js";
import { changesBetween } from "../repository/recorded-changes.js";
import type { FoundCommit, HistoryView } from "./history.js";
import { walkLog, type LogFilter, type LogRange } from "./log.js";

/** A request that was answered twice, and not in the same way. */
export interface AskedTwice {
  /** Such as `READ`. */
  readonly operation: string;
  readonly path: string;
  /** Who asked. */
  readonly domid: Domid;
}

/**
 * The commit of some that changed an answer; undefined where none did, or it takes too long to tell.
 *
 * @throws what `walkLog` and `changesBetween` throw
 */
export function recordedCause(
  view: HistoryView,
  range: LogRange,
  asked: AskedTwice,
  isLate: () => boolean,
): FoundCommit | undefined {
  const { told, done } = likelyCausesOf(asked);
  // What a node tells is changed by changes there, which the index of paths knows.
  const nearby = told && findCause(touchedInTurn(view, range, { path: asked.path as Path }, isLate), told);
  if (nearby !== undefined && !isLate()) return nearby;
  const found = isLate() ? undefined : findCause(touchedInTurn(view, range, {}, isLate), done);
  return isLate() ? undefined : found;
}

/** What each of some commits touched, newest first. */
function* touchedInTurn(
  view: HistoryView,
  range: LogRange,
  filter: LogFilter,
  isLate: () => boolean,
): Generator<FoundCommit & { readonly touched: Touched }> {
  for (const found of walkLog(view, range, filter, isLate)) {
    if (isLate()) return;
    // What the first that is left changed is not known any more.
    if (view.isCut(found)) continue;
    const changes = changesBetween(view.reader, view.previous(found)?.commit.tree, found.commit.tree);
    yield { ...found, touched: touchedBy(changes) };
  }
}
