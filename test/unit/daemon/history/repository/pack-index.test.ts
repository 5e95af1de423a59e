import { writeFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hashObject, hexFromOid, oidFromHex, type Oid } from "../../../../../daemon/history/object/oid.js";
import { OidList } from "../../../../../daemon/history/object/oid-list.js";
import { FileVanishedError, WindowPool } from "../../../../../daemon/history/repository/file-window.js";
import { PackIndex, PlacedEntries } from "../../../../../daemon/history/repository/pack-index.js";
import { nodeFileSystem } from "../../../../../daemon/platform/node-file-system.js";
import { propertyParameters, seed } from "../../../../support/seed.js";
import { temporaryDirectory } from "../../../../support/temporary-directory.js";
import { handMadePack, wholeEntry } from "./repository-support.js";

function open(bytes: Buffer): PackIndex {
  const path = `${temporaryDirectory()}/x.idx`;
  writeFileSync(path, bytes);
  return new PackIndex(new WindowPool(nodeFileSystem, { windowBytesMax: 1 << 20, openFilesMax: 2 }), path);
}

describe("PlacedEntries", () => {
  test("gives entries by place, and beyond 4 GiB all of them, in some order", () => {
    const entries = new PlacedEntries();
    const places = [7, 3, 2 ** 33 + 1, 2 ** 32 - 2, 2 ** 33, 3];
    for (const [index, place] of places.entries()) entries.add(index, place);
    expect(entries.inOrder()).toEqual({
      indexes: [1, 5, 0, 3, 2, 4],
      places: [3, 3, 7, 2 ** 32 - 2, 2 ** 33 + 1, 2 ** 33],
    });
  });
});

/** What `findEach` finds, by index. */
function findAll(opened: PackIndex, oids: readonly Oid[]): (number | undefined)[] {
  const list = OidList.of(oids);
  const found = new PlacedEntries();
  const missing = opened.findEach(list, list.sorted(0, list.length), found);
  const { indexes, places } = found.inOrder();
  expect([...places].sort((left, right) => left - right)).toEqual(places);
  expect([...indexes, ...missing].sort((left, right) => left - right)).toEqual(oids.map((_, index) => index));
  const answer = oids.map((): number | undefined => undefined);
  for (const [turn, index] of indexes.entries()) answer[index] = places[turn];
  return answer;
}

describe("PackIndex", () => {
  test.each([0, 1, 2, 700, 3000])("finds all of %i objects and none that is not there", (count) => {
    const entries = Array.from({ length: count }, (_, index) =>
      wholeEntry("blob", Buffer.from(`value ${String(index)}`)),
    );
    const { index, offsets } = handMadePack(entries);
    const opened = open(index);
    expect(opened.count).toBe(count);
    for (const [position, { oid }] of entries.entries()) expect(opened.find(oid)).toBe(offsets[position]);
    for (let other = 0; other < 500; other++)
      expect(opened.find(hashObject("blob", `other ${String(other)}`))).toBeUndefined();
    for (const hex of ["0".repeat(40), "f".repeat(40)]) expect(opened.find(oidFromHex(hex))).toBeUndefined();
    opened.close();
  });

  test("finds many at once as it finds each, whether they are few or many among the names", () => {
    const entries = Array.from({ length: 5000 }, (_, position) => wholeEntry("blob", Buffer.from(String(position))));
    const opened = open(handMadePack(entries).index);
    // Of 6,000 a sixth is not there; some come twice.
    const wanted = fc.array(fc.nat(5999), { maxLength: 2000, size: "max" });
    fc.assert(
      fc.property(wanted, (numbers) => {
        const oids = numbers.map((number) => hashObject("blob", String(number)));
        expect(findAll(opened, oids)).toEqual(oids.map((oid) => opened.find(oid)));
      }),
      propertyParameters(40),
    );
    opened.close();
  });

  test("finds names that are not evenly spread, as an adversary can make them", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(0xffff), { minLength: 1, maxLength: 60 }), (tails) => {
        const entries = tails.map((tail) => ({
          ...wholeEntry("blob", Buffer.from(String(tail))),
          oid: oidFromHex(`77777777${"0".repeat(28)}${tail.toString(16).padStart(4, "0")}`),
        }));
        const { index, offsets } = handMadePack(entries);
        const opened = open(index);
        for (const [position, { oid }] of entries.entries()) expect(opened.find(oid)).toBe(offsets[position]);
        const other = oidFromHex("77".repeat(20));
        expect(opened.find(other)).toBeUndefined();
        expect(findAll(opened, [other, ...entries.map(({ oid }) => oid)])).toEqual([undefined, ...offsets]);
        opened.close();
      }),
      propertyParameters(40),
    );
  });

  test("reads far places of 64 bits", () => {
    const entries = [wholeEntry("blob", Buffer.from("near")), wholeEntry("blob", Buffer.from("far"))];
    const { index } = handMadePack(entries);
    const sorted = entries.map(({ oid }) => oid).sort((left, right) => (hexFromOid(left) < hexFromOid(right) ? -1 : 1));
    const places = 1032 + 2 * 24;
    index.writeUInt32BE(0x80000000, places + 4);
    const far = Buffer.alloc(8);
    far.writeUInt32BE(3, 0);
    far.writeUInt32BE(7, 4);
    const withFar = Buffer.concat([index.subarray(0, places + 8), far, index.subarray(places + 8)]);
    const [near, wide] = sorted as [(typeof sorted)[0], (typeof sorted)[0]];
    const opened = open(withFar);
    expect(opened.find(wide)).toBe(3 * 2 ** 32 + 7);
    expect(opened.find(near)).toBeLessThan(100);
    opened.close();
    withFar.writeUInt32BE(0x80000001, places + 4);
    const damaged = open(withFar);
    expect(() => damaged.find(wide)).toThrow(
      expect.objectContaining({ name: "DamagedObjectError", offset: places + 4 }) as Error,
    );
    damaged.close();
  });

  test("refuses an index of another size than its count asks for, and says FileVanishedError for none", () => {
    const { index } = handMadePack([wholeEntry("blob", Buffer.from("a"))]);
    for (const bytes of [
      index.subarray(0, index.length - 1),
      Buffer.concat([index, Buffer.alloc(16)]),
      index.subarray(0, 500),
    ]) {
      expect(() => open(bytes)).toThrow(expect.objectContaining({ name: "DamagedObjectError" }) as Error);
    }
    const pool = new WindowPool(nodeFileSystem, { windowBytesMax: 0, openFilesMax: 1 });
    expect(() => new PackIndex(pool, "/nonexistent/x.idx")).toThrow(FileVanishedError);
  });

  test("ends its search in an index whose names are in no order", () => {
    const entries = Array.from({ length: 2000 }, (_, position) => wholeEntry("blob", Buffer.from(String(position))));
    const { index } = handMadePack(entries);
    let state = seed() >>> 0;
    for (let at = 1032; at < 1032 + 2000 * 20; at++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      index.writeUInt8(state >>> 24, at);
    }
    const opened = open(index);
    for (const { oid } of entries) {
      const found = opened.find(oid);
      expect(found === undefined || found >= 0).toBe(true);
    }
    opened.close();
  });
});
