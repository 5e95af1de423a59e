import { describe, expect, it } from "vitest";
import {
  ByteReader,
  ByteWriter,
  DamagedPathIndexError,
} from "../../../../../daemon/history/repository/path-index-bytes.js";

const NUMBERS = [
  0,
  1,
  127,
  128,
  16383,
  16384,
  2 ** 30 - 1,
  2 ** 30,
  2 ** 31,
  2 ** 32,
  2 ** 35 + 5,
  Number.MAX_SAFE_INTEGER,
];

describe("ByteWriter and ByteReader", () => {
  it("write and read numbers up to the largest, and texts, in a buffer that grows", () => {
    const writer = new ByteWriter(1);
    for (const number of NUMBERS) writer.varint(number);
    writer.latin1("\0\xff");
    const reader = new ByteReader(writer.view());
    expect(NUMBERS.map(() => reader.varint())).toEqual(NUMBERS);
    expect(reader.latin1(2)).toBe("\0\xff");
    expect(reader.isAtEnd).toBe(true);
  });

  it("take a number below 128 for one byte", () => {
    const writer = new ByteWriter(16);
    writer.varint(127);
    expect(writer.length).toBe(1);
    writer.varint(128);
    expect(writer.length).toBe(3);
  });

  it("never read beyond the end", () => {
    expect(() => new ByteReader(Buffer.from([0x80])).varint()).toThrow(DamagedPathIndexError);
    expect(() => new ByteReader(Buffer.from([1, 2]), 0, 1).latin1(2)).toThrow(DamagedPathIndexError);
    expect(() => new ByteReader(Buffer.from([1]), 1).varint()).toThrow(DamagedPathIndexError);
    expect(() => new ByteReader(Buffer.from([0x80, 1]), 0, 1).varint()).toThrow(DamagedPathIndexError);
  });
});
