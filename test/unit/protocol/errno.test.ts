/**
 * The error names of the wire.
 */
import { describe, expect, test } from "vitest";
import { ERROR_NAMES, isErrorName } from "../../../protocol/errno.js";

describe("ERROR_NAMES", () => {
  test("are those of io/xs_wire.h, and no other", () => {
    expect(ERROR_NAMES.join(" ")).toBe(
      "EINVAL EACCES EEXIST EISDIR ENOENT ENOMEM ENOSPC EIO ENOTEMPTY ENOSYS EROFS EBUSY EAGAIN EISCONN E2BIG EPERM",
    );
  });
});

describe("isErrorName", () => {
  test("accepts the names of the wire", () => {
    for (const name of ERROR_NAMES) expect(isErrorName(name)).toBe(true);
  });

  test.each(["", "ENOMSG", "enoent", "ENOENT\0", "ETIMEDOUT", "constructor", "__proto__"])("refuses %j", (text) => {
    expect(isErrorName(text)).toBe(false);
  });
});
