/**
 * Directories that vanish with the test that asked for them.
 *
 * Owns their names and their removal. The names are short because a Unix socket's path has at most 107 bytes.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

function makeTemporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), "xs-"));
}

/** Calls `use` with a fresh directory and removes it afterwards, whether `use` succeeded or not. */
export async function withTemporaryDirectory<T>(use: (directory: string) => Promise<T> | T): Promise<T> {
  const directory = makeTemporaryDirectory();
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

const registered: string[] = [];

// At module level, because a test may call `temporaryDirectory` where no hook can be registered any more.
afterAll(() => {
  for (const directory of registered.splice(0)) rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
});

/** A fresh directory that is removed when all tests of the file have run. */
export function temporaryDirectory(): string {
  const directory = makeTemporaryDirectory();
  registered.push(directory);
  return directory;
}
