/**
 * The write gate: how fast clients may commit while the history is behind.
 *
 * Owns the two limits of the journal's backlog (the bytes of lines that sealed packs do not hold yet) and what happens
 * between and beyond them. Pure: the backlog, the recorder's state and the time come from outside; `server.ts` does the
 * holding. Reads pass it untouched.
 *
 *   backlog:  0 ──────── open ──────── max/2 ──────── slowed ──────── max ──── held, or refused
 *
 * Slowed: every byte that is committed costs time, and whoever committed it waits that long before anything more of it is
 * dispatched. The rate of all together is limited, however many they are: at the middle between the limits to
 * `SLOWED_BYTES_PER_SECOND`, towards the lower one to nothing in particular, towards the upper one to nothing at all.
 * Somewhere between, for every recorder, lies the backlog at which that is the rate at which it seals; there the backlog
 * stays, where a plain limit would have writers stop and go.
 *
 * Those who commit wait in one line for each domain, and the lines share the rate: dom0 has a half of it, the guests' domains
 * the other in equal parts, and what somebody does not use is the others'. Worked example: beside a hundred guests that
 * write without end, dom0 waits twice as long for a commit as it would alone, and not a hundred times.
 *
 * Invariants:
 * 1. Below a half of the limit nobody waits.
 * 2. At the limit no commit is accepted but those of CONTROL. What a tick has committed counts from the moment at which it
 *    did, as the most bytes that it may take in the journal: so the backlog is above the limit by at most one commit, the one
 *    that was begun just below it (with CONTROL's, and the header of a segment).
 * 3. Nobody waits for ever: a wait for the line's sake ends after `HOLD_MILLISECONDS_MAX`; one at the limit lasts while
 *    packs are sealed. When the recorder can do nothing, or seals nothing for `STALLED_MILLISECONDS`, commits are refused,
 *    and accepted again by themselves when there is room.
 * 4. How long dom0 waits does not depend on how many guests commit, nor how long a domain waits on how many connections
 *    another one has. (At the limit the order in which they go on is that of `waiting-lines.ts`.)
 * 5. A line is kept as long as somebody waits in it; there are at most as many as domains.
 */
import type { ErrorName } from "../../protocol/errno.js";
import { DOM0, type Domid } from "../../protocol/identifiers.js";

/** What keeps the recorder from sealing. */
export interface RecorderTrouble {
  /** As text for people. */
  readonly reason: string;
  /** Whether nothing is recorded any more until a restart; else it is tried again. */
  readonly isFinal: boolean;
}

/** What the gate looks at. All are asked often, and must be cheap. */
export interface Backlog {
  /** Bytes of journal lines that sealed packs do not hold. */
  unsealedBytes(): number;
  /** The last commit in sealed packs: that it grows is progress, also where the bytes, which are coarse, do not fall yet. */
  sealedSeq(): number;
  /** What keeps them from becoming fewer, if something does. */
  trouble(): RecorderTrouble | undefined;
}

/** Why commits are refused. */
export interface Refusal {
  /** ENOSPC where it may pass by itself, EIO where it does not. */
  readonly error: ErrorName;
  /** For people: what is full, and why it stays so. */
  readonly reason: string;
}

/** What one client committed in a tick. */
export interface Committed {
  readonly domid: Domid;
  /** At most so many in the journal. */
  readonly bytes: number;
}

/** Of the limit: below, nobody is slowed. */
export const OPEN_PART: number = 1 / 2;
/** The rate of commits, in bytes of the journal, at the middle between the limits: about what a recorder seals. */
const SLOWED_BYTES_PER_SECOND = 8 * 1024 * 1024;
/** Longest that a client is held for what one tick committed for it. */
export const HOLD_MILLISECONDS_MAX = 1000;
/** So long nothing may be sealed at the limit before commits are refused: consolidation may keep the recorder busy. */
export const STALLED_MILLISECONDS = 30_000;

