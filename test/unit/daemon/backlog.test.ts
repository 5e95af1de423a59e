/** The backlog's wiring, with a recorder that does what the test says. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Seq } from "../../../protocol/identifiers.js";
import { formatLag, HistoryBacklog, segmentBytesFor, type WatchedRecorder } from "../../../daemon/backlog.js";
import type { RecorderStatus, RecorderTrouble } from "../../../daemon/history/recorder/handle.js";
import type { JournalPosition } from "../../../daemon/journal/journal.js";

const BYTES_MAX = 100_000;

/** A recorder that records nothing by itself. */
class FakeRecorder implements WatchedRecorder {
  published: JournalPosition = { segment: "1", offset: 0, seq: 0 as Seq };
  sealedSeq = 0 as Seq;
  trouble: RecorderTrouble | undefined;
  readonly flushes: { resolve: (status: RecorderStatus) => void; reject: (error: Error) => void }[] = [];
  #sealed: ((status: RecorderStatus) => void)[] = [];
  #failed: ((error: Error) => void)[] = [];

  publish(position: JournalPosition): void {
    this.published = position;
  }
  flush(): Promise<RecorderStatus> {
    return new Promise((resolve, reject) => this.flushes.push({ resolve, reject }));
  }
  status(): RecorderStatus {
    return {
      tip: undefined,
      sealedSeq: this.sealedSeq,
      recordedSeq: this.sealedSeq,
      packsSealed: 0,
      bytesSealed: 0,
      packs: 0,
      packBytes: 0,
      packsRetired: 0,
      oldestSeq: undefined,
      maintenanceMilliseconds: 0,
      sealMilliseconds: 0,
      publishedSeq: this.published.seq,
      trouble: this.trouble,
    };
  }
  onSealed(callback: (status: RecorderStatus) => void): void {
    this.#sealed.push(callback);
  }
  onFailure(callback: (error: Error) => void): void {
    this.#failed.push(callback);
  }

