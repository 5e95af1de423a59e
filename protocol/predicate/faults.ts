/**
 * The catalogue of faults: what goes wrong in one machine's life, and how a state of the store shows it.
 *
 * Owns names, words and predicates, for the simulator that makes the faults and for whoever looks for one in a history; what
 * an actor does wrong stands where the simulator does it. In a predicate
 * `$D` is the machine's domain; the machine has the first disk and the first network interface. A healthy life never makes
 * one true, however many machines live beside it: none has a window, in which other machines' commits would count, and each
 * asks for what only the machine's own progress, its fault or who disturbs it can make. So what never happens shows when
 * whoever waited for it gives up: a backend that never probes and a shutdown that is never acknowledged, at the first commit
 * with which the toolstack destroys the domain. Before that, such a machine looks like one that waits its turn.
 */

const L = "/local/domain/$D";
const X = "/libxl/$D";
const FRONT_DISK = `${L}/device/vbd/51712`;
const BACK_DISK = "/local/domain/0/backend/vbd/$D/51712";
const FRONT_VIF = `${L}/device/vif/0`;
const BACK_VIF = "/local/domain/0/backend/vif/$D/0";

/** A fault of the catalogue. */
export interface Fault {
  /** What happens, for people. */
  readonly description: string;
  /** Holds from the commit on that broke the machine. */
  readonly predicate: string;
}

/** Every fault, by name. */
export const FAULTS = {
  "node-not-guest-owned": {
    description: "the toolstack forgets to give control/sysrq to the guest",
    predicate: `exists ${L}/control/sysrq and not perms ${L}/control/sysrq = n$D`,
  },
  "frontend-perms-wrong": {
    description: "the toolstack leaves the guest's half of the network interface to dom0",
    predicate: `perms ${FRONT_VIF} != n$D,r0`,
  },
  "ring-ref-missing": {
    description: "the guest's disk driver says that its ring is there without telling where",
    predicate: `value ${FRONT_DISK}/state ~ "^[3-6]$" and not exists ${FRONT_DISK}/ring-ref and not exists ${FRONT_DISK}/queue-0/ring-ref`,
  },
  "event-channel-refused": {
    description: "the hypervisor refuses an event channel to the guest's network driver, which gives up",
    predicate: `exists ${L}/error/device/vif/0/error and value ${FRONT_VIF}/state = 6 and value ${BACK_VIF}/state = 6`,
  },
  "hotplug-script-fails": {
    description: "the block script fails",
    predicate: `value ${BACK_DISK}/hotplug-status ~ "^(error|busy)$"`,
  },
  "hotplug-script-never-ends": {
    description: "the block script, started by udev so that nobody waits for it, hangs before it has found the device",
    predicate: `value ${FRONT_DISK}/state = 3 and value ${BACK_DISK}/state = 2 and not exists ${BACK_DISK}/physical-device`,
  },
  "backend-jumps": {
    description: "the network backend connects although no script has put the interface on its bridge",
    predicate: `value ${BACK_VIF}/state = 4 and not value ${BACK_VIF}/hotplug-status = connected`,
  },
  "backend-never-probes": {
    description: "the disk's backend driver never looks at the new device",
    predicate: `value ${BACK_DISK}/online = 0 and not exists ${BACK_DISK}/feature-max-indirect-segments`,
  },
  "stale-backend": {
    description: "the toolstack destroys the domain and leaves the network interface's backend behind",
    predicate: "exists /local/domain/0/backend/vif/$D and not exists /local/domain/$D",
  },
  "tree-resurrected": {
    description: "something sets the memory target of a domain that was just destroyed",
    predicate: `exists ${L}/memory/target and not exists ${L}/vm`,
  },
  "duplicate-name": {
    description: "the toolstack gives the machine the name of another one",
    predicate: "not distinct /local/domain/*/name",
  },
  "rename-half-done": {
    description: "the toolstack renames the machine and dies in the middle",
    predicate: `exists {${L}/vm}/name and not same {${L}/vm}/name ${L}/name`,
  },
  "duplicate-device": {
    description: "the toolstack's own record of the disk is overwritten with another disk's",
    predicate: `exists ${BACK_DISK}/params and exists ${X}/device/vbd/51712/params and not same ${X}/device/vbd/51712/params ${BACK_DISK}/params`,
  },
  "node-quota-hit": {
    description: "a program of the guest uses up the quota of nodes before the drivers can tell where their rings are",
    // Six of these are dom0's, and nine of the guest's thousand are elsewhere, whatever disks and processors it has. Each
    // network interface but the first brings one more of dom0's, its `mtu`, and has this hold one node too early.
    predicate: `count ${L}/d*/** >= 997`,
  },
  "eagain-storm": {
    description:
      "somebody changes a directory that the destruction reads, so often that it must begin anew over and over",
    predicate: `exists ${BACK_DISK} and exists /local/domain/0/backend/vbd/disturbed-*`,
  },
  "shutdown-unacknowledged": {
    description: "the guest takes no note of control/shutdown",
    predicate: `value ${L}/control/shutdown != "" and not exists ${L}/console`,
  },
} as const satisfies Readonly<Record<string, Fault>>;

/** A fault's name. */
export type FaultName = keyof typeof FAULTS;

/** The names, in the order of the catalogue. */
export const FAULT_NAMES = Object.keys(FAULTS) as readonly FaultName[];
