/**
 * The published benchmark: N virtual machines in parallel, each started, shut down and destroyed, on one connection.
 *
 * Owns its course: for each machine one large transaction that makes the domain, three that add its disk, console and network
 * interface, one that shuts it down, and one that removes it all. Nobody plays the drivers and the guest, and nobody lists
 * what machines share: it measures whether transactions get in each other's way that have nothing to do with each other. After
 * EAGAIN a transaction is tried again at once, for as long as it takes.
 *
 * Published with the Irmin-based daemon in 2014, for C xenstored and oxenstored beside it.
 */
import type { XenstoreClient } from "../../clients/xenstore/client.js";
import type { Transaction } from "../../clients/xenstore/transaction.js";
import type { Domid } from "../../protocol/identifiers.js";
import {
  consoleNodes,
  diskNodes,
  vifNodes,
  writeDeviceNodes,
  type DeviceNodes,
} from "../actors/toolstack/device-nodes.js";
import { writeDomainNodes } from "../actors/toolstack/domain-nodes.js";
import {
  backendPath,
  domainPath,
  frontendPath,
  libxlPath,
  vmPath,
  vmSpec,
  type DeviceName,
  type VmSpec,
} from "../vm/vm.js";

/** How far the machines are. */
export interface PublishedProgress {
  readonly started: number;
  readonly shutDown: number;
  readonly destroyed: number;
}

/** Seconds of the whole, from the first request to the last reply. */
export interface PublishedReport {
  readonly vms: number;
  readonly seconds: number;
}

/** What it runs with. */
export interface PublishedOptions {
  readonly client: XenstoreClient;
  readonly vms: number;
  readonly monotonicMilliseconds: () => number;
  readonly progress: (progress: PublishedProgress) => void;
}

const ATTEMPTS_MAX = Number.MAX_SAFE_INTEGER;

/** Runs it. What it leaves behind are the directories that all machines share. */
export async function runPublished(options: PublishedOptions): Promise<PublishedReport> {
  const { vms, monotonicMilliseconds } = options;
  const progress = { started: 0, shutDown: 0, destroyed: 0 };
  const note = (step: keyof PublishedProgress): void => {
    progress[step]++;
    options.progress(progress);
  };
  const start = monotonicMilliseconds();
  await Promise.all(Array.from({ length: vms }, (_, index) => live(index + 1, options.client, note)));
  return { vms, seconds: (monotonicMilliseconds() - start) / 1000 };
}

async function live(
  number: number,
  client: XenstoreClient,
  note: (step: keyof PublishedProgress) => void,
): Promise<void> {
  const domid = number as Domid;
  const spec = vmSpec(number);
  const run = async (body: (transaction: Transaction) => Promise<void>): Promise<void> => {
    await client.transaction(body, { attemptsMax: ATTEMPTS_MAX });
  };
  const devices = devicesOf(domid, spec);
  await run((transaction) =>
    writeDomainNodes(transaction, {
      domid,
      spec,
      chooseName: () => Promise.resolve(spec.name),
      isForgotten: () => false,
    }),
  );
  for (const nodes of devices) await run((transaction) => writeDeviceNodes(transaction, domid, nodes));
  note("started");
  await run((transaction) => transaction.write(`${domainPath(domid)}/control/shutdown`, "poweroff"));
  note("shutDown");
  await run(async (transaction) => {
    for (const { name } of devices) {
      await transaction.rm(frontendPath(domid, name));
      await transaction.rm(backendsPath(domid, name));
    }
    for (const path of [vmPath(spec.uuid), domainPath(domid), libxlPath(domid)]) await transaction.rm(path);
  });
  note("destroyed");
}

/** All of one kind: the domain's last. */
function backendsPath(domid: Domid, name: DeviceName): string {
  const path = backendPath(domid, name);
  return path.slice(0, path.lastIndexOf("/"));
}

function devicesOf(domid: Domid, spec: VmSpec): readonly DeviceNodes[] {
  return [
    ...spec.disks.map((disk) => diskNodes(domid, disk)),
    consoleNodes(domid),
    ...spec.vifs.map((vif) => vifNodes(domid, vif)),
  ];
}
