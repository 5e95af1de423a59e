/** State directories that released versions wrote, opened by the current daemon. */
import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { sealLine } from "../../daemon/journal/record.js";
import { startDaemon, type DaemonProcess } from "../support/daemon-process.js";
import { withTemporaryDirectory } from "../support/temporary-directory.js";

const project = resolve(import.meta.dirname, "..", "..");

/** The tip of the history that 0.1.0 left; its journal goes on from there. */
const TIP_OF_0_1_0 = "f850dd2";

function copyState(version: string, directory: string): void {
  cpSync(join(project, "test", "compatibility", version, "state"), join(directory, "state"), { recursive: true });
}

function git({ repository }: DaemonProcess, ...words: readonly string[]): string {
  return execFileSync("git", ["-C", repository, ...words], { encoding: "latin1" });
}

async function expectContent(daemon: DaemonProcess): Promise<void> {
  const client = await daemon.connect();
  expect(await client.must("READ", ["/hello"])).toBe("bytes \xff\x01");
  expect(await client.must("READ", ["/local/domain/5/device/vif/0/state"])).toBe("1");
  expect(await client.must("DIRECTORY", ["/local/domain/5"])).toBe("data\0device");
  expect(await client.must("GET_PERMS", ["/local/domain/5/data"])).toBe("n5\0r0");
  expect(await client.must("IS_DOMAIN_INTRODUCED", ["5"])).toBe("T");
  expect(await client.must("CONTROL", ["check"])).toBe("OK");
}

describe("a state directory of 0.1.0", () => {
  it("is served and recorded on, with what only its journal held, and its journal gives way to the current format", async () => {
    await withTemporaryDirectory(async (directory) => {
      copyState("0.1.0", directory);
      const daemon = await startDaemon({ directory });
      await expectContent(daemon);
      const client = await daemon.connect();
      await client.must("WRITE", ["/hello", "again"]);
      await client.must("WRITE", ["/hello", "bytes \xff\x01"]);
      await daemon.kill("SIGKILL");
      const again = await startDaemon({ directory });
      await expectContent(again);
      await (await again.connect()).must("CONTROL", ["flush"]);
      const seqs = git(again, "log", "--reverse", "--format=%(trailers:key=Seq,valueonly,separator=)", "main");
      expect(seqs.trim().split("\n").map(Number)).toEqual(Array.from({ length: 11 }, (_, index) => index + 1));
      expect(git(again, "merge-base", TIP_OF_0_1_0, "main")).toContain(TIP_OF_0_1_0);
      expect(git(again, "fsck", "--strict")).toBe("");
      // A domain that 0.1.0 introduced is told by what that noted; one that is introduced now, by its commit.
      expect(git(again, "show", "main:.domains/5")).toBe("gfn 1\nport 2\n");
      await (await again.connect()).must("INTRODUCE", ["6", "1", "1"]);
      await (await again.connect()).must("CONTROL", ["flush"]);
      expect(git(again, "show", "main:.domains/6")).toMatch(/^gfn 1\nport 1\nseq 12\ntime [0-9]{16}\n$/);
      const journal = join(directory, "state", "journal", "main");
      const headers = readdirSync(journal).map((name) => readFileSync(join(journal, name), "latin1").split("\n")[0]);
      expect(headers.at(-1)).toContain('"version":2');
      expect((await again.stop()).code).toBe(0);
    });
  });
});

describe("a state directory of a version to come", () => {
  it("is refused, with what to do about it, and left as it is", async () => {
    await withTemporaryDirectory(async (directory) => {
      copyState("0.1.0", directory);
      const segment = join(directory, "state", "journal", "main", "0000000000000001.journal");
      const lines = readFileSync(segment, "latin1").split("\n");
      const header = sealLine('{"format":"xenstore-tng journal","version":9,"branch":"main","first":1}').slice(0, -1);
      writeFileSync(segment, [header, ...lines.slice(1)].join("\n"), "latin1");
      const before = readFileSync(segment, "latin1");
      await expect(startDaemon({ directory })).rejects.toThrow(
        /was written by another version of the daemon: it is in version 9 of the format, .*Start that version on this state directory once more/,
      );
      expect(readFileSync(segment, "latin1")).toBe(before);
    });
  });
});
