/**
 * Regular expressions: of `value … ~`, and of whoever looks for a text in the history.
 *
 * Owns which are accepted. Their syntax is RE2's (https://github.com/google/re2/wiki/Syntax), without its classes of Unicode
 * characters, because they are searched in byte strings. Guests choose what is searched, and nothing stops a search, so its
 * time must not depend on how they choose: RE2 takes at most as many moves as the expression has steps, times the bytes,
 * and never goes back. That is why it can neither look around nor refer back.
 *
 * What bounds the steps is `STEPS_MAX`. The worst that is known, on a value of 4096 bytes that is made for it, takes less
 * than a second; what people write takes less than a microsecond (`npm run bench -- expressions`).
 */
import { RE2JS, RE2JSSyntaxException } from "re2js";
import type { ByteString } from "../bytes.js";
import { showWord } from "./scanner.js";

/** Most characters of an expression. */
const EXPRESSION_MAX = 1_024;

/** Most steps of an expression. Only repetitions of a given number, which are written out, can make 1,024 characters so many. */
const STEPS_MAX = 2_000;

/** An expression that was compiled. */
export interface Expression {
  /** As it was given. */
  readonly source: string;
  /** Whether it is found in these bytes. */
  test(bytes: ByteString): boolean;
}

/** An expression, or a sentence for people on why it is none. */
export type ExpressionResult =
  { readonly ok: true; readonly expression: Expression } | { readonly ok: false; readonly problem: string };

/** What people try that RE2 has not, by what it complains of, and what would be right. */
const ADVICE: readonly (readonly [complaint: RegExp, advice: string])[] = [
  [
    /: \(\?<?[=!]/,
    "An expression looks neither ahead nor behind, as (?=a), (?!a), (?<=a) and (?<!a) would: write what may stand there, such as [^a], or ask for each part by itself.",
  ],
  [
    /: \\(?:[1-9]|k)/,
    "An expression cannot refer back to what a group has matched: write out what may stand there, such as (aa|bb) for ([ab])\\1.",
  ],
  [/: \\[pPu]/, "An expression is about bytes and knows no Unicode: write a byte as \\xNN, a class as [a-z]."],
  [/: \[\^?\]/, "A ] right behind [ or [^ is a member of the class: any byte is (?s:.), and no class is empty."],
  [/^invalid repeat count/, "A repetition, multiplied by those around it, is one of at most 1000 times."],
  [/^invalid nested/, "A repetition of a repetition has parentheses, such as (?:a{2}){3}."],
];

/** Compiles an expression that is searched in byte strings. */
export function compileExpression(source: string): ExpressionResult {
  if (source.length > EXPRESSION_MAX) {
    return { ok: false, problem: `A regular expression has at most ${String(EXPRESSION_MAX)} characters.` };
  }
  if (/[^ -~]/.test(source)) {
    const problem = "A regular expression is printable ASCII: write each byte of another character as \\xNN.";
    return { ok: false, problem };
  }
  try {
    const engine = RE2JS.compile(source, RE2JS.DISABLE_UNICODE_GROUPS);
    const steps = engine.programSize();
    if (steps <= STEPS_MAX) return { ok: true, expression: new RegularExpression(source, engine) };
    const problem = `This regular expression is too long when its repetitions are written out: it has ${String(steps)} steps, and ${String(STEPS_MAX)} are the most. Make their numbers smaller.`;
    return { ok: false, problem };
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) return { ok: false, problem: problemOf(error) };
    throw error;
  }
}

function problemOf({ error, input }: RE2JSSyntaxException): string {
  const complaint = input === null ? error : `${error}: ${input}`;
  const shown = input === null ? error : `${error}: ${showWord(input)}`;
  const [, advice] = ADVICE.find(([pattern]) => pattern.test(complaint)) ?? [];
  return `This is no regular expression: ${shown}.${advice === undefined ? "" : ` ${advice}`}`;
}

/** Two are equal when their sources are: what the engine remembers of its searches is no part of it. */
class RegularExpression implements Expression {
  readonly source: string;
  readonly #engine: RE2JS;

  constructor(source: string, engine: RE2JS) {
    this.source = source;
    this.#engine = engine;
  }

  test(bytes: ByteString): boolean {
    return this.#engine.test(bytes);
  }
}
