/**
 * Regular expressions of `value … ~`.
 *
 * Owns which ones are accepted. JavaScript's engine goes back on a failure, so an expression can take more time than there is.
 * What repeats a repetition without bound, such as `(a+)+`, takes exponential time and is refused. What is left is polynomial
 * in the value (4096 bytes at most), but for alternatives that overlap (`(a|a)+`): predicates are written by the person who
 * runs them, and hurt nobody else.
 */

/** Most characters of an expression. */
const EXPRESSION_MAX = 1_024;

/** An element of an expression: an escape, a class, the begin or the end of a group, a quantifier, or a character. */
const ELEMENT = /\\[^]|\[(?:\\[^]|[^\]\\])*\]|\((?:\?(?:[:=!]|<[=!]))?|\)|[*+?]|\{[0-9]+(?:,[0-9]*)?\}|[^]/g;
const REPEATS_WITHOUT_BOUND = /^(?:[*+]|\{[0-9]+,\})$/;

/** An expression, or a sentence for people on why it is none. */
export type ExpressionResult =
  { readonly ok: true; readonly expression: RegExp } | { readonly ok: false; readonly problem: string };

/** Compiles an expression that is searched in byte strings. */
export function compileExpression(source: string): ExpressionResult {
  if (source.length > EXPRESSION_MAX) {
    return { ok: false, problem: `A regular expression has at most ${String(EXPRESSION_MAX)} characters.` };
  }
  if (/[^\0-\x7f]/.test(source)) {
    return { ok: false, problem: "A regular expression is ASCII: write each byte of another character as \\xNN." };
  }
  if (repeatsARepetition(source)) {
    return {
      ok: false,
      problem:
        "A regular expression cannot repeat, without bound, a group that repeats something without bound: it could take forever. Give one of them a bound, for example {1,9}.",
    };
  }
  try {
    return { ok: true, expression: new RegExp(source) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, problem: `This is no regular expression: ${message.slice(message.lastIndexOf(": ") + 2)}.` };
  }
}

/** Whether a group that repeats without bound has, at any depth, something in it that does. */
function repeatsARepetition(source: string): boolean {
  /** For each group that is open, and the whole, whether it has a repetition without bound in it. */
  const repeats = [false];
  /** Whether the element before is a group with one. */
  let afterRepeating = false;
  for (const [element] of source.matchAll(ELEMENT)) {
    let closedRepeating = false;
    if (element.startsWith("(")) repeats.push(false);
    else if (element === ")") {
      closedRepeating = repeats.length > 1 && repeats.pop() === true;
      if (closedRepeating) repeats[repeats.length - 1] = true;
    } else if (REPEATS_WITHOUT_BOUND.test(element)) {
      if (afterRepeating) return true;
      repeats[repeats.length - 1] = true;
    }
    afterRepeating = closedRepeating;
  }
  return false;
}
