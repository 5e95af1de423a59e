/**
 * Processes that listen, for tests: `test/contract/fixtures/listener-process.ts` with what it says and how it ends.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";

const project = resolve(import.meta.dirname, "..", "..");
const FIXTURE = resolve(project, "test/contract/fixtures/listener-process.ts");

/** A process that listens. */
export interface ListenerProcess {
  readonly child: ChildProcess;
  /** What it has written, to standard output and standard error. */
  readonly output: () => string;
  /** Resolves to the first match of what it writes; rejects when it has ended without one. */
  readonly says: (pattern: RegExp) => Promise<RegExpExecArray>;
  /** Resolves to its exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>;
}

/** How to start it. */
export interface ListenerProcessStart {
  readonly mode: "end" | "exit" | "threads" | "exhaust" | "stress";
  /** A kind of listener, or the file of a reactor addon. */
  readonly listener: string;
  readonly path: string;
  readonly seed?: number;
  readonly milliseconds?: number;
  readonly environment?: NodeJS.ProcessEnv;
  /** Most files that it may have open; as many as this process when left out. */
  readonly openFilesMax?: number;
}

/** Starts it. */
export function startListenerProcess(start: ListenerProcessStart): ListenerProcess {
  const { mode, listener, path, seed = 0, milliseconds = 0, environment = {}, openFilesMax } = start;
  const limit = openFilesMax === undefined ? "" : `ulimit -n ${String(openFilesMax)} && `;
  const words = ["--import", "tsx", FIXTURE, mode, listener, path, String(seed), String(milliseconds)];
  const child = spawn("sh", ["-c", `${limit}exec "$@"`, "sh", process.execPath, ...words], {
    cwd: project,
    env: { ...process.env, ...environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  }
  const ended = new Promise<number | string>((done) => {
    child.once("close", (code, signal) => {
      done(code ?? String(signal));
    });
  });
  const says = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const match = pattern.exec(text);
      if (match !== null) return match;
      const outcome = await Promise.race([once(child.stdout, "data"), ended]);
      if (!Array.isArray(outcome)) throw new Error(`it ended with ${String(outcome)}: ${text}`);
    }
  };
  return { child, output: () => text, says, ended };
}

/**
 * Has a process run out of descriptors and recover, with clients that come meanwhile.
 *
 * @param connect - connects, and resolves to what came until the listener closed the connection, or answered
 * @returns processor time in milliseconds that it took per second while it had none
 */
export async function runOutOfDescriptors(
  process: ListenerProcess,
  connect: () => Promise<string>,
): Promise<{ readonly meanwhile: readonly string[]; readonly milliseconds: number; readonly after: string }> {
  const order = (line: string): void => void process.child.stdin?.write(`${line}\n`);
  await process.says(/^full$/m);
  const meanwhile = await Promise.all(Array.from({ length: 8 }, connect));
  order("time");
  await process.says(/^time /m);
  await new Promise((resolveTime) => setTimeout(resolveTime, 1000));
  order("time");
  const [, milliseconds] = await process.says(/^time .*[^]*^time ([\d.]+)$/m);
  order("free");
  await process.says(/^free$/m);
  const after = await connect();
  order("end");
  return { meanwhile, milliseconds: Number(milliseconds), after };
}
