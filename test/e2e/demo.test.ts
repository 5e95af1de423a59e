/**
 * The demo, as a process without a terminal.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const project = resolve(import.meta.dirname, "..", "..");
const TIME_MILLISECONDS_MAX = 120_000;

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

describe("npm run demo", () => {
  test(
    "boots twenty machines, names the one that fails, and shows the commit that broke it (--keep)",
    async () => {
      const { code, output, errors } = await demo(["--keep"]);
      expect({ code, errors }, output).toEqual({ code: 0, errors: "" });
      expect(output.match(/^ {2}vm[0-9]+ +connected after/gm)).toHaveLength(19);
      expect(output).not.toMatch(/[\r\u001b]/);
      const [, failed, domid] = /^(vm[0-9]+) \(domain ([0-9]+)\) failed in the phase vbd-script/m.exec(output) ?? [];
      expect(output).toContain(`  ${(failed ?? "").padEnd(5)} FAILED: the hotplug script of vbd 51712 failed\n`);

      const [directory = ""] = left();
      const repository = join(scratch, directory, "state", "store.git");
      expect(await run(["git", "-C", repository, "fsck", "--strict"])).toEqual({ code: 0, output: "", errors: "" });
      const seq = Number(/^It is commit ([0-9]+):$/m.exec(output)?.[1]);
      const path = `local/domain/0/backend/vbd/${domid ?? ""}/51712/hotplug-status`;
      const log = await run(["git", "-C", repository, "log", "--format=%H", "main", "--", path]);
      // The script's own report is the only commit that ever wrote there.
      const oid = log.output.trim();
      expect(output).toContain(`\ncommit ${oid}\n`);
      const count = await run(["git", "-C", repository, "rev-list", "--count", oid]);
      expect(Number(count.output)).toBe(seq);
      expect((await run(["git", "-C", repository, "show", `${oid}:${path}`])).output).toBe("error");

      // The command that it prints is meant to be copied.
      const [command = ""] = output.split("\n").filter((line) => line.startsWith("  git -C "));
      const shown = await run(["sh", "-c", command]);
      expect({ code: shown.code, errors: shown.errors }).toEqual({ code: 0, errors: "" });
      expect(shown.output).toContain(oid);
    },
    TIME_MILLISECONDS_MAX,
  );

  test(
    "leaves nothing behind without --keep, also when it is interrupted",
    async () => {
      const whole = await demo([]);
      expect(whole.code, whole.errors).toBe(0);
      // A command that is meant to be copied needs something to look at.
      expect(whole.output).not.toContain("git -C");
      expect(whole.output).toContain("With --keep the Git repository stays");
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
    "says what is missing, and ends with exit code 2",
    async () => {
      const withoutGit = await demo([], { environment: { PATH: scratch } });
      expect(withoutGit).toEqual({
        code: 2,
        output: "",
        errors: "demo: the demo finds the commit with git, which is not installed here\n",
      });
      const long = join(scratch, "x".repeat(90));
      const withoutRoom = await demo([], { environment: { TMPDIR: long } });
      expect(withoutRoom.code).toBe(2);
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
