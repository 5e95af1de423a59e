/**
 * `npm run bench -- startup [--commits N] [--rounds R]`: how long the built daemon takes until it serves.
 *
 * Makes a state of 100,000 nodes of 32 bytes, written over 1,000 commits, and N commits (50,000 unless told) that each change one of
 * them, with a seal every 2,500 commits or more, so that the nodes and the deltas of their directories are spread over many packs;
 * then starts the daemon R times, from the call of spawn to the first line of its output. In the
 * second half of the figures 50,000 more commits are in the journal alone.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Domid, Microseconds, Path, Seq } from "../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import { openJournal } from "../../daemon/journal/journal.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import type { Change, Commit } from "../../daemon/store/commit.js";
import { median, type BenchmarkOptions, type Figures } from "./figures.js";
import { daemonNodeFlags } from "../support/node-flags.js";

const DIRECTORIES = 1000;
const NODES_PER_DIRECTORY = 100;
const PACKS = 20;
const COMMITS = 50_000;
const TAIL = 50_000;
const ROUNDS = 5;
const PERMS = parsePerms(["n0"]) as Perms;
const project = new URL("../..", import.meta.url).pathname;

function set(path: string, value: string): Change {
  return { kind: "node", path: path as Path, before: undefined, after: { value, perms: PERMS } };
}

function commitOf(seq: number, changes: readonly Change[]): Commit {
  return {
    seq: seq as Seq,
    time: (1_767_225_600_000_000 + seq * 100) as Microseconds,
    origin: { domid: 0 as Domid, connection: "socket-1", transaction: undefined },
    base: (seq - 1) as Seq,
    requests: [],
    requestsOmitted: 0,
    changes,
  };
}

/** Commit `seq`: the first 1,000 make a directory each, the others change one value, every directory in turn. */
function commitAt(seq: number): Commit {
  const index = seq - 1;
  const directory = `/fill/${String(index % DIRECTORIES)}`;
  const value = String(seq).padStart(32, "0");
  if (index >= DIRECTORIES) {
    const node = Math.floor(index / DIRECTORIES) % NODES_PER_DIRECTORY;
    return commitOf(seq, [set(`${directory}/${String(node)}`, value)]);
  }
  const changes = index === 0 ? [set("/fill", "")] : [];
  changes.push(set(directory, ""));
  for (let node = 0; node < NODES_PER_DIRECTORY; node++) {
    changes.push(set(`${directory}/${String(node)}`, `${String(node)}${value}`.slice(-32)));
  }
  return commitOf(seq, changes);
}

function makeState(stateDirectory: string, { commits, tail }: { commits: number; tail: number }): void {
  const repositoryDirectory = join(stateDirectory, "store.git");
  createRepository(nodeFileSystem, repositoryDirectory);
  const place = { repositoryDirectory, ref: MAIN_REF, hostName: "bench" };
  const recorder = new HistoryRecorder({ fileSystem: nodeFileSystem, ...place });
  const sealed = DIRECTORIES + commits;
  const commitsPerSeal = Math.ceil(sealed / PACKS);
  for (let seq = 1; seq <= sealed; seq++) {
    recorder.record(commitAt(seq));
    if (recorder.isFull || seq % commitsPerSeal === 0) recorder.seal();
  }
  recorder.seal();
  recorder.close();
  const { journal } = openJournal({
    fileSystem: nodeFileSystem,
    directory: join(stateDirectory, "journal/main"),
    after: sealed as Seq,
    durability: "process",
  });
  for (let seq = sealed + 1; seq <= sealed + tail; seq++) journal.append([commitAt(seq)]);
  journal.close();
}

/** Starts the daemon and kills it at its first line; returns the milliseconds in between. */
async function start(directory: string): Promise<number> {
  const program = join(project, "dist/daemon/main.js");
  if (!existsSync(program)) throw new Error("there is no built daemon: npm run build");
  const begin = performance.now();
  const child = spawn(process.execPath, [...daemonNodeFlags(), program, "--dir", directory, "--log-level", "warn"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  await once(createInterface({ input: child.stdout }), "line");
  const milliseconds = performance.now() - begin;
  // Not SIGTERM: it would record the journal's tail, and the next start would find none.
  child.kill("SIGKILL");
  await exited;
  return milliseconds;
}

/** `npm run bench -- startup [--commits N] [--rounds R]`, without a tail in the journal and with one. */
export async function benchStartup({ commits = COMMITS, rounds = ROUNDS }: BenchmarkOptions): Promise<Figures> {
  return {
    "all sealed": await measureStartup({ commits, tail: 0, rounds }),
    "a tail in the journal": await measureStartup({ commits, tail: TAIL, rounds }),
  };
}

async function measureStartup(options: { commits: number; tail: number; rounds: number }): Promise<Figures> {
  const { commits, tail, rounds } = options;
  const directory = mkdtempSync(join(tmpdir(), "xenstore-bench-"));
  try {
    makeState(join(directory, "state"), { commits, tail });
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) times.push(Math.round(await start(directory)));
    const packs = nodeFileSystem
      .list(join(directory, "state/store.git/objects/pack"))
      .filter((name) => name.endsWith(".pack"));
    return {
      commits,
      tail,
      nodes: DIRECTORIES * NODES_PER_DIRECTORY,
      packs: packs.length,
      medianMilliseconds: median(times),
      leastMilliseconds: Math.min(...times),
      mostMilliseconds: Math.max(...times),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
