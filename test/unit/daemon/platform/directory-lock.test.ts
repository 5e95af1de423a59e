import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { DirectoryLockedError, lockDirectory } from "../../../../daemon/platform/directory-lock.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";

const fixture = "test/unit/daemon/platform/fixtures/hold-lock";
const noFlock = "/nonexistent/flock";

/** Built once, because twenty processes that load tsx take a while. */
const built = temporaryDirectory();
beforeAll(() => {
  writeFileSync(`${built}/package.json`, '{"type":"module"}');
  for (const name of ["daemon/platform/directory-lock", fixture]) {
    const source = readFileSync(fileURLToPath(new URL(`../../../../${name}.ts`, import.meta.url)), "utf8");
    const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 };
    mkdirSync(dirname(`${built}/${name}`), { recursive: true });
    writeFileSync(`${built}/${name}.js`, ts.transpileModule(source, { compilerOptions: options }).outputText);
  }
});

/** A process that will lock a directory. */
interface Contender {
  readonly child: ChildProcess;
  readonly lines: Interface;
}

const contenders: Contender[] = [];
afterEach(() => {
  for (const { child } of contenders.splice(0)) child.kill("SIGKILL");
});

async function startContender(directory: string, flockCommand = "flock"): Promise<Contender> {
  const child = spawn(process.execPath, [`${built}/${fixture}.js`, directory, flockCommand], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const contender = { child, lines: createInterface({ input: child.stdout }) };
  contenders.push(contender);
  expect(await once(contender.lines, "line")).toEqual(["ready"]);
  return contender;
}

/** Lets a contender try; what it said. */
async function contend({ child, lines }: Contender): Promise<string> {
  child.stdin?.write("go\n");
  const [said] = (await once(lines, "line")) as [string];
  return said;
}

async function killHard({ child }: Contender): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "exit");
}

const refusal = (directory: string, pid: number | undefined): string =>
  `${directory} is in use by process ${String(pid)}: stop that daemon first, or name another directory`;

const hasFlock = spawnSync("flock", ["--version"]).error === undefined;

describe.skipIf(!hasFlock)("lockDirectory by flock(2) (skipped where there is no command flock)", () => {
  it("refuses a second process and names the holder, until the holder is killed with kill -9", async () => {
    const directory = temporaryDirectory();
    const holder = await startContender(directory);
    expect(await contend(holder)).toBe("locked");
    expect(await contend(await startContender(directory))).toBe(refusal(directory, holder.child.pid));
    expect(() => lockDirectory(directory)).toThrow(
      expect.objectContaining({ name: "DirectoryLockedError", pid: holder.child.pid }) as Error,
    );
    await killHard(holder);
    expect(await contend(await startContender(directory))).toBe("locked");
  });

  it("lets exactly one of twenty racing processes in, and tells the others who", async () => {
    const directory = temporaryDirectory();
    const racers = await Promise.all(Array.from({ length: 20 }, () => startContender(directory)));
    const said = await Promise.all(racers.map(contend));
    const winner = said.indexOf("locked");
    expect(winner).not.toBe(-1);
    const others = said.filter((_, index) => index !== winner);
    expect(others).toEqual(others.map(() => refusal(directory, racers[winner]?.child.pid)));
  }, 60_000);

  it("is not deceived by the pid of a dead holder or by another living process's pid in the file", async () => {
    const directory = temporaryDirectory();
    for (const content of [`${String(process.ppid)}\n`, "4194303\n", "rubbish"]) {
      writeFileSync(`${directory}/lock`, content);
      const holder = await startContender(directory);
      expect(await contend(holder)).toBe("locked");
      expect(readFileSync(`${directory}/lock`, "latin1")).toBe(`${String(holder.child.pid)}\n`);
      await killHard(holder);
    }
  });

  it("is had also where the pid cannot be written, as on a full disk", () => {
    const directory = temporaryDirectory();
    symlinkSync("/dev/full", `${directory}/lock`);
    const lock = lockDirectory(directory);
    expect(spawnSync("flock", ["-n", "/dev/full", "true"]).status, "it is held").toBe(1);
    // The device cannot be emptied as a file can; the lock is given up all the same.
    expect(() => {
      lock.release();
    }).toThrow("EINVAL");
  });

  it("is free again after release, which may be called twice", () => {
    const directory = temporaryDirectory();
    const lock = lockDirectory(directory);
    expect(() => lockDirectory(directory)).toThrow(refusal(directory, process.pid));
    lock.release();
    lock.release();
    lockDirectory(directory).release();
  });
});

describe("lockDirectory", () => {
  it("leaves a lock file that only its owner can read", () => {
    const directory = temporaryDirectory();
    lockDirectory(directory).release();
    expect(statSync(`${directory}/lock`).mode & 0o777).toBe(0o600);
    expect(readFileSync(`${directory}/lock`, "latin1")).toBe("");
  });

  it("reports a flock command that fails otherwise", () => {
    const directory = temporaryDirectory();
    const flockCommand = `${directory}/flock`;
    writeFileSync(flockCommand, "#!/bin/sh\necho no locks here >&2\nexit 71\n", { mode: 0o700 });
    expect(() => lockDirectory(directory, { flockCommand })).toThrow(
      "could not be locked: flock ended with 71: no locks here",
    );
  });
});

describe("lockDirectory without a flock command", () => {
  it("refuses while the holder lives, and not after it was killed", async () => {
    const directory = temporaryDirectory();
    const holder = await startContender(directory, noFlock);
    expect(await contend(holder)).toBe("locked");
    expect(() => lockDirectory(directory, { flockCommand: noFlock })).toThrow(DirectoryLockedError);
    expect(() => lockDirectory(directory, { flockCommand: noFlock })).toThrow(
      `seems to be in use by process ${String(holder.child.pid)}`,
    );
    await killHard(holder);
    lockDirectory(directory, { flockCommand: noFlock }).release();
  });
});
