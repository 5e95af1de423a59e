/**
 * `npm run bench -- queries [--row QUESTION]… [--seconds N] [--rounds N] [--commits N]`: what reading the history costs those who write.
 *
 * Owns the comparison: 500 commits a second are asked for, and each kind of question is asked meanwhile, one after the other
 * without a pause, in turns with nobody asking. They are to be slowed by no more than 5 %: the ratio of the commits that were
 * acknowledged. Their latency is told beside it, and how long a question took. Everything shares this machine's processors,
 * this process too.
 */
import { request } from "node:http";
import { dirname, join } from "node:path";
import { connectXenstore, type XenstoreClient } from "../../clients/xenstore/client.js";
import { isXenstoreError } from "../../clients/xenstore/errors.js";
import { socketTransport } from "../../clients/xenstore/socket-transport.js";
import { FAILURES_PER_DOMAIN_MAX } from "../../daemon/dispatch/failure-log.js";
import { startBenchDaemon } from "./daemon.js";
import { median, rounded, type Benchmark, type Figures } from "./figures.js";
import { COMMITS_PER_SECOND, compareBeside, DOMAINS, writeFor } from "./paced-writer.js";

/** The commits that are there when it begins. */
const COMMITS = 20_000;

const QUESTIONS: Readonly<Record<string, string>> = {
  log: "/v1/log?limit=20",
  "log of a path": "/v1/log?limit=20&path=/local/domain/7",
  show: "/v1/commit?revision=HEAD",
  diff: "/v1/diff?from=HEAD~100&to=HEAD",
  blame: "/v1/blame?path=/local/domain/7",
  tree: "/v1/tree?path=/local/domain/7",
  "page of a dump": "/v1/tree?limit=1000",
  bisect: `/v1/bisect?predicate=${encodeURIComponent('value /local/domain/7/bench/count ~ "..."')}&good=@{2}`,
  refs: "/v1/refs",
  failures: "/v1/failures?domain=0",
  "why not": "/v1/why-not?path=/local/domain/7/bench/count&domain=0",
};

function get(socketPath: string, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, agent: false }, (response) => {
      const { statusCode = 0 } = response;
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => (text += String(chunk)));
      response.on("end", () => {
        if (statusCode === 200) resolve();
        else reject(new Error(`${path} was answered ${String(statusCode)}: ${text.slice(0, 300)}`));
      });
    });
    sent.on("error", reject);
    sent.end();
  });
}

/** Fills what the daemon remembers of a domain's failures. @returns a transaction that ended in EAGAIN */
async function failAtMuch(client: XenstoreClient): Promise<number> {
  const transaction = await client.startTransaction();
  await transaction.read("/local/domain/7/bench/count");
  await transaction.write("/local/domain/8/bench/copy", "1");
  await client.write("/local/domain/7/bench/count", "2");
  await transaction.commit().then(
    () => {
      throw new Error("a transaction that read what changed was committed");
    },
    (error: unknown) => {
      if (!isXenstoreError(error, "EAGAIN")) throw error;
    },
  );
  for (let done = 1; done < FAILURES_PER_DOMAIN_MAX; done++) {
    await client.exists(`/local/domain/${String(done)}/device/none`);
  }
  return transaction.id;
}

async function askUntil(isOver: () => boolean, ask: () => Promise<void>): Promise<number[]> {
  const times: number[] = [];
  while (!isOver()) {
    const start = performance.now();
    await ask();
    times.push(performance.now() - start);
  }
  return times;
}

/** `--row` for one of the questions, `--seconds` of writing for each question and round (2), `--rounds` (3), `--commits` before (20,000). */
export const benchQueries: Benchmark = async ({ seconds = 2, rounds = 3, commits = COMMITS, rows = [] }) => {
  const daemon = await startBenchDaemon();
  const figures: Record<string, Figures | string | number> = {
    program: daemon.program,
    commitsPerSecondAsked: COMMITS_PER_SECOND,
  };
  try {
    const client = await connectXenstore(socketTransport(daemon.socket), { reconnect: false });
    const admin = join(dirname(daemon.socket), "admin.sock");
    for (let done = 0; done < commits; done += 100) {
      const writes = Array.from({ length: 100 }, (_, index) =>
        client.write(`/local/domain/${String(index % DOMAINS)}/device/${String(done % 7)}/state`, String(done + index)),
      );
      await Promise.all(writes);
    }
    await client.write("/local/domain/7/bench/count", "1");
    const tx = await failAtMuch(client);
    await writeFor(client, 1);
    const questions = { ...QUESTIONS, why: `/v1/why?tx=${String(tx)}` };
    for (const [name, path] of Object.entries(questions)) {
      if (rows.length > 0 && !rows.includes(name)) continue;
      figures[name] = await compare(client, { seconds, rounds, ask: () => get(admin, path) });
    }
    client.close();
    return figures;
  } finally {
    await daemon.stop();
  }
};

interface Comparison {
  readonly seconds: number;
  readonly rounds: number;
  readonly ask: () => Promise<void>;
}

async function compare(client: XenstoreClient, { ask, ...turns }: Comparison): Promise<Figures> {
  const times: number[] = [];
  const begin = () => {
    let isOver = false;
    const asking = askUntil(() => isOver, ask);
    return Promise.resolve(async () => {
      isOver = true;
      times.push(...(await asking));
    });
  };
  return {
    ...(await compareBeside(client, { ...turns, begin })),
    questionMilliseconds: rounded(median(times)),
    questions: times.length,
  };
}
