/**
 * Whether a predicate holds at each commit of a history, from its first to its last.
 *
 * Invariants:
 * 1. For each window, its counter is the number of commits up to the last one, without a gap, at which its operand held, cut at
 *    the window's length. No state is kept.
 * 2. All counters are brought up to each commit, also where another part of the predicate decides, and a window within a
 *    window before the outer one.
 */
import { holds } from "./holds.js";
import type { Predicate, Window } from "./predicate.js";
import type { StateView } from "./state-view.js";

/** Follows a history. `next` answers as `evaluate` would at the same commit, if the history began at the first `next`. */
export class PredicateMonitor {
  readonly #predicate: Predicate;
  /** Inner windows before outer ones. */
  readonly #heldFor: Map<Window, number>;

  constructor(predicate: Predicate) {
    this.#predicate = predicate;
    this.#heldFor = new Map(windowsOf(predicate).map((window) => [window, 0]));
  }

  /** Takes the state at the next commit, and answers whether the predicate holds there. */
  next(view: StateView): boolean {
    const windowHolds = (window: Window): boolean => this.#heldFor.get(window) === window.commits;
    for (const [window, heldFor] of this.#heldFor) {
      const held = holds(window.operand, view, windowHolds);
      this.#heldFor.set(window, held ? Math.min(heldFor + 1, window.commits) : 0);
    }
    return holds(this.#predicate, view, windowHolds);
  }
}

function windowsOf(predicate: Predicate): Window[] {
  switch (predicate.kind) {
    case "not":
      return windowsOf(predicate.operand);
    case "and":
    case "or":
      return predicate.operands.flatMap(windowsOf);
    case "window":
      return [...windowsOf(predicate.operand), predicate];
    case "exists":
    case "value":
    case "match":
    case "perms":
    case "count":
    case "same":
    case "distinct":
      return [];
  }
}
