/**
 * Removing a node with the parents that become empty by it (Xen, `libxl__xs_path_cleanup`).
 *
 * Owns the rule: a parent goes when it has neither a value nor other children.
 *
 *     /libxl/7/device/vif/0 removed: /libxl/7/device/vif was empty then and goes too, /libxl/7/device has `vbd` and stays.
 */
import { isXenstoreError } from "../../../clients/xenstore/errors.js";
import type { Transaction } from "../../../clients/xenstore/transaction.js";

/** Removes `path` and its empty parents, also where only they are left; nothing when not even a parent is there. */
export async function cleanUpPath(transaction: Transaction, path: string): Promise<void> {
  let removed = path;
  for (;;) {
    try {
      await transaction.rm(removed);
    } catch (error) {
      if (!isXenstoreError(error, "ENOENT")) throw error;
      return;
    }
    const slash = removed.lastIndexOf("/");
    // Neither the root nor the directory that a relative path begins in is a parent.
    if (slash <= 0) return;
    const parent = removed.slice(0, slash);
    if (((await transaction.readIfPresent(parent)) ?? "") !== "") return;
    if ((await transaction.directory(parent)).length > 0) return;
    removed = parent;
  }
}
