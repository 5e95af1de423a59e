/**
 * The nodes of a new device, as libxl writes them in one transaction (Xen, `libxl_device.c`, `libxl__device_generic_add`).
 *
 * Owns the three places of a device (the guest's half, the backend's half, and the toolstack's own copy) and their
 * permissions. Pure but for the transaction that it is given.
 */
import type { Transaction } from "../../../clients/xenstore/transaction.js";
import type { Domid } from "../../../protocol/identifiers.js";
import { removeIfPresent } from "../store-access.js";
import {
  backendPath,
  frontendPath,
  libxlDevicePath,
  type DeviceName,
  type DiskSpec,
  type VifSpec,
} from "../../vm/vm.js";

/** Whose a node of the guest's half is: the guest's, or dom0's and readable by the guest. */
type FrontendOwner = "guest" | "dom0";

/** The nodes of one device. */
export interface DeviceNodes {
  readonly name: DeviceName;
  readonly frontend: readonly (readonly [key: string, value: string, owner: FrontendOwner])[];
  readonly backend: readonly (readonly [key: string, value: string])[];
}

const SCRIPT_DIRECTORY = "/etc/xen/scripts";
/** Where a guest's first console and its store ring are: pages and ports of the domain builder. */
const CONSOLE_PORT = "2";
const CONSOLE_RING = "233472";
const CONSOLE_BYTES_MAX = "1048576";
const MTU = "1500";

/** A disk's nodes. */
export function diskNodes(domid: Domid, disk: DiskSpec): DeviceNodes {
  return {
    name: { kind: "vbd", device: disk.virtualDevice },
    frontend: [
      ["backend-id", "0", "guest"],
      ["state", "1", "guest"],
      ["virtual-device", String(disk.virtualDevice), "guest"],
      ["device-type", "disk", "guest"],
      ["trusted", "1", "guest"],
    ],
    backend: [
      ["params", disk.params],
      ["script", `${SCRIPT_DIRECTORY}/block`],
      ["frontend-id", String(domid)],
      ["online", "1"],
      ["removable", "0"],
      ["bootable", "1"],
      ["state", "1"],
      ["dev", disk.name],
      ["type", "phy"],
      ["mode", "w"],
      ["device-type", "disk"],
      ["discard-enable", "1"],
      ["specification", "xen"],
    ],
  };
}

/** A network interface's nodes. */
export function vifNodes(domid: Domid, vif: VifSpec): DeviceNodes {
  const handle = String(vif.handle);
  return {
    name: { kind: "vif", device: vif.handle },
    frontend: [
      ["backend-id", "0", "guest"],
      ["state", "1", "guest"],
      ["handle", handle, "guest"],
      ["mac", vif.mac, "guest"],
      ["trusted", "1", "guest"],
      ["mtu", MTU, "dom0"],
    ],
    backend: [
      ["frontend-id", String(domid)],
      ["online", "1"],
      ["state", "1"],
      ["script", `${SCRIPT_DIRECTORY}/vif-bridge`],
      ["mac", vif.mac],
      ["bridge", vif.bridge],
      ["handle", handle],
      ["type", "vif"],
      ["hotplug-status", ""],
    ],
  };
}

/** The first console's nodes. */
export function consoleNodes(domid: Domid): DeviceNodes {
  return {
    name: { kind: "console", device: 0 },
    frontend: [
      ["backend-id", "0", "guest"],
      ["limit", CONSOLE_BYTES_MAX, "dom0"],
      ["type", "xenconsoled", "dom0"],
      ["output", "pty", "dom0"],
      ["tty", "", "dom0"],
      ["port", CONSOLE_PORT, "dom0"],
      ["ring-ref", CONSOLE_RING, "dom0"],
    ],
    backend: [
      ["frontend-id", String(domid)],
      ["online", "1"],
      ["state", "1"],
      ["protocol", "vt100"],
    ],
  };
}

/** Writes a device's nodes; what stood there before is gone. */
export async function writeDeviceNodes(transaction: Transaction, domid: Domid, nodes: DeviceNodes): Promise<void> {
  const guest = String(domid);
  const { name } = nodes;
  const frontend = frontendPath(domid, name);
  const backend = backendPath(domid, name);
  const own = libxlDevicePath(domid, name);
  await removeIfPresent(transaction, own);
  await transaction.write(`${own}/frontend`, frontend);
  await transaction.write(`${own}/backend`, backend);

  await removeIfPresent(transaction, frontend);
  await transaction.mkdir(frontend);
  // The console's directory is dom0's, since xenconsoled trusts what stands in it.
  await transaction.setPerms(frontend, name.kind === "console" ? `n0 r${guest}` : `n${guest} r0`);
  await transaction.write(`${frontend}/backend`, backend);
  for (const [key, value, owner] of nodes.frontend) {
    await transaction.write(`${frontend}/${key}`, value);
    await transaction.setPerms(`${frontend}/${key}`, owner === "guest" ? `n${guest} r0` : `n0 r${guest}`);
  }

  await removeIfPresent(transaction, backend);
  await transaction.mkdir(backend);
  await transaction.setPerms(backend, `n0 r${guest}`);
  await transaction.write(`${backend}/frontend`, frontend);
  for (const [key, value] of nodes.backend) await transaction.write(`${backend}/${key}`, value);
  for (const [key, value] of nodes.backend) await transaction.write(`${own}/${key}`, value);
}
