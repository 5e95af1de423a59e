/**
 * Directories for the daemon's user alone.
 */
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "./error-message.js";

/**
 * Makes a directory, with its missing parents, and takes every right on it from everybody else. What it made is durable:
 * all that is written below would be lost with it.
 *
 * @param path - absolute
 */
export function makePrivateDirectory(path: string): void {
  try {
    const first = mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
    if (first !== undefined) syncParents(path, first);
  } catch (error) {
    const reason = messageOf(error);
    throw new Error(`the directory ${path} cannot be made private to this user: ${reason}`, { cause: error });
  }
}

/** Syncs the directories that hold the entries of `last` and of those above it, up to `first`. */
function syncParents(last: string, first: string): void {
  for (let path = last; path.length >= first.length; path = dirname(path)) {
    const descriptor = openSync(dirname(path), "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }
}
