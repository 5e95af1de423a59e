/**
 * The seam between xenbus in a guest and the drivers of its devices.
 *
 * Owns what a device is to a frontend driver, and what a driver is to xenbus.
 */
import { isXenstoreError } from "../../../clients/xenstore/errors.js";
import type { FaultName } from "../../../protocol/predicate/faults.js";
import type { Kernel, KernelWatch } from "../kernel.js";
import { XENBUS_STATES, type XenbusState } from "../../vm/xenbus-state.js";

/** A device that a driver drives. */
export interface FrontendDevice {
  /** The frontend's directory, relative to the guest: `device/KIND/DEVICE`. */
  readonly path: string;
  /** The backend's directory, absolute. */
  readonly backend: string;
  readonly kernel: Kernel;
  /** How many processors the guest has. */
  readonly vcpus: number;
  /** Hands out grant references and event channels, which are numbers of the guest. */
  readonly nextNumber: () => number;
  /** Whether this goes wrong for the guest. */
  readonly strikes: (fault: FaultName) => boolean;
  /** The watch for the backend's state. */
  backendWatch: KernelWatch | undefined;
  /** The last state that the driver has set. */
  state: XenbusState;
  /** The backend's state as it was last read. */
  backendState: XenbusState;
}

/** A driver at work for one device. */
export interface FrontendInstance {
  /** Reads what the device is, before its backend is watched. */
  probe(): Promise<void>;
  /** The backend's state is, perhaps again, this one. */
  backendChanged(state: XenbusState): Promise<void>;
}

/** Makes instances of a driver. */
export type FrontendDriver = (device: FrontendDevice) => FrontendInstance;

/** Gives a device up: says why where people look, if there is room for it, and closes (Linux, `xenbus_dev_fatal`). */
export async function failFrontend(device: FrontendDevice, errno: number, reason: string): Promise<void> {
  try {
    await device.kernel.store.write(`error/${device.path}/error`, `${String(errno)} ${reason}`);
  } catch (error) {
    if (!isXenstoreError(error, "ENOSPC")) throw error;
  }
  await switchFrontend(device, XENBUS_STATES.closing);
}

/** Changes a frontend's state. */
export async function switchFrontend(device: FrontendDevice, state: XenbusState): Promise<void> {
  device.state = state;
  await device.kernel.switchState(device.path, state);
}
