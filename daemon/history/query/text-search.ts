/**
 * Looking for a text in byte strings, in capitals or not.
 *
 * Owns what counts as the same letter: those of ASCII alone. A byte beyond that is a part of some letter, or of none.
 */
import type { ByteString } from "../../../protocol/bytes.js";

/** Makes a search: it tells whether a byte string has these bytes in it. */
export function searchFor(wanted: ByteString): (bytes: ByteString) => boolean {
  const source = wanted.replace(/[^0-9]/g, eitherCase);
  const expression = new RegExp(source);
  return (bytes) => expression.test(bytes);
}

/** A pattern for one character: a letter in either case; else the character itself. */
function eitherCase(character: string): string {
  if (/[A-Za-z]/.test(character)) return `[${character.toLowerCase()}${character.toUpperCase()}]`;
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
