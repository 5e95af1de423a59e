import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyManyChanges } from "../../../../daemon/store/bulk-edit.js";
import type { Change } from "../../../../daemon/store/commit.js";
import { applyChanges, diffRoots } from "../../../../daemon/store/diff.js";
import { emptyRoot, type Root } from "../../../../daemon/store/root.js";
import type { Path, Seq } from "../../../../protocol/identifiers.js";
import { arbitraryEdit, editRoot, type Edit } from "../../../property/history-generator.js";
import { propertyParameters } from "../../../support/seed.js";

function rootOf(edits: readonly Edit[]): Root {
  let root = emptyRoot();
  for (const edit of edits) root = editRoot(root, edit, 1 as Seq);
  return root;
}

const edits = fc.array(arbitraryEdit, { maxLength: 20 });

describe("applyManyChanges", () => {
  test("does what applyChanges does, the seqs of what was modified included", () => {
    fc.assert(
      fc.property(edits, edits, (first, second) => {
        const [before, after] = [rootOf(first), rootOf(second)];
        const changes = diffRoots(before, after);
        expect(applyManyChanges(before, changes, 7 as Seq)).toEqual(applyChanges(before, changes, 7 as Seq));
      }),
      propertyParameters(300),
    );
  });

  test("shares what does not change", () => {
    const root = rootOf([
      { kind: "set", names: ["a", "b"], value: "1", perms: emptyRoot().node.perms },
      { kind: "set", names: ["c"], value: "1", perms: emptyRoot().node.perms },
    ]);
    const change: Change = {
      kind: "node",
      path: "/c" as Path,
      before: undefined,
      after: { value: "2", perms: root.node.perms },
    };
    const edited = applyManyChanges(root, [change], 7 as Seq);
    expect(edited.node.names).toBe(root.node.names);
    expect(edited.node.children[0]).toBe(root.node.children[0]);
    expect(applyManyChanges(root, [], 7 as Seq).node).toBe(root.node);
  });

  test("refuses changes that do not fit", () => {
    const after = { value: "", perms: emptyRoot().node.perms };
    const creation: Change = { kind: "node", path: "/x/y" as Path, before: undefined, after };
    const removal: Change = { kind: "node", path: "/x" as Path, before: after, after: undefined };
    for (const change of [creation, removal]) {
      expect(() => applyManyChanges(emptyRoot(), [change], 7 as Seq)).toThrow(/does not fit/);
    }
  });
});
