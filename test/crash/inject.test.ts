/**
 * System calls of the real daemon that fail: EIO and ENOSPC at the Nth call of a kind, once and from then on.
 *
 * Owns the faults and what may follow from them. strace makes the calls fail; attached to the main thread it meets the
 * journal, attached to the other threads it meets the recorder, and a daemon started under it meets them all. What must
 * hold: a write is acknowledged, or refused with the error's name and a reason in the log; reads go on; the recorder tries
 * again; once the fault has passed, everything works, without a restart unless the journal says that it needs one; and
 * after a kill and a restart all that was acknowledged is there, nothing that was refused is (but for what a stuck journal
 * cannot say, journal invariant 4), and Git is content.
 *
 * `LONG=1` tries every N until no call is left to fail; else the first few of each kind are tried.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildDaemon } from "../support/built-daemon.js";
import { startDaemon, type DaemonProcess } from "../support/daemon-process.js";
import { isLongCampaign } from "../support/seed.js";
import { temporaryDirectory, withTemporaryDirectory } from "../support/temporary-directory.js";
import type { WireClient } from "../support/wire-client.js";
import { fsckComplaints, git } from "../unit/daemon/history/repository/repository-support.js";

/** Where ptrace is not allowed, as in many containers, strace is of no use. */
const canTrace = spawnSync("strace", ["-f", "-e", "inject=getcwd:error=EIO", "true"]).status === 0;
if (!canTrace) console.log("strace cannot trace here: no system call is made to fail");

type ErrorCode = "EIO" | "ENOSPC";

/** A fault: the `nth` of these calls, in each thread that is traced, and all after it where it lasts. */
interface Fault {
  readonly calls: string;
  readonly nth: number;
  readonly error: ErrorCode;
  readonly lasts: boolean;
}

function describeFault({ calls, nth, error, lasts }: Fault): string {
  return `${error} at ${calls} ${String(nth)}${lasts ? " and from then on" : ""}`;
}

function straceFlags({ calls, nth, error, lasts }: Fault, output: string): string[] {
  const inject = `inject=${calls}:error=${error}:when=${String(nth)}${lasts ? "+" : ""}`;
  return ["-q", "-y", "-o", output, "-e", `trace=${calls}`, "-e", inject];
}

/** strace, attached to threads of a running daemon. */
interface Tracer {
  /** Detaches; returns how many calls were made to fail. */
  end(): Promise<number>;
}

async function attach(daemon: DaemonProcess, threads: "main" | "others", fault: Fault): Promise<Tracer> {
  const output = join(daemon.directory, "trace");
  const { pid } = daemon;
  const all = readdirSync(`/proc/${String(pid)}/task`);
  const traced = all.filter((thread) => (thread === String(pid)) === (threads === "main"));
  // Without -q it says on standard error when it is attached to each.
  const flags = straceFlags(fault, output).filter((flag) => flag !== "-q");
  const tracer = spawn("strace", [...flags, ...traced.flatMap((thread) => ["-p", thread])], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  await attached(tracer, traced.length);
  return {
    end: async () => {
      const ended = once(tracer, "exit");
      tracer.kill("SIGINT");
      await ended;
      return injectedIn(output);
    },
  };
}

async function attached(tracer: ChildProcess, threads: number): Promise<void> {
  let text = "";
  await new Promise<void>((resolve, reject) => {
    tracer.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (text.split("attached").length > threads) resolve();
    });
    tracer.once("exit", () => {
      reject(new Error(`strace ended: ${text}`));
    });
  });
}

/**
 * The pid of a daemon that was started by strace, which is its only child. The kernel tells it: the lock's file may be
 * empty, if writing it was made to fail, and pid 0 would be everybody in the test's process group.
 */
function tracedPid({ pid }: DaemonProcess): number {
  const children = readFileSync(`/proc/${String(pid)}/task/${String(pid)}/children`, "utf8").trim();
  if (!/^[1-9][0-9]*$/.test(children)) throw new Error(`strace ${String(pid)} has not one child but: ${children}`);
  return Number(children);
}

function injectedIn(output: string): number {
  return readFileSync(output, "utf8").split("(INJECTED)").length - 1;
}

