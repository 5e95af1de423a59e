/**
 * The guest agent: tells the toolstack what runs in the guest (xe-guest-utilities).
 *
 * Owns its round of every minute. It is a process of the guest, so all it may write is below the guest's own nodes; what it
 * is refused it does without.
 */
import { isXenstoreError } from "../../../clients/xenstore/errors.js";
import type { Domid } from "../../../protocol/identifiers.js";
import type { VmSpec } from "../../vm/vm.js";
import type { Environment } from "../environment.js";
import { StoreAccess } from "../store-access.js";

const ROUND_MILLISECONDS = 60_000;
/** More than any daemon's quota, unless that is unlimited. */
const FILL_DIRECTORIES_MAX = 100;
/** The names of so many are far below the quota of a node's size. */
const FILL_NODES_EACH = 100;

/** A running agent. */
export interface Agent {
  halt(): void;
}

/** What an agent works with. */
export interface AgentPorts {
  readonly environment: Environment;
  readonly failed: (error: unknown) => void;
}

/** Starts the agent of a guest that is connected. */
export function startAgent(domid: Domid, spec: VmSpec, { environment, failed }: AgentPorts): Agent {
  const stop = new AbortController();
  let store: StoreAccess | undefined;
  const run = async (): Promise<void> => {
    store = new StoreAccess(await environment.connect(domid, "agent"));
    if (stop.signal.aborted) {
      store.close();
      return;
    }
    await reportSystem(store, spec);
    await reportMemory(store, spec, environment);
    for (const disk of spec.disks) {
      const backend = await store.read(`device/vbd/${String(disk.virtualDevice)}/backend`);
      if (backend !== undefined) await store.read(`${backend}/dev`);
    }
    for (;;) {
      await environment.delay(ROUND_MILLISECONDS, stop.signal);
      await reportMemory(store, spec, environment);
    }
  };
  run().catch((error: unknown) => {
    if (!stop.signal.aborted) failed(error);
  });
  return {
    halt: () => {
      stop.abort();
      store?.close();
    },
  };
}

async function reportSystem(store: StoreAccess, spec: VmSpec): Promise<void> {
  await store.read("unique-domain-id");
  const facts: (readonly [string, string])[] = [
    ["data/os_name", "Debian GNU/Linux 13 (trixie)"],
    ["data/os_distro", "debian"],
    ["data/os_majorver", "13"],
    ["data/os_minorver", "0"],
    ["data/os_uname", "6.12.0-amd64"],
    ["control/feature-balloon", "1"],
    ["attr/PVAddons/Installed", "1"],
    ["attr/PVAddons/MajorVersion", "10"],
    ["attr/PVAddons/MinorVersion", "0"],
    ["attr/PVAddons/MicroVersion", "0"],
    ["attr/PVAddons/BuildVersion", "1"],
  ];
  for (const { handle, mac } of spec.vifs) {
    const { ipv4, ipv6 } = addressesOf(mac);
    facts.push([`attr/vif/${String(handle)}/ipv4/0`, ipv4]);
    facts.push([`attr/vif/${String(handle)}/ipv6/0`, ipv6]);
  }
  for (const [index] of spec.disks.entries()) {
    const volume = `data/volumes/${String(index)}`;
    facts.push([`${volume}/extents/0`, spec.disks[index]?.name ?? ""]);
    facts.push([`${volume}/name`, `/dev/${spec.disks[index]?.name ?? ""}1`]);
    facts.push([`${volume}/size`, "8589934592"]);
    facts.push([`${volume}/free`, "4294967296"]);
    facts.push([`${volume}/filesystem`, "ext4"]);
    facts.push([`${volume}/mount_points/0`, index === 0 ? "/" : `/srv/${String(index)}`]);
  }
  for (const [path, value] of facts) await tell(store, path, value);
}

async function reportMemory(store: StoreAccess, spec: VmSpec, environment: Environment): Promise<void> {
  await tell(store, "data/meminfo_total", String(spec.memoryKibibytes));
  await tell(store, "data/meminfo_free", String(Math.floor(spec.memoryKibibytes * environment.random())));
  await tell(store, "data/updated", calendarTime(environment.nowMilliseconds()));
}

/**
 * The addresses of an interface, which follow from the half of its MAC that no vendor has.
 *
 *     00:16:3e:00:01:00 has 10.0.1.1 and 2001:db8::101
 *
 * One is added because the first interface of each machine has a MAC that ends in 0, as no address of a host should.
 */
function addressesOf(mac: string): { readonly ipv4: string; readonly ipv6: string } {
  const host = (Number.parseInt(mac.replaceAll(":", "").slice(-6), 16) + 1) & 0xffffff;
  const groups = host > 0xffff ? [host >> 16, host & 0xffff] : [host];
  return {
    ipv4: `10.${String(host >> 16)}.${String((host >> 8) & 0xff)}.${String(host & 0xff)}`,
    ipv6: `2001:db8::${groups.map((group) => group.toString(16)).join(":")}`,
  };
}

/** A time as C's `ctime` has it, in UTC: `Fri Mar  9 12:57:54 2018`. */
function calendarTime(milliseconds: number): string {
  // As in `Fri, 09 Mar 2018 12:57:54 GMT`.
  const [weekday = "", day = "", month = "", year = "", time = ""] = new Date(milliseconds).toUTCString().split(" ");
  return `${weekday.slice(0, -1)} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}`;
}

/** A program of the guest that writes nodes until the guest may have no more, each request one. */
export async function fillQuota(domid: Domid, environment: Environment): Promise<void> {
  const store = new StoreAccess(await environment.connect(domid, "filler"));
  try {
    await store.write("data/fill", "");
    for (let directory = 0; directory < FILL_DIRECTORIES_MAX; directory++) {
      const path = `data/fill/${String(directory)}`;
      await store.write(path, "");
      for (let number = 0; number < FILL_NODES_EACH; number++) await store.write(`${path}/${String(number)}`, "");
    }
  } catch (error) {
    if (!isXenstoreError(error, "ENOSPC")) throw error;
  } finally {
    store.close();
  }
}

async function tell(store: StoreAccess, path: string, value: string): Promise<void> {
  try {
    await store.write(path, value);
  } catch (error) {
    if (!isXenstoreError(error, "EACCES", "ENOSPC")) throw error;
  }
}
