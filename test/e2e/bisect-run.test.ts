/**
 * `xs bisect --run` as a process, with the programs that people have: what it prints where, and what is left when Ctrl-C ends it.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { recordSteps } from "../support/stepped-history.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const project = resolve(import.meta.dirname, "..", "..");
const repository = recordSteps(
  Array.from({ length: 9 }, (_, index) => ({ "/local/domain/7/state": index >= 5 ? "6" : "4" })),
);
const scratch = temporaryDirectory();

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function start(...words: readonly string[]): { readonly ended: Promise<Ended>; readonly interrupt: () => void } {
  const program = ["--import", "tsx", "clients/cli/main.ts", "bisect", "--repo", repository, ...words];
  const child = spawn(process.execPath, program, {
    cwd: project,
    env: { ...process.env, TMPDIR: scratch },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  return {
    ended: once(child, "close").then(([code]) => ({ code: code as number | null, out, err })),
    interrupt: () => child.kill("SIGINT"),
  };
}

const left = (): string[] => readdirSync(scratch).filter((name) => name.startsWith("xs-bisect-"));

describe("xs bisect --run", () => {
  test("has the answer alone on standard output, the command's words on standard error", async () => {
    const { code, out, err } = await start("--json", "--run", "echo printed; exit 0").ended;
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(/^is good, @\{1\}, good\?\nprinted\n {2}good \(0\)\n/);
    expect(left()).toEqual([]);
  });

  test("lets xenstore-read tell", async () => {
    const command = 'echo printed; test "$(xenstore-read /local/domain/7/state)" = 4';
    const { code, out } = await start("--json", "--run", command).ended;
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ good: { seq: 1 }, bad: { seq: 9 }, first: { seq: 6 } });
  });

  test("ends the command and removes the socket with Ctrl-C", async () => {
    const pipe = join(scratch, "pipe");
    execFileSync("mkfifo", [pipe]);
    const running = start("--run", `exec 9> ${pipe}; echo $XENSTORED_PATH >&9; sleep 1000`);
    let socket = "";
    // The pipe ends when all that was started has ended.
    for await (const chunk of createReadStream(pipe, "utf8")) {
      socket += chunk as string;
      expect(existsSync(socket.trim())).toBe(true);
      running.interrupt();
    }
    const { code, out } = await running.ended;
    expect([code, out, left()]).toEqual([130, "", []]);
  });
});
