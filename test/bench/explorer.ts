/**
 * `npm run bench -- explorer [--commits N] [--rounds N]`: how soon the explorer shows something of a long history.
 *
 * Records N commits (1,000,000 unless told) of guests that boot, run and go, starts a daemon on them, and opens the explorer in
 * Debian's Chromium, each time a new one: until its first paint of content, which is to come within a second, and until tree, timeline and
 * node are there. The first round finds the daemon's console cold too, and is told apart. Then what the page asks first is asked by itself.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createHistory } from "../../daemon/history-writer.js";
import { startBenchDaemon } from "./daemon.js";
import { median, rounded, type Benchmark, type Figures } from "./figures.js";
import { GuestCommits } from "./path-index.js";

const COMMITS = 1_000_000;
const ROUNDS = 5;
const BATCH_COMMITS = 1000;
const PORT = 17_438;
const START_MILLISECONDS_MAX = 60_000;
const PAINT_MILLISECONDS_WANTED = 1000;
const ASKED_ROUNDS = 5;
const ASKED = {
  density: "/v1/density",
  commit: "/v1/commit",
  children: "/v1/children?path=/local/domain",
  activity: "/v1/activity?from=@{1}",
} as const;

/** Runs it. */
export const benchExplorer: Benchmark = async ({ commits = COMMITS, rounds = ROUNDS }) => {
  const state = mkdtempSync(join(tmpdir(), "xenstore-explorer-"));
  try {
    record(join(state, "state"), commits);
    const flags = ["--http", `127.0.0.1:${String(PORT)}`, "--state", join(state, "state")];
    const daemon = await startBenchDaemon({ flags });
    try {
      const url = `http://127.0.0.1:${String(PORT)}/`;
      const token = await tokenOf(join(dirname(daemon.socket), "http-token"), url);
      const [first, ...others] = paint(url, token, rounds);
      if (first === undefined) throw new Error("the browser told nothing");
      return {
        program: daemon.program,
        commits,
        paintMillisecondsWanted: PAINT_MILLISECONDS_WANTED,
        firstPaintMilliseconds: Math.round(median([first, ...others].map(({ painted }) => painted))),
        firstRoundPaintMilliseconds: Math.round(first.painted),
        completeMilliseconds: Math.round(median([first, ...others].map(({ complete }) => complete))),
        firstRoundCompleteMilliseconds: Math.round(first.complete),
        ...(await askedAlone(url, token)),
      };
    } finally {
      await daemon.stop();
    }
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
};

/** The token, as soon as browsers are served: a daemon's clients come first. */
async function tokenOf(file: string, url: string): Promise<string> {
  for (const deadline = performance.now() + START_MILLISECONDS_MAX; performance.now() < deadline;) {
    if (existsSync(file) && (await fetch(url).catch(() => undefined))?.ok === true)
      return readFileSync(file, "latin1").trim();
    await delay(50);
  }
  throw new Error(`the daemon did not serve ${url}: is the explorer built (npm run build)?`);
}

function record(stateDirectory: string, commits: number): void {
  const writer = createHistory({ stateDirectory, hostName: "bench" });
  const stream = new GuestCommits();
  for (let seq = 1; seq <= commits; seq += BATCH_COMMITS) {
    writer.record(Array.from({ length: Math.min(BATCH_COMMITS, commits - seq + 1) }, () => stream.next()));
  }
  writer.finish();
}

interface PaintTimes {
  readonly painted: number;
  readonly complete: number;
}

function paint(url: string, token: string, rounds: number): readonly PaintTimes[] {
  const program = join(import.meta.dirname, "../browser/first-paint.ts");
  const told = execFileSync(process.execPath, ["--import", "tsx", program, url, token, String(rounds)], {
    encoding: "utf8",
  });
  return JSON.parse(told) as readonly PaintTimes[];
}

/** What each question takes, warm: medians in milliseconds. */
async function askedAlone(url: string, token: string): Promise<Figures> {
  const figures: Record<string, number> = {};
  for (const [name, route] of Object.entries(ASKED)) {
    const times: number[] = [];
    for (let round = 0; round <= ASKED_ROUNDS; round++) {
      const begin = performance.now();
      const answer = await fetch(new URL(route, url), { headers: { authorization: `Bearer ${token}` } });
      await answer.arrayBuffer();
      if (!answer.ok) throw new Error(`${route} was answered ${String(answer.status)}`);
      times.push(performance.now() - begin);
    }
    figures[`${name}Milliseconds`] = rounded(median(times.slice(1)));
  }
  return figures;
}
