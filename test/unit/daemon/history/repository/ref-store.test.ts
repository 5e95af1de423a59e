import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hexFromOid, oidFromHex } from "../../../../../daemon/history/object/oid.js";
import {
  DamagedRefError,
  InvalidRefNameError,
  RefConflictError,
  RefLockedError,
  RefMovedError,
} from "../../../../../daemon/history/repository/errors.js";
import { createRepository } from "../../../../../daemon/history/repository/layout.js";
import { isValidRefName, RefStore } from "../../../../../daemon/history/repository/ref-store.js";
import type { FileSystem } from "../../../../../daemon/platform/file-system.js";
import { nodeFileSystem } from "../../../../../daemon/platform/node-file-system.js";
import { createFaultyFileSystem, type FileSystemCall } from "../../../../support/faulty-file-system.js";
import {
  createMemoryFileSystem,
  type EntryOrder,
  type Loss,
  type MemoryFileSystem,
} from "../../../../support/memory-file-system.js";
import { propertyParameters } from "../../../../support/seed.js";
import { temporaryDirectory } from "../../../../support/temporary-directory.js";
import { CrashError, crashingFileSystem, failingFileSystem } from "./repository-support.js";

const MAIN = "refs/heads/main";
const A = oidFromHex("a".repeat(40));
const B = oidFromHex("b".repeat(40));
const C = oidFromHex("c".repeat(40));

function newRepository(): { directory: string; refs: RefStore } {
  const directory = `${temporaryDirectory()}/store.git`;
  createRepository(nodeFileSystem, directory);
  return { directory, refs: new RefStore(nodeFileSystem, directory) };
}

function filesBelow(directory: string): string[] {
  return (readdirSync(directory, { recursive: true }) as string[]).sort();
}

describe("isValidRefName", () => {
  test.each([
    "refs/heads/main",
    "refs/tags/v1.0",
    "refs/heads/a/b",
    "refs/heads/@",
    "refs/x",
    "refs/heads/{a}",
    "refs/heads/é",
  ])("accepts %s", (name) => {
    expect(isValidRefName(name)).toBe(true);
  });

  test.each([
    "HEAD",
    "main",
    "refs",
    "refs/",
    "refs//a",
    "refs/heads/",
    "/refs/heads/a",
    "refs/heads/.a",
    "refs/heads/a.lock",
    "refs/a.lock/b",
    "refs/heads/a..b",
    "refs/heads/a.",
    "refs/heads/a b",
    "refs/heads/a~b",
    "refs/heads/a^",
    "refs/heads/a:b",
    "refs/heads/a?",
    "refs/heads/*",
    "refs/heads/[a",
    "refs/heads/a\\b",
    "refs/heads/a@{b",
    "refs/heads/a\n",
    "refs/heads/\x7f",
    "refs/../config",
  ])("refuses %j", (name) => {
    expect(isValidRefName(name)).toBe(false);
  });
});

