/**
 * What the command line program has around it: streams, environment, signals, the way to a daemon.
 *
 * Owns the interface, so that tests run the program without a process, and the implementation for the process. Output is
 * bytes: a stored value need not be text.
 */
import { existsSync, readFileSync } from "node:fs";
import { once } from "node:events";
import type { ByteString } from "../../protocol/bytes.js";
import { socketTransport } from "../xenstore/socket-transport.js";
import type { Transport } from "../xenstore/transport.js";

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
  /** Calls `interrupted` when the user presses Ctrl-C, which then ends nothing by itself; returns how to stop that. */
  onInterrupt(interrupted: () => void): () => void;
  /** The way to the daemon on a socket. */
  transport(socketPath: string): Transport;
}

/** The process's surroundings. A reader of standard output that goes away (`| head`) ends the process quietly. */
export function processIo(): CliIo {
  const { stdin, stdout, stderr } = process;
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
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
      process.once("SIGINT", interrupted);
      return () => void process.off("SIGINT", interrupted);
    },
    transport: (socketPath) => socketTransport(socketPath),
  };
}
