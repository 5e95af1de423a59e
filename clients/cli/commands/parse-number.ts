/**
 * Numbers among a command's words.
 */
import { InvalidArgumentError } from "commander";
import { parseDecimal } from "../../../protocol/identifiers.js";

/** Reads a number. @throws InvalidArgumentError */
export function parseNumber(text: string): number {
  const value = parseDecimal(text);
  if (value === undefined) throw new InvalidArgumentError("It is a number, such as 10.");
  return value;
}
