import { describe, expect, it } from "vitest";
import { RetiredPacks, type FilteredJudgement } from "../../../../../daemon/history/recorder/retired-packs.js";
import { writeDurableFile } from "../../../../../daemon/history/repository/durable-file.js";
import type { FileSystem } from "../../../../../daemon/platform/file-system.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../../../../support/memory-file-system.js";
import { CrashError, crashingFileSystem } from "../repository/repository-support.js";

const REPOSITORY = "/r";
const DIRECTORY = "/r/objects/pack";
const NEW = "f".repeat(40);
const OLD = ["a".repeat(40), "b".repeat(40)];
const LEAST = 10;
const MOST = 300;

function placeFake(fileSystem: FileSystem, name: string): void {
  for (const ending of ["pack", "idx"]) {
    writeDurableFile(fileSystem, `${DIRECTORY}/incoming-${name}`, [Buffer.from(ending)]);
    fileSystem.rename(`${DIRECTORY}/incoming-${name}`, `${DIRECTORY}/pack-${name}.${ending}`);
  }
  fileSystem.syncDirectory(DIRECTORY);
}

function repositoryWithOld(): MemoryFileSystem {
  const fileSystem = createMemoryFileSystem();
  fileSystem.makeDirectory(DIRECTORY);
  for (const directory of ["/", "/r", "/r/objects"]) fileSystem.syncDirectory(directory);
  for (const name of OLD) placeFake(fileSystem, name);
  return fileSystem;
}

const clock = { now: 1000 };

function open(fileSystem: FileSystem, isInUse: () => boolean = () => false): RetiredPacks {
  const retired = new RetiredPacks({
    fileSystem,
    repositoryDirectory: REPOSITORY,
    monotonicMilliseconds: () => clock.now,
    leastMilliseconds: LEAST,
    mostMilliseconds: MOST,
    isInUse,
  });
  retired.load();
  return retired;
}

/** Nobody is to be asked about packs that were merged. */
const never = (): never => {
  throw new Error("asked about a filtered pack");
};

function supersede(fileSystem: FileSystem, retired: RetiredPacks): void {
  retired.announce(NEW, OLD, "merged");
  placeFake(fileSystem, NEW);
  retired.retire(NEW);
}

function isThere(fileSystem: FileSystem, name: string): boolean {
  return ["idx", "pack"].every((ending) => fileSystem.exists(`${DIRECTORY}/pack-${name}.${ending}`));
}