/** Writes with numbers, and what became of each. */
class Writes {
  readonly acknowledged: number[] = [];
  readonly refused: number[] = [];
  readonly errors = new Set<string>();
  #last = 0;

  async write(client: WireClient, count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const number = ++this.#last;
      const outcome = await client.ask("WRITE", [`/n${String(number)}`, String(number)]);
      (outcome === "OK" ? this.acknowledged : this.refused).push(number);
      if (outcome !== "OK") this.errors.add(outcome);
      // A refused write is not there, and reads are answered whatever the disk does.
      const seen = await client.ask("READ", [`/n${String(number)}`]);
      expect(seen).toBe(outcome === "OK" ? String(number) : "ENOENT");
    }
  }

  /** Kills the daemon, starts another one, and compares; `doubtful` refusals may be there or not. */
  async check(daemon: DaemonProcess, again: () => Promise<DaemonProcess>, doubtful: boolean): Promise<void> {
    await daemon.kill("SIGKILL");
    const next = await again();
    try {
      const client = await next.connect();
      for (const number of this.acknowledged)
        expect(await client.ask("READ", [`/n${String(number)}`])).toBe(String(number));
      for (const number of doubtful ? [] : this.refused)
        expect(await client.ask("READ", [`/n${String(number)}`])).toBe("ENOENT");
      expect(await client.must("CONTROL", ["check"])).toBe("OK");
      await client.must("WRITE", ["/after", "the restart"]);
      await client.must("CONTROL", ["flush"]);
      expect(fsckComplaints(next.repository)).toBe("");
      const seq = /^seq: ([0-9]+)$/m.exec(await client.must("CONTROL", ["history"]))?.[1];
      expect(git(next.repository, ["rev-list", "--count", "main"])).toBe(seq);
      expect(git(next.repository, ["show", `main:n${String(this.acknowledged.at(-1))}`])).toBe(
        String(this.acknowledged.at(-1)),
      );
    } finally {
      await next.kill();
    }
  }
}

const MINUTES_MAX = (isLongCampaign() ? 60 : 4) * 60_000;

