/**
 * Conflict fairness: a guest that keeps making others' transactions fail is slowed (XSA-206).
 *
 * Owns a credit per domain. Each time a commit of a guest makes somebody else's transaction end in EAGAIN, the guest
 * loses a point; it regains one every `REGAIN_MICROSECONDS` up to `CREDIT_MAX`. Without a point nothing of it is
 * dispatched. So a transaction of dom0 that a guest disturbs at every try goes through once the guest's credit is gone: at
 * the sixth try, if tries are quicker than points are regained. dom0 is exempt. The idea is oxenstored's.
 *
 * Slower tries would let the guest regain what each one takes. So when a connection of dom0 has met EAGAIN
 * `STREAK_TOLERATED` times in a row, whoever made the next one is held outright: 50 ms, then twice as long each time, up
 * to `HOLD_MICROSECONDS_MAX`. A transaction that takes up to 800 ms goes through within ten tries. This is dom0's
 * privilege: a guest could make others wait by failing on purpose.
 */
import type { Domid } from "../../protocol/identifiers.js";

/** Points of a domain that disturbs nobody. */
export const CREDIT_MAX = 5;

/** Time after which a point is regained. */
export const REGAIN_MICROSECONDS = 50_000;

/** So many EAGAINs in a row cost their causers points and nothing more. */
const STREAK_TOLERATED = 4;
/** Longest that a guest is held at a time for what it does to dom0. */
const HOLD_MICROSECONDS_MAX = 1_000_000;

interface Credit {
  readonly points: number;
  /** When `points` was right; later ones are reckoned from here. */
  readonly since: number;
}

/** The credit of each domain that lacks a point. */
export class Fairness {
  readonly #credits = new Map<Domid, Credit>();
  readonly #heldUntil = new Map<Domid, number>();

  /** Takes a point from a guest; returns the inverse. */
  charge(domid: Domid, nowMicroseconds: number): () => void {
    if (domid === 0) return () => undefined;
    const old = this.#credits.get(domid);
    const { points, since } = this.#creditOf(domid, nowMicroseconds);
    this.#credits.set(domid, { points: Math.max(0, points - 1), since });
    return () => {
      if (old === undefined) this.#credits.delete(domid);
      else this.#credits.set(domid, old);
    };
  }

  /**
   * Holds a guest that once more made a transaction of dom0 fail; returns the inverse.
   *
   * @param streak - how often in a row the same connection of dom0 has now met EAGAIN
   */
  holdForStreak(domid: Domid, streak: number, nowMicroseconds: number): () => void {
    if (domid === 0 || streak <= STREAK_TOLERATED) return () => undefined;
    const old = this.#heldUntil.get(domid);
    const hold = Math.min(
      HOLD_MICROSECONDS_MAX,
      REGAIN_MICROSECONDS * 2 ** Math.min(10, streak - STREAK_TOLERATED - 1),
    );
    this.#heldUntil.set(domid, nowMicroseconds + hold);
    return () => {
      if (old === undefined) this.#heldUntil.delete(domid);
      else this.#heldUntil.set(domid, old);
    };
  }

  /** How long nothing of this domain should be dispatched; 0 when it has credit. */
  holdMicroseconds(domid: Domid, nowMicroseconds: number): number {
    const held = this.#heldMicroseconds(domid, nowMicroseconds);
    if (!this.#credits.has(domid)) return held;
    const { points, since } = this.#creditOf(domid, nowMicroseconds);
    if (points > 0) return held;
    return Math.max(1, held, since + REGAIN_MICROSECONDS - nowMicroseconds);
  }

  /** Forgets a domain that is gone; returns the inverse. */
  forget(domid: Domid): () => void {
    const old = this.#credits.get(domid);
    const heldUntil = this.#heldUntil.get(domid);
    this.#credits.delete(domid);
    this.#heldUntil.delete(domid);
    return () => {
      if (old !== undefined) this.#credits.set(domid, old);
      if (heldUntil !== undefined) this.#heldUntil.set(domid, heldUntil);
    };
  }

  /** What is left of an outright hold; one that a clock's step back made longer than any is over. */
  #heldMicroseconds(domid: Domid, nowMicroseconds: number): number {
    const left = (this.#heldUntil.get(domid) ?? 0) - nowMicroseconds;
    if (left > 0 && left <= HOLD_MICROSECONDS_MAX) return left;
    this.#heldUntil.delete(domid);
    return 0;
  }

  /** The credit now, with what was regained; a clock that stepped back gives nothing and takes nothing. */
  #creditOf(domid: Domid, nowMicroseconds: number): Credit {
    const credit = this.#credits.get(domid);
    if (credit === undefined) return { points: CREDIT_MAX, since: nowMicroseconds };
    const elapsed = nowMicroseconds - credit.since;
    if (elapsed < 0) {
      const restarted = { points: credit.points, since: nowMicroseconds };
      this.#credits.set(domid, restarted);
      return restarted;
    }
    const regained = Math.floor(elapsed / REGAIN_MICROSECONDS);
    if (credit.points + regained >= CREDIT_MAX) {
      this.#credits.delete(domid);
      return { points: CREDIT_MAX, since: nowMicroseconds };
    }
    return { points: credit.points + regained, since: credit.since + regained * REGAIN_MICROSECONDS };
  }
}