  seal(seq: number): void {
    this.sealedSeq = seq as Seq;
    this.trouble = undefined;
    for (const callback of this.#sealed) callback(this.status());
  }
  fail(trouble: RecorderTrouble): void {
    this.trouble = trouble;
    for (const callback of this.#failed) callback(new Error(trouble.reason));
  }
}

let recorder: FakeRecorder;
let position: JournalPosition;
let now: number;
let backlog: HistoryBacklog;
let roomMade: number;
let segments: { first: Seq; bytes: number }[];

beforeEach(() => {
  recorder = new FakeRecorder();
  position = recorder.published;
  now = 0;
  roomMade = 0;
  segments = [];
  start();
});

function start(): void {
  backlog = new HistoryBacklog({
    recorder,
    journal: {
      position: () => position,
      bytes: () => position.offset,
      segments: () => segments,
    },
    clock: { nowMicroseconds: () => 0, monotonicMilliseconds: () => now },
    journalBytesMax: BYTES_MAX,
  });
  backlog.roomMade = () => {
    roomMade++;
  };
}

/** Appends commits that take so many bytes. */
function write(bytes: number, commits = 1): void {
  position = { segment: "1", offset: position.offset + bytes, seq: (position.seq + commits) as Seq };
  backlog.written(position);
}

describe("HistoryBacklog", () => {
  it("tells the recorder of what was written, and CONTROL history of the lag and of the writers", () => {
    now = 1000;
    write(5000, 10);
    now = 3500;
    segments = [
      { first: 1 as Seq, bytes: 3000 },
      { first: 6 as Seq, bytes: 2000 },
    ];
    expect(recorder.published).toBe(position);
    expect(backlog.describe().split("\n")).toEqual([
      "tip: none",
      "seq: 10",
      "recorded: 0",
      "sealed: 0",
      "oldest: none",
      "lag: 10 commits, 5000 bytes, 2.500 seconds",
      "lag bytes max: 100000",
      "journal bytes: 5000",
      "journal segments: 2",
      "packs: 0, 0 bytes",
      "packs replaced, not yet removed: 0",
      "writers: not slowed",
      "recorder: running",
      "",
    ]);
    recorder.seal(10);
    expect(backlog.describe()).toContain("\nlag: 0 commits, 0 bytes, 0.000 seconds\n");
  });

  it("takes the gate from open to slowed, held and refused, and back when the recorder goes on", () => {
    const writers = () => /^writers: (.*)$/m.exec(backlog.describe())?.[1];
    write(45_000);
    expect(writers()).toBe("not slowed");
    write(10_000);
    expect(writers()).toBe("slowed");
    write(45_000);
    expect(writers()).toBe("held");
    recorder.fail({ reason: "a seal failed: no space", isFinal: false });
    expect([writers(), roomMade]).toEqual(["refused with ENOSPC", 1]);
    expect(backlog.describe()).toContain("\nrecorder: a seal failed: no space\n");
    recorder.seal(1);
    expect([writers(), roomMade]).toEqual(["slowed", 2]);
    recorder.seal(3);
    expect([writers(), roomMade]).toEqual(["not slowed", 3]);
  });

  it("asks for one seal after the other while writers are slowed, and for none while the recorder is in trouble", async () => {
    write(20_000);
    expect(recorder.flushes).toHaveLength(0);
    for (let count = 0; count < 5; count++) write(15_000);
    expect(recorder.flushes).toHaveLength(1);
    recorder.seal(2);
    recorder.flushes[0]?.resolve(recorder.status());
    await Promise.resolve();
    expect(recorder.flushes, "what was written meanwhile is enough to go on").toHaveLength(2);
    recorder.fail({ reason: "no space", isFinal: false });
    recorder.flushes[1]?.reject(new Error("no space"));
    await Promise.resolve();
    await Promise.resolve();
    write(1000);
    expect(recorder.flushes).toHaveLength(2);
    recorder.seal(6);
    write(60_000);
    expect(recorder.flushes).toHaveLength(3);
    recorder.seal(8);
    recorder.flushes[2]?.resolve(recorder.status());
    await Promise.resolve();
    write(1000);
    expect(recorder.flushes).toHaveLength(3);
  });

  it("asks for the next seal when a failure has passed, also at the limit, where nothing is appended", async () => {
    for (let count = 0; count < 10; count++) write(10_000);
    recorder.fail({ reason: "the journal could not be read", isFinal: false });
    recorder.flushes[0]?.reject(new Error("the journal could not be read"));
    await Promise.resolve();
    await Promise.resolve();
    expect([backlog.gate.isFull(0), recorder.flushes.length]).toEqual([true, 1]);
    recorder.seal(1);
    expect([backlog.gate.isFull(0), recorder.flushes.length]).toEqual([false, 2]);
  });

  it("starts slowed where a journal that was left behind is long", () => {
    position = { segment: "1", offset: 60_000, seq: 500 as Seq };
    recorder.publish(position);
    segments = [{ first: 1 as Seq, bytes: 60_000 }];
    start();
    expect(backlog.describe()).toContain("\nlag: 500 commits, 60000 bytes, 0.000 seconds\n");
    expect([backlog.gate.isSlowing, recorder.flushes.length]).toEqual([true, 1]);
    recorder.seal(500);
    expect(backlog.gate.isSlowing).toBe(false);
  });

  it("refuses nobody while a journal as long as its limit, left by a crash, is sealed little by little for minutes", () => {
    position = { segment: "1", offset: BYTES_MAX, seq: 1_000_000 as Seq };
    recorder.publish(position);
    segments = [
      { first: 1 as Seq, bytes: BYTES_MAX / 2 },
      { first: 500_001 as Seq, bytes: BYTES_MAX / 2 },
    ];
    start();
    const told = new Set<string>();
    for (let sealed = 0; sealed < 500_000; sealed += 5000) {
      recorder.seal(sealed);
      told.add(`${String(backlog.lag().bytes)} ${backlog.gate.refusal(now)?.reason ?? "accepted"}`);
      now += 2000;
    }
    expect([...told]).toEqual(["100000 accepted"]);
    recorder.seal(500_000);
    expect([backlog.lag().bytes, backlog.gate.isFull(0)]).toEqual([BYTES_MAX / 2, false]);
  });
});

describe("segmentBytesFor", () => {
  it("makes eight segments of the limit, none smaller than 64 KiB or larger than 16 MiB", () => {
    const mebibyte = 1024 * 1024;
    expect([mebibyte / 8, 8 * mebibyte, 1024 * mebibyte].map(segmentBytesFor)).toEqual([
      64 * 1024,
      mebibyte,
      16 * mebibyte,
    ]);
  });
});

describe("formatLag", () => {
  it("says the three units", () => {
    expect(formatLag({ commits: 2, bytes: 300, seconds: 0.25 })).toBe("2 commits, 300 bytes, 0.250 seconds");
  });
});
