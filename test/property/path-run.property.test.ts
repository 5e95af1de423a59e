/**
 * Runs of the path index: what is written is read, in order, whole or in part, and a byte that is not what was written is
 * never taken for anything.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Seq } from "../../protocol/identifiers.js";
import type { Oid } from "../../daemon/history/object/oid.js";
import { DamagedPathIndexError } from "../../daemon/history/repository/path-index-bytes.js";
import { PathRun, postingsOf, RunScan, type Posting } from "../../daemon/history/repository/path-run.js";
import { PathRunWriter } from "../../daemon/history/repository/path-run-writer.js";
import type { OpenFile } from "../../daemon/platform/file-system.js";
import { createMemoryFileSystem } from "../support/memory-file-system.js";
import { propertyParameters } from "../support/seed.js";

const LAST_OID = "o".repeat(20) as Oid;

/** Paths in order, each with its commits from the newest to the oldest. */
type Content = readonly (readonly [path: string, postings: readonly Posting[]])[];

function fileOf(bytes: Uint8Array): OpenFile {
  const memory = createMemoryFileSystem();
  const file = memory.open("/run", "create");
  file.write(bytes, 0);
  return file;
}

function runBytes(content: Content, last: number): Uint8Array {
  const pieces: Buffer[] = [];
  const writer = new PathRunWriter({ first: 1 as Seq, last: last as Seq, lastOid: LAST_OID }, (piece) =>
    pieces.push(Buffer.from(piece)),
  );
  for (const [path, postings] of content) {
    writer.startKey(path);
    for (const { seq, isRemoval } of postings) writer.addPosting(seq, isRemoval);
  }
  writer.finish();
  return Buffer.concat(pieces);
}

function readAll(run: PathRun): Content {
  const content = new Map<string, Posting[]>();
  const scan = new RunScan(run);
  scan.next();
  while (scan.entry !== undefined) {
    const { key, oldest } = scan.entry;
    const postings = [...postingsOf(scan.entry)];
    expect(postings.at(-1)?.seq).toBe(oldest);
    content.set(key, [...(content.get(key) ?? []), ...postings]);
    scan.next();
  }
  return [...content];
}

function find(run: PathRun, key: string): Posting[] {
  return [...run.find(key)].flatMap((entry) => [...postingsOf(entry)]);
}

const LAST = 2 ** 40;
/** Names that are prefixes of others, sort around the slash, or are long, so that blocks end. */
const name = fc.constantFrom("a", "a-b", "a0", "b", "@x", "\xff", "n".repeat(900));
const path = fc.array(name, { maxLength: 4 }).map((names) => `/${names.join("/")}`);
const seq = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: LAST - 300, max: LAST }));
const content: fc.Arbitrary<Content> = fc
  .array(fc.tuple(path, fc.uniqueArray(fc.tuple(seq, fc.boolean()), { selector: ([each]) => each, minLength: 1 })), {
    maxLength: 40,
  })
  .map((entries) =>
    [...new Map(entries)]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([at, list]) => {
        const postings = list.map(([each, isRemoval]) => ({ seq: each as Seq, isRemoval }));
        return [at, postings.sort((left, right) => right.seq - left.seq)] as const;
      }),
  );

describe("PathRun", () => {
  test("reads what PathRunWriter wrote, all of it and single keys", () => {
    fc.assert(
      fc.property(content, path, (written, other) => {
        const run = PathRun.open(fileOf(runBytes(written, LAST)));
        expect(run.range).toEqual({ first: 1, last: LAST, lastOid: LAST_OID });
        expect(readAll(run)).toEqual(written);
        for (const at of [...written.map(([each]) => each), other]) {
          expect(find(run, at)).toEqual(written.find(([each]) => each === at)?.[1] ?? []);
        }
      }),
      propertyParameters(300),
    );
  });

  test("finds ascending keys in one way through it (RunScan)", () => {
    fc.assert(
      fc.property(content, fc.array(path, { maxLength: 10 }), (written, wanted) => {
        const scan = new RunScan(PathRun.open(fileOf(runBytes(written, LAST))));
        for (const key of wanted.sort()) {
          scan.seek(key);
          expect(scan.entry?.key).toBe(written.find(([each]) => each >= key)?.[0]);
        }
      }),
      propertyParameters(300),
    );
  });

  test("tells the newest commits without reading the others", () => {
    const postings = Array.from({ length: 50_000 }, (_, index) => ({ seq: (50_000 - index) as Seq, isRemoval: false }));
    const bytes = runBytes(
      [
        ["/a", postings],
        ["/b", postings.slice(0, 1)],
      ],
      50_000,
    );
    const file = fileOf(bytes);
    let read = 0;
    const run = PathRun.open({
      ...file,
      read: (target, at) => {
        read += target.length;
        return file.read(target, at);
      },
    });
    const afterOpening = read;
    const [newest] = run.find("/a");
    expect(newest?.newest).toBe(50_000);
    expect([...run.find("/b")].map(({ oldest }) => oldest)).toEqual([50_000]);
    expect(read - afterOpening).toBeLessThan(20_000);
    expect(bytes.length).toBeGreaterThan(50_000);
  });

  test("finds every byte that is not what was written, and never makes anything of it", () => {
    const written: Content = [
      ["/a", [{ seq: 9 as Seq, isRemoval: false }]],
      [`/a/${"b".repeat(3000)}`, [{ seq: 7 as Seq, isRemoval: true }]],
      [`/a/${"c".repeat(3000)}`, [{ seq: 5 as Seq, isRemoval: false }]],
      ["/d", [{ seq: 3 as Seq, isRemoval: false }]],
    ];
    const bytes = runBytes(written, 9);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = Uint8Array.from(bytes);
        damaged[at] = (damaged[at] as number) ^ flip;
        expect(() => readAll(PathRun.open(fileOf(damaged)))).toThrow(DamagedPathIndexError);
      }),
      propertyParameters(1500),
    );
    for (const length of [0, 10, 51, 52, 68, bytes.length - 1]) {
      expect(() => readAll(PathRun.open(fileOf(bytes.subarray(0, length))))).toThrow(DamagedPathIndexError);
    }
  });
});
