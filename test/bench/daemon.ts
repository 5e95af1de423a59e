/**
 * A daemon of its own for a benchmark: in a temporary directory, built if there is a build, ended by its pid.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import ts from "typescript";
import type { Figures } from "./figures.js";

/** A daemon that serves a benchmark. */
export interface BenchDaemon {
  readonly socket: string;
  /** What runs: `built` or `source`. */
  readonly program: string;
  /** Resident memory now, in bytes. */
  residentBytes(): number;
  /** Processor time that its main thread has had, in seconds. */
  mainThreadSeconds(): number;
  stop(): Promise<void>;
}

/** What to start. */
export interface BenchDaemonStart {
  /** Path of the program below the project, without its extension; the daemon itself unless told. */
  readonly entry?: string;
  /** More flags. */
  readonly flags?: readonly string[];
}

/** What the first line of `daemon/main.ts` gives to the installed program. */
const NODE_FLAGS = ["--max-semi-space-size=4"];

const DAEMON = "daemon/main";

const project = new URL("../..", import.meta.url).pathname;

/** Starts a daemon and waits for its sockets. */
export async function startBenchDaemon(start: BenchDaemonStart = {}): Promise<BenchDaemon> {
  const { entry = DAEMON, flags = [] } = start;
  const directory = mkdtempSync(join(tmpdir(), "xenstore-bench-"));
  const isBuilt = existsSync(join(project, "dist", `${DAEMON}.js`));
  if (isBuilt && entry !== DAEMON) buildBeside(entry);
  const program = isBuilt ? [join(project, "dist", `${entry}.js`)] : ["--import", "tsx", join(project, `${entry}.ts`)];
  const words = [...NODE_FLAGS, ...program, "--dir", directory, "--log-level", "warn", ...flags];
  const child = spawn(process.execPath, words, { cwd: project, stdio: ["ignore", "pipe", "inherit"] });
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
    mainThreadSeconds: () => mainThreadSeconds(child.pid ?? 0),
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/** Measures with a daemon, and says in the figures what ran. */
export async function withBenchDaemon(measure: (daemon: BenchDaemon) => Promise<Figures>): Promise<Figures> {
  const daemon = await startBenchDaemon();
  try {
    return { program: daemon.program, ...(await measure(daemon)) };
  } finally {
    await daemon.stop();
  }
}

/** Puts a program of the tests into the build, with what it imports from beside it, so that it runs as what it is compared with does. */
function buildBeside(entry: string): void {
  const source = readFileSync(join(project, `${entry}.ts`), "utf8");
  const { options } = ts.convertCompilerOptionsFromJson(
    { target: "ES2023", module: "ESNext", verbatimModuleSyntax: true },
    project,
  );
  const output = join(project, "dist", `${entry}.js`);
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(output, ts.transpileModule(source, { compilerOptions: options }).outputText);
  for (const [, name = ""] of source.matchAll(/^import .* from "\.\/(.*)\.js";$/gm))
    buildBeside(join(dirname(entry), name));
}

/** `VmRSS` of a process: all of its threads, none of its children. */
function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+([0-9]+) kB$/m.exec(readFileSync(`/proc/${String(pid)}/status`, "utf8"));
  if (match?.[1] === undefined) throw new Error(`process ${String(pid)} tells no VmRSS`);
  return Number(match[1]) * 1024;
}

/** Linux counts in hundredths of a second there, whatever its own tick is. */
const TICKS_PER_SECOND = 100;

/** `utime` and `stime` of a process's first thread. */
function mainThreadSeconds(pid: number): number {
  const text = readFileSync(`/proc/${String(pid)}/task/${String(pid)}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
