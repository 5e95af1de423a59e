/** The reader of objects against damaged files: every byte of small repositories flipped, every length cut to. */
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Oid } from "../../daemon/history/object/oid.js";
import { OidList } from "../../daemon/history/object/oid-list.js";
import type { GitObject } from "../../daemon/history/object/pack-decode.js";
import { DamagedObjectError, MissingObjectError } from "../../daemon/history/repository/errors.js";
import { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../daemon/history/repository/object-reader.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import { streamCommits } from "../support/commit-stream.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../support/memory-file-system.js";
import { isLongCampaign, seed } from "../support/seed.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { git, objectsByGit } from "../unit/daemon/history/repository/repository-support.js";

/** A long campaign tries every byte, another one byte in so many. */
const ONE_IN = 61;

/** So often each object is asked for at once: most are then not among the few that a reader reads one by one first. */
const REPEATS = 8;

/** No object of these repositories is larger than a page, and neither should be what reading one allocates. */
const ALLOCATION_BYTES_MAX = 1024 * 1024;

afterEach(() => {
  vi.restoreAllMocks();
});

/** A history of ours in two packs. */
function recordedRepository(): string {
  const directory = `${temporaryDirectory()}/store.git`;
  createRepository(nodeFileSystem, directory);
  const recorder = new HistoryRecorder({
    fileSystem: nodeFileSystem,
    repositoryDirectory: directory,
    ref: MAIN_REF,
    hostName: "host",
  });
  for (const commit of streamCommits({ domains: 2 }, 1, 6)) {
    recorder.record(commit);
    if (commit.seq === 3) recorder.seal();
  }
  recorder.seal();
  recorder.close();
  return directory;
}

function repacked(...commands: readonly (readonly string[])[]): string {
  const directory = recordedRepository();
  for (const command of commands) git(directory, command);
  return directory;
}

function looseRepository(): string {
  const directory = recordedRepository();
  const packs = readdirSync(`${directory}/objects/pack`).filter((name) => name.endsWith(".pack"));
  const contents = packs.map((name) => readFileSync(`${directory}/objects/pack/${name}`));
  for (const name of readdirSync(`${directory}/objects/pack`))
    nodeFileSystem.remove(`${directory}/objects/pack/${name}`);
  for (const content of contents) git(directory, ["unpack-objects", "-q"], content);
  return directory;
}

const REPOSITORIES: readonly (readonly [name: string, make: () => string])[] = [
  ["ours", recordedRepository],
  ["by git gc", () => repacked(["gc", "--quiet"])],
  ["without deltas", () => repacked(["repack", "-adfq", "--depth=0", "--window=0"])],
  ["with oid deltas", () => repacked(["-c", "repack.useDeltaBaseOffset=false", "repack", "-adfq"])],
  ["uncompressed", () => repacked(["-c", "core.compression=0", "-c", "pack.compression=0", "repack", "-adFq"])],
  ["loose", looseRepository],
];

interface Specimen {
  readonly memory: MemoryFileSystem;
  readonly files: readonly string[];
  readonly objects: ReturnType<typeof objectsByGit>;
}

/** The repository's objects, copied to a disk in memory. */
function specimen(directory: string): Specimen {
  const memory = createMemoryFileSystem();
  const files: string[] = [];
  for (const entry of readdirSync(`${directory}/objects`, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const parent = entry.parentPath.replace(directory, "/store.git");
    memory.makeDirectory(parent);
    const file = memory.open(`${parent}/${entry.name}`, "create");
    file.write(readFileSync(`${entry.parentPath}/${entry.name}`), 0);
    file.close();
    if (/\.(?:pack|idx)$|\/[0-9a-f]{2}\/[0-9a-f]{38}$/.test(`${parent}/${entry.name}`))
      files.push(`${parent}/${entry.name}`);
  }
  return { memory, files, objects: objectsByGit(directory) };
}

/** Whether it reads; an error that is not allowed is thrown with `what` before it. */
function isReadable(what: string, read: () => void): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (error instanceof DamagedObjectError && error.message.includes("/store.git/objects/")) return false;
    if (error instanceof MissingObjectError) return false;
    throw new Error(`${what}: ${String(error)}`);
  }
}

