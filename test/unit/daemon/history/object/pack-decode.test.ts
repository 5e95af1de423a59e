import { constants, deflateSync } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  applyDelta,
  decodeEntryHeader,
  decodeFanOut,
  decodeLooseObject,
  inflateStream,
  PackDamage,
} from "../../../../../daemon/history/object/pack-decode.js";
import { propertyParameters } from "../../../../support/seed.js";

function inflate(bytes: Buffer, size: number, at = 0): Buffer | undefined {
  return inflateStream({ bytes, at, size, lasting: false });
}

const SETTINGS = [
  { level: 0 },
  { level: 1 },
  { level: 6 },
  { level: 9 },
  { strategy: constants.Z_FIXED },
  { strategy: constants.Z_FIXED, memLevel: 1, level: 9 },
  { level: 0, memLevel: 1, windowBits: 9 },
];

/** Text that repeats itself, so that matches at many distances occur, and bytes of every kind. */
const contents = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.string({ maxLength: 300 }).map((text) => Buffer.from(text)),
  fc
    .array(fc.constantFrom("state", "backend/", "device", "0", "\n", "4096", "vif-bridge-online "), { maxLength: 900 })
    .map((words) => Buffer.from(words.join(""))),
);

describe("inflateStream", () => {
  test("inflates what zlib deflates, with every setting and with bytes before and behind", () => {
    fc.assert(
      fc.property(contents, fc.constantFrom(...SETTINGS), fc.nat(20), fc.nat(20), (data, setting, before, behind) => {
        const stream = Buffer.concat([
          Buffer.alloc(before, 0xaa),
          deflateSync(data, setting),
          Buffer.alloc(behind, 0x55),
        ]);
        expect(inflate(stream, data.length, before)).toEqual(data);
      }),
      propertyParameters(600),
    );
  });

  test.each([1000, 65535, 65536, 200_000])("inflates %i stored bytes, also over several blocks", (size) => {
    const data = Buffer.from(Uint8Array.from({ length: size }, (_, index) => (index * 31) ^ (index >> 8)));
    expect(inflate(deflateSync(data, { level: 0 }), size)?.equals(data)).toBe(true);
  });

  test("answers undefined for every beginning of a stream, and never wrong data", () => {
    fc.assert(
      fc.property(contents, fc.constantFrom(...SETTINGS), (data, setting) => {
        const stream = deflateSync(data, setting);
        for (let length = 0; length < stream.length; length++) {
          expect(inflate(stream.subarray(0, length), data.length)).toBeUndefined();
        }
      }),
      propertyParameters(40),
    );
  });

  test("refuses or still decodes rightly a stream with one changed byte", () => {
    fc.assert(
      fc.property(
        contents,
        fc.constantFrom(...SETTINGS),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (data, setting, at, flip) => {
          const stream = deflateSync(data, setting);
          const position = at % stream.length;
          stream.writeUInt8(stream.readUInt8(position) ^ flip, position);
          try {
            const result = inflate(stream, data.length);
            expect(result === undefined || result.equals(data)).toBe(true);
          } catch (error) {
            expect(error).toBeInstanceOf(PackDamage);
          }
        },
      ),
      propertyParameters(1500),
    );
  });

  test("refuses a stream that holds more or fewer bytes than stated", () => {
    for (const setting of SETTINGS) {
      const stream = deflateSync(Buffer.from("a value of 22 bytes ..."), setting);
      expect(() => inflate(stream, 22)).toThrow(PackDamage);
      expect(() => inflate(Buffer.concat([stream, Buffer.alloc(100)]), 24)).toThrow(PackDamage);
    }
  });

  test("does not allocate for a size that the input does not pay for", () => {
    const before = process.memoryUsage().arrayBuffers;
    expect(inflate(deflateSync(Buffer.from("short"), { level: 0 }).subarray(0, 9), 400_000_000)).toBeUndefined();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
  });

  test("names the header, the dictionary and the block kind that do not exist", () => {
    const stream = deflateSync(Buffer.from("x"));
    expect(() => inflate(Buffer.concat([Buffer.from([0x79]), stream.subarray(1)]), 1)).toThrow("header is wrong");
    expect(() => inflate(Buffer.from([0x78, 0xbb, 3, 0, 0, 0, 0, 1]), 0)).toThrow("dictionary");
    expect(() => inflate(Buffer.from([0x78, 0x9c, 7, 0, 0, 0, 0, 1]), 0)).toThrow(PackDamage);
  });

  test("gives a lasting result memory of its own", () => {
    for (const setting of SETTINGS) {
      const data = Buffer.from("a value that a cache keeps");
      const result = inflateStream({ bytes: deflateSync(data, setting), at: 0, size: data.length, lasting: true });
      expect(result).toEqual(data);
      expect(result?.buffer.byteLength).toBeLessThanOrEqual(data.length + 64);
    }
  });
});