describe("RetiredPacks", () => {
  it("removeDue removes after the least delay, each index before its pack (retired-packs invariant 3)", () => {
    const memory = repositoryWithOld();
    const removed: string[] = [];
    const watched: FileSystem = {
      ...memory,
      remove: (path) => {
        memory.remove(path);
        removed.push(path.replace(`${DIRECTORY}/pack-`, ""));
      },
    };
    const retired = open(watched);
    supersede(watched, retired);
    expect(retired.names()).toEqual(new Set(OLD));
    clock.now += LEAST - 1;
    expect(retired.dueMilliseconds()).toBe(clock.now + 1);
    expect(retired.removeDue(never)).toEqual([]);
    clock.now += 1;
    expect(retired.removeDue(never)).toEqual(OLD);
    expect(removed.filter((path) => /^[ab]{40}/.test(path))).toEqual(
      OLD.flatMap((name) => [`${name}.idx`, `${name}.pack`]),
    );
    expect(retired.names().size).toBe(0);
    expect(retired.dueMilliseconds()).toBeUndefined();
    expect(isThere(memory, NEW)).toBe(true);
  });

  it("removeDue waits as long as somebody uses the repository, up to the longest delay", () => {
    const memory = repositoryWithOld();
    let isUsed = true;
    const retired = open(memory, () => isUsed);
    supersede(memory, retired);
    clock.now += LEAST;
    expect(retired.removeDue(never)).toEqual([]);
    expect(retired.dueMilliseconds()).toBeGreaterThan(clock.now);
    isUsed = false;
    expect(retired.removeDue(never)).toEqual(OLD);

    const other = repositoryWithOld();
    const stubborn = open(other, () => true);
    supersede(other, stubborn);
    clock.now += MOST - 1;
    expect(stubborn.removeDue(never)).toEqual([]);
    clock.now += 1;
    expect(stubborn.removeDue(never)).toEqual(OLD);
  });

  it("announce takes a pack that is made again with the same content off the list of those that go", () => {
    const memory = repositoryWithOld();
    const retired = open(memory);
    supersede(memory, retired);
    const [again, other] = OLD as [string, string];
    retired.announce(again, [NEW], "merged");
    placeFake(memory, again);
    retired.retire(again);
    expect(retired.names()).toEqual(new Set([other, NEW]));
    clock.now += LEAST;
    retired.removeDue(never);
    clock.now += LEAST;
    retired.removeDue(never);
    expect([again, other, NEW].map((name) => isThere(memory, name))).toEqual([true, false, false]);
  });

  it("nothing is removed when the superseding pack is gone (retired-packs invariant 1)", () => {
    const memory = repositoryWithOld();
    const retired = open(memory);
    supersede(memory, retired);
    memory.remove(`${DIRECTORY}/pack-${NEW}.idx`);
    clock.now += LEAST;
    expect(retired.removeDue(never)).toEqual([]);
    expect(retired.names().size).toBe(0);
    for (const name of OLD) expect(isThere(memory, name)).toBe(true);
    expect(open(memory).names().size).toBe(0);
  });

  it("a pack that a multi-pack-index lists or a person keeps stays (retired-packs invariant 2)", () => {
    const memory = repositoryWithOld();
    const retired = open(memory);
    supersede(memory, retired);
    const [first, second] = OLD as [string, string];
    writeDurableFile(memory, `${DIRECTORY}/multi-pack-index`, [multiPackIndex([first])]);
    writeDurableFile(memory, `${DIRECTORY}/pack-${second}.keep`, []);
    clock.now += LEAST;
    expect(retired.removeDue(never)).toEqual([]);
    memory.remove(`${DIRECTORY}/multi-pack-index`);
    expect(retired.removeDue(never)).toEqual([first]);
    expect(retired.names()).toEqual(new Set([second]));
    memory.remove(`${DIRECTORY}/pack-${second}.keep`);
    expect(retired.removeDue(never)).toEqual([second]);
  });

  it("what a pack that goes had superseded and could not remove is superseded by its successor", () => {
    const memory = repositoryWithOld();
    const retired = open(memory);
    supersede(memory, retired);
    const [first] = OLD as [string];
    writeDurableFile(memory, `${DIRECTORY}/pack-${first}.keep`, []);
    const newest = "e".repeat(40);
    retired.announce(newest, [NEW], "merged");
    placeFake(memory, newest);
    retired.retire(newest);
    clock.now += LEAST;
    retired.removeDue(never);
    expect(isThere(memory, NEW)).toBe(false);
    memory.remove(`${DIRECTORY}/pack-${first}.keep`);
    expect(open(memory).names()).toEqual(new Set([first]));
    expect(retired.removeDue(never)).toEqual([first]);
  });

  it("announce leaves out a superseding pack that is its own source, and withdraw takes an announcement back", () => {
    const memory = repositoryWithOld();
    const retired = open(memory);
    retired.announce(OLD[0] as string, OLD, "merged");
    retired.retire(OLD[0] as string);
    expect(retired.names()).toEqual(new Set([OLD[1]]));
    retired.announce(NEW, OLD, "merged");
    retired.withdraw(NEW);
    placeFake(memory, NEW);
    retired.retire(NEW);
    expect(retired.names()).toEqual(new Set([OLD[1]]));
  });

  it("after a crash at any call a pack is in use or on record, and is removed then (retired-packs invariant 4)", () => {
    for (const loss of ["nothing", "everything"] as const) {
      for (let calls = 0; ; calls++) {
        const memory = repositoryWithOld();
        const crashing = crashingFileSystem(memory, calls);
        let hasCrashed = false;
        try {
          const retired = open(crashing);
          supersede(crashing, retired);
          clock.now += LEAST;
          retired.removeDue(never);
        } catch (error) {
          if (!(error instanceof CrashError)) throw error;
          hasCrashed = true;
        }
        memory.crash(loss);
        const retired = open(memory);
        if (isThere(memory, NEW)) {
          for (const name of OLD) {
            const isLeft = ["idx", "pack"].some((ending) => memory.exists(`${DIRECTORY}/pack-${name}.${ending}`));
            if (isLeft) expect(retired.names().has(name)).toBe(true);
          }
        } else {
          expect(retired.names().size).toBe(0);
          for (const name of OLD) expect(isThere(memory, name)).toBe(true);
        }
        clock.now += LEAST;
        retired.removeDue(never);
        if (isThere(memory, NEW)) {
          expect(memory.list(DIRECTORY)).toEqual([`pack-${NEW}.idx`, `pack-${NEW}.pack`]);
        }
        if (!hasCrashed) break;
      }
    }
  });

  it("a filtered pack goes only when whoever filtered it says so in that moment (retired-packs invariant 6)", () => {
    const memory = repositoryWithOld();
    const retired = open(memory);
    const [first, second] = OLD as [string, string];
    retired.announce(NEW, [first], "filtered");
    placeFake(memory, NEW);
    retired.retire(NEW);
    retired.announce(NEW, [second], "merged");
    retired.retire(NEW);
    expect([retired.names(), retired.mergedNames(), retired.hasFiltered]).toEqual([
      new Set(OLD),
      new Set([second]),
      true,
    ]);
    // A start knows nothing of filtered packs: they are in use, and the compaction is made again.
    expect(open(memory).names()).toEqual(new Set([second]));
    clock.now += LEAST - 1;
    expect(retired.removeDue(never)).toEqual([]);
    clock.now += 1;
    expect(retired.removeDue(() => "wait")).toEqual([second]);
    expect(isThere(memory, first)).toBe(true);
    expect(retired.removeDue(() => "remove")).toEqual([first]);
    expect(retired.hasFiltered).toBe(false);
  });

  it("filtered packs that are given back are in use again; where they are gone already whoever filtered is asked too", () => {
    const memory = repositoryWithOld();
    const retired = open(memory);
    placeFake(memory, NEW);
    const filter = (): void => {
      retired.announce(NEW, OLD, "filtered");
      retired.retire(NEW);
      clock.now += LEAST;
    };
    filter();
    expect(retired.removeDue(() => "give back")).toEqual([]);
    expect([retired.names().size, retired.hasFiltered]).toEqual([0, false]);
    for (const name of OLD) expect(isThere(memory, name)).toBe(true);
    filter();
    for (const name of OLD) memory.remove(`${DIRECTORY}/pack-${name}.idx`);
    for (const name of OLD) memory.remove(`${DIRECTORY}/pack-${name}.pack`);
    let isAsked = false;
    const judge = (): FilteredJudgement => {
      isAsked = true;
      return "remove";
    };
    expect([retired.removeDue(judge), isAsked]).toEqual([[], true]);
    expect(retired.hasFiltered).toBe(false);
  });

  it("a pack that the recorder places again is in use, whatever superseded it", () => {
    const memory = repositoryWithOld();
    const retired = open(memory);
    const [first, second] = OLD as [string, string];
    supersede(memory, retired);
    retired.takeBack(first);
    expect(retired.names()).toEqual(new Set([second]));
    clock.now += LEAST;
    expect(retired.removeDue(never)).toEqual([second]);
    expect(isThere(memory, first)).toBe(true);
  });

  it("what was merged into a pack that is filtered away goes as a filtered pack does", () => {
    const memory = repositoryWithOld();
    const retired = open(memory);
    supersede(memory, retired);
    const [first] = OLD as [string];
    writeDurableFile(memory, `${DIRECTORY}/pack-${first}.keep`, []);
    const filtered = "e".repeat(40);
    placeFake(memory, filtered);
    retired.announce(filtered, [NEW], "filtered");
    retired.retire(filtered);
    clock.now += LEAST;
    retired.removeDue(() => "remove");
    memory.remove(`${DIRECTORY}/pack-${first}.keep`);
    expect(retired.removeDue(() => "wait")).toEqual([]);
    expect(retired.removeDue(() => "remove")).toEqual([first]);
  });

  it("a start removes what a crash left of a filtered pack, and of no other (retired-packs invariant 5)", () => {
    for (let calls = 0; ; calls++) {
      const memory = repositoryWithOld();
      placeFake(memory, NEW);
      const crashing = crashingFileSystem(memory, calls);
      let hasCrashed = false;
      try {
        const retired = open(crashing);
        retired.announce(NEW, OLD, "filtered");
        retired.retire(NEW);
        clock.now += LEAST;
        retired.removeDue(() => "remove");
      } catch (error) {
        if (!(error instanceof CrashError)) throw error;
        hasCrashed = true;
      }
      const gits = "c".repeat(40);
      writeDurableFile(memory, `${DIRECTORY}/pack-${gits}.pack`, [Buffer.from("its index comes next")]);
      open(memory);
      for (const name of OLD) {
        const left = ["idx", "pack"].filter((ending) => memory.exists(`${DIRECTORY}/pack-${name}.${ending}`));
        expect([0, 2]).toContain(left.length);
      }
      expect(memory.exists(`${DIRECTORY}/pack-${gits}.pack`)).toBe(true);
      expect(memory.exists("/r/xenstore-tng/retired.new")).toBe(false);
      if (!hasCrashed) break;
    }
  });

  it("lines of the record that make no sense are passed over", () => {
    const memory = repositoryWithOld();
    placeFake(memory, NEW);
    memory.makeDirectory("/r/xenstore-tng");
    writeDurableFile(memory, "/r/xenstore-tng/retired", [Buffer.from(`${NEW} ${OLD.join(" ")}/..\n${NEW}\n\nx\n`)]);
    expect(open(memory).names().size).toBe(0);
  });
});

/** A multi-pack-index with nothing in it but names. */
function multiPackIndex(names: readonly string[]): Buffer {
  const list = Buffer.from(names.map((name) => `pack-${name}.idx\0`).join(""), "latin1");
  const head = Buffer.alloc(12 + 24);
  head.write("MIDX\x01\x01\x01\0", "latin1");
  head.writeUInt32BE(names.length, 8);
  head.write("PNAM", 12, "latin1");
  head.writeBigUInt64BE(BigInt(head.length), 16);
  head.writeBigUInt64BE(BigInt(head.length + list.length), 28);
  return Buffer.concat([head, list]);
}
