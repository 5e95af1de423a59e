/**
 * The program `xs`, run in the test's process against a store in memory.
 *
 * Owns the stand-ins for streams, files and signals.
 */
import { textFromBytes } from "../../../../protocol/bytes.js";
import { connectXenstore, type XenstoreClient } from "../../../../clients/xenstore/client.js";
import type { Transport } from "../../../../clients/xenstore/transport.js";
import type { CliIo } from "../../../../clients/cli/io.js";
import { runProgram } from "../../../../clients/cli/program.js";
import { memoryStore, type MemoryStore } from "./core-transport.js";

/** How a run ended. */
export interface RunResult {
  readonly code: number;
  /** Standard output, as bytes. */
  readonly out: string;
  readonly err: string;
}

/** What a run finds around it. */
export interface RunOptions {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Width of the terminal; none when left out. */
  readonly columns?: number;
  readonly input?: string;
  readonly files?: Readonly<Record<string, string>>;
  /** Another way to a daemon than the harness's store. */
  readonly transport?: (socketPath: string) => Transport;
  /** Called with everything written so far. */
  readonly onOutput?: (out: string) => void;
  /** The same for standard error. */
  readonly onError?: (err: string) => void;
}

/** A run that is under way. */
export interface Running {
  readonly result: Promise<RunResult>;
  /** Presses Ctrl-C. */
  interrupt(): void;
}

/** A store, and the program to use on it. */
export interface ProgramHarness {
  readonly store: MemoryStore;
  /** A client of the store, for what a test prepares and looks at. */
  readonly client: XenstoreClient;
  readonly run: (words: readonly string[], options?: RunOptions) => Promise<RunResult>;
  readonly start: (words: readonly string[], options?: RunOptions) => Running;
}

/** Makes a store and the program on it. */
export async function programHarness(): Promise<ProgramHarness> {
  const store = memoryStore();
  const start = (words: readonly string[], options: RunOptions = {}): Running => {
    let out = "";
    let err = "";
    let interrupted: ((exitCode: number) => void) | undefined;
    const io: CliIo = {
      environment: options.environment ?? {},
      isTerminal: options.columns !== undefined,
      columns: options.columns,
      out: async (bytes) => {
        out += bytes;
        options.onOutput?.(out);
      },
      err: (text) => {
        err += text;
        options.onError?.(err);
      },
      readInput: async () => options.input ?? "",
      readFile: (path) => {
        const text = options.files?.[path];
        if (text === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`);
        return text;
      },
      fileExists: (path) => options.files?.[path] !== undefined,
      onInterrupt: (call) => {
        interrupted = call;
        return () => (interrupted = undefined);
      },
      onOutputFailure: () => undefined,
      transport: options.transport ?? (() => store.transport()),
    };
    return {
      result: runProgram(words, io).then((code) => ({ code, out, err })),
      interrupt: () => {
        if (interrupted === undefined) throw new Error("nobody listens for Ctrl-C");
        interrupted(130);
      },
    };
  };
  return {
    store,
    client: await connectXenstore(store.transport(), { reconnect: false }),
    start,
    run: (words, options) => start(words, options).result,
  };
}

/** A result that is a success with this output. */
export function success(out: string): RunResult {
  return { code: 0, out, err: "" };
}

/** Reads JSON that was written as bytes. */
export function jsonOf(out: string): unknown {
  return JSON.parse(textFromBytes(out));
}
