/**
 * The daemon is killed at random moments under load, started again on the same state, and asked what it remembers.
 *
 * Owns the rounds: what happens in one, what is checked after each, and what is checked in Git now and then. It varies what
 * goes on at the death: a start that is itself killed, `git gc` and `git repack` in the midst of it, a process that was
 * stopped for a while. With a fork, that is written to beside main and promised the same. All randomness comes from the seed, but for what the clock and the scheduler do.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { decodeRoot } from "../../daemon/history/object/root-decoder.js";
import type { Oid } from "../../daemon/history/object/oid.js";
import { MAIN_BRANCH, refOfBranch } from "../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../daemon/history/repository/object-reader.js";
import { RefStore } from "../../daemon/history/repository/ref-store.js";
import { readCommit } from "../../daemon/history/repository/walk.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import { adminClient } from "../../clients/cli/admin-client.js";
import { FORKS_ROUTE } from "../../protocol/http-api/forks.js";
import { getNode } from "../../daemon/store/root.js";
import type { Path } from "../../protocol/identifiers.js";
import { killDuringStart, startDaemon, type DaemonProcess } from "../support/daemon-process.js";
import { createRandom, type Random } from "../../simulator/world/random.js";
import { connectClient, type WireClient } from "../support/wire-client.js";
import { countIn, createWriters, pathsOf, seqOf, settle, writeUntilGone, type Writer } from "./load.js";

const run = promisify(execFile);

const LOAD_MILLISECONDS_MAX = 200;
const STOP_MILLISECONDS_MAX = 60;
const START_MILLISECONDS_MAX = 400;
const FORK_TRIES_MAX = 400;
const FORK_TRY_MILLISECONDS = 25;
/** Of the commits, one in so many has its tree looked at. */
const TREES_SAMPLED = 101;

/** What is to be done. */
export interface KillRounds {
  readonly rounds: number;
  readonly seed: number;
  readonly durability: "process" | "power";
  /** The daemon's command line without flags. */
  readonly command: readonly string[];
  /** Git looks at the history after so many rounds, and at the end. */
  readonly roundsPerGitCheck: number;
  /** A new store is begun after so many rounds, so that a campaign is bounded in room and in time for each check. */
  readonly roundsPerStore: number;
  /** Whether there is a fork too. */
  readonly hasFork?: boolean;
  /** Where the stores are made; the system's directory for temporary files unless told. */
  readonly directory?: string;
  readonly report?: (line: string) => void;
}

/** What was done. */
export interface KillOutcome {
  readonly rounds: number;
  readonly acknowledged: number;
  /** Acknowledged and in flight, as far as they were found again. */
  readonly commits: number;
  readonly startsKilled: number;
  readonly repacks: number;
  readonly stops: number;
  readonly gitChecks: number;
}

