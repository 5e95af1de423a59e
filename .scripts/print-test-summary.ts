/**
 * Prints `N passed, N failed` alone on a line, from the JSON report of a vitest run.
 *
 * Owns the count: a file that failed before its tests could be counted is one failure.
 * Usage: `node --import tsx .scripts/print-test-summary.ts <report.json>`; exits 1 when anything failed.
 */
import { readFileSync } from "node:fs";
import { countTests, type TestReport } from "./test-summary.js";

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("name the JSON report of a vitest run");
const report = JSON.parse(readFileSync(file, "utf8")) as TestReport;
const { passed, failed } = countTests(report);
console.log(`${String(passed)} passed, ${String(failed)} failed`);
process.exitCode = failed === 0 ? 0 : 1;
