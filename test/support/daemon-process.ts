/**
 * Daemons as processes, for tests: ours, and others to compare with.
 *
 * Owns their start, their directories and their end. Ours runs by the command that a test gives, else by that in
 * `XENSTORED_TNG_COMMAND` (such as an installed `xenstored-tng`), else from the source through tsx. A peer, which is a real xenstored, runs by the command in
 * `XENSTORE_PEER_COMMAND`, to which its run directory is appended; it must serve `RUNDIR/socket`. No daemon outlives the
 * test process. `XENSTORED_TNG_LISTENER` (`reactor` or `node-ipc`) chooses what carries the sockets of ours.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { connectClient, type WireClient } from "./wire-client.js";

const project = resolve(import.meta.dirname, "..", "..");

/** A daemon has this long to serve its socket. */
const START_MILLISECONDS_MAX = 20_000;
/** A daemon that has not ended by itself in this time is killed. */
const STOP_MILLISECONDS_MAX = 15_000;
/** What a daemon is to log must come within this time. */
const LOG_MILLISECONDS_MAX = 5000;
/** Between two attempts to connect to a peer, which tells nobody when it is ready. */
const RETRY_MILLISECONDS = 10;

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A running daemon. */
export interface DaemonProcess {
  /** The directory of its state and its sockets. */
  readonly directory: string;
  /** The directory of its sockets, for `XENSTORED_RUNDIR`. */
  readonly runDirectory: string;
  /** The privileged wire socket, for `XENSTORED_PATH`. */
  readonly socket: string;
  /** The Git repository; empty for a peer. */
  readonly repository: string;
  /** Where browsers reach it; undefined where they do not. */
  readonly httpUrl: string | undefined;
  readonly pid: number;
  /** Whether the process has not ended. */
  isRunning(): boolean;
  /** What it wrote to standard error so far. */
  stderr(): string;
  /** Resolves when standard error holds this text. */
  logged(text: string): Promise<void>;
  /** Connects to the privileged socket. */
  connect(): Promise<WireClient>;
  /** Connects as a guest; the domain must be introduced. */
  connectGuest(domid: number): Promise<WireClient>;
  /** Ends the process and the clients, and keeps the directory; the result tells whether it had to be killed. */
  kill(signal?: NodeJS.Signals): Promise<Ended>;
  /** Ends the process and removes its directory, unless that was given at the start. */
  stop(): Promise<Ended>;
}

/** How to start. */
export interface DaemonStart {
  /** An existing directory to use; a temporary one when left out. */
  readonly directory?: string;
  /** More flags. */
  readonly flags?: readonly string[];
  /** Whether our daemon serves its admin socket; not unless told: its thread would take a second of each start. */
  readonly hasConsole?: boolean;
  /** The command line without flags; see above. */
  readonly command?: readonly string[];
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

interface Spawned {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly ended: Promise<Ended>;
  readonly stderrStream: Readable;
  stderr(): string;
}

function spawnDaemon(command: readonly string[]): Spawned {
  const [program = "", ...rest] = command;
  const environment = { ...process.env };
  delete environment["XENSTORED_RUNDIR"];
  delete environment["XENSTORED_PATH"];
  const child = spawn(program, rest, { cwd: project, env: environment, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const ended = new Promise<Ended>((resolveEnd, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      running.delete(child);
      resolveEnd({ code, signal });
    });
  });
  return { child, pid: child.pid ?? -1, ended, stderrStream: child.stderr, stderr: () => text };
}

async function rejectAfter(message: string): Promise<never> {
  await delay(LOG_MILLISECONDS_MAX, undefined, { ref: false });
  throw new Error(message);
}

interface Served {
  readonly directory: string;
  readonly runDirectory: string;
  readonly repository: string;
  readonly httpUrl?: string | undefined;
  readonly isTemporary: boolean;
}

function daemonProcess(spawned: Spawned, served: Served): DaemonProcess {
  const clients: WireClient[] = [];
  const { directory, runDirectory, repository, httpUrl } = served;
  const socket = join(runDirectory, "socket");
  const connectTo = async (path: string): Promise<WireClient> => {
    const client = await connectClient(path);
    clients.push(client);
    return client;
  };
  const kill = async (signal: NodeJS.Signals = "SIGTERM"): Promise<Ended> => {
    spawned.child.kill(signal);
    for (const client of clients) client.destroy();
    // Ours ends by itself within this time; a peer may be in no state to.
    const late = setTimeout(() => spawned.child.kill("SIGKILL"), STOP_MILLISECONDS_MAX);
    const ended = await spawned.ended;
    clearTimeout(late);
    return ended;
  };
  return {
    directory,
    runDirectory,
    socket,
    repository,
    httpUrl,
    pid: spawned.pid,
    isRunning: () => running.has(spawned.child),
    stderr: () => spawned.stderr(),
    logged: async (text) => {
      while (!spawned.stderr().includes(text)) {
        await Promise.race([once(spawned.stderrStream, "data"), rejectAfter(`nobody logged "${text}"`)]);
      }
    },
    connect: () => connectTo(socket),
    connectGuest: (domid) => connectTo(join(runDirectory, "domains", String(domid))),
    kill,
    stop: async () => {
      const ended = await kill();
      if (served.isTemporary) await rm(directory, { recursive: true, force: true, maxRetries: 3 });
      return ended;
    },
  };
}

async function withinStartTime<T>(what: string, spawned: Spawned, ready: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = delay(START_MILLISECONDS_MAX, "late" as const, { signal: timer.signal, ref: false }).catch(
    () => "stopped" as const,
  );
  const ended = spawned.ended.then(({ code, signal }) => `ended with ${String(code ?? signal)}`);
  const outcome = await Promise.race([ready.then((value) => ({ value })), ended, late]);
  timer.abort();
  if (typeof outcome === "object") return outcome.value;
  spawned.child.kill("SIGKILL");
  throw new Error(`${what} did not start (${outcome}): ${spawned.stderr()}`);
}

/** Our daemon's command line, without its flags. */
function daemonCommand(): readonly string[] {
  const given = process.env["XENSTORED_TNG_COMMAND"]?.trim();
  if (given !== undefined && given !== "") return given.split(/\s+/);
  return [process.execPath, "--import", "tsx", join(project, "daemon", "main.ts")];
}

function commandLineOf(start: DaemonStart, directory: string): readonly string[] {
  const { command = daemonCommand(), flags = [], hasConsole = false } = start;
  const kind = process.env["XENSTORED_TNG_LISTENER"] ?? "";
  const listener = kind === "" ? [] : ["--listener", kind];
  return [...command, "--dir", directory, ...listener, ...(hasConsole ? ["--http", "off"] : ["--no-admin"]), ...flags];
}

/** Starts our daemon and kills it so many milliseconds later, whatever it has come to by then. */
export async function killDuringStart(
  start: DaemonStart & { readonly directory: string },
  milliseconds: number,
): Promise<void> {
  const spawned = spawnDaemon(commandLineOf(start, start.directory));
  await delay(milliseconds);
  spawned.child.kill("SIGKILL");
  await spawned.ended;
}

/** Starts our daemon, and resolves when it has said that it serves. */
export async function startDaemon(start: DaemonStart = {}): Promise<DaemonProcess> {
  const directory = start.directory ?? mkdtempSync(join(tmpdir(), "xs-"));
  const spawned = spawnDaemon(commandLineOf(start, directory));
  const ready = new Promise<Pick<Served, "repository" | "httpUrl">>((resolveReady) => {
    let text = "";
    spawned.child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const repository = /^Git repository: (.+)$/m.exec(text)?.[1];
      if (repository === undefined || !/^wire socket: .+$/m.test(text)) return;
      // The admin socket is told of last.
      if (start.hasConsole === true && !/^admin socket: .+$/m.test(text)) return;
      resolveReady({ repository, httpUrl: /^HTTP API: (.+)$/m.exec(text)?.[1] });
    });
  });
  const told = await withinStartTime("the daemon", spawned, ready);
  const isTemporary = start.directory === undefined;
  return daemonProcess(spawned, { directory, runDirectory: join(directory, "run"), ...told, isTemporary });
}

