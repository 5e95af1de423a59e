import { describe, expect, it } from "vitest";
import { MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import {
  listPathIndex,
  pathIndexDirectory,
  runName,
  tailName,
} from "../../../../../daemon/history/repository/path-index-files.js";
import { createMemoryFileSystem } from "../../../../support/memory-file-system.js";

describe("pathIndexDirectory", () => {
  it("gives every branch a directory of its own", () => {
    const of = (ref: string): string => pathIndexDirectory({ repositoryDirectory: "/r", ref });
    expect(of(MAIN_REF)).toBe("/r/xenstore-tng/paths/main");
    expect(of("refs/heads/a/b")).toBe("/r/xenstore-tng/paths/a:b");
  });
});

describe("listPathIndex", () => {
  it("knows runs, tails and what is unfinished, and leaves others alone", () => {
    const memory = createMemoryFileSystem();
    memory.makeDirectory("/d");
    const names = [
      runName({ first: 1, last: 70_000 }),
      tailName(70_001),
      "1-90000.run.new",
      "README",
      "5.run",
      "1-2.tail",
      "x1-2.run",
    ];
    for (const name of names) memory.open(`/d/${name}`, "create").close();
    expect(listPathIndex(memory, "/d")).toEqual([
      { kind: "run", name: "1-70000.run", first: 1, last: 70_000 },
      { kind: "unfinished", name: "1-90000.run.new" },
      { kind: "tail", name: "70001.tail", first: 70_001 },
    ]);
    expect(listPathIndex(memory, "/nowhere")).toEqual([]);
  });
});
