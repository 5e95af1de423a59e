/**
 * Load from another process: ours, or a C client where one is present.
 *
 * Owns how they are started and read. The C client is the program in `XENSTORE_LOAD_CLIENT`, or `load` beside the peers
 * (see `peers.ts`): it takes `-S SOCKET -o read|write|tx -c CONNECTIONS -d DEPTH -t SECONDS -w WARMUP` and prints
 * `ops_s=NUMBER`. It costs the daemon less of the machine than ours does.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { LoadOptions, LoadResult } from "./load-client.js";
import { peersDirectory } from "./peers.js";

const run = promisify(execFile);

const project = new URL("../..", import.meta.url).pathname;

/** The C client, if there is one. */
export function loadClientProgram(): string | undefined {
  const given = process.env["XENSTORE_LOAD_CLIENT"];
  if (given !== undefined && given !== "") return given;
  const beside = join(peersDirectory(), "load");
  return existsSync(beside) ? beside : undefined;
}

/** Runs a load to its end; `stream` is always ours. Rejects when a request fails. */
export async function runLoadProcess(options: LoadOptions): Promise<LoadResult> {
  const client = loadClientProgram();
  return client === undefined || options.kind === "stream" ? runOurs(options) : runClient(client, options);
}

async function runOurs(options: LoadOptions): Promise<LoadResult> {
  const words = ["--import", "tsx", join(project, "test/bench/load-client.ts"), JSON.stringify(options)];
  const { stdout } = await run(process.execPath, words, { cwd: project });
  return JSON.parse(stdout) as LoadResult;
}

async function runClient(client: string, options: LoadOptions): Promise<LoadResult> {
  const { socket, kind, connections, depth, seconds, warmupSeconds } = options;
  const words = ["-S", socket, "-o", kind, "-c", String(connections), "-d", String(depth)];
  const { stdout } = await run(client, [...words, "-t", String(seconds), "-w", String(warmupSeconds)]);
  const operations = /\bops_s=([0-9]+)/.exec(stdout)?.[1];
  if (operations === undefined || !/\berrors=0\b/.test(stdout)) throw new Error(`the load client said: ${stdout}`);
  return { operationsPerSecond: Number(operations) };
}
