/**
 * Byte strings in JSON.
 *
 * Owns how a value, which may be any bytes, stands in the answers of the HTTP API and in what `xs --json` prints: as text where
 * it is UTF-8, else in Base64, so that no byte is lost.
 */
import { Buffer } from "node:buffer";
import { bytesFromText, textFromBytes, type ByteString } from "../bytes.js";
import { serializePermission, type Perms } from "../perms.js";

/** A value. */
export type ValueJson = { readonly value: string } | { readonly valueBase64: string };

/** A value in JSON. */
export function valueJson(value: ByteString): ValueJson {
  const text = textFromBytes(value);
  if (bytesFromText(text) === value) return { value: text };
  return { valueBase64: Buffer.from(value, "latin1").toString("base64") };
}

/** The value that `valueJson` was given. */
export function valueFromJson(json: ValueJson): ByteString {
  if ("value" in json) return bytesFromText(json.value);
  return Buffer.from(json.valueBase64, "base64").toString("latin1");
}

/** A permission list in JSON: each entry as on the wire, such as `n0`, `r5`. */
export function permsJson(perms: Perms): string[] {
  return perms.map(serializePermission);
}
