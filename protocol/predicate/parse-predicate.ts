/**
 * From the text of a predicate to the predicate.
 *
 * Owns the grammar (`README.md`): one function for each of its rules, which returns what it took. Recursion follows `(`, `not`
 * and `{`, which `PREDICATE_DEPTH_MAX` bounds. Keywords are reserved only where they can stand: `value /p = and` is a test.
 */
import { parseDecimal } from "../identifiers.js";
import { parsePerms, type Perms } from "../perms.js";
import { nearestWord } from "./nearest-word.js";
import { takePathPattern } from "./path-pattern.js";
import { PredicateError } from "./predicate-error.js";
import {
  PREDICATE_DEPTH_MAX,
  PREDICATE_EXPRESSIONS_MAX,
  PREDICATE_TEXT_MAX,
  WINDOW_COMMITS_MAX,
  type Comparison,
  type Predicate,
} from "./predicate.js";
import { compileExpression } from "./regular-expression.js";
import { Scanner, showWord, type Bindings } from "./scanner.js";
import { serializePredicate } from "./serialize-predicate.js";

/** A text that is being parsed. */
interface Parsing {
  readonly scanner: Scanner;
  /** Regular expressions so far. */
  expressions: number;
}

/** Takes what follows the keyword of a test. */
type TakeTest = (scanner: Scanner, depth: number) => Predicate;

const anyPath = (scanner: Scanner, depth: number) => takePathPattern(scanner, { noWildcards: undefined, depth });

const TESTS: ReadonlyMap<string, TakeTest> = new Map<string, TakeTest>([
  ["exists", (scanner, depth) => ({ kind: "exists", path: anyPath(scanner, depth) })],
  ["value", takeValueTest],
  ["perms", takePermsTest],
  ["count", takeCountTest],
  ["same", takeSameTest],
  ["distinct", (scanner, depth) => ({ kind: "distinct", path: anyPath(scanner, depth) })],
]);

const BEGINNINGS = [...TESTS.keys(), "not"];
const BEGINNINGS_SHOWN = `${[...TESTS.keys()].slice(0, -1).join(", ")} or distinct`;
const CONNECTIVES = ["and", "or", "for"];
const COMPARISONS: ReadonlySet<string> = new Set<Comparison>(["=", "!=", "<", "<=", ">", ">="]);

/**
 * Parses a predicate and binds its variables.
 *
 * @param bindings - what variables stand for; those that the text does not name may be among them
 * @throws PredicateError
 */
export function parsePredicate(text: string, bindings: Bindings = new Map()): Predicate {
  if (text.length > PREDICATE_TEXT_MAX) {
    const message = `A predicate has at most ${String(PREDICATE_TEXT_MAX)} characters; this one has ${String(text.length)}.`;
    throw new PredicateError({ text, offset: PREDICATE_TEXT_MAX, message });
  }
  const scanner = new Scanner(text, bindings);
  const half = text.search(/\p{Surrogate}/u);
  if (half !== -1) scanner.fail("This is half of a character (a surrogate), which stands for no bytes.", half);
  const predicate = takeOr({ scanner, expressions: 0 }, 0);
  scanner.skipBlanks();
  if (scanner.character !== "") failAfterTest(scanner);
  // Variables and escapes can make it longer, and the canonical text is to be one that can be parsed.
  if (serializePredicate(predicate).length > PREDICATE_TEXT_MAX) {
    const message = `A predicate has at most ${String(PREDICATE_TEXT_MAX)} characters; this one has more when its variables are bound and its bytes escaped.`;
    scanner.fail(message, 0);
  }
  return predicate;
}

function takeOr(parsing: Parsing, depth: number): Predicate {
  return takeOperands({ parsing, word: "or", takeOperand: () => takeAnd(parsing, depth) });
}

function takeAnd(parsing: Parsing, depth: number): Predicate {
  return takeOperands({ parsing, word: "and", takeOperand: () => takeNot(parsing, depth) });
}

function takeOperands({
  parsing,
  word,
  takeOperand,
}: {
  readonly parsing: Parsing;
  readonly word: "and" | "or";
  readonly takeOperand: () => Predicate;
}): Predicate {
  const first = takeOperand();
  const operands = [first];
  while (parsing.scanner.takeWord(word)) operands.push(takeOperand());
  return operands.length === 1 ? first : { kind: word, operands };
}

function takeNot(parsing: Parsing, depth: number): Predicate {
  const { scanner } = parsing;
  scanner.skipBlanks();
  const begin = scanner.offset;
  if (!scanner.takeWord("not")) return takeWindow(parsing, depth);
  checkDepth(scanner, depth, begin);
  return { kind: "not", operand: takeNot(parsing, depth + 1) };
}

function takeWindow(parsing: Parsing, depth: number): Predicate {
  const { scanner } = parsing;
  const operand = takePrimary(parsing, depth);
  if (!scanner.takeWord("for")) return operand;
  scanner.skipBlanks();
  const begin = scanner.offset;
  const commits = parseDecimal(scanner.takeValue("a number of commits, for example 20"));
  if (commits === undefined || commits < 1 || commits > WINDOW_COMMITS_MAX) {
    return scanner.fail(`A window has from 1 to ${String(WINDOW_COMMITS_MAX)} commits, in decimal.`, begin);
  }
  if (!scanner.takeWord("commits") && !scanner.takeWord("commit")) {
    scanner.fail(`Expected the word "commits", as in: for ${String(commits)} commits`);
  }
  if (scanner.peekWord() === "for") {
    scanner.fail('A second "for" needs parentheses, as in: (exists /a for 2 commits) for 3 commits');
  }
  return { kind: "window", operand, commits };
}