describe.skipIf(!canTrace)("a daemon whose system calls fail", () => {
  const command = canTrace ? buildDaemon(temporaryDirectory()) : [];

  /** The faults of some calls: the first `most` of them, each with both errors, once and for ever. */
  const faultsOf = function* (calls: string, most: number): Generator<Fault> {
    for (let nth = 1; nth <= most; nth++) {
      for (const error of nth === 1 || isLongCampaign() ? (["EIO", "ENOSPC"] as const) : (["EIO"] as const)) {
        for (const lasts of [false, true]) yield { calls, nth, error, lasts };
      }
    }
  };

  // The counts of the two calls in one fault are apart: the first write fails, and so does the first attempt to undo it.
  const journalFaults = [
    { durability: "process", calls: "pwrite64", most: 2, isStuck: false },
    { durability: "power", calls: "pwrite64", most: 1, isStuck: false },
    { durability: "process", calls: "pwrite64,ftruncate", most: 1, isStuck: true },
    { durability: "power", calls: "fdatasync", most: 1, isStuck: true },
  ] as const;

  it.each(journalFaults)(
    "$calls of the journal under $durability: refuses writes and says why, reads go on, and nothing acknowledged is lost",
    async ({ durability, calls, most, isStuck }) => {
      for (const fault of faultsOf(calls, calls === "pwrite64,ftruncate" ? 1 : isLongCampaign() ? 4 : most)) {
        await withTemporaryDirectory(async (directory) => {
          const start = { directory, command, flags: ["--durability", durability] };
          const daemon = await startDaemon(start);
          const client = await daemon.connect();
          const writes = new Writes();
          await writes.write(client, 1);
          const tracer = await attach(daemon, "main", fault);
          await writes.write(client, 4);
          const injected = await tracer.end();
          expect(injected, describeFault(fault)).toBeGreaterThan(0);
          // A journal that could not undo a write needs more than room on the disk, which ENOSPC would promise.
          const error = calls === "pwrite64,ftruncate" ? "EIO" : fault.error;
          expect([...writes.errors], describeFault(fault)).toEqual([error]);
          await daemon.logged(`refused with ${error}`);
          await daemon.logged(fault.error);
          const before = writes.refused.length;
          await writes.write(client, 2);
          expect(writes.refused.length - before, `${describeFault(fault)}, after it has passed`).toBe(isStuck ? 2 : 0);
          if (isStuck) await daemon.logged("the journal takes no commits until the daemon is restarted");
          await writes.check(daemon, () => startDaemon(start), isStuck);
        });
      }
    },
    MINUTES_MAX,
  );

  it.each(["pwrite64", "fsync", "rename", "openat", "unlink"])(
    "%s of the recorder: clients notice nothing, the seal is tried again, and the history is whole",
    async (calls) => {
      await withTemporaryDirectory(async (directory) => {
        const start = { directory, command };
        const daemon = await startDaemon(start);
        const client = await daemon.connect();
        const writes = new Writes();
        let tried = 0;
        for (const fault of faultsOf(calls, isLongCampaign() ? 1000 : 5)) {
          const tracer = await attach(daemon, "others", fault);
          await writes.write(client, 2);
          const flushed = await client.ask("CONTROL", ["flush"]);
          const injected = await tracer.end();
          if (injected === 0) break;
          tried++;
          expect(["OK", "EIO"], describeFault(fault)).toContain(flushed);
          if (flushed === "EIO") await daemon.logged("a seal failed and is tried again: EIO");
          await writes.write(client, 1);
          expect(await client.ask("CONTROL", ["flush"]), `${describeFault(fault)}, after it has passed`).toBe("OK");
          expect(fsckComplaints(daemon.repository)).toBe("");
        }
        expect(tried).toBeGreaterThanOrEqual(4);
        expect(writes.refused).toEqual([]);
        await writes.check(daemon, () => startDaemon(start), false);
      });
    },
    MINUTES_MAX,
  );

  it("makes the state directory itself durable, and those above it that it had to make", async () => {
    await withTemporaryDirectory(async (directory) => {
      const output = join(directory, "trace");
      const strace = ["strace", "-f", "-q", "-y", "-o", output, "-e", "trace=fsync"];
      const daemon = await startDaemon({ directory: join(directory, "a", "b"), command: [...strace, ...command] });
      process.kill(tracedPid(daemon), "SIGKILL");
      await daemon.kill("SIGTERM");
      const synced = [...readFileSync(output, "utf8").matchAll(/fsync\([0-9]+<(.*?)>/g)].map(([, path]) => path);
      expect(synced).toEqual(expect.arrayContaining([directory, join(directory, "a"), join(directory, "a", "b")]));
    });
  });

  it(
    "at its start: it serves, or ends with a message for people, and the next start has everything",
    async () => {
      await withTemporaryDirectory(async (directory) => {
        const start = { directory, command, flags: ["--durability", "power"] };
        const output = join(directory, "trace");
        const writes = new Writes();
        const first = await startDaemon(start);
        await writes.write(await first.connect(), 3);
        await first.kill("SIGKILL");
        for (const calls of ["pwrite64", "fsync", "fdatasync", "rename", "mkdir", "ftruncate"]) {
          for (let nth = 1; nth <= (isLongCampaign() ? 1000 : 3); nth++) {
            const fault: Fault = { calls, nth, error: nth % 2 === 0 ? "ENOSPC" : "EIO", lasts: nth % 3 === 0 };
            const traced = { ...start, command: ["strace", "-f", ...straceFlags(fault, output), ...command] };
            const outcome = await startDaemon(traced).catch((error: unknown) => String(error));
            if (typeof outcome === "string") {
              expect(outcome, describeFault(fault)).toContain(`xenstored-tng: `);
              expect(outcome, describeFault(fault)).toContain(fault.error);
            } else {
              const client = await outcome.connect();
              expect(await client.ask("READ", ["/n1"])).toBe("1");
              process.kill(tracedPid(outcome), "SIGKILL");
              await outcome.kill("SIGTERM");
            }
            if (injectedIn(output) === 0) break;
          }
        }
        const last = await startDaemon(start);
        await writes.check(last, () => startDaemon(start), false);
      });
    },
    MINUTES_MAX,
  );
});
