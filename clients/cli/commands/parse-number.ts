/**
 * Numbers among a command's words.
 */
import { InvalidArgumentError } from "commander";
import { parseDecimal, parseDomid, type Domid } from "../../../protocol/identifiers.js";

/** Reads a number. @throws InvalidArgumentError */
export function parseNumber(text: string): number {
  const value = parseDecimal(text);
  if (value === undefined) throw new InvalidArgumentError("It is a number, such as 10.");
  return value;
}

/** Reads a transaction's id. @throws InvalidArgumentError */
export function parseTransactionId(text: string): number {
  const id = parseDecimal(text);
  if (id === undefined || id < 1 || id > 0xffff_ffff) {
    throw new InvalidArgumentError("It is a transaction's id, 1 to 4294967295.");
  }
  return id;
}

/** Reads a domain's number. @throws InvalidArgumentError */
export function parseDomain(text: string): Domid {
  const domid = parseDomid(text);
  if (domid === undefined) throw new InvalidArgumentError("It is a domain's number, such as 7.");
  return domid;
}
