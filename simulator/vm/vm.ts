/**
 * Virtual machines as the simulator knows them: what a configuration file of `xl` says, and what makes each one distinct.
 *
 * Owns the words for it and the making of specs by number. Pure: a spec follows from its number and its shape alone, so the
 * same run makes the same machines.
 */
import type { Domid } from "../../protocol/identifiers.js";

/** Paravirtualized, or with the hardware's help. */
export type VmType = "pv" | "pvh";

/** A disk. */
export interface DiskSpec {
  /** Number of the virtual device, such as 51712 for `xvda`; the device's name in the store. */
  readonly virtualDevice: number;
  /** Its name in the guest, such as `xvda`. */
  readonly name: string;
  /** Path of the block device in dom0. */
  readonly params: string;
  /** The block device's numbers. */
  readonly major: number;
  readonly minor: number;
}

/** A network interface. */
export interface VifSpec {
  /** Its number, from 0; the device's name in the store. */
  readonly handle: number;
  readonly mac: string;
  readonly bridge: string;
}

/** A virtual machine that could be started. */
export interface VmSpec {
  readonly name: string;
  readonly uuid: string;
  readonly type: VmType;
  readonly vcpus: number;
  readonly memoryKibibytes: number;
  readonly disks: readonly DiskSpec[];
  readonly vifs: readonly VifSpec[];
}

/** What machines have in common. */
export interface VmShape {
  readonly type: VmType;
  readonly vcpus: number;
  readonly disks: number;
  readonly vifs: number;
}

/** The machine of the traces: one of each. */
export const SMALLEST_VM: VmShape = { type: "pvh", vcpus: 1, disks: 1, vifs: 1 };

/** `xvda`; further disks are 16 apart (`docs/misc/vbd-interface` of Xen). */
const FIRST_VIRTUAL_DEVICE = 51712;
const VIRTUAL_DEVICES_APART = 16;
/** Disks that the numbering above has room for: `xvda` to `xvdp`. */
const DISKS_MAX = 16;
const VIFS_MAX = 256;
const VCPUS_MAX = 512;
const DEVICE_MAPPER_MAJOR = 253;
const MEMORY_KIBIBYTES = 131_072;

/**
 * The machine of this number, from 1.
 *
 * @throws RangeError when the shape cannot be
 */
export function vmSpec(number: number, shape: VmShape = SMALLEST_VM): VmSpec {
  checkCount("disks", shape.disks, 0, DISKS_MAX);
  checkCount("vifs", shape.vifs, 0, VIFS_MAX);
  checkCount("vcpus", shape.vcpus, 1, VCPUS_MAX);
  const name = `vm${String(number)}`;
  return {
    name,
    uuid: uuidOf(number),
    type: shape.type,
    vcpus: shape.vcpus,
    memoryKibibytes: MEMORY_KIBIBYTES,
    disks: Array.from({ length: shape.disks }, (_, index) => {
      const letter = String.fromCharCode("a".charCodeAt(0) + index);
      return {
        virtualDevice: FIRST_VIRTUAL_DEVICE + index * VIRTUAL_DEVICES_APART,
        name: `xvd${letter}`,
        params: `/dev/vg/${name}-${letter}`,
        major: DEVICE_MAPPER_MAJOR,
        minor: (number - 1) * DISKS_MAX + index,
      };
    }),
    vifs: Array.from({ length: shape.vifs }, (_, handle) => ({
      handle,
      mac: macOf(number, handle),
      bridge: "xenbr0",
    })),
  };
}

function checkCount(what: string, count: number, least: number, most: number): void {
  if (Number.isInteger(count) && count >= least && count <= most) return;
  throw new RangeError(`a machine has ${String(least)} to ${String(most)} ${what}, not ${String(count)}`);
}

function uuidOf(number: number): string {
  return `5e4a11ed-0000-4000-8000-${number.toString(16).padStart(12, "0")}`;
}

/** Xen's own range, 00:16:3e. */
function macOf(number: number, handle: number): string {
  const digits = ((number << 8) | handle).toString(16).padStart(6, "0").slice(-6);
  return `00:16:3e:${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4)}`;
}

/** `/local/domain/DOMID`, the part of a domain that it sees itself. */
export function domainPath(domid: Domid): string {
  return `/local/domain/${String(domid)}`;
}

/** `/libxl/DOMID`, which is the toolstack's own. */
export function libxlPath(domid: Domid): string {
  return `/libxl/${String(domid)}`;
}

/** `/vm/UUID`. */
export function vmPath(uuid: string): string {
  return `/vm/${uuid}`;
}

/** A device of a domain: a kind, and a number or name among its kind. */
export interface DeviceName {
  readonly kind: "vbd" | "vif" | "console";
  readonly device: number;
}

/** The half of a device that is the guest's. */
export function frontendPath(domid: Domid, { kind, device }: DeviceName): string {
  // The first console is older than the scheme.
  if (kind === "console" && device === 0) return `${domainPath(domid)}/console`;
  return `${domainPath(domid)}/device/${kind}/${String(device)}`;
}

/** The half of a device that is its driver domain's, which is dom0 here. */
export function backendPath(domid: Domid, { kind, device }: DeviceName): string {
  return `/local/domain/0/backend/${kind}/${String(domid)}/${String(device)}`;
}

/** What the toolstack remembers of a device. */
export function libxlDevicePath(domid: Domid, { kind, device }: DeviceName): string {
  return `${libxlPath(domid)}/device/${kind}/${String(device)}`;
}
