/**
 * Whether a predicate holds at one state.
 *
 * Owns what each test means. A window looks at other states too, so the caller answers for windows: `evaluate.ts` goes back for
 * them, `predicate-monitor.ts` has counted on the way.
 */
import { samePerms } from "../perms.js";
import { getMatchingNode, matchingNodes } from "./matching-nodes.js";
import type { Comparison, PathPattern, Predicate, Window } from "./predicate.js";
import type { StateView, ViewedNode } from "./state-view.js";

/** @param windowHolds - whether a window that is an operand of this predicate holds at this state */
export function holds(predicate: Predicate, view: StateView, windowHolds: (window: Window) => boolean): boolean {
  switch (predicate.kind) {
    case "exists":
      return someNode(predicate.path, view, () => true);
    case "value":
      return someNode(predicate.path, view, ({ value }) => (value === predicate.value) === predicate.equal);
    case "match":
      return someNode(predicate.path, view, ({ value }) => predicate.expression.test(value));
    case "perms":
      return someNode(predicate.path, view, ({ perms }) => samePerms(perms, predicate.perms) === predicate.equal);
    case "count":
      return compare(countNodes(predicate.path, view), predicate.comparison, predicate.nodes);
    case "same": {
      const left = getMatchingNode(predicate.left, view);
      const right = left === undefined ? undefined : getMatchingNode(predicate.right, view);
      return left !== undefined && right !== undefined && left.value === right.value;
    }
    case "distinct":
      return haveDistinctValues(predicate.path, view);
    case "not":
      return !holds(predicate.operand, view, windowHolds);
    case "and":
      return predicate.operands.every((operand) => holds(operand, view, windowHolds));
    case "or":
      return predicate.operands.some((operand) => holds(operand, view, windowHolds));
    case "window":
      return windowHolds(predicate);
  }
}

function someNode(path: PathPattern, view: StateView, test: (node: ViewedNode) => boolean): boolean {
  for (const node of matchingNodes(path, view)) if (test(node)) return true;
  return false;
}

function countNodes(path: PathPattern, view: StateView): number {
  const nodes = matchingNodes(path, view);
  let count = 0;
  while (nodes.next().done !== true) count++;
  return count;
}

function haveDistinctValues(path: PathPattern, view: StateView): boolean {
  const values = new Set<string>();
  for (const { value } of matchingNodes(path, view)) {
    if (values.has(value)) return false;
    values.add(value);
  }
  return true;
}

function compare(left: number, comparison: Comparison, right: number): boolean {
  switch (comparison) {
    case "=":
      return left === right;
    case "!=":
      return left !== right;
    case "<":
      return left < right;
    case "<=":
      return left <= right;
    case ">":
      return left > right;
    case ">=":
      return left >= right;
  }
}
