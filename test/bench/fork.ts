/**
 * `npm run bench -- fork [--rounds N] [--commits N]`: how long a fork takes until it is served, and what main's clients notice.
 *
 * Owns the measure: a store of 100,000 nodes, forked from its newest state and from one of long ago, by `POST /v1/forks` to its
 * answer and a READ on the fork's socket. A client of main asks READ after READ meanwhile, and before. Then a fork with 1,000
 * changes is merged.
 */
import { dirname, join } from "node:path";
import { adminClient, type AdminClient } from "../../clients/cli/admin-client.js";
import { connectXenstore, type XenstoreClient } from "../../clients/xenstore/client.js";
import { socketTransport } from "../../clients/xenstore/socket-transport.js";
import { forkRoute, FORKS_ROUTE, mergeRoute, type ForkJson, type MergeAnswer } from "../../protocol/http-api/forks.js";
import { startBenchDaemon } from "./daemon.js";
import { median, quantile, rounded, type Benchmark, type Figures } from "./figures.js";

const NODES = 100_000;
const DOMAINS = 1000;
const MERGED_CHANGES = 1000;
const IN_FLIGHT = 200;
const NAME = "bench";

function pathOf(index: number): string {
  return `/local/domain/${String(index % DOMAINS)}/device/${String(Math.floor(index / DOMAINS))}`;
}

async function writeAll(client: XenstoreClient, count: number, value: string): Promise<void> {
  for (let done = 0; done < count; done += IN_FLIGHT) {
    const batch = Math.min(IN_FLIGHT, count - done);
    await Promise.all(Array.from({ length: batch }, (_, index) => client.write(pathOf(done + index), value)));
  }
}

/** `--rounds` of each kind (5), `--commits` written over the nodes after they were made (100,000). */
export const benchFork: Benchmark = async ({ rounds = 5, commits = NODES }) => {
  const daemon = await startBenchDaemon();
  try {
    const client = await connectXenstore(socketTransport(daemon.socket), { reconnect: false });
    const admin = adminClient(join(dirname(daemon.socket), "admin.sock"));
    await writeAll(client, NODES, "1");
    await admin.send("PUT", "/v1/tags/long-ago", {});
    for (let done = 0; done < commits; done += NODES) await writeAll(client, Math.min(NODES, commits - done), "2");
    await admin.send("PUT", "/v1/tags/now", {});
    const figures: Record<string, Figures | string | number> = { program: daemon.program, nodes: NODES };
    for (const revision of ["now", "long-ago"]) {
      figures[`fork of ${revision}`] = await measureForks({ client, admin, daemon, revision, rounds });
    }
    figures[`merge of ${String(MERGED_CHANGES)} changes`] = await measureMerge(admin, rounds);
    client.close();
    return figures;
  } finally {
    await daemon.stop();
  }
};

interface Measured {
  readonly client: XenstoreClient;
  readonly admin: AdminClient;
  readonly daemon: { readonly socket: string };
  readonly revision: string;
  readonly rounds: number;
}

async function measureForks({ client, admin, revision, rounds }: Measured): Promise<Figures> {
  const times: number[] = [];
  const before = await readWhile(client, new Promise((resolve) => setTimeout(resolve, 1000)));
  const meanwhile: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    const forking = (async (): Promise<void> => {
      const { socket } = await admin.send<ForkJson>("POST", FORKS_ROUTE, { name: NAME, revision });
      const fork = await connectXenstore(socketTransport(socket), { reconnect: false });
      await fork.read(pathOf(0));
      times.push(performance.now() - start);
      fork.close();
    })();
    meanwhile.push(...(await readWhile(client, forking)));
    await forking;
    await admin.send("DELETE", forkRoute(NAME));
  }
  meanwhile.sort(ascending);
  return {
    milliseconds: rounded(median(times)),
    slowest: rounded(Math.max(...times)),
    readP99Before: rounded(quantile(before, 0.99)),
    readP99Meanwhile: rounded(quantile(meanwhile, 0.99)),
    slowestReadBefore: rounded(quantile(before, 1)),
    slowestReadMeanwhile: rounded(quantile(meanwhile, 1)),
  };
}

/** Milliseconds of each READ that main answers until something is done, ascending. */
async function readWhile(client: XenstoreClient, done: Promise<unknown>): Promise<number[]> {
  const told = { isOver: false };
  void done.finally(() => {
    told.isOver = true;
  });
  const times: number[] = [];
  while (!told.isOver) {
    const start = performance.now();
    await client.read(pathOf(times.length % NODES));
    times.push(performance.now() - start);
  }
  return times.sort(ascending);
}

function ascending(left: number, right: number): number {
  return left - right;
}

async function measureMerge(admin: AdminClient, rounds: number): Promise<Figures> {
  const { socket } = await admin.send<ForkJson>("POST", FORKS_ROUTE, { name: NAME });
  const fork = await connectXenstore(socketTransport(socket), { reconnect: false });
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await writeAll(fork, MERGED_CHANGES, `merged ${String(round)}`);
    const start = performance.now();
    const { changeCount } = await admin.send<MergeAnswer>("POST", mergeRoute(NAME), {});
    times.push(performance.now() - start);
    if (changeCount !== MERGED_CHANGES) throw new Error(`${String(changeCount)} changes were merged`);
  }
  fork.close();
  return { milliseconds: rounded(median(times)), slowest: rounded(Math.max(...times)) };
}
