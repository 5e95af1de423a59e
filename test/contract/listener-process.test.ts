/**
 * The contract of `Listener` where it takes a process: its end, its threads, its file descriptors. And the reactor under
 * AddressSanitizer, which is skipped where the compiler has none.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createConnection } from "node:net";
import { dirname, join, resolve } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { LISTENER_KINDS } from "../../daemon/server/choose-listener.js";
import { whyNoReactor } from "../../daemon/server/reactor/reactor-listener.js";
import {
  runOutOfDescriptors,
  startListenerProcess,
  type ListenerProcess,
  type ListenerProcessStart,
} from "../support/listener-process.js";
import { isLongCampaign, seed } from "../support/seed.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const SOURCE = resolve(import.meta.dirname, "../../daemon/server/reactor/reactor.c");
/** A thread takes seconds to start from the sources, more so under a sanitizer. */
const THREADS_MILLISECONDS_MAX = 120_000;
/** More than Node and tsx need. */
const OPEN_FILES_MAX = 100;
const STRESS_MILLISECONDS = isLongCampaign() ? 60_000 : 2500;

function start(order: Omit<ListenerProcessStart, "path">): { process: ListenerProcess; path: string } {
  const path = join(temporaryDirectory(), "socket");
  const process = startListenerProcess({ ...order, path });
  onTestFinished(() => void process.child.kill("SIGKILL"));
  return { process, path };
}

/** Says hello, and resolves to the answer: empty when the listener closed the connection instead. */
async function hello(path: string): Promise<string> {
  const socket = createConnection({ path, allowHalfOpen: true }).setEncoding("latin1");
  socket.on("error", () => undefined);
  socket.write("hello");
  const answer = await new Promise<string>((done) => {
    socket.once("data", (chunk: string) => done(chunk));
    for (const event of ["end", "close"]) socket.once(event, () => done(""));
  });
  socket.destroy();
  return answer;
}

/** How a process ended, with what it wrote where that was not well. */
async function outcome(process: ListenerProcess): Promise<string> {
  const code = await process.ended;
  return code === 0 ? "well" : `${String(code)}: ${process.output()}`;
}

async function expectExhausted(order: Omit<ListenerProcessStart, "path" | "mode">): Promise<void> {
  const { process, path } = start({ ...order, mode: "exhaust", openFilesMax: OPEN_FILES_MAX });
  const { meanwhile, milliseconds, after } = await runOutOfDescriptors(process, () => hello(path));
  expect(meanwhile).toEqual(Array.from({ length: 8 }, () => ""));
  // libuv turns node-ipc's away by itself, and tells nobody.
  if (order.listener !== "node-ipc") {
    expect(process.output()).toContain(`problem: ${path} cannot accept a connection: EMFILE: too many open files\n`);
  }
  expect(milliseconds, "milliseconds of processor time in a second").toBeLessThan(300);
  expect(after).toBe("hello");
  expect(await outcome(process)).toBe("well");
}

describe.each(LISTENER_KINDS)("%s", (listener) => {
  const suite = test.skipIf(listener === "reactor" && whyNoReactor() !== undefined);

  suite("keeps no process that has closed its sockets", async () => {
    const { process } = start({ mode: "end", listener });
    expect(await outcome(process)).toBe("well");
  });

  suite("lets a handler end the process, with connections open", async () => {
    const { process } = start({ mode: "exit", listener });
    expect(await process.ended).toBe(7);
  });

  const ofThreads = "serves each thread, and leaves no descriptor and no socket file of those that end";
  suite(ofThreads, { timeout: THREADS_MILLISECONDS_MAX }, async () => {
    const { process } = start({ mode: "threads", listener });
    expect(await outcome(process)).toBe("well");
  });

  suite("without descriptors turns clients away, says so, rests, and recovers", async () => {
    await expectExhausted({ listener });
  });
});

describe("the reactor under AddressSanitizer", () => {
  const library = sanitizerLibrary();
  const suite = test.skipIf(library === undefined);
  const environment = {
    LD_PRELOAD: library,
    // What Node leaves at its end is its own.
    ASAN_OPTIONS: "detect_leaks=0:exitcode=99",
    UBSAN_OPTIONS: "halt_on_error=1:exitcode=98:print_stacktrace=1",
  };
  let listener = "";
  beforeAll(() => {
    if (library !== undefined) listener = buildSanitized();
  });

  suite("bears everything at random", async () => {
    const { process } = start({
      mode: "stress",
      listener,
      environment,
      seed: seed(),
      milliseconds: STRESS_MILLISECONDS,
    });
    expect(await outcome(process)).toBe("well");
    expect(process.output()).toMatch(/^done: /m);
  });

  suite("bears threads that end in all manners", { timeout: THREADS_MILLISECONDS_MAX }, async () => {
    const { process } = start({ mode: "threads", listener, environment });
    expect(await outcome(process)).toBe("well");
  });

  suite("bears a lack of descriptors", async () => {
    await expectExhausted({ listener, environment });
  });

  suite("bears the end of the process in a handler", async () => {
    const { process } = start({ mode: "exit", listener, environment });
    expect([await process.ended, process.output()]).toEqual([7, ""]);
  });
});

/** What a program must load before all else; undefined where the compiler makes no programs with it. */
function sanitizerLibrary(): string | undefined {
  const directory = temporaryDirectory();
  const words = ["-fsanitize=address,undefined", "-x", "c", "-", "-o", join(directory, "a.out")];
  const built = spawnSync("cc", words, { input: "int main(void) { return 0; }" });
  const named = spawnSync("cc", ["-print-file-name=libasan.so"], { encoding: "utf8" });
  const file = built.status === 0 && named.status === 0 ? named.stdout.trim() : "";
  if (file.startsWith("/") && existsSync(file) && headers() !== undefined) return file;
  console.warn(
    "the reactor is not tried under AddressSanitizer: cc -fsanitize=address or Node's headers are not there",
  );
  return undefined;
}

/** Where `node_api.h` is: Node installs it beside itself. */
function headers(): string | undefined {
  const directory = join(dirname(dirname(process.execPath)), "include/node");
  return existsSync(join(directory, "node_api.h")) ? directory : undefined;
}

/** Builds the reactor with everything that a compiler can complain about; returns the addon's file. */
function buildSanitized(): string {
  const file = join(temporaryDirectory(), "reactor.node");
  const checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"];
  const warnings = ["-Wall", "-Wextra", "-Wconversion", "-Werror"];
  const output = ["-std=c11", "-O1", "-g", "-fPIC", "-shared", "-isystem", headers() ?? "", SOURCE, "-o", file];
  const built = spawnSync("cc", [...checks, ...warnings, ...output], { encoding: "utf8" });
  expect([built.status, built.stderr]).toEqual([0, ""]);
  return file;
}
