import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sameNode } from "../../../../daemon/store/diff.js";
import { graft } from "../../../../daemon/store/graft.js";
import { emptyRoot, getNode, type Root } from "../../../../daemon/store/root.js";
import type { Path, Seq } from "../../../../protocol/identifiers.js";
import { isAtOrBelow, joinPath } from "../../../../protocol/path.js";
import { arbitraryEdit, editRoot, type Edit } from "../../../property/history-generator.js";
import { propertyParameters } from "../../../support/seed.js";

const roots = fc.array(arbitraryEdit, { maxLength: 12 }).map((edits: Edit[]) => {
  let root = emptyRoot();
  for (const edit of edits) root = editRoot(root, edit, 1 as Seq);
  return root;
});

/** The paths of all nodes, with value and perms. */
function nodesOf(root: Root): Map<string, string> {
  const nodes = new Map<string, string>();
  const pending = [{ path: "/", node: root.node }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path, node } = next;
    nodes.set(path, JSON.stringify([node.value, node.perms]));
    for (const [index, child] of node.children.entries()) {
      pending.push({ path: `${path === "/" ? "" : path}/${String(node.names[index])}`, node: child });
    }
  }
  return nodes;
}

describe("graft", () => {
  test("has the source's nodes at and below the path, the target's elsewhere, and the source's where a parent lacked", () => {
    const names = fc.array(fc.constantFrom("device", "a", "0", "device-model"), { minLength: 0, maxLength: 3 });
    fc.assert(
      fc.property(roots, roots, names, (target, source, list) => {
        const path = joinPath(list);
        const [before, wanted, grafted] = [target, source, graft(target, source, path, 2 as Seq)].map(nodesOf);
        const expected = new Map<string, string>();
        for (const [at, node] of before ?? []) if (!isAtOrBelow(at, path)) expected.set(at, node);
        for (const [at, node] of wanted ?? []) {
          const isMissingAbove = (wanted?.has(path) ?? false) && isAtOrBelow(path, at) && before?.has(at) === false;
          if (isAtOrBelow(at, path) || isMissingAbove) expected.set(at, node);
        }
        expect(new Map([...(grafted ?? [])].sort())).toEqual(new Map([...expected].sort()));
      }),
      propertyParameters(300),
    );
  });

  test("is the target itself where nothing differs, and leaves all but nodes alone", () => {
    const root = editRoot(emptyRoot(), { kind: "quota", limit: 7 }, 1 as Seq);
    expect(graft(root, emptyRoot(), "/a" as Path, 2 as Seq)).toBe(root);
    const whole = graft(root, emptyRoot(), "/" as Path, 2 as Seq);
    expect(whole.quotas).toBe(root.quotas);
    expect(sameNode(whole.node, emptyRoot().node)).toBe(true);
    expect(getNode(whole, "/a" as Path)).toBeUndefined();
  });
});
