/**
 * The hypervisor, as far as actors see it: domains come, run, shut down and go.
 *
 * Owns what a hypervisor would know: which domains there are and whether they have shut down. Toolstacks and daemons of dom0
 * learn that something happened from the store (`@introduceDomain`, `@releaseDomain`) and then ask here what, as they would
 * with a hypercall; that is no way around the store, since nothing of a guest's inside can be seen.
 *
 * What the daemon must be told goes through its `Hypervisor` port, CONTROL `domain shutdown|destroy`. A xenstored that lacks
 * it is told RELEASE when the domain is destroyed, which removes the domain and fires `@releaseDomain`, and of a shutdown
 * nothing: there the toolstack's own wait for `control/shutdown` stands in.
 */
import { isXenstoreError } from "../../clients/xenstore/errors.js";
import type { Domid } from "../../protocol/identifiers.js";
import type { StoreAccess } from "./store-access.js";

/** What runs in a domain. Starts when the domain is unpaused. */
export interface Guest {
  /** Stops all at once: the domain is gone. */
  halt(): void;
}

/** Starts what runs in a domain. */
export type StartGuest = (domid: Domid) => Guest;

interface Domain {
  readonly startGuest: StartGuest;
  guest: Guest | undefined;
  isShutDown: boolean;
}

/** Domids run from 1; those from 0x7ff0 on are reserved (`xen/include/public/xen.h`). */
const DOMID_FIRST_RESERVED = 0x7ff0;

/** The hypervisor of one simulated host. */
export class Hypervisor {
  readonly #store: StoreAccess;
  readonly #domains = new Map<Domid, Domain>();
  #lastDomid = 0;
  /** Whether the daemon has CONTROL `domain`; undefined until it was asked. */
  #hasDomainControl: boolean | undefined;

  /** @param store - a privileged connection of its own */
  constructor(store: StoreAccess) {
    this.#store = store;
  }

  /** Makes a domain, paused; its domid is the next one that is free. */
  createDomain(startGuest: StartGuest): Domid {
    for (let tried = 0; tried < DOMID_FIRST_RESERVED; tried++) {
      this.#lastDomid = (this.#lastDomid % (DOMID_FIRST_RESERVED - 1)) + 1;
      const domid = this.#lastDomid as Domid;
      if (this.#domains.has(domid)) continue;
      this.#domains.set(domid, { startGuest, guest: undefined, isShutDown: false });
      return domid;
    }
    throw new Error(`all ${String(DOMID_FIRST_RESERVED - 1)} domain ids are in use`);
  }

  /** Lets a domain run. */
  unpause(domid: Domid): void {
    const domain = this.#domains.get(domid);
    if (domain === undefined) throw new Error(`there is no domain ${String(domid)}`);
    domain.guest ??= domain.startGuest(domid);
  }

  /** The domains that there are, dom0 first. */
  listDomains(): readonly Domid[] {
    return [0 as Domid, ...[...this.#domains.keys()].sort((left, right) => left - right)];
  }

  /** Whether a domain has shut down and waits to be destroyed. */
  isShutDown(domid: Domid): boolean {
    return this.#domains.get(domid)?.isShutDown === true;
  }

  /** A domain's last hypercall (`SCHEDOP_shutdown`): it does not run any more. */
  async shutDown(domid: Domid): Promise<void> {
    const domain = this.#domains.get(domid);
    if (domain === undefined || domain.isShutDown) return;
    domain.isShutDown = true;
    await this.#tell("shutdown", domid);
  }

  /** Destroys a domain; whatever ran in it is gone at once. */
  async destroy(domid: Domid): Promise<void> {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return;
    domain.guest?.halt();
    this.#domains.delete(domid);
    if (await this.#tell("destroy", domid)) return;
    try {
      await this.#store.release(domid);
    } catch (error) {
      if (!isXenstoreError(error, "ENOENT", "EINVAL")) throw error;
    }
  }

  /** The host loses its power: nothing runs any more, and nobody is told. */
  halt(): void {
    for (const { guest } of this.#domains.values()) guest?.halt();
    this.#domains.clear();
    this.#store.close();
  }

  /** Tells the daemon; returns false when it has no such command. */
  async #tell(event: "shutdown" | "destroy", domid: Domid): Promise<boolean> {
    if (this.#hasDomainControl === false) return false;
    try {
      await this.#store.control("domain", event, String(domid));
      this.#hasDomainControl = true;
      return true;
    } catch (error) {
      // A domain that was never introduced is none to the daemon.
      if (isXenstoreError(error, "ENOENT")) return true;
      if (!isXenstoreError(error)) throw error;
      this.#hasDomainControl = false;
      return false;
    }
  }
}
