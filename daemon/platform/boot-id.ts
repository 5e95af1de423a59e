/**
 * The kernel's boot id: whether the machine has been started anew since somebody wrote it down.
 *
 * Owns where it is read. Source: random(4), `/proc/sys/kernel/random/boot_id`.
 */
import { readFileSync } from "node:fs";

const BOOT_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The id that the kernel chose when the machine started, as a UUID in lower case; undefined where the system tells none.
 *
 * While it is the same, no power was lost: what was written to a file is there, whether it was synced or not.
 */
export function readBootId(path = "/proc/sys/kernel/random/boot_id"): string | undefined {
  try {
    const text = readFileSync(path, "latin1").trim();
    return BOOT_ID.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}
