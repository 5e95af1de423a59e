import { describe, expect, test } from "vitest";
import { formatHttpAddress, hostsOf, isLoopback, parseHttpAddress } from "../../../../daemon/http/http-address.js";

describe("parseHttpAddress", () => {
  test.each([
    ["127.0.0.1:7437", "127.0.0.1", 7437],
    ["localhost:0", "127.0.0.1", 0],
    ["[::1]:65535", "::1", 65_535],
    ["0.0.0.0:80", "0.0.0.0", 80],
  ])("takes %s, and it can be written again", (text, host, port) => {
    const address = parseHttpAddress(text);
    expect(address).toEqual({ host, port });
    if (host !== "127.0.0.1" || port !== 0) expect(formatHttpAddress({ host, port })).toBe(text);
  });

  test.each([
    "",
    "7437",
    "127.0.0.1",
    "127.0.0.1:65536",
    "127.0.0.256:1",
    "::1:80",
    "[127.0.0.1]:80",
    "example.org:80",
  ])("takes no %j", (text) => {
    expect(parseHttpAddress(text)).toBeUndefined();
  });
});

describe("hostsOf", () => {
  test("has the names of this machine for its own addresses, and for another only what it is told", () => {
    expect(isLoopback("127.0.0.1") && isLoopback("::1")).toBe(true);
    expect([...hostsOf({ host: "::1", port: 5 }, ["ignored"])].sort()).toEqual([
      "127.0.0.1:5",
      "[::1]:5",
      "localhost:5",
    ]);
    expect(isLoopback("10.0.0.1")).toBe(false);
    expect([...hostsOf({ host: "10.0.0.1", port: 5 }, ["Host.example"])]).toEqual(["10.0.0.1:5", "host.example:5"]);
  });
});
