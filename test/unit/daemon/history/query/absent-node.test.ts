import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { absence } from "../../../../../daemon/history/query/absent-node.js";
import { resolveRevision } from "../../../../../daemon/history/query/resolve-revision.js";
import type { Path } from "../../../../../protocol/identifiers.js";
import { questionAbout, recordSteps } from "../../../../support/stepped-history.js";

const repository = recordSteps([
  { "/device/vif": "1" },
  { "/gone/below": "1" },
  { "/gone": undefined },
  { "/late": "1" },
  { "/gone/other": "2" },
]);
const { history, question } = questionAbout(repository);
afterAll(() => {
  history.close();
});

function at(revision: string, path: string): string {
  return absence(question, resolveRevision(question.view, revision, question.now), path as Path);
}

describe("absence", () => {
  test.each([
    ["HEAD", "/gone/below", "@{3} removed it"],
    ["@{3}", "/gone", "@{3} removed it"],
    ["@{3}", "/late", "there was none before either; below / there is device"],
    ["HEAD", "/devices/vif", "there was none before either; did you mean /device/vif?"],
    ["HEAD", "/late/x", "there was none before either; /late has no nodes below it"],
  ])("at %s of %s is: %s", (revision, path, words) => {
    expect(at(revision, path)).toBe(words);
  });

  test("says nothing of what was before where there is no time to look", () => {
    // Without an index of paths each commit is looked at.
    const slow = recordSteps([{ "/a": "1" }, { "/b": "1" }, { "/c": "1" }]);
    rmSync(join(slow, "xenstore-tng"), { recursive: true });
    const about = questionAbout(slow);
    let milliseconds = 0;
    const clock = { monotonicMilliseconds: () => (milliseconds += 1000) };
    const newest = resolveRevision(about.question.view, "HEAD", question.now);
    expect(absence({ ...about.question, clock }, newest, "/other" as Path)).toBe("below / there is a, b, c");
    about.history.close();
  });
});
