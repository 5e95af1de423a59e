/**
 * The repository folder against real git: what git writes we read, what we write git accepts, whatever is going on
 * at the same time.
 */
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hexFromOid, oidFromHex, type Oid } from "../../daemon/history/object/oid.js";
import { decodeEntryHeader } from "../../daemon/history/object/pack-decode.js";
import { DamagedObjectError, MissingObjectError, RefMovedError } from "../../daemon/history/repository/errors.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import { ObjectReader, type ObjectReaderOptions } from "../../daemon/history/repository/object-reader.js";
import {
  packDirectory,
  placePack,
  removeKeep,
  removeStaleKeeps,
  removeTemporaryFiles,
  type NewPack,
} from "../../daemon/history/repository/pack-file.js";
import { isValidRefName, RefStore } from "../../daemon/history/repository/ref-store.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import { propertyParameters, seed } from "../support/seed.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import {
  crashingFileSystem,
  fsckComplaints,
  git,
  gitBytes,
  objectsByGit,
} from "../unit/daemon/history/repository/repository-support.js";

/** A generator whose numbers depend on the seed alone (a linear congruence; the high bits are the good ones). */
function randomFrom(start: number): (below: number) => number {
  let state = start >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function randomBytes(random: (below: number) => number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at++) bytes[at] = random(256);
  return bytes;
}

/**
 * A repository with a history that looks like ours (many small values, directories that change a little), a tag, and
 * contents of awkward sizes; loose where `loose` says so, else in one pack as fast-import leaves it.
 */
function exampleRepository({ commits, large }: { commits: number; large: boolean }): string {
  const directory = `${temporaryDirectory()}/store.git`;
  createRepository(nodeFileSystem, directory);
  const random = randomFrom(commits);
  const chunks: Buffer[] = [];
  const add = (text: string | Buffer): void => {
    chunks.push(typeof text === "string" ? Buffer.from(text) : text);
  };
  const addFile = (path: string, data: Buffer): void => {
    add(`M 100644 inline ${path}\ndata ${String(data.length)}\n`);
    add(data);
    add("\n");
  };
  for (let commit = 0; commit < commits; commit++) {
    add(
      `commit ${MAIN_REF}\ncommitter a <a@b> ${String(1_700_000_000 + commit)} +0000\ndata 9\ncommit ${String(commit % 10)}\n`,
    );
    for (let change = 0; change < (commit === 0 ? 400 : 3); change++) {
      const path = `local/domain/${String(random(9))}/device/vif/${String(random(60))}/state`;
      addFile(path, Buffer.from(`${String(random(7))} of ${"connected ".repeat(random(5))}`));
    }
    if (commit === 0) {
      addFile("empty", Buffer.alloc(0));
      for (const size of [65_535, 65_536, 70_000]) addFile(`noise-${String(size)}`, randomBytes(random, size));
      addFile("long", Buffer.alloc(300_000, "a long and dull text, "));
      if (large) {
        addFile("large-noise", randomBytes(random, 17 * 1024 * 1024));
        addFile("large-text", Buffer.alloc(18 * 1024 * 1024, "0123456789 all work and no play "));
      }
    }
  }
  gitBytes(directory, ["-c", "fastimport.unpackLimit=0", "fast-import", "--quiet"], Buffer.concat(chunks));
  git(directory, ["tag", "-a", "-m", "a tag", "v1", "main"]);
  return directory;
}

/** Reads every object that git knows, in an order that is not the pack's, and compares. Returns how many. */
function expectAllEqual(directory: string, options: ObjectReaderOptions = {}): number {
  const expected = objectsByGit(directory);
  const reader = new ObjectReader(nodeFileSystem, directory, options);
  for (const [oid, { type, data }] of expected) {
    expect(reader.has(oid)).toBe(true);
    const object = reader.read(oid);
    expect(object.type).toBe(type);
    expect(object.data.equals(data), `${type} ${hexFromOid(oid)}`).toBe(true);
  }
  reader.close();
  return expected.size;
}

