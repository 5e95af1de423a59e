import { describe, expect, it } from "vitest";
import type { Seq } from "../../../../protocol/identifiers.js";
import {
  decodeHeader,
  encodeHeader,
  isOfBoot,
  LineReader,
  listSegments,
  segmentName,
  type Line,
} from "../../../../daemon/journal/segment.js";
import { sealLine } from "../../../../daemon/journal/record.js";
import type { OpenFile } from "../../../../daemon/platform/file-system.js";
import { createFaultyFileSystem } from "../../../support/faulty-file-system.js";
import { createMemoryFileSystem } from "../../../support/memory-file-system.js";

function fileWith(text: string, fileSystem = createMemoryFileSystem()): OpenFile {
  const file = fileSystem.open("/file", "create");
  file.write(Buffer.from(text, "latin1"), 0);
  return file;
}

function allLines(reader: LineReader, limit: number): Line[] {
  const lines: Line[] = [];
  for (let line = reader.next(limit); line !== undefined; line = reader.next(limit)) lines.push(line);
  return lines;
}

describe("segmentName, listSegments", () => {
  it("name a segment by its first seq in 16 digits and list nothing else", () => {
    const fileSystem = createMemoryFileSystem();
    expect(segmentName(42 as Seq)).toBe("0000000000000042.journal");
    for (const name of [
      "0000000000000100.journal",
      "0000000000000042.journal",
      "42.journal",
      "notes",
      "0000000000000042.journal.old",
    ]) {
      fileSystem.open(`/${name}`, "create").close();
    }
    expect(listSegments(fileSystem, "/")).toEqual([
      { name: "0000000000000042.journal", first: 42 },
      { name: "0000000000000100.journal", first: 100 },
    ]);
  });
});

describe("encodeHeader, decodeHeader", () => {
  const boot = "0c1f5b1e-0000-4000-8000-000000000001";

  it("round trip, with a boot id and without", () => {
    const header = encodeHeader({ first: 42 as Seq, branch: "main", boot });
    expect(header).toMatch(
      /^[0-9a-f]{8} \{"format":"xenstore-tng journal","version":2,"branch":"main","first":42,"boot":"0c1f[0-9a-f-]+"\}\n$/,
    );
    expect(decodeHeader(header.slice(0, -1))).toEqual({ ok: true, version: 2, branch: "main", first: 42, boot });
    const bare = encodeHeader({ first: 42 as Seq, branch: "main", boot: undefined });
    expect(bare).not.toContain("boot");
    expect(decodeHeader(bare.slice(0, -1))).toMatchObject({ ok: true, version: 2, boot: undefined });
  });

  it("read version 1, which tells no boot", () => {
    const old = sealLine('{"format":"xenstore-tng journal","version":1,"branch":"main","first":42}').slice(0, -1);
    const header = { ok: true, version: 1, branch: "main", first: 42, boot: undefined } as const;
    expect(decodeHeader(old)).toEqual(header);
    expect(isOfBoot(decodeHeader(old), undefined)).toBe(false);
  });

  it("tell another version, which is intact, from a torn header, which is not", () => {
    const other = sealLine('{"format":"xenstore-tng journal","version":3}').slice(0, -1);
    expect(decodeHeader(other)).toEqual({
      ok: false,
      damaged: "it is in version 3 of the format, and this daemon reads versions 1 and 2",
      intact: true,
      isForeign: true,
    });
    const torn = encodeHeader({ first: 42 as Seq, branch: "main", boot }).slice(0, -2);
    expect(decodeHeader(torn)).toMatchObject({ ok: false, intact: false, isForeign: false });
    expect(decodeHeader(sealLine("null").slice(0, -1))).toMatchObject({ ok: false, intact: true, isForeign: false });
  });
});

describe("isOfBoot", () => {
  it("is true for a good header of this boot alone", () => {
    const header = (boot?: string) =>
      decodeHeader(encodeHeader({ first: 1 as Seq, branch: "main", boot }).slice(0, -1));
    expect(isOfBoot(header("one"), "one")).toBe(true);
    expect([
      isOfBoot(header("one"), "two"),
      isOfBoot(header("one"), undefined),
      isOfBoot(header(), undefined),
      isOfBoot(decodeHeader("torn"), "one"),
      isOfBoot(undefined, "one"),
    ]).toEqual([false, false, false, false, false]);
  });
});

describe("LineReader", () => {
  it("gives each line with its offsets and leaves out what has no newline", () => {
    const reader = new LineReader(fileWith("one\n\nthree\nfo"));
    expect(allLines(reader, 100)).toEqual([
      { offset: 0, text: "one", end: 4 },
      { offset: 4, text: "", end: 5 },
      { offset: 5, text: "three", end: 11 },
    ]);
    expect(reader.offset).toBe(11);
  });

  it("does not read beyond the limit, and goes on when the limit has moved", () => {
    const file = fileWith("one\ntwo\n");
    const reader = new LineReader(file);
    expect(reader.next(4)?.text).toBe("one");
    expect(reader.next(4)).toBeUndefined();
    file.write(Buffer.from("TWO\nthree\n"), 4);
    expect(reader.next(8)?.text).toBe("TWO");
    expect(reader.next(14)?.text).toBe("three");
  });

  it("waits for a line's end that lies beyond the limit", () => {
    const reader = new LineReader(fileWith("one\ntwo\n"));
    expect(allLines(reader, 6).map((line) => line.text)).toEqual(["one"]);
    expect(reader.next(8)).toEqual({ offset: 4, text: "two", end: 8 });
  });

  it("reads lines longer than its buffer, and when reads are short", () => {
    const faulty = createFaultyFileSystem(createMemoryFileSystem());
    const texts = ["a".repeat(1_000_000), "b", "c".repeat(300_000)];
    const file = fileWith(`${texts.join("\n")}\n`, faulty as never);
    faulty.inject({ call: "read", nth: 2, bytes: 7, lasts: false });
    expect(allLines(new LineReader(file), file.size()).map((line) => line.text)).toEqual(texts);
  });

  it("begins at an offset", () => {
    expect(new LineReader(fileWith("one\ntwo\n"), 4).next(8)).toEqual({ offset: 4, text: "two", end: 8 });
  });
});
