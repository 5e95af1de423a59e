/**
 * `xs` and Git on a daemon that runs as a process, for end-to-end tests.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { socketTransport } from "../../clients/xenstore/socket-transport.js";
import { programHarness, type RunResult } from "../unit/clients/cli/program-harness.js";
import type { DaemonProcess } from "./daemon-process.js";

/** Commands on one daemon. */
export interface DaemonCommands {
  /** Runs `xs`; files that its words name are read from the disk. */
  readonly xs: (...words: readonly string[]) => Promise<RunResult>;
  /** The same; it must succeed, and say nothing on standard error. Gives its output. */
  readonly mustXs: (...words: readonly string[]) => Promise<string>;
  /** Runs `git` in the daemon's repository; gives its output without the white space around it. */
  readonly git: (...words: readonly string[]) => string;
}

/** Where a daemon has its admin socket. */
export function adminSocketOf({ runDirectory }: DaemonProcess): string {
  return join(runDirectory, "admin.sock");
}

/** @param daemon - gives the one that runs at the moment */
export function commandsOn(daemon: () => DaemonProcess): DaemonCommands {
  const xs: DaemonCommands["xs"] = async (...words) => {
    const harness = await programHarness();
    const admin = adminSocketOf(daemon());
    const files: Record<string, string> = existsSync(admin) ? { [admin]: "" } : {};
    for (const word of words) {
      if (statSync(word, { throwIfNoEntry: false })?.isFile() === true) files[word] = readFileSync(word, "latin1");
    }
    // Commands that it runs are to be found.
    const environment = { PATH: process.env["PATH"] };
    return harness.run(["--socket", daemon().socket, ...words], { files, transport: socketTransport, environment });
  };
  return {
    xs,
    mustXs: async (...words) => {
      const { code, out, err } = await xs(...words);
      expect([code, err]).toEqual([0, ""]);
      return out;
    },
    git: (...words) => execFileSync("git", ["-C", daemon().repository, ...words], { encoding: "latin1" }).trim(),
  };
}