/** Decides about one branch's commits. */
export class WriteGate {
  readonly #bytesMax: number;
  readonly #backlog: Backlog;
  /** When everything that a domain committed while slowed has been waited for. */
  readonly #lineEnds = new Map<Domid, number>();
  /** Since when the backlog is at the limit without a seal. */
  #fullSince: number | undefined;
  #sealedSeqSeen = 0;

  /** @param journalBytesMax - the most bytes of journal lines that sealed packs do not hold; Infinity for no limit */
  constructor(journalBytesMax: number, backlog: Backlog) {
    this.#bytesMax = journalBytesMax;
    this.#backlog = backlog;
  }

  /** Whether commits cost time now. */
  get isSlowing(): boolean {
    return this.#backlog.unsealedBytes() > this.#bytesMax * OPEN_PART;
  }

  /**
   * Whether the backlog is at its limit. A commit that is begun while it is not takes the backlog to at most the limit and
   * that commit's own bytes (invariant 2).
   *
   * @param bytesUnwritten - the most that the commits take which are not in the journal yet
   */
  isFull(bytesUnwritten: number): boolean {
    return this.#backlog.unsealedBytes() + bytesUnwritten >= this.#bytesMax;
  }

  /** Why no commit is accepted at this moment; undefined also while writers at the limit wait for a seal. */
  refusal(nowMilliseconds: number): Refusal | undefined {
    const bytes = this.#backlog.unsealedBytes();
    const sealedSeq = this.#backlog.sealedSeq();
    const isSealing = sealedSeq > this.#sealedSeqSeen;
    this.#sealedSeqSeen = sealedSeq;
    if (bytes < this.#bytesMax) {
      this.#fullSince = undefined;
      return undefined;
    }
    if (isSealing) this.#fullSince = undefined;
    this.#fullSince ??= nowMilliseconds;
    const trouble = this.#backlog.trouble();
    const isStalled = nowMilliseconds - this.#fullSince >= STALLED_MILLISECONDS;
    if (trouble === undefined && !isStalled) return undefined;
    const cause = trouble?.reason ?? `nothing was sealed for ${String(STALLED_MILLISECONDS / 1000)} seconds`;
    const reason = `the journal holds ${String(bytes)} bytes that the history lacks, and may hold ${String(this.#bytesMax)}: ${cause}`;
    return { error: trouble?.isFinal === true ? "EIO" : "ENOSPC", reason };
  }

  /** Until when each client is held of those that committed in a tick, in their order; the present moment when it is not. */
  holdUntil(committed: readonly Committed[], nowMilliseconds: number): number[] {
    const free = this.#bytesMax * OPEN_PART;
    const pressure = Math.min(1, (this.#backlog.unsealedBytes() - free) / (this.#bytesMax - free));
    if (!(pressure > 0)) return committed.map(() => nowMilliseconds);
    const lines = this.#lineEnds;
    for (const [domid, end] of lines) if (end <= nowMilliseconds) lines.delete(domid);
    for (const { domid } of committed) if (!lines.has(domid)) lines.set(domid, nowMilliseconds);
    const millisecondsPerByte = (1000 / SLOWED_BYTES_PER_SECOND) * (pressure / (1 - pressure));
    return committed.map(({ domid, bytes }) => {
      const wait = bytes * millisecondsPerByte * this.#linesToShareWith(domid);
      const end = (lines.get(domid) ?? nowMilliseconds) + wait;
      const until = Math.min(end, nowMilliseconds + HOLD_MILLISECONDS_MAX);
      lines.set(domid, until);
      return until;
    });
  }

  /** By how much a domain's line goes slower than if it were the only one. */
  #linesToShareWith(domid: Domid): number {
    const hasDom0 = this.#lineEnds.has(DOM0);
    const guests = this.#lineEnds.size - (hasDom0 ? 1 : 0);
    if (domid === DOM0) return guests === 0 ? 1 : 2;
    return hasDom0 ? 2 * guests : guests;
  }
}
