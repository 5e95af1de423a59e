/**
 * Runs of the path index: what is written is read, in order, whole or in part, and a byte that is not what was written is
 * never taken for anything.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Seq } from "../../protocol/identifiers.js";
import type { Oid } from "../../daemon/history/object/oid.js";
import { DamagedRunError, PathRun, PathRunWriter, type Postings } from "../../daemon/history/repository/path-run.js";
import type { OpenFile } from "../../daemon/platform/file-system.js";
import { createMemoryFileSystem } from "../support/memory-file-system.js";
import { propertyParameters } from "../support/seed.js";

const LAST_OID = "o".repeat(20) as Oid;

/** A commit that changed a path. */
interface Posting {
  readonly seq: number;
  readonly isRemoval: boolean;
}

/** Paths in order, each with its commits from the newest to the oldest. */
type Content = readonly (readonly [path: string, postings: readonly Posting[]])[];

function fileOf(bytes: Uint8Array): OpenFile {
  const memory = createMemoryFileSystem();
  const file = memory.open("/run", "create");
  file.write(bytes, 0);
  return file;
}

function runBytes(content: Content, last: number): Uint8Array {
  const writer = new PathRunWriter({ first: 1 as Seq, last: last as Seq, lastOid: LAST_OID });
  for (const [path, postings] of content) {
    writer.addPath(path, postings.length);
    for (const { seq, isRemoval } of postings) writer.addPosting(seq as Seq, isRemoval);
  }
  return writer.finish();
}

function read(postings: Postings | undefined): Posting[] {
  const list: Posting[] = [];
  postings?.forEach((seq, isRemoval) => {
    list.push({ seq, isRemoval });
    return true;
  });
  return list;
}

function readAll(run: PathRun, from?: string, to?: string): [string, Posting[]][] {
  return Array.from(run.entries(from, to), (postings) => [postings.path, read(postings)]);
}

const LAST = 2 ** 40;
/** Names that are prefixes of others, sort around the slash, or are long, so that blocks end. */
const name = fc.constantFrom("a", "a-b", "a0", "b", "@x", "\xff", "n".repeat(900));
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => `/${names.join("/")}`);
const seq = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: LAST - 300, max: LAST }));
const content: fc.Arbitrary<Content> = fc
  .array(fc.tuple(path, fc.uniqueArray(fc.tuple(seq, fc.boolean()), { selector: ([each]) => each, minLength: 1 })), {
    maxLength: 40,
  })
  .map((entries) =>
    [...new Map(entries)]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([at, list]) => {
        const postings = list.map(([each, isRemoval]) => ({ seq: each, isRemoval }));
        return [at, postings.sort((left, right) => right.seq - left.seq)] as const;
      }),
  );

describe("PathRun", () => {
  test("reads what PathRunWriter wrote, all of it, single paths, and what lies below one", () => {
    fc.assert(
      fc.property(content, path, (written, other) => {
        const run = PathRun.open(fileOf(runBytes(written, LAST)));
        expect(run.range).toEqual({ first: 1, last: LAST, lastOid: LAST_OID });
        expect(readAll(run)).toEqual(written);
        for (const at of [...written.map(([each]) => each), other]) {
          const expected = written.find(([each]) => each === at)?.[1];
          expect(read(run.find(at))).toEqual(expected ?? []);
          const below = written.filter(([each]) => each.startsWith(`${at}/`));
          expect(readAll(run, `${at}/`, `${at}0`)).toEqual(below);
        }
      }),
      propertyParameters(300),
    );
  });

  test("tells the newest commits without reading the others", () => {
    const postings = Array.from({ length: 5000 }, (_, index) => ({ seq: 5000 - index, isRemoval: false }));
    const run = PathRun.open(fileOf(runBytes([["/a", postings]], 5000)));
    const seen: number[] = [];
    run.find("/a")?.forEach((each) => seen.push(each) < 3);
    expect(seen).toEqual([5000, 4999, 4998]);
  });

  test("finds every byte that is not what was written, and never makes anything of it", () => {
    const written: Content = [
      ["/a", [{ seq: 9, isRemoval: false }]],
      [`/a/${"b".repeat(3000)}`, [{ seq: 7, isRemoval: true }]],
      [`/a/${"c".repeat(3000)}`, [{ seq: 5, isRemoval: false }]],
      ["/d", [{ seq: 3, isRemoval: false }]],
    ];
    const bytes = runBytes(written, 9);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = Uint8Array.from(bytes);
        damaged[at] = (damaged[at] as number) ^ flip;
        expect(() => readAll(PathRun.open(fileOf(damaged)))).toThrow(DamagedRunError);
      }),
      propertyParameters(1500),
    );
    for (const length of [0, 10, 51, 52, 68, bytes.length - 1]) {
      expect(() => readAll(PathRun.open(fileOf(bytes.subarray(0, length))))).toThrow(DamagedRunError);
    }
  });
});