/** Runs the rounds; throws, and leaves the store where it is, when a promise is broken. */
export async function runKillRounds(options: KillRounds): Promise<KillOutcome> {
  const total = { rounds: 0, acknowledged: 0, commits: 0, startsKilled: 0, repacks: 0, stops: 0, gitChecks: 0 };
  const random = createRandom({ seed: options.seed });
  while (total.rounds < options.rounds) {
    const directory = mkdtempSync(join(options.directory ?? tmpdir(), "xs-kill-"));
    const store = new Store(options, directory, random, total);
    const rounds = Math.min(options.roundsPerStore, options.rounds - total.rounds);
    try {
      for (let round = 1; round <= rounds; round++) {
        await store.round(round % options.roundsPerGitCheck === 0);
        total.rounds++;
        if (total.rounds % 10 === 0) options.report?.(JSON.stringify(total));
      }
      await store.finish();
    } catch (error) {
      const where = `round ${String(total.rounds + 1)}, seed ${String(options.seed)}, state in ${directory}`;
      throw new Error(`${where}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  }
  return total;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** One state directory and the writers that write to it. */
class Store {
  readonly #options: KillRounds;
  readonly #directory: string;
  readonly #random: Random;
  readonly #total: Mutable<KillOutcome>;
  readonly #writers: readonly Writer[] = createWriters();
  /** Those that write to the fork. */
  readonly #forkWriters: readonly Writer[] = createWriters();
  #isForked = false;

  constructor(options: KillRounds, directory: string, random: Random, total: Mutable<KillOutcome>) {
    this.#options = options;
    this.#directory = directory;
    this.#random = random;
    this.#total = total;
  }

  /** Starts, compares, and kills under load. */
  async round(checksGit: boolean): Promise<void> {
    const daemon = await this.#start();
    let repack: Promise<void> | undefined;
    try {
      await this.#compare(daemon, checksGit);
      const load = this.#write(daemon);
      await delay(10 + this.#random.below(LOAD_MILLISECONDS_MAX));
      if (this.#random.fraction() < 0.25) {
        repack = this.#repack(daemon.repository);
        await delay(this.#random.below(80));
      }
      if (this.#random.fraction() < 0.25) await this.#stop(daemon);
      await daemon.kill("SIGKILL");
      this.#total.acknowledged += await load;
    } finally {
      if (daemon.isRunning()) await daemon.kill("SIGKILL");
      await repack;
    }
  }

  /** Compares once more, the history too, and ends the daemon gently. */
  async finish(): Promise<void> {
    const daemon = await this.#start();
    try {
      this.#total.commits += await this.#compare(daemon, true);
    } finally {
      await daemon.kill();
    }
  }

  async #start(): Promise<DaemonProcess> {
    const { command, durability } = this.#options;
    const start = { directory: this.#directory, command, flags: ["--durability", durability, "--seal-ms", "100"] };
    while (this.#random.fraction() < 0.2) {
      this.#total.startsKilled++;
      await killDuringStart(start, this.#random.below(START_MILLISECONDS_MAX));
    }
    if (this.#options.hasFork !== true || this.#isForked) return startDaemon(start);
    const daemon = await startDaemon({ ...start, hasConsole: true });
    const admin = adminClient(join(daemon.runDirectory, "admin.sock"));
    // Behind the first commit, so that its seq is counted as main's.
    await admin.send("POST", FORKS_ROUTE, { name: FORK, revision: "@{1}" });
    this.#isForked = true;
    return daemon;
  }

  async #write(daemon: DaemonProcess): Promise<number> {
    const main = writeUntilGone(daemon.socket, this.#writers);
    const fork = this.#isForked ? writeUntilGone(forkSocket(daemon), this.#forkWriters) : 0;
    return (await main) + (await fork);
  }

  async #compare(daemon: DaemonProcess, checksGit: boolean): Promise<number> {
    if (checksGit) this.#total.gitChecks++;
    const seq = await compareStore(daemon, this.#writers, { checksGit });
    if (!this.#isForked) return seq;
    const connect = (): Promise<WireClient> => connectWhenServed(forkSocket(daemon));
    const fork = { connect, repository: daemon.repository, branch: FORK };
    return seq + (await compareStore(fork, this.#forkWriters, { checksGit }));
  }

  /** What a person may do at any time. It may fail: the daemon dies, and with it packs that it was about to name. */
  async #repack(repository: string): Promise<void> {
    this.#total.repacks++;
    const words = this.#random.fraction() < 0.5 ? ["gc", "--quiet", "--prune=now"] : ["repack", "-adfq"];
    await run("git", ["-C", repository, ...words]).catch(() => undefined);
  }

  /** The process stands still for a while, and may die before it moves again. */
  async #stop(daemon: DaemonProcess): Promise<void> {
    this.#total.stops++;
    process.kill(daemon.pid, "SIGSTOP");
    await delay(this.#random.below(STOP_MILLISECONDS_MAX));
    if (this.#random.fraction() < 0.5) {
      process.kill(daemon.pid, "SIGCONT");
      await delay(this.#random.below(STOP_MILLISECONDS_MAX));
    }
  }
}

const FORK = "fork";

function forkSocket({ runDirectory }: DaemonProcess): string {
  return join(runDirectory, "branches", FORK);
}

/** A fork is served some moments after main. */
async function connectWhenServed(socket: string): Promise<WireClient> {
  for (let tries = 0; tries < FORK_TRIES_MAX; tries++) {
    try {
      if (existsSync(socket)) return await connectClient(socket);
    } catch (error) {
      // A socket has its name a moment before it takes connections.
      if ((error as NodeJS.ErrnoException).code !== "ECONNREFUSED") throw error;
    }
    await delay(FORK_TRY_MILLISECONDS);
  }
  return await connectClient(socket);
}

/** A branch that is served. */
export interface ServedBranch extends Pick<DaemonProcess, "connect" | "repository"> {
  /** Main unless given. */
  readonly branch?: string;
}

/**
 * Compares a daemon that was started again with what the writers were promised, over the wire, and where asked for in Git;
 * returns the seq that was found.
 *
 * @throws when a promise is broken
 */
export async function compareStore(
  { connect, repository, branch = MAIN_BRANCH }: ServedBranch,
  writers: readonly Writer[],
  { checksGit }: { readonly checksGit: boolean },
): Promise<number> {
  const client = await connect();
  const nodes = await readAll(client, pathsOf(writers));
  const seq = settle(writers, (path) => nodes.get(path));
  const found = /^seq: ([0-9]+)$/m.exec(await client.must("CONTROL", ["history"]))?.[1];
  if (found !== String(seq)) throw new Error(`the seq is ${String(found)}, and the writes make ${String(seq)}`);
  const check = await client.must("CONTROL", ["check"]);
  if (check !== "OK") throw new Error(`CONTROL check: ${check}`);
  if (checksGit) {
    await client.must("CONTROL", ["flush"]);
    await checkGit({ repository, branch }, writers, seq);
  }
  client.destroy();
  return seq;
}

interface CheckedBranch {
  readonly repository: string;
  readonly branch: string;
}

async function checkGit({ repository, branch }: CheckedBranch, writers: readonly Writer[], seq: number): Promise<void> {
  await run("git", ["-C", repository, "fsck", "--full", "--strict", "--no-dangling"]);
  const { stdout } = await run("git", ["-C", repository, "rev-list", "--count", branch]);
  const count = stdout.trim();
  if (count !== String(seq)) throw new Error(`Git counts ${count} commits, and the seq is ${String(seq)}`);
  checkTrees({ repository, branch }, writers, seq);
}

async function readAll(client: WireClient, paths: readonly string[]): Promise<Map<string, string>> {
  const requests = paths.map((path) => ({ path, requestId: client.send("READ", `${path}\0`) }));
  const found = new Map<string, string>();
  for (const { path, requestId } of requests) {
    const { payload } = await client.reply(requestId);
    if (payload !== "ENOENT\0") found.set(path, payload);
  }
  return found;
}

/** Walks the whole branch: every seq is there, and the sampled trees are states that the writers can have made. */
function checkTrees({ repository, branch }: CheckedBranch, writers: readonly Writer[], seq: number): void {
  const reader = new ObjectReader(nodeFileSystem, repository, { verifyOids: true });
  try {
    let oid: Oid | undefined = new RefStore(nodeFileSystem, repository).read(refOfBranch(branch));
    let expected = seq;
    for (; oid !== undefined; expected--) {
      const { tree, parents, trailers } = readCommit(reader, oid);
      if (trailers.seq !== expected)
        throw new Error(`Seq ${String(trailers.seq)} stands where ${String(expected)} should`);
      if (expected % TREES_SAMPLED === 0) {
        const root = decodeRoot(reader, tree, trailers.seq);
        const counts = writers.map((writer) => countIn(writer, (path) => getNode(root, path as Path)?.value));
        if (seqOf(counts) !== expected) {
          throw new Error(`the tree of commit ${String(expected)} is that after ${String(seqOf(counts))}`);
        }
      }
      [oid] = parents;
    }
    if (expected !== 0) throw new Error(`the history begins after commit ${String(expected)}`);
  } finally {
    reader.close();
  }
}
