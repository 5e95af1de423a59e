/** What a rewrite leaves out and refuses. That nothing is lost: `test/property/merge-packs.test.ts`. */
import { describe, expect, it } from "vitest";
import { oidFromHex, type Oid } from "../../../../../daemon/history/object/oid.js";
import {
  rewritePacks,
  type RewrittenPack,
  type RewriteRequest,
} from "../../../../../daemon/history/recorder/merge-packs.js";
import { HistoryRecorder } from "../../../../../daemon/history/recorder/recorder.js";
import { writeDurableFile } from "../../../../../daemon/history/repository/durable-file.js";
import { DamagedObjectError } from "../../../../../daemon/history/repository/errors.js";
import { FileVanishedError } from "../../../../../daemon/history/repository/file-window.js";
import { createRepository, MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../../../../daemon/history/repository/object-reader.js";
import { packDirectory, placeWrittenPack } from "../../../../../daemon/history/repository/pack-file.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../../../../support/memory-file-system.js";
import { streamCommits } from "../../../../support/commit-stream.js";
import { handMadePack, wholeEntry, type HandMadeEntry } from "../repository/repository-support.js";

const REPOSITORY = "/r";
const DIRECTORY = packDirectory(REPOSITORY);

function withPacks(...packs: (readonly HandMadeEntry[])[]): { memory: MemoryFileSystem; names: string[] } {
  const memory = createMemoryFileSystem();
  createRepository(memory, REPOSITORY);
  const names = packs.map((entries) => {
    const made = handMadePack(entries);
    writeDurableFile(memory, `${DIRECTORY}/pack-${made.name}.pack`, [made.pack]);
    writeDurableFile(memory, `${DIRECTORY}/pack-${made.name}.idx`, [made.index]);
    return made.name;
  });
  return { memory, names };
}

function rewrite(memory: MemoryFileSystem, request: RewriteRequest): RewrittenPack | undefined {
  const reader = new ObjectReader(memory, REPOSITORY);
  const job = rewritePacks({ fileSystem: memory, repositoryDirectory: REPOSITORY, reader }, request);
  for (let step = job.next(); ; step = job.next()) if (step.done === true) return step.value;
}

/** Reads objects from the new pack alone. */
function readFrom(
  memory: MemoryFileSystem,
  names: readonly string[],
  pack: RewrittenPack,
  oids: readonly Oid[],
): string[] {
  for (const name of names) {
    memory.remove(`${DIRECTORY}/pack-${name}.idx`);
    memory.remove(`${DIRECTORY}/pack-${name}.pack`);
  }
  placeWrittenPack(memory, REPOSITORY, pack);
  const reader = new ObjectReader(memory, REPOSITORY, { verifyOids: true });
  return oids.map((oid) => (reader.has(oid) ? reader.read(oid).data.toString("latin1") : "none"));
}

function temporaries(memory: MemoryFileSystem): string[] {
  return memory.list(DIRECTORY).filter((name) => name.startsWith("incoming"));
}

/** A delta that appends to its base. */
function appending(base: Buffer, more: string): Buffer {
  const added = Buffer.from(more);
  return Buffer.concat([
    Buffer.from([base.length, base.length + added.length, 0x90, base.length, added.length]),
    added,
  ]);
}

const base = wholeEntry("blob", Buffer.from("base of it all"));
const derivedData = Buffer.from("base of it all, and more");
const derivedOid = wholeEntry("blob", derivedData).oid;
const other = wholeEntry("blob", Buffer.from("other"));
const offsetDelta = (distance: number): HandMadeEntry => ({
  oid: derivedOid,
  code: 6,
  data: appending(base.data, ", and more"),
  distance,
});
const oidDelta: HandMadeEntry = { oid: derivedOid, code: 7, data: appending(base.data, ", and more"), base: base.oid };
const baseBytes = (handMadePack([base, other]).offsets[1] as number) - 12;

describe("rewritePacks", () => {
  it("drops twins: the oldest stays, and a delta finds its base there (merge invariant 1)", () => {
    const { memory, names } = withPacks([base], [other, base, offsetDelta(baseBytes)]);
    const pack = rewrite(memory, { sources: names }) as RewrittenPack;
    expect(pack.objects).toBe(3);
    expect(readFrom(memory, names, pack, [base.oid, derivedOid, other.oid])).toEqual([
      "base of it all",
      "base of it all, and more",
      "other",
    ]);
  });

  it("writes a delta whole whose base is not kept, or comes after it (merge invariant 5)", () => {
    const { memory, names } = withPacks([base, offsetDelta(baseBytes), other]);
    const [name] = names as [string];
    const reader = new ObjectReader(memory, REPOSITORY);
    const oids = [base, { oid: derivedOid }, other].map(({ oid }) => oid).sort();
    const pack = rewrite(memory, {
      sources: names,
      keep: (of, position) => of === name && oids[position] !== base.oid,
    });
    reader.close();
    expect(pack?.objects).toBe(2);
    expect(readFrom(memory, names, pack as RewrittenPack, [base.oid, derivedOid, other.oid])).toEqual([
      "none",
      "base of it all, and more",
      "other",
    ]);
    const late = withPacks([oidDelta, base]);
    const latePack = rewrite(late.memory, { sources: late.names }) as RewrittenPack;
    expect(readFrom(late.memory, late.names, latePack, [derivedOid])).toEqual(["base of it all, and more"]);
  });

  it("keeps an object that stays in one of two packs, and makes no pack of nothing", () => {
    const { memory, names } = withPacks([base], [base, other]);
    const pack = rewrite(memory, { sources: names, keep: (name) => name === names[1] }) as RewrittenPack;
    expect(pack.objects).toBe(2);
    expect(rewrite(memory, { sources: names, keep: () => false })).toBeUndefined();
    expect(temporaries(memory)).toHaveLength(2);
  });

  it("refuses an entry whose CRC-32 is not the index's, naming pack and place (merge invariant 3)", () => {
    const { memory, names } = withPacks([base, other]);
    const path = `${DIRECTORY}/pack-${names[0] as string}.pack`;
    const file = memory.open(path, "write");
    file.write(Uint8Array.of(0x55), 12 + 5);
    expect(() => rewrite(memory, { sources: names })).toThrow(DamagedObjectError);
    expect(() => rewrite(memory, { sources: names })).toThrow(`${path} at byte 12`);
    expect(temporaries(memory)).toEqual([]);
  });

  it("says when a source is gone, and leaves nothing behind when it is given up", () => {
    const { memory, names } = withPacks([base], [other]);
    const reader = new ObjectReader(memory, REPOSITORY);
    const job = rewritePacks({ fileSystem: memory, repositoryDirectory: REPOSITORY, reader }, { sources: names });
    while (temporaries(memory).length === 0) job.next();
    job.return(undefined);
    expect(temporaries(memory)).toEqual([]);
    memory.remove(`${DIRECTORY}/pack-${names[1] as string}.pack`);
    expect(() => rewrite(memory, { sources: names })).toThrow(FileVanishedError);
    expect(temporaries(memory)).toEqual([]);
  });

  it("turns directories that are stored whole in each pack into deltas, and deflates commits", () => {
    const memory = createMemoryFileSystem();
    createRepository(memory, REPOSITORY);
    const recorder = new HistoryRecorder({
      fileSystem: memory,
      repositoryDirectory: REPOSITORY,
      ref: MAIN_REF,
      hostName: "h",
    });
    const names: string[] = [];
    for (const commit of streamCommits({ domains: 400 }, 1, 9)) {
      recorder.record(commit);
      recorder.seal();
      for (const file of memory.list(DIRECTORY)) {
        const name = /^pack-(.*)\.pack$/.exec(file)?.[1];
        if (name !== undefined && !names.includes(name)) names.push(name);
      }
    }
    const later = names.slice(1);
    const bytes = later.map((name) => memory.readFile(`${DIRECTORY}/pack-${name}.pack`).length);
    const pack = rewrite(memory, { sources: later }) as RewrittenPack;
    const before = bytes.reduce((sum, size) => sum + size, 0);
    expect(before).toBeGreaterThan(8 * 12_000);
    expect(pack.packBytes).toBeLessThan(before / 5);
    const tip = recorder.progress().tip as string;
    const first = names[0] as string;
    expect(
      readFrom(
        memory,
        later.filter((name) => name !== first),
        pack,
        [oidFromHex(tip)],
      )[0],
    ).toContain("Seq: 9");
  });
});
