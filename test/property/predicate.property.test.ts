/**
 * The predicate language on random predicates, texts and histories: text and predicate are inverses, whatever is wrong with a text
 * is a `PredicateError`, and a predicate means what a naive reading of the language says it means, read either way.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { serializePerms } from "../../protocol/perms.js";
import { evaluate } from "../../protocol/predicate/evaluate.js";
import { parsePredicate } from "../../protocol/predicate/parse-predicate.js";
import { PredicateError, renderPredicateError } from "../../protocol/predicate/predicate-error.js";
import { PredicateMonitor } from "../../protocol/predicate/predicate-monitor.js";
import { commitsNeeded, type PathPattern, type Predicate } from "../../protocol/predicate/predicate.js";
import { serializePredicate } from "../../protocol/predicate/serialize-predicate.js";
import { stateFromMap } from "../support/states.js";
import { propertyParameters } from "../support/seed.js";
import { arbitraryNodes, arbitraryPredicate, arbitraryValue, type Nodes } from "./predicate-generator.js";

/** Histories in which a state often stays for some commits, so that windows are often filled. */
const histories: fc.Arbitrary<readonly Nodes[]> = fc
  .array(fc.tuple(arbitraryNodes, fc.integer({ min: 1, max: 5 })), { minLength: 1, maxLength: 4 })
  .map((runs) => runs.flatMap(([state, times]) => Array.from({ length: times }, () => state)));

/** All nodes of a state, with the parents that are implied, `/` as the empty path. */
function allNodes(state: Nodes): Map<string, { value: string; perms: string }> {
  const all = new Map([["", { value: "", perms: "n0" }]]);
  for (const path of state.keys()) {
    for (let at = path.indexOf("/", 1); at !== -1; at = path.indexOf("/", at + 1)) {
      all.set(path.slice(0, at), { value: "", perms: "n0" });
    }
  }
  for (const [path, [value, list]] of state) all.set(path, { value, perms: list });
  return all;
}

/** The nodes that a pattern matches, by trying a regular expression on every path. */
function naiveMatches(pattern: PathPattern, state: Nodes): { value: string; perms: string }[] {
  let begin = "";
  if (pattern.base !== undefined) {
    const value = naiveMatches(pattern.base, state)[0]?.value;
    if (value === undefined || !/^\/$|^(\/[a-z_]+)+$/.test(value)) return [];
    begin = value === "/" ? "" : value;
  }
  const source = [...pattern.prefix.split("/").slice(1), ...pattern.wild]
    .map((each) => (each === "**" ? "(/[^/]+)*" : `/${each.replaceAll("*", "[^/]*")}`))
    .join("");
  const whole = new RegExp(`^${begin}${source}$`);
  return [...allNodes(state)].filter(([path]) => whole.test(path)).map(([, node]) => node);
}

/** Whether a predicate holds after the first `length` states of a history, word for word as the language says. */
function naiveHolds(predicate: Predicate, history: readonly Nodes[], length: number): boolean {
  const state = history[length - 1];
  if (state === undefined) return false;
  const matches = (path: PathPattern) => naiveMatches(path, state);
  switch (predicate.kind) {
    case "exists":
      return matches(predicate.path).length > 0;
    case "value":
      return matches(predicate.path).some(({ value }) =>
        predicate.equal ? value === predicate.value : value !== predicate.value,
      );
    case "match":
      return matches(predicate.path).some(({ value }) => new RegExp(predicate.expression.source).test(value));
    case "perms": {
      const text = serializePerms(predicate.perms);
      return matches(predicate.path).some((node) => (predicate.equal ? node.perms === text : node.perms !== text));
    }
    case "count": {
      const difference = Math.sign(matches(predicate.path).length - predicate.nodes);
      return { "=": [0], "!=": [-1, 1], "<": [-1], "<=": [-1, 0], ">": [1], ">=": [0, 1] }[
        predicate.comparison
      ].includes(difference);
    }
    case "same": {
      const [left, right] = [matches(predicate.left), matches(predicate.right)];
      return left.length === 1 && right.length === 1 && left[0]?.value === right[0]?.value;
    }
    case "distinct": {
      const values = matches(predicate.path).map(({ value }) => value);
      return new Set(values).size === values.length;
    }
    case "not":
      return !naiveHolds(predicate.operand, history, length);
    case "and":
      return !predicate.operands.map((operand) => naiveHolds(operand, history, length)).includes(false);
    case "or":
      return predicate.operands.map((operand) => naiveHolds(operand, history, length)).includes(true);
    case "window": {
      if (length < predicate.commits) return false;
      const commits = Array.from({ length: predicate.commits }, (_, index) => length - index);
      return commits.every((at) => naiveHolds(predicate.operand, history, at));
    }
  }
}

/** What `evaluate` says after the first `length` states; it may look no further back than `commitsNeeded`. */
function evaluateAfter(
  predicate: Predicate,
  views: readonly ReturnType<typeof stateFromMap>[],
  length: number,
): boolean {
  return evaluate(predicate, (commitsBack) => {
    expect(commitsBack).toBeLessThan(commitsNeeded(predicate));
    return views[length - 1 - commitsBack];
  });
}

