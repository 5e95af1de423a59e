/**
 * What stands in the store before the first machine is made (Xen, `xen-init-dom0`).
 *
 * Owns dom0's own nodes, and the two directories that toolstacks make for the first machine and never remove: with them, a
 * host that all machines have left is as it was before the first came.
 */
import type { StoreAccess } from "./store-access.js";

/** Writes it; harmless when it is there. */
export async function initializeDom0(store: StoreAccess): Promise<void> {
  await store.write("/local/domain/0/domid", "0");
  await store.write("/local/domain/0/name", "Domain-0");
  for (const directory of ["/libxl", "/vm"]) await store.mkdir(directory);
}
