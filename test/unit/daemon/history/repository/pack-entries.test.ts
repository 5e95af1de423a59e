import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { DamagedObjectError } from "../../../../../daemon/history/repository/errors.js";
import { writeDurableFile } from "../../../../../daemon/history/repository/durable-file.js";
import { FileVanishedError } from "../../../../../daemon/history/repository/file-window.js";
import {
  entryEnd,
  OidCursor,
  PackStream,
  rankOfOffset,
  readPackEntries,
  type PackEntries,
} from "../../../../../daemon/history/repository/pack-entries.js";
import type { FileSystem, OpenFile } from "../../../../../daemon/platform/file-system.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../../../../support/memory-file-system.js";
import { handMadePack, wholeEntry } from "./repository-support.js";

const REPOSITORY = "/r";

function place(
  count: number,
  data = (index: number): Buffer => Buffer.from(`v${String(index)}`),
): { memory: MemoryFileSystem; made: ReturnType<typeof handMadePack>; name: string } {
  const memory = createMemoryFileSystem();
  memory.makeDirectory(`${REPOSITORY}/objects/pack`);
  const made = handMadePack(Array.from({ length: count }, (_, index) => wholeEntry("blob", data(index))));
  const path = `${REPOSITORY}/objects/pack/pack-${made.name}`;
  writeDurableFile(memory, `${path}.pack`, [made.pack]);
  writeDurableFile(memory, `${path}.idx`, [made.index]);
  return { memory, made, name: made.name };
}

function read(memory: MemoryFileSystem, name: string): { entries: PackEntries; pauses: number } {
  const job = readPackEntries(memory, { repositoryDirectory: REPOSITORY, name });
  let pauses = 0;
  for (let step = job.next(); ; step = job.next(), pauses++)
    if (step.done === true) return { entries: step.value, pauses };
}

describe("readPackEntries", () => {
  it("gives the entries in the order of the pack, with positions and checksums, for few and for many", () => {
    for (const count of [1, 3, 3000]) {
      const { memory, made, name } = place(count);
      const { entries } = read(memory, name);
      expect([...entries.offsets]).toEqual(made.offsets);
      expect(entries.end).toBe(made.pack.length - 20);
      expect(entryEnd(entries, count - 1)).toBe(entries.end);
      for (let rank = 0; rank < count; rank++) {
        const position = entries.positions[rank] as number;
        expect(made.index.readUInt32BE(1032 + count * 24 + position * 4)).toBe(entries.offsets[rank]);
        expect(made.index.readUInt32BE(1032 + count * 20 + position * 4)).toBe(entries.checksums[position]);
        expect(rankOfOffset(entries, entries.offsets[rank] as number)).toBe(rank);
      }
      expect(rankOfOffset(entries, 13)).toBeUndefined();
      expect(rankOfOffset(entries, 1e9)).toBeUndefined();
    }
  });

  it("names the file of an index that is cut, or whose places are impossible", () => {
    const { memory, made, name } = place(3);
    const path = `${REPOSITORY}/objects/pack/pack-${name}.idx`;
    const write = (index: Buffer): void => {
      memory.remove(path);
      writeDurableFile(memory, path, [index]);
    };
    const placesAt = 1032 + 3 * 24;
    for (const value of [0, 5, made.pack.length, 0x80000000, made.offsets[1] as number]) {
      const index = Buffer.from(made.index);
      for (let position = 0; position < 3; position++) index.writeUInt32BE(value, placesAt + position * 4);
      write(index);
      expect(() => read(memory, name)).toThrow(DamagedObjectError);
    }
    for (const length of [0, 100, 1032, 1100]) {
      write(Buffer.from(made.index.subarray(0, length)));
      expect(() => read(memory, name)).toThrow(new RegExp(`pack-${name}\\.idx`));
    }
  });

  it("says when the pack is gone", () => {
    const { memory, name } = place(2);
    memory.remove(`${REPOSITORY}/objects/pack/pack-${name}.pack`);
    expect(() => read(memory, name)).toThrow(FileVanishedError);
  });
});

describe("OidCursor", () => {
  it("gives the oids in order, over several reads, and refuses disorder", () => {
    const { memory, made, name } = place(5000);
    const cursor = new OidCursor(memory, { repositoryDirectory: REPOSITORY, name }, 5000);
    for (let position = 0; position < 5000; position++, cursor.next()) {
      const wanted = made.index.subarray(1032 + position * 20, 1052 + position * 20);
      expect(cursor.bytes.subarray(cursor.at, cursor.at + 20).equals(wanted)).toBe(true);
    }
    expect(cursor.position).toBe(5000);
    cursor.close();
    for (const swapped of [10, 2047]) {
      const index = Buffer.from(made.index);
      index.fill(0, 1032 + (swapped + 1) * 20, 1032 + (swapped + 2) * 20);
      memory.remove(`${REPOSITORY}/objects/pack/pack-${name}.idx`);
      writeDurableFile(memory, `${REPOSITORY}/objects/pack/pack-${name}.idx`, [index]);
      const damaged = new OidCursor(memory, { repositoryDirectory: REPOSITORY, name }, 5000);
      expect(() => {
        while (damaged.position < 5000) damaged.next();
      }).toThrow(/not in growing order/);
    }
  });
});

describe("PackStream", () => {
  it("locate finds any stretch and keeps what is still needed", () => {
    let state = 1;
    const noise = (): Buffer =>
      Buffer.from(Uint8Array.from({ length: 3000 }, () => (state = Math.imul(state, 69069) + 1) >>> 24));
    const { memory, made, name } = place(200, noise);
    const end = made.pack.length - 20;
    const stream = new PackStream(memory, { repositoryDirectory: REPOSITORY, name }, end);
    expect(end).toBeGreaterThan(256 * 1024);
    for (let from = 12; from < end; from += 1000) {
      const to = Math.min(end, from + 1500);
      stream.locate({ from, to, needed: Math.max(12, from - 500) });
      expect(stream.bytes.subarray(stream.at, stream.at + to - from).equals(made.pack.subarray(from, to))).toBe(true);
      const back = Math.max(12, from - 500);
      stream.locate({ from: back, to: from, needed: back });
      expect(stream.bytes.subarray(stream.at, stream.at + from - back).equals(made.pack.subarray(back, from))).toBe(
        true,
      );
    }
    stream.close();
  });

  it("reads twice as much each time while what is needed stays where it is", () => {
    const { memory, name } = place(3, () => randomBytes(1_000_000));
    let bytesRead = 0;
    const counting: FileSystem = {
      ...memory,
      open: (path, mode) => {
        const file = memory.open(path, mode);
        const read: OpenFile["read"] = (target, position) => {
          const count = file.read(target, position);
          bytesRead += count;
          return count;
        };
        return { ...file, read };
      },
    };
    const end = 3_000_000;
    const stream = new PackStream(counting, { repositoryDirectory: REPOSITORY, name }, end);
    for (let from = 12; from + 1000 < end; from += 1000) stream.locate({ from, to: from + 1000, needed: 12 });
    stream.close();
    expect(bytesRead).toBeLessThan(3 * end);
  });
});
