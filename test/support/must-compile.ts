/**
 * Regular expressions that a test knows to be ones.
 */
import { compileExpression, type Expression } from "../../protocol/predicate/regular-expression.js";

/** The expression; throws what is wrong with it. */
export function mustCompile(source: string): Expression {
  const compiled = compileExpression(source);
  if (!compiled.ok) throw new Error(`${source}: ${compiled.problem}`);
  return compiled.expression;
}