describe("decodeEntryHeader", () => {
  test("decodes whole objects of all four types and a size of several bytes", () => {
    expect(decodeEntryHeader(Buffer.from([0x15]), 0)).toEqual({ kind: "object", type: "commit", size: 5, dataAt: 1 });
    expect(decodeEntryHeader(Buffer.from([0, 0xa5, 0x81, 0x01]), 1)).toEqual({
      kind: "object",
      type: "tree",
      size: 5 + 16 + 16 * 128,
      dataAt: 4,
    });
    expect(decodeEntryHeader(Buffer.from([0x30]), 0)).toMatchObject({ type: "blob", size: 0 });
    expect(decodeEntryHeader(Buffer.from([0x41]), 0)).toMatchObject({ type: "tag", size: 1 });
  });

  test("decodes the distance of an offset delta, in which every byte but the last counts from one", () => {
    expect(decodeEntryHeader(Buffer.from([0x61, 0x7f]), 0)).toEqual({
      kind: "offset-delta",
      distance: 127,
      size: 1,
      dataAt: 2,
    });
    expect(decodeEntryHeader(Buffer.from([0x61, 0x80, 0x00]), 0)).toMatchObject({ distance: 128, dataAt: 3 });
    expect(decodeEntryHeader(Buffer.from([0x61, 0x80, 0x80, 0x00]), 0)).toMatchObject({ distance: 128 + 128 * 128 });
  });

  test("decodes the base of an oid delta", () => {
    const oid = "\x01\x02".repeat(10);
    expect(decodeEntryHeader(Buffer.from(`\x71${oid}`, "latin1"), 0)).toEqual({
      kind: "oid-delta",
      base: oid,
      size: 1,
      dataAt: 21,
    });
  });

  test.each([
    ["type 0", [0x01]],
    ["type 5", [0x51]],
    ["a size that never ends", Array.from({ length: 40 }, () => 0xff)],
    ["a distance that never ends", [0x61, ...Array.from({ length: 40 }, () => 0xff)]],
    ["an end within the size", [0x95]],
    ["an end within the base's oid", [0x71, 1, 2, 3]],
    ["no byte at all", []],
  ])("refuses %s", (_, bytes) => {
    expect(() => decodeEntryHeader(Buffer.from(bytes), 0)).toThrow(PackDamage);
  });
});

describe("applyDelta", () => {
  const base = Buffer.from("0123456789");

  test("copies and inserts in order", () => {
    // copy 4 from 2, insert "ab", copy 3 from 0
    const delta = Buffer.from([10, 9, 0x91, 2, 4, 2, 0x61, 0x62, 0x90, 3]);
    expect(applyDelta(base, delta, 100).toString()).toBe("2345ab012");
  });

  test("takes a copy of size 0 as 65,536 bytes", () => {
    const large = Buffer.alloc(0x10000, "xy");
    expect(applyDelta(large, Buffer.from([0x80, 0x80, 4, 0x80, 0x80, 4, 0x80]), 1 << 20).equals(large)).toBe(true);
  });

  test.each([
    ["another base size", [9, 1, 0x90, 1], "is for a base of 9"],
    ["a result beyond the limit", [10, 101, 0x90, 1], "at most 100"],
    ["the reserved instruction", [10, 1, 0], "reserved"],
    ["an insertion beyond its end", [10, 5, 5, 1], "within an insertion"],
    ["a copy from beyond the base", [10, 5, 0x91, 8, 5], "beyond its base"],
    ["more bytes than announced", [10, 3, 0x90, 4], "more bytes than"],
    ["fewer bytes than announced", [10, 5, 0x90, 4], "makes 4 bytes and announces 5"],
    ["an end within a copy", [10, 5, 0x91], "middle of a number"],
    ["nothing", [], "middle of a number"],
  ])("refuses a delta with %s", (_, bytes, reason) => {
    const apply = (): Buffer => applyDelta(base, Buffer.from(bytes), 100);
    expect(apply).toThrow(PackDamage);
    expect(apply).toThrow(reason);
  });

  test("ends in a result or in PackDamage for random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          expect(applyDelta(base, Buffer.from([10, ...bytes]), 1000).length).toBeLessThanOrEqual(1000);
        } catch (error) {
          expect(error).toBeInstanceOf(PackDamage);
        }
      }),
      propertyParameters(2000),
    );
  });
});

describe("decodeFanOut", () => {
  function header(): Buffer {
    const bytes = Buffer.alloc(1032);
    bytes.writeUInt32BE(0xff744f63, 0);
    bytes.writeUInt32BE(2, 4);
    for (let first = 0; first < 256; first++) bytes.writeUInt32BE(first >> 4, 8 + first * 4);
    return bytes;
  }

  test("gives the 256 counts", () => {
    expect([...decodeFanOut(header())].slice(30, 34)).toEqual([1, 1, 2, 2]);
  });

  test("refuses another magic, another version, a decreasing table and a short file", () => {
    const magic = header();
    magic.writeUInt8(0, 0);
    expect(() => decodeFanOut(magic)).toThrow("no pack index of version 2");
    const version = header();
    version.writeUInt32BE(3, 4);
    expect(() => decodeFanOut(version)).toThrow("version 3");
    const decreasing = header();
    decreasing.writeUInt32BE(99, 8 + 7 * 4);
    expect(() => decodeFanOut(decreasing)).toThrow(expect.objectContaining({ at: 8 + 8 * 4 }) as Error);
    expect(() => decodeFanOut(header().subarray(0, 1031))).toThrow(PackDamage);
  });
});

describe("decodeLooseObject", () => {
  test("gives type and data", () => {
    expect(decodeLooseObject(deflateSync(Buffer.from("blob 3\0abc")), 100)).toEqual({
      type: "blob",
      data: Buffer.from("abc"),
    });
  });

  test.each(["blob 4\0abc", "blob 03\0abc", "blub 3\0abc", "blob 3abc", "", "blob 2\0abc"])("refuses %j", (text) => {
    expect(() => decodeLooseObject(deflateSync(Buffer.from(text)), 100)).toThrow(PackDamage);
  });

  test("refuses an object beyond the limit and a damaged stream", () => {
    expect(() =>
      decodeLooseObject(deflateSync(Buffer.concat([Buffer.from("blob 5000\0"), Buffer.alloc(5000)])), 100),
    ).toThrow(PackDamage);
    expect(() => decodeLooseObject(Buffer.from("no zlib"), 100)).toThrow(PackDamage);
  });
});
