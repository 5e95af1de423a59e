/**
 * What is wrong with the text of a predicate, and where.
 *
 * Owns the error, how a place in the text is counted, and how both are shown. Lines and columns are counted from 1, columns in
 * characters (a character outside the basic plane is one), so that a caret can be put under them.
 */

/** The text of a predicate is not right. The message is a sentence for people and says what would be right. */
export class PredicateError extends Error {
  /** The line, from 1. */
  readonly line: number;
  /** The column within the line, from 1. */
  readonly column: number;

  /** @param offset - of the place, in UTF-16 units from the beginning of `text` */
  constructor({ text, offset, message }: { readonly text: string; readonly offset: number; readonly message: string }) {
    super(message);
    this.name = "PredicateError";
    const before = text.slice(0, offset).split("\n");
    this.line = before.length;
    this.column = Array.from(before.at(-1) ?? "").length + 1;
  }
}

/** Most characters of a line that are shown. */
const SHOWN_MAX = 100;
/** Characters that are shown before the place, in a line that is too long to be shown. */
const SHOWN_BEFORE = 60;

/**
 * The message, the line that it is about, and a caret under the place, in three lines without a line feed at the end:
 *
 *     Column 11: "exist" is no test. Did you mean "exists"?
 *       exists /a and exist /b
 *                     ^
 *
 * A long line is cut around the place. Control characters, tabs among them, are shown as blanks: the text may go to a terminal.
 *
 * @param text - that was parsed
 */
export function renderPredicateError(text: string, error: PredicateError): string {
  const lines = text.split("\n");
  const characters = Array.from((lines[error.line - 1] ?? "").replace(/\p{Cc}/gu, " "));
  let caret = error.column - 1;
  let shown = characters.join("");
  if (characters.length > SHOWN_MAX) {
    const from = Math.max(0, Math.min(caret - SHOWN_BEFORE, characters.length - SHOWN_MAX));
    const end = from + SHOWN_MAX;
    const leading = from > 0 ? "…" : "";
    shown = leading + characters.slice(from, end).join("") + (end < characters.length ? "…" : "");
    caret += leading.length - from;
  }
  const line = lines.length > 1 ? `Line ${String(error.line)}, column` : "Column";
  return `${line} ${String(error.column)}: ${error.message}\n  ${shown.trimEnd()}\n  ${" ".repeat(caret)}^`;
}