/** The peers that transcripts know: C xenstored and oxenstored. */
export type PeerKind = "c" | "o";

/** The peer to compare with: the command in `XENSTORE_PEER_COMMAND`, whose last word says which one it is. */
export function configuredPeer(): { readonly command: readonly string[]; readonly kind: PeerKind } | undefined {
  const command = (process.env["XENSTORE_PEER_COMMAND"] ?? "").split(/\s+/).filter((word) => word !== "");
  if (command.length === 0) return undefined;
  const kind = command.at(-1);
  if (kind !== "c" && kind !== "o") {
    throw new Error(
      "XENSTORE_PEER_COMMAND is a command whose last word is c (C xenstored) or o (oxenstored), and to which a run directory can be appended",
    );
  }
  return { command, kind };
}

/** Starts the peer, and resolves when it accepts connections. */
export async function startPeer(): Promise<DaemonProcess> {
  const peer = configuredPeer();
  if (peer === undefined) throw new Error("XENSTORE_PEER_COMMAND is not set");
  const directory = mkdtempSync(join(tmpdir(), "xs-"));
  const runDirectory = join(directory, "run");
  mkdirSync(runDirectory);
  const spawned = spawnDaemon([...peer.command, runDirectory]);
  let waiting = true;
  const attempt = async (): Promise<void> => {
    while (waiting) {
      try {
        const client = await connectClient(join(runDirectory, "socket"));
        client.destroy();
        return;
      } catch {
        await delay(RETRY_MILLISECONDS);
      }
    }
  };
  try {
    await withinStartTime("the peer", spawned, attempt());
  } finally {
    waiting = false;
  }
  return daemonProcess(spawned, { directory, runDirectory, repository: "", isTemporary: true });
}

/** The environment for a client program: all of them find a daemon by these two variables. */
export function clientEnvironment(daemon: DaemonProcess): NodeJS.ProcessEnv {
  return { ...process.env, XENSTORED_PATH: daemon.socket, XENSTORED_RUNDIR: daemon.runDirectory };
}

/** The daemons that client programs are tried on: ours, and a peer where one is configured, to prove the tests. */
export function daemonsToTry(): readonly (readonly [name: string, daemon: DaemonToTry])[] {
  const ours = ["our daemon", { kind: "ours", start: () => startDaemon() }] as const;
  const peer = configuredPeer();
  return peer === undefined ? [ours] : [ours, [peer.command.join(" "), { kind: peer.kind, start: startPeer }]];
}

/** One of `daemonsToTry`. */
export interface DaemonToTry {
  readonly kind: "ours" | PeerKind;
  readonly start: () => Promise<DaemonProcess>;
}

/**
 * Finds a program: by the environment variable `variable`, else in `PATH`, else in `~/.cache/xenstore-peers`, where the
 * programs that Debian packages outside `PATH` are put.
 */
export function findProgram(name: string, variable: string): string | undefined {
  const given = process.env[variable];
  if (given !== undefined && given !== "") return given;
  const directories = (process.env["PATH"] ?? "").split(":");
  const home = process.env["HOME"];
  if (home !== undefined) directories.push(join(home, ".cache", "xenstore-peers"));
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path));
}
