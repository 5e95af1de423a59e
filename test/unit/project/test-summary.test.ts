/**
 * The counting of test results for the closing line of a CI run.
 */
import { describe, expect, test } from "vitest";
import { countTests } from "../../../.scripts/test-summary.js";

function file(status: string, ...tests: string[]) {
  return { status, assertionResults: tests.map((result) => ({ status: result })) };
}

describe("countTests", () => {
  test("counts what passed and failed, and nothing that was skipped", () => {
    const testResults = [file("passed", "passed", "passed", "skipped"), file("failed", "passed", "failed", "failed")];
    expect(countTests({ success: false, testResults })).toEqual({ passed: 3, failed: 2 });
    expect(countTests({ success: true, testResults: [file("passed", "passed")] })).toEqual({ passed: 1, failed: 0 });
  });

  test("counts a file that failed before its tests as one failure", () => {
    const testResults = [file("failed"), file("passed", "passed")];
    expect(countTests({ success: false, testResults })).toEqual({ passed: 1, failed: 1 });
  });

  test("counts an error outside of every test as one failure", () => {
    expect(countTests({ success: false, testResults: [file("passed", "passed")] })).toEqual({ passed: 1, failed: 1 });
  });
});
