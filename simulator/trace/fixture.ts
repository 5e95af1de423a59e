/**
 * The traces that come with this project.
 *
 * Owns where they are: beside the sources, also for a built program, because the compiler copies no data.
 */
import { existsSync, readFileSync } from "node:fs";
import { parseTrace } from "./parser.js";
import type { Trace } from "./trace.js";

/** Reads a trace of `simulator/fixtures`, by the name of its file. */
export function readFixture(file: string): Trace {
  for (let directory = new URL(".", import.meta.url); ; directory = new URL("..", directory)) {
    const url = new URL(`simulator/fixtures/${file}`, directory);
    if (existsSync(url)) return parseTrace(readFileSync(url, "utf8"), file);
    if (directory.pathname === "/") throw new Error(`simulator/fixtures/${file} is missing: install the package again`);
  }
}
