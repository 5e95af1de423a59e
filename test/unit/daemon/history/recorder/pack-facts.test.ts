import { describe, expect, it } from "vitest";
import { HistoryRecorder } from "../../../../../daemon/history/recorder/recorder.js";
import { readPackFacts, type PackFacts } from "../../../../../daemon/history/recorder/pack-facts.js";
import { writeDurableFile } from "../../../../../daemon/history/repository/durable-file.js";
import { createRepository, MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../../../../daemon/history/repository/object-reader.js";
import { packDirectory } from "../../../../../daemon/history/repository/pack-file.js";
import { streamCommits } from "../../../../support/commit-stream.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../../../../support/memory-file-system.js";
import { handMadePack, wholeEntry } from "../repository/repository-support.js";

const REPOSITORY = "/r";

function facts(memory: MemoryFileSystem, name: string): PackFacts {
  const reader = new ObjectReader(memory, REPOSITORY);
  const job = readPackFacts(memory, reader, { repositoryDirectory: REPOSITORY, name });
  for (let step = job.next(); ; step = job.next()) if (step.done === true) return step.value;
}

describe("readPackFacts", () => {
  it("knows a pack of the recorder's by the last commit in it", () => {
    const memory = createMemoryFileSystem();
    createRepository(memory, REPOSITORY);
    const recorder = new HistoryRecorder({
      fileSystem: memory,
      repositoryDirectory: REPOSITORY,
      ref: MAIN_REF,
      hostName: "h",
    });
    for (const commit of streamCommits({ domains: 2 }, 1, 40)) recorder.record(commit);
    recorder.seal();
    const [file] = memory.list(packDirectory(REPOSITORY)).filter((name) => name.endsWith(".pack")) as [string];
    const name = file.slice(5, -5);
    const found = facts(memory, name);
    expect(found).toMatchObject({ name, seq: 40 });
    expect(found.objects).toBeGreaterThan(40 * 8);
    const sizes = memory
      .list(packDirectory(REPOSITORY))
      .map((each) => memory.readFile(`${packDirectory(REPOSITORY)}/${each}`).length);
    expect(found.bytes).toBe(sizes.reduce((sum, size) => sum + size, 0));
  });

  it("takes no other pack for one of the recorder's", () => {
    const memory = createMemoryFileSystem();
    createRepository(memory, REPOSITORY);
    const signature = "a <a@b> 1700000000 +0000";
    const commit = (committer: string, message: string): Buffer =>
      Buffer.from(`tree ${"0".repeat(40)}\nauthor ${signature}\ncommitter ${committer}\n\n${message}\n`);
    const ours = "xenstore-tng <xenstore@h> 1700000000 +0000";
    for (const [last, seq] of [
      [wholeEntry("blob", Buffer.from("Seq: 4")), undefined],
      [wholeEntry("commit", commit(signature, "x\n\nSeq: 4")), undefined],
      [wholeEntry("commit", commit(ours, "no trailer")), undefined],
      [wholeEntry("commit", commit(ours, "x\n\nSeq: 4")), 4],
    ] as const) {
      const made = handMadePack([wholeEntry("tree", Buffer.alloc(0)), last]);
      const path = `${packDirectory(REPOSITORY)}/pack-${made.name}`;
      writeDurableFile(memory, `${path}.pack`, [made.pack]);
      writeDurableFile(memory, `${path}.idx`, [made.index]);
      expect(facts(memory, made.name).seq).toBe(seq);
    }
  });
});