function checkSame(actual: GitObject, expected: GitObject | undefined): void {
  if (actual.type !== expected?.type || !actual.data.equals(expected.data)) throw new Error("other data");
}

/** Reads everything after a change of a file, one by one and all at once; checks that nothing is misread. */
function readAll({ memory, objects }: Specimen, what: string): void {
  const reader = new ObjectReader(memory, "/store.git", { verifyOids: true });
  let readable = 0;
  for (const [oid, object] of objects) {
    if (
      isReadable(what, () => {
        checkSame(reader.read(oid), object);
      })
    )
      readable++;
  }
  reader.close();
  const oids = [...objects.keys()].flatMap((oid) => Array.from({ length: REPEATS }, () => oid));
  const visited = new Set<number>();
  const isWhole = isReadable(`${what}, all at once`, () => {
    reader.readEach(OidList.of(oids), (index, object) => {
      checkSame(object, objects.get(oids[index] as Oid));
      if (visited.has(index)) throw new Error("it was read twice");
      visited.add(index);
    });
  });
  reader.close();
  // A damaged index may hide an object from one way of looking and not from the other.
  if ((!isWhole && readable === objects.size) || isWhole !== (visited.size === oids.length)) {
    throw new Error(
      `${what}: ${String(readable)} of ${String(objects.size)} can be read, and all at once ${String(visited.size)} of ${String(oids.length)}`,
    );
  }
}

/** Remembers the largest buffer that was asked for. */
function watchAllocations(): () => number {
  let most = 0;
  for (const name of ["allocUnsafe", "allocUnsafeSlow", "alloc"] as const) {
    const real = Buffer[name].bind(Buffer);
    vi.spyOn(Buffer, name).mockImplementation((size: number) => {
      most = Math.max(most, size);
      return real(size);
    });
  }
  return () => most;
}

describe("ObjectReader over damaged files", () => {
  it.each(REPOSITORIES)(
    "gives right data or an error that names the file, whichever byte is flipped: %s (object-reader invariant 3)",
    (_, make) => {
      const repository = specimen(make());
      const largest = watchAllocations();
      let random = seed();
      for (const path of repository.files) {
        const file = repository.memory.open(path, "write");
        const bytes = Buffer.from(repository.memory.readFile(path));
        for (const [position, byte] of bytes.entries()) {
          random = (Math.imul(random, 1103515245) + 12345) >>> 0;
          if (!isLongCampaign() && (random >>> 8) % ONE_IN !== 0) continue;
          file.write(Uint8Array.of(byte ^ (1 << ((random >>> 28) % 8) || 0xff)), position);
          readAll(repository, `${path}, byte ${String(position)}`);
          file.write(Uint8Array.of(byte), position);
        }
        file.close();
      }
      readAll(repository, "undamaged");
      expect(largest()).toBeLessThanOrEqual(ALLOCATION_BYTES_MAX);
    },
    60_000,
  );

  it.each(REPOSITORIES)(
    "gives right data or an error that names the file, wherever a file ends: %s",
    (_, make) => {
      const repository = specimen(make());
      const largest = watchAllocations();
      for (const path of repository.files) {
        const file = repository.memory.open(path, "write");
        const bytes = repository.memory.readFile(path);
        for (let length = bytes.length - 1; length >= 0; length -= isLongCampaign() ? 1 : ONE_IN) {
          file.truncate(length);
          readAll(repository, `${path}, cut at ${String(length)}`);
        }
        file.write(bytes, 0);
        file.close();
      }
      readAll(repository, "undamaged");
      expect(largest()).toBeLessThanOrEqual(ALLOCATION_BYTES_MAX);
    },
    60_000,
  );
});