function takePrimary(parsing: Parsing, depth: number): Predicate {
  const { scanner } = parsing;
  scanner.skipBlanks();
  const begin = scanner.offset;
  if (scanner.takeCharacter("(")) {
    checkDepth(scanner, depth, begin);
    const predicate = takeOr(parsing, depth + 1);
    scanner.skipBlanks();
    if (scanner.takeCharacter(")")) return predicate;
    return scanner.character === "" ? scanner.fail('This "(" is never closed.', begin) : failAfterTest(scanner);
  }
  const word = scanner.peekWord();
  const takeTest = TESTS.get(word);
  if (takeTest === undefined) return failBeforeTest(scanner, word);
  scanner.takeWord(word);
  const test = takeTest(scanner, depth);
  if (test.kind === "match" && ++parsing.expressions > PREDICATE_EXPRESSIONS_MAX) {
    const most = String(PREDICATE_EXPRESSIONS_MAX);
    scanner.fail(`A predicate has at most ${most} regular expressions; this is one more.`, begin);
  }
  return test;
}

function checkDepth(scanner: Scanner, depth: number, begin: number): void {
  if (depth >= PREDICATE_DEPTH_MAX) {
    scanner.fail(`Nothing is nested more than ${String(PREDICATE_DEPTH_MAX)} levels deep.`, begin);
  }
}

function takeValueTest(scanner: Scanner, depth: number): Predicate {
  const path = anyPath(scanner, depth);
  const operator = takeOperatorOf(scanner, {
    operators: ["=", "!=", "~"],
    example: "value /local/domain/1/name = vm1",
  });
  scanner.skipBlanks();
  const begin = scanner.offset;
  if (operator === "~") {
    const compiled = compileExpression(scanner.takeExpression());
    return compiled.ok
      ? { kind: "match", path, expression: compiled.expression }
      : scanner.fail(compiled.problem, begin);
  }
  const value = scanner.takeValue('a value, for example 4, or "" for an empty one');
  return { kind: "value", path, equal: operator === "=", value };
}

function takePermsTest(scanner: Scanner, depth: number): Predicate {
  const path = anyPath(scanner, depth);
  const operator = takeOperatorOf(scanner, { operators: ["=", "!="], example: "perms /local/domain/1 = n0,r1" });
  scanner.skipBlanks();
  const begin = scanner.offset;
  const perms: Perms | undefined = parsePerms(scanner.takeValue("a list of permissions, for example n5,r0").split(","));
  if (perms === undefined) {
    scanner.fail(
      'Permissions are "n", "r", "w" or "b" and a domain id, with commas between them and no blanks, for example n5,r0.',
      begin,
    );
  }
  return { kind: "perms", path, equal: operator === "=", perms };
}

function takeCountTest(scanner: Scanner, depth: number): Predicate {
  const path = anyPath(scanner, depth);
  const operator = takeOperatorOf(scanner, { operators: [...COMPARISONS], example: "count /local/domain/* > 3" });
  scanner.skipBlanks();
  const begin = scanner.offset;
  const nodes = parseDecimal(scanner.takeValue("a number of nodes, for example 3"));
  if (nodes === undefined) {
    scanner.fail("A number of nodes is decimal, with at most ten digits, without sign or leading zeros.", begin);
  }
  return { kind: "count", path, comparison: operator as Comparison, nodes };
}

function takeSameTest(scanner: Scanner, depth: number): Predicate {
  const noWildcards = "same compares two nodes, so its paths have no wildcards; see distinct.";
  const left = takePathPattern(scanner, { noWildcards, depth });
  return { kind: "same", left, right: takePathPattern(scanner, { noWildcards, depth }) };
}

function takeOperatorOf(
  scanner: Scanner,
  { operators, example }: { readonly operators: readonly string[]; readonly example: string },
): string {
  scanner.skipBlanks();
  const begin = scanner.offset;
  const operator = scanner.takeOperator();
  if (operators.includes(operator)) return operator;
  const allowed = `${operators.slice(0, -1).join(", ")} or ${operators.at(-1) ?? ""}, as in: ${example}`;
  return scanner.fail(
    operator === "" ? `Expected ${allowed}` : `${showWord(operator)} is no operator of this test. Write ${allowed}`,
    begin,
  );
}

function failBeforeTest(scanner: Scanner, word: string): never {
  const expected = `Expected a test (${BEGINNINGS_SHOWN}), "not" or "(".`;
  const nearest = nearestWord(word, BEGINNINGS);
  if (word === "") return scanner.fail(`${expected} For example: exists /local/domain/1`);
  return scanner.fail(
    nearest === undefined
      ? `${showWord(word)} is no test. ${expected}`
      : `${showWord(word)} is no test. Did you mean "${nearest}"?`,
  );
}

function failAfterTest(scanner: Scanner): never {
  const word = scanner.peekWord();
  if (scanner.character === ")") return scanner.fail('There is no "(" for this ")".');
  const shown = word === "" ? (scanner.character === '"' ? "A quotation mark" : '"("') : showWord(word);
  const nearest = nearestWord(word, CONNECTIVES);
  return scanner.fail(
    nearest === undefined
      ? `${shown} cannot stand here. Expected "and", "or", "for N commits", ")" or the end. A value with blanks stands in quotation marks.`
      : `${shown} cannot stand here. Did you mean "${nearest}"?`,
  );
}
