import { describe, expect, it } from "vitest";
import type { TracedReply, TracedRequest } from "../../../../protocol/request-trace.js";
import { compareAnswers } from "../../../../simulator/replay/compare.js";
import type { Answer } from "../../../../simulator/replay/raw-session.js";

const compare = (operation: TracedRequest["operation"], expected: TracedReply | undefined, got: Answer, payload = "") =>
  compareAnswers({ operation }, payload, { expected, got });

describe("compareAnswers", () => {
  it("tells differences that say something", () => {
    expect(compare("READ", "a", "a")).toBe("same");
    expect(compare("READ", "a", "b")).toBe("data");
    expect(compare("READ", "a", { error: "ENOENT" })).toBe("error");
    expect(compare("READ", { error: "ENOENT" }, "a")).toBe("error");
    expect(compare("READ", { error: "ENOENT" }, { error: "EACCES" })).toBe("error");
    expect(compare("READ", { error: "ENOENT" }, { error: "ENOENT" })).toBe("same");
    expect(compare("READ", "a", { lost: "gone" })).toBe("lost");
    expect(compare("DIRECTORY", "a\0b\0", "a\0")).toBe("data");
    expect(compare(99, { error: "ENOSYS" }, { error: "EINVAL" })).toBe("error");
  });

  it("knows what no replay can repeat", () => {
    expect(compare("TRANSACTION_START", "1\0", "2\0")).toBe("transactionId");
    expect(compare("DIRECTORY", "a\0b\0", "b\0a\0")).toBe("order");
    expect(compare("DIRECTORY_PART", "1\0a\0b\0\0", "2\0a\0b\0\0")).toBe("generation");
    expect(compare("DIRECTORY_PART", "1\0a\0b\0\0", "2\0b\0a\0\0")).toBe("order");
    expect(compare("DIRECTORY_PART", "1\0a\0b\0\0", "1\0a\0b\0")).toBe("data");
    expect(compare("TRANSACTION_END", "OK\0", { error: "EAGAIN" })).toBe("conflict");
    expect(compare("TRANSACTION_END", { error: "EAGAIN" }, "OK\0")).toBe("conflict");
    expect(compare("CONTROL", "1", "2", "history\0")).toBe("controlText");
    expect(compare("CONTROL", "1", "2", "domain\0destroy\0")).toBe("data");
  });

  it("takes any success for a reply that was redacted", () => {
    expect(compare("READ", undefined, "secret")).toBe("same");
    expect(compare("READ", undefined, { error: "ENOENT" })).toBe("error");
  });
});
