import { describe, expect, test } from "vitest";
import type { Domid } from "../../../../protocol/identifiers.js";
import { bytesFromText } from "../../../../protocol/bytes.js";
import { encodeRequest } from "../../../../clients/xenstore/request.js";

describe("encodeRequest", () => {
  test("names what a request is about", () => {
    const domid = 5 as Domid;
    expect(encodeRequest("READ", { path: "/a" }, 3)).toEqual({
      operation: "READ",
      txId: 3,
      payload: "/a\0",
      subject: "/a",
    });
    expect(encodeRequest("RELEASE", { domid }, 0).subject).toBe("domain 5");
    expect(encodeRequest("CONTROL", { command: "check", parameters: [] }, 0).subject).toBe("check");
    expect(encodeRequest("GET_QUOTA", { quota: "nodes", domid }, 0).subject).toBe("nodes");
    expect(encodeRequest("TRANSACTION_START", {}, 0).subject).toBe("");
  });

  test("lets a value hold any byte", () => {
    const value = String.fromCharCode(...Array(256).keys());
    expect(encodeRequest("WRITE", { path: "/a", value }, 0).payload).toBe(`/a\0${value}`);
  });

  test("refuses a NUL that the daemon would read as the end of an argument", () => {
    expect(() => encodeRequest("WRITE", { path: "/a\0b", value: "" }, 0)).toThrow(
      "WRITE /a\\0b: the path holds a NUL byte, which ends an argument (EINVAL)",
    );
    expect(() => encodeRequest("WATCH", { path: "/a", token: "t\0" }, 0)).toThrow("the token holds a NUL byte");
    expect(() => encodeRequest("CONTROL", { command: "print", parameters: ["a", "b\0"] }, 0)).toThrow(
      "the parameters holds a NUL byte",
    );
  });

  test("refuses characters that are no bytes instead of cutting them", () => {
    expect(() => encodeRequest("WRITE", { path: "/a", value: "ż" }, 0)).toThrow(TypeError);
    expect(() => encodeRequest("READ", { path: "/ż" }, 0)).toThrow("use writeText");
    expect(encodeRequest("WRITE", { path: "/a", value: bytesFromText("ż") }, 0).payload).toBe("/a\0\xc5\xbc");
  });
});