describe("RefStore.read, list", () => {
  test("find nothing in a new repository, and its HEAD on main", () => {
    const { refs } = newRepository();
    expect(refs.read("HEAD")).toBeUndefined();
    expect(refs.readSymbolic("HEAD")).toBe(MAIN);
    expect(refs.list()).toEqual([]);
  });

  test("let a loose ref hide a packed one, and pass over headers and peeled tags", () => {
    const { directory, refs } = newRepository();
    const [a, b, c] = [A, B, C].map(hexFromOid) as [string, string, string];
    writeFileSync(
      `${directory}/packed-refs`,
      `# pack-refs with: peeled fully-peeled sorted \n${a} ${MAIN}\n${b} refs/tags/v1\n^${c}\n`,
    );
    writeFileSync(`${directory}/${MAIN}`, `${c}\n`);
    mkdirSync(`${directory}/refs/heads/x`);
    writeFileSync(`${directory}/refs/heads/x/y`, b);
    writeFileSync(`${directory}/refs/heads/main.lock`, "");
    writeFileSync(`${directory}/refs/heads/.swp`, "");
    expect(refs.read("HEAD")).toBe(C);
    expect(refs.read("refs/tags/v1")).toBe(B);
    expect(refs.readSymbolic(MAIN)).toBeUndefined();
    expect(refs.list()).toEqual([
      { name: MAIN, oid: C },
      { name: "refs/heads/x/y", oid: B },
      { name: "refs/tags/v1", oid: B },
    ]);
    expect(refs.list("refs/tags/").map(({ name }) => name)).toEqual(["refs/tags/v1"]);
  });

  test("follow symbolic refs, and refuse a circle of them", () => {
    const { directory, refs } = newRepository();
    writeFileSync(`${directory}/refs/heads/one`, "ref: refs/heads/two\n");
    writeFileSync(`${directory}/refs/heads/two`, `${hexFromOid(A)}\n`);
    expect(refs.read("refs/heads/one")).toBe(A);
    writeFileSync(`${directory}/refs/heads/two`, "ref: refs/heads/one\n");
    expect(() => refs.read("refs/heads/one")).toThrow("circle");
  });

  test("refuse names that leave refs/, and damaged files by name", () => {
    const { directory, refs } = newRepository();
    expect(() => refs.read("config")).toThrow(InvalidRefNameError);
    expect(() => refs.read("refs/../config")).toThrow(InvalidRefNameError);
    writeFileSync(`${directory}/${MAIN}`, "");
    expect(() => refs.read(MAIN)).toThrow(DamagedRefError);
    writeFileSync(`${directory}/${MAIN}`, "ref: ../../secret\n");
    expect(() => refs.read(MAIN)).toThrow(InvalidRefNameError);
    writeFileSync(`${directory}/packed-refs`, "# header\nnonsense\n");
    expect(() => refs.read("refs/heads/other")).toThrow(`${directory}/packed-refs: line 2`);
  });
});

