/**
 * Removing a node with the parents that become empty by it (Xen, `libxl__xs_path_cleanup`).
 *
 * Owns the rule: a parent goes when it has neither a value nor other children.
 *
 *     /libxl/7/device/vif/0 removed: /libxl/7/device/vif was empty then and goes too, /libxl/7/device has `vbd` and stays.
 */
import { isXenstoreError } from "../../../clients/xenstore/errors.js";
import type { Transaction } from "../../../clients/xenstore/transaction.js";

/** Removes `path` and its empty parents; nothing when the path is not there. */
export async function cleanUpPath(transaction: Transaction, path: string): Promise<void> {
  let removed = path;
  for (;;) {
    try {
      await transaction.rm(removed);
    } catch (error) {
      if (!isXenstoreError(error, "ENOENT")) throw error;
      return;
    }
    const parent = removed.slice(0, removed.lastIndexOf("/"));
    if (parent === "") return;
    if (((await transaction.readIfPresent(parent)) ?? "") !== "") return;
    if ((await transaction.directory(parent)).length > 0) return;
    removed = parent;
  }
}
