import { describe, expect, test } from "vitest";
import { bytesFromText } from "../../../../protocol/bytes.js";
import { ERROR_NAMES } from "../../../../protocol/errno.js";
import { ConnectionLostError, isXenstoreError, messageOf, XenstoreError } from "../../../../clients/xenstore/errors.js";

describe("XenstoreError", () => {
  test("says operation, path, meaning and error name", () => {
    const error = new XenstoreError({ operation: "READ", subject: "/a/b", code: "ENOENT" });
    expect(error.message).toBe("READ /a/b: does not exist (ENOENT)");
    expect([error.code, error.operation, error.subject]).toEqual(["ENOENT", "READ", "/a/b"]);
  });

  test("has a meaning for every error name of the wire", () => {
    for (const code of ERROR_NAMES) {
      const { message } = new XenstoreError({ operation: "READ", subject: "", code });
      expect(message).toMatch(new RegExp(`^READ: [a-z][a-z/, -]+ \\(${code}\\)$`));
    }
  });

  test("keeps a name that XenStore does not have", () => {
    const { message, code } = new XenstoreError({ operation: "RM", subject: "/", code: "EWEIRD" });
    expect(message).toBe("RM /: an error that XenStore does not have (EWEIRD)");
    expect(code).toBe("EWEIRD");
  });

  test("shows a subject as text, and not all of a long one", () => {
    const { message } = new XenstoreError({ operation: "READ", subject: bytesFromText("/ż"), code: "EINVAL" });
    expect(message).toContain("/ż");
    const long = new XenstoreError({ operation: "READ", subject: "/x".repeat(2000), code: "EINVAL" });
    expect(long.message.length).toBeLessThan(300);
    expect(long.subject).toHaveLength(4000);
  });
});

describe("Errors of replies and connections", () => {
  test("have no stack, and leave others theirs", () => {
    const causes = [
      new XenstoreError({ operation: "READ", subject: "/", code: "ENOENT" }),
      new ConnectionLostError("the connection was lost"),
    ];
    for (const { stack, message } of causes) {
      expect(stack).toContain(message);
      expect(stack).not.toContain("\n");
    }
    expect(new Error("another").stack).toContain("errors.test.ts");
  });
});

describe("isXenstoreError", () => {
  test("tells by class and by name", () => {
    const error = new XenstoreError({ operation: "READ", subject: "/a", code: "ENOENT" });
    expect(isXenstoreError(error)).toBe(true);
    expect(isXenstoreError(error, "EINVAL", "ENOENT")).toBe(true);
    expect(isXenstoreError(error, "EINVAL")).toBe(false);
    expect(isXenstoreError(Object.assign(new Error("no"), { code: "ENOENT" }), "ENOENT")).toBe(false);
  });
});

describe("messageOf", () => {
  test("takes anything", () => {
    expect(messageOf(new Error("why"))).toBe("why");
    expect(messageOf("text")).toBe("text");
  });
});
