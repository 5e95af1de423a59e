import { execFileSync } from "node:child_process";
import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runCommand } from "../../../../clients/cli/run-command.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";

const environment = { PATH: process.env["PATH"] };

function run(command: string, signal = new AbortController().signal): Promise<number> {
  return runCommand({ command, environment: { ...environment, ANSWER: "42" }, signal });
}

describe("runCommand", () => {
  test.each([
    ["exit 0", 0],
    ["exit 1", 1],
    ["false || exit 125", 125],
    ["kill -TERM $$", 143],
    ["no-such-program-anywhere 2> /dev/null", 127],
    ['test "$ANSWER" = 42', 0],
    ["read line", 1],
  ])("of %s answers %i", async (command, code) => {
    expect(await run(command)).toBe(code);
  });

  test.each([
    ["when it is told to", "sleep 1000 & wait", 143],
    ["also what does not listen", "trap '' TERM; sleep 1000 & wait; wait", 137],
  ])("ends all that it started, %s", async (_claim, command, code) => {
    const pipe = join(temporaryDirectory(), "pipe");
    execFileSync("mkfifo", [pipe]);
    const ending = new AbortController();
    // Whoever was started holds the pipe open, so that its end is the end of all.
    const ended = run(`exec 9> ${pipe}; echo begun >&9; ${command}`, ending.signal);
    let read = "";
    for await (const chunk of createReadStream(pipe, "utf8")) {
      read += chunk as string;
      ending.abort();
    }
    expect([read, await ended]).toEqual(["begun\n", code]);
  });

  test("ends what it left in the background, when it has ended itself", async () => {
    const pipe = join(temporaryDirectory(), "pipe");
    execFileSync("mkfifo", [pipe]);
    const ended = run(`exec 9> ${pipe}; sleep 1000 & exit 3`);
    for await (const chunk of createReadStream(pipe, "utf8")) expect(chunk).toBe("");
    expect(await ended).toBe(3);
  });

  test("does not begin when it is to end already", async () => {
    const directory = temporaryDirectory();
    await expect(run(`touch ${directory}/begun`, AbortSignal.abort())).rejects.toThrow();
    expect(existsSync(join(directory, "begun"))).toBe(false);
  });
});
