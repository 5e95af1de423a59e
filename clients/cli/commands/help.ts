/**
 * `xs help`: the help of a command, and of the program.
 */
import type { Command } from "commander";
import { nearestWord } from "../../../protocol/predicate/nearest-word.js";
import { usageError } from "../exit.js";
import { examples, exitCodes } from "../help-text.js";

/** Adds `xs help`, in the place of commander's own, which passes over what it does not know. */
export function addHelp(program: Command): void {
  program
    .command("help")
    .summary("tell how a command is used")
    .description("Tells what COMMAND does and takes; without one, which commands there are.")
    .argument("[command]", "the command")
    .addHelpText("after", exitCodes({ 0: "done", 2: "a bad command line, or no such command" }))
    .addHelpText("after", examples(["xs help", "xs help log"]))
    .action((name: string | undefined) => {
      const command = name === undefined ? program : program.commands.find((each) => each.name() === name);
      if (command === undefined) throw usageError(unknownCommand(program, name ?? ""));
      command.outputHelp();
    });
}

function unknownCommand(program: Command, name: string): string {
  const near = nearestWord(
    name,
    program.commands.map((command) => command.name()),
  );
  return `there is no command ${JSON.stringify(name)}: ${near === undefined ? "xs help lists those that there are" : `did you mean ${near}?`}`;
}
