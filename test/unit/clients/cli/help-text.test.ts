/**
 * The help of every command: it is complete, fits a terminal, and its examples work.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { HistoryRecorder } from "../../../../daemon/history/recorder/recorder.js";
import { createRepository, MAIN_REF } from "../../../../daemon/history/repository/layout.js";
import { nodeFileSystem } from "../../../../daemon/platform/node-file-system.js";
import { ConnectError } from "../../../../clients/xenstore/errors.js";
import type { Transport } from "../../../../clients/xenstore/transport.js";
import { textFromBytes } from "../../../../protocol/bytes.js";
import { streamCommits } from "../../../support/commit-stream.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";
import { git } from "../../daemon/history/repository/repository-support.js";
import { programHarness, type ProgramHarness, type RunResult } from "./program-harness.js";

/** What the examples name. */
const NODES = ["name", "data", "device/vif/0/state"]
  .map((name) => `/local/domain/5/${name}`)
  .concat("/vm/abc/device/x");
/** What the store of the test does not do: with their examples no daemon is found, which is looked for once they make sense. */
const PARSED_ONLY = new Set(["control"]);
const HISTORY_COMMANDS = new Set(["log", "show", "diff", "dump", "tags", "branches", "blame"]);
/** What a running daemon alone does or tells; there is none here, and all that is said of the line is that. */
const ADMIN_COMMANDS = new Set(["fork", "merge", "rollback", "revert", "tag", "why", "why-not", "load", "top", "url"]);

let repository: string;
let xs: ProgramHarness;

beforeAll(async () => {
  repository = `${temporaryDirectory()}/store.git`;
  createRepository(nodeFileSystem, repository);
  const recorder = new HistoryRecorder({
    fileSystem: nodeFileSystem,
    repositoryDirectory: repository,
    ref: MAIN_REF,
    hostName: "host",
  });
  for (const commit of streamCommits({ domains: 8 }, 1, 1300)) recorder.record(commit);
  recorder.seal();
  recorder.close();
  git(repository, ["tag", "v1", "main~7"]);
  xs = await programHarness();
});

async function helpOf(...words: readonly string[]): Promise<string> {
  const { code, out, err } = await xs.run([...words, "--help"]);
  expect([code, err]).toEqual([0, ""]);
  return textFromBytes(out);
}

async function commands(): Promise<string[]> {
  const [, list = ""] = /\nCommands:\n((?: {2}.*\n)+)/.exec(await helpOf()) ?? [];
  return [...list.matchAll(/^ {2}([a-z-]+) /gm)].map(([, name = ""]) => name).filter((name) => name !== "help");
}

/** Each command line of `xs` in a line for a shell, as words. */
function commandLines(line: string): string[][] {
  const words = [...line.matchAll(/'([^']*)'|([|;&<>()]+)|([^\s'|;&<>()]+)/g)];
  const lines: string[][] = [];
  let current: string[] | undefined;
  for (const [, quoted, operator, word] of words) {
    if (operator !== undefined) current = undefined;
    else if (current !== undefined) current.push(quoted ?? word ?? "");
    else if (word === "xs") lines.push((current = []));
  }
  return lines;
}

function examplesOf(help: string): string[][] {
  const [, text = ""] = /\nExamples:\n((?: {2}.*\n)+)/.exec(help) ?? [];
  return text.split("\n").flatMap(commandLines);
}

const noDaemon = (name: string): Transport => ({
  name,
  open: () => Promise.reject(new ConnectError("no daemon", "ENOENT")),
});

function isForAdmin(words: readonly string[]): boolean {
  return ADMIN_COMMANDS.has(words[0] ?? "") || words.includes("--failures") || words.includes("--error");
}

function isEndless(words: readonly string[]): boolean {
  return words[0] === "watch" || words.includes("--follow");
}

/** Runs a command line where there is all that the examples name; a watch is interrupted. */
async function run(words: readonly string[]): Promise<RunResult> {
  for (const path of NODES) await xs.client.write(path, "1");
  const isHistory = (HISTORY_COMMANDS.has(words[0] ?? "") || words.includes("--at")) && !isForAdmin(words);
  const line = words.map((word) => (word === "store.git" ? repository : word));
  if (isHistory && !words.includes("--repo")) line.push("--repo", repository);
  const files = {
    [repository]: "",
    "/run/xenstored/branches/what-if": "",
    script: "read /local/domain/5/name\n",
    "state.txt": "",
  };
  const running = xs.start(line, {
    files,
    ...(PARSED_ONLY.has(words[0] ?? "") ? { transport: noDaemon } : {}),
    onOutput: () => {
      if (isEndless(words)) running.interrupt();
    },
  });
  return await running.result;
}

describe("the help", () => {
  test("of every command has all parts, and fits a terminal", async () => {
    const names = await commands();
    expect(names.length).toBeGreaterThan(15);
    for (const name of names) {
      const help = await helpOf(name);
      expect(help).toMatch(new RegExp(`^Usage: xs ${name} `));
      for (const part of ["\nOptions:\n", "\nExit codes:\n  0    ", "\n  2    ", "\nExamples:\n  "]) {
        expect([name, help.includes(part)]).toEqual([name, true]);
      }
      expect(help.split("\n").filter((line) => line.length > 80)).toEqual([]);
      expect(help).not.toMatch(/\n\n\n/);
    }
    expect((await helpOf()).split("\n").filter((line) => line.length > 80)).toEqual([]);
  });

  test("has examples that work", async () => {
    for (const name of [undefined, ...(await commands())]) {
      const lines = examplesOf(await helpOf(...(name === undefined ? [] : [name])));
      expect([name, lines.length]).not.toEqual([name, 0]);
      for (const words of lines) {
        const { code, err } = await run(words);
        if (PARSED_ONLY.has(words[0] ?? "")) expect([words, code, err]).toEqual([words, 1, "xs: no daemon\n"]);
        else if (words[0] === "bisect") {
          // No commit of the history here broke anything: that there is none is looked for once the line makes sense.
          expect([words, code, err]).toEqual([words, 2, expect.stringMatching(/^xs: there is no history here/)]);
        } else if (isForAdmin(words)) {
          expect([words, code]).toEqual([words, 2]);
          expect(err).toMatch(/^(?:xs: |\{"error":\{"message":")this needs a running daemon/);
        } else expect([words, code, err]).toEqual([words, isEndless(words) ? 130 : 0, ""]);
      }
    }
  });
});
