/** Packs read back with the project's own reader; real Git reads them in `test/interop/git-history.test.ts`. */
import { describe, expect, it } from "vitest";
import { hashObject, hexFromOid, type Oid } from "../../../../../daemon/history/object/oid.js";
import { CHAIN_COST_MAX, chainStepCost, PackBuilder } from "../../../../../daemon/history/object/pack.js";
import { TreeEdit } from "../../../../../daemon/history/object/tree-edit.js";
import { ObjectReader } from "../../../../../daemon/history/repository/object-reader.js";
import { createRepository } from "../../../../../daemon/history/repository/layout.js";
import { placePack } from "../../../../../daemon/history/repository/pack-file.js";
import { createMemoryFileSystem } from "../../../../support/memory-file-system.js";

/** Puts a pack into a repository in memory and reads the objects back with the project's own reader. */
function readBack(builder: PackBuilder, oids: readonly Oid[]): { readonly type: string; readonly data: string }[] {
  const fileSystem = createMemoryFileSystem();
  createRepository(fileSystem, "/store.git");
  placePack(fileSystem, "/store.git", builder.finish());
  const reader = new ObjectReader(fileSystem, "/store.git", { verifyOids: true });
  return oids.map((oid) => {
    const { type, data } = reader.read(oid);
    return { type, data: data.toString("latin1") };
  });
}

describe("PackBuilder", () => {
  it("objects of every size are read back, around the limits of sizes and blocks", () => {
    const builder = new PackBuilder();
    const sizes = [0, 1, 15, 16, 47, 48, 49, 2047, 2048, 65_534, 65_535, 65_536, 131_070, 131_071, 300_000];
    const contents = sizes.map((size) => "\x00\xffab".repeat(size).slice(0, size));
    const oids = contents.map((content) => hashObject("blob", content));
    for (const [index, oid] of oids.entries()) builder.addObject("blob", oid, contents[index] as string);
    expect(readBack(builder, oids)).toEqual(contents.map((data) => ({ type: "blob", data })));
  });

  it("an object that is there is not added again (pack invariant 1)", () => {
    const builder = new PackBuilder();
    const oid = hashObject("blob", "x");
    const entry = builder.addObject("blob", oid, "x");
    const { byteLength } = builder;
    expect(builder.addObject("blob", oid, "x")).toBe(entry);
    expect([builder.objectCount, builder.byteLength]).toEqual([1, byteLength]);
  });

  it("thousands of objects are found again, and the index is sorted", () => {
    const builder = new PackBuilder();
    const contents = Array.from({ length: 5000 }, (_, index) => String(index));
    const oids = contents.map((content) => hashObject("blob", content));
    for (const [index, oid] of oids.entries())
      expect(builder.addObject("blob", oid, contents[index] as string)).toBe(index);
    for (const [index, oid] of oids.entries()) expect(builder.addObject("blob", oid, "")).toBe(index);
    expect(readBack(builder, oids).map(({ data }) => data)).toEqual(contents);
  });

  it("edited trees are deltas, until reading one would cost too much (pack invariant 2)", () => {
    const builder = new PackBuilder();
    let content = Buffer.alloc(70_000, "0123456789");
    let entry = builder.addTree(hashObject("tree", content), content, 0);
    const versions = [content];
    let cost = chainStepCost(content.length);
    let wholes = 0;
    for (let version = 0; version < 60; version++) {
      const before = builder.byteLength;
      const edit = new TreeEdit(content.length);
      const at = (version * 4099) % 60_000;
      content = Buffer.concat([content.subarray(0, at), Buffer.alloc(300, version), content.subarray(at + 20)]);
      edit.splice(at, 20, 300);
      entry = builder.addEditedTree(hashObject("tree", content), content, 0, { base: entry, edit });
      versions.push(content);
      cost += chainStepCost(content.length);
      const isWhole = cost > CHAIN_COST_MAX;
      if (isWhole) cost = chainStepCost(content.length);
      wholes += isWhole ? 1 : 0;
      expect(builder.isWhole(entry)).toBe(isWhole);
      expect(builder.byteLength - before > 70_000).toBe(isWhole);
    }
    expect(wholes).toBeGreaterThan(1);
    const oids = versions.map((version) => hashObject("tree", version));
    expect(readBack(builder, oids)).toEqual(
      versions.map((version) => ({ type: "tree", data: version.toString("latin1") })),
    );
  });

  it("a directory of two megabytes is a delta too, and 24 of them are a chain (pack invariant 2)", () => {
    const builder = new PackBuilder();
    const content = Buffer.alloc(2_000_000, "0123456789");
    let entry = builder.addTree(hashObject("tree", content), content, 0);
    const edit = new TreeEdit(content.length);
    const wholes: number[] = [];
    for (let version = 1; version <= 50; version++) {
      content.write(String(version).padStart(20, "-"), version * 1000, "latin1");
      edit.restart(content.length);
      edit.splice(version * 1000, 20, 20);
      entry = builder.addEditedTree(hashObject("tree", content), content, 0, { base: entry, edit });
      if (builder.isWhole(entry)) wholes.push(version);
    }
    expect(wholes).toEqual([24, 48]);
    expect(readBack(builder, [hashObject("tree", content)])).toEqual([
      { type: "tree", data: content.toString("latin1") },
    ]);
  });

  it("finish starts a new pack, in which the old one's objects are not", () => {
    const builder = new PackBuilder();
    const oid = hashObject("blob", "x");
    builder.addObject("blob", oid, "x");
    const { generation } = builder;
    const first = builder.finish();
    expect(first.name).toBe(hexFromOid(Buffer.from(first.pack.subarray(-20)).toString("latin1") as Oid));
    expect(builder.generation).not.toBe(generation);
    expect(builder.objectCount).toBe(0);
    expect(() => builder.finish()).toThrow("without objects");
    builder.addObject("blob", oid, "x");
    expect(builder.objectCount).toBe(1);
  });
});
