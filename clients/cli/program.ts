/**
 * The program `xs`: its commands, its global options, and how its errors are shown.
 *
 * Owns the list of commands. A new one is a file in `commands/` with an `AddCommand`, and a line here.
 */
import { Command, CommanderError, Option } from "commander";
import { packageVersion } from "../../daemon/platform/package-version.js";
import { bytesFromText, textFromBytes } from "../../protocol/bytes.js";
import { ConflictError } from "../../protocol/http-api/history-queries.js";
import { isXenstoreError, messageOf } from "../xenstore/errors.js";
import { addBisect } from "./commands/bisect.js";
import { addBlame } from "./commands/blame.js";
import { addChmod } from "./commands/chmod.js";
import { addCompletion } from "./commands/completion.js";
import { addControl } from "./commands/control.js";
import { addDiff } from "./commands/diff.js";
import { addDump } from "./commands/dump.js";
import { addExists } from "./commands/exists.js";
import { addFork, addMerge } from "./commands/fork.js";
import { addHelp } from "./commands/help.js";
import { addList } from "./commands/list.js";
import { addLoad } from "./commands/load.js";
import { addLog } from "./commands/log.js";
import { addLs } from "./commands/ls.js";
import { addMkdir } from "./commands/mkdir.js";
import { addPerms } from "./commands/perms.js";
import { addRead } from "./commands/read.js";
import { addRevert, addRollback } from "./commands/rollback.js";
import { addRm } from "./commands/rm.js";
import { addShow } from "./commands/show.js";
import { addBranches, addTag, addTags } from "./commands/tag.js";
import { addTop } from "./commands/top.js";
import { addTxn } from "./commands/txn.js";
import { addUrl } from "./commands/url.js";
import { addWatch } from "./commands/watch.js";
import { addWhy, addWhyNot } from "./commands/why.js";
import { addWrite } from "./commands/write.js";
import { createContext, type AddCommand, type GlobalOptions } from "./context.js";
import { ExitError, EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./exit.js";
import { jsonText } from "./format.js";
import { examples } from "./help-text.js";
import type { CliIo } from "./io.js";

/** The commands, in the order of the help. */
const COMMANDS: readonly AddCommand[] = [
  addLs,
  addRead,
  addWrite,
  addList,
  addExists,
  addMkdir,
  addRm,
  addPerms,
  addChmod,
  addWatch,
  addTxn,
  addControl,
  addTop,
  addUrl,
  addLog,
  addShow,
  addWhy,
  addWhyNot,
  addRollback,
  addRevert,
  addFork,
  addMerge,
  addTag,
  addTags,
  addBranches,
  addDiff,
  addBlame,
  addDump,
  addLoad,
  addBisect,
  addCompletion,
  addHelp,
];

const HELP = `
A PATH begins with /, such as /local/domain/5/name. One that does not is below
the domain's own directory: /local/domain/0, also in a history, or that of the
guest whose socket it is. Values are shown as the xenstore-* tools show them:
bytes that are not printable ASCII as \\n, \\001 or \\xff.

The daemon is the one on --socket; else on $XENSTORED_PATH, on
$XENSTORED_RUNDIR/socket, on ./.xenstore/run/socket if that exists, or on
/run/xenstored/socket. The socket of a guest (RUN/domains/DOMID) gives that
guest's view. A history is the daemon's, or that of the repository that --repo
names. With $NO_COLOR set nothing has colours.

Exit codes:
  0    done
  1    the daemon refused or could not be reached, or the answer is no
  2    a bad command line or script; of a history: no such commit or node in it
  130  ended by Ctrl-C; 143 by SIGTERM, 129 by SIGHUP
With --json an error is JSON too, on a line of standard error; warnings and
progress are text there.
${examples(["xs ls /local/domain", "xs write /a/b hello && xs read /a/b", "xs watch / & xs rm /a", "xs help txn"])}`;

function createProgram(io: CliIo): Command {
  const program = new Command("xs")
    .description("Talks to a XenStore daemon: any xenstored.")
    .version(packageVersion(import.meta.url))
    .addOption(new Option("--socket <path>", "the daemon's socket"))
    .addOption(
      new Option(
        "--fork <fork>",
        "be about this fork of the daemon (xs fork), and not about main; with --repo, any branch",
      ),
    )
    .addOption(new Option("--json", "print results, and errors, as JSON"))
    .addHelpText("after", HELP)
    .configureOutput({
      writeOut: (text) => void io.out(bytesFromText(text)),
      writeErr: (text) => {
        io.err(text);
      },
      outputError: (text, write) => {
        write(program.opts<GlobalOptions>().json === true ? usageJson(text) : text);
      },
    })
    .configureHelp({ showGlobalOptions: true, commandDescription: flowingDescription })
    .exitOverride();
  const context = createContext(io, () => program.opts<GlobalOptions>());
  for (const add of COMMANDS) add(program, context);
  return program;
}

/** A description whose lines are as long as the terminal has them, not as the source has them; an empty one parts paragraphs. */
function flowingDescription(command: Command): string {
  return command.description().replace(/(?<!\n)\n(?!\n)/g, " ");
}

/** Runs the program with the words after its name; resolves to the exit code. */
export async function runProgram(words: readonly string[], io: CliIo): Promise<number> {
  const program = createProgram(io);
  io.onOutputFailure((error) => {
    tellError(new Error(`standard output: ${messageOf(error)}`, { cause: error }), program, io);
  });
  try {
    await program.parseAsync(words, { from: "user" });
    return EXIT_OK;
  } catch (error) {
    // Commander has said what it has to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    tellError(error, program, io);
    return error instanceof ExitError ? error.exitCode : EXIT_FAILURE;
  }
}

/** What Commander says of a bad command line, as JSON. */
function usageJson(text: string): string {
  return `${jsonText({ error: { message: text.replace(/^error: /, "").trimEnd() } })}\n`;
}

function tellError(error: unknown, program: Command, io: CliIo): void {
  const { json = false } = program.opts<GlobalOptions>();
  const message = messageOf(error);
  if (message !== "") io.err(json ? `${jsonText({ error: errorJson(error) })}\n` : `xs: ${message}\n`);
}

/** An error as JSON: the message, and what a script can decide by, where there is that. */
function errorJson(error: unknown): object {
  const message = messageOf(error);
  const refused = error instanceof ExitError && error.cause !== undefined ? error.cause : error;
  if (isXenstoreError(refused)) {
    const { code, operation, subject } = refused;
    return { message, code, operation, subject: textFromBytes(subject) };
  }
  if (refused instanceof ConflictError && refused.conflicts.length > 0) {
    return { message, conflicts: refused.conflicts };
  }
  return refused instanceof Error && "code" in refused ? { message, code: refused.code } : { message };
}
