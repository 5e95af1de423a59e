/**
 * Accounts: after any change they equal a recount (accounts invariants 1 and 2).
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Domid, Path } from "../../protocol/identifiers.js";
import { joinPath } from "../../protocol/path.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import { Accounts, countOwners } from "../../daemon/store/accounts.js";
import { diffRoots } from "../../daemon/store/diff.js";
import { emptyRoot, type Root } from "../../daemon/store/root.js";
import { edits, editRoot, nodesOf, textOfRoot } from "../support/model/root-generator.js";
import { propertyParameters } from "../support/seed.js";

/** The books of a root, counted by a walk of the test's own. */
function recount(root: Root) {
  const owned = new Map<number, number>();
  const mentions = new Map<number, Set<Path>>();
  const nodes = nodesOf(root);
  for (const [path, { perms }] of nodes) {
    const owner = perms[0].domid;
    owned.set(owner, (owned.get(owner) ?? 0) + 1);
    for (const { domid } of perms) mentions.set(domid, (mentions.get(domid) ?? new Set()).add(path));
  }
  owned.delete(0);
  mentions.delete(0);
  return { nodeCount: nodes.size, owned, mentions };
}

function expectRecount(accounts: Accounts, root: Root): void {
  const { nodeCount, owned, mentions } = recount(root);
  expect(accounts.nodeCount).toBe(nodeCount);
  expect([...accounts.domains()].sort()).toEqual([...mentions.keys()].sort());
  for (const domid of [0, 1, 2, 3, 4] as Domid[]) {
    expect(accounts.nodesOwned(domid)).toBe(owned.get(domid) ?? 0);
    expect([...accounts.mentions(domid)].sort()).toEqual([...(mentions.get(domid) ?? [])].sort());
  }
}

describe("Accounts", () => {
  test("follow every commit: apply gives what a recount gives", () => {
    fc.assert(
      fc.property(fc.array(edits, { minLength: 1, maxLength: 5 }), (commits) => {
        let root = emptyRoot();
        const accounts = new Accounts(root);
        for (const commit of commits) {
          const before = root;
          root = editRoot(root, commit, 1);
          accounts.apply(before, diffRoots(before, root));
          expectRecount(accounts, root);
          expect(accounts.verify(root)).toEqual([]);
        }
        expectRecount(new Accounts(root), root);
        expect([...countOwners(root.node)].sort()).toEqual([...recount(root).owned].sort());
      }),
      propertyParameters(400),
    );
  });

  test("verify finds every difference between the books and the nodes", () => {
    fc.assert(
      fc.property(edits, edits, (first, second) => {
        const [one, other] = [editRoot(emptyRoot(), first, 1), editRoot(emptyRoot(), second, 1)];
        const same = JSON.stringify(comparable(one)) === JSON.stringify(comparable(other));
        expect(new Accounts(one).verify(other).length === 0).toBe(same);
      }),
      propertyParameters(400),
    );
  });

  test("count 1,500 levels without recursion (XSA-418)", () => {
    const names = Array.from({ length: 1500 }, () => "__proto__");
    const perms = parsePerms(["n5", "r6"]) as Perms;
    const root = editRoot(emptyRoot(), [{ kind: "set", path: joinPath(names), value: "", perms }], 1);
    const accounts = new Accounts(root);
    expect(accounts.nodesOwned(5 as Domid)).toBe(1500);
    expect(accounts.mentions(6 as Domid).size).toBe(1500);
    accounts.apply(root, diffRoots(root, emptyRoot()));
    expect(accounts.nodesOwned(5 as Domid)).toBe(0);
    expect(accounts.domains()).toEqual([]);
    expect(textOfRoot(emptyRoot())).toContain("/=");
  });
});

function comparable(root: Root): unknown {
  const { nodeCount, owned, mentions } = recount(root);
  return [nodeCount, [...owned].sort(), [...mentions].map(([domid, paths]) => [domid, [...paths].sort()]).sort()];
}
