/**
 * Small states of a store, written down in a test.
 *
 * Owns a view over a map, which shares nothing with the store's own nodes.
 */
import type { Path } from "../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import type { StateView, ViewedNode } from "../../protocol/predicate/state-view.js";

/** A node: its value, or its value and its perms such as `n5 r0`. Missing parents are empty and dom0's. */
export type StateNodes = Readonly<Record<string, string | readonly [value: string, perms: string]>>;

/** The state with these nodes and `/`. */
export function stateOf(nodes: StateNodes): StateView {
  return stateFromMap(new Map(Object.entries(nodes)));
}

/** As `stateOf`, also for names such as `__proto__`. */
export function stateFromMap(nodes: ReadonlyMap<string, string | readonly [value: string, perms: string]>): StateView {
  const views = new Map<string, { value: string; perms: Perms; names: string[] }>();
  const viewOf = (path: string): ViewedNode & { value: string; perms: Perms; names: string[] } => {
    let view = views.get(path);
    if (view === undefined) {
      view = { value: "", perms: permsOf("n0"), names: [] };
      views.set(path, view);
      const slash = path.lastIndexOf("/");
      if (path !== "/") viewOf(path.slice(0, slash) || "/").names.push(path.slice(slash + 1));
    }
    return view;
  };
  viewOf("/");
  for (const [path, node] of nodes) {
    const [value, perms] = typeof node === "string" ? [node, "n0"] : node;
    Object.assign(viewOf(path), { value, perms: permsOf(perms) });
  }
  return { node: (path) => views.get(path) };
}

/** A state, and the paths that were looked up in it so far. */
export function recordLookups(state: StateView): { readonly state: StateView; readonly lookups: Path[] } {
  const lookups: Path[] = [];
  return {
    lookups,
    state: {
      node: (path) => {
        lookups.push(path);
        return state.node(path);
      },
    },
  };
}

function permsOf(text: string): Perms {
  const perms = parsePerms(text.split(" "));
  if (perms === undefined) throw new Error(`bad perms ${text}`);
  return perms;
}
