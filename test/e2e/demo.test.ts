/**
 * The demo, as a process without a terminal.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readFixture } from "../../simulator/trace/fixture.js";

const project = resolve(import.meta.dirname, "..", "..");
const TIME_MILLISECONDS_MAX = 60_000;

interface Outcome {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** The directory in which the demo makes its own, so that what it leaves behind is seen. */
let scratch = "";
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "xs-"));
});
afterEach(() => {
  rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
});

interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Called with all output until now, whenever there is more. */
  readonly watch?: (output: string, pid: number) => void;
}

function run(program: readonly string[], { environment = {}, watch }: RunOptions = {}): Promise<Outcome> {
  return new Promise((settle, fail) => {
    const child = spawn(program[0] ?? "", program.slice(1), {
      cwd: project,
      env: { ...process.env, TMPDIR: scratch, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      watch?.(output, child.pid ?? 0);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    child.once("error", fail);
    child.once("close", (code) => {
      settle({ code, output, errors });
    });
  });
}

const demo = (flags: readonly string[], options?: RunOptions): Promise<Outcome> =>
  run([process.execPath, "--import", "tsx", "simulator/demo.ts", ...flags], options);

const left = (): string[] => readdirSync(scratch).filter((name) => name.startsWith("xenstore-demo-"));

/** What the demo has to play of the phases up to the one with this name. */
function dueUntil(last: string): { requests: number; transactions: number; events: number } {
  const { phases } = readFixture("pvh-boot-and-destroy.trace");
  const steps = phases.slice(0, phases.findIndex(({ name }) => name === last) + 1).flatMap((phase) => phase.steps);
  const requests = steps.filter((step) => step.kind === "request");
  const ends = requests.filter(({ operation }) => operation === "TRANSACTION_END");
  return { requests: requests.length, transactions: ends.length, events: steps.length - requests.length };
}

const played = ({ requests, transactions, events }: ReturnType<typeof dueUntil>): string =>
  `Played ${String(requests)} requests, ${String(transactions)} transactions and ${String(events)} watch events`;

describe("npm run demo", () => {
  test(
    "plays a boot, shows the last 20 commits, ends by itself and leaves a sound repository (--keep)",
    async () => {
      const { code, output, errors } = await demo(["--keep"]);
      expect({ code, errors }, output).toEqual({ code: 0, errors: "" });
      expect(output).toContain(played(dueUntil("agent")));
      expect(output).toContain("All replies and events were as expected.");
      expect(output).not.toMatch(/[\r\u001b]/);

      const repository = /Git has [0-9]+ commits in (\S+),/.exec(output)?.[1] ?? "";
      expect(left().map((name) => join(scratch, name, "state", "store.git"))).toEqual([repository]);
      const fsck = await run(["git", "-C", repository, "fsck", "--strict"]);
      expect(fsck).toEqual({ code: 0, output: "", errors: "" });
      const log = await run(["git", "-C", repository, "log", "--oneline", "-20", "main"]);
      expect(log.output.trimEnd().split("\n")).toHaveLength(20);
      expect(output).toContain(`:\n\n${log.output}\n`);
      const count = await run(["git", "-C", repository, "rev-list", "--count", "main"]);
      expect(output).toContain(`Git has ${count.output.trim()} commits`);

      // The commands that it prints are meant to be copied.
      const commands = output.split("\n").filter((line) => line.startsWith("  git -C "));
      expect(commands.length).toBeGreaterThanOrEqual(4);
      for (const command of commands) {
        const shown = await run(["sh", "-c", command]);
        expect({ command, code: shown.code, errors: shown.errors }).toEqual({ command, code: 0, errors: "" });
        expect(shown.output).not.toBe("");
      }
      const state = await run(["git", "-C", repository, "show", "main:local/domain/0/backend/vbd/1/51712/state"]);
      expect(state.output).toBe("4");
    },
    TIME_MILLISECONDS_MAX,
  );

  test(
    "plays the whole life (--life), after which nothing of the domain is left in the store",
    async () => {
      const { code, output, errors } = await demo(["--life", "--keep"]);
      expect({ code, errors }, output).toEqual({ code: 0, errors: "" });
      expect(output).toContain(played(dueUntil("destroy")));
      expect(output).toContain("All replies and events were as expected.");
      const repository = /Git has [0-9]+ commits in (\S+),/.exec(output)?.[1] ?? "";
      const fsck = await run(["git", "-C", repository, "fsck", "--strict"]);
      expect(fsck).toEqual({ code: 0, output: "", errors: "" });
      const names = await run(["git", "-C", repository, "ls-tree", "-r", "--name-only", "main"]);
      expect(names.output).toContain("local/domain/0/name");
      expect(names.output).not.toMatch(/^(local\/domain\/1|libxl|vm\/|\.domains|local\/domain\/0\/backend)\//m);
    },
    TIME_MILLISECONDS_MAX,
  );

  test(
    "leaves nothing behind without --keep, also when it is interrupted",
    async () => {
      const whole = await demo([]);
      expect(whole.code, whole.errors).toBe(0);
      expect(left()).toEqual([]);

      let daemon = 0;
      const interrupted = await demo([], {
        watch: (output, pid) => {
          const match = /\(process ([0-9]+)\)/.exec(output);
          if (match?.[1] === undefined || daemon !== 0) return;
          daemon = Number(match[1]);
          process.kill(pid, "SIGTERM");
        },
      });
      expect({ code: interrupted.code, errors: interrupted.errors }).toEqual({ code: 130, errors: "" });
      expect(daemon).toBeGreaterThan(0);
      expect(existsSync(`/proc/${String(daemon)}`)).toBe(false);
      expect(left()).toEqual([]);
    },
    TIME_MILLISECONDS_MAX,
  );

  test(
    "ends its daemon when nobody reads its output any more",
    async () => {
      const piped = await run(["sh", "-c", `${process.execPath} --import tsx simulator/demo.ts | head -n 1`]);
      expect(piped.output.split("\n")).toHaveLength(2);
      expect(piped.errors).toBe("");
      const daemon = /\(process ([0-9]+)\)/.exec(piped.output)?.[1] ?? "";
      expect(daemon).not.toBe("");
      expect(existsSync(`/proc/${daemon}`)).toBe(false);
      expect(left()).toEqual([]);
    },
    TIME_MILLISECONDS_MAX,
  );

  test(
    "says what is missing, and ends with exit code 1",
    async () => {
      const withoutGit = await demo([], { environment: { PATH: scratch } });
      expect(withoutGit).toEqual({
        code: 1,
        output: "",
        errors: "demo: the demo shows its history with git, which is not installed here\n",
      });
      const long = join(scratch, "x".repeat(90));
      const withoutRoom = await demo([], { environment: { TMPDIR: long } });
      expect(withoutRoom.code).toBe(1);
      expect(withoutRoom.errors).toContain("set TMPDIR to a shorter one");
    },
    TIME_MILLISECONDS_MAX,
  );
});

describe("xs-sim", () => {
  const simulator = (...args: string[]): Promise<Outcome> =>
    run([process.execPath, "--import", "tsx", "simulator/main.ts", ...args]);

  test(
    "knows --help, --version and demo, and ends with exit code 2 for what it does not know",
    async () => {
      const help = await simulator("--help");
      expect(help.code).toBe(0);
      expect(help.output).toContain("demo [options]");
      expect(await simulator("--version")).toMatchObject({
        code: 0,
        output: expect.stringMatching(/^[0-9]+\.[0-9]+\.[0-9]+\n$/) as string,
      });
      const demoHelp = await simulator("demo", "--help");
      expect(demoHelp.code).toBe(0);
      expect(demoHelp.output).toContain("--keep");
      for (const args of [["fly"], ["demo", "--fly"], ["demo", "far"]]) {
        const { code, errors } = await simulator(...args);
        expect({ args, code }).toEqual({ args, code: 2 });
        expect(errors).toContain("error:");
      }
    },
    TIME_MILLISECONDS_MAX,
  );
});
