import { describe, expect, it } from "vitest";
import { IndexWriter, PackWriter } from "../../../../../daemon/history/repository/pack-writer.js";
import { createFaultyFileSystem } from "../../../../support/faulty-file-system.js";
import { createMemoryFileSystem } from "../../../../support/memory-file-system.js";
import { handMadePack, wholeEntry } from "./repository-support.js";

const entries = Array.from({ length: 500 }, (_, index) => wholeEntry("blob", Buffer.from(`value ${String(index)}`)));
const made = handMadePack(entries);

describe("PackWriter and IndexWriter", () => {
  it("write the frames around what is appended, on the disk when they finish (pack-writer invariant 1)", () => {
    const memory = createMemoryFileSystem();
    const pack = new PackWriter(memory, "/pack", entries.length);
    expect(pack.position).toBe(12);
    for (let at = 12; at < made.pack.length - 20; at += 7)
      pack.append(made.pack, at, Math.min(at + 7, made.pack.length - 20));
    const checksum = pack.finish();
    expect(checksum.toString("hex")).toBe(made.name);
    expect(pack.position).toBe(made.pack.length);
    const fanOut = Uint32Array.from({ length: 256 }, (_, first) => made.index.readUInt32BE(8 + first * 4));
    const index = new IndexWriter(memory, "/index", fanOut);
    index.append(made.index, 1032, made.index.length - 40);
    index.finish(checksum);
    expect(index.position).toBe(made.index.length);
    memory.syncDirectory("/");
    memory.crash("everything");
    expect(made.pack.equals(memory.readFile("/pack"))).toBe(true);
    expect(made.index.equals(memory.readFile("/index"))).toBe(true);
  });

  it("sync what was written now and then, and replace a torn file (pack-writer invariant 2)", () => {
    const memory = createMemoryFileSystem();
    new PackWriter(memory, "/pack", 7).close();
    const pack = new PackWriter(memory, "/pack", 1);
    const part = Buffer.alloc(1024 * 1024 + 1, 0x55);
    for (let index = 0; index < 20; index++) pack.append(part, 0, part.length);
    expect(memory.syncs()).toBe(2);
    pack.finish();
    expect(memory.syncs()).toBe(3);
    expect(memory.readFile("/pack").length).toBe(12 + 20 * part.length + 20);
    pack.close();
  });

  it("pass on what the disk says", () => {
    const faulty = createFaultyFileSystem(createMemoryFileSystem());
    const pack = new PackWriter(faulty, "/pack", 1);
    faulty.inject({ call: "write", nth: 1, error: "ENOSPC" });
    expect(() => pack.finish()).toThrow(/ENOSPC/);
    pack.close();
    pack.close();
  });
});
