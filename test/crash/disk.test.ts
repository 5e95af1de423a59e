/**
 * Disks as they are: full, read-only from one moment to the next, without power, taking a few bytes at a time; and clocks
 * that step.
 *
 * Owns those disasters on real file systems; that no moment is worse than another is `crash-points.test.ts`'s to show. Where
 * nothing can be mounted (it takes root, and a container may forbid it even to root) those tests skip, and the disk in
 * memory of `crash-points.test.ts` stands for the power cut.
 */
import { copyFileSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { assemble } from "../../daemon/daemon.js";
import type { FileSystem } from "../../daemon/platform/file-system.js";
import { createLogger } from "../../daemon/platform/log.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import { nodeTimers } from "../../daemon/platform/node-timers.js";
import { nodeIpcListener } from "../../daemon/server/node-ipc-listener.js";
import { buildDaemon } from "../support/built-daemon.js";
import { Life, REPOSITORY_DIRECTORY } from "../support/crash-scenario.js";
import { commandsOn } from "../support/daemon-commands.js";
import { startDaemon, type DaemonProcess, type DaemonStart } from "../support/daemon-process.js";
import { checkHistory } from "../support/history-check.js";
import { HistoryModel } from "../support/history-model.js";
import { createMemoryFileSystem } from "../support/memory-file-system.js";
import { canMountImages, canMountMemory, makeImage, withImageMounted, withMemoryMounted } from "../support/mounts.js";
import { createRandom } from "../../simulator/world/random.js";
import { isLongCampaign, seed } from "../support/seed.js";
import { temporaryDirectory, withTemporaryDirectory } from "../support/temporary-directory.js";
import { connectClient, type WireClient } from "../support/wire-client.js";
import { fsckComplaints, git } from "../unit/daemon/history/repository/repository-support.js";
import { compareStore } from "./kill-rounds.js";
import { createWriters, writeUntilGone } from "./load.js";

const MEBIBYTE = 1024 * 1024;
/** For what all rounds of a load write: it is not about a full disk. */
const LOADED_IMAGE_MEBIBYTES = 256;
const hasMemoryMounts = canMountMemory(temporaryDirectory());
const hasImages = canMountImages(temporaryDirectory());
if (!hasMemoryMounts) console.log("no tmpfs can be mounted here: the full disk is not tried");
if (!hasImages) console.log("no image can be mounted here: the read-only disk and the power cut are not tried");
const command = hasMemoryMounts || hasImages ? buildDaemon(temporaryDirectory()) : [];

/** Calls `use` with a daemon, which does not outlive it: else its disk could not be unmounted. */
async function withDaemon(start: DaemonStart, use: (daemon: DaemonProcess) => Promise<void>): Promise<void> {
  const daemon = await startDaemon(start);
  try {
    await use(daemon);
  } finally {
    if (daemon.isRunning()) await daemon.kill("SIGKILL");
  }
}

/** Writes `/v/<n>` = n and 2,000 bytes until one is refused; returns the last that was not, and the refusal. */
async function writeUntilRefused(
  client: WireClient,
  from: number,
): Promise<{ readonly last: number; readonly error: string }> {
  for (let number = from; number < from + 20_000; number++) {
    const outcome = await client.ask("WRITE", [`/v/${String(number)}`, valueOf(number)]);
    if (outcome !== "OK") return { last: number - 1, error: outcome };
  }
  throw new Error("the disk is larger than it should be");
}

function valueOf(number: number): string {
  return String(number).padEnd(2000, ".");
}

async function expectValues(client: WireClient, last: number): Promise<void> {
  for (let number = 1; number <= last; number++) {
    expect(await client.ask("READ", [`/v/${String(number)}`]), `write ${String(number)}`).toBe(valueOf(number));
  }
}

/** Takes all room in a directory's file system but for so many bytes; returns the file that does. */
function fill(directory: string, bytesLeft: number): string {
  const path = join(directory, "filler");
  const { bavail, bsize } = statfsSync(directory);
  writeFileSync(path, new Uint8Array(Math.max(0, bavail * bsize - bytesLeft)));
  return path;
}

describe.skipIf(!hasMemoryMounts)("a full disk", () => {
  it("lets a fork be deleted that was never merged, which makes room", async () => {
    await withTemporaryDirectory(async (directory) => {
      await withMemoryMounted({ directory, bytes: 6 * MEBIBYTE }, async () => {
        await withDaemon({ directory, command, hasConsole: true }, async (daemon) => {
          const { xs, mustXs } = commandsOn(() => daemon);
          const client = await daemon.connect();
          await client.must("WRITE", ["/a", "1"]);
          await mustXs("fork", "try");
          const fork = await connectClient(join(daemon.runDirectory, "branches", "try"));
          await fork.must("WRITE", ["/a", "2"]);
          await client.must("CONTROL", ["flush"]);
          const filler = fill(directory, 60 * 1024);
          await writeUntilRefused(client, 1);
          while ((await fork.ask("WRITE", ["/b", valueOf(1)])) === "OK");
          // Tagging, too, says why it cannot be.
          expect(await xs("tag", "t")).toMatchObject({ code: 1, err: expect.stringContaining("ENOSPC") as string });
          const { code, out } = await xs("fork", "try", "--delete");
          expect([code, out]).toEqual([0, expect.stringMatching(/^deleted fork try \(was /)]);
          fork.destroy();
          rmSync(filler);
          expect(await mustXs("branches")).not.toContain("try");
        });
      });
    });
  });

  it.each(["process", "power"] as const)(
    "refuses writes with ENOSPC under %s, serves reads, and takes writes again when there is room, without a restart",
    async (durability) => {
      await withTemporaryDirectory(async (directory) => {
        await withMemoryMounted({ directory, bytes: 6 * MEBIBYTE }, async () => {
          const start = { directory, command, flags: ["--durability", durability] };
          let last = 0;
          await withDaemon(start, async (daemon) => {
            const client = await daemon.connect();
            const filler = fill(directory, 200 * 1024);
            const first = await writeUntilRefused(client, 1);
            expect(first.error).toBe("ENOSPC");
            expect(first.last).toBeGreaterThan(10);
            await expectValues(client, first.last);
            expect(await client.ask("READ", [`/v/${String(first.last + 1)}`])).toBe("ENOENT");
            await daemon.logged("refused with ENOSPC");
            rmSync(filler);
            expect(await client.ask("WRITE", [`/v/${String(first.last + 1)}`, valueOf(first.last + 1)])).toBe("OK");
            expect(await client.must("CONTROL", ["flush"])).toBe("OK");
            expect(fsckComplaints(daemon.repository)).toBe("");
            fill(directory, 100 * 1024);
            ({ last } = await writeUntilRefused(client, first.last + 2));
          });
          // Killed on a disk that is full: it may start there, or say why not.
          const restarted = await startDaemon(start).catch((failure: unknown) => String(failure));
          if (typeof restarted === "string") expect(restarted).toContain("ENOSPC");
          else {
            await expectValues(await restarted.connect(), last);
            await restarted.kill("SIGKILL");
          }
          rmSync(join(directory, "filler"));
          await withDaemon(start, async (daemon) => {
            const client = await daemon.connect();
            await expectValues(client, last);
            expect(await client.ask("READ", [`/v/${String(last + 1)}`])).toBe("ENOENT");
            expect(await client.must("CONTROL", ["check"])).toBe("OK");
            await client.must("CONTROL", ["flush"]);
            expect(fsckComplaints(daemon.repository)).toBe("");
            // MKDIR of the start, and one commit for each write.
            expect(git(daemon.repository, ["rev-list", "--count", "main"])).toBe(String(1 + last));
          });
        });
      });
    },
    300_000,
  );
});

describe.skipIf(!hasImages)("a disk that turns read-only", () => {
  it("refuses writes, serves reads and says why; mounted anew, it has all that was on the disk", async () => {
    await withTemporaryDirectory(async (directory) => {
      const image = join(directory, "image");
      const state = join(directory, "state");
      makeImage(image);
      const start = { directory, command };
      await withImageMounted({ image, directory: state }, async (mounted) => {
        await withDaemon(start, async (daemon) => {
          const client = await daemon.connect();
          for (let number = 1; number <= 40; number++) {
            await client.must("WRITE", [`/v/${String(number)}`, valueOf(number)]);
            if (number === 20) await client.must("CONTROL", ["flush"]);
          }
          mounted.turnReadOnly();
          expect(["EROFS", "EIO"]).toContain(await client.ask("WRITE", ["/v/41", "refused"]));
          await daemon.logged("EROFS");
          await expectValues(client, 40);
          expect(await client.ask("READ", ["/v/41"])).toBe("ENOENT");
          expect(await client.ask("CONTROL", ["flush"])).toBe("EIO");
        });
        await expect(startDaemon(start)).rejects.toThrow("EROFS");
      });
      await withImageMounted({ image, directory: state }, async () => {
        await withDaemon(start, async (daemon) => {
          const client = await daemon.connect();
          // What came after the flush the kernel had not written and could not write any more: a power cut, to `process`.
          await expectValues(client, 20);
          await client.must("WRITE", ["/after", "1"]);
          await client.must("CONTROL", ["flush"]);
          expect(fsckComplaints(daemon.repository)).toBe("");
        });
      });
    });
  }, 300_000);
});

describe.skipIf(!hasImages)("a power cut under load", () => {
  it("with --durability power loses nothing acknowledged: a copy of the disk at that moment has it all", async () => {
    const random = createRandom({ seed: seed(), stream: 7 });
    await withTemporaryDirectory(async (directory) => {
      const image = join(directory, "image");
      makeImage(image, LOADED_IMAGE_MEBIBYTES);
      const start = { directory, command, flags: ["--durability", "power", "--seal-ms", "50"] };
      const writers = createWriters();
      for (let round = 0; round < (isLongCampaign() ? 100 : 4); round++) {
        const copy = join(directory, "copy");
        await withImageMounted({ image, directory: join(directory, "state") }, async () => {
          await withDaemon(start, async (daemon) => {
            await compareStore(daemon, writers, { checksGit: false });
            const load = writeUntilGone(daemon.socket, writers);
            await delay(100 + random.below(600));
            // Nothing is acknowledged from here on, and nothing reaches the disk but what the kernel writes by itself.
            process.kill(daemon.pid, "SIGSTOP");
            copyAtOneMoment(image, copy);
            await daemon.kill("SIGKILL");
            expect(await load).toBeGreaterThan(0);
          });
        });
        rmSync(image);
        copyFileSync(copy, image);
        rmSync(copy);
      }
      await withImageMounted({ image, directory: join(directory, "state") }, async () => {
        await withDaemon(start, async (daemon) => {
          await compareStore(daemon, writers, { checksGit: true });
        });
      });
    });
  }, 300_000);
});

/** Copies an image that is mounted; again when it has changed meanwhile, for a disk loses power at one moment. */
function copyAtOneMoment(image: string, copy: string): void {
  for (;;) {
    copyFileSync(image, copy);
    if (readFileSync(image).equals(readFileSync(copy))) return;
  }
}

describe("a disk that takes a few bytes at a time", () => {
  it("makes no difference to journal and history", () => {
    const random = createRandom({ seed: seed(), stream: 8 });
    const memory = createMemoryFileSystem();
    memory.makeDirectory("/state");
    memory.syncDirectory("/");
    const model = new HistoryModel();
    const disk: FileSystem = {
      ...memory,
      open: (path, mode) => {
        const file = memory.open(path, mode);
        return { ...file, write: (data, position) => file.write(data.subarray(0, 1 + random.below(100)), position) };
      },
    };
    for (let restart = 0; restart < 3; restart++) {
      const life = new Life({ disk, model, durability: "power" });
      expect(life.found.seq).toBe(model.acknowledged);
      for (let batch = 1; batch <= 5; batch++) life.append(batch);
      life.record();
      life.seal();
      life.append(2);
      life.end();
      memory.crash("everything");
    }
    const life = new Life({ disk, model, durability: "power" });
    life.record();
    life.seal();
    expect(model.sealed).toBe(51);
    checkHistory({ fileSystem: memory, repositoryDirectory: REPOSITORY_DIRECTORY, model, seq: 51, decodes: true });
  });
});

describe("a clock that steps", () => {
  it("ten days forth and back leaves committer dates that never go back, and Time as the clock said", async () => {
    const directory = temporaryDirectory();
    const start = 1_780_000_000_000_000;
    const day = 86_400_000_000;
    const times = [0, 1, 10 * day, 10 * day + 5_000_000, 3, 4, -10 * day, 10 * day + 1, 20 * day, 6].map(
      (step) => start + step,
    );
    let now = start;
    const clock = { nowMicroseconds: () => now, monotonicMilliseconds: () => performance.now() };
    const lines: string[] = [];
    const sink = { write: (line: string) => void lines.push(line), reopen: () => undefined, close: () => undefined };
    const logger = createLogger({ level: "warn", sink, clock });
    const listener = nodeIpcListener((problem) => void lines.push(problem));
    const config = {
      stateDirectory: join(directory, "state"),
      runDirectory: join(directory, "run"),
      durability: "process",
      sealMilliseconds: 100,
      journalBytesMax: 1 << 20,
      hostName: "host",
    } as const;
    // Half of them in one life, the rest in the next: the date of the parent is known after a restart too.
    for (const half of [times.slice(0, 5), times.slice(5)]) {
      const daemon = await assemble(
        { fileSystem: nodeFileSystem, clock, timers: nodeTimers, listener, logger },
        config,
      );
      const client = await connectClient(daemon.socket);
      for (const time of half) {
        now = time;
        await client.must("WRITE", ["/time", String(time)]);
      }
      await client.must("CONTROL", ["flush"]);
      client.destroy();
      await daemon.stop();
    }
    const repository = join(directory, "state", "store.git");
    const log = git(repository, [
      "log",
      "--reverse",
      "--format=%ct %at %(trailers:key=Seq,valueonly,separator=) %(trailers:key=Time,valueonly,separator=)",
      "main",
    ]);
    const commits = log.split("\n").map((line) => line.split(" "));
    expect(commits.map(([, , seq]) => Number(seq))).toEqual(
      Array.from({ length: times.length + 1 }, (_, index) => index + 1),
    );
    const dates = commits.map(([date]) => Number(date));
    expect(dates).toEqual([...dates].sort((left, right) => left - right));
    expect(dates.at(-1)).toBe((start + 20 * day) / 1e6);
    const said = commits.slice(1).map(([, , , time = ""]) => `${time.slice(0, 19)}Z`);
    expect(said).toEqual(times.map((time) => `${new Date(time / 1000).toISOString().slice(0, 19)}Z`));
    expect(git(repository, ["log", "--date-order", "--format=%H", "main"])).toBe(git(repository, ["rev-list", "main"]));
    expect(fsckComplaints(repository)).toBe("");
    expect(lines).toEqual([]);
  });
});