describe("RefStore.update", () => {
  test("creates, moves and leaves no lock", () => {
    const { directory, refs } = newRepository();
    refs.update(MAIN, { expected: undefined, to: A });
    refs.update(MAIN, { expected: A, to: B });
    expect(refs.read("HEAD")).toBe(B);
    expect(readFileSync(`${directory}/${MAIN}`, "latin1")).toBe(`${hexFromOid(B)}\n`);
    expect(filesBelow(`${directory}/refs`)).toEqual(["heads", "heads/main", "tags"]);
  });

  test("compares with a packed ref too", () => {
    const { directory, refs } = newRepository();
    writeFileSync(`${directory}/packed-refs`, `${hexFromOid(A)} ${MAIN}\n`);
    expect(() => {
      refs.update(MAIN, { expected: undefined, to: B });
    }).toThrow(RefMovedError);
    refs.update(MAIN, { expected: A, to: B });
    expect(refs.read(MAIN)).toBe(B);
  });

  test.each([
    [undefined, B, `${MAIN} is ${"a".repeat(40)}, expected ${"b".repeat(40)}`],
    [undefined, undefined, `${MAIN} is ${"a".repeat(40)}, expected absent`],
  ])("refuses another value than expected and changes nothing", (_, expected, message) => {
    const { directory, refs } = newRepository();
    refs.update(MAIN, { expected: undefined, to: A });
    expect(() => {
      refs.update(MAIN, { expected, to: C });
    }).toThrow(message);
    expect(refs.read(MAIN)).toBe(A);
    expect(existsSync(`${directory}/${MAIN}.lock`)).toBe(false);
  });

  test("refuses to move a ref that does not exist", () => {
    const { refs } = newRepository();
    expect(() => {
      refs.update(MAIN, { expected: A, to: B });
    }).toThrow(`${MAIN} is absent, expected ${"a".repeat(40)}`);
  });

  test("does not touch a lock that somebody holds, until it is declared stale", () => {
    const { directory, refs } = newRepository();
    writeFileSync(`${directory}/${MAIN}.lock`, "somebody's");
    const update = (): void => {
      refs.update(MAIN, { expected: undefined, to: A });
    };
    expect(update).toThrow(RefLockedError);
    expect(update).toThrow(`${directory}/${MAIN}.lock`);
    expect(readFileSync(`${directory}/${MAIN}.lock`, "utf8")).toBe("somebody's");
    expect(refs.removeStaleLocks([MAIN, "refs/heads/other"])).toEqual([MAIN]);
    update();
    expect(refs.read(MAIN)).toBe(A);
    expect(() => refs.removeStaleLocks(["../config"])).toThrow(InvalidRefNameError);
  });

  test("refuses a ref that would be a directory of another or below another, loose or packed", () => {
    const { directory, refs } = newRepository();
    refs.update("refs/heads/a/b", { expected: undefined, to: A });
    writeFileSync(`${directory}/packed-refs`, `${hexFromOid(A)} refs/heads/p/q\n`);
    for (const name of ["refs/heads/a", "refs/heads/a/b/c", "refs/heads/a/b/c/d", "refs/heads/p", "refs/heads/p/q/r"]) {
      expect(() => {
        refs.update(name, { expected: undefined, to: B });
      }, name).toThrow(RefConflictError);
    }
    expect(refs.list().map(({ name }) => name)).toEqual(["refs/heads/a/b", "refs/heads/p/q"]);
    expect(filesBelow(`${directory}/refs`).filter((name) => name.endsWith(".lock"))).toEqual([]);
  });

  test("says so when an empty directory is in the way", () => {
    const { directory, refs } = newRepository();
    mkdirSync(`${directory}/refs/heads/a`);
    expect(() => {
      refs.update("refs/heads/a", { expected: undefined, to: B });
    }).toThrow("an empty one: remove it");
    expect(existsSync(`${directory}/refs/heads/a.lock`)).toBe(false);
  });

  test("refuses invalid names and symbolic refs", () => {
    const { directory, refs } = newRepository();
    expect(() => {
      refs.update("HEAD", { expected: undefined, to: A });
    }).toThrow(InvalidRefNameError);
    writeFileSync(`${directory}/refs/heads/link`, `ref: ${MAIN}\n`);
    expect(() => {
      refs.update("refs/heads/link", { expected: undefined, to: A });
    }).toThrow(`symbolic ref to ${MAIN}`);
  });

  test.each(["write", "sync", "rename"] as const)(
    "is undone when the disk fails at the %s (ref-store invariant 3)",
    (failing) => {
      const { directory, refs } = newRepository();
      refs.update(MAIN, { expected: undefined, to: A });
      const disk = failingFileSystem(nodeFileSystem, "ENOSPC", (call, path) => call === failing && path.includes(MAIN));
      expect(() => {
        new RefStore(disk, directory).update(MAIN, { expected: A, to: B });
      }).toThrow("ENOSPC");
      expect(refs.read(MAIN)).toBe(A);
      expect(existsSync(`${directory}/${MAIN}.lock`)).toBe(false);
    },
  );

  test("leaves the old or the new value wherever the process dies (ref-store invariant 1)", () => {
    const { directory, refs } = newRepository();
    const name = "refs/heads/fork/one";
    refs.update(name, { expected: undefined, to: A });
    let current = A;
    let died = true;
    for (let calls = 0; died; calls++) {
      const next = current === A ? B : A;
      const disk = crashingFileSystem(nodeFileSystem, calls);
      try {
        new RefStore(disk, directory).update(name, { expected: current, to: next });
        died = false;
      } catch (error) {
        expect(error).toBeInstanceOf(CrashError);
      }
      const found = refs.read(name);
      expect([current, next]).toContain(found);
      refs.removeStaleLocks([name]);
      refs.update(name, { expected: found, to: current });
      if (!died) expect(calls).toBe(5);
    }
    current = A;
    expect(refs.read(name)).toBe(current);
  });

  test("makes a directory again that git pack-refs removed before it was used", () => {
    const { directory, refs } = newRepository();
    let left = 2;
    const disk: FileSystem = {
      ...nodeFileSystem,
      open: (path, mode) => {
        if (mode === "create" && left-- > 0) rmdirSync(`${directory}/refs/heads/forks`);
        return nodeFileSystem.open(path, mode);
      },
    };
    new RefStore(disk, directory).update("refs/heads/forks/one", { expected: undefined, to: A });
    expect(refs.read("refs/heads/forks/one")).toBe(A);
  });

  test("makes new directories durable, each in its parent", () => {
    const { directory } = newRepository();
    const synced: string[] = [];
    const disk = { ...nodeFileSystem, syncDirectory: (path: string) => synced.push(path.slice(directory.length)) };
    new RefStore(disk, directory).update("refs/heads/a/b/c", { expected: undefined, to: A });
    expect(synced.sort()).toEqual(["/refs/heads", "/refs/heads/a", "/refs/heads/a/b"]);
  });
});

