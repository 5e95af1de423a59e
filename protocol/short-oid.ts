/**
 * Object ids as people see them.
 */

/** As Git shows them, and some more: a store has many commits. */
const DIGITS_SHOWN = 10;

/** The beginning of an object id of 40 hexadecimal digits. */
export function shortOid(hex: string): string {
  return hex.slice(0, DIGITS_SHOWN);
}
