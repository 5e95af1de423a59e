/**
 * What a listing is printed from is read back from it, and any text is read without failing.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { listingLine, type ListingStyle } from "../../clients/cli/format.js";
import { applyChanges, sameNode } from "../../daemon/store/diff.js";
import { changesToListing } from "../../daemon/store/listing-changes.js";
import { emptyRoot, getNode, type Root } from "../../daemon/store/root.js";
import type { Path, Seq } from "../../protocol/identifiers.js";
import { parseListing } from "../../protocol/listing/parse-listing.js";
import { parentPath, ROOT_PATH, splitPath } from "../../protocol/path.js";
import { parsePerms } from "../../protocol/perms.js";
import { propertyParameters } from "../support/seed.js";
import { listingOf } from "../support/xenstore-listing.js";
import { arbitraryEdit, rootOfEdits, type Edit } from "./history-generator.js";

/** Values that look like parts of a listing. */
const tricky = fc
  .array(
    fc.constantFrom(
      '"',
      '"   (n0)',
      " ",
      "\\",
      "\\...",
      "...",
      "/a = ",
      "(n0,r5)",
      "\n",
      "\xff",
      "\x1b[36m",
      "x:",
      "> ",
    ),
  )
  .map((parts) => parts.join(""));

const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc
    .tuple(arbitraryEdit, fc.option(tricky, { nil: undefined }))
    .map(([edit, value]): Edit => (edit.kind === "set" && value !== undefined ? { ...edit, value } : edit)),
  { maxLength: 30 },
);

/** In the order of `xs ls`. */
function dump(root: Root, style: Partial<ListingStyle>): string {
  const whole = { fullPaths: false, perms: false, width: Infinity, colours: false, ...style };
  let text = "";
  const pending: Path[] = [ROOT_PATH];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const node = getNode(root, path);
    if (node === undefined) throw new Error(`${path} is gone`);
    for (const name of [...node.names].reverse()) pending.push(`${path === ROOT_PATH ? "" : path}/${name}` as Path);
    const names = splitPath(path);
    const line = { path, name: names.at(-1) ?? "", depth: names.length - 1, value: node.value, perms: node.perms };
    if (path !== ROOT_PATH) text += `${listingLine(line, whole)}\n`;
  }
  return text;
}

describe("parseListing", () => {
  it.each([
    { fullPaths: true, perms: true },
    { fullPaths: true, perms: false },
    { fullPaths: false, perms: true },
    { fullPaths: false, perms: false, colours: true },
  ])("reads back what was printed with %j", (style) => {
    fc.assert(
      fc.property(edits, (list) => {
        const root = rootOfEdits(list);
        const { nodes, remarks, errors } = parseListing(dump(root, style));
        expect([errors, remarks]).toEqual([[], []]);
        const found = nodes.map(({ path, value, perms }) => [path, value, perms]);
        const wanted = [...listingOf(root)].map(([path, { value, perms = "" }]) => [
          path,
          value,
          style.perms ? parsePerms(perms.split(" ")) : undefined,
        ]);
        expect(found.sort()).toEqual(wanted.sort());
      }),
      propertyParameters(100),
    );
  });

  it("reads any text: each path once, parents first", () => {
    const line = fc.oneof(
      fc.string(),
      tricky,
      fc.constantFrom(
        '/a/b/c = "1"',
        ' x = "2"  (n0)',
        '   y = "',
        "z:",
        "(n0)",
        '/a = "\\..."',
        "$ xenstore-ls /q",
        '-"',
      ),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        const { nodes } = parseListing(lines.join("\n"));
        const seen = new Set<string>([ROOT_PATH]);
        for (const { path } of nodes) {
          expect(seen.has(path)).toBe(path === ROOT_PATH);
          expect(seen.has(parentPath(path) ?? ROOT_PATH)).toBe(true);
          seen.add(path);
        }
      }),
      propertyParameters(300),
    );
  });
});

describe("changesToListing", () => {
  it("makes any store what the listing of another says", () => {
    fc.assert(
      fc.property(edits, edits, (first, second) => {
        const [before, wanted] = [rootOfEdits(first), rootOfEdits(second)];
        for (const from of [before, emptyRoot()]) {
          const { nodes } = parseListing(dump(wanted, { fullPaths: true, perms: true }));
          const after = applyChanges(from, changesToListing(from, nodes), 9 as Seq);
          // No listing has the node / itself.
          const { value, perms } = from.node;
          expect(sameNode(after.node, { ...wanted.node, value, perms })).toBe(true);
          expect([after.quotas, after.domains, after.special]).toEqual([from.quotas, from.domains, from.special]);
        }
      }),
      propertyParameters(100),
    );
  });
});
