/**
 * Directories for the daemon's user alone.
 */
import { chmodSync, mkdirSync } from "node:fs";
import { messageOf } from "./error-message.js";

/** Makes a directory, with its missing parents, and takes every right on it from everybody else. */
export function makePrivateDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
  } catch (error) {
    const reason = messageOf(error);
    throw new Error(`the directory ${path} cannot be made private to this user: ${reason}`, { cause: error });
  }
}
