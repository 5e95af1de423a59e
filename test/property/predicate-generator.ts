/**
 * Random predicates and states for them.
 *
 * Owns the generator: few names and values, so that what a predicate asks for is often there.
 */
import * as fc from "fast-check";
import type { Domid } from "../../protocol/identifiers.js";
import { serializePerms, type Perms } from "../../protocol/perms.js";
import type { PathPattern, Predicate } from "../../protocol/predicate/predicate.js";
import { mustCompile } from "../support/must-compile.js";

/** A node's name; few, so that predicates and states meet. */
export const arbitraryName = fc.constantFrom("a", "b", "ab", "__proto__");
const wildName = fc.oneof(arbitraryName, fc.constantFrom("*", "**", "a*", "*b", "*a*b*"));

function joined(names: readonly string[]): string {
  return names.map((each) => `/${each}`).join("");
}

function patternOf(names: readonly string[], base: PathPattern | undefined): PathPattern {
  const wildFrom = names.findIndex((each) => each.includes("*"));
  const plain = wildFrom === -1 ? names.length : wildFrom;
  return { base, prefix: joined(names.slice(0, plain)), wild: names.slice(plain) };
}

const plainPattern = fc.array(arbitraryName, { maxLength: 3 }).map((names) => patternOf(names, undefined));
const base = fc.oneof(
  { weight: 4, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: plainPattern },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.array(arbitraryName, { maxLength: 1 }), plainPattern)
      .map(([names, inner]) => patternOf(names, inner)),
  },
);
const nodePattern = fc
  .tuple(fc.array(arbitraryName, { maxLength: 3 }), base)
  .map(([names, from]) => patternOf(names, from));
const anyPattern = fc.tuple(fc.array(wildName, { maxLength: 4 }), base).map(([names, from]) => patternOf(names, from));

/** Perms. */
export const arbitraryPerms: fc.Arbitrary<Perms> = fc
  .array(
    fc.record({ access: fc.integer({ min: 0, max: 1 }), domid: fc.integer({ min: 0, max: 1 }) as fc.Arbitrary<Domid> }),
    {
      minLength: 1,
      maxLength: 2,
    },
  )
  .map(([first, ...others]): Perms => [first ?? { access: 0, domid: 0 as Domid }, ...others]);

/** A node's value: paths of other nodes, and others. */
export const arbitraryStateValue = fc.constantFrom("", "1", "2", "/a", "/a/b", "/", "a", "/a/", "12");
/** A value that a predicate may ask for: those, and any bytes. */
export const arbitraryValue = fc.oneof(
  arbitraryStateValue,
  fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 6 }).map((bytes) => String.fromCharCode(...bytes)),
  fc.constantFrom("and", ")", "$D", '"', "\\", "\\x41", " ", "*", "=", "for 3 commits"),
);

const arbitraryExpression = fc
  .constantFrom("1", "^$", "^/", "", "\\d+$", 'x|"', "(1|2)[^1]", "\\\\", "$D", "/", "\\n")
  // As the parser takes it: a quotation mark has its backslash.
  .map((source) => mustCompile(source.replaceAll('"', '\\"')));

const simple: fc.Arbitrary<Predicate> = fc.oneof(
  fc.record({ kind: fc.constant("exists" as const), path: anyPattern }),
  fc.record({ kind: fc.constant("value" as const), path: anyPattern, equal: fc.boolean(), value: arbitraryValue }),
  fc.record({ kind: fc.constant("match" as const), path: anyPattern, expression: arbitraryExpression }),
  fc.record({ kind: fc.constant("perms" as const), path: anyPattern, equal: fc.boolean(), perms: arbitraryPerms }),
  fc.record({
    kind: fc.constant("count" as const),
    path: anyPattern,
    comparison: fc.constantFrom("=", "!=", "<", "<=", ">", ">="),
    nodes: fc.integer({ min: 0, max: 4 }),
  }),
  fc.record({ kind: fc.constant("same" as const), left: nodePattern, right: nodePattern }),
  fc.record({ kind: fc.constant("distinct" as const), path: anyPattern }),
);

/** A predicate. */
export const arbitraryPredicate: fc.Arbitrary<Predicate> = fc.letrec<{ predicate: Predicate }>((tie) => ({
  predicate: fc.oneof(
    { maxDepth: 5, depthSize: "small" },
    simple,
    fc.record({ kind: fc.constant("not" as const), operand: tie("predicate") }),
    fc.record({
      kind: fc.constantFrom("and" as const, "or" as const),
      operands: fc.array(tie("predicate"), { minLength: 2, maxLength: 3 }),
    }),
    fc.record({
      kind: fc.constant("window" as const),
      operand: tie("predicate"),
      commits: fc.integer({ min: 1, max: 4 }),
    }),
  ),
})).predicate;

/** A state: value and perms by path, without `/` and possibly without parents. */
export type Nodes = ReadonlyMap<string, readonly [value: string, perms: string]>;
/** A state. */
export const arbitraryNodes: fc.Arbitrary<Nodes> = fc
  .array(
    fc.tuple(fc.array(arbitraryName, { minLength: 1, maxLength: 3 }).map(joined), arbitraryStateValue, arbitraryPerms),
    { maxLength: 8 },
  )
  .map((entries) => new Map(entries.map(([path, value, list]) => [path, [value, serializePerms(list)] as const])));
