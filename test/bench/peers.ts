/**
 * Other xenstoreds to be compared with: C xenstored and oxenstored, on a host without a hypervisor.
 *
 * Owns how they are found, started and ended. They are in the directory that `PEERS` names, `~/.cache/xenstore-peers` unless
 * set: `xenstored`, `oxenstored`, and `libxenstub.so`, which is loaded before them and answers what they ask the hypervisor.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { BenchDaemon } from "./daemon.js";
import { connect } from "./load.js";
import { mainThreadSeconds, processSeconds, residentBytes } from "./process-figures.js";

/** The peers that there are, by the names of their programs. */
export const PEER_NAMES = ["xenstored", "oxenstored"] as const;

/** One of them. */
export type PeerName = (typeof PEER_NAMES)[number];

const STUB = "libxenstub.so";
const CONNECT_MILLISECONDS_MAX = 10_000;
const CONNECT_AGAIN_MILLISECONDS = 20;
const END_MILLISECONDS_MAX = 10_000;

/** Where peers are. */
export function peersDirectory(): string {
  const given = process.env["PEERS"];
  return given === undefined || given === "" ? join(homedir(), ".cache", "xenstore-peers") : given;
}

/** Which peers are in a directory, and in a line what is missing there. */
export function findPeers(directory: string): { readonly found: readonly PeerName[]; readonly missing?: string } {
  const isThere = (name: string): boolean => existsSync(join(directory, name));
  const found = isThere(STUB) ? PEER_NAMES.filter(isThere) : [];
  const lacking = [STUB, ...PEER_NAMES].filter((name) => !isThere(name));
  if (lacking.length === 0) return { found };
  const left = found.length === 0 ? "ours alone" : `ours and ${found.join(", ")}`;
  return { found, missing: `the directory of peers (PEERS) has no ${lacking.join(", ")}: ${left} will be measured` };
}

/** Starts a peer on a socket of its own, in a temporary directory, and waits until it serves. */
export async function startPeer(name: PeerName): Promise<BenchDaemon> {
  const directory = mkdtempSync(join(tmpdir(), `xenstore-bench-${name}-`));
  const peers = peersDirectory();
  const child = spawn(
    "sh",
    // As many files as the system allows, as our daemon does for itself. The shell becomes the peer, so its pid is the peer's.
    [
      "-c",
      'ulimit -n "$(ulimit -Hn)"; export LD_PRELOAD="$1"; shift; exec "$@"',
      "sh",
      join(peers, STUB),
      ...words(name, peers, directory),
    ],
    { env: environment(directory), stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-1000)));
  const exited = once(child, "exit").then(() => rmSync(directory, { recursive: true, force: true }));
  const socket = join(directory, "socket");
  try {
    await whenServed(socket, child);
  } catch (error) {
    child.kill("SIGKILL");
    await exited;
    throw new Error(`${name} does not serve: ${said.trim()}`, { cause: error });
  }
  const { pid = 0 } = child;
  return {
    socket,
    program: "peer",
    residentBytes: () => residentBytes(pid),
    mainThreadSeconds: () => mainThreadSeconds(pid),
    processSeconds: () => processSeconds(pid),
    async stop() {
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), END_MILLISECONDS_MAX);
      await exited;
      clearTimeout(late);
    },
  };
}

/** XENSTORED_PATH would have another socket than that in the directory. */
function environment(directory: string): NodeJS.ProcessEnv {
  return { ...process.env, XENSTORED_PATH: undefined, XENSTORED_RUNDIR: directory };
}

/** The command line, and what it refers to. */
function words(name: PeerName, peers: string, directory: string): readonly string[] {
  const pidFile = join(directory, "xenstored.pid");
  if (name === "xenstored") return [join(peers, name), "-N", "--pid-file", pidFile];
  const configuration = join(directory, "oxenstored.conf");
  // What the package's own configuration says, but for the places.
  const lines = [
    `pid-file = ${pidFile}`,
    "merge-activate = true",
    "perms-activate = true",
    "perms-watch-activate = true",
    "quota-activate = true",
    `xenstored-log-file = ${join(directory, "xenstored.log")}`,
    `access-log-file = ${join(directory, "xenstored-access.log")}`,
    "xenstored-kva = /proc/xen/xsd_kva",
    "xenstored-port = /proc/xen/xsd_port",
  ];
  writeFileSync(configuration, `${lines.join("\n")}\n`);
  return [join(peers, name), "--no-fork", "--config-file", configuration, "--no-access-log"];
}

async function whenServed(socket: string, child: ChildProcess): Promise<void> {
  const end = performance.now() + CONNECT_MILLISECONDS_MAX;
  for (;;) {
    try {
      (await connect(socket)).destroy();
      return;
    } catch (error) {
      if (child.exitCode !== null || performance.now() > end) throw error;
      await delay(CONNECT_AGAIN_MILLISECONDS);
    }
  }
}
