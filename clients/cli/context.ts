/**
 * What every command works with.
 *
 * Owns the global options and the life of the client: a command that needs a daemon connects, and the connection ends with
 * the command. Commands do not reconnect: a script wants to know that the daemon went away.
 */
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { bytesFromText } from "../../protocol/bytes.js";
import { connectXenstore, type XenstoreClient } from "../xenstore/client.js";
import type { CliIo } from "./io.js";
import { chooseSocket } from "./socket-choice.js";

/** Options that every command has. */
export interface GlobalOptions {
  readonly socket?: string;
  readonly json?: boolean;
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
  /** Connects to the daemon that the options name, and closes the connection when `use` is done. */
  withClient<T>(use: (client: XenstoreClient) => Promise<T>): Promise<T>;
  /** Writes text to standard output. */
  print(text: string): Promise<void>;
}

/** Adds a command to the program; each is a file of its own in `commands/`. */
export type AddCommand = (program: Command, context: CliContext) => void;

/** Makes the context of one run. */
export function createContext(io: CliIo, globalOptions: () => GlobalOptions): CliContext {
  const { environment } = io;
  return {
    io,
    isJson: () => globalOptions().json === true,
    hasColours: () => io.isTerminal && (environment["NO_COLOR"] ?? "") === "" && environment["TERM"] !== "dumb",
    adminSocket: () => join(dirname(chooseSocket(globalOptions().socket, io)), "admin.sock"),
    async withClient(use) {
      const socket = chooseSocket(globalOptions().socket, io);
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
