/**
 * Branded identifiers: numbers and strings that must not be mixed up.
 *
 * Owns the brands and their ranges. The parsers of the wire's text forms live beside what they parse.
 */
import type { ByteString } from "./bytes.js";

/** A Xen domain id, 0..65535; 0 is the control domain (xenstore.txt, "domid"). */
export type Domid = number & { readonly __brand: "Domid" };

/** A transaction id on one connection, 1..4294967295; 0 on the wire means "no transaction". */
export type TxId = number & { readonly __brand: "TxId" };

/** The sequence number of a commit on its branch: 1, 2, 3, … without gaps, kept over restarts; 0 is "before the first". */
export type Seq = number & { readonly __brand: "Seq" };

/** A valid absolute path: `/` or `/name/name`, at most `XENSTORE_ABS_PATH_MAX` bytes. Made by `parsePath` alone. */
export type Path = ByteString & { readonly __brand: "Path" };

/** Microseconds since the Unix epoch, an integer (exact in a double until the year 2255). */
export type Microseconds = number & { readonly __brand: "Microseconds" };

/** The control domain: toolstack and every client of the privileged socket. */
export const DOM0 = 0 as Domid;

/** The first reserved domain id (`DOMID_FIRST_RESERVED` of xen.h): no domain has this id or a higher one. */
export const DOMID_FIRST_RESERVED = 0x7ff0;

const DECIMAL = /^(?:0|[1-9][0-9]{0,9})$/;

/** Parses an unsigned decimal of at most ten digits without sign, blank or leading zero. */
export function parseDecimal(text: ByteString): number | undefined {
  return DECIMAL.test(text) ? Number(text) : undefined;
}

/** Parses a domain id in decimal, 0..65535 (xenstore.txt, "domid"). */
export function parseDomid(text: ByteString): Domid | undefined {
  const value = parseDecimal(text);
  return value === undefined || value > 0xffff ? undefined : (value as Domid);
}
