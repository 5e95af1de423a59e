/**
 * Which paths of a predicate lead nowhere, and where they were meant to lead.
 *
 * Owns the words for a misspelt path: a predicate about a node that never was holds nowhere, or everywhere.
 */
import { textFromBytes } from "../../../protocol/bytes.js";
import type { Path } from "../../../protocol/identifiers.js";
import { joinPath, splitPath } from "../../../protocol/path.js";
import { nearestWord } from "../../../protocol/predicate/nearest-word.js";
import { patternsOf } from "../../../protocol/predicate/paths-read.js";
import type { Predicate } from "../../../protocol/predicate/predicate.js";
import type { StateView } from "../../../protocol/predicate/state-view.js";

/** So many names are listed where none is near. */
const NAMES_LISTED_MAX = 8;

/**
 * A sentence for each path, up to its first wildcard, that is in none of the states.
 *
 * @param states - one at least; what is there instead is told of the first
 */
export function missingPaths(predicate: Predicate, states: readonly StateView[]): readonly string[] {
  const paths = new Set<Path>();
  for (const pattern of patternsOf(predicate)) {
    let innermost = pattern;
    while (innermost.base !== undefined) innermost = innermost.base;
    if (innermost.prefix !== "") paths.add(innermost.prefix as Path);
  }
  return [...paths].flatMap((path) => {
    const [first] = states;
    if (first === undefined || states.some((state) => state.node(path) !== undefined)) return [];
    return [`there is no ${textFromBytes(path)} at either: ${insteadOf(path, first)}`];
  });
}

/** What there is in a state instead of a node that it does not have: the path that was meant, or the names beside it. */
export function insteadOf(path: Path, state: StateView): string {
  const names = splitPath(path);
  let depth = 0;
  while (state.node(joinPath(names.slice(0, depth + 1))) !== undefined) depth++;
  const above = joinPath(names.slice(0, depth));
  const there = [...(state.node(above)?.names ?? [])].sort();
  const name = names[depth] ?? "";
  // Every number is near to every other one, and every letter; none is a misspelt other.
  const near = /^(?:[0-9]+|.)$/.test(name) ? undefined : nearestWord(name, there);
  if (near !== undefined) {
    return `did you mean ${textFromBytes(joinPath([...names.slice(0, depth), near, ...names.slice(depth + 1)]))}?`;
  }
  if (there.length === 0) return `${textFromBytes(above)} has no nodes below it`;
  const more = there.length > NAMES_LISTED_MAX ? ", …" : "";
  return `below ${textFromBytes(above)} there is ${there.slice(0, NAMES_LISTED_MAX).map(textFromBytes).join(", ")}${more}`;
}
