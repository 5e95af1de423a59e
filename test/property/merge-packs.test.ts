/**
 * Merging packs of random histories, sealed and merged at random: no object is lost or changed, every commit's tree is
 * still the model's, and Git finds nothing to complain about.
 */
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Seq } from "../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import { decodeRoot } from "../../daemon/history/object/root-decoder.js";
import { hashObject, hexFromOid, oidFromHex, type Oid } from "../../daemon/history/object/oid.js";
import { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../daemon/history/repository/object-reader.js";
import { packDirectory } from "../../daemon/history/repository/pack-file.js";
import { readCommit } from "../../daemon/history/repository/walk.js";
import type { FileSystem } from "../../daemon/platform/file-system.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import { sameRoot } from "../../daemon/store/diff.js";
import { emptyRoot, type Root } from "../../daemon/store/root.js";
import { createMemoryFileSystem } from "../support/memory-file-system.js";
import { mergePacks } from "../support/merge-packs.js";
import { propertyParameters } from "../support/seed.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { fsckComplaints, git, objectsByGit } from "../unit/daemon/history/repository/repository-support.js";
import { arbitraryEdit, commitBetween, editRoot, type Edit } from "./history-generator.js";

const DOM0_ALONE = parsePerms(["n0"]) as Perms;

/** One pack's commits. */
type Sealed = readonly (readonly Edit[])[];

const arbitraryHistory = fc.array(fc.array(fc.array(arbitraryEdit, { maxLength: 4 }), { minLength: 1, maxLength: 8 }), {
  minLength: 2,
  maxLength: 12,
});

/** Records a history, one pack for each group of commits; returns the packs in order and the root after each commit. */
function recordHistory(
  fileSystem: FileSystem,
  repository: string,
  history: readonly Sealed[],
): { readonly packs: string[]; readonly roots: Root[] } {
  createRepository(fileSystem, repository);
  const recorder = new HistoryRecorder({
    fileSystem,
    repositoryDirectory: repository,
    ref: MAIN_REF,
    hostName: "host",
  });
  const roots = [emptyRoot()];
  const packs: string[] = [];
  for (const group of history) {
    for (const edits of group) {
      const before = roots[roots.length - 1] as Root;
      const seq = roots.length;
      let root = before;
      for (const edit of edits) root = editRoot(root, edit, seq as Seq);
      recorder.record(commitBetween(before, root, seq));
      roots.push(root);
    }
    recorder.seal();
    packs.push(...packNames(fileSystem, repository).filter((name) => !packs.includes(name)));
  }
  return { packs, roots };
}

function packNames(fileSystem: FileSystem, repository: string): string[] {
  return fileSystem
    .list(packDirectory(repository))
    .filter((name) => name.endsWith(".pack"))
    .map((name) => name.slice("pack-".length, -".pack".length));
}

/** Merges random neighbours until the choices run out. */
function mergeRandomly(
  fileSystem: FileSystem,
  repository: string,
  packs: readonly string[],
  choices: readonly (readonly [from: number, count: number])[],
): string[] {
  const left = [...packs];
  for (const [from, count] of choices) {
    const start = from % left.length;
    const sources = left.slice(start, start + 2 + count);
    left.splice(start, sources.length, mergePacks(fileSystem, repository, { sources }).name);
  }
  return left;
}

/** Walks from the tip and compares every commit's root, reading with the oids verified. */
function checkHistory(fileSystem: FileSystem, repository: string, roots: readonly Root[]): void {
  const reader = new ObjectReader(fileSystem, repository, { verifyOids: true });
  const tip = Buffer.from(fileSystem.readFile(`${repository}/${MAIN_REF}`))
    .toString("latin1")
    .trim();
  let at: Oid | undefined = oidFromHex(tip);
  for (let seq = roots.length - 1; seq > 0; seq--) {
    const commit = readCommit(reader, at as Oid);
    expect(commit.trailers.seq).toBe(seq);
    const root = decodeRoot(reader, commit.tree, seq as Seq);
    expect(sameRoot(root, roots[seq] as Root)).toBe(true);
    at = commit.parents[0];
  }
  expect(at).toBe(undefined);
  reader.close();
}

/** Edits of one directory of 300 children: as a skip chain and as what is merged it has many versions. */
const arbitraryLargeHistory = fc
  .array(fc.array(fc.array(fc.nat(350), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 12 }), {
    minLength: 10,
    maxLength: 40,
  })
  .map((groups): Sealed[] => {
    const all = Array.from({ length: 300 }, (_, index) => editOfChild(index, "first"));
    return [
      [all],
      ...groups.map((commits, group) =>
        commits.map((children) =>
          children.map((child, place) =>
            editOfChild(child, place === 2 ? undefined : `${String(group)} ${String(place)}`),
          ),
        ),
      ),
    ];
  });

function editOfChild(child: number, value: string | undefined): Edit {
  const names = ["large", `child-${String(child)}-of-a-large-directory`];
  return value === undefined ? { kind: "remove", names } : { kind: "set", names, value, perms: DOM0_ALONE };
}

const arbitraryMerges = fc.array(fc.tuple(fc.nat(20), fc.nat(6)), { minLength: 1, maxLength: 6 });

describe("rewritePacks", () => {
  it("keeps every commit's root, whatever was sealed and merged when (merge invariants 1 and 5)", () => {
    fc.assert(
      fc.property(arbitraryHistory, arbitraryMerges, (history, merges) => {
        const fileSystem = createMemoryFileSystem();
        const { packs, roots } = recordHistory(fileSystem, "/r", history);
        const left = mergeRandomly(fileSystem, "/r", packs, merges);
        expect(new Set(packNames(fileSystem, "/r"))).toEqual(new Set(left));
        checkHistory(fileSystem, "/r", roots);
      }),
      propertyParameters(60),
    );
  });

  it("keeps every version of a large directory (merge invariants 1, 2 and 5)", () => {
    fc.assert(
      fc.property(arbitraryLargeHistory, arbitraryMerges, (history, merges) => {
        const fileSystem = createMemoryFileSystem();
        const { packs, roots } = recordHistory(fileSystem, "/r", history);
        mergeRandomly(fileSystem, "/r", packs, merges);
        checkHistory(fileSystem, "/r", roots);
      }),
      propertyParameters(10),
    );
  });

  it("makes packs that git verify-pack, index-pack --strict and fsck --strict accept, with the same objects", () => {
    fc.assert(
      fc.property(arbitraryHistory, arbitraryMerges, (history, merges) => {
        const directory = temporaryDirectory();
        const repository = join(directory, "store.git");
        const { packs } = recordHistory(nodeFileSystem, repository, history);
        const before = objectsByGit(repository);
        for (const name of mergeRandomly(nodeFileSystem, repository, packs, merges)) {
          const index = join(packDirectory(repository), `pack-${name}.idx`);
          git(repository, ["verify-pack", index]);
          const rebuilt = join(directory, "rebuilt.idx");
          git(repository, ["index-pack", "--strict", "-o", rebuilt, index.replace(/idx$/, "pack")]);
          expect(nodeFileSystem.readFile(rebuilt)).toEqual(nodeFileSystem.readFile(index));
          nodeFileSystem.remove(rebuilt);
        }
        expect(fsckComplaints(repository)).toBe("");
        const after = objectsByGit(repository);
        expect(after.size).toBe(before.size);
        for (const [oid, { type, data }] of before) {
          expect(hashObject(type, data)).toBe(oid);
          expect(after.get(oid)?.data.equals(data), hexFromOid(oid)).toBe(true);
        }
      }),
      propertyParameters(5),
    );
  });
});
