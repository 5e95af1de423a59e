/**
 * Redaction: values that must not be written down.
 *
 * Owns what stands for such a value in the journal, and so in Git, which the recorder makes from the journal alone. The store
 * keeps the value itself, and clients see it until the daemon is started again; then the node is empty.
 *
 * A redacted value is written as a marker,
 *
 *     redacted:hmac-sha256:<HMAC(key, "value", value)>:<HMAC(key, "marker", path, first hash)>
 *
 * in hexadecimal, the second hash cut to its half. The first one tells whether two values are equal and nothing else to
 * who has not the key. The second one vouches for the marker at that path: what a guest writes that looks like a marker is
 * text like any other. An empty value is written as such: it hides nothing.
 *
 * Invariants (tests cite them):
 *  1. In a redacted commit no value at a path that a glob matches stands, neither in the changes nor in the requests.
 *  2. A commit's paths, perms and order are as they were, so the redacted commits make a tree of the same shape: the store
 *     and the recorded tree differ in values alone, and every later change fits both.
 *  3. Only markers that this key made for their path are emptied at start, whatever the globs are by then.
 *
 * Where the two differ after a start, Git keeps the marker until the node changes; a write of an empty value to the emptied
 * node is no change and makes none there. A change of its perms writes its value, too, which is empty then.
 */
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import type { ByteString } from "../../protocol/bytes.js";
import { childPath, ROOT_PATH } from "../../protocol/path.js";
import { parseRedactionMarker, REDACTION_PREFIX } from "../../protocol/redaction-marker.js";
import type { Path, Seq } from "../../protocol/identifiers.js";
import type { Change, Commit, RequestRecord } from "../store/commit.js";
import { setNode } from "../store/edit.js";
import type { Node } from "../store/node.js";
import type { Root } from "../store/root.js";
import type { PathGlob } from "./path-glob.js";

/** Bytes of a marker; nothing longer stands for a value. */
export const MARKER_LENGTH: number = REDACTION_PREFIX.length + 64 + 1 + 32;
/** What requests tell instead of a value; the tree has the marker. */
const DETAIL = "redacted";

/** What redaction goes by. */
export interface Redactor {
  /** From `redaction-key.ts`. */
  readonly key: Uint8Array;
  readonly globs: readonly PathGlob[];
}

function hash(key: Uint8Array, kind: "value" | "marker", parts: readonly ByteString[]): string {
  const hmac = createHmac("sha256", key);
  hmac.update(kind);
  // No path and no hash has a NUL in it, and a value is the only part of its kind.
  for (const part of parts) hmac.update("\0").update(Buffer.from(part, "latin1"));
  return hmac.digest("hex");
}

function seal(key: Uint8Array, path: ByteString, valueHash: string): string {
  return hash(key, "marker", [path, valueHash]).slice(0, 32);
}

/** The marker that stands for a value at a path. */
export function markerOf({ key }: Pick<Redactor, "key">, path: Path, value: ByteString): ByteString {
  const valueHash = hash(key, "value", [value]);
  return `${REDACTION_PREFIX}${valueHash}:${seal(key, path, valueHash)}`;
}

/** Whether a value is a marker that this key made for this path. */
export function isMarker({ key }: Pick<Redactor, "key">, path: Path, value: ByteString): boolean {
  if (value.length !== MARKER_LENGTH) return false;
  const marker = parseRedactionMarker(value);
  return marker !== undefined && marker.seal === seal(key, path, marker.value);
}

/** A commit as it may be written down; the same one where no glob matches (invariants 1 and 2). */
export function redactCommit(commit: Commit, redactor: Redactor): Commit {
  const isSecret = (path: ByteString): boolean => redactor.globs.some((glob) => glob.matches(path));
  const changes = mapChanged(commit.changes, (change) => redactChange(change, redactor, isSecret));
  const requests = mapChanged(commit.requests, (request) => redactRequest(request, isSecret));
  return changes === commit.changes && requests === commit.requests ? commit : { ...commit, changes, requests };
}

function redactChange(change: Change, redactor: Redactor, isSecret: (path: ByteString) => boolean): Change {
  if (change.kind !== "node" || !isSecret(change.path)) return change;
  const { path, after } = change;
  if (after === undefined || after.value === "") return { ...change, before: undefined };
  return {
    ...change,
    before: undefined,
    after: { value: markerOf(redactor, path, after.value), perms: after.perms },
  };
}

/** WRITE alone tells a value. */
function redactRequest(request: RequestRecord, isSecret: (path: ByteString) => boolean): RequestRecord {
  if (request.operation !== "WRITE" || request.detail === "" || !isSecret(request.subject)) return request;
  return { ...request, detail: DETAIL, detailBytes: DETAIL.length };
}

/** A list with what `convert` makes of its elements; the same one where it changed none. */
function mapChanged<T>(list: readonly T[], convert: (element: T) => T): readonly T[] {
  const converted = list.map(convert);
  return converted.some((element, index) => element !== list[index]) ? converted : list;
}

/** Changes as they are replayed: where a value was redacted it is empty (invariant 3). */
export function emptyMarkedChanges(changes: readonly Change[], redactor: Pick<Redactor, "key">): readonly Change[] {
  return mapChanged(changes, (change) => {
    if (change.kind !== "node" || change.after === undefined) return change;
    if (!isMarker(redactor, change.path, change.after.value)) return change;
    return { ...change, after: { value: "", perms: change.after.perms } };
  });
}

/**
 * A recorded root as it is loaded: where a value was redacted it is empty (invariant 3).
 *
 * @param seq - becomes the `modified` of the nodes that are emptied
 */
export function emptyMarkedNodes(root: Root, redactor: Pick<Redactor, "key">, seq: Seq): Root {
  let { node } = root;
  const pending: { readonly path: Path; readonly node: Node }[] = [{ path: ROOT_PATH, node }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path } = next;
    const { value, perms, names, children } = next.node;
    if (isMarker(redactor, path, value)) node = setNode(node, path, { value: "", perms }, seq) ?? node;
    for (const [index, child] of children.entries()) {
      pending.push({ path: childPath(path, names[index] as string), node: child });
    }
  }
  return node === root.node ? root : { ...root, node };
}
