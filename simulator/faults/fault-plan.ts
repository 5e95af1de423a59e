/**
 * Which machine has which fault.
 *
 * Owns the answer to what actors ask before they do something right. It leads around the store on purpose: a fault is nothing
 * that an actor knows.
 */
import type { Domid } from "../../protocol/identifiers.js";
import type { FaultName } from "../../protocol/predicate/faults.js";

/** Faults by machine. */
export class FaultPlan {
  readonly #faults: ReadonlyMap<string, FaultName>;
  readonly #byDomid = new Map<Domid, FaultName>();

  /** @param faults - by the name of the machine */
  constructor(faults: ReadonlyMap<string, FaultName> = new Map()) {
    this.#faults = faults;
  }

  /** A machine has got its domain. */
  bind(domid: Domid, vm: string): void {
    const fault = this.#faults.get(vm);
    if (fault === undefined) this.#byDomid.delete(domid);
    else this.#byDomid.set(domid, fault);
  }

  /** Whether this goes wrong for the domain. */
  strikes(fault: FaultName, domid: Domid): boolean {
    return this.#byDomid.get(domid) === fault;
  }
}
