/**
 * `xs url`: where a browser finds the explorer.
 */
import type { Command } from "commander";
import { CONSOLE_ROUTE, type ConsoleAnswer } from "../../../protocol/http-api/console.js";
import type { CliContext } from "../context.js";
import { EXIT_FAILURE, ExitError } from "../exit.js";
import { jsonLine } from "../format.js";
import { examples, exitCodes } from "../help-text.js";
import { withAdmin } from "../history-source.js";

/** Adds `xs url`. */
export function addUrl(program: Command, context: CliContext): void {
  program
    .command("url")
    .summary("print the address at which a browser shows the store and its history")
    .description(
      "Prints the address of the explorer, which a browser shows: the store as of any commit, and all that happened. The " +
        "address has the daemon's token in it, so it is for nobody else.",
    )
    .addHelpText(
      "after",
      exitCodes({
        0: "done",
        1: "browsers are not served, or the daemon could not be reached",
        2: "a bad command line, or no daemon",
      }),
    )
    .addHelpText("after", examples(["xs url", `xdg-open "$(xs url)"`, "xs url --json | jq -r .url"]))
    .action(async () => {
      const { url, problem } = await withAdmin(context, (admin) => admin.get<ConsoleAnswer>(CONSOLE_ROUTE, {}));
      if (url === undefined) {
        const why = problem ?? "it was started with --http off";
        throw new ExitError(EXIT_FAILURE, `the daemon serves no browsers: ${why}`);
      }
      await (context.isJson() ? context.io.out(jsonLine({ url })) : context.print(`${url}\n`));
    });
}