/** How many entries of each kind the only pack of a repository has. */
function entryKinds(directory: string): Map<string, number> {
  const [name] = readdirSync(packDirectory(directory)).filter((file) => file.endsWith(".pack"));
  const pack = readFileSync(`${packDirectory(directory)}/${String(name)}`);
  const kinds = new Map<string, number>();
  const listing = git(
    directory,
    ["show-index"],
    readFileSync(`${packDirectory(directory)}/${String(name).replace(/pack$/, "idx")}`),
  );
  for (const line of listing.split("\n")) {
    const { kind } = decodeEntryHeader(pack, Number(line.split(" ")[0]));
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return kinds;
}

describe("ObjectReader reads what git wrote", () => {
  test("in one pack of fast-import, and loose", () => {
    const directory = exampleRepository({ commits: 40, large: false });
    const count = expectAllEqual(directory, { verifyOids: true });
    expect(count).toBeGreaterThan(300);
    const [name] = readdirSync(packDirectory(directory)).filter((file) => file.endsWith(".pack"));
    const pack = readFileSync(`${packDirectory(directory)}/${String(name)}`);
    const loose = `${temporaryDirectory()}/store.git`;
    createRepository(nodeFileSystem, loose);
    git(loose, ["unpack-objects", "-q"], pack);
    expect(readdirSync(packDirectory(loose))).toEqual([]);
    expect(expectAllEqual(loose, { verifyOids: true })).toBeGreaterThan(300);
  });

  test("after git gc --aggressive (offset deltas), with hardly any cache as with the usual one", () => {
    const directory = exampleRepository({ commits: 200, large: false });
    git(directory, ["gc", "--aggressive", "--prune=now", "--quiet"]);
    expect(entryKinds(directory).get("offset-delta")).toBeGreaterThan(100);
    expectAllEqual(directory, { verifyOids: true });
    expectAllEqual(directory, { windowBytesMax: 0, baseBytesMax: 0, openFilesMax: 1 });
  });

  test("with oid deltas", () => {
    const directory = exampleRepository({ commits: 200, large: false });
    git(directory, ["-c", "repack.useDeltaBaseOffset=false", "repack", "-a", "-d", "-f", "-q"]);
    const kinds = entryKinds(directory);
    expect(kinds.get("oid-delta")).toBeGreaterThan(100);
    expect(kinds.get("offset-delta")).toBeUndefined();
    expectAllEqual(directory, { verifyOids: true });
  });

  test.each(["0", "1", "9"])("with pack.compression %s, and contents of more than 16 MiB", (level) => {
    const directory = exampleRepository({ commits: 5, large: true });
    git(directory, [
      "-c",
      `pack.compression=${level}`,
      "-c",
      `core.compression=${level}`,
      "repack",
      "-a",
      "-d",
      "-F",
      "-q",
    ]);
    expectAllEqual(directory, { verifyOids: true });
  });

  test("in many packs, with 64-bit places in an index", () => {
    const directory = exampleRepository({ commits: 60, large: false });
    git(directory, ["repack", "-a", "-d", "-q", "--max-pack-size=1m"]);
    const packs = readdirSync(packDirectory(directory)).filter((file) => file.endsWith(".pack"));
    for (const pack of packs) {
      const index = `objects/pack/${pack.replace(/pack$/, "idx")}`;
      const made = `${temporaryDirectory()}/x.idx`;
      git(directory, ["index-pack", "--index-version=2,0x400", "-o", made, `objects/pack/${pack}`]);
      expect(readFileSync(made).length).toBeGreaterThan(readFileSync(`${directory}/${index}`).length);
      cpSync(made, `${directory}/${index}`, { force: true });
    }
    expectAllEqual(directory, { verifyOids: true });
  });

  test("while git repacks, with open files and without", () => {
    const directory = exampleRepository({ commits: 60, large: false });
    const expected = [...objectsByGit(directory)];
    for (const openFilesMax of [1, 64]) {
      const reader = new ObjectReader(nodeFileSystem, directory, {
        verifyOids: true,
        openFilesMax,
        windowBytesMax: 4096,
      });
      for (const [position, [oid, { data }]] of expected.entries()) {
        if (position % 150 === 10)
          git(directory, ["repack", "-a", "-d", "-f", "-q", `--depth=${String(position % 7)}`]);
        if (position % 150 === 90) {
          git(directory, ["repack", "-a", "-d", "-q", "--max-pack-size=1m"]);
          git(directory, ["prune-packed", "-q"]);
        }
        expect(reader.read(oid).data.equals(data)).toBe(true);
      }
      reader.close();
    }
  });
});

describe("ObjectReader and damage", () => {
  /** What reading everything of a damaged repository ends in; every object read must be right. */
  function readAllDamaged(
    directory: string,
    expected: ReadonlyMap<Oid, { readonly data: Buffer }>,
  ): { errors: number } {
    const reader = new ObjectReader(nodeFileSystem, directory, { verifyOids: true });
    let errors = 0;
    for (const [oid, { data }] of expected) {
      try {
        const object = reader.read(oid);
        expect(object.data.equals(data)).toBe(true);
      } catch (error) {
        // A changed name in an index can make an object missing; nothing else may come out.
        if (!(error instanceof DamagedObjectError) && !(error instanceof MissingObjectError)) throw error;
        errors++;
      }
    }
    reader.close();
    return { errors };
  }

  test("gives right data or the named error for bytes changed anywhere in pack, index and loose files", () => {
    const original = exampleRepository({ commits: 30, large: false });
    git(original, ["repack", "-a", "-d", "-f", "-q"]);
    git(original, ["hash-object", "-w", "--stdin"], "a loose one");
    const expected = objectsByGit(original);
    const random = randomFrom(seed());
    const files = readdirSync(`${original}/objects`, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(?:pack|idx)$|^[0-9a-f]{38}$/.test(entry.name))
      .map((entry) => `${entry.parentPath.slice(original.length)}/${entry.name}`);
    expect(files.length).toBe(3);
    let errors = 0;
    for (let round = 0; round < 60; round++) {
      const directory = `${temporaryDirectory()}/damaged.git`;
      cpSync(original, directory, { recursive: true });
      const file = files[round % files.length] as string;
      const bytes = readFileSync(directory + file);
      const changes = round % 2 === 0 ? 1 : 20;
      for (let change = 0; change < changes; change++) {
        // Half of them near the beginning, where the tables are.
        const at = random(random(2) === 0 ? bytes.length : Math.min(bytes.length, 4096));
        bytes[at] = random(256);
      }
      const cut = random(5) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes;
      writeFileSync(directory + file, cut, { mode: 0o600 });
      errors += readAllDamaged(directory, expected).errors;
    }
    expect(errors).toBeGreaterThan(60);
  }, 120_000);
});

describe("RefStore and git", () => {
  function repositoryWithCommits(): { directory: string; refs: RefStore; commits: readonly [Oid, Oid, Oid] } {
    const directory = `${temporaryDirectory()}/store.git`;
    createRepository(nodeFileSystem, directory);
    const tree = git(directory, ["hash-object", "-w", "-t", "tree", "--stdin"]);
    const first = git(directory, ["commit-tree", tree, "-m", "1"]);
    const second = git(directory, ["commit-tree", tree, "-m", "2", "-p", first]);
    const third = git(directory, ["commit-tree", tree, "-m", "3", "-p", second]);
    const commits = [oidFromHex(first), oidFromHex(second), oidFromHex(third)] as const;
    return { directory, refs: new RefStore(nodeFileSystem, directory), commits };
  }

  test("agree on every update, whoever makes it, packed or not", () => {
    const { directory, refs, commits } = repositoryWithCommits();
    const [one, two, three] = commits;
    refs.update(MAIN_REF, { expected: undefined, to: one });
    expect(git(directory, ["rev-parse", "main"])).toBe(hexFromOid(one));
    expect(git(directory, ["log", "--format=%s", "HEAD"])).toBe("1");
    git(directory, ["update-ref", MAIN_REF, hexFromOid(two), hexFromOid(one)]);
    expect(() => {
      refs.update(MAIN_REF, { expected: one, to: three });
    }).toThrow(RefMovedError);
    git(directory, ["tag", "-a", "-m", "t", "v1", "main"]);
    git(directory, ["pack-refs", "--all", "--prune"]);
    expect(existsSync(`${directory}/${MAIN_REF}`)).toBe(false);
    expect(refs.read("HEAD")).toBe(two);
    refs.update(MAIN_REF, { expected: two, to: three });
    refs.update("refs/heads/forks/one", { expected: undefined, to: one });
    const byGit = git(directory, ["for-each-ref", "--format=%(objectname) %(refname)"]);
    expect(
      refs
        .list()
        .map(({ name, oid }) => `${hexFromOid(oid)} ${name}`)
        .join("\n"),
    ).toBe(byGit);
    expect(byGit).toContain(`${hexFromOid(three)} ${MAIN_REF}`);
    expect(fsckComplaints(directory)).toBe("");
    git(directory, ["pack-refs", "--all", "--prune"]);
    expect(
      refs
        .list()
        .map(({ name, oid }) => `${hexFromOid(oid)} ${name}`)
        .join("\n"),
    ).toBe(byGit);
    git(directory, ["clone", "--quiet", "--bare", directory, `${temporaryDirectory()}/clone.git`]);
  });

  test("agree on a deletion, whether the ref is loose, packed, or packed and moved on since", () => {
    const { directory, refs, commits } = repositoryWithCommits();
    const [one, two, three] = commits;
    const listed = (): string => git(directory, ["for-each-ref", "--format=%(objectname) %(refname) %(*objectname)"]);
    refs.update(MAIN_REF, { expected: undefined, to: three });
    git(directory, ["tag", "-a", "-m", "t", "v1", "main"]);
    git(directory, ["pack-refs", "--all", "--prune"]);
    const before = listed();
    refs.update("refs/heads/loose", { expected: undefined, to: two });
    expect(refs.delete("refs/heads/loose", { expected: two })).toBe(true);
    for (const name of ["refs/heads/packed", "refs/heads/moved", "refs/heads/z"]) {
      refs.update(name, { expected: undefined, to: one });
    }
    git(directory, ["tag", "-a", "-m", "t", "v0", "main"]);
    git(directory, ["tag", "-a", "-m", "t", "v2", "main"]);
    git(directory, ["pack-refs", "--all", "--prune"]);
    git(directory, ["update-ref", "--create-reflog", "refs/heads/moved", hexFromOid(two)]);
    expect(existsSync(`${directory}/logs/refs/heads/moved`)).toBe(true);
    expect(() => refs.delete("refs/heads/moved", { expected: one })).toThrow(RefMovedError);
    refs.delete("refs/heads/moved", { expected: two });
    expect(existsSync(`${directory}/logs/refs/heads/moved`)).toBe(false);
    refs.delete("refs/heads/packed", { expected: one });
    refs.delete("refs/heads/z", { expected: one });
    for (const tag of ["v0", "v2"]) {
      const name = `refs/tags/${tag}`;
      refs.delete(name, { expected: refs.read(name) as Oid });
    }
    expect(listed()).toBe(before);
    expect(fsckComplaints(directory)).toBe("");
    git(directory, ["branch", "packed", hexFromOid(three)]);
    git(directory, ["pack-refs", "--all", "--prune"]);
    git(directory, ["branch", "-D", "packed"]);
    git(directory, ["gc", "-q"]);
    expect(listed()).toBe(before);
    expect(refs.list().map(({ name }) => name)).toEqual([MAIN_REF, "refs/tags/v1"]);
  });

  test("respect each other's lock", () => {
    const { directory, refs, commits } = repositoryWithCommits();
    writeFileSync(`${directory}/${MAIN_REF}.lock`, "");
    expect(() => git(directory, ["update-ref", MAIN_REF, hexFromOid(commits[0])])).toThrow("main.lock");
    expect(refs.removeStaleLocks([MAIN_REF])).toEqual([MAIN_REF]);
    git(directory, ["update-ref", MAIN_REF, hexFromOid(commits[0])]);
    expect(refs.read(MAIN_REF)).toBe(commits[0]);
  });

  test("agree on which names are valid", () => {
    const { directory } = repositoryWithCommits();
    const parts = fc.constantFrom(
      "a",
      "main",
      "/",
      ".",
      "..",
      "@",
      "{",
      "@{",
      "lock",
      ".lock",
      "~",
      " ",
      "é",
      "-",
      "\\",
      "[",
      "\x01",
      "*",
    );
    const names = fc.uniqueArray(
      fc.array(parts, { maxLength: 5 }).map((list) => `refs/heads/${list.join("")}`),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(names, (list) => {
        for (const name of list) {
          let accepted = true;
          try {
            git(directory, ["check-ref-format", name]);
          } catch {
            accepted = false;
          }
          expect(isValidRefName(name), JSON.stringify(name)).toBe(accepted);
        }
      }),
      propertyParameters(60),
    );
  });
});

describe("placePack and git", () => {
  /** A repository whose main is at `before`, and the pack that leads it to `after`. */
  function pendingPack(): { directory: string; before: Oid; after: Oid; newPack: NewPack } {
    const directory = exampleRepository({ commits: 3, large: false });
    const before = git(directory, ["rev-parse", "main~1"]);
    const after = git(directory, ["rev-parse", "main"]);
    const base = `${temporaryDirectory()}/new`;
    const name = git(directory, ["pack-objects", "--revs", "-q", base], `main\n^main~1\n`);
    git(directory, ["tag", "-d", "v1"]);
    git(directory, ["update-ref", MAIN_REF, before]);
    git(directory, ["repack", "-a", "-d", "-q"]);
    git(directory, ["prune", "--expire=now"]);
    expect(() => git(directory, ["cat-file", "-e", after])).toThrow();
    const newPack = { pack: readFileSync(`${base}-${name}.pack`), index: readFileSync(`${base}-${name}.idx`), name };
    return { directory, before: oidFromHex(before), after: oidFromHex(after), newPack };
  }

  test("git fsck is content wherever the process dies, a repack and prune then loses nothing, and a new start goes on", () => {
    const { directory: original, before, after, newPack } = pendingPack();
    for (let calls = 0; ; calls++) {
      const directory = `${temporaryDirectory()}/store.git`;
      cpSync(original, directory, { recursive: true });
      const dying = crashingFileSystem(nodeFileSystem, calls);
      let died = false;
      try {
        placePack(dying, directory, newPack);
        new RefStore(dying, directory).update(MAIN_REF, { expected: before, to: after });
        removeKeep(dying, directory, newPack.name);
      } catch {
        died = true;
      }
      const point = `died at change ${String(calls)}`;
      expect(fsckComplaints(directory), point).toBe("");
      const tip = git(directory, ["rev-parse", "main"]);
      expect([hexFromOid(before), hexFromOid(after)], point).toContain(tip);
      git(directory, ["repack", "-a", "-d", "-q"]);
      git(directory, ["prune", "--expire=now"]);
      expect(fsckComplaints(directory), point).toBe("");

      const refs = new RefStore(nodeFileSystem, directory);
      removeTemporaryFiles(nodeFileSystem, directory);
      removeStaleKeeps(nodeFileSystem, directory);
      refs.removeStaleLocks([MAIN_REF]);
      const found = refs.read(MAIN_REF);
      expect(found, point).toBe(oidFromHex(tip));
      if (found === before) {
        placePack(nodeFileSystem, directory, newPack);
        refs.update(MAIN_REF, { expected: before, to: after });
        removeKeep(nodeFileSystem, directory, newPack.name);
      }
      expect(git(directory, ["rev-parse", "main"]), point).toBe(hexFromOid(after));
      expect(fsckComplaints(directory), point).toBe("");
      expect(
        readdirSync(packDirectory(directory)).filter((name) => !/^pack-.*\.(?:pack|idx|rev|bitmap)$/.test(name)),
        point,
      ).toEqual([]);
      git(directory, ["gc", "--prune=now", "--quiet"]);
      if (!died) {
        expect(calls).toBeGreaterThan(18);
        return;
      }
    }
  }, 120_000);

  test("git gc does not delete a pack that no ref reaches yet (pack-file invariant 2)", () => {
    const { directory, before, after, newPack } = pendingPack();
    placePack(nodeFileSystem, directory, newPack);
    const reader = new ObjectReader(nodeFileSystem, directory, { verifyOids: true });
    git(directory, ["gc", "--prune=now", "--quiet"]);
    git(directory, ["repack", "-a", "-d", "-f", "-q"]);
    expect(readdirSync(packDirectory(directory))).toContain(`pack-${newPack.name}.pack`);
    expect(reader.read(after).type).toBe("commit");
    new RefStore(nodeFileSystem, directory).update(MAIN_REF, { expected: before, to: after });
    removeKeep(nodeFileSystem, directory, newPack.name);
    git(directory, ["gc", "--prune=now", "--quiet"]);
    expect(fsckComplaints(directory)).toBe("");
    expect(reader.read(after).type).toBe("commit");
    reader.close();
  });

  test("without .keep git does delete it, so that the test above can fail", () => {
    const { directory, newPack } = pendingPack();
    placePack(nodeFileSystem, directory, newPack);
    removeKeep(nodeFileSystem, directory, newPack.name);
    git(directory, ["gc", "--prune=now", "--quiet"]);
    expect(readdirSync(packDirectory(directory))).not.toContain(`pack-${newPack.name}.pack`);
  });
});
