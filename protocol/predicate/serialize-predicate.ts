/**
 * From a predicate to its canonical text.
 *
 * Owns that text: one line of ASCII with single blanks, quotation marks and parentheses only where they are needed, no
 * variables. Parsing it gives an equal predicate.
 */
import type { ByteString } from "../bytes.js";
import { serializePerms } from "../perms.js";
import { serializePathPattern } from "./path-pattern.js";
import type { Predicate } from "./predicate.js";
import type { Expression } from "./regular-expression.js";

/** Printable ASCII without what ends a word, begins a variable or escapes. */
const BARE_VALUE = /^[!#%-'*-[\]-~]+$/;
const BARE_EXPRESSION = /^[!#-'*-~]+$/;

/** How tightly each kind binds: an operand that binds less tightly than it must stands in parentheses. */
const LOOSEST = 0;
const AND = 1;
const NOT = 2;
const WINDOW = 3;
const TIGHTEST = 4;

function bindingOf({ kind }: Predicate): number {
  if (kind === "or") return LOOSEST;
  if (kind === "and") return AND;
  if (kind === "not") return NOT;
  return kind === "window" ? WINDOW : TIGHTEST;
}

/** The canonical text of a predicate that `parsePredicate` made; parsing it gives an equal one. */
export function serializePredicate(predicate: Predicate): string {
  switch (predicate.kind) {
    case "exists":
      return `exists ${serializePathPattern(predicate.path)}`;
    case "value":
      return `value ${serializePathPattern(predicate.path)} ${equality(predicate.equal)} ${serializeValue(predicate.value)}`;
    case "match":
      return `value ${serializePathPattern(predicate.path)} ~ ${serializeExpression(predicate.expression)}`;
    case "perms": {
      const perms = serializePerms(predicate.perms, ",");
      return `perms ${serializePathPattern(predicate.path)} ${equality(predicate.equal)} ${perms}`;
    }
    case "count":
      return `count ${serializePathPattern(predicate.path)} ${predicate.comparison} ${String(predicate.nodes)}`;
    case "same":
      return `same ${serializePathPattern(predicate.left)} ${serializePathPattern(predicate.right)}`;
    case "distinct":
      return `distinct ${serializePathPattern(predicate.path)}`;
    case "not":
      return `not ${serializeOperand(predicate.operand, NOT)}`;
    case "and":
      return predicate.operands.map((operand) => serializeOperand(operand, NOT)).join(" and ");
    case "or":
      return predicate.operands.map((operand) => serializeOperand(operand, AND)).join(" or ");
    case "window": {
      const commits = predicate.commits === 1 ? "1 commit" : `${String(predicate.commits)} commits`;
      return `${serializeOperand(predicate.operand, TIGHTEST)} for ${commits}`;
    }
  }
}

function serializeOperand(operand: Predicate, bindingMin: number): string {
  const text = serializePredicate(operand);
  return bindingOf(operand) < bindingMin ? `(${text})` : text;
}

function equality(equal: boolean): string {
  return equal ? "=" : "!=";
}

function serializeValue(value: ByteString): string {
  if (BARE_VALUE.test(value)) return value;
  const escaped = value.replace(/[^ -~]|["\\$]/g, (byte) =>
    byte === '"' || byte === "\\" ? `\\${byte}` : `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return `"${escaped}"`;
}

/** It is printable ASCII; a quotation mark that was parsed has its backslash before it. */
function serializeExpression({ source }: Expression): string {
  return BARE_EXPRESSION.test(source) ? source : `"${source}"`;
}
