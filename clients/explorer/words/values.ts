/**
 * Values for people.
 */
import type { ValueJson } from "../../../protocol/http-api/value.js";

/** A value as text: what a person cannot see is escaped. What is no text is Base64 behind a word that no escaped text begins with. */
export function valueInWords(json: ValueJson): string {
  if ("valueBase64" in json) return `\\base64 ${json.valueBase64}`;
  return escaped(json.value);
}

/** What cannot be seen, or makes others seen otherwise: control characters, formats such as a change of direction, separators of lines. */
const UNSEEN = /[\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Text with what cannot be seen as `\\n`, `\\x00`, `\\u202e`. */
export function escaped(text: string): string {
  return text.replace(UNSEEN, (character) => {
    if (character === "\\") return "\\\\";
    if (character === "\n") return "\\n";
    const code = character.codePointAt(0) ?? 0;
    if (code > 0xffff) return `\\u{${code.toString(16)}}`;
    return code > 0xff ? `\\u${code.toString(16).padStart(4, "0")}` : `\\x${code.toString(16).padStart(2, "0")}`;
  });
}
