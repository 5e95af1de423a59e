import { describe, expect, test } from "vitest";
import { absolutePath, requestOfLine, requestOfTrace } from "../../../../../clients/explorer/boot/told-request.js";

const origin = { time: 0, connection: "domain-5-3", domain: 5 };

describe("requestOfLine", () => {
  test.each([
    ['WRITE /a/b "c d"', { operation: "WRITE", subject: "/a/b", detail: "c d" }],
    ['WRITE /a ""', { operation: "WRITE", subject: "/a", detail: "" }],
    ['WRITE /a "abc"... (4096 bytes)', { operation: "WRITE", subject: "/a", detail: "abc…" }],
    ["SET_PERMS /a n0 r5", { operation: "SET_PERMS", subject: "/a", detail: "n0 r5" }],
    ["RM /a", { operation: "RM", subject: "/a", detail: "" }],
    ["INTRODUCE 5 233473 1", { operation: "INTRODUCE", subject: "5", detail: "233473 1" }],
  ])("reads %s", (line, request) => {
    expect(requestOfLine(line)).toEqual(request);
  });

  test("is undefined for the line that tells how many are left out", () => {
    expect(requestOfLine("... 17 more")).toBeUndefined();
  });
});

describe("requestOfTrace", () => {
  test.each([
    ["WRITE", "device/vif/0/state\x004", { subject: "/local/domain/5/device/vif/0/state", detail: "4" }],
    ["SET_PERMS", "/a\0n0\0r5\0", { subject: "/a", detail: "n0 r5" }],
    ["WATCH", "@introduceDomain\0token\0", { subject: "@introduceDomain", detail: "token" }],
    ["TRANSACTION_START", "\0", { subject: "", detail: "" }],
    ["TRANSACTION_END", "F\0", { subject: "", detail: "F" }],
    ["GET_DOMAIN_PATH", "7\0", { subject: "7", detail: "" }],
  ])("reads %s", (operation, payload, told) => {
    expect(requestOfTrace({ ...origin, operation, payload })).toEqual({ operation, ...told });
  });

  test("tells what is left of a request whose payload was left out", () => {
    expect(requestOfTrace({ ...origin, operation: "WRITE" })).toEqual({ operation: "WRITE", subject: "", detail: "" });
  });
});

describe("absolutePath", () => {
  test("leaves special paths and absolute ones as they are", () => {
    expect(["/a", "@releaseDomain", "", "device"].map((path) => absolutePath(path, 7))).toEqual([
      "/a",
      "@releaseDomain",
      "",
      "/local/domain/7/device",
    ]);
  });
});
