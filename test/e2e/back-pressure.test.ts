/**
 * A daemon whose history is too slow: what the journal may take, who waits, who is refused, and that nothing is lost.
 */
import { execFileSync } from "node:child_process";
import { rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { serializeMessage } from "../../protocol/message.js";
import { operationNamed } from "../../protocol/operation.js";
import { MessageParser } from "../../protocol/parser.js";
import { listSegments } from "../../daemon/journal/segment.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import { connect } from "../bench/load.js";
import { parseHistoryStatus, type HistoryStatus } from "../support/control-history.js";
import { startDaemon, type DaemonProcess } from "../support/daemon-process.js";
import { withTemporaryDirectory } from "../support/temporary-directory.js";
import type { WireClient } from "../support/wire-client.js";

const KIBIBYTE = 1024;
const JOURNAL_BYTES_MAX = 256 * KIBIBYTE;
const WRITERS = 3;
const DEPTH = 64;
const VALUE = "v".repeat(200);
/** A bound for one line of these writes in the journal. */
const LINE_BYTES_MAX = 2 * VALUE.length + 300;
/** What is above the limit at most: the one commit that was begun below it, and a segment's header (gate invariant 2). */
const EXCESS_BYTES_MAX = LINE_BYTES_MAX + 200;

/** A client that writes as fast as it is let, DEPTH requests ahead, until it is told to stop. */
interface Flood {
  /** How many of `writer`'s writes were acknowledged: numbers 0 to that, without a gap unless some were refused. */
  readonly acknowledged: Set<number>;
  /** How many were refused with which error. */
  readonly refused: Map<string, number>;
  /** Resolves with the first refusal's error. */
  readonly firstRefusal: Promise<string>;
  stop(): Promise<void>;
}

const pathOf = (writer: number, index: number) => `/flood/${String(writer)}/${String(index % 500)}`;
const valueOf = (index: number) => `${String(index)} ${VALUE}`;

async function flood(daemon: DaemonProcess, writer: number): Promise<Flood> {
  const socket = await connect(daemon.socket);
  const parser = new MessageParser();
  const { number: type } = operationNamed("WRITE");
  const acknowledged = new Set<number>();
  const refused = new Map<string, number>();
  let sent = 0;
  let answered = 0;
  let isStopping = false;
  let tellRefusal: (error: string) => void = () => undefined;
  const firstRefusal = new Promise<string>((resolve) => (tellRefusal = resolve));
  const stopped = new Promise<void>((resolve) => {
    socket.on("error", () => undefined);
    socket.once("close", () => {
      resolve();
    });
    socket.on("data", (chunk: string) => {
      parser.push(chunk);
      for (let message = parser.next(); message !== undefined; message = parser.next(), answered++) {
        const { requestId, payload } = message;
        if (payload === "OK\0") acknowledged.add(requestId);
        else {
          refused.set(payload, (refused.get(payload) ?? 0) + 1);
          tellRefusal(payload.slice(0, -1));
        }
      }
      if (!isStopping) send();
      else if (answered === sent) socket.destroy();
    });
  });
  const send = (): void => {
    for (; sent < answered + DEPTH; sent++) {
      const payload = `${pathOf(writer, sent)}\0${valueOf(sent)}`;
      socket.write(serializeMessage({ type, requestId: sent, txId: 0, payload }), "latin1");
    }
  };
  send();
  return {
    acknowledged,
    refused,
    firstRefusal,
    stop: () => {
      isStopping = true;
      if (answered === sent) socket.destroy();
      return stopped;
    },
  };
}

async function history(client: WireClient): Promise<HistoryStatus> {
  return parseHistoryStatus(await client.must("CONTROL", ["history"]));
}

/** The sizes of the journal's segments now. */
function segments(directory: string): { readonly first: number; readonly bytes: number }[] {
  const journal = join(directory, "state/journal/main");
  return listSegments(nodeFileSystem, journal).flatMap(({ name, first }) => {
    // One that is sealed meanwhile goes.
    const bytes = statSync(join(journal, name), { throwIfNoEntry: false })?.size;
    return bytes === undefined ? [] : [{ first, bytes }];
  });
}

/** Bytes of the segments that hold anything beyond a seq. */
function bytesBeyond(list: ReturnType<typeof segments>, sealed: number): number {
  const unsealed = list.filter((_, index) => (list[index + 1]?.first ?? Infinity) > sealed + 1);
  return unsealed.reduce((sum, { bytes }) => sum + bytes, 0);
}

function git(daemon: DaemonProcess, ...words: string[]): string {
  return execFileSync("git", ["-C", daemon.repository, ...words], { encoding: "utf8", stdio: "pipe" }).trim();
}

/** Every path holds the last acknowledged write, or one that was still in flight. */
async function expectAcknowledged(client: WireClient, floods: readonly Flood[]): Promise<void> {
  for (const [writer, { acknowledged }] of floods.entries()) {
    const last = new Map<string, number>();
    for (const index of acknowledged) last.set(pathOf(writer, index), index);
    for (const [path, index] of last) {
      const value = await client.must("READ", [path]);
      expect(Number(value.split(" ")[0]), path).toBeGreaterThanOrEqual(index);
      expect(value.slice(value.indexOf(" ") + 1)).toBe(VALUE);
    }
  }
}

/** Stands for a disk that the recorder cannot write: a ref that somebody else keeps locked. */
function blockRecorder(daemon: DaemonProcess): () => void {
  const lock = join(daemon.repository, "refs/heads/main.lock");
  writeFileSync(lock, "");
  return () => {
    rmSync(lock);
  };
}

const NO_LAG = { lagCommits: 0, lagBytes: 0, lagSeconds: 0 };

const FLAGS = ["--journal-max", "256K"];

describe("--journal-max", () => {
  it("bounds what the history lacks under a flood, while readers are answered and nothing is lost", async () => {
    await withTemporaryDirectory(async (directory) => {
      const daemon = await startDaemon({ directory, flags: FLAGS });
      try {
        const observer = await daemon.connect();
        await observer.must("WRITE", ["/read", "me"]);
        const floods: Flood[] = [];
        for (let writer = 0; writer < WRITERS; writer++) floods.push(await flood(daemon, writer));
        const total = () => floods.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0);
        const states = new Set<string>();
        let largest = 0;
        while (total() < 6000 || !states.has("slowed")) {
          expect(await observer.must("READ", ["/read"])).toBe("me");
          const list = segments(directory);
          const told = await history(observer);
          const segmentBytes = Math.max(...list.map(({ bytes }) => bytes));
          expect(told.lagBytes).toBeLessThanOrEqual(JOURNAL_BYTES_MAX + EXCESS_BYTES_MAX);
          expect(bytesBeyond(list, told.sealed)).toBeLessThanOrEqual(
            JOURNAL_BYTES_MAX + EXCESS_BYTES_MAX + segmentBytes,
          );
          states.add(told.writers);
          largest = Math.max(largest, told.lagBytes);
        }
        expect(largest, "the flood is larger than what the recorder keeps up with").toBeGreaterThan(
          JOURNAL_BYTES_MAX / 2,
        );
        expect(states).not.toContain("refused with ENOSPC");
        for (const each of floods) await each.stop();
        expect(floods.map(({ refused }) => refused.size)).toEqual([0, 0, 0]);
        expect(await observer.must("CONTROL", ["flush"])).toBe("OK");
        const told = await history(observer);
        expect(told).toMatchObject(NO_LAG);
        expect(told.writers).toBe("not slowed");
        await expectAcknowledged(observer, floods);
        expect(git(daemon, "rev-list", "--count", "main")).toBe(String(told.seq));
        expect(told.seq).toBeGreaterThanOrEqual(total());
      } finally {
        await daemon.stop();
      }
    });
  }, 120_000);

  it("refuses commits with ENOSPC when the recorder cannot seal, reads on, and accepts them again without a restart", async () => {
    await withTemporaryDirectory(async (directory) => {
      const daemon = await startDaemon({ directory, flags: FLAGS });
      try {
        const observer = await daemon.connect();
        const unblock = blockRecorder(daemon);
        const floods = [await flood(daemon, 0)];
        expect(await floods[0]?.firstRefusal).toBe("ENOSPC");
        await floods[0]?.stop();
        expect(await observer.ask("WRITE", ["/a", "1"])).toBe("ENOSPC");
        await expectAcknowledged(observer, floods);
        const told = await history(observer);
        expect(told.writers).toBe("refused with ENOSPC");
        expect(told.recorder).toMatch(/tried again/);
        expect(told.lagBytes).toBeGreaterThanOrEqual(JOURNAL_BYTES_MAX);
        expect(told.lagBytes).toBeLessThanOrEqual(JOURNAL_BYTES_MAX + EXCESS_BYTES_MAX);
        await daemon.logged("commits are refused with ENOSPC: the journal holds");
        unblock();
        await expect.poll(() => observer.ask("WRITE", ["/a", "2"]), { timeout: 10_000 }).toBe("OK");
        await daemon.logged("commits are accepted again");
        expect(await observer.must("CONTROL", ["flush"])).toBe("OK");
        expect(git(daemon, "show", "main:a")).toBe("2");
        const after = await history(observer);
        expect(after).toMatchObject(NO_LAG);
        expect(git(daemon, "rev-list", "--count", "main")).toBe(String(after.seq));
      } finally {
        await daemon.stop();
      }
    });
  }, 60_000);

  it("stops at SIGTERM while commits are refused, says the lag, and the next start has everything", async () => {
    await withTemporaryDirectory(async (directory) => {
      const daemon = await startDaemon({ directory, flags: FLAGS });
      blockRecorder(daemon);
      const floods = [await flood(daemon, 0), await flood(daemon, 1)];
      await Promise.all(floods.map(({ firstRefusal }) => firstRefusal));
      expect(await daemon.kill("SIGTERM")).toEqual({ code: 0, signal: null });
      expect(daemon.stderr()).toMatch(/the journal keeps the rest for the next start \(lag: [1-9][0-9]* commits, /);
      const again = await startDaemon({ directory, flags: FLAGS });
      try {
        const client = await again.connect();
        await expectAcknowledged(client, floods);
        expect(await client.must("CONTROL", ["flush"])).toBe("OK");
        expect(await history(client)).toMatchObject(NO_LAG);
        expect(await client.ask("WRITE", ["/a", "1"])).toBe("OK");
      } finally {
        await again.stop();
      }
    });
  }, 60_000);
});
