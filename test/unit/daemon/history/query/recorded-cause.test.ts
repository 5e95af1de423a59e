/**
 * Which recorded commit changed an answer, with noise around it.
 */
import { describe, expect, test } from "vitest";
import { recordedCause } from "../../../../../daemon/history/query/recorded-cause.js";
import { MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import type { Domid } from "../../../../../protocol/identifiers.js";
import { questionAbout, recordSteps, type Step } from "../../../../support/stepped-history.js";

const BASE: Step = { "/c": "1", "/c/old": "1", "/c/x": "1", "/c/x/y": "1" };

/** The number of the cause among some commits on top of `BASE`, the first of which is 2; undefined where there is none. */
function causeOf(operation: string, path: string, steps: readonly Step[], isLate = () => false): number | undefined {
  const { history, question } = questionAbout(recordSteps([BASE, ...steps]));
  const { view } = question;
  const [from, to] = [2, steps.length + 1].map((seq) => view.commitWithSeq(MAIN_REF, seq as never));
  if (from === undefined || to === undefined) throw new Error("it was not recorded");
  const found = recordedCause(view, { from, to }, { operation, path, domid: 0 as Domid }, isLate);
  history.close();
  return found?.commit.trailers.seq;
}

describe("recordedCause", () => {
  const wrote: Step = { "/c": "2" };
  test.each<readonly [string, string, readonly Step[]]>([
    ["READ", "/c", [wrote, { "/c/old": "2" }, { "/c/new": "" }, { "/c": ["2", "n0 r5"] }]],
    ["READ", "/c/x/y", [{ "/c/x": undefined }, wrote]],
    ["READ", "/c/x/y", [{ "/c/x/y": undefined }, { "/c/x": undefined }]],
    ["DIRECTORY", "/c", [{ "/c/new": "" }, { "/c/old": "2" }, { "/c/x/new": "" }]],
    ["DIRECTORY", "/c", [{ "/c/x": undefined }, wrote]],
    ["DIRECTORY_PART", "/c", [{ "/c/new": "" }, { "/c/old": "2" }]],
    ["GET_PERMS", "/c", [{ "/c": ["1", "n0 r5"] }, { "/c": ["2", "n0 r5"] }]],
    ["READ", "/c", [{ "/c": ["1", "n0 r5"] }, { "/c/old": "2" }]],
    ["WRITE", "/c/new", [{ "/c": ["1", "b0"] }, { "/c/old": "2" }]],
    ["RM", "/c/x/y", [{ "/c/x": undefined }, wrote]],
  ])("finds the cause of another answer to %s %s", (operation, path, steps) => {
    expect(causeOf(operation, path, steps)).toBe(2);
  });

  test("finds none where nothing that matters was changed, or time is up", () => {
    expect(causeOf("READ", "/c", [{ "/c/old": "2" }, { "/d": "2" }])).toBeUndefined();
    expect(causeOf("READ", "/c", [wrote], () => true)).toBeUndefined();
  });
});
