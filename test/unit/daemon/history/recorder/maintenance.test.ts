import { describe, expect, it } from "vitest";
import { Maintenance } from "../../../../../daemon/history/recorder/maintenance.js";
import { loadTip } from "../../../../../daemon/history/recorder/load-tip.js";
import { HistoryRecorder } from "../../../../../daemon/history/recorder/recorder.js";
import { treeOidOf } from "../../../../../daemon/history/object/root-encoder.js";
import type { Oid } from "../../../../../daemon/history/object/oid.js";
import { writeDurableFile } from "../../../../../daemon/history/repository/durable-file.js";
import { createRepository, MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../../../../daemon/history/repository/object-reader.js";
import { packDirectory, placePack } from "../../../../../daemon/history/repository/pack-file.js";
import { readCommit } from "../../../../../daemon/history/repository/walk.js";
import { decodeRoot } from "../../../../../daemon/history/object/root-decoder.js";
import type { Seq } from "../../../../../protocol/identifiers.js";
import type { FileSystem } from "../../../../../daemon/platform/file-system.js";
import { streamCommits } from "../../../../support/commit-stream.js";
import { createFaultyFileSystem } from "../../../../support/faulty-file-system.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../../../../support/memory-file-system.js";
import { CrashError, crashingFileSystem, handMadePack, wholeEntry } from "../repository/repository-support.js";

const REPOSITORY = "/state/store.git";
const DIRECTORY = packDirectory(REPOSITORY);
const STREAM = { domains: 3, intervalMicroseconds: 1_000_000 };
const DELAY = 1000;

/** A repository of `commits` commits, each sealed alone. */
function recorded(commits: number): MemoryFileSystem {
  const memory = createMemoryFileSystem();
  memory.makeDirectory("/state");
  memory.syncDirectory("/");
  createRepository(memory, REPOSITORY);
  recordMore(memory, 1, commits);
  return memory;
}

function recordMore(fileSystem: FileSystem, from: number, to: number): void {
  const recorder = new HistoryRecorder({
    fileSystem,
    repositoryDirectory: REPOSITORY,
    ref: MAIN_REF,
    hostName: "host",
  });
  for (const commit of streamCommits(STREAM, from, to)) {
    recorder.record(commit);
    recorder.seal();
  }
}

/** Maintenance with a clock that a test moves; every reading takes a millisecond, so that steps end. */
function open(fileSystem: FileSystem): {
  readonly maintenance: Maintenance;
  readonly failures: string[];
  readonly clock: { now: number };
} {
  const clock = { now: 1 };
  const failures: string[] = [];
  const maintenance = new Maintenance({
    fileSystem,
    repositoryDirectory: REPOSITORY,
    monotonicMilliseconds: () => clock.now,
    retirementMillisecondsMin: DELAY,
    retirementMilliseconds: DELAY,
    isInUse: () => false,
    onFailure: (reason) => failures.push(reason),
  });
  return { maintenance, failures, clock };
}

function run({ maintenance }: { readonly maintenance: Maintenance }): void {
  while (maintenance.isDue) maintenance.step();
}

function packNames(fileSystem: FileSystem): string[] {
  return fileSystem.list(DIRECTORY).filter((name) => name.endsWith(".pack"));
}

function others(fileSystem: FileSystem): string[] {
  return fileSystem.list(DIRECTORY).filter((name) => !/^pack-[0-9a-f]{40}\.(?:pack|idx)$/.test(name));
}

/** Every commit from the tip back is there, whole, with verified oids. */
function checkHistory(fileSystem: FileSystem, commits: number): void {
  const tip = loadTip(fileSystem, REPOSITORY);
  expect(tip?.seq).toBe(commits);
  const reader = new ObjectReader(fileSystem, REPOSITORY, { verifyOids: true });
  let at: Oid | undefined = tip?.oid;
  for (let seq = commits; seq > 0; seq--) {
    const commit = readCommit(reader, at as Oid);
    expect(commit.trailers.seq).toBe(seq);
    expect(treeOidOf(decodeRoot(reader, commit.tree, seq as Seq))).toBe(commit.tree);
    at = commit.parents[0];
  }
  reader.close();
}

describe("Maintenance", () => {
  it("merges what was sealed, and removes the sources when their time has come", () => {
    const memory = recorded(70);
    const world = open(memory);
    run(world);
    expect(world.maintenance.progress().packs).toBeLessThanOrEqual(10);
    expect(world.maintenance.progress().packsRetired).toBeGreaterThanOrEqual(60);
    expect(world.maintenance.progress().packBytes).toBeGreaterThan(0);
    checkHistory(memory, 70);
    world.clock.now += DELAY;
    run(world);
    expect(world.maintenance.progress().packsRetired).toBe(0);
    expect(packNames(memory)).toHaveLength(world.maintenance.progress().packs);
    expect(others(memory)).toEqual([]);
    expect(world.failures).toEqual([]);
    checkHistory(memory, 70);
  });

  it("is due again after a seal, and otherwise not", () => {
    const memory = recorded(3);
    const world = open(memory);
    run(world);
    expect(world.maintenance.millisecondsUntilDue()).toBeUndefined();
    world.maintenance.noteSeal("a".repeat(40));
    expect(world.maintenance.isDue).toBe(true);
    expect(world.maintenance.progress().packs).toBe(4);
  });

  it("goes on after a crash at any call, whatever the disk kept (maintenance invariants 2 and 4)", () => {
    for (const loss of ["nothing", "everything"] as const) {
      for (let calls = 0; ; calls += loss === "nothing" ? 3 : 1) {
        const memory = recorded(9);
        const world = open(crashingFileSystem(memory, calls));
        run(world);
        world.clock.now += DELAY;
        world.maintenance.step();
        const hasCrashed = world.failures.some((reason) => reason.includes(new CrashError("the process died").message));
        memory.crash(loss);
        recordMore(memory, 10, 10);
        const next = open(memory);
        run(next);
        next.clock.now += DELAY;
        run(next);
        checkHistory(memory, 10);
        expect(others(memory)).toEqual([]);
        expect(next.failures).toEqual([]);
        expect(packNames(memory).length).toBeLessThan(10);
        if (!hasCrashed) break;
      }
    }
  }, 120_000);

  it("a full disk is reported, leaves no temporary file, and is tried again later, twice as late each time", () => {
    const memory = recorded(8);
    const faulty = createFaultyFileSystem(memory);
    faulty.inject({ call: "write", nth: 1, error: "ENOSPC", lasts: true });
    const world = open(faulty);
    run(world);
    expect(world.failures).toEqual([expect.stringMatching(/packs could not be merged: .*ENOSPC/)]);
    expect(others(memory)).toEqual([]);
    expect(world.maintenance.millisecondsUntilDue()).toBe(1000);
    world.clock.now += 1000;
    run(world);
    expect(world.maintenance.millisecondsUntilDue()).toBe(2000);
    faulty.heal();
    world.clock.now += 2000;
    run(world);
    expect(world.maintenance.progress().packs).toBe(1);
    checkHistory(memory, 8);
  });

  it("a source that vanishes ends the merge quietly, and the plan is made again", () => {
    const memory = recorded(8);
    const world = open(memory);
    // Each step ends after one slice, so that the pack goes in the middle of the merge.
    const slow = new Maintenance({
      fileSystem: memory,
      repositoryDirectory: REPOSITORY,
      monotonicMilliseconds: () => (world.clock.now += 5),
      retirementMillisecondsMin: DELAY,
      retirementMilliseconds: DELAY,
      isInUse: () => false,
      onFailure: (reason) => world.failures.push(reason),
    });
    const [victim] = packNames(memory) as [string];
    while (slow.isDue && others(memory).length === 0) slow.step();
    expect(others(memory)).not.toEqual([]);
    memory.remove(`${DIRECTORY}/${victim.replace(/pack$/, "idx")}`);
    memory.remove(`${DIRECTORY}/${victim}`);
    run({ maintenance: slow });
    expect(world.failures).toEqual([]);
    expect(others(memory)).toEqual([]);
    expect(packNames(memory)).toHaveLength(7);
    world.clock.now += 1000;
    run({ maintenance: slow });
    expect(slow.progress().packs).toBe(7);
  });

  it("what vanishes again and again is reported in the end, and tried less and less often", () => {
    const memory = recorded(8);
    const faulty = createFaultyFileSystem(memory);
    faulty.inject({ call: "open", path: ".pack-part", nth: 1, error: "ENOENT", lasts: true });
    const world = open(faulty);
    for (let round = 0; round < 30 && world.failures.length === 0; round++) {
      run(world);
      world.clock.now += world.maintenance.millisecondsUntilDue() ?? 0;
    }
    expect(world.failures).toEqual([expect.stringMatching(/packs could not be merged: .*ENOENT/)]);
    run(world);
    expect(world.maintenance.millisecondsUntilDue()).toBeGreaterThan(500);
    faulty.heal();
    world.clock.now += 300_000;
    run(world);
    expect(world.maintenance.progress().packs).toBe(1);
  });

  it("a merge whose .keep cannot be removed has worked, and the .keep goes later", () => {
    const memory = recorded(8);
    const faulty = createFaultyFileSystem(memory);
    faulty.inject({ call: "remove", path: ".keep", nth: 1, error: "EIO" });
    const world = open(faulty);
    run(world);
    expect(world.failures).toEqual([expect.stringContaining("its .keep could not be removed")]);
    expect(world.maintenance.progress()).toMatchObject({ packs: 1, packsRetired: 8 });
    expect(others(memory)).toEqual([]);
    checkHistory(memory, 8);
  });

  it("a disk that cannot be read at start is reported, and nothing is done before it can (maintenance invariant 5)", () => {
    const memory = recorded(8);
    run(open(memory));
    const before = memory.list(DIRECTORY);
    const faulty = createFaultyFileSystem(memory);
    faulty.inject({ call: "readFile", path: "/retired", nth: 1, error: "EIO", lasts: true });
    const world = open(faulty);
    const answers: unknown[] = [];
    world.maintenance.compact("@{2}", (answer) => answers.push(answer));
    run(world);
    expect(answers).toEqual([{ failure: expect.stringContaining("EIO") as string }]);
    expect(world.failures).toEqual([expect.stringContaining("EIO")]);
    expect(memory.list(DIRECTORY)).toEqual(before);
    faulty.heal();
    world.clock.now += 1000;
    run(world);
    expect(world.maintenance.progress().packsRetired).toBe(8);
  });

  it("a damaged pack is reported once and left alone; the others are merged", () => {
    const memory = recorded(9);
    const victim = packNames(memory)[4] as string;
    const file = memory.open(`${DIRECTORY}/${victim}`, "write");
    file.write(Uint8Array.of(0xff), 40);
    const world = open(memory);
    run(world);
    world.clock.now += 10_000;
    run(world);
    expect(world.failures).toEqual([expect.stringContaining(victim)]);
    expect(packNames(memory)).toContain(victim);
    expect(world.maintenance.progress().packs).toBe(2);
  });

  it("leaves packs alone that others made or a person keeps (maintenance invariant 3)", () => {
    const memory = recorded(9);
    const foreign = handMadePack([wholeEntry("blob", Buffer.from("not ours"))]);
    placePack(memory, REPOSITORY, foreign);
    memory.remove(`${DIRECTORY}/pack-${foreign.name}.keep`);
    const kept = packNames(memory).find((name) => !name.includes(foreign.name)) as string;
    writeDurableFile(memory, `${DIRECTORY}/${kept.replace(/pack$/, "keep")}`, []);
    const world = open(memory);
    run(world);
    world.clock.now += DELAY;
    run(world);
    expect(packNames(memory)).toHaveLength(3);
    expect(packNames(memory)).toEqual(expect.arrayContaining([kept, `pack-${foreign.name}.pack`]));
    checkHistory(memory, 9);
  });

  it("close in the middle of a merge leaves no temporary file (maintenance invariant 4)", () => {
    for (let steps = 1; steps < 40; steps += 3) {
      const memory = recorded(8);
      let now = 0;
      const maintenance = new Maintenance({
        fileSystem: memory,
        repositoryDirectory: REPOSITORY,
        monotonicMilliseconds: () => (now += 5),
        retirementMillisecondsMin: DELAY,
        retirementMilliseconds: DELAY,
        isInUse: () => false,
        onFailure: (reason) => expect.fail(reason),
      });
      for (let step = 0; step < steps && maintenance.isDue; step++) maintenance.step();
      maintenance.close();
      expect(others(memory)).toEqual([]);
      checkHistory(memory, 8);
    }
  });
});
