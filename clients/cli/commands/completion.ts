/**
 * `xs completion`: the script with which a shell completes command lines of `xs`.
 */
import { Argument, type Command } from "commander";
import { COMPLETED_SHELLS, completionScript, type CompletedShell } from "../completion-script.js";
import type { CliContext } from "../context.js";
import { examples, exitCodes } from "../help-text.js";

/** Adds `xs completion`. */
export function addCompletion(program: Command, context: CliContext): void {
  program
    .command("completion")
    .summary("print a script that completes command lines")
    .description(
      "Prints a script for SHELL, bash or zsh, which completes commands, options, files, and the paths of nodes. Paths are\n" +
        "asked of the daemon that the command line names: where none is running, none are completed.",
    )
    .addArgument(new Argument("<shell>", "the shell").choices(COMPLETED_SHELLS))
    .addHelpText("after", exitCodes({ 0: "done", 2: "a bad command line" }))
    .addHelpText(
      "after",
      examples(["source <(xs completion bash)", "mkdir -p ~/.zfunc && xs completion zsh > ~/.zfunc/_xs"]),
    )
    .action(async (shell: CompletedShell) => {
      await context.print(completionScript(program, shell));
    });
}
