/**
 * The backlog: what the journal holds and the history does not, as the daemon knows it.
 *
 * Owns the wiring between journal, recorder, lag meter and write gate, and what CONTROL `history` tells of them. Nothing
 * here reads a file or blocks.
 *
 *   tick ──written──► lag meter ──► write gate ──► server (holds or refuses who commits)
 *                        ▲                            ▲
 *   recorder ──sealed────┴──────────roomMade──────────┘
 */
import { LagMeter, type Lag } from "./history/recorder/lag.js";
import type { Recorder } from "./history/recorder/handle.js";
import { SEGMENT_BYTES_MAX, type Journal, type JournalPosition } from "./journal/journal.js";
import type { Clock } from "./platform/clock.js";
import { WriteGate } from "./server/write-gate.js";

/** The lag in bytes is known to one part in so many of its limit. */
const RUNS = 256;
/** The limit is so many segments, if those are not too small or too large then. */
const SEGMENTS = 8;
const SEGMENT_BYTES_MIN = 64 * 1024;

/** What the backlog asks of a recorder. */
export type WatchedRecorder = Pick<
  Recorder,
  "publish" | "flush" | "status" | "sealedSeq" | "trouble" | "onSealed" | "onFailure"
>;

/** What is between the journal and the history. */
export interface BacklogOptions {
  /** Its position has been published. */
  readonly recorder: WatchedRecorder;
  readonly journal: Pick<Journal, "position" | "bytes" | "segments">;
  readonly clock: Clock;
  /** The most bytes of journal lines that sealed packs do not hold. */
  readonly journalBytesMax: number;
}

/** The size of segments with which the journal's files follow its limit: what is sealed goes a segment at a time. */
export function segmentBytesFor(journalBytesMax: number): number {
  return Math.min(SEGMENT_BYTES_MAX, Math.max(SEGMENT_BYTES_MIN, Math.floor(journalBytesMax / SEGMENTS)));
}

/** A lag in one line for people. */
export function formatLag({ commits, bytes, seconds }: Lag): string {
  return `${String(commits)} commits, ${String(bytes)} bytes, ${seconds.toFixed(3)} seconds`;
}

/** Watches one branch's backlog. */
export class HistoryBacklog {
  readonly gate: WriteGate;
  /** Called when writers that wait should look again. */
  roomMade: () => void = () => undefined;
  readonly #options: BacklogOptions;
  readonly #meter: LagMeter;
  #isSealAsked = false;

  constructor(options: BacklogOptions) {
    const { recorder, journal, clock, journalBytesMax } = options;
    this.#options = options;
    this.#meter = new LagMeter({
      sealedSeq: recorder.sealedSeq,
      position: journal.position(),
      segments: journal.segments(),
      runBytesMax: journalBytesMax / RUNS,
      nowMilliseconds: clock.monotonicMilliseconds(),
    });
    this.gate = new WriteGate(journalBytesMax, {
      unsealedBytes: () => this.#meter.bytes,
      sealedSeq: () => recorder.sealedSeq,
      trouble: () => recorder.trouble,
    });
    recorder.onSealed(({ sealedSeq }) => {
      this.#meter.sealed(sealedSeq);
      this.#hurry();
      this.roomMade();
    });
    recorder.onFailure(() => {
      this.roomMade();
    });
    this.#hurry();
  }

  /** Takes what a tick has written, and tells the recorder. */
  written(position: JournalPosition): void {
    const { recorder, clock } = this.#options;
    this.#meter.appended(position, clock.monotonicMilliseconds());
    recorder.publish(position);
    this.#hurry();
  }

  /** How far the history is behind at this moment. */
  lag(): Lag {
    return this.#meter.measure(this.#options.clock.monotonicMilliseconds());
  }

  /** What CONTROL `history` answers: lines of `name: value`. */
  describe(): string {
    const { recorder, journal, journalBytesMax } = this.#options;
    const status = recorder.status();
    const { tip, sealedSeq, recordedSeq, publishedSeq, trouble, packs, packBytes, packsRetired, oldestSeq } = status;
    const lines: readonly (readonly [name: string, value: string | number])[] = [
      ["tip", tip ?? "none"],
      ["seq", publishedSeq],
      ["recorded", recordedSeq],
      ["sealed", sealedSeq],
      // Until it has looked, the recorder's thread does not know; a history that is new begins with its first commit.
      ["oldest", tip === undefined ? "none" : (oldestSeq ?? 1)],
      ["lag", formatLag(this.lag())],
      ["lag bytes max", journalBytesMax],
      ["journal bytes", journal.bytes()],
      ["journal segments", journal.segments().length],
      ["packs", `${String(packs)}, ${String(packBytes)} bytes`],
      ["packs replaced, not yet removed", packsRetired],
      ["writers", this.#describeWriters()],
      ["recorder", trouble?.reason ?? "running"],
    ];
    return lines.map(([name, value]) => `${name}: ${String(value)}\n`).join("");
  }

  #describeWriters(): string {
    const refusal = this.gate.refusal(this.#options.clock.monotonicMilliseconds());
    if (refusal !== undefined) return `refused with ${refusal.error}`;
    if (this.gate.isFull(0)) return "held";
    return this.gate.isSlowing ? "slowed" : "not slowed";
  }

  /** While writers are slowed, what is recorded is not left to wait for more of it: one seal is always asked for. */
  #hurry(): void {
    const { recorder } = this.#options;
    if (this.#isSealAsked || !this.gate.isSlowing || recorder.trouble !== undefined) return;
    this.#isSealAsked = true;
    recorder.flush().then(
      () => {
        this.#isSealAsked = false;
        this.#hurry();
      },
      () => {
        // It is reported as the recorder's failure; the next append asks again, or the seal that comes when that has passed.
        this.#isSealAsked = false;
      },
    );
  }
}
