/**
 * Byte strings. The heap test is the proof that what is kept of a socket chunk does not keep the chunk.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { bytesFromText, flattenBytes, isByteString, textFromBytes, textStart } from "../../../protocol/bytes.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function heapBytes(): number {
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().heapUsed + process.memoryUsage().external;
}

const CHUNK_BYTES = 64 * 1024;
const SLICES = 2000;

/** The growth of the heap while one slice is kept of each of many distinct socket chunks. */
function heapGrowth(keep: (slice: string) => string): number {
  const kept: string[] = [];
  const before = heapBytes();
  for (let index = 0; index < SLICES; index++) {
    const chunk = Buffer.alloc(CHUNK_BYTES, `chunk ${String(index)} `).toString("latin1");
    kept.push(keep(chunk.slice(1000, 1000 + 100)));
  }
  const growth = heapBytes() - before;
  expect(kept).toHaveLength(SLICES);
  return growth;
}

describe("flattenBytes", () => {
  test.each([0, 1, 12, 13, 14, 100, 4096, 8191, 8192, 8193, 70_000])(
    "returns an equal string of %d bytes",
    (length) => {
      const bytes = Array.from({ length }, (_, index) => String.fromCharCode((index * 7) & 0xff)).join("");
      expect(flattenBytes(bytes)).toBe(bytes);
      expect(flattenBytes(`x${bytes}y`.slice(1, -1))).toBe(bytes);
    },
  );

  test("keeps the results of earlier calls as they are", () => {
    const first = flattenBytes("a".repeat(5000));
    const second = flattenBytes("b".repeat(8000));
    expect(first).toBe("a".repeat(5000));
    expect(second).toBe("b".repeat(8000));
  });

  test("lets the chunk go of which a slice was taken, which a bare slice does not", () => {
    const all = SLICES * CHUNK_BYTES;
    expect(heapGrowth((slice) => slice)).toBeGreaterThan(all * 0.9);
    expect(heapGrowth(flattenBytes)).toBeLessThan(all * 0.02);
  });

  test("lets the parts of a concatenation go", () => {
    const joined = (join: (text: string) => string) => heapGrowth((slice) => join(`${slice}\0${slice}`));
    expect(joined(flattenBytes)).toBeLessThan(SLICES * CHUNK_BYTES * 0.02);
  });
});

describe("bytesFromText and textFromBytes", () => {
  test("encode and decode UTF-8", () => {
    expect(bytesFromText("ä€\u{1f600}")).toBe("\u00c3\u00a4\u00e2\u0082\u00ac\u00f0\u009f\u0098\u0080");
    expect(textFromBytes(bytesFromText("ä€\u{1f600}"))).toBe("ä€\u{1f600}");
    expect(textFromBytes("plain")).toBe("plain");
  });

  test("turn what is not UTF-8 into U+FFFD", () => {
    expect(textFromBytes("a\u00ffb")).toBe("a\ufffdb");
  });
});

describe("textStart", () => {
  test("is the whole of a short text, and of a long one no half of a character", () => {
    expect(textStart("", 3)).toBe("");
    expect(textStart("abc", 3)).toBe("abc");
    expect(textStart("abcd", 3)).toBe("abc");
    expect(textStart("ab🐧", 3)).toBe("ab");
    expect(textStart("a🐧b", 3)).toBe("a🐧");
  });
});

describe("isByteString", () => {
  test("accepts every byte and nothing above", () => {
    const all = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("");
    expect(isByteString("")).toBe(true);
    expect(isByteString(all)).toBe(true);
    expect(isByteString(`${all}\u0100`)).toBe(false);
    expect(isByteString("€")).toBe(false);
  });
});
