/**
 * `xs bisect --run` as a process, with the programs that people have: what it prints where, and what is left when it is ended.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, existsSync, readdirSync, writeFileSync } from "node:fs";
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

interface Started {
  readonly ended: Promise<Ended>;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Nobody reads standard error any more. */
  readonly closeErrors: () => Promise<void>;
}

function start(...words: readonly string[]): Started {
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
    kill: (signal) => child.kill(signal),
    closeErrors: async () => {
      child.stderr.destroy();
      await once(child.stderr, "close");
    },
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

  test.each([
    [
      "Ctrl-C",
      "",
      (running: Started) => {
        running.kill("SIGINT");
      },
      130,
    ],
    [
      "SIGTERM",
      "",
      (running: Started) => {
        running.kill("SIGTERM");
      },
      143,
    ],
    [
      "SIGHUP",
      "",
      (running: Started) => {
        running.kill("SIGHUP");
      },
      129,
    ],
    [
      "a second Ctrl-C at once, also where the command does not listen",
      "trap 'echo >&9' TERM; ",
      (running: Started) => {
        running.kill("SIGINT");
      },
      130,
    ],
  ])("ends the command and removes the socket with %s", async (_name, listening, end, expected) => {
    const pipe = join(temporaryDirectory(), "pipe");
    execFileSync("mkfifo", [pipe]);
    const command = `exec 9> ${pipe}; ${listening}echo $XENSTORED_PATH >&9; sleep 1000 & wait; wait`;
    const running = start("--run", command);
    let socket = "";
    // The pipe ends when all that was started has ended.
    for await (const chunk of createReadStream(pipe, "utf8")) {
      if (socket === "") expect(existsSync((chunk as string).trim())).toBe(true);
      socket += chunk as string;
      end(running);
    }
    const { code, out } = await running.ended;
    expect([code, out, left()]).toEqual([expected, "", []]);
  });

  test("leaves nothing when who read standard error goes away", async () => {
    const [pipe, mayGoOn] = [join(temporaryDirectory(), "pipe"), join(temporaryDirectory(), "may-go-on")];
    execFileSync("mkfifo", [pipe]);
    const running = start("--run", `echo begun > ${pipe}; until test -e ${mayGoOn}; do sleep 0.02; done`);
    for await (const chunk of createReadStream(pipe, "utf8")) expect(chunk).toBe("begun\n");
    await running.closeErrors();
    writeFileSync(mayGoOn, "");
    const { code, out } = await running.ended;
    expect([code, out, left()]).toEqual([1, "", []]);
  });
});
