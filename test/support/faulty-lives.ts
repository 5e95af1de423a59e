/**
 * The lives of a few machines on one host, one of which has a fault, and which commit broke it.
 *
 * Owns what the breaking commit of each fault is, told by what it changed, by who made it or by what an actor was answered, and
 * not by the predicate.
 */
import type { Domid } from "../../protocol/identifiers.js";
import { ERROR } from "../../protocol/operation.js";
import { MessageParser } from "../../protocol/parser.js";
import { serializePerms } from "../../protocol/perms.js";
import type { FaultName } from "../../protocol/predicate/faults.js";
import { parsePredicate } from "../../protocol/predicate/parse-predicate.js";
import { PredicateMonitor } from "../../protocol/predicate/predicate-monitor.js";
import type { Commit } from "../../daemon/store/commit.js";
import { applyChanges } from "../../daemon/store/diff.js";
import { emptyRoot, getNode } from "../../daemon/store/root.js";
import { FaultPlan } from "../../simulator/faults/fault-plan.js";
import type { SimulatedHost, Vm } from "../../simulator/host.js";
import { SMALLEST_VM, vmSpec, type VmSpec } from "../../simulator/vm/vm.js";
import type { Tap } from "../../simulator/world/memory-network.js";
import type { World } from "../../simulator/world/world.js";
import { seed } from "./seed.js";
import { startWorldHost } from "./world-host.js";

/** Follows a predicate about a machine through a history. */
export class PredicateFollower {
  readonly spans: Span[] = [];
  readonly #monitor: PredicateMonitor;
  #root = emptyRoot();
  #holds = false;

  constructor(predicate: string, domid: Domid) {
    this.#monitor = new PredicateMonitor(parsePredicate(predicate, new Map([["D", String(domid)]])));
  }

