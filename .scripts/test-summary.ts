/**
 * The counts of a vitest run.
 *
 * Owns how its JSON report is counted; reads no file.
 */

/** The parts of vitest's JSON report that are looked at. */
export interface TestReport {
  /** False also for errors outside of any test. */
  readonly success: boolean;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/** How many tests passed and failed. A file, or a whole run, that failed without a failing test is one failure. */
export function countTests(report: TestReport): { passed: number; failed: number } {
  let passed = 0;
  let failed = 0;
  for (const file of report.testResults) {
    const statuses = file.assertionResults.map((result) => result.status);
    const failedHere = statuses.filter((status) => status === "failed").length;
    passed += statuses.filter((status) => status === "passed").length;
    failed += file.status === "failed" ? Math.max(1, failedHere) : failedHere;
  }
  return { passed, failed: report.success ? failed : Math.max(1, failed) };
}
