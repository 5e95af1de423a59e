/**
 * Dropping history in a running daemon: by CONTROL `compact`, and by `--keep-commits`.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { startDaemon, type DaemonProcess } from "../support/daemon-process.js";
import { withTemporaryDirectory } from "../support/temporary-directory.js";
import type { WireClient } from "../support/wire-client.js";

function git(daemon: DaemonProcess, ...words: string[]): string {
  return execFileSync("git", ["-C", daemon.repository, ...words], { encoding: "utf8", stdio: "pipe" }).trim();
}

async function write(client: WireClient, from: number, to: number): Promise<void> {
  const requests: number[] = [];
  for (let index = from; index <= to; index++) {
    requests.push(client.send("WRITE", `/k/${String(index % 7)}\0value ${String(index)}`));
  }
  for (const request of requests) await client.reply(request);
}

async function history(client: WireClient): Promise<ReadonlyMap<string, string>> {
  const lines = (await client.must("CONTROL", ["history"])).trim().split("\n");
  return new Map(lines.map((line) => line.split(": ") as [string, string]));
}

describe("CONTROL compact", () => {
  it("drops the history before a commit, also of one just made, and says EINVAL to what is none", async () => {
    await withTemporaryDirectory(async (directory) => {
      const daemon = await startDaemon({ directory });
      const client = await daemon.connect();
      await write(client, 1, 100);
      const seq = Number((await history(client)).get("seq"));
      await client.must("CONTROL", ["flush"]);
      const oids = git(daemon, "rev-list", "--reverse", "main").split("\n");
      expect(oids).toHaveLength(seq);
      git(daemon, "tag", "kept", oids[9] as string);
      await write(client, 101, 120);
      await client.must("CONTROL", ["compact", `@{${String(seq + 15)}}`]);
      expect((await history(client)).get("oldest")).toBe(String(seq + 15));
      expect(git(daemon, "rev-list", "--count", "main")).toBe("6");
      expect(git(daemon, "show", "kept:k/3")).toMatch(/^value /);
      expect(git(daemon, "fsck", "--strict", "--no-dangling")).toBe("");
      for (const revision of ["nonsense", `@{${String(seq)}}`, oids[5] as string, "kept"]) {
        const reply = await client.reply(client.send("CONTROL", `compact\0${revision}\0`));
        expect(reply.payload).toBe("EINVAL\0");
      }
      await client.must("CONTROL", ["compact", "main"]);
      await daemon.stop();
      // It goes on from a history that begins in the middle, and knows where.
      const again = await startDaemon({ directory });
      const other = await again.connect();
      expect((await history(other)).get("oldest")).toBe(String(seq + 20));
      await write(other, 121, 130);
      await other.must("CONTROL", ["flush"]);
      expect(git(again, "rev-list", "--count", "main")).toBe("11");
      expect(git(again, "show", "main:k/4")).toBe("value 130");
      expect(git(again, "fsck", "--strict", "--no-dangling")).toBe("");
      await again.stop();
    });
  }, 60_000);
});

describe("--keep-commits", () => {
  it("keeps the history within its limit while commits come", async () => {
    await withTemporaryDirectory(async (directory) => {
      const daemon = await startDaemon({ directory, flags: ["--keep-commits", "500"] });
      const client = await daemon.connect();
      await write(client, 1, 2500);
      await client.must("CONTROL", ["flush"]);
      await expect
        .poll(async () => Number((await history(client)).get("oldest")), { timeout: 20_000, interval: 50 })
        .toBeGreaterThan(1000);
      const oldest = Number((await history(client)).get("oldest"));
      const seq = Number((await history(client)).get("seq"));
      expect(seq - oldest + 1).toBeGreaterThanOrEqual(500);
      expect(git(daemon, "rev-list", "--count", "main")).toBe(String(seq - oldest + 1));
      // The index of seqs begins there too.
      expect(Number(readFileSync(`${daemon.repository}/xenstore-tng/seq/main`).readBigUInt64BE(16))).toBe(oldest);
      expect(git(daemon, "fsck", "--strict", "--no-dangling")).toBe("");
      await daemon.stop();
    });
  }, 60_000);
});
