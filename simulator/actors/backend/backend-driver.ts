/**
 * The seam between xenbus in dom0 and the drivers that serve devices.
 *
 * Owns what a device is to a backend driver, and what a driver is to xenbus.
 */
import type { Domid } from "../../../protocol/identifiers.js";
import type { FaultPlan } from "../../faults/fault-plan.js";
import type { Kernel, KernelWatch } from "../kernel.js";
import { XENBUS_STATES, type XenbusState } from "../../vm/xenbus-state.js";

/** A device that a driver serves. */
export interface BackendDevice {
  /** The backend's directory, relative to dom0: `backend/KIND/DOMID/DEVICE`. */
  readonly path: string;
  /** The guest's domain. */
  readonly domid: Domid;
  readonly faults: FaultPlan;
  /** The frontend's directory, absolute. */
  readonly frontend: string;
  readonly kernel: Kernel;
  /** The watch for the frontend's state. */
  frontendWatch: KernelWatch | undefined;
  /** The last state that the driver has set. */
  state: XenbusState;
}

/** A driver at work for one device. */
export interface BackendInstance {
  /** Offers the device's features and says that it waits for the frontend. */
  probe(): Promise<void>;
  /** The frontend's state is, perhaps again, this one. */
  frontendChanged(state: XenbusState): Promise<void>;
  /** The device is gone. */
  remove(): Promise<void>;
}

/** Makes instances of a driver. */
export type BackendDriver = (device: BackendDevice) => BackendInstance;

/** Gives a device up: says why where people look, and closes (Linux, `xenbus_dev_fatal`). */
export async function failBackend(device: BackendDevice, errno: number, reason: string): Promise<void> {
  await device.kernel.store.write(`error/${device.path}/error`, `${String(errno)} ${reason}`);
  await switchBackend(device, XENBUS_STATES.closing);
}

/** Changes a backend's state. */
export async function switchBackend(device: BackendDevice, state: XenbusState): Promise<void> {
  device.state = state;
  await device.kernel.switchState(device.path, state);
}
