/**
 * Values for people.
 */
import type { ValueJson } from "../../../protocol/http-api/value.js";

/** A value as text: what a person cannot see is escaped, and what is no text is Base64, which is said. */
export function valueInWords(json: ValueJson): string {
  if ("valueBase64" in json) return `(Base64) ${json.valueBase64}`;
  return escaped(json.value);
}

/** Text with what cannot be seen as `\\n`, `\\x00`. */
export function escaped(text: string): string {
  return text.replace(/[\\\u0000-\u001f\u007f]/g, (character) => {
    if (character === "\\") return "\\\\";
    if (character === "\n") return "\\n";
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
