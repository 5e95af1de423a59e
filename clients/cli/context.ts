/**
 * What every command works with.
 *
 * Owns the global options and the life of the client: a command that needs a daemon connects, and the connection ends with
 * the command. Commands do not reconnect: a script wants to know that the daemon went away.
 */
import { join } from "node:path";
import type { Command } from "commander";
import { bytesFromText } from "../../protocol/bytes.js";
import { connectXenstore, type XenstoreClient } from "../xenstore/client.js";
import type { CliIo } from "./io.js";
import { usageError, type ExitError } from "./exit.js";
import { chooseSocket, type ChosenSocket } from "./socket-choice.js";

/** Options that every command has. */
export interface GlobalOptions {
  readonly socket?: string;
  readonly json?: boolean;
  readonly fork?: string;
}

/** What a command is given. */
export interface CliContext {
  readonly io: CliIo;
  /** Whether results are wanted as JSON. To be asked while a command runs, not before. */
  isJson(): boolean;
  /** Whether output may have colours. */
  hasColours(): boolean;
  /** Where the daemon that the options name has its admin socket. */
  adminSocket(): string;
  /** Whether the options or the environment name a daemon, so that another history is not what is meant. */
  isDaemonNamed(): boolean;
  /** The fork that the options name, or whose socket they do; undefined where a command is about main. */
  fork(): string | undefined;
  /** What `--fork` names, which of a repository is any of its branches, also main. */
  namedFork(): string | undefined;
  /** Connects to the daemon that the options name, and closes the connection when `use` is done. */
  withClient<T>(use: (client: XenstoreClient) => Promise<T>): Promise<T>;
  /** Writes text to standard output. */
  print(text: string): Promise<void>;
}

/** Adds a command to the program; each is a file of its own in `commands/`. */
export type AddCommand = (program: Command, context: CliContext) => void;

/** What is no name of a socket, or of one elsewhere; and no branch has it. */
const NO_FILE_NAME = /^$|^\.|\//;

/** Makes the context of one run. */
export function createContext(io: CliIo, globalOptions: () => GlobalOptions): CliContext {
  const { environment } = io;
  const chosen = (): ChosenSocket => {
    const { socket, fork } = globalOptions();
    if (fork !== undefined && NO_FILE_NAME.test(fork)) throw noForksName(fork);
    return chooseSocket(socket, fork, io);
  };
  return {
    io,
    isJson: () => globalOptions().json === true,
    hasColours: () => io.isTerminal && (environment["NO_COLOR"] ?? "") === "" && environment["TERM"] !== "dumb",
    adminSocket: () => join(chosen().runDirectory, "admin.sock"),
    isDaemonNamed: () => chosen().isNamed,
    fork: () => chosen().fork,
    namedFork: () => {
      const { fork } = globalOptions();
      if (fork === "") throw noForksName(fork);
      return fork;
    },
    async withClient(use) {
      const { socket, fork } = chosen();
      if (fork !== undefined && globalOptions().fork !== undefined && !io.fileExists(socket)) {
        throw usageError(`there is no fork ${fork} that is served: xs branches lists them`);
      }
      const client = await connectXenstore(io.transport(socket), { reconnect: false });
      try {
        return await use(client);
      } finally {
        client.close();
      }
    },
    print: (text) => io.out(bytesFromText(text)),
  };
}

function noForksName(name: string): ExitError {
  return usageError(`${JSON.stringify(name)} can be no fork's name`);
}
