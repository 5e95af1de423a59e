import { describe, expect, test } from "vitest";
import {
  formatHttpAddress,
  hostsOf,
  isHostName,
  isLoopback,
  parseHttpAddress,
} from "../../../../daemon/http/http-address.js";

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
  test("has the names of this machine for its own addresses, and those that it is told", () => {
    const plain = { names: ["Host.example"], scheme: "http" } as const;
    expect(isLoopback("127.0.0.1") && isLoopback("::1")).toBe(true);
    const own = ["127.0.0.1:5", "[::1]:5", "host.example:5", "localhost:5"];
    expect([...hostsOf({ host: "::1", port: 5 }, plain)].sort()).toEqual(own);
    expect(isLoopback("10.0.0.1")).toBe(false);
    expect([...hostsOf({ host: "10.0.0.1", port: 5 }, plain)]).toEqual(["10.0.0.1:5", "host.example:5"]);
  });

  test("has them without a port where that is the scheme's own, which browsers leave out", () => {
    const names = ["xen.example"];
    const at = (port: number, scheme: "http" | "https") => hostsOf({ host: "10.0.0.1", port }, { names, scheme });
    expect(["xen.example", "xen.example:443"].every((host) => at(443, "https").has(host))).toBe(true);
    expect(at(80, "http").has("xen.example")).toBe(true);
    expect(at(443, "http").has("xen.example") || at(80, "https").has("xen.example")).toBe(false);
  });
});

describe("isHostName", () => {
  test("takes names and addresses, and nothing with a port", () => {
    expect(["xen.example", "10.0.0.1", "[fe80::1]", "a"].map(isHostName)).toEqual([true, true, true, true]);
    expect(["", "xen.example:443", "fe80::1", "a b", "-a", "a."].map(isHostName)).toEqual(Array(6).fill(false));
  });
});