describe("predicates", () => {
  test("parsePredicate is the inverse of serializePredicate", () => {
    fc.assert(
      fc.property(arbitraryPredicate, (predicate) => {
        const text = serializePredicate(predicate);
        expect(text).toMatch(/^[ -~]*$/);
        const parsed = parsePredicate(text);
        expect(parsed).toEqual(predicate);
        expect(serializePredicate(parsed)).toBe(text);
      }),
      propertyParameters(1000),
    );
  });

  test("evaluate and PredicateMonitor say at each commit what a naive reading says", () => {
    let held = 0;
    let asked = 0;
    fc.assert(
      fc.property(arbitraryPredicate, histories, (predicate, history) => {
        const views = history.map((state) => stateFromMap(state));
        const monitor = new PredicateMonitor(predicate);
        views.forEach((view, index) => {
          const expected = naiveHolds(predicate, history, index + 1);
          expect(monitor.next(view)).toBe(expected);
          expect(evaluateAfter(predicate, views, index + 1)).toBe(expected);
          asked++;
          if (expected) held++;
        });
      }),
      propertyParameters(1000),
    );
    // Neither answer is so rare that the comparison proves nothing.
    expect(held / asked).toBeGreaterThan(0.15);
    expect(held / asked).toBeLessThan(0.85);
  });

  test("PredicateMonitor says what evaluate says on long histories with long windows", () => {
    const test = fc.constantFrom<Predicate>(
      ...["exists /a", "not exists /a", "value /a = 1", "exists /b"].map((text) => parsePredicate(text)),
    );
    const windows = fc.letrec<{ predicate: Predicate }>((tie) => ({
      predicate: fc.oneof(
        { maxDepth: 4 },
        test,
        fc.record({ kind: fc.constant("not" as const), operand: tie("predicate") }),
        fc.record({
          kind: fc.constantFrom("and" as const, "or" as const),
          operands: fc.tuple(tie("predicate"), tie("predicate")),
        }),
        fc.record({
          kind: fc.constant("window" as const),
          operand: tie("predicate"),
          commits: fc.integer({ min: 1, max: 30 }),
        }),
      ),
    })).predicate;
    const letters = fc
      .array(fc.tuple(fc.constantFrom("-", "a", "1", "b"), fc.integer({ min: 1, max: 40 })), {
        minLength: 1,
        maxLength: 8,
      })
      .map((runs) => runs.flatMap(([letter, times]) => Array.from({ length: times }, () => letter)));
    const states = new Map([
      ["-", stateFromMap(new Map())],
      ["a", stateFromMap(new Map([["/a", "0"]]))],
      ["1", stateFromMap(new Map([["/a", "1"]]))],
      ["b", stateFromMap(new Map([["/b", "0"]]))],
    ]);
    fc.assert(
      fc.property(windows, letters, (predicate, history) => {
        const views = history.map((letter) => states.get(letter) ?? stateFromMap(new Map()));
        const monitor = new PredicateMonitor(predicate);
        views.forEach((view, index) => {
          expect(monitor.next(view)).toBe(evaluateAfter(predicate, views, index + 1));
        });
      }),
      propertyParameters(150),
    );
  });
});

/** Words of the language and around it, so that a text often gets some way. */
const piece = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      ..."exists value perms count same distinct not and or for commits commit ( ) = != ~ < >= /a /a/* /** {/a}/b n5,r0 4".split(
        " ",
      ),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(" ", "\n", '"', "\\", "$", "$D", "$X", "{", "}", "*", "[", "\\x4", "\ud800", "é", "\0"),
  },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 5 }) },
);

describe("parsePredicate", () => {
  test("throws a PredicateError at a place in the text or gives a predicate, whatever the text", () => {
    const texts = fc.oneof(
      fc
        .tuple(fc.array(piece, { maxLength: 20 }), fc.constantFrom(" ", ""))
        .map(([pieces, between]) => pieces.join(between)),
      fc.string({ unit: "binary", maxLength: 40 }),
      fc
        .tuple(arbitraryPredicate.map(serializePredicate), fc.nat(), fc.nat({ max: 3 }), piece)
        .map(([text, at, length, put]) => {
          const from = at % (text.length + 1);
          return text.slice(0, from) + put + text.slice(from + length);
        }),
    );
    let parsed = 0;
    fc.assert(
      fc.property(texts, (text) => {
        let predicate: Predicate;
        try {
          predicate = parsePredicate(text, new Map([["D", "7"]]));
        } catch (error) {
          if (!(error instanceof PredicateError)) throw error;
          const line = text.split("\n")[error.line - 1];
          expect(error.column).toBeGreaterThanOrEqual(1);
          expect(error.column - 1).toBeLessThanOrEqual(line?.length ?? -1);
          expect(renderPredicateError(text, error).split("\n")).toHaveLength(3);
          return;
        }
        parsed++;
        expect(parsePredicate(serializePredicate(predicate))).toEqual(predicate);
      }),
      propertyParameters(3000),
    );
    expect(parsed).toBeGreaterThan(100);
  });

  test("never lets what a variable stands for be more than a part of a word", () => {
    fc.assert(
      fc.property(arbitraryValue, (value) => {
        const bindings = new Map([["X", value]]);
        expect(parsePredicate('value /a = "<$X>"', bindings)).toMatchObject({ value: `<${value}>` });
        let predicate: Predicate;
        try {
          predicate = parsePredicate("exists /a$X", bindings);
        } catch (error) {
          expect(error).toBeInstanceOf(PredicateError);
          return;
        }
        expect(predicate).toEqual({ kind: "exists", path: { base: undefined, prefix: `/a${value}`, wild: [] } });
      }),
      propertyParameters(300),
    );
  });
});
