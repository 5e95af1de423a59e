/**
 * What the command line program has around it: streams, environment, signals, the way to a daemon.
 *
 * Owns the interface, so that tests run the program without a process, and the implementation for the process. Output is
 * bytes: a stored value need not be text.
 */
import { existsSync, readFileSync } from "node:fs";
import { once } from "node:events";
import { constants } from "node:os";
import type { ByteString } from "../../protocol/bytes.js";
import { socketTransport } from "../xenstore/socket-transport.js";
import type { Transport } from "../xenstore/transport.js";
import { EXIT_FAILURE, EXIT_OK, exitCodeOfSignal } from "./exit.js";

/** The program's surroundings. */
export interface CliIo {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether a person reads standard output. */
  readonly isTerminal: boolean;
  /** Width of the terminal in characters; undefined when there is none. */
  readonly columns: number | undefined;
  /** Writes to standard output; resolves when more may be written. */
  out(bytes: ByteString): Promise<void>;
  /** Writes text to standard error. */
  err(text: string): void;
  /** All of standard input. */
  readInput(): Promise<ByteString>;
  /** All of a file; throws when it cannot be read. */
  readFile(path: string): ByteString;
  fileExists(path: string): boolean;
  /**
   * Calls `interrupted` with the exit code when somebody ends the program: with Ctrl-C, by SIGTERM, or by closing its terminal.
   * That then ends nothing by itself, but a second time it ends the process at once. Returns how to stop that.
   */
  onInterrupt(interrupted: (exitCode: number) => void): () => void;
  /** Calls `failed` when standard output cannot be written for another reason than that its reader went; it ends the process. */
  onOutputFailure(failed: (error: Error) => void): void;
  /** The way to the daemon on a socket. */
  transport(socketPath: string): Transport;
}

/** What ends a program that somebody waits for no more. */
const ENDING_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * The process's surroundings. A reader of standard output or of standard error that goes away (`| head`) ends the process quietly;
 * what is to be undone then is a listener of its `exit`.
 */
export function processIo(): CliIo {
  const { stdin, stdout, stderr } = process;
  let outputFailed = (error: Error): void => {
    throw error;
  };
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(EXIT_OK);
    outputFailed(error);
    process.exit(EXIT_FAILURE);
  });
  stderr.on("error", (error: NodeJS.ErrnoException) => {
    // Of any other failure there is nobody to tell.
    if (error.code === "EPIPE") process.exit(EXIT_FAILURE);
  });
  return {
    environment: process.env,
    isTerminal: stdout.isTTY,
    columns: stdout.isTTY ? stdout.columns : undefined,
    async out(bytes) {
      if (!stdout.write(bytes, "latin1")) await once(stdout, "drain");
    },
    err: (text) => void stderr.write(text),
    async readInput() {
      const chunks: string[] = [];
      stdin.setEncoding("latin1");
      for await (const chunk of stdin) chunks.push(chunk as string);
      return chunks.join("");
    },
    readFile: (path) => readFileSync(path, "latin1"),
    fileExists: existsSync,
    onInterrupt(interrupted) {
      let isEnding = false;
      const end = (name: NodeJS.Signals): void => {
        const exitCode = exitCodeOfSignal(constants.signals[name]);
        if (isEnding) process.exit(exitCode);
        isEnding = true;
        interrupted(exitCode);
      };
      for (const name of ENDING_SIGNALS) process.on(name, end);
      return () => {
        for (const name of ENDING_SIGNALS) process.off(name, end);
      };
    },
    onOutputFailure: (failed) => {
      outputFailed = failed;
    },
    transport: (socketPath) => socketTransport(socketPath),
  };
}
