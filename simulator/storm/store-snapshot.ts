/**
 * The whole store as a client sees it, to be compared with itself later.
 *
 * Owns the walk and the comparison: a node is its value and its perms.
 */
import { serializePerms } from "../../protocol/perms.js";
import type { StoreAccess } from "../actors/store-access.js";

/** Each node's value and perms, by path. */
export type StoreSnapshot = ReadonlyMap<string, string>;

/** Reads every node. What is removed meanwhile is left out. */
export async function takeSnapshot(store: StoreAccess): Promise<StoreSnapshot> {
  const snapshot = new Map<string, string>();
  const paths = ["/"];
  for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
    const [value, perms, names] = await Promise.all([store.read(path), store.getPerms(path), store.directory(path)]);
    if (value === undefined || perms === undefined || names === undefined) continue;
    snapshot.set(path, `${JSON.stringify(value)} ${serializePerms(perms)}`);
    for (const name of names) paths.push(path === "/" ? `/${name}` : `${path}/${name}`);
  }
  return snapshot;
}

/** How the second differs from the first, one line for each node. */
export function compareSnapshots(before: StoreSnapshot, after: StoreSnapshot): readonly string[] {
  const lines: string[] = [];
  for (const [path, node] of before) {
    const now = after.get(path);
    if (now === undefined) lines.push(`${path} is gone`);
    else if (now !== node) lines.push(`${path} was ${node} and is ${now}`);
  }
  for (const path of after.keys()) if (!before.has(path)) lines.push(`${path} was left behind`);
  return lines.sort();
}
