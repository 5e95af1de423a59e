import { describe, expect, test } from "vitest";
import { applyChanges } from "../../../../daemon/store/diff.js";
import { changesToListing } from "../../../../daemon/store/listing-changes.js";
import { emptyRoot, type Root } from "../../../../daemon/store/root.js";
import type { Path, Seq } from "../../../../protocol/identifiers.js";
import { parseListing } from "../../../../protocol/listing/parse-listing.js";
import { listingOf } from "../../../support/xenstore-listing.js";

function rootOf(listing: string, before = emptyRoot()): Root {
  return applyChanges(before, changesToListing(before, parseListing(listing).nodes), 1 as Seq);
}

/** The nodes of a root, a line each. */
function linesOf(root: Root): string[] {
  return [...listingOf(root)].map(([path, { value, perms }]) => `${path}=${value} ${String(perms)}`).sort();
}

const STORE = rootOf('/a = "1"   (n5)\n/a/b = "2"   (n5,r7)\n/a/b/x = "9"   (n6)\n/c = "3"   (n0)\n');

function changed(listing: string, top?: string): string[] {
  const changes = changesToListing(STORE, parseListing(listing).nodes, top as Path);
  return linesOf(applyChanges(STORE, changes, 2 as Seq));
}

describe("changesToListing", () => {
  test("makes an empty store what the listing says", () => {
    expect(linesOf(STORE)).toEqual(["/a/b/x=9 n6", "/a/b=2 n5 r7", "/a=1 n5", "/c=3 n0"]);
  });

  test("changes nothing where the store is what the listing says", () => {
    const { nodes } = parseListing('/a = "1"   (n5)\n/a/b = "2"\n/a/b/x = "9"   (n6)\n/c = "3"   (n0)\n');
    expect(changesToListing(STORE, nodes)).toEqual([]);
  });

  test("keeps perms that the listing does not tell; a new node has those of its parent", () => {
    expect(changed('/a = "1"\n/a/b = "7"\n/a/d = ""\n/a/d/e = "8"\n/f = "0"\n')).toEqual([
      "/a/b=7 n5 r7",
      "/a/d/e=8 n5",
      "/a/d= n5",
      "/a=1 n5",
      "/f=0 n0",
    ]);
  });

  test("keeps a node that is there only for what is below it, and makes it where it is not", () => {
    expect(changed('/a/b/y = "1"   (n8)\n/new/z = "2"   (n8)\n')).toEqual([
      "/a/b/y=1 n8",
      "/a/b=2 n5 r7",
      "/a=1 n5",
      "/new/z=2 n8",
      "/new= n0",
    ]);
  });

  test("does not give it the perms of a node above, which is what it would have if it came", () => {
    expect(changed('/a = "1"   (n0)\n/a/b/y = "1"   (n8)\n/a/z/y = "1"   (n8)\n')).toEqual([
      "/a/b/y=1 n8",
      "/a/b=2 n5 r7",
      "/a/z/y=1 n8",
      "/a/z= n0",
      "/a=1 n0",
    ]);
  });

  test("keeps a value whose beginning the listing has, and takes the beginning of another", () => {
    const store = rootOf('/a = "12345"   (n0)\n/b = "12345"   (n0)\n');
    expect(linesOf(rootOf('/a = "123\\..."\n/b = "9\\..."\n', store))).toEqual(["/a=12345 n0", "/b=9 n0"]);
  });

  test("leaves alone what is not below the top, and the top itself", () => {
    expect(changed('/a/y = "4"   (n1)\n', "/a")).toEqual(["/a/y=4 n1", "/a=1 n5", "/c=3 n0"]);
    expect(changed('/a/b/y = "4"   (n1)\n', "/a/b")).toEqual(["/a/b/y=4 n1", "/a/b=2 n5 r7", "/a=1 n5", "/c=3 n0"]);
    expect(changed("", "/a")).toEqual(["/a=1 n5", "/c=3 n0"]);
    expect(changed('/new/y = "4"   (n1)\n', "/new")).toEqual([...linesOf(STORE), "/new/y=4 n1", "/new= n0"]);
  });

  test("refuses a node whose parent is missing", () => {
    const nodes = parseListing('/z/y = "1"\n').nodes.slice(1);
    expect(() => changesToListing(STORE, nodes)).toThrow("the parent of /z/y is not among the nodes before it");
  });
});
