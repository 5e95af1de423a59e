/**
 * Values as text, in the notation of the xenstore-* tools.
 *
 * Owns what `xenstore-read` and `xenstore-ls` print and `xenstore-write` takes (observed on Xen 4.17): printable ASCII as it
 * is, backslash doubled, `\t \n \r`, bytes below 8 as three octal digits (`\001`), all others as `\xHH`. Quotes are not
 * escaped. `unescapeValue(escapeValue(x))` is x.
 */
import type { ByteString } from "./bytes.js";

const LETTERS: ReadonlyMap<string, string> = new Map([
  ["\t", "\\t"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\\", "\\\\"],
]);

const LETTER_VALUES: ReadonlyMap<string, string> = new Map([
  ["t", "\t"],
  ["n", "\n"],
  ["r", "\r"],
]);

function escapeByte(byte: string): string {
  const letter = LETTERS.get(byte);
  if (letter !== undefined) return letter;
  const code = byte.charCodeAt(0);
  return code < 8 ? `\\00${String(code)}` : `\\x${code.toString(16).padStart(2, "0")}`;
}

/** A value in printable ASCII. */
export function escapeValue(value: ByteString): string {
  return value.replace(/[^ -[\]-~]/g, escapeByte);
}

/** A byte that was read from an escape, and where the text goes on. */
export interface Unescaped {
  readonly byte: ByteString;
  readonly end: number;
}

const OCTAL = /[0-7]{1,3}/y;
const HEX = /x([0-9A-Fa-f]{1,2})/y;

/**
 * Reads the escape that starts at `start`, which is a backslash. One to three octal digits; `x` and one or two hexadecimal
 * ones; a letter of `tnr`; else the character itself. A backslash at the end is a NUL byte.
 */
export function readEscape(text: string, start: number): Unescaped {
  const at = start + 1;
  OCTAL.lastIndex = at;
  const [octal] = OCTAL.exec(text) ?? [];
  if (octal !== undefined) {
    return { byte: String.fromCharCode(parseInt(octal, 8) & 0xff), end: at + octal.length };
  }
  HEX.lastIndex = at;
  const [whole, digits] = HEX.exec(text) ?? [];
  if (whole !== undefined && digits !== undefined) {
    return { byte: String.fromCharCode(parseInt(digits, 16)), end: at + whole.length };
  }
  const letter = text.charAt(at);
  if (letter === "") return { byte: "\0", end: at };
  return { byte: LETTER_VALUES.get(letter) ?? letter, end: at + 1 };
}

/** The value that a text in this notation stands for. */
export function unescapeValue(text: ByteString): ByteString {
  let value = "";
  let from = 0;
  for (;;) {
    const backslash = text.indexOf("\\", from);
    if (backslash === -1) return value + text.slice(from);
    const { byte, end } = readEscape(text, backslash);
    value += text.slice(from, backslash) + byte;
    from = end;
  }
}
