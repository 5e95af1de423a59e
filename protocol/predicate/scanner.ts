/**
 * Reads the text of a predicate from left to right.
 *
 * Owns what a blank, a word, a quoted word and a variable are. It knows nothing of tests: the parser asks for what can stand
 * next, because the same characters are a keyword in one place and a value in another.
 */
import { bytesFromText, isByteString, type ByteString } from "../bytes.js";
import { PredicateError } from "./predicate-error.js";

/** What `$NAME` stands for, by the name without `$`: bytes, as they stand in the store. */
export type Bindings = ReadonlyMap<string, ByteString>;

const BLANKS = /[ \t\r\n]*/y;
const WORD = /[^ \t\r\n()"]+/y;
const OPERATOR = /[=!<>~]+/y;
const VARIABLE = /\$([A-Z0-9_]+)/y;
/** What stands for itself in a value: in quotation marks, and without. */
const QUOTED_PLAIN = /[^"\\$]+/y;
const BARE_PLAIN = /[^ \t\r\n()"\\$]+/y;
const ESCAPE = /\\(?:(["\\])|x([0-9A-Fa-f]{2}))/y;
/** Of a regular expression between quotation marks: a backslash keeps its meaning, and so `\"` is a quotation mark. */
const QUOTED_EXPRESSION = /"((?:[^"\\]|\\[^])*)"/y;
/** Characters of a word that a message repeats. */
const SHOWN_MAX = 40;

/** A word as people see it in a message: quoted, and cut when it is long. */
export function showWord(word: string): string {
  const characters = Array.from(word.replace(/\p{Cc}/gu, " "));
  const shown = characters.slice(0, SHOWN_MAX).join("");
  return `"${shown}${characters.length > SHOWN_MAX ? "…" : ""}"`;
}

/** A place in a text, and what is around it. Only moves forward. */
export class Scanner {
  readonly #text: string;
  readonly #bindings: Bindings;
  #offset = 0;

  constructor(text: string, bindings: Bindings) {
    this.#text = text;
    this.#bindings = bindings;
  }

  /** The place, in UTF-16 units from the beginning. */
  get offset(): number {
    return this.#offset;
  }

  /** The character at the place; empty at the end. */
  get character(): string {
    return this.#text.charAt(this.#offset);
  }

  /** @throws PredicateError, always */
  fail(message: string, offset = this.#offset): never {
    throw new PredicateError({ text: this.#text, offset, message });
  }

  skipBlanks(): void {
    this.#take(BLANKS);
  }

  /** Takes `character` when it is the next one. */
  takeCharacter(character: string): boolean {
    if (this.character !== character || character === "") return false;
    this.#offset++;
    return true;
  }

  /** The word after the blanks, which is not taken: up to a blank, a parenthesis or a quotation mark; empty without one. */
  peekWord(): string {
    this.skipBlanks();
    WORD.lastIndex = this.#offset;
    return WORD.exec(this.#text)?.[0] ?? "";
  }

  /** Takes the word after the blanks when it is `word`. */
  takeWord(word: string): boolean {
    if (this.peekWord() !== word) return false;
    this.#offset += word.length;
    return true;
  }

  /** Takes the characters of `= ! < > ~` that follow the blanks; empty without one. */
  takeOperator(): string {
    this.skipBlanks();
    return this.#take(OPERATOR)?.[0] ?? "";
  }

  /**
   * Takes what a variable stands for, when one is next.
   *
   * @throws PredicateError at the `$` when it is not bound
   */
  takeVariable(): { readonly name: string; readonly bytes: ByteString } | undefined {
    if (this.character !== "$") return undefined;
    const offset = this.#offset;
    const name = this.#take(VARIABLE)?.[1];
    if (name === undefined) {
      return this.fail(
        `After "$" comes the name of a variable, in capitals, digits and "_". For a dollar sign write \\x24 in quotation marks.`,
      );
    }
    const bytes = this.#bindings.get(name);
    if (bytes === undefined) {
      const names = [...this.#bindings.keys()].map((bound) => `$${bound}`);
      const bound = names.length === 0 ? "No variable is." : `Bound: ${names.join(", ")}.`;
      return this.fail(`The variable $${name} is not bound. ${bound}`, offset);
    }
    if (!isByteString(bytes)) {
      return this.fail(`What $${name} stands for is no byte string: a character in it is no byte.`, offset);
    }
    return { name, bytes };
  }

  /**
   * Takes the value after the blanks: in quotation marks, or up to a blank or a `)`. A character that is not ASCII stands for
   * its bytes in UTF-8.
   *
   * @param what - it is, for the message when there is none: `a value, for example 4`
   */
  takeValue(what: string): ByteString {
    this.skipBlanks();
    const offset = this.#offset;
    const quoted = this.takeCharacter('"');
    let value = "";
    for (;;) {
      const plain = this.#take(quoted ? QUOTED_PLAIN : BARE_PLAIN);
      if (plain !== undefined) value += bytesFromText(plain[0]);
      else if (this.character === "$") value += this.takeVariable()?.bytes ?? "";
      else if (!quoted) break;
      else if (this.takeCharacter('"')) return value;
      else if (this.character === "") return this.fail("This quotation mark is never closed.", offset);
      else value += this.#takeEscape();
    }
    this.#refuseInBareWord("\\(");
    if (this.#offset > offset) {
      this.#refuseInBareWord('"');
      return value;
    }
    return this.fail(`Expected ${what}.`);
  }

  /** Takes the source of a regular expression after the blanks: in quotation marks, or up to a blank or a `)`. */
  takeExpression(): string {
    this.skipBlanks();
    const quoted = this.#take(QUOTED_EXPRESSION)?.[1];
    if (quoted !== undefined) return quoted;
    if (this.character === '"') return this.fail("This quotation mark is never closed.");
    const bare = this.#take(WORD)?.[0];
    this.#refuseInBareWord('("');
    return bare ?? this.fail('Expected a regular expression, for example ^vif or "[0-9]+ MiB".');
  }

  #refuseInBareWord(characters: string): void {
    const { character } = this;
    if (character === "" || !characters.includes(character)) return;
    this.fail(
      character === '"'
        ? 'A quotation mark stands at the beginning of a word and at its end; within it, write \\" and quote the whole.'
        : `A word with "${character}" stands in quotation marks.`,
    );
  }

  #takeEscape(): ByteString {
    const escape = this.#take(ESCAPE);
    if (escape === undefined) {
      return this.fail('After a backslash comes a quotation mark, a backslash, or "x" and two hexadecimal digits.');
    }
    return escape[1] ?? String.fromCharCode(parseInt(escape[2] ?? "", 16));
  }

  /** Takes what a sticky expression finds at the place; undefined when it finds nothing there. */
  #take(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.#offset;
    const found = expression.exec(this.#text);
    if (found === null) return undefined;
    this.#offset += found[0].length;
    return found;
  }
}
