/**
 * What stands in the store before the first machine is made (Xen, `xen-init-dom0`).
 *
 * Owns dom0's own nodes, and the two directories that toolstacks make for the first machine and never remove: with them, a
 * host that all machines have left is as it was before the first came.
 */
import type { XenstoreClient } from "../../clients/xenstore/client.js";

/** Writes it; harmless when it is there. */
export async function initializeDom0(client: XenstoreClient): Promise<void> {
  await client.write("/local/domain/0/domid", "0");
  await client.write("/local/domain/0/name", "Domain-0");
  for (const directory of ["/libxl", "/vm"]) await client.mkdir(directory);
}
