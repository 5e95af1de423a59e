/**
 * How Node is started for the installed daemon.
 */
import { readFileSync } from "node:fs";

/** The flags in the first line of `daemon/main.ts`, which whoever starts the program by Node's name has to give. */
export function daemonNodeFlags(): readonly string[] {
  const [line = ""] = readFileSync(new URL("../../daemon/main.ts", import.meta.url), "utf8").split("\n", 1);
  return line.split(" ").filter((word) => word.startsWith("--"));
}
