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
import { mainThreadSeconds, processSeconds, residentBytes } from "./process-figures.js";
import { daemonNodeFlags } from "../support/node-flags.js";

/** A daemon that serves a benchmark. */
export interface BenchDaemon {
  readonly socket: string;
  /** What runs: `built` or `source` of ours, or `peer`. */
  readonly program: "built" | "source" | "peer";
  /** Resident memory now, in bytes. */
  residentBytes(): number;
  /** Processor time that its main thread has had, in seconds. */
  mainThreadSeconds(): number;
  /** Processor time that all its threads have had, in seconds. */
  processSeconds(): number;
  stop(): Promise<void>;
}

/** What to start. */
export interface BenchDaemonStart {
  /** Path of the program below the project, without its extension; the daemon itself unless told. */
  readonly entry?: string;
  /** More flags. */
  readonly flags?: readonly string[];
}

const DAEMON = "daemon/main";

const project = new URL("../..", import.meta.url).pathname;

/** Starts a daemon and waits for its sockets. */
export async function startBenchDaemon(start: BenchDaemonStart = {}): Promise<BenchDaemon> {
  const { entry = DAEMON, flags = [] } = start;
  const directory = mkdtempSync(join(tmpdir(), "xenstore-bench-"));
  const isBuilt = existsSync(join(project, "dist", `${DAEMON}.js`));
  if (isBuilt && entry !== DAEMON) buildBeside(entry);
  const program = isBuilt ? [join(project, "dist", `${entry}.js`)] : ["--import", "tsx", join(project, `${entry}.ts`)];
  const words = [...daemonNodeFlags(), ...program, "--dir", directory, "--log-level", "warn", ...flags];
  const child = spawn(process.execPath, words, { cwd: project, stdio: ["ignore", "pipe", "inherit"] });
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => {
      rmSync(directory, { recursive: true, force: true });
      resolve();
    });
  });
  for await (const line of createInterface({ input: child.stdout })) if (line.startsWith("Git repository")) break;
  const { pid = 0 } = child;
  if (child.exitCode !== null) throw new Error(`the daemon ended with ${String(child.exitCode)} before it served`);
  return {
    socket: join(directory, "run/socket"),
    program: isBuilt ? "built" : "source",
    residentBytes: () => residentBytes(pid),
    mainThreadSeconds: () => mainThreadSeconds(pid),
    processSeconds: () => processSeconds(pid),
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
