/**
 * Checks the direction of this project's imports (`npm run check:layers`). Exits 1 when a rule is broken.
 */
import { resolve } from "node:path";
import { checkLayers } from "./layers.js";

const project = resolve(import.meta.dirname, "..");
process.chdir(project);
const { files, imports, problems } = await checkLayers(project);
for (const problem of problems) console.error(problem);
console.log(`${String(files)} files, ${String(imports)} imports, ${String(problems.length)} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
