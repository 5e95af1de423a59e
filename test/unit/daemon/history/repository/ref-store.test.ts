import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
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
