/** Runs from touches, and from runs, against what the touches say. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Oid } from "../../../../../daemon/history/object/oid.js";
import { enclosingKey, ownKey } from "../../../../../daemon/history/repository/path-keys.js";
import { writeMerged, writeTouches } from "../../../../../daemon/history/repository/path-run-build.js";
import { PathRun, postingsOf, RunScan } from "../../../../../daemon/history/repository/path-run.js";
import { PathRunWriter } from "../../../../../daemon/history/repository/path-run-writer.js";
import { PathNumbers, TouchList } from "../../../../../daemon/history/repository/touch-list.js";
import type { Path, Seq } from "../../../../../protocol/identifiers.js";
import { createMemoryFileSystem } from "../../../../support/memory-file-system.js";
import { propertyParameters } from "../../../../support/seed.js";

const OID = "o".repeat(20) as Oid;

type Touch = readonly [seq: number, path: string, isRemoval: boolean];

function runOf(first: number, last: number, write: (writer: PathRunWriter) => Generator<void, void>): PathRun {
  const file = createMemoryFileSystem().open("/run", "create");
  const range = { first: first as Seq, last: last as Seq, lastOid: OID };
  const steps = write(new PathRunWriter(range, (piece) => file.write(piece, file.size())));
  while (steps.next().done !== true);
  return PathRun.open(file);
}

function built(touches: readonly Touch[], first: number, last: number): PathRun {
  const numbers = new PathNumbers();
  const list = new TouchList();
  for (const [seq, path, isRemoval] of touches) {
    const each = path as Path;
    list.add(seq as Seq, numbers.find(each) ?? numbers.add(each), isRemoval);
  }
  return runOf(first, last, (writer) =>
    writeTouches(writer, { touches: list, count: list.length, paths: numbers.paths }),
  );
}

/** All postings by key, in the order of the keys; those of a key that encloses others are told once a commit. */
function expected(touches: readonly Touch[]): [string, string[]][] {
  const lists = new Map<string, Set<string>>();
  for (const [seq, path, isRemoval] of touches.toReversed()) {
    const own = ownKey(path as Path);
    for (let key: string | undefined = own; key !== undefined; key = enclosingKey(key)) {
      const list = lists.get(key) ?? new Set();
      lists.set(key, list.add(`${String(seq)} ${String(key === own && isRemoval)}`));
    }
  }
  return [...lists].sort(([left], [right]) => (left < right ? -1 : 1)).map(([key, list]) => [key, [...list]]);
}

function content(run: PathRun): [string, string[]][] {
  const lists: [string, string[]][] = [];
  const scan = new RunScan(run);
  scan.next();
  while (scan.entry !== undefined) {
    if (lists.at(-1)?.[0] !== scan.entry.key) lists.push([scan.entry.key, []]);
    for (const { seq, isRemoval } of postingsOf(scan.entry))
      lists.at(-1)?.[1].push(`${String(seq)} ${String(isRemoval)}`);
    scan.next();
  }
  return lists;
}

const path = fc
  .array(fc.constantFrom("a", "a-", "a0", "b", "n".repeat(400)), { maxLength: 4 })
  .map((names) => `/${names.join("/")}`);
/** Commits with few touches each, one for each path. */
const history = fc
  .array(fc.uniqueArray(fc.tuple(path, fc.boolean()), { selector: ([each]) => each, maxLength: 4 }), { maxLength: 120 })
  .map((commits) =>
    commits.flatMap((touched, index) => touched.map(([each, isRemoval]): Touch => [index + 1, each, isRemoval])),
  );

describe("writeTouches", () => {
  it("puts each touch under the keys of its path", () => {
    fc.assert(
      fc.property(history, (touches) => {
        expect(content(built(touches, 1, 130))).toEqual(expected(touches));
      }),
      propertyParameters(100),
    );
  });

  it("sorts more keys than it sorts at once", () => {
    const touches = Array.from({ length: 3000 }, (_, index): Touch => [
      index + 1,
      `/${String((index * 7919) % 3001)}`,
      false,
    ]);
    expect(content(built(touches, 1, 3000))).toEqual(expected(touches));
  });
});

describe("writeMerged", () => {
  it("gives the run that all touches together give", () => {
    fc.assert(
      fc.property(
        history,
        fc.uniqueArray(fc.integer({ min: 1, max: 119 }), { minLength: 1, maxLength: 4 }),
        (touches, cuts) => {
          const bounds = [0, ...cuts.sort((left, right) => left - right), 130];
          const runs = bounds.slice(1).map((last, index) => {
            const first = (bounds[index] as number) + 1;
            return built(
              touches.filter(([seq]) => seq >= first && seq <= last),
              first,
              last,
            );
          });
          const merged = runOf(1, 130, (writer) => writeMerged(writer, runs.toReversed()));
          expect(content(merged)).toEqual(expected(touches));
        },
      ),
      propertyParameters(100),
    );
  });

  it("joins many postings of a key without looking at each, in entries of a bounded size", () => {
    const touches = Array.from({ length: 20_000 }, (_, index): Touch => [index + 1, "/a", index % 5 === 0]);
    const half = 10_000;
    const runs = [built(touches.slice(half), half + 1, 2 * half), built(touches.slice(0, half), 1, half)];
    const merged = runOf(1, 2 * half, (writer) => writeMerged(writer, runs));
    expect(content(merged)).toEqual(expected(touches));
    const [newest] = merged.find("/a");
    expect((newest?.newest ?? 0) - (newest?.oldest ?? 0)).toBeLessThan(2500);
  });
});
