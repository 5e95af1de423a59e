#!/usr/bin/env node
/**
 * The process entry of `xs`.
 */
import { processIo } from "./io.js";
import { runProgram } from "./program.js";

// Not process.exit: what is still on its way to standard output would be lost.
process.exitCode = await runProgram(process.argv.slice(2), processIo());
