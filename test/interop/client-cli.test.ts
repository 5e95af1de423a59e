/**
 * `xs` beside Debian's xenstore-* tools, on the same daemon: what one writes the other reads, and both print the same.
 *
 * Runs against our daemon, and against a real xenstored when `XENSTORE_PEER_COMMAND` names one; skips where the tools are
 * not installed. `xs` runs in this process, which is quicker; `test/unit/clients/cli/main.test.ts` runs it as one.
 */
import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CliIo } from "../../clients/cli/io.js";
import { runProgram } from "../../clients/cli/program.js";
import { socketTransport } from "../../clients/xenstore/socket-transport.js";
import type { DaemonProcess } from "../support/daemon-process.js";
import { targets } from "./client-targets.js";

const runTool = (name: string, words: readonly string[], environment = process.env) =>
  spawnSync(`xenstore-${name}`, words, { env: environment, encoding: "latin1" });

const hasTools = runTool("ls", ["-h"]).error === undefined;

interface Ran {
  readonly code: number | null;
  readonly out: string;
}

const everyByte = Array.from({ length: 255 }, (_, index) => `\\x${(index + 1).toString(16).padStart(2, "0")}`).join("");

describe.each(targets)("xs and the xenstore-* tools on $name", ({ isMissing, start }) => {
  describe.skipIf(isMissing || !hasTools)("print the same", () => {
    let daemon: DaemonProcess;
    const xsWithInput = async (input: string, ...words: string[]): Promise<Ran> => {
      let out = "";
      const io: CliIo = {
        environment: { XENSTORED_PATH: daemon.socket },
        isTerminal: false,
        columns: undefined,
        out: async (bytes) => {
          out += bytes;
        },
        err: () => {},
        readInput: async () => input,
        readFile: () => "",
        fileExists: () => false,
        onInterrupt: () => () => {},
        onOutputFailure: () => {},
        transport: socketTransport,
      };
      return { code: await runProgram(words, io), out };
    };
    const xs = (...words: string[]): Promise<Ran> => xsWithInput("", ...words);
    const tool = async (name: string, ...words: string[]): Promise<Ran> => {
      const { status, stdout } = runTool(name, words, { ...process.env, XENSTORED_PATH: daemon.socket });
      return { code: status, out: stdout };
    };
    /** Runs both; what they print and how they end must be equal. */
    const same = async (name: string, ...words: string[]): Promise<Ran> => {
      const ours = await xs(name, ...words);
      expect([name, ...words, ours]).toEqual([name, ...words, await tool(name, ...words)]);
      return ours;
    };

    beforeAll(async () => {
      daemon = await start();
      const long = "abcdefghij".repeat(12);
      const pairs = [65, 66, 67, 68, 69, 70, 71].flatMap((length) => [`/t/l${String(length)}`, long.slice(0, length)]);
      const values = ["/t/long", long, "/t/bytes", everyByte, "/t/quotes", 'say "x" \\\\', "/t/utf8", "zażółć"];
      const deep = ["/t/a/b/c/d", "deep", `/t/${"verylongname".repeat(7)}`, "v", "/t/empty", ""];
      expect((await tool("write", ...pairs, ...values, ...deep)).code).toBe(0);
      expect((await tool("chmod", "/t/a/b", "n0", "r5", "b7", "w1")).code).toBe(0);
    });
    afterAll(async () => {
      await daemon.stop();
    });

    test.each([[[]], [["-f"]], [["-p"]], [["-f", "-p"]]])("ls %j", async (flags) => {
      expect((await same("ls", ...flags)).out).toContain("deep");
      await same("ls", ...flags, "/t");
      await same("ls", ...flags, "/t/a", "/t/a/b");
    });

    test("ls of a relative path and of none", async () => {
      await tool("write", "relative/x", "1");
      expect((await same("ls", "-f", "relative")).out).toBe('relative/x = "1"\n');
      expect((await same("ls", "/nope")).code).toBe(1);
    });

    test("read", async () => {
      await same("read", "/t/bytes", "/t/utf8");
      await same("read", "-p", "/t/bytes", "/t/utf8");
      await same("read", "-R", "/t/bytes");
      await same("read", "-p", "-R", "/t/bytes", "/t/utf8");
      expect((await same("read", "/nope")).code).toBe(1);
    });

    test.each(["plain", "a\\\\b", "\\x41\\e", "\\1\\12\\1234\\8\\400", "tail\\", 'zażółć "q"'])(
      "write %j",
      async (value) => {
        for (const flags of [[], ["-R"]]) {
          expect((await tool("write", ...flags, "/w/theirs", value)).code).toBe(0);
          expect((await xs("write", ...flags, "/w/ours", value)).code).toBe(0);
          expect((await tool("read", "/w/ours")).out).toBe((await tool("read", "/w/theirs")).out);
        }
      },
    );

    test("list and exists", async () => {
      await same("list", "/t");
      await same("list", "-p", "/t", "/t/a");
      expect((await same("exists", "/t", "/t/a")).code).toBe(0);
      expect((await same("exists", "/t", "/nope")).code).toBe(1);
      expect((await same("list", "/nope")).code).toBe(1);
    });

    test("rm and its tidying", async () => {
      for (const [top, remove] of [
        ["/theirs", tool],
        ["/ours", xs],
      ] as const) {
        await tool("write", `${top}/v`, "value", `${top}/v/w/x`, "", `${top}/s/t`, "", `${top}/s/u/v`, "");
        expect((await remove("rm", "-t", `${top}/v/w/x`, `${top}/s/u/v`)).code).toBe(0);
        expect((await remove("rm", `${top}/none`)).code).toBe(0);
        expect((await remove("rm", `${top}/none/none`)).code).toBe(1);
      }
      expect((await tool("ls", "/ours")).out).toBe((await tool("ls", "/theirs")).out);
    });

    test("chmod, upwards and downwards", async () => {
      for (const [top, change] of [
        ["/m-theirs", tool],
        ["/m-ours", xs],
      ] as const) {
        await tool("write", `${top}/a/b/c`, "", `${top}/a/x`, "");
        expect((await change("chmod", "-r", `${top}/a`, "r0", "n3")).code).toBe(0);
        expect((await change("chmod", "-u", `${top}/a/b`, "b0", "n2")).code).toBe(0);
      }
      expect((await tool("ls", "-p", "/m-ours")).out).toBe((await tool("ls", "-p", "/m-theirs")).out);
    });

    test("watch", async () => {
      expect((await same("watch", "-n", "2", "/t", "/u")).out).toBe("/t\n/u\n");
    });

    test("a script is one transaction", async () => {
      const input = "write /script/a '1 2'\nread /script/a\nchmod /script/a n0 r5\n";
      expect(await xsWithInput(input, "txn")).toEqual({ code: 0, out: "1 2\n" });
      expect((await tool("ls", "-f", "-p", "/script")).out).toBe('/script/a = "1 2"   (n0,r5)\n');
    });
  });
});
