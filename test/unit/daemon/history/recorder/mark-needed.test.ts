/** The oracle is git: what it finds reachable behind the same `shallow` is what is needed. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Seq } from "../../../../../protocol/identifiers.js";
import { hexFromOid, oidFromHex, type Oid } from "../../../../../daemon/history/object/oid.js";
import { walkChain } from "../../../../../daemon/history/recorder/commit-chain.js";
import { findPins, listLiveRefs } from "../../../../../daemon/history/recorder/live-refs.js";
import { markNeeded, type Marked } from "../../../../../daemon/history/recorder/mark-needed.js";
import { withinPins } from "../../../../../daemon/history/recorder/retention-plan.js";
import { MissingObjectError } from "../../../../../daemon/history/repository/errors.js";
import { createRepository, MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../../../../daemon/history/repository/object-reader.js";
import { RefStore } from "../../../../../daemon/history/repository/ref-store.js";
import { NOT_SHALLOW, readShallow, updateShallow } from "../../../../../daemon/history/repository/shallow.js";
import { nodeFileSystem } from "../../../../../daemon/platform/node-file-system.js";
import { arbitraryEdit } from "../../../../property/history-generator.js";
import { propertyParameters } from "../../../../support/seed.js";
import { withTemporaryDirectory } from "../../../../support/temporary-directory.js";
import { fsckComplaints, git } from "../repository/repository-support.js";
import { finish, historyOfEdits, historyOfValues, openRecorder, recordAll } from "./retention-support.js";

const packsOf = (directory: string): string[] =>
  nodeFileSystem
    .list(`${directory}/objects/pack`)
    .filter((name) => name.endsWith(".idx"))
    .map((name) => name.slice("pack-".length, -".idx".length));

interface Scene extends Marked {
  readonly boundary: Seq;
  readonly marked: Set<string>;
}

/** Marks for a boundary that is wanted, as far as other branches allow. */
function mark(directory: string, wanted: number): Scene {
  const reader = new ObjectReader(nodeFileSystem, directory);
  const tip = new RefStore(nodeFileSystem, directory).read(MAIN_REF) as Oid;
  const shallow = readShallow(nodeFileSystem, directory);
  const refs = listLiveRefs(nodeFileSystem, directory, MAIN_REF);
  const chain = finish(walkChain(reader, tip, shallow));
  const pins = finish(findPins(reader, { chain, shallow, refs }));
  const boundary = withinPins(Math.max(wanted, chain.oldest) as Seq, pins);
  const packs = packsOf(directory);
  const marked = finish(
    markNeeded(
      { fileSystem: nodeFileSystem, repositoryDirectory: directory, reader },
      { chain, boundary, refs, shallow, packs },
    ),
  );
  reader.close();
  const oids = new Set<string>();
  for (const pack of packs) {
    const listed = git(
      directory,
      ["show-index"],
      nodeFileSystem.readFile(`${directory}/objects/pack/pack-${pack}.idx`),
    );
    const sorted = listed.split("\n").map((line) => line.split(" ")[1] ?? "");
    for (const [position, hex] of sorted.sort().entries()) {
      if (marked.needed.isNeeded(pack, position)) oids.add(hex);
    }
  }
  marked.needed.close();
  return { ...marked, boundary, marked: oids };
}

function reachable(directory: string): Set<string> {
  const text = git(directory, ["rev-list", "--objects", "--all", "--no-object-names"]);
  return new Set(text.split("\n"));
}

