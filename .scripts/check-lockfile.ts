/**
 * Checks `package.json` and `package-lock.json` of this project (`npm run check:lockfile`); the rules are in
 * `lockfile.ts`. Exits 1 when one is broken.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { findLockfileProblems, type Lockfile, type Manifest } from "./lockfile.js";

const project = resolve(import.meta.dirname, "..");

function readJson(name: string): unknown {
  return JSON.parse(readFileSync(resolve(project, name), "utf8"));
}

const lockfile = readJson("package-lock.json") as Lockfile;
const problems = findLockfileProblems(readJson("package.json") as Manifest, lockfile);
for (const problem of problems) console.error(problem);
const packages = Object.keys(lockfile.packages ?? {}).length;
console.log(`${String(packages)} locked packages, ${String(problems.length)} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
