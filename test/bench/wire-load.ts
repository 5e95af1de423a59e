/**
 * C programs that put load on a daemon: `load` beside the peers, and our own `load/wire-load.c`.
 *
 * Owns how they are found or compiled, run, and read. They are in C so that the daemon is measured and not the client: what
 * they cost of the machine is little, and next to nothing of it is the answer's way.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const project = new URL("../..", import.meta.url).pathname;
const SOURCE = join(project, "test/bench/load/wire-load.c");
const COMPILED = join(project, "node_modules/.cache/xenstore-bench");

/** A load that takes so much longer than it was told has hung. */
const PATIENCE_SECONDS = 180;

/** What a program's line says, by name. */
export type LoadLine = Readonly<Record<string, number>>;

/** There is no compiler; the message is for people. */
export class NoCompilerError extends Error {
  override readonly name = "NoCompilerError";
}

/**
 * Compiles our own program, unless that was done before, and returns its path.
 *
 * @throws NoCompilerError when there is no `cc`
 */
export async function compileWireLoad(): Promise<string> {
  const hash = createHash("sha256").update(readFileSync(SOURCE)).digest("hex").slice(0, 16);
  const program = join(COMPILED, `wire-load-${hash}`);
  if (existsSync(program)) return program;
  mkdirSync(COMPILED, { recursive: true });
  try {
    await run("cc", ["-O2", "-Wall", "-Wextra", "-o", program, SOURCE]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new NoCompilerError("there is no C compiler (cc), which what is measured with wire-load needs", {
      cause: error,
    });
  }
  return program;
}

/** Runs a program that prints a line, for about `seconds`. Rejects with what it said when it failed. */
export async function runLoadProgram(
  program: string,
  words: readonly (string | number)[],
  seconds: number,
): Promise<LoadLine> {
  const timeout = (seconds + PATIENCE_SECONDS) * 1000;
  const { stdout } = await run(program, words.map(String), { timeout }).catch((error: unknown) => {
    const { stderr, killed } = error as { stderr?: string; killed?: boolean };
    if (killed === true) throw new Error(`the load has not ended after ${String(timeout / 1000)} s`, { cause: error });
    throw new Error(stderr?.trim() ?? "the load failed", { cause: error });
  });
  return parseLoadLine(stdout);
}

/**
 * Reads `name=number` words; others are left out.
 *
 * @throws Error when requests were answered with errors, or otherwise than they must be
 */
export function parseLoadLine(text: string): LoadLine {
  const line: Record<string, number> = {};
  for (const [, name = "", number] of text.matchAll(/(\w+)=(-?[0-9]+(?:\.[0-9]+)?)(?=\s|$)/g))
    line[name] = Number(number);
  if ((line["errors"] ?? 0) > 0 || (line["unexpected"] ?? 0) > 0) {
    throw new Error(`the load was answered with errors: ${text.trim()}`);
  }
  if (line["ops"] === 0) throw new Error(`nothing was answered: ${text.trim()}`);
  return line;
}

/** A number that the line must have. */
export function numberOf(line: LoadLine, name: string): number {
  const value = line[name];
  if (value === undefined) throw new Error(`the load's line has no ${name}: ${Object.keys(line).join(", ")}`);
  return value;
}
