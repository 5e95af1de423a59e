/**
 * The key of redaction: `redaction.key` in the state directory, 32 random bytes.
 *
 * Owns the file. It is made when a value is to be redacted for the first time and then never changes: without it the markers
 * that it made are text like any other. It lies beside the repository and not in it, so a clone of the history does not
 * carry it along.
 */
import { randomBytes } from "node:crypto";
import type { FileSystem } from "../platform/file-system.js";

const KEY_BYTES = 32;

function pathOf(stateDirectory: string): string {
  return `${stateDirectory}/redaction.key`;
}

/**
 * The key, or undefined where there is none.
 *
 * @param stateDirectory - absolute
 * @throws when the file holds no key
 */
export function readRedactionKey(fileSystem: FileSystem, stateDirectory: string): Uint8Array | undefined {
  const path = pathOf(stateDirectory);
  if (!fileSystem.exists(path)) return undefined;
  const key = fileSystem.readFile(path);
  if (key.length === KEY_BYTES) return key;
  throw new Error(
    `${path} should hold ${String(KEY_BYTES)} bytes and holds ${String(key.length)}: put it back from a copy; or remove it, ` +
      "and values that were redacted with it show as their markers",
  );
}

/** Makes a key where there is none; when it returns, it is on the disk. */
export function createRedactionKey(fileSystem: FileSystem, stateDirectory: string): Uint8Array {
  const path = pathOf(stateDirectory);
  const temporary = `${path}.new`;
  if (fileSystem.exists(temporary)) fileSystem.remove(temporary);
  const key = randomBytes(KEY_BYTES);
  const file = fileSystem.open(temporary, "create");
  try {
    for (let written = 0; written < KEY_BYTES;) {
      const count = file.write(key.subarray(written), written);
      if (count <= 0) throw new Error(`${temporary}: the disk took no more bytes`);
      written += count;
    }
    file.sync();
  } finally {
    file.close();
  }
  fileSystem.rename(temporary, path);
  fileSystem.syncDirectory(stateDirectory);
  return key;
}
