import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashObject, hexFromOid, type Oid } from "../../../../../daemon/history/object/oid.js";
import { OidMerge } from "../../../../../daemon/history/repository/oid-merge.js";
import { placePack } from "../../../../../daemon/history/repository/pack-file.js";
import { createMemoryFileSystem } from "../../../../support/memory-file-system.js";
import { propertyParameters } from "../../../../support/seed.js";
import { handMadePack, wholeEntry } from "./repository-support.js";

const REPOSITORY = "/r";

describe("OidMerge", () => {
  it("meets each object once, by growing oid, with all the packs that have it", () => {
    const contents = fc.uniqueArray(fc.nat(40), { minLength: 1, maxLength: 25 });
    fc.assert(
      fc.property(fc.array(contents, { minLength: 1, maxLength: 5 }), (packs) => {
        const fileSystem = createMemoryFileSystem();
        fileSystem.makeDirectory(`${REPOSITORY}/objects/pack`);
        const holders = new Map<Oid, number[]>();
        const given = packs.map((numbers, place) => {
          const blobs = numbers.map((number) => Buffer.from(`blob ${String(number)}`));
          for (const blob of blobs) {
            const oid = hashObject("blob", blob);
            holders.set(oid, [...(holders.get(oid) ?? []), place]);
          }
          const pack = handMadePack(blobs.map((blob) => wholeEntry("blob", blob)));
          placePack(fileSystem, REPOSITORY, pack);
          return { name: pack.name, count: blobs.length };
        });
        const merge = new OidMerge(fileSystem, REPOSITORY, given);
        const met: [Oid, number[]][] = [];
        while (merge.find()) {
          const cursor = merge.cursors[merge.tied[0] as number];
          met.push([cursor?.bytes.toString("latin1", cursor.at, cursor.at + 20) as Oid, [...merge.tied]]);
          merge.advance();
        }
        merge.close();
        merge.close();
        const expected = [...holders].sort(([left], [right]) => (hexFromOid(left) < hexFromOid(right) ? -1 : 1));
        expect(met).toEqual(expected);
      }),
      propertyParameters(100),
    );
  });
});
