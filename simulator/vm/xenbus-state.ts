/**
 * The states of a xenbus device: how the two halves of a device agree with each other (`io/xenbus.h` of Xen).
 *
 * Owns their numbers and names.
 */

/** A state's number, as the node `state` holds it. */
export const XENBUS_STATES = {
  unknown: 0,
  initialising: 1,
  initWait: 2,
  initialised: 3,
  connected: 4,
  closing: 5,
  closed: 6,
  reconfiguring: 7,
  reconfigured: 8,
} as const;

/** The number of a state. */
export type XenbusState = (typeof XENBUS_STATES)[keyof typeof XENBUS_STATES];

const NUMBERS: ReadonlySet<number> = new Set(Object.values(XENBUS_STATES));

/** The state that a node's value names; unknown for a missing node and for any other value, as in Linux. */
export function parseXenbusState(value: string | undefined): XenbusState {
  const number = value === undefined || value === "" ? XENBUS_STATES.unknown : Number(value);
  return NUMBERS.has(number) ? (number as XenbusState) : XENBUS_STATES.unknown;
}
