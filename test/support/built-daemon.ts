/**
 * The daemon as it is built, for tests that start it often: from the sources through tsx it takes five times as long.
 *
 * Owns the build: in a directory of its own, so that neither a stale `dist` is tried nor one that somebody uses is replaced.
 * `XENSTORED_TNG_COMMAND` goes before it, as everywhere.
 */
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import typescript from "typescript";
import { daemonNodeFlags } from "./node-flags.js";

const project = resolve(import.meta.dirname, "..", "..");
const SOURCES = ["protocol", "daemon"];
const REACTOR = "daemon/server/reactor";
const compilerOptions = {
  target: typescript.ScriptTarget.ES2023,
  module: typescript.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
};

/**
 * Builds the daemon below an empty directory, and returns its command line without flags.
 *
 * Each module is translated as the compiler does it, for itself: to check types as well would take longer than the test.
 */
export function buildDaemon(directory: string): readonly string[] {
  const given = process.env["XENSTORED_TNG_COMMAND"]?.trim();
  if (given !== undefined && given !== "") return given.split(/\s+/);
  // Its modules are found, and known to be modules, by what lies beside it.
  for (const name of ["package.json", "node_modules"]) symlinkSync(join(project, name), join(directory, name));
  // The reactor, where it is built: without it another listener would be tried than with the sources.
  mkdirSync(join(directory, REACTOR), { recursive: true });
  symlinkSync(join(project, REACTOR, "build"), join(directory, REACTOR, "build"));
  for (const folder of SOURCES) {
    for (const name of readdirSync(join(project, folder), { recursive: true, encoding: "utf8" })) {
      if (!name.endsWith(".ts") || name.endsWith(".d.ts")) continue;
      const source = join(project, folder, name);
      const target = join(directory, "dist", folder, name.replace(/ts$/, "js"));
      const output = typescript.transpileModule(readFileSync(source, "utf8"), { compilerOptions });
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, output.outputText);
    }
  }
  return [process.execPath, ...daemonNodeFlags(), join(directory, "dist", "daemon", "main.js")];
}
