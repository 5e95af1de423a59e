/**
 * Paths in questions.
 */
import { bytesFromText } from "../../../protocol/bytes.js";
import { QueryError } from "../../../protocol/http-api/history-queries.js";
import type { Domid, Path } from "../../../protocol/identifiers.js";
import { parsePath } from "../../../protocol/path.js";

/** The path that somebody wrote. @throws QueryError when it is none from `/` down */
export function queriedPath(text: string): Path {
  const path = text.startsWith("/") ? parsePath(bytesFromText(text), 0 as Domid) : undefined;
  if (path !== undefined) return path;
  const what = `${JSON.stringify(text)} is no path of a node`;
  const shorter = text.replace(/\/+$/, "");
  if (shorter !== text && parsePath(bytesFromText(shorter), 0 as Domid) !== undefined) {
    throw new QueryError(`${what}: it ends with a slash; write ${shorter}`);
  }
  throw new QueryError(`${what}: write one such as /local/domain/5/name`);
}
