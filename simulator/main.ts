#!/usr/bin/env node
/**
 * The process entry of `xs-sim`, the simulator: traffic of virtual machines that do not exist.
 *
 * Owns the list of commands. Exit codes: 0, 1 when it ran and something went wrong or differs, 2 when it could not be run, 130 interrupted.
 */
import { Command } from "commander";
import { packageVersion } from "../daemon/platform/package-version.js";
import { demoCommand } from "./demo/command.js";
import { bootCommand, faultsCommand, stormCommand } from "./storm/command.js";
import { importCommand } from "./import/command.js";
import { replayCommand } from "./replay/command.js";

const program = new Command("xs-sim")
  .description("Plays XenStore traffic of virtual machines that do not exist.")
  .version(packageVersion(import.meta.url))
  .addCommand(demoCommand())
  .addCommand(bootCommand())
  .addCommand(stormCommand())
  .addCommand(faultsCommand())
  .addCommand(replayCommand())
  .addCommand(importCommand())
  .exitOverride((error) => {
    process.exit(error.exitCode === 0 ? 0 : 2);
  });

let isOutputLost = false;
// Whoever read the output may go at any time, and without a listener that would end the process in the middle of its work.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE" || isOutputLost) return;
  isOutputLost = true;
  process.stderr.write(`xs-sim: standard output: ${error.message}\n`);
  process.once("exit", (code) => {
    if (code === 0) process.exitCode = 1;
  });
});

await program.parseAsync();
