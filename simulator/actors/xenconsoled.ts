/**
 * xenconsoled: the daemon that serves the consoles (Xen, `tools/console/daemon/io.c`).
 *
 * Owns a terminal's number for each domain. It looks for domains when one came or went, watches each one's `console`
 * directory, and answers a ring that has come up with the name of its terminal.
 */
import type { Watch } from "../../clients/xenstore/watch.js";
import type { Domid } from "../../protocol/identifiers.js";
import type { StoreAccess } from "./store-access.js";

/** The domains that there are, as a hypercall would tell. */
export interface DomainList {
  listDomains(): readonly Domid[];
}

interface Console {
  readonly domid: Domid;
  path: string;
  watch: Watch | undefined;
  ring: string | undefined;
  hasTerminal: boolean;
}

/** What both special watches are registered with. */
const DOMAIN_LIST_TOKEN = "domlist";

/** Serves the consoles of one host. */
export class Xenconsoled {
  readonly #store: StoreAccess;
  readonly #domains: DomainList;
  readonly #failed: (error: unknown) => void;
  readonly #consoles = new Map<Domid, Console>();
  readonly #work: (() => Promise<void>)[] = [];
  #isWorking = false;
  #terminals = 0;
  #isStopped = false;

  constructor(store: StoreAccess, domains: DomainList, failed: (error: unknown) => void) {
    this.#store = store;
    this.#domains = domains;
    this.#failed = failed;
  }

  async start(): Promise<void> {
    for (const path of ["@introduceDomain", "@releaseDomain"]) {
      await this.#store.watch(path, DOMAIN_LIST_TOKEN, () => {
        this.#enqueue(() => this.#lookForDomains());
      });
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#work.length = 0;
    this.#store.close();
  }

  #enqueue(work: () => Promise<void>): void {
    if (this.#isStopped) return;
    this.#work.push(work);
    if (!this.#isWorking) void this.#runWork();
  }

  /** One thing after the other, as a daemon with one thread does. */
  async #runWork(): Promise<void> {
    this.#isWorking = true;
    for (let work = this.#work.shift(); work !== undefined; work = this.#work.shift()) {
      try {
        await work();
      } catch (error) {
        if (!this.#isStopped) this.#failed(error);
      }
    }
    this.#isWorking = false;
  }

  async #lookForDomains(): Promise<void> {
    const domids = this.#domains.listDomains();
    const present = new Set(domids);
    for (const console of [...this.#consoles.values()]) {
      if (present.has(console.domid)) continue;
      this.#consoles.delete(console.domid);
      await console.watch?.close();
    }
    for (const domid of domids) if (domid !== 0 && !this.#consoles.has(domid)) await this.#addDomain(domid);
  }

  async #addDomain(domid: Domid): Promise<void> {
    const console: Console = { domid, path: "", watch: undefined, ring: undefined, hasTerminal: false };
    this.#consoles.set(domid, console);
    console.path = `${await this.#store.getDomainPath(domid)}/console`;
    console.watch = await this.#store.watch(console.path, `dom${String(domid)}`, () => {
      this.#enqueue(() => this.#consoleChanged(console));
    });
    await this.#consoleChanged(console);
  }

  async #consoleChanged(console: Console): Promise<void> {
    if (this.#consoles.get(console.domid) !== console) return;
    const { path } = console;
    const ring = await this.#store.read(`${path}/ring-ref`);
    if (ring === undefined) return;
    await this.#store.read(`${path}/port`);
    await this.#store.read(`${path}/type`);
    if (console.hasTerminal && console.ring === ring) return;
    await this.#store.read(`${path}/limit`);
    console.ring = ring;
    console.hasTerminal = true;
    await this.#store.write(`${path}/tty`, `/dev/pts/${String(++this.#terminals)}`);
  }
}
