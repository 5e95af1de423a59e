/**
 * The nodes of a new domain, as libxl writes them in one large transaction (Xen, `libxl_create.c`, `libxl__domain_make`).
 *
 * Owns the three places of a domain (its own, its machine's and the toolstack's) and their permissions.
 */
import type { Transaction } from "../../../clients/xenstore/transaction.js";
import type { Domid } from "../../../protocol/identifiers.js";
import { domainPath, libxlPath, vmPath, type VmSpec } from "../../vm/vm.js";
import { removeIfPresent } from "../store-access.js";

/** dom0's, for the guest to read. */
const SHARED_DIRECTORIES = ["cpu", "memory", "device"] as const;

/** The guest's own. */
const GUEST_NODES = [
  "control/shutdown",
  "control/feature-poweroff",
  "control/feature-reboot",
  "control/feature-suspend",
  "control/sysrq",
  "data",
  "drivers",
  "feature",
  "attr",
  "error",
] as const;

/** What differs from one domain to another. */
export interface DomainNodes {
  readonly domid: Domid;
  readonly spec: VmSpec;
  /** Asked when the domain's directories are there, which is when libxl looks at the other domains' names. */
  readonly chooseName: () => Promise<string>;
  /** Whether a node is left to dom0 by mistake. */
  readonly isForgotten: (node: (typeof GUEST_NODES)[number]) => boolean;
}

/** Writes a domain's nodes; what stood there before is gone. */
export async function writeDomainNodes(
  transaction: Transaction,
  { domid, spec, chooseName, isForgotten }: DomainNodes,
): Promise<void> {
  const guest = `n${String(domid)}`;
  const shared = `n0 r${String(domid)}`;
  const domain = domainPath(domid);
  const own = libxlPath(domid);
  const vm = vmPath(spec.uuid);
  for (const [path, perms] of [
    [domain, shared],
    [vm, shared],
    [own, "n0"],
  ] as const) {
    await removeIfPresent(transaction, path);
    await transaction.write(path, "");
    await transaction.setPerms(path, perms);
  }
  await transaction.write(`${own}/device`, "");
  await transaction.setPerms(`${own}/device`, "n0");
  await transaction.write(`${domain}/vm`, vm);
  const name = await chooseName();
  await transaction.write(`${domain}/name`, name);
  await transaction.write(`${vm}/name`, name);
  for (const key of SHARED_DIRECTORIES) {
    await transaction.write(`${domain}/${key}`, "");
    await transaction.setPerms(`${domain}/${key}`, shared);
  }
  await transaction.write(`${domain}/device/suspend/event-channel`, "");
  await transaction.setPerms(`${domain}/device/suspend/event-channel`, guest);
  await transaction.write(`${domain}/control`, "");
  await transaction.setPerms(`${domain}/control`, shared);
  for (const key of GUEST_NODES) {
    await transaction.write(`${domain}/${key}`, "");
    if (!isForgotten(key)) await transaction.setPerms(`${domain}/${key}`, guest);
  }
  await transaction.write(`${vm}/uuid`, spec.uuid);
  await transaction.write(`${vm}/name`, name);
  await transaction.write(`${domain}/control/platform-feature-multiprocessor-suspend`, "1");
  await transaction.write(`${domain}/control/platform-feature-xs_reset_watches`, "1");
  await transaction.write(`${own}/type`, spec.type);
}
