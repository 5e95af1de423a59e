/**
 * A daemon in a process of its own.
 *
 * Owns the process from its start to its end, and nothing of what it serves. Runs the built program where this module is
 * built, and the sources through tsx where it is not.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { machinePacing } from "../clients/xenstore/backoff.js";
import { beforeRun } from "./cannot-run-error.js";
import { withTimeLimit } from "./time-limit.js";

const START_MILLISECONDS_MAX = 30_000;
/** A daemon takes five seconds at most to end cleanly. */
const STOP_MILLISECONDS_MAX = 10_000;
const ERROR_TEXT_LENGTH_MAX = 4000;

/** A running daemon. */
export interface DaemonProcess {
  readonly pid: number;
  /** Absolute path of the directory of the sockets. */
  readonly runDirectory: string;
  /** Absolute path of the Git repository. */
  readonly repository: string;
  /** Where a browser finds the explorer, with the token; undefined where it does not. */
  readonly explorerUrl: string | undefined;
  /** Ends it and waits until it has ended; the history is complete then. */
  stop(): Promise<void>;
}

/**
 * Starts a daemon on an empty directory and waits until it serves.
 *
 * @param forBrowsers - whether people are to look on: it serves the explorer, and traces requests for it
 */
export async function startDaemonProcess(directory: string, forBrowsers = false): Promise<DaemonProcess> {
  const runDirectory = join(directory, "run");
  const looks = forBrowsers ? ["--http", "127.0.0.1:0", "--trace", join(directory, "trace.json")] : ["--http", "off"];
  const flags = ["--dir", directory, "--run", runDirectory, "--log-level", "warn", ...looks];
  const child = spawn(process.execPath, [...daemonProgram(), ...flags], { stdio: ["ignore", "pipe", "pipe"] });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-ERROR_TEXT_LENGTH_MAX);
  });
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => {
      resolve(error.message);
    });
    child.once("close", (code, signal) => {
      resolve(`it ended with ${signal ?? `exit code ${String(code)}`}`);
    });
  });
  const stop = (): Promise<void> => end(child, ended);

  const serving = new Promise<Pick<DaemonProcess, "repository" | "explorerUrl">>((resolve) => {
    const told = new Map<string, string>();
    createInterface({ input: child.stdout }).on("line", (line) => {
      const [, what = "", where = ""] = /^([^:]+): (.+)$/.exec(line) ?? [];
      told.set(what, where);
      // The admin socket is told of last, behind the address for browsers.
      const repository = told.get("Git repository");
      if (repository === undefined || (forBrowsers && !told.has("admin socket"))) return;
      resolve({ repository, explorerUrl: explorerUrl(told.get("HTTP API"), runDirectory) });
    });
  });
  const failed = ended.then((reason) => Promise.reject(new Error(reason)));
  try {
    const served = await withTimeLimit(Promise.race([serving, failed]), {
      millisecondsMax: START_MILLISECONDS_MAX,
      clock: machinePacing,
      error: (limit) => new Error(`it did not serve within ${limit}`),
    });
    return { pid: child.pid ?? 0, runDirectory, ...served, stop };
  } catch (error) {
    await stop();
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`the daemon did not start: ${reason}${errors === "" ? "" : `\n${errors.trimEnd()}`}`, {
      cause: error,
    });
  }
}

/**
 * Runs something against a daemon of its own in a temporary directory, of which nothing is left.
 *
 * @param purpose - a part of the directory's name
 */
export async function withOwnDaemon<T>(purpose: string, use: (daemon: DaemonProcess) => Promise<T>): Promise<T> {
  const directory = await beforeRun(mkdtemp(join(tmpdir(), `xenstore-${purpose}-`)));
  try {
    const daemon = await beforeRun(startDaemonProcess(directory));
    try {
      return await use(daemon);
    } finally {
      await daemon.stop();
    }
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

function explorerUrl(url: string | undefined, runDirectory: string): string | undefined {
  return url === undefined
    ? undefined
    : `${url}#token=${readFileSync(join(runDirectory, "http-token"), "latin1").trim()}`;
}

/** Node's arguments that run the daemon. */
function daemonProgram(): string[] {
  const built = fileURLToPath(new URL("../daemon/main.js", import.meta.url));
  if (existsSync(built)) return [built];
  // Resolved here, because the daemon may run in a directory from which no package is found.
  return ["--import", import.meta.resolve("tsx"), `${built.slice(0, -".js".length)}.ts`];
}

async function end(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MILLISECONDS_MAX);
  await ended;
  clearTimeout(timer);
}
