import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { NotARepositoryError, UnsupportedRepositoryError } from "../../../../../daemon/history/repository/errors.js";
import { createRepository, MAIN_REF, openRepository } from "../../../../../daemon/history/repository/layout.js";
import { nodeFileSystem } from "../../../../../daemon/platform/node-file-system.js";
import { createMemoryFileSystem } from "../../../../support/memory-file-system.js";
import { temporaryDirectory } from "../../../../support/temporary-directory.js";
import { CrashError, crashingFileSystem, fsckComplaints, git } from "./repository-support.js";

function newRepository(): string {
  const directory = `${temporaryDirectory()}/store.git`;
  createRepository(nodeFileSystem, directory);
  return directory;
}

describe("createRepository", () => {
  test("makes a bare repository that git accepts, with HEAD on main and no automatic gc", () => {
    const directory = newRepository();
    expect(git(directory, ["rev-parse", "--is-bare-repository"])).toBe("true");
    expect(git(directory, ["symbolic-ref", "HEAD"])).toBe(MAIN_REF);
    expect(git(directory, ["config", "gc.auto"])).toBe("0");
    expect(fsckComplaints(directory)).toBe("");
  });

  test("leaves an existing repository as it is", () => {
    const directory = newRepository();
    git(directory, ["config", "receive.denyDeletes", "true"]);
    git(directory, ["symbolic-ref", "HEAD", "refs/heads/other"]);
    const before = [readFileSync(`${directory}/config`, "utf8"), readFileSync(`${directory}/HEAD`, "utf8")];
    expect(createRepository(nodeFileSystem, directory)).toEqual({ directory, formatVersion: 0 });
    expect([readFileSync(`${directory}/config`, "utf8"), readFileSync(`${directory}/HEAD`, "utf8")]).toEqual(before);
  });

  test("is completed by a second call, wherever the first one was cut off", () => {
    for (let calls = 0; ; calls++) {
      const directory = `${temporaryDirectory()}/store.git`;
      const dying = crashingFileSystem(nodeFileSystem, calls);
      let died = false;
      try {
        createRepository(dying, directory);
      } catch (error) {
        expect(error).toBeInstanceOf(CrashError);
        died = true;
      }
      createRepository(nodeFileSystem, directory);
      expect(git(directory, ["rev-parse", "--is-bare-repository"])).toBe("true");
      expect(git(directory, ["config", "gc.auto"])).toBe("0");
      expect(fsckComplaints(directory)).toBe("");
      if (!died) {
        expect(calls).toBeGreaterThan(15);
        return;
      }
    }
  });

  test("makes the directory of our own files, durable before anybody writes there", () => {
    const memory = createMemoryFileSystem();
    memory.makeDirectory("/state");
    memory.syncDirectory("/");
    createRepository(memory, "/state/store.git");
    memory.crash("everything");
    expect(memory.list("/state/store.git")).toContain("xenstore-tng");
  });

  test("makes durable what an earlier life was killed over, also when all is there: no power cut takes the repository", () => {
    for (let calls = 0; ; calls++) {
      const memory = createMemoryFileSystem();
      memory.makeDirectory("/state");
      memory.syncDirectory("/");
      let died = false;
      try {
        createRepository(crashingFileSystem(memory, calls), "/state/store.git");
      } catch (error) {
        expect(error).toBeInstanceOf(CrashError);
        died = true;
      }
      memory.crash("nothing");
      createRepository(memory, "/state/store.git");
      memory.crash("everything");
      expect(openRepository(memory, "/state/store.git").formatVersion).toBe(0);
      if (!died) return;
    }
  });
});

describe("openRepository", () => {
  test("accepts what git init --bare makes", () => {
    const directory = temporaryDirectory();
    git(directory, ["init", "--quiet", "--bare", "."]);
    expect(openRepository(nodeFileSystem, directory)).toEqual({ directory, formatVersion: 0 });
  });

  test("accepts format 1 with extensions that do not concern a reader, and a quoted or commented config", () => {
    const directory = newRepository();
    writeFileSync(
      `${directory}/config`,
      '# ours\n[CORE]\n\tRepositoryFormatVersion = "1" ; one\n[extensions] preciousObjects\n\tobjectFormat = sha1\n[remote "x"]\n\textensions = 7\n',
    );
    expect(openRepository(nodeFileSystem, directory).formatVersion).toBe(1);
    expect(git(directory, ["rev-parse", "--git-dir"])).toBe(".");
  });

  test.each(["HEAD", "objects", "refs"])("names %s when it is missing", (name) => {
    const directory = newRepository();
    rmSync(`${directory}/${name}`, { recursive: true });
    const open = (): unknown => openRepository(nodeFileSystem, directory);
    expect(open).toThrow(NotARepositoryError);
    expect(open).toThrow(`${directory} is not a bare Git repository: it has no`);
    expect(open).toThrow(name);
  });

  test("refuses a HEAD that makes no sense and a directory that is not there", () => {
    const directory = newRepository();
    writeFileSync(`${directory}/HEAD`, "main\n");
    expect(() => openRepository(nodeFileSystem, directory)).toThrow("HEAD holds neither");
    expect(() => openRepository(nodeFileSystem, `${directory}/none`)).toThrow(NotARepositoryError);
  });

  test.each([
    ["[core]\nrepositoryformatversion = 2\n", "repositoryformatversion is 2; we know 0 and 1"],
    ["[core]\nrepositoryformatversion = 1\n[extensions]\nobjectFormat = sha256\n", "named by sha256"],
    ["[core]\nrepositoryformatversion = 1\n[extensions]\nrefStorage = reftable\n", "stored as reftable"],
    ["[core]\nrepositoryformatversion = 1\n[extensions]\npartialClone = origin\n", "extension partialclone"],
  ])("refuses the config %j", (config, reason) => {
    const directory = newRepository();
    writeFileSync(`${directory}/config`, config);
    const open = (): unknown => openRepository(nodeFileSystem, directory);
    expect(open).toThrow(UnsupportedRepositoryError);
    expect(open).toThrow(reason);
  });

  test("refuses what git itself makes with SHA-256", () => {
    const directory = temporaryDirectory();
    git(directory, ["init", "--quiet", "--bare", "--object-format=sha256", "."]);
    expect(() => openRepository(nodeFileSystem, directory)).toThrow(UnsupportedRepositoryError);
  });

  test("refuses borrowed objects and says what to do", () => {
    const directory = newRepository();
    mkdirSync(`${directory}/objects/info`, { recursive: true });
    writeFileSync(`${directory}/objects/info/alternates`, "/elsewhere/objects\n");
    expect(() => openRepository(nodeFileSystem, directory)).toThrow("git repack -a -d");
  });
});
