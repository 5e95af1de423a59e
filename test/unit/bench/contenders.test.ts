import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { chooseRows, parseFlags, parseVariant } from "../../bench/contenders.js";
import { findPeers, peersDirectory } from "../../bench/peers.js";

describe("chooseRows", () => {
  const rows = ["read-1", "read-10", "read-1x16", "write-1"].map((name) => ({ name }));
  const names = (...patterns: readonly string[]) => chooseRows(rows, patterns).map(({ name }) => name);

  test("takes whole names, and anything for a star", () => {
    expect(names("read-1")).toEqual(["read-1"]);
    expect(names("read-1*")).toEqual(["read-1", "read-10", "read-1x16"]);
    expect(names("*-1")).toEqual(["read-1", "write-1"]);
    expect(names("read.1")).toEqual([]);
  });

  test("takes what any of the names means, and everything without a name", () => {
    expect(names("write-1", "read-10")).toEqual(["read-10", "write-1"]);
    expect(names()).toHaveLength(4);
  });
});

describe("parseVariant", () => {
  test("separates name and flags", () => {
    expect(parseVariant("ipc=--listener node-ipc  --seal-ms=5")).toEqual({
      name: "ipc",
      flags: ["--listener", "node-ipc", "--seal-ms=5"],
    });
    expect(parseFlags(" ")).toEqual([]);
  });

  test("says how a variant is written", () => {
    expect(() => parseVariant("--seal-ms 5")).toThrow("--variant --seal-ms 5: it must be NAME=FLAGS");
  });
});

describe("findPeers", () => {
  function directoryWith(...files: readonly string[]): string {
    const directory = mkdtempSync(join(tmpdir(), "peers-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    for (const file of files) writeFileSync(join(directory, file), "");
    return directory;
  }

  test("finds both where everything is there, and says nothing", () => {
    expect(findPeers(directoryWith("libxenstub.so", "xenstored", "oxenstored"))).toEqual({
      found: ["xenstored", "oxenstored"],
    });
  });

  test("says what is missing and what is measured then", () => {
    expect(findPeers(directoryWith("libxenstub.so", "xenstored"))).toEqual({
      found: ["xenstored"],
      missing: "the directory of peers (PEERS) has no oxenstored: ours and xenstored will be measured",
    });
  });

  test("finds none without what answers for the hypervisor", () => {
    expect(findPeers(directoryWith("xenstored", "oxenstored"))).toEqual({
      found: [],
      missing: "the directory of peers (PEERS) has no libxenstub.so: ours alone will be measured",
    });
  });

  test("has the directory from PEERS", () => {
    vi.stubEnv("PEERS", "/opt/peers");
    expect(peersDirectory()).toBe("/opt/peers");
    vi.stubEnv("PEERS", "");
    expect(peersDirectory()).toMatch(/\/\.cache\/xenstore-peers$/);
  });
});
