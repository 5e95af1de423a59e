/**
 * Whether a predicate holds at one commit of a history that can be read anywhere.
 *
 * Owns how windows go back: from the commit itself to the past, only as far as they must. A window remembers how far its
 * operand is known to have held, so that a window within a window looks at each state once and not once for each commit of
 * the outer one.
 */
import { holds } from "./holds.js";
import type { Predicate, Window } from "./predicate.js";
import type { StateView } from "./state-view.js";

/** What is known of a window's operand: it held from `begin` commits back up to, without it, `end` commits back. */
interface Run {
  readonly begin: number;
  end: number;
  /** Whether it is known that it did not hold at `end`. */
  ended: boolean;
}

/**
 * Whether a predicate holds at a commit.
 *
 * @param viewAt - the state so many commits before that one, 0 for the commit itself, less than `commitsNeeded`; it may
 *   be asked for one more than once. Undefined when the history does not reach so far: nothing holds there, not even a `not`
 */
export function evaluate(predicate: Predicate, viewAt: (commitsBack: number) => StateView | undefined): boolean {
  const runs = new Map<Window, Run>();

  function holdsBack(operand: Predicate, commitsBack: number): boolean {
    const view = viewAt(commitsBack);
    return view !== undefined && holds(operand, view, (window) => heldThroughout(window, commitsBack));
  }

  function heldThroughout(window: Window, commitsBack: number): boolean {
    let run = runs.get(window);
    if (run === undefined || commitsBack < run.begin || commitsBack > run.end) {
      run = { begin: commitsBack, end: commitsBack, ended: false };
      runs.set(window, run);
    }
    while (!run.ended && run.end < commitsBack + window.commits) {
      if (holdsBack(window.operand, run.end)) run.end++;
      else run.ended = true;
    }
    return run.end >= commitsBack + window.commits;
  }

  return holdsBack(predicate, 0);
}