const FORK = "refs/heads/fork";
const REPOSITORY = "/store.git";

/** How a ref can be there: `old` in packed-refs, and hidden by a loose one or not. */
const WAYS = ["loose", "packed", "packed and loose"] as const;

interface Disk {
  readonly memory: MemoryFileSystem;
  readonly refs: RefStore;
}

/** A disk with a fork on B (its packed value is older when it has a loose one too), main and a tag; all of it durable. */
function diskWithFork(way: (typeof WAYS)[number]): Disk {
  const memory = createMemoryFileSystem();
  memory.makeDirectory(REPOSITORY);
  memory.syncDirectory("/");
  createRepository(memory, REPOSITORY);
  const refs = new RefStore(memory, REPOSITORY);
  refs.update(MAIN, { expected: undefined, to: A });
  const packedFork = way === "loose" ? "" : `${hexFromOid(way === "packed" ? B : C)} ${FORK}\n^${hexFromOid(A)}\n`;
  const packed = `${HEADER}${packedFork}${PACKED_TAG}`;
  const file = memory.open(`${REPOSITORY}/packed-refs`, "create");
  file.write(Buffer.from(packed), 0);
  file.sync();
  file.close();
  memory.syncDirectory(REPOSITORY);
  if (way !== "packed") refs.update(FORK, { expected: way === "loose" ? undefined : C, to: B });
  return { memory, refs };
}

const HEADER = "# pack-refs with: peeled fully-peeled sorted \n";
const PACKED_TAG = `${hexFromOid(C)} refs/tags/é\n^${hexFromOid(A)}\n`;

function textOf(fileSystem: FileSystem, path: string): string {
  return Buffer.from(fileSystem.readFile(path)).toString();
}

/** Of all files of the repository. */
function litter({ memory }: Disk): string[] {
  const found = [...memory.list(REPOSITORY), ...memory.list(`${REPOSITORY}/refs/heads`)];
  return found.filter((name) => name.endsWith(".lock") || name.endsWith(".new"));
}

/** All but the fork. */
function checkOthers({ refs }: Disk): void {
  expect(refs.list().filter(({ name }) => name !== FORK)).toEqual([
    { name: MAIN, oid: A },
    { name: "refs/tags/é", oid: C },
  ]);
}

