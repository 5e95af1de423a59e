import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import {
  DirectoryUsers,
  LOOK_MILLISECONDS_MAX,
  PAUSE_MILLISECONDS_MAX,
} from "../../../../daemon/platform/directory-users.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";

let directory: string;
let path: string;

beforeEach(() => {
  directory = realpathSync(temporaryDirectory());
  path = join(directory, "file");
  writeFileSync(path, "x");
});

/** Has another process open the file until the function that it resolves with is called. */
async function openElsewhere(): Promise<() => Promise<void>> {
  const other = spawn("sh", ["-c", 'exec 3< "$0"; echo open; read line', path], { stdio: ["pipe", "pipe", "inherit"] });
  await once(other.stdout, "data");
  return async () => {
    other.stdin.end();
    await once(other, "close");
  };
}

describe("DirectoryUsers and the kernel's processes", () => {
  // The clock stands still: one call looks at all.
  const users = new DirectoryUsers({ monotonicMilliseconds: () => 0 });

  it("sees a file that another process has open, and not our own", async () => {
    const own = openSync(path, "r");
    expect(users.isInUse(directory)).toBe(false);
    const end = await openElsewhere();
    expect(users.isInUse(directory)).toBe(true);
    expect(users.isInUse(join(directory, "fi"))).toBe(false);
    expect(users.isInUse(directory)).toBe(true);
    await end();
    expect(users.isInUse(directory)).toBe(false);
    closeSync(own);
  });

  it("sees it when symbolic links lead to the directory", async () => {
    const link = join(temporaryDirectory(), "link");
    symlinkSync(join(directory, ".."), link);
    const linked = join(link, directory.slice(directory.lastIndexOf("/")));
    const end = await openElsewhere();
    expect(users.isInUse(linked)).toBe(true);
    await end();
    expect(users.isInUse(linked)).toBe(false);
  });
});

describe("DirectoryUsers and many processes", () => {
  let processes: string;
  let now: number;
  let users: DirectoryUsers;

  beforeEach(() => {
    processes = temporaryDirectory();
    now = 0;
    // Each look at a process takes as long as a call may take.
    users = new DirectoryUsers({
      monotonicMilliseconds: () => (now += LOOK_MILLISECONDS_MAX),
      processesDirectory: processes,
    });
    for (const id of [1, 2, 3]) start(id);
  });

  function start(id: number): void {
    mkdirSync(join(processes, String(id), "fd"), { recursive: true });
    writeFileSync(join(processes, String(id), "maps"), "7f00-7fff r-xp 0000 fe:00 1 /bin/sh\n");
  }
  const open = (id: number) => {
    symlinkSync(path, join(processes, String(id), "fd", "7"));
  };
  const close = (id: number) => {
    rmSync(join(processes, String(id), "fd", "7"));
  };
  const answers = (calls: number) => Array.from({ length: calls }, () => users.isInUse(directory));

  it("says that it is in use until it has seen all, some in each call, and begins anew then (invariants 1 and 2)", () => {
    expect(answers(8)).toEqual([true, true, true, false, true, true, true, false]);
  });

  it("sees who came while it looked (invariant 1)", () => {
    answers(2);
    for (const id of [4, 5]) start(id);
    open(5);
    expect(answers(9)).not.toContain(false);
    close(5);
    expect(answers(6)).toEqual([true, true, true, true, true, false]);
  });

  it("believes nothing that it saw more than PAUSE_MILLISECONDS_MAX before the next call (invariant 1)", () => {
    answers(3);
    open(1);
    now += PAUSE_MILLISECONDS_MAX + 1;
    expect(answers(9)).not.toContain(false);
    close(1);
    answers(3);
    open(1);
    expect(answers(1), "a process may open a file the moment after").toEqual([false]);
  });

  it("looks first at the process that had a file open", () => {
    open(3);
    answers(3);
    const before = now;
    expect(answers(1)).toEqual([true]);
    expect(now - before).toBe(LOOK_MILLISECONDS_MAX);
  });

  it("sees what is mapped and no longer open, and passes over threads of the kernel and who ends meanwhile", () => {
    writeFileSync(join(processes, "2", "maps"), "");
    rmSync(join(processes, "1"), { recursive: true });
    expect(answers(3)).toEqual([true, true, false]);
    writeFileSync(join(processes, "3", "maps"), `7f00-7fff r--p 0000 fe:00 2 ${path}\n`);
    expect(answers(5)).not.toContain(false);
  });
});
