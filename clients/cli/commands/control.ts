/**
 * `xs control`: commands to the daemon itself, as `xenstore-control` sends them.
 */
import type { Command } from "commander";
import { bytesFromText, textFromBytes } from "../../../protocol/bytes.js";
import { isXenstoreError, messageOf } from "../../xenstore/errors.js";
import type { CliContext } from "../context.js";
import { DAEMON_EXITS, examples, exitCodes } from "../help-text.js";
import { EXIT_FAILURE, ExitError } from "../exit.js";
import { jsonLine } from "../format.js";

/** Adds `xs control`. */
export function addControl(program: Command, context: CliContext): void {
  program
    .command("control")
    .summary("send a command to the daemon")
    .description("Sends COMMAND to the daemon and prints its answer. `xs control help` lists the commands it has.")
    .argument("<command>", "what to do")
    .argument("[parameter...]", "what the command takes")
    .addHelpText("after", exitCodes(DAEMON_EXITS))
    .addHelpText("after", examples(["xs control help", "xs control flush", "xs control domain destroy 5"]))
    .action(async (command: string, parameters: string[]) => {
      const reply = await context
        .withClient((client) => client.control(bytesFromText(command), ...parameters.map(bytesFromText)))
        .catch((error: unknown) => {
          throw command === "compact" ? explainCompact(error) : error;
        });
      if (context.isJson()) await context.io.out(jsonLine({ reply: textFromBytes(reply) }));
      else if (reply !== "") await context.io.out(reply.endsWith("\n") ? reply : `${reply}\n`);
    });
}

/** The wire has no words: what `compact` takes is said here, for it is not all that names a commit elsewhere. */
function explainCompact(error: unknown): unknown {
  if (!isXenstoreError(error, "EINVAL")) return error;
  const taken =
    "compact takes one tag, branch, object id, or @{1234}, of a commit that is left, on main's socket, where no fork or branch " +
    "is built on what is before it: xs show REV tells the number of any other REV, and the daemon's log has the reason";
  return new ExitError(EXIT_FAILURE, `${messageOf(error)}: ${taken}`, { cause: error });
}
