/** Places in addresses: what is written is read back, and what makes no sense is the tree. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parsePlace, serializePlace, VIEWS } from "../../../../clients/explorer/shell/place.js";
import { propertyParameters } from "../../../support/seed.js";

describe("a place", () => {
  it("stands in the address so that people can read it", () => {
    const place = {
      view: "tree",
      members: { at: "@{1234}", path: "/local/domain/5", find: undefined, domain: "" },
    } as const;
    expect(serializePlace(place)).toBe("#/tree?at=@%7B1234%7D&path=/local/domain/5");
  });

  it("is read back as it was written, whatever it names", () => {
    const members = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.string({ minLength: 1, unit: "binary" }));
    fc.assert(
      fc.property(fc.constantFrom(...VIEWS), members, (view, named) => {
        const { view: readView, members: read } = parsePlace(serializePlace({ view, members: named }));
        expect(readView).toBe(view);
        expect(read).toEqual({ ...named });
      }),
      propertyParameters(100),
    );
  });

  it.each(["", "#", "#/", "#/nonsense?at=1", "#token=abc", "tree"])(
    "is the tree at the tip where the address says %j",
    (fragment) => {
      expect(parsePlace(fragment)).toEqual({ view: "tree", members: {} });
    },
  );
});
