/**
 * A daemon of its own for a benchmark: in a temporary directory, built if there is a build, ended by its pid.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A daemon that serves a benchmark. */
export interface BenchDaemon {
  readonly socket: string;
  /** What runs: `built` or `source`. */
  readonly program: string;
  /** Resident memory now, in bytes. */
  residentBytes(): number;
  stop(): Promise<void>;
}

/** What the first line of `daemon/main.ts` gives to the installed program. */
const NODE_FLAGS = ["--max-semi-space-size=4"];

const project = new URL("../..", import.meta.url).pathname;

/** Starts a daemon and waits for its sockets. */
export async function startBenchDaemon(): Promise<BenchDaemon> {
  const directory = mkdtempSync(join(tmpdir(), "xenstore-bench-"));
  const built = join(project, "dist/daemon/main.js");
  const isBuilt = existsSync(built);
  const program = isBuilt ? [built] : ["--import", "tsx", join(project, "daemon/main.ts")];
  const child = spawn(process.execPath, [...NODE_FLAGS, ...program, "--dir", directory, "--log-level", "warn"], {
    cwd: project,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => {
      rmSync(directory, { recursive: true, force: true });
      resolve();
    });
  });
  for await (const line of createInterface({ input: child.stdout })) if (line.startsWith("Git repository")) break;
  return {
    socket: join(directory, "run/socket"),
    program: isBuilt ? "built" : "source",
    residentBytes: () => residentBytes(child.pid ?? 0),
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/** `VmRSS` of a process: all of its threads, none of its children. */
function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+([0-9]+) kB$/m.exec(readFileSync(`/proc/${String(pid)}/status`, "utf8"));
  if (match?.[1] === undefined) throw new Error(`process ${String(pid)} tells no VmRSS`);
  return Number(match[1]) * 1024;
}