describe("markNeeded", () => {
  test("marks exactly what git reaches behind the new beginning, whatever tags, branches and merges there are", async () => {
    const scene = fc.record({
      edits: fc.array(arbitraryEdit, { minLength: 3, maxLength: 24 }),
      packCommits: fc.integer({ min: 1, max: 8 }),
      boundary: fc.nat(30),
      tags: fc.array(fc.record({ at: fc.nat(30), annotated: fc.boolean() }), { maxLength: 3 }),
      branches: fc.array(
        fc.record({ at: fc.nat(30), length: fc.nat(2), deleted: fc.boolean(), merges: fc.option(fc.nat(30)) }),
        {
          maxLength: 2,
        },
      ),
      repack: fc.boolean(),
      again: fc.option(fc.nat(30)),
    });
    await fc.assert(
      fc.asyncProperty(scene, async ({ edits, packCommits, boundary, tags, branches, repack, again }) => {
        await withTemporaryDirectory((temporary) => {
          const directory = `${temporary}/store.git`;
          createRepository(nodeFileSystem, directory);
          const { commits } = historyOfEdits(edits);
          recordAll(openRecorder(nodeFileSystem, directory), commits, packCommits);
          const oldest = (): number => mark(directory, 1).boundary;
          const commitAt = (at: number): string =>
            git(directory, ["rev-parse", `main~${String(Math.min(at, commits.length - oldest()))}`]);
          const decorate = (round: number): void => {
            for (const [index, { at, annotated }] of tags.entries()) {
              const name = `t${String(index)}-${String(round)}`;
              git(directory, ["tag", ...(annotated ? ["-a", "-m", "x"] : []), name, commitAt(at)]);
            }
            for (const [index, { at, length, deleted, merges }] of branches.entries()) {
              let oid = commitAt(at);
              for (let count = 0; count < length; count++) {
                const tree = git(directory, ["rev-parse", `${commitAt(at + count + 1)}^{tree}`]);
                const other = merges === null ? [] : ["-p", commitAt(merges)];
                oid = git(directory, [
                  "commit-tree",
                  tree,
                  "-m",
                  `c${String(index)} ${String(count)}`,
                  "-p",
                  oid,
                  ...other,
                ]);
              }
              git(directory, ["update-ref", `refs/heads/b${String(index)}-${String(round)}`, oid]);
              if (!deleted) continue;
              git(directory, ["tag", `d${String(index)}-${String(round)}`, oid]);
              git(directory, ["update-ref", "-d", `refs/heads/b${String(index)}-${String(round)}`]);
            }
          };
          decorate(0);
          if (repack) git(directory, ["repack", "-adfq"]);
          for (const [round, wanted] of [boundary, ...(again === null ? [] : [again])].entries()) {
            if (round > 0) decorate(round);
            const { shallow, marked } = mark(directory, Math.min(wanted, commits.length));
            const before = readShallow(nodeFileSystem, directory);
            if (shallow.size > 0) updateShallow(nodeFileSystem, directory, { expected: before, to: shallow });
            const wantedObjects = reachable(directory);
            const loose = new Set(
              git(directory, ["rev-list", "--objects", "--all", "--no-object-names", "--unpacked"]).split("\n"),
            );
            for (const hex of loose) if (!marked.has(hex)) wantedObjects.delete(hex);
            expect([...marked].sort()).toEqual([...wantedObjects].sort());
            expect(fsckComplaints(directory)).toBe("");
          }
        });
      }),
      propertyParameters(5),
    );
  });

  test("lists the boundary and older tags, each without its parents, and nothing when all is kept", async () => {
    await withTemporaryDirectory((temporary) => {
      const directory = `${temporary}/store.git`;
      createRepository(nodeFileSystem, directory);
      recordAll(openRecorder(nodeFileSystem, directory), historyOfValues(40).commits, 10);
      const at = (seq: number): string => git(directory, ["rev-parse", `main~${String(40 - seq)}`]);
      git(directory, ["tag", "old", at(5)]);
      git(directory, ["tag", "first", at(1)]);
      git(directory, ["tag", "young", at(35)]);
      expect(mark(directory, 1).shallow).toEqual(NOT_SHALLOW);
      expect([...mark(directory, 30).shallow].map(hexFromOid).sort()).toEqual([at(5), at(30)].sort());
      git(directory, ["update-ref", "refs/heads/try", at(20)]);
      expect(mark(directory, 30)).toMatchObject({ boundary: 20, shallow: new Set([at(5), at(20)].map(oidFromHex)) });
    });
  });

  test("an object that is in several packs is marked in all of them or in none (mark invariant 2)", async () => {
    await withTemporaryDirectory((temporary) => {
      const directory = `${temporary}/store.git`;
      createRepository(nodeFileSystem, directory);
      recordAll(openRecorder(nodeFileSystem, directory), historyOfValues(40).commits, 10);
      const tree = git(directory, ["rev-list", "--objects", "--no-object-names", "main~3", "--max-count=1"]);
      const old = git(directory, ["rev-list", "--objects", "--no-object-names", "main~30", "--max-count=1"]);
      git(directory, ["pack-objects", "-q", "objects/pack/pack"], `${tree}\n${old}\n`);
      const reader = new ObjectReader(nodeFileSystem, directory);
      const refs = listLiveRefs(nodeFileSystem, directory, MAIN_REF);
      const tip = new RefStore(nodeFileSystem, directory).read(MAIN_REF) as Oid;
      const chain = finish(walkChain(reader, tip, NOT_SHALLOW));
      const packs = packsOf(directory);
      const context = { fileSystem: nodeFileSystem, repositoryDirectory: directory, reader };
      const { needed } = finish(markNeeded(context, { chain, boundary: 30 as Seq, refs, shallow: NOT_SHALLOW, packs }));
      reader.close();
      const marks = new Map<string, boolean[]>();
      for (const pack of packs) {
        const index = nodeFileSystem.readFile(`${directory}/objects/pack/pack-${pack}.idx`);
        const sorted = git(directory, ["show-index"], index)
          .split("\n")
          .map((line) => line.split(" ")[1] ?? "")
          .sort();
        for (const [position, hex] of sorted.entries()) {
          marks.set(hex, [...(marks.get(hex) ?? []), needed.isNeeded(pack, position)]);
        }
        const total = sorted.filter((_, position) => needed.isNeeded(pack, position)).length;
        expect(needed.summary().find(({ name }) => name === pack)?.needed).toBe(total);
      }
      needed.close();
      const twins = [...marks.values()].filter((each) => each.length > 1);
      for (const each of twins) expect(new Set(each).size).toBe(1);
      expect(new Set(twins.map(([first]) => first))).toEqual(new Set([true, false]));
    });
  });

  test("an object that should be needed and is nowhere ends the walk", async () => {
    await withTemporaryDirectory((temporary) => {
      const directory = `${temporary}/store.git`;
      createRepository(nodeFileSystem, directory);
      recordAll(openRecorder(nodeFileSystem, directory), historyOfValues(20).commits, 5);
      const [first] = git(directory, ["rev-list", "--reverse", "main"]).split("\n");
      const blob = git(directory, ["rev-parse", `${first ?? ""}:domain/0/n0`]);
      git(directory, ["repack", "-adq"]);
      expect(mark(directory, 1).marked.has(blob)).toBe(true);
      // Everything but that blob, in one pack.
      const others = [...reachable(directory)].filter((hex) => hex !== blob);
      for (const name of packsOf(directory)) {
        git(directory, ["pack-objects", "-q", "objects/pack/pack"], others.join("\n"));
        for (const end of ["idx", "pack"]) nodeFileSystem.remove(`${directory}/objects/pack/pack-${name}.${end}`);
      }
      expect(() => mark(directory, 1)).toThrow(MissingObjectError);
    });
  });
});
