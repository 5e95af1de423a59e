/** Object ids against those that Git gives. */
import { describe, expect, it } from "vitest";
import { EMPTY_BLOB, hashBytes, hashObject, hexFromOid, oidFromHex } from "../../../../../daemon/history/object/oid.js";

describe("oid", () => {
  it("hashObject names objects as Git does", () => {
    expect(hexFromOid(hashObject("blob", "hello\n"))).toBe("ce013625030ba8dba906f756967f9e9ca394464a");
    expect(hexFromOid(hashObject("tree", ""))).toBe("4b825dc642cb6eb9a060e54bf8d69288fbee4904");
    expect(hexFromOid(EMPTY_BLOB)).toBe("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  });

  it("hashObject takes byte strings and bytes alike, also beyond its scratch buffer", () => {
    const large = "\xff\x00a".repeat(40_000);
    expect(hashObject("blob", large)).toBe(hashObject("blob", Buffer.from(large, "latin1")));
    expect(hashObject("blob", "x")).toBe(hashBytes(Buffer.from("blob 1\0x", "latin1")));
  });

  it("oidFromHex undoes hexFromOid and refuses anything but 40 lower-case digits", () => {
    const oid = hashObject("blob", "x");
    expect(oid).toHaveLength(20);
    expect(oidFromHex(hexFromOid(oid))).toBe(oid);
    for (const bad of [
      "",
      "abc",
      "E69DE29BB2D1D6434B8B29AE775AD8C2E48C5391",
      `${hexFromOid(oid)}0`,
      `${hexFromOid(oid).slice(1)}g`,
    ]) {
      expect(() => oidFromHex(bad)).toThrow(RangeError);
    }
  });
});
