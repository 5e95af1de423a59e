import { describe, expect, it } from "vitest";
import type { Oid } from "../../../../../daemon/history/object/oid.js";
import { DamagedPathIndexError } from "../../../../../daemon/history/repository/path-index-bytes.js";
import { PathTail, serializeTailHeader, TailEncoder } from "../../../../../daemon/history/repository/path-tail.js";
import type { OpenFile } from "../../../../../daemon/platform/file-system.js";
import type { Change } from "../../../../../daemon/store/commit.js";
import { parsePerms, type Perms } from "../../../../../protocol/perms.js";
import type { Path, Seq } from "../../../../../protocol/identifiers.js";
import { createMemoryFileSystem } from "../../../../support/memory-file-system.js";

const A = "a".repeat(20) as Oid;
const B = "b".repeat(20) as Oid;
const FIRST = 100 as Seq;

function set(path: string): Change {
  return {
    kind: "node",
    path: path as Path,
    before: undefined,
    after: { value: "", perms: parsePerms(["n0"]) as Perms },
  };
}

function remove(path: string): Change {
  return { kind: "node", path: path as Path, before: undefined, after: undefined };
}

function fileOf(...parts: readonly Uint8Array[]): OpenFile {
  const file = createMemoryFileSystem().open("/tail", "create");
  for (const part of parts) file.write(part, file.size());
  return file;
}

/** Two records: commits 100 to 103, and 104 to 105. */
function records(): readonly [Buffer, Buffer] {
  const encoder = new TailEncoder(FIRST);
  encoder.note([set("/a"), set("/a/b")]);
  encoder.note([]);
  encoder.note([{ kind: "quota", name: "nodes", before: undefined, after: 1 }]);
  encoder.note([set("/a/b")]);
  const first = Buffer.from(encoder.takeRecord(A));
  encoder.note([]);
  encoder.note([remove("/a"), set("/c")]);
  return [first, Buffer.from(encoder.takeRecord(B))];
}

function touchesOf(tail: PathTail): unknown[] {
  return Array.from({ length: tail.touches.length }, (_, index) => [
    tail.touches.seq(index),
    tail.paths[tail.touches.pathNumber(index)],
    tail.touches.isRemoval(index),
  ]);
}

const WANTED = [
  [100, "/a", false],
  [100, "/a/b", false],
  [103, "/a/b", false],
  [105, "/a", true],
  [105, "/c", false],
];

describe("TailEncoder and PathTail", () => {
  it("write and read the touches of each commit, while the file grows (path-tail invariant 1)", () => {
    const [first, second] = records();
    const file = fileOf(serializeTailHeader(FIRST), first);
    const tail = PathTail.open(file);
    expect(tail.last).toBe(99);
    expect([tail.readRecord(), tail.readRecord()]).toEqual([true, false]);
    expect(tail.last).toBe(103);
    file.write(second, file.size());
    expect([tail.readRecord(), tail.readRecord()]).toEqual([true, false]);
    expect(touchesOf(tail)).toEqual(WANTED);
    expect(tail.records).toEqual([
      { last: 103, lastOid: A, touches: 3 },
      { last: 105, lastOid: B, touches: 5 },
    ]);
  });

  it("count the postings of a run", () => {
    const encoder = new TailEncoder(FIRST);
    encoder.note([set("/a/b"), set("/")]);
    expect(encoder.postings).toBe(3 + 1);
    expect(encoder.pathCount).toBe(2);
  });

  it("end before a record that is not whole, or not what was written, or zeros (path-tail invariant 2)", () => {
    const [first, second] = records();
    const header = serializeTailHeader(FIRST);
    const read = (record: Uint8Array): number => {
      const tail = PathTail.open(fileOf(header, first, record));
      while (tail.readRecord());
      return tail.records.length;
    };
    expect(read(second)).toBe(2);
    for (let length = 0; length < second.length; length++) expect(read(second.subarray(0, length))).toBe(1);
    for (let at = 0; at < second.length; at++) {
      const damaged = Uint8Array.from(second);
      damaged[at] = (damaged[at] as number) ^ 1;
      expect(read(damaged)).toBe(1);
    }
    expect(read(new Uint8Array(100))).toBe(1);
  });

  it("refuse another file", () => {
    expect(() => PathTail.open(fileOf(new Uint8Array(24)))).toThrow(DamagedPathIndexError);
    expect(() => PathTail.open(fileOf(serializeTailHeader(FIRST).subarray(0, 23)))).toThrow(DamagedPathIndexError);
    expect(() => PathTail.open(fileOf(serializeTailHeader(0 as Seq)))).toThrow(DamagedPathIndexError);
  });
});
