/**
 * Random roots, and roots as plain maps.
 *
 * Owns generators of edits, and a walk that shares nothing with the differ that it serves to test.
 */
import * as fc from "fast-check";
import type { Domid, Microseconds, Path, Seq } from "../../../protocol/identifiers.js";
import { joinPath, parentPath, SPECIAL_PATHS, type SpecialPath } from "../../../protocol/path.js";
import { serializePerms, type Perms } from "../../../protocol/perms.js";
import { withEntry } from "../../../daemon/store/diff.js";
import { removeNode, setNode } from "../../../daemon/store/edit.js";
import type { Node } from "../../../daemon/store/node.js";
import { QUOTA_NAMES, type QuotaName } from "../../../daemon/store/quota.js";
import {
  emptyRoot,
  getNode,
  isEmptyRecord,
  type DomainRecord,
  type Introduction,
  type Root,
} from "../../../daemon/store/root.js";

/** One edit of a root. */
export type Edit =
  | { readonly kind: "set"; readonly path: Path; readonly value: string; readonly perms: Perms }
  | { readonly kind: "remove"; readonly path: Path }
  | { readonly kind: "special"; readonly path: SpecialPath; readonly perms: Perms }
  | { readonly kind: "quota"; readonly name: QuotaName; readonly value: number | undefined }
  | { readonly kind: "domain"; readonly domid: Domid; readonly record: DomainRecord };

/** Names among them that are keys of every object, sort oddly, or are prefixes of one another. */
const NAMES = ["a", "b", "a-b", "a0", "A", "__proto__", "constructor", "toString", "@x"];

const name = fc.constantFrom(...NAMES);
const path: fc.Arbitrary<Path> = fc.array(name, { minLength: 1, maxLength: 4 }).map(joinPath);
const domid = fc.integer({ min: 1, max: 4 }) as fc.Arbitrary<Domid>;
/** Lists that are not interned, so that nothing can rely on equal lists being one object. */
const entry = fc.record({
  access: fc.integer({ min: 0, max: 3 }),
  domid: fc.integer({ min: 0, max: 4 }) as fc.Arbitrary<Domid>,
});
const perms: fc.Arbitrary<Perms> = fc
  .tuple(entry, fc.array(entry, { maxLength: 2 }))
  .map(([owner, others]): Perms => [owner, ...others]);
const small = fc.integer({ min: 0, max: 2 });
const quotas = fc
  .array(fc.tuple(fc.constantFrom(...QUOTA_NAMES), small), { maxLength: 2 })
  .map((entries) => new Map(entries));
const commit = fc.record({
  seq: fc.integer({ min: 1, max: 2 }).map((seq) => seq as Seq),
  time: small.map((time) => time as Microseconds),
});
const record: fc.Arbitrary<DomainRecord> = fc.record({
  introduction: fc.option(fc.record({ gfn: small, port: small, commit: fc.option(commit, { nil: undefined }) }), {
    nil: undefined,
  }),
  target: fc.option(domid, { nil: undefined }),
  features: fc.option(small, { nil: undefined }),
  shutdown: fc.boolean(),
  quotas,
});

/** Makes edits: mostly of nodes. */
export const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ kind: fc.constant("set"), path, value: fc.constantFrom("", "v", "w"), perms }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("remove"), path }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("special"), path: fc.constantFrom(...SPECIAL_PATHS), perms }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("quota"),
        name: fc.constantFrom(...QUOTA_NAMES),
        value: fc.option(small, { nil: undefined }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("domain"), domid, record }) },
  ),
  { maxLength: 40 },
);

/** Edits a root; a set creates missing parents, and what cannot be done is left out. */
export function editRoot(root: Root, list: readonly Edit[], seq: number): Root {
  return list.reduce((state, edit) => applyEdit(state, edit, seq as Seq), root);
}

function applyEdit(root: Root, edit: Edit, seq: Seq): Root {
  switch (edit.kind) {
    case "set":
      return { ...root, node: setWithParents(root, edit, seq) };
    case "remove":
      return { ...root, node: removeNode(root.node, edit.path, seq) ?? root.node };
    case "special":
      return { ...root, special: withEntry(root.special, edit.path, edit.perms) };
    case "quota":
      return { ...root, quotas: withEntry(root.quotas, edit.name, edit.value) };
    case "domain":
      return {
        ...root,
        domains: withEntry(root.domains, edit.domid, isEmptyRecord(edit.record) ? undefined : edit.record),
      };
  }
}

function setWithParents(root: Root, edit: Edit & { readonly kind: "set" }, seq: Seq): Node {
  const missing: Path[] = [];
  for (let at = parentPath(edit.path); at !== undefined && getNode(root, at) === undefined; at = parentPath(at)) {
    missing.unshift(at);
  }
  let { node } = root;
  for (const at of missing) node = mustSet(node, at, "", edit.perms, seq);
  return mustSet(node, edit.path, edit.value, edit.perms, seq);
}

function mustSet(top: Node, at: Path, value: string, list: Perms, seq: Seq): Node {
  const node = setNode(top, at, { value, perms: list }, seq);
  if (node === undefined) throw new Error(`the parent of ${at} is missing`);
  return node;
}

/** A root with equal contents that shares no node, map or list with any other. */
export function rebuiltRoot(root: Root): Root {
  let { node } = emptyRoot();
  for (const [at, state] of nodesOf(root)) {
    const [owner, ...others] = state.perms;
    node = mustSet(node, at, state.value, [{ ...owner }, ...others.map((entry) => ({ ...entry }))], 0 as Seq);
  }
  return {
    node,
    special: new Map(root.special),
    quotas: new Map(root.quotas),
    domains: new Map([...root.domains].map(([id, each]) => [id, { ...each, quotas: new Map(each.quotas) }])),
  };
}

/** All nodes by path, parents before children. */
export function nodesOf(root: Root): Map<Path, Node> {
  const found = new Map<Path, Node>();
  const pending: { readonly names: readonly string[]; readonly node: Node }[] = [{ names: [], node: root.node }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { names, node } = next;
    found.set(joinPath(names), node);
    node.children.forEach((child, index) =>
      pending.push({ names: [...names, String(node.names[index])], node: child }),
    );
  }
  return found;
}

function introductionText(introduction: Introduction | undefined): string {
  if (introduction === undefined) return "";
  const { gfn, port, commit: by } = introduction;
  return `${String(gfn)} ${String(port)} ${String(by?.seq)} ${String(by?.time)}`;
}

/** Everything in a root as text, leaving `modified` out; equal texts are equal contents. */
export function textOfRoot(root: Root): string {
  const lines = [...nodesOf(root)].map(([at, { value, perms: list }]) => `${at}=${value} ${serializePerms(list)}`);
  const special = [...root.special].map(([at, list]) => `${at} ${serializePerms(list)}`);
  const defaults = [...root.quotas].map(([quota, value]) => `${quota} ${String(value)}`);
  const domains = [...root.domains].map(([id, { introduction, target, features, shutdown, quotas: own }]) =>
    JSON.stringify([id, introductionText(introduction), target, features, shutdown, [...own].sort()]),
  );
  return [lines, special, defaults, domains].map((part) => part.sort().join("\n")).join("\n--\n");
}
