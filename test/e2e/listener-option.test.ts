/**
 * `--listener`: what carries the sockets of the daemon, and what it says where that is not there.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { LISTENER_KINDS } from "../../daemon/server/choose-listener.js";
import { whyNoReactor } from "../../daemon/server/reactor/reactor-listener.js";
import { buildDaemon } from "../support/built-daemon.js";
import { startDaemon } from "../support/daemon-process.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

let command: readonly string[];
let built: string;

function run(...flags: readonly string[]): { readonly code: number | null; readonly text: string } {
  const [program = "", ...words] = command;
  const all = [...words, "--dir", temporaryDirectory(), "--no-admin", ...flags];
  const { status, stderr } = spawnSync(program, all, { encoding: "utf8" });
  return { code: status, text: stderr };
}

describe("--listener", () => {
  beforeAll(() => {
    built = join(temporaryDirectory(), "built");
    mkdirSync(built);
    command = buildDaemon(built);
  });

  test.each(LISTENER_KINDS)("%s carries the sockets of the daemon", async (kind) => {
    if (kind === "reactor" && whyNoReactor() !== undefined) return;
    const daemon = await startDaemon({ command, flags: ["--listener", kind] });
    try {
      const client = await daemon.connect();
      client.destroy();
      const loaded = readFileSync(`/proc/${String(daemon.pid)}/maps`, "utf8").includes("reactor.node");
      expect(loaded).toBe(kind === "reactor");
    } finally {
      await daemon.stop();
    }
  });

  test("takes nothing else: code 2, and says what it takes", () => {
    const { code, text } = run("--listener", "pigeon");
    expect(code).toBe(2);
    for (const kind of LISTENER_KINDS) expect(text).toContain(kind);
  });

  test("reactor, where it was not built, ends with code 1 and says how to build it", () => {
    rmSync(join(built, "daemon"), { recursive: true, force: true });
    const { code, text } = run("--listener", "reactor");
    expect(code).toBe(1);
    expect(text).toMatch(/the reactor is not available: .*reactor\.node is not there: "npm rebuild" builds it/);
  });
});
