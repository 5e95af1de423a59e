/**
 * Paths in questions about a history.
 *
 * Owns that a relative one means there what it means to the daemon on its own socket: it is below the directory of domain 0.
 */
import { bytesFromText, textFromBytes } from "../../protocol/bytes.js";
import type { Domid } from "../../protocol/identifiers.js";
import { parsePath } from "../../protocol/path.js";

/** The whole path that somebody means. What is no path stays as it is: whom it is sent to says what is wrong with it. */
export function recordedPath(text: string): string {
  const path = parsePath(bytesFromText(text), 0 as Domid);
  return path === undefined ? text : textFromBytes(path);
}
