/**
 * `npm run bench -- http-flood [--seconds N] [--rounds N]`: what a flood of HTTP requests costs the clients of the wire.
 *
 * Owns the comparison: a client commits at a steady pace, in turns with nobody else, and beside a process that asks 1,000 times a
 * second by TCP while 200 others send their requests a byte at a time. The wire's p99 is to stay within twice of what it is alone.
 * Everything shares this machine's processors, the flood too, which takes a good part of one.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { connectXenstore } from "../../clients/xenstore/client.js";
import { socketTransport } from "../../clients/xenstore/socket-transport.js";
import { startBenchDaemon } from "./daemon.js";
import type { Benchmark } from "./figures.js";
import { COMMITS_PER_SECOND, compareBeside, writeFor } from "./paced-writer.js";

const PORT = 17_437;
const P99_WANTED = 2;

/** `--seconds` of writing in each turn (3), `--rounds` (5). */
export const benchHttpFlood: Benchmark = async ({ seconds = 3, rounds = 5 }) => {
  const url = `http://127.0.0.1:${String(PORT)}`;
  const daemon = await startBenchDaemon({ flags: ["--http", `127.0.0.1:${String(PORT)}`] });
  try {
    const client = await connectXenstore(socketTransport(daemon.socket), { reconnect: false });
    await writeFor(client, 2);
    const token = readFileSync(join(dirname(daemon.socket), "http-token"), "latin1").trim();
    let asked = 0;
    let answers: Readonly<Record<string, number>> = {};
    const begin = async () => {
      const flood = await startFlood(url, token);
      return async () => {
        const told = await flood.stop();
        asked += told.asked / told.seconds;
        ({ answers } = told);
      };
    };
    const compared = await compareBeside(client, { seconds, rounds, begin });
    client.close();
    return {
      program: daemon.program,
      commitsPerSecondAsked: COMMITS_PER_SECOND,
      p99Wanted: P99_WANTED,
      ...compared,
      httpRequestsPerSecond: Math.round(asked / rounds),
      ...Object.fromEntries(Object.entries(answers).map(([status, count]) => [`answers${status}`, count])),
    };
  } finally {
    await daemon.stop();
  }
};

interface FloodTold {
  readonly seconds: number;
  readonly asked: number;
  /** By status. */
  readonly answers: Readonly<Record<string, number>>;
}

/** Resolves when it has begun. */
async function startFlood(url: string, token: string): Promise<{ stop(): Promise<FloodTold> }> {
  const program = join(import.meta.dirname, "http-flood-client.ts");
  const child = spawn(process.execPath, ["--import", "tsx", program, url, token], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout });
  await once(lines, "line");
  return {
    stop: async () => {
      child.stdin.end();
      const [line] = (await once(lines, "line")) as [string];
      await once(child, "exit");
      return JSON.parse(line) as FloodTold;
    },
  };
}
