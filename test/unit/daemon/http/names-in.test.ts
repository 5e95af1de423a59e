import { describe, expect, test } from "vitest";
import { namesBranch } from "../../../../daemon/http/names-in.js";

describe("namesBranch", () => {
  test.each(["try", "try~1", "try^", "try@{3}", "heads/try", "refs/heads/try~2"])("is true of %s", (revision) => {
    expect(namesBranch(revision, "try")).toBe(true);
  });

  test.each(["try2", "a/try", "HEAD", "@{3}", "tr"])("is false of %s", (revision) => {
    expect(namesBranch(revision, "try")).toBe(false);
  });
});