  next({ seq, changes }: Commit): void {
    this.#root = applyChanges(this.#root, changes, seq);
    this.look(this.#root, seq);
  }

  /** Takes the state after the next commit, when somebody else has it already. */
  look(root: ReturnType<typeof emptyRoot>, seq: number): void {
    const holds = this.#monitor.next({ node: (path) => getNode(root, path) });
    const last = this.spans.at(-1);
    if (holds && !this.#holds) this.spans.push({ first: seq, ended: undefined });
    else if (!holds && this.#holds && last !== undefined) last.ended = seq;
    this.#holds = holds;
  }
}

/** What is known of the machines' lives. */
export interface Lives {
  readonly commits: readonly Commit[];
  /** The domain of the second machine, which has the fault where there is one. */
  readonly domid: Domid;
  readonly domids: readonly Domid[];
  /** The newest commit when this was first so; 0 before all. */
  readonly seqs: {
    /** Somebody began to end the second machine. */
    endBegins: number;
    /** Its toolstack began to destroy it. */
    destroyBegins: number;
    /** Somebody connected who disturbs. */
    disturbed: number;
    /** The guest's last commit before it was first told ENOSPC. */
    full: number;
  };
  /** The requests of the guest's kernel that were told ENOSPC, and transactions of toolstacks that were told EAGAIN. */
  readonly refusals: { full: number; again: number };
}

/**
 * Four machines live on one host; the second has the fault. What fails, fails: the history is looked at afterwards.
 *
 * @param run - from 0: adds to the seed, and has the machines take turns with one processor and disk, and two
 * @param crowd - so many more, which boot at the same time as the second, and are shut down at the end
 */
export async function live(run: number, fault?: FaultName, crowd = 0): Promise<Lives> {
  const commits: Commit[] = [];
  const seqs = { endBegins: 0, destroyBegins: 0, disturbed: 0, full: 0 };
  const refusals = { full: 0, again: 0 };
  const tip = (): number => Number(commits.at(-1)?.seq ?? 0);
  const watchErrors = (domid: number, actor: string): Tap => {
    if (actor === "disturber") seqs.disturbed = tip();
    const parser = new MessageParser();
    return {
      sent: () => undefined,
      received: (chunk) => {
        parser.push(chunk);
        for (let message = parser.next(); message !== undefined; message = parser.next()) {
          if (message.type !== ERROR) continue;
          const isFull = message.payload.startsWith("ENOSPC");
          if (isFull && seqs.full === 0)
            seqs.full = Number(commits.findLast(({ origin }) => origin.domid === domid)?.seq);
          if (isFull && actor === "guest") refusals.full++;
          if (actor === "xl" && message.payload.startsWith("EAGAIN")) refusals.again++;
        }
      },
    };
  };
  const { world, host } = await startWorldHost(seed() + run, {
    observer: { connected: watchErrors, committed: (made) => commits.push(...made) },
    faults: new FaultPlan(new Map(fault === undefined ? [] : [["vm2", fault]])),
    phase: (spec, phase) => {
      if (spec.name === "vm2" && phase === "destroy") seqs.destroyBegins = tip();
    },
  });
  const begin = (number: number): Promise<Vm> => {
    const vcpus = 1 + ((number + run) % 2);
    return tryToBoot(world, host, vmSpec(number, { ...SMALLEST_VM, vcpus, disks: vcpus }));
  };
  const boot = async (number: number): Promise<Vm> => world.runUntil(begin(number));
  const first = await boot(1);
  const crowded = Array.from({ length: crowd }, (_, index) => begin(5 + index));
  const second = await boot(2);
  const crowdVms = await world.runUntil(Promise.all(crowded));
  const third = await boot(3);
  // Until all have come to rest: agents too are at work.
  await world.runUntil(world.environment.delay(1000));
  seqs.endBegins = tip();
  const isGone = await world.runUntil(succeeds(host.shutDown(second)));
  const others = [third, await boot(4)];
  if (!isGone) await world.runUntil(succeeds(host.destroy(second)));
  for (const vm of [first, ...others]) await world.runUntil(host.shutDown(vm));
  await world.runUntil(Promise.all(crowdVms.map((vm) => host.shutDown(vm))));
  const domids = [first, second, ...others].map(({ xl }) => xl.domid);
  return { commits, domid: second.xl.domid, domids, seqs, refusals };
}

/** Boots a machine, as far as it comes within a minute. */
async function tryToBoot(world: World, host: SimulatedHost, spec: VmSpec): Promise<Vm> {
  const vm = await host.prepare(spec);
  const isMade = await succeeds(vm.xl.create());
  if (isMade) await Promise.race([vm.connected, world.environment.delay(60_000)]);
  return vm;
}

async function succeeds(action: Promise<unknown>): Promise<boolean> {
  return action.then(
    () => true,
    () => false,
  );
}

/** A run of commits at each of which a predicate holds. */
export interface Span {
  readonly first: number;
  /** The first commit at which it does not hold any more; undefined where it holds to the end. */
  ended: number | undefined;
}

/** The runs of commits at which a predicate holds. */
export function spans(predicate: string, domid: Domid, commits: readonly Commit[]): Span[] {
  const follower = new PredicateFollower(predicate, domid);
  for (const commit of commits) follower.next(commit);
  return follower.spans;
}

/** Whether a commit wrote a value to a node, or created it with one. */
function writes(commit: Commit, path: string, value: string | RegExp): boolean {
  return commit.changes.some(
    (change) =>
      change.kind === "node" &&
      change.path === path &&
      change.after !== undefined &&
      (typeof value === "string" ? change.after.value === value : value.test(change.after.value)),
  );
}

function sets(commit: Commit, path: string, perms: string): boolean {
  return commit.changes.some(
    (change) =>
      change.kind === "node" &&
      change.path === path &&
      change.after !== undefined &&
      serializePerms(change.after.perms) === perms,
  );
}

function removes(commit: Commit, path: string): boolean {
  return commit.changes.some((change) => change.kind === "node" && change.path === path && change.after === undefined);
}

/** Whether a commit changes something of a domain. */
function touches({ changes }: Commit, domid: string): boolean {
  const own = new RegExp(`^/(local/domain|libxl|local/domain/0/backend/[a-z]+)/${domid}(/|$)`);
  return changes.some((change) => change.kind === "node" && own.test(change.path));
}

function firstAfter(seq: number, commits: readonly Commit[], isIt: (commit: Commit) => boolean): number {
  return Number(commits.find((commit) => commit.seq > seq && isIt(commit))?.seq);
}

/** The commit that broke the machine. */
export const BREAKS: Readonly<Record<FaultName, (lives: Lives, domid: string) => number>> = {
  "node-not-guest-owned": first((commit, d) => sets(commit, `/local/domain/${d}/control/sysrq`, `n0 r${d}`)),
  "frontend-perms-wrong": first((commit, d) => sets(commit, `/local/domain/${d}/device/vif/0`, `n0 r${d}`)),
  "ring-ref-missing": first((commit, d) => writes(commit, `/local/domain/${d}/device/vbd/51712/state`, "3")),
  // The driver has given up by then; broken for good it is when the backend has agreed.
  "event-channel-refused": first((commit, d) => writes(commit, `/local/domain/0/backend/vif/${d}/0/state`, "6")),
  "hotplug-script-fails": first((commit, d) =>
    writes(commit, `/local/domain/0/backend/vbd/${d}/51712/hotplug-status`, "error"),
  ),
  "hotplug-script-never-ends": first((commit, d) => writes(commit, `/local/domain/${d}/device/vbd/51712/state`, "3")),
  "backend-jumps": first((commit, d) => writes(commit, `/local/domain/0/backend/vif/${d}/0/state`, "4")),
  // What does not happen shows when the toolstack, having waited for it in vain, does the first thing to be rid of the domain.
  "backend-never-probes": ({ seqs, commits }, d) => firstAfter(seqs.destroyBegins, commits, (made) => touches(made, d)),
  "stale-backend": first((commit, d) => removes(commit, `/local/domain/${d}`)),
  "tree-resurrected": first(
    (commit, d) =>
      writes(commit, `/local/domain/${d}/memory/target`, /./) && !writes(commit, `/local/domain/${d}/domid`, /./),
  ),
  "duplicate-name": first((commit, d) => writes(commit, `/local/domain/${d}/name`, "vm1")),
  "rename-half-done": first((commit) =>
    commit.changes.some((change) => change.kind === "node" && change.after?.value === "vm2-renamed"),
  ),
  "duplicate-device": first((commit, d) => writes(commit, `/libxl/${d}/device/vbd/51712/params`, "/dev/vg/another")),
  "node-quota-hit": ({ seqs }) => seqs.full,
  // The first change of who disturbs.
  "eagain-storm": ({ seqs, commits }) => firstAfter(seqs.disturbed, commits, () => true),
  "shutdown-unacknowledged": ({ seqs, commits }, d) =>
    firstAfter(seqs.destroyBegins, commits, (made) => touches(made, d)),
};

function first(isIt: (commit: Commit, domid: string) => boolean): (lives: Lives, domid: string) => number {
  return ({ commits }, domid) => firstAfter(0, commits, (commit) => isIt(commit, domid));
}

/** What ends the bad state: somebody takes away the machine, or what disturbs it. */
export function takesAway({ changes }: Commit): boolean {
  return changes.some((change) => change.kind === "node" && change.after === undefined);
}
