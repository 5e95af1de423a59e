/**
 * The direction of imports in a source tree.
 *
 * Owns the run of dependency-cruiser and the proof that it saw every source file: with a TypeScript that it cannot
 * load, it sees nothing and reports success. The rules are in `.dependency-cruiser.cjs`.
 */
import { existsSync, readdirSync } from "node:fs";
import { resolve } from "node:path";
import { cruise, type ICruiseResult, type IViolation } from "dependency-cruiser";
import extractDepcruiseOptions from "dependency-cruiser/config-utl/extract-depcruise-options";

/** What was looked at and what is wrong with it, one sentence for each broken rule. */
export interface LayerReport {
  readonly files: number;
  readonly imports: number;
  readonly problems: readonly string[];
}

const configuration = resolve(import.meta.dirname, "..", ".dependency-cruiser.cjs");

/** Follows every import of the source files under `project`. */
export async function checkLayers(project: string): Promise<LayerReport> {
  const folders = ["protocol", "daemon", "clients", "simulator", "test", ".scripts"].filter((folder) =>
    existsSync(resolve(project, folder)),
  );
  const options = await extractDepcruiseOptions(configuration);
  const { output } = await cruise(folders, { ...options, baseDir: project });
  const result = output as ICruiseResult;

  const problems = result.summary.violations.map(describeViolation);
  const seen = new Set(result.modules.map((module) => module.source));
  const expected = folders.flatMap((folder) => listSourceFiles(project, folder));
  for (const file of expected) if (!seen.has(file)) problems.push(`${file} was not looked at by dependency-cruiser`);
  const imports = result.modules.flatMap((module) => module.dependencies).length;
  if (imports === 0) problems.push(`no import was found in ${String(expected.length)} files`);
  return { files: expected.length, imports, problems };
}

function listSourceFiles(project: string, folder: string): string[] {
  return readdirSync(resolve(project, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => `${folder}/${name}`);
}

function describeViolation(violation: IViolation): string {
  const { rule, from, to, cycle } = violation;
  if (cycle !== undefined) return `${rule.name}: ${[from, ...cycle.map((step) => step.name)].join(" → ")}`;
  return `${rule.name}: ${from === to ? from : `${from} → ${to}`}`;
}