describe("RefStore.delete", () => {
  test.each(WAYS)("takes a %s ref away, leaves the others byte for byte, and no lock", (way) => {
    const disk = diskWithFork(way);
    expect(disk.refs.delete(FORK, { expected: B })).toBe(true);
    expect(disk.refs.read(FORK)).toBeUndefined();
    expect(textOf(disk.memory, `${REPOSITORY}/packed-refs`)).toBe(HEADER + PACKED_TAG);
    checkOthers(disk);
    expect(litter(disk)).toEqual([]);
    expect(disk.refs.delete(FORK, { expected: B })).toBe(false);
    disk.refs.update(FORK, { expected: undefined, to: C });
    expect(disk.refs.read(FORK)).toBe(C);
  });

  test("takes the last packed ref away, and leaves one alone whose name begins alike", () => {
    const { directory, refs } = newRepository();
    const write = (text: string): void => {
      writeFileSync(`${directory}/packed-refs`, text);
    };
    write(`${HEADER}${hexFromOid(A)} refs/heads/é\n`);
    refs.delete("refs/heads/é", { expected: A });
    expect(readFileSync(`${directory}/packed-refs`, "utf8")).toBe(HEADER);
    write(`${hexFromOid(A)} ${FORK}\n${hexFromOid(B)} ${FORK}2\n^${hexFromOid(C)}`);
    refs.delete(FORK, { expected: A });
    expect(readFileSync(`${directory}/packed-refs`, "utf8")).toBe(`${hexFromOid(B)} ${FORK}2\n^${hexFromOid(C)}`);
    refs.delete(`${FORK}2`, { expected: B });
    expect(readFileSync(`${directory}/packed-refs`, "utf8")).toBe("");
  });

  test("takes the reflog away, also when the ref was gone already", () => {
    const { directory, refs } = newRepository();
    refs.update(FORK, { expected: undefined, to: A });
    mkdirSync(`${directory}/logs/${FORK}s`, { recursive: true });
    for (let round = 0; round < 2; round++) {
      writeFileSync(`${directory}/logs/${FORK}`, "");
      expect(refs.delete(FORK, { expected: A })).toBe(round === 0);
      expect(filesBelow(`${directory}/logs`)).toEqual(["refs", "refs/heads", "refs/heads/forks"]);
    }
  });

  test("refuses another value than expected and changes nothing", () => {
    for (const way of WAYS) {
      const disk = diskWithFork(way);
      const before = textOf(disk.memory, `${REPOSITORY}/packed-refs`);
      expect(() => disk.refs.delete(FORK, { expected: C })).toThrow(RefMovedError);
      expect(disk.refs.read(FORK)).toBe(B);
      expect(textOf(disk.memory, `${REPOSITORY}/packed-refs`)).toBe(before);
      expect(litter(disk)).toEqual([]);
    }
  });

  test.each([`${REPOSITORY}/${FORK}.lock`, `${REPOSITORY}/packed-refs.lock`])(
    "does not pass %s when somebody holds it, whether the ref is packed or not (ref-store invariant 4)",
    (lock) => {
      for (const way of WAYS) {
        const disk = diskWithFork(way);
        disk.memory.open(lock, "create").close();
        const attempt = (): unknown => disk.refs.delete(FORK, { expected: B });
        expect(attempt).toThrow(RefLockedError);
        expect(attempt).toThrow(`${FORK} is locked: ${lock} exists`);
        expect(litter(disk)).toEqual([lock.slice(lock.lastIndexOf("/") + 1)]);
        expect(disk.refs.read(FORK)).toBe(B);
      }
    },
  );

  test("holds both locks from the comparison to the removal (ref-store invariant 4)", () => {
    for (const way of WAYS) {
      const { memory } = diskWithFork(way);
      let looked = 0;
      const look = (path: string): void => {
        if (!path.endsWith(`/${FORK}`) && !path.endsWith("/packed-refs")) return;
        looked++;
        expect(memory.exists(`${REPOSITORY}/packed-refs.lock`), path).toBe(true);
        expect(memory.exists(`${REPOSITORY}/${FORK}.lock`), path).toBe(true);
      };
      const watched: FileSystem = {
        ...memory,
        readFile: (path) => {
          look(path);
          return memory.readFile(path);
        },
        rename: (from, to) => {
          look(to);
          memory.rename(from, to);
        },
        remove: (path) => {
          look(path);
          memory.remove(path);
        },
      };
      new RefStore(watched, REPOSITORY).delete(FORK, { expected: B });
      expect(looked).toBeGreaterThan(1);
    }
  });

  test("does not take what a dead daemon or Git left half written for its own", () => {
    const disk = diskWithFork("packed");
    const file = disk.memory.open(`${REPOSITORY}/packed-refs.new`, "create");
    file.write(Buffer.from(`${hexFromOid(B)} refs/heads/half`), 0);
    file.close();
    disk.refs.delete(FORK, { expected: B });
    checkOthers(disk);
    expect(litter(disk)).toEqual([]);
  });

  test("refuses invalid names, symbolic refs and a damaged packed-refs", () => {
    const { directory, refs } = newRepository();
    expect(() => refs.delete("HEAD", { expected: A })).toThrow(InvalidRefNameError);
    writeFileSync(`${directory}/refs/heads/link`, `ref: ${MAIN}\n`);
    expect(() => refs.delete("refs/heads/link", { expected: A })).toThrow(`symbolic ref to ${MAIN}`);
    writeFileSync(`${directory}/packed-refs`, "nonsense\n");
    expect(() => refs.delete(FORK, { expected: A })).toThrow(DamagedRefError);
    expect(filesBelow(directory).filter((name) => name.endsWith(".lock"))).toEqual([]);
  });

  test("leaves the refs below a directory of the name alone", () => {
    const { refs } = newRepository();
    refs.update(`${FORK}/one`, { expected: undefined, to: A });
    expect(refs.delete(FORK, { expected: B })).toBe(false);
    expect(refs.read(`${FORK}/one`)).toBe(A);
  });

  /** What a start does, and then a power cut: the fork is gone for good, and nothing else is. */
  function checkRepeated(disk: Disk): void {
    expect([B, undefined]).toContain(disk.refs.read(FORK));
    checkOthers(disk);
    disk.refs.removeStaleLocks([FORK]);
    disk.refs.delete(FORK, { expected: B });
    disk.memory.crash("everything");
    expect(disk.refs.read(FORK)).toBeUndefined();
    checkOthers(disk);
    expect(litter(disk)).toEqual([]);
  }

  /** Deletes with a fault; says whether it struck. */
  function deleteWithFault(disk: Disk, fault: { readonly call: FileSystemCall; readonly nth: number }): boolean {
    const faulty = createFaultyFileSystem(disk.memory);
    faulty.inject({ ...fault, error: "EIO", lasts: true });
    try {
      new RefStore(faulty, REPOSITORY).delete(FORK, { expected: B });
      return false;
    } catch (error) {
      expect(String(error)).toContain("EIO");
      return true;
    }
  }

  const CHANGES = ["open", "write", "sync", "rename", "remove", "syncDirectory"] as const;

  test.each(WAYS)(
    "of a %s ref, cut short by a crash at any call, leaves the last value or none, never an older one, and can be repeated (ref-store invariants 4 to 6)",
    (way) => {
      let points = 0;
      for (const loss of ["everything", "nothing"] satisfies Loss[]) {
        for (const call of CHANGES) {
          for (let nth = 1; ; nth++) {
            const disk = diskWithFork(way);
            const isStruck = deleteWithFault(disk, { call, nth });
            disk.memory.crash(loss);
            checkRepeated(disk);
            if (!isStruck) break;
            points++;
          }
        }
      }
      expect(points).toBeGreaterThan(20);
    },
  );

  test("cut short by a crash that kills the process in the middle, the same: no lock is taken back", () => {
    for (const way of WAYS) {
      let isOver = false;
      for (let calls = 0; !isOver; calls++) {
        for (const loss of ["everything", "nothing"] satisfies Loss[]) {
          const disk = diskWithFork(way);
          const crashing = crashingFileSystem(disk.memory, calls);
          try {
            new RefStore(crashing, REPOSITORY).delete(FORK, { expected: B });
            isOver = true;
          } catch (error) {
            expect(error).toBeInstanceOf(CrashError);
          }
          disk.memory.crash(loss);
          checkRepeated(disk);
        }
      }
    }
  });

  test("cut short by a power cut that takes any part of what was not synced, the same", () => {
    const death = fc.record({
      way: fc.constantFrom(...WAYS),
      calls: fc.nat(22),
      again: fc.nat(22),
      entryOrder: fc.constantFrom<EntryOrder>("in order", "any"),
    });
    fc.assert(
      fc.property(death, fc.infiniteStream(fc.boolean()), ({ way, calls, again, entryOrder }, losses) => {
        const disk = diskWithFork(way);
        for (const callsBefore of [calls, again]) {
          const refs = new RefStore(crashingFileSystem(disk.memory, callsBefore), REPOSITORY);
          try {
            refs.removeStaleLocks([FORK]);
            refs.delete(FORK, { expected: B });
          } catch (error) {
            expect(error).toBeInstanceOf(CrashError);
          }
          disk.memory.crash(() => losses.next().value as boolean, entryOrder);
        }
        checkRepeated(disk);
      }),
      propertyParameters(300),
    );
  });

  test("removeStaleLocks leaves the lock of packed-refs alone that no deletion of ours can have left", () => {
    const disk = diskWithFork("packed");
    disk.memory.open(`${REPOSITORY}/packed-refs.lock`, "create").close();
    disk.memory.open(`${REPOSITORY}/${FORK}.lock`, "create").close();
    expect(disk.refs.removeStaleLocks([FORK])).toEqual([FORK]);
    expect(litter(disk)).toEqual(["packed-refs.lock"]);
  });
});
