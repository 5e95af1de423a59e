/**
 * What a predicate is: a statement about a state of the store and the states before it.
 *
 * Owns the parsed form, its limits and how far back a predicate looks. The language is in `README.md`; `parsePredicate` makes
 * predicates and `serializePredicate` writes them. Variables are bound while parsing, so there are none in here.
 */
import type { ByteString } from "../bytes.js";
import type { Perms } from "../perms.js";
import type { Expression } from "./regular-expression.js";

/** Most characters of the text of a predicate, as it was given and in its canonical form: few enough for a URL. */
export const PREDICATE_TEXT_MAX = 4_096;

/** Most regular expressions in a predicate: each may remember some megabytes of its searches. */
export const PREDICATE_EXPRESSIONS_MAX = 32;

/** Most levels of `(`, `not` and `{` within one another: what bounds every recursion over a predicate. */
export const PREDICATE_DEPTH_MAX = 100;

/** Most commits of one window. */
export const WINDOW_COMMITS_MAX = 1_000_000;

/**
 * Which nodes a test is about.
 *
 * Worked example: `{/local/domain/7/vm}/device/vif*` + `/**` has the base `/local/domain/7/vm`, the prefix `/device` and the wild
 * names `vif*` and `**`.
 */
export interface PathPattern {
  /** The node whose value is the beginning of the path; it has no wild names. Undefined for the root. */
  readonly base: PathPattern | undefined;
  /** The names before the first wild one, each after a slash; empty when there are none. */
  readonly prefix: ByteString;
  /** The names from the first wild one on: `**` for any number of names, else `*` stands for any characters. */
  readonly wild: readonly ByteString[];
}

/** How a number of nodes is compared. */
export type Comparison = "=" | "!=" | "<" | "<=" | ">" | ">=";

/** X held at a commit and at each of the `commits - 1` before it. */
export interface Window {
  readonly kind: "window";
  readonly operand: Predicate;
  /** 1 .. `WINDOW_COMMITS_MAX`. */
  readonly commits: number;
}

/** A predicate that was parsed. */
export type Predicate =
  | { readonly kind: "exists"; readonly path: PathPattern }
  | { readonly kind: "value"; readonly path: PathPattern; readonly equal: boolean; readonly value: ByteString }
  | { readonly kind: "match"; readonly path: PathPattern; readonly expression: Expression }
  | { readonly kind: "perms"; readonly path: PathPattern; readonly equal: boolean; readonly perms: Perms }
  | { readonly kind: "count"; readonly path: PathPattern; readonly comparison: Comparison; readonly nodes: number }
  /** Neither path has wild names. */
  | { readonly kind: "same"; readonly left: PathPattern; readonly right: PathPattern }
  | { readonly kind: "distinct"; readonly path: PathPattern }
  | { readonly kind: "not"; readonly operand: Predicate }
  /** Two operands at least. */
  | { readonly kind: "and" | "or"; readonly operands: readonly Predicate[] }
  | Window;

/**
 * How many commits decide whether a predicate holds, the commit itself among them: 1 without a window. `PREDICATE_DEPTH_MAX`
 * keeps it exact.
 *
 * Worked example: `(exists /a for 3 commits or exists /b) for 5 commits` needs 7: the fifth of the outer window looks at two more.
 */
export function commitsNeeded(predicate: Predicate): number {
  switch (predicate.kind) {
    case "not":
      return commitsNeeded(predicate.operand);
    case "and":
    case "or":
      return Math.max(...predicate.operands.map(commitsNeeded));
    case "window":
      return commitsNeeded(predicate.operand) + predicate.commits - 1;
    case "exists":
    case "value":
    case "match":
    case "perms":
    case "count":
    case "same":
    case "distinct":
      return 1;
  }
}
