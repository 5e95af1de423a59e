/**
 * Regular expressions of `value … ~`.
 *
 * Owns which ones are accepted. JavaScript's engine goes back on a failure, so an expression can take more time than there is:
 * a group that can repeat something in W ways, and is itself repeated N times, can match in W to the power of N ways, and
 * what stands side by side in the product of all. An expression is refused where that is a large number: `(a+)+`, and
 * `(a{1,9})+` and `(a{0,30}){30}` as well. A repetition without bound in a group that is repeated a few times is a polynomial
 * of that degree, and accepted. What is left to take long are polynomials (in the value, of 4096 bytes at most), and alternatives and optional elements that overlap (`(a|a)+`,
 * `(a?a)+`): predicates are written by the person who runs them, and hurt nobody else.
 */

/** Most characters of an expression. */
const EXPRESSION_MAX = 1_024;

/** An element of an expression: an escape, a class, the begin or the end of a group, a quantifier, or a character. */
const ELEMENT = /\\[^]|\[(?:\\[^]|[^\]\\])*\]|\((?:\?(?:[:=!]|<[=!]))?|\)|[*+?]|\{[0-9]+(?:,[0-9]*)?\}|[^]/g;
const QUANTIFIER = /^(?:[*+?]|\{([0-9]+)(?:(,)([0-9]*))?\})$/;
/** Most ways in which the repetitions of an expression that have bounds may match; an IPv6 address takes 65,536. */
const WAYS_MAX = 100_000;
/** Most repetitions of a group that repeats something without bound. */
const DEGREE_MAX = 4;

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
  if (repeatsTooMuch(source)) {
    return {
      ok: false,
      problem:
        "A regular expression cannot repeat a group often that itself repeats something in many ways: it could take forever. Write the inner repetition with one length, such as {2}, or both with small bounds, such as ([0-9]{1,3}\\.){3} or (/[a-z]+){1,4}.",
    };
  }
  try {
    return { ok: true, expression: new RegExp(source) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, problem: `This is no regular expression: ${message.slice(message.lastIndexOf(": ") + 2)}.` };
  }
}

/** In how many ways something can match that repeats. */
interface Freedom {
  /** Those of repetitions with a bound, multiplied. */
  readonly ways: number;
  /** How many repetitions have no bound: the time to try all is the value's length to this power. */
  readonly degree: number;
}

const NONE: Freedom = { ways: 1, degree: 0 };

/** How often a quantifier repeats, and its own freedom; undefined for any other element. */
function quantifierOf(element: string): (Freedom & { readonly most: number }) | undefined {
  const match = QUANTIFIER.exec(element);
  if (match === null) return undefined;
  const [, least, comma, most = ""] = match;
  // What is optional repeats nothing.
  if (element === "?") return { ...NONE, most: 1 };
  if (least !== undefined && comma === undefined) return { ...NONE, most: Number(least) };
  if (most === "") return { ways: 1, degree: 1, most: Infinity };
  return { ways: Math.max(1, Number(most) - Number(least) + 1), degree: 0, most: Number(most) };
}

function both(left: Freedom, right: Freedom): Freedom {
  return { ways: left.ways * right.ways, degree: left.degree + right.degree };
}

function repeated({ ways, degree }: Freedom, times: number): Freedom {
  return { ways: ways === 1 ? 1 : ways ** times, degree: degree === 0 ? 0 : degree * times };
}

/** Whether an expression, or a group of it that is repeated, can match in too many ways. */
function repeatsTooMuch(source: string): boolean {
  /** Of each group that is open, and of the whole. */
  const open: Freedom[] = [NONE];
  /** Of the group that the element before has closed. */
  let closed = NONE;
  const addToOpen = (freedom: Freedom): void => {
    open.push(both(open.pop() ?? NONE, freedom));
  };
  for (const [element] of source.matchAll(ELEMENT)) {
    const quantifier = quantifierOf(element);
    const group = repeated(closed, quantifier?.most ?? 1);
    if (group.degree > Math.max(DEGREE_MAX, closed.degree)) return true;
    addToOpen(quantifier === undefined ? group : both(group, quantifier));
    if ((open.at(-1) ?? NONE).ways > WAYS_MAX) return true;
    closed = NONE;
    if (element.startsWith("(")) open.push(NONE);
    else if (element === ")" && open.length > 1) closed = open.pop() ?? NONE;
  }
  return false;
}
