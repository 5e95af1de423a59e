import { describe, expect, it } from "vitest";
import type { Seq } from "../../../../../protocol/identifiers.js";
import type { Oid } from "../../../../../daemon/history/object/oid.js";
import { SeqIndex, seqIndexPath, serializeSeqHeader } from "../../../../../daemon/history/repository/seq-index.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../../../../support/memory-file-system.js";

const PLACE = { repositoryDirectory: "/store.git", ref: "refs/heads/main" };
const A = "a".repeat(20) as Oid;
const B = "b".repeat(20) as Oid;

function diskWith(content: Uint8Array): MemoryFileSystem {
  const memory = createMemoryFileSystem();
  memory.makeDirectory("/store.git/xenstore-tng/seq");
  replace(memory, content);
  return memory;
}

function replace(memory: MemoryFileSystem, content: Uint8Array): void {
  const file = memory.open("/store.git/new", "create");
  file.write(content, 0);
  file.close();
  memory.rename("/store.git/new", seqIndexPath(PLACE));
}

function fileOf(first: number, ...records: string[]): Buffer {
  return Buffer.concat([serializeSeqHeader(first as Seq), Buffer.from(records.join(""), "latin1")]);
}

describe("seqIndexPath", () => {
  it("gives every branch a file of its own in one directory", () => {
    const pathOf = (ref: string): string => seqIndexPath({ repositoryDirectory: "/r", ref });
    expect(pathOf("refs/heads/main")).toBe("/r/xenstore-tng/seq/main");
    expect(pathOf("refs/heads/a/b")).toBe("/r/xenstore-tng/seq/a:b");
  });
});

describe("SeqIndex.oidOfSeq", () => {
  it("knows nothing without a file, with an empty one, or with one of another kind or version", () => {
    const memory = createMemoryFileSystem();
    expect(new SeqIndex({ fileSystem: memory, ...PLACE }).oidOfSeq(1)).toBeUndefined();
    const other = [
      Buffer.alloc(0),
      Buffer.alloc(100),
      fileOf(0, A),
      fileOf(1, A).fill(2, 11, 12),
      fileOf(1).subarray(0, 23),
    ];
    for (const content of other) {
      expect(new SeqIndex({ fileSystem: diskWith(content), ...PLACE }).oidOfSeq(1)).toBeUndefined();
    }
  });

  it("counts from the first seq, and leaves out torn and zero records (seq-index invariant 1)", () => {
    const memory = diskWith(fileOf(7, A, "\0".repeat(20), B, "torn"));
    const index = new SeqIndex({ fileSystem: memory, ...PLACE });
    expect([6, 7, 8, 9, 10, 11].map((seq) => index.oidOfSeq(seq))).toEqual([
      undefined,
      A,
      undefined,
      B,
      undefined,
      undefined,
    ]);
    expect(index.isBeyond(9)).toBe(false);
    expect(index.isBeyond(10)).toBe(true);
  });

  it("sees records that were appended, and a file that was replaced (seq-index invariant 2)", () => {
    const memory = diskWith(fileOf(7, A));
    const index = new SeqIndex({ fileSystem: memory, ...PLACE });
    expect(index.oidOfSeq(8)).toBeUndefined();
    const file = memory.open(seqIndexPath(PLACE), "write");
    file.write(Buffer.from(B, "latin1"), 44);
    expect(index.oidOfSeq(8)).toBe(B);
    expect(index.oidOfSeq(6)).toBeUndefined();
    replace(memory, fileOf(6, B, A));
    expect(index.oidOfSeq(6)).toBe(B);
    index.close();
    expect(index.oidOfSeq(7)).toBe(A);
  });
});
