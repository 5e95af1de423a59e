/**
 * The states of a split driver's two ends, by their numbers (Xen's public header io/xenbus.h).
 */

const NAMES = [
  "Unknown",
  "Initialising",
  "InitWait",
  "Initialised",
  "Connected",
  "Closing",
  "Closed",
  "Reconfiguring",
  "Reconfigured",
] as const;

const STATE_NODE = /^\/local\/domain\/\d+\/(?:device|backend|console)\/(?:.+\/)?state$/;

/** The name of a state; undefined for what is none. */
export function xenbusStateName(value: string): string | undefined {
  return /^[0-9]$/.test(value) ? NAMES[Number(value)] : undefined;
}

/** Whether a node has the state of a driver's end. */
export function isStateNode(path: string): boolean {
  return STATE_NODE.test(path);
}
