/**
 * Where a predicate looks in a state.
 *
 * Owns the answer to "can this change have changed it?": a state that has the same nodes at and below these paths gives the
 * same answer, and the same paths. So a history need be evaluated only where one of them changes.
 */
import type { Path } from "../identifiers.js";
import { pathsOfPattern } from "./matching-nodes.js";
import type { PathPattern, Predicate } from "./predicate.js";
import type { StateView } from "./state-view.js";

/**
 * The paths at or below which a predicate looks, each once; for a window those of its operand.
 *
 * Worked example: `value {/a/vm}/name = x and exists /b/*` looks at `/a/vm`, at `/b`, and where `/a/vm` has the value
 * `/vm/1`, at `/vm/1/name`.
 */
export function pathsRead(predicate: Predicate, view: StateView): ReadonlySet<Path> {
  return new Set(patternsOf(predicate).flatMap((pattern) => pathsOfPattern(pattern, view)));
}

/** The patterns of a predicate's tests, in their order. */
export function patternsOf(predicate: Predicate): readonly PathPattern[] {
  switch (predicate.kind) {
    case "exists":
    case "value":
    case "match":
    case "perms":
    case "count":
    case "distinct":
      return [predicate.path];
    case "same":
      return [predicate.left, predicate.right];
    case "not":
    case "window":
      return patternsOf(predicate.operand);
    case "and":
    case "or":
      return predicate.operands.flatMap(patternsOf);
  }
}
